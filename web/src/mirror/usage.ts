/** CPU and memory of nodes and pods: the latest samples of each, for small plots. */

import type { Usage as Row } from "$contract/qbo";
import type { Message } from "../api/message";

/** Samples kept of each object, and objects kept. */
const SAMPLES = 60;
const OBJECTS = 20_000;

export interface Sample {
  /** Cores. */
  readonly cpu: number;
  /** Bytes. */
  readonly memory: number;
}

export class Usage {
  readonly #samples = new Map<string, Sample[]>();

  /** Takes in the samples of a message; whether there were any. */
  take(message: Message): boolean {
    if (!("usage" in message)) return false;
    for (const row of message.usage) this.#add(row);
    return message.usage.length > 0;
  }

  /** The samples of an object by its id, the latest last. */
  of(id: string): readonly Sample[] {
    return this.#samples.get(id) ?? [];
  }

  /** Whether anything is known at all. */
  get isKnown(): boolean {
    return this.#samples.size > 0;
  }

  /** The connection is lost: what comes next does not follow what is known. */
  lost(): void {
    this.#samples.clear();
  }

  #add(row: Row): void {
    const samples = this.#samples.get(row.id) ?? [];
    // A new array, so that who holds the old one sees that it changed.
    this.#samples.set(row.id, [...samples.slice(1 - SAMPLES), { cpu: row.cpu, memory: row.memory }]);
    if (this.#samples.size > OBJECTS) {
      const [oldest] = this.#samples.keys();
      if (oldest !== undefined) this.#samples.delete(oldest);
    }
  }
}
