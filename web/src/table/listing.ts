/**
 * Rows as a table shows them: filtered and sorted, and kept so with what changes alone. Sorting ten thousand rows anew
 * for each of fifty changes a second would cost more than a frame has.
 */

import type { Table } from "../mirror/table";
import { matcher, natural, type Column } from "./column";

export interface Order {
  readonly column: string;
  readonly descending: boolean;
}

export interface Placed<Row> {
  readonly key: string;
  readonly row: Row;
  readonly rank: string | number;
}

export class Listing<Row> {
  #placed: Placed<Row>[] = [];
  #version = -1;
  #filter: string | undefined;
  #order: Order | undefined;
  #keep: ((row: Row) => boolean) | undefined;
  #column: Column<Row> | undefined;
  #beat = 0;
  #matches: (row: Row) => boolean = () => true;

  constructor(
    private readonly table: Table<Row>,
    private readonly columns: readonly Column<Row>[],
  ) {}

  /** The rows now. The same array where nothing differs. `keep` chooses rows before the filter does. */
  rows(filter: string, order: Order, keep?: (row: Row) => boolean): readonly Placed<Row>[] {
    const changed = this.table.since(this.#version);
    this.#version = this.table.version;
    const isSame = this.#filter === filter && this.#keep === keep && this.#hasOrder(order);
    if (!isSame || changed === "all") {
      [this.#filter, this.#keep, this.#order] = [filter, keep, order];
      this.#column = this.columns.find((column) => column.key === order.column) ?? this.columns[0];
      this.#matches = matcher(filter, this.columns);
      this.#placed = this.#place(this.table.rows);
    } else if (changed.size > 0) {
      this.#merge(changed);
    }
    const beat = this.#column?.measured?.beat() ?? 0;
    if (isSame && beat !== this.#beat) this.#placed = this.#ranked();
    this.#beat = beat;
    return this.#placed;
  }

  #hasOrder(order: Order): boolean {
    return this.#order?.column === order.column && this.#order.descending === order.descending;
  }

  /** Those of rows that are shown, in order. */
  #place(rows: Iterable<[string, Row]>): Placed<Row>[] {
    const placed: Placed<Row>[] = [];
    for (const [key, row] of rows) {
      if (this.#keep && !this.#keep(row)) continue;
      if (this.#matches(row)) placed.push({ key, row, rank: this.#rank(row) });
    }
    return placed.sort(this.#compare);
  }

  /** The same rows by what is measured now: mostly in order already, which is sorted sooner. */
  #ranked(): Placed<Row>[] {
    return this.#placed.map(({ key, row }) => ({ key, row, rank: this.#rank(row) })).sort(this.#compare);
  }

  #rank(row: Row): string | number {
    return this.#column?.order?.(row) ?? natural(this.#column?.text(row) ?? "");
  }

  /** Takes the changed ones out, and puts those that are still there back where they belong. */
  #merge(changed: ReadonlySet<string>): void {
    const kept = this.#placed.filter((placed) => !changed.has(placed.key));
    const added = this.#place(
      Array.from(changed).flatMap((key): [string, Row][] => {
        const row = this.table.rows.get(key);
        return row === undefined ? [] : [[key, row]];
      }),
    );
    const merged: Placed<Row>[] = [];
    let next = 0;
    for (const placed of added) {
      const end = this.#position(kept, placed, next);
      for (; next < end; next += 1) {
        const before = kept[next];
        if (before) merged.push(before);
      }
      merged.push(placed);
    }
    for (; next < kept.length; next += 1) {
      const rest = kept[next];
      if (rest) merged.push(rest);
    }
    this.#placed = merged;
  }

  /** Where in sorted rows a row belongs, by halving. */
  #position(rows: readonly Placed<Row>[], placed: Placed<Row>, from: number): number {
    let [low, high] = [from, rows.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      const other = rows[middle];
      if (other && this.#compare(other, placed) <= 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  readonly #compare = (left: Placed<Row>, right: Placed<Row>): number => {
    const sign = this.#order?.descending === true ? -1 : 1;
    if (left.rank !== right.rank) return left.rank < right.rank ? -sign : sign;
    // Equal ones keep their places.
    return left.key < right.key ? -1 : left.key > right.key ? 1 : 0;
  };
}
