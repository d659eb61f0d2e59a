/**
 * CPU and memory of nodes and pods: the latest samples of each, for small plots. They are kept in rings, so that what
 * ten thousand objects use is taken in every other second without a copy of what is known.
 */

import type { Usage as Row } from "$contract/qbo";
import type { Message } from "../api/message";

/** Samples kept of each object. */
export const SAMPLES = 60;

/** The latest samples of one quantity. */
export class Series {
  readonly #values = new Float32Array(SAMPLES);
  #taken = 0;

  /** How many there were. */
  get taken(): number {
    return this.#taken;
  }

  get length(): number {
    return Math.min(this.#taken, SAMPLES);
  }

  /** The sample that is this many older than the latest. */
  before(age: number): number {
    return this.#values[(this.#taken - 1 - age) % SAMPLES] ?? 0;
  }

  get latest(): number {
    return this.before(0);
  }

  add(value: number): void {
    this.#values[this.#taken % SAMPLES] = value;
    this.#taken += 1;
  }
}

/** What one object uses. */
export interface Used {
  /** Cores. */
  readonly cpu: Series;
  /** Bytes. */
  readonly memory: Series;
}

export class Usage {
  readonly #used = new Map<string, Used & { round: number }>();
  /** Counts the times that all was told. */
  #round = 0;

  /** Takes in the samples of a message; whether there were any. */
  take(message: Message): boolean {
    if (!("usage" in message)) return false;
    if (message.change === "snapshot") this.#begin();
    for (const row of message.usage) this.#add(row);
    return message.usage.length > 0;
  }

  /** What an object uses, by its id. */
  of(id: string): Used | undefined {
    return this.#used.get(id);
  }

  /** What comes next does not follow what is known. */
  clear(): void {
    this.#used.clear();
  }

  /** All is about to be told once more: what was not told the last time is gone. */
  #begin(): void {
    for (const [id, used] of this.#used) if (used.round !== this.#round) this.#used.delete(id);
    this.#round += 1;
  }

  #add(row: Row): void {
    let used = this.#used.get(row.id);
    if (!used) {
      used = { cpu: new Series(), memory: new Series(), round: this.#round };
      this.#used.set(row.id, used);
    }
    used.cpu.add(row.cpu);
    used.memory.add(row.memory);
    used.round = this.#round;
  }
}
