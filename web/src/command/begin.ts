/** The way for a view to begin a command for its reader to finish. */
class Beginning {
  #begin: (text: string) => void = () => undefined;

  set(begin: (text: string) => void): void {
    this.#begin = begin;
  }

  begin(text: string): void {
    this.#begin(text);
  }
}

export const commandLine = new Beginning();
