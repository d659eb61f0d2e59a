/** The latest messages of the mirror: bounded in number, and in the rows they hold. */

import { kindOf, rowCount, summary, type Message } from "../api/message";
import { Table } from "./table";

const MESSAGES = 5_000;
const ROWS = 50_000;

/** A message that came, with what tables show of it. */
export interface Entry {
  readonly number: number;
  readonly message: Message;
  readonly summary: string;
  /** `in`: somebody's command; `out`: what the server says. */
  readonly direction: "in" | "out";
}

export class Journal {
  readonly table = new Table<Entry>((entry) => String(entry.number));
  #number = 0;
  #held = 0;

  add(message: Message): void {
    this.#number += 1;
    const direction = kindOf(message) === "input" ? "in" : "out";
    const entry: Entry = { number: this.#number, message, summary: summary(message), direction };
    this.table.apply("put", [entry], this.#number);
    this.#held += rowCount(message);
    while (this.table.rows.size > MESSAGES || (this.#held > ROWS && this.table.rows.size > 1)) this.#dropOldest();
  }

  clear(): void {
    this.table.apply("snapshot", [], this.#number);
    this.#held = 0;
  }

  #dropOldest(): void {
    const [oldest] = this.table.rows.values();
    if (!oldest) return;
    this.#held -= rowCount(oldest.message);
    this.table.apply("delete", [oldest], this.#number);
  }
}
