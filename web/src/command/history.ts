/** The lines typed in this browser, the latest last. */

import { isTexts, recall, remember } from "../state/storage";

const LIMIT = 200;

/** A history after one more line: each line stands in it once. */
export function added(lines: readonly string[], line: string): string[] {
  return [...lines.filter((other) => other !== line), line].slice(-LIMIT);
}

export class History {
  #lines: string[] = recall("history", isTexts) ?? [];
  /** Where in it one is; behind its end, one is at what is being typed. */
  #index = this.#lines.length;
  #draft = "";

  add(line: string): void {
    this.#lines = added(this.#lines, line);
    remember("history", this.#lines);
    this.#index = this.#lines.length;
  }

  /** The line before or after the one shown; what was typed is behind the last. */
  step(by: -1 | 1, shown: string): string | undefined {
    if (this.#index === this.#lines.length) this.#draft = shown;
    const index = this.#index + by;
    if (index < 0 || index > this.#lines.length) return undefined;
    this.#index = index;
    return this.#lines[index] ?? this.#draft;
  }

  /** Something was typed: it is no line of the history any more. */
  reset(): void {
    this.#index = this.#lines.length;
  }

  get lines(): readonly string[] {
    return this.#lines;
  }
}
