/**
 * Something that is asked for while somebody looks at it: at once, and given up a while after the last has looked away, so
 * that going from view to view does not begin it anew.
 */

const LINGER = 30_000;

export class Watch {
  #watchers = 0;
  #isAsked = false;
  #isConnected = false;
  #isVisible = true;
  #callOff: (() => void) | undefined;

  constructor(
    private readonly ask: () => void,
    private readonly leave: () => void,
    /** Calls back after this many milliseconds; what it returns calls that off. */
    private readonly after: (milliseconds: number, call: () => void) => () => void,
  ) {}

  /** Somebody looks; what it returns says that he does no longer. */
  begin(): () => void {
    this.#watchers += 1;
    this.#look();
    return () => {
      this.#watchers -= 1;
      this.#look();
    };
  }

  /** The page is there to be seen, or is not. */
  visible(isVisible: boolean): void {
    this.#isVisible = isVisible;
    this.#look();
  }

  /** There is a connection, or none any more; what was asked for over another one is not told over this. */
  connected(isConnected: boolean): void {
    this.#isConnected = isConnected;
    this.#isAsked = false;
    this.#look();
  }

  #look(): void {
    const isWanted = this.#watchers > 0 && this.#isVisible;
    if (isWanted || !this.#isAsked) {
      this.#callOff?.();
      this.#callOff = undefined;
    }
    if (isWanted && this.#isConnected && !this.#isAsked) {
      this.#isAsked = true;
      this.ask();
    }
    if (!isWanted && this.#isAsked) this.#callOff ??= this.after(LINGER, () => this.#end());
  }

  #end(): void {
    this.#callOff = undefined;
    this.#isAsked = false;
    this.leave();
  }
}
