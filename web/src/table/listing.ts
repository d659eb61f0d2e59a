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

interface Placed<Row> {
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
  #matches: (row: Row) => boolean = () => true;

  constructor(
    private readonly table: Table<Row>,
    private readonly columns: readonly Column<Row>[],
  ) {}

  /** The rows now. The same array where nothing differs. `keep` chooses rows before the filter does. */
  rows(filter: string, order: Order, keep?: (row: Row) => boolean): readonly Placed<Row>[] {
    const changed = this.table.since(this.#version);
    const isSame = this.#filter === filter && this.#keep === keep && this.#hasOrder(order);
    if (isSame && changed !== "all" && changed.size === 0) return this.#placed;
    this.#version = this.table.version;
    if (!isSame || changed === "all") {
      [this.#filter, this.#keep, this.#order] = [filter, keep, order];
      this.#matches = matcher(filter, this.columns);
      this.#placed = [...this.table.rows].flatMap(([key, row]) => this.#place(key, row));
      this.#placed.sort(this.#compare);
    } else {
      this.#merge(changed);
    }
    return this.#placed;
  }

  #hasOrder(order: Order): boolean {
    return this.#order?.column === order.column && this.#order.descending === order.descending;
  }

  #place(key: string, row: Row): Placed<Row>[] {
    if (this.#keep && !this.#keep(row)) return [];
    if (!this.#matches(row)) return [];
    const column = this.columns.find((column) => column.key === this.#order?.column) ?? this.columns[0];
    if (!column) return [];
    return [{ key, row, rank: column.order ? column.order(row) : natural(column.text(row)) }];
  }

  /** Takes the changed ones out, and puts those that are still there back where they belong. */
  #merge(changed: ReadonlySet<string>): void {
    const kept = this.#placed.filter((placed) => !changed.has(placed.key));
    const added = [...changed].flatMap((key) => {
      const row = this.table.rows.get(key);
      return row === undefined ? [] : this.#place(key, row);
    });
    added.sort(this.#compare);
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
