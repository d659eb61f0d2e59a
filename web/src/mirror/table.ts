/** The rows of one kind, by key, and what became of them: the reducer that everything shown is made of. */

import type { Change } from "$contract/qbo";

/** Keys that are remembered as changed; who asks about earlier than that looks at all rows. */
const LOG_LIMIT = 4096;

/** Which keys changed since a version: these, or nobody knows any more. */
export type Changed = ReadonlySet<string> | "all";

export class Table<Row> {
  readonly #rows = new Map<string, Row>();
  #log: { version: number; keys: readonly string[] }[] = [];
  #logged = 0;
  /** The version since which the log is whole. */
  #floor = 0;
  #version = 0;
  #sequence = -1;

  constructor(readonly key: (row: Row) => string) {}

  get rows(): ReadonlyMap<string, Row> {
    return this.#rows;
  }

  /** Grows with everything that changes rows. */
  get version(): number {
    return this.#version;
  }

  /** The server's sequence that the rows are of. */
  get sequence(): number {
    return this.#sequence;
  }

  /**
   * Takes in rows as they were at a sequence. What is older than what is known says nothing new, and is passed over;
   * but a snapshot always counts: it begins another history where the server is another one.
   */
  apply(change: Change, rows: readonly Row[], sequence: number): boolean {
    if (change !== "snapshot" && sequence < this.#sequence) return false;
    this.#sequence = sequence;
    const keys: string[] = [];
    if (change === "snapshot") {
      const kept = new Set(rows.map(this.key));
      for (const key of this.#rows.keys()) {
        if (!kept.has(key)) keys.push(key);
      }
      for (const key of keys) this.#rows.delete(key);
    }
    for (const row of rows) {
      const key = this.key(row);
      if (change === "delete" ? this.#rows.delete(key) : this.#put(key, row)) keys.push(key);
    }
    if (keys.length > 0) this.#note(keys);
    return keys.length > 0;
  }

  /** What changed since a version. */
  since(version: number): Changed {
    if (version < this.#floor) return "all";
    const changed = new Set<string>();
    for (const entry of this.#log) {
      if (entry.version > version) for (const key of entry.keys) changed.add(key);
    }
    return changed;
  }

  #put(key: string, row: Row): boolean {
    this.#rows.set(key, row);
    return true;
  }

  #note(keys: readonly string[]): void {
    this.#version += 1;
    this.#log.push({ version: this.#version, keys });
    this.#logged += keys.length;
    while (this.#logged > LOG_LIMIT) {
      const entry = this.#log.shift();
      if (!entry) break;
      this.#logged -= entry.keys.length;
      this.#floor = entry.version;
    }
  }
}
