import { describe, expect, test } from "vitest";
import { Table } from "../mirror/table";
import { matcher, natural, rankFor, type Column } from "./column";
import { Listing, type Order } from "./listing";
import { reveal, visible } from "./window";

interface Row {
  id: string;
  name: string;
  size: number;
}
const columns: readonly Column<Row>[] = [
  { key: "name", title: "Name", text: (row) => row.name, width: 10, share: 1, rank: 0 },
  {
    key: "size",
    title: "Size",
    text: (row) => String(row.size),
    order: (row) => row.size,
    width: 5,
    share: 0,
    rank: 1,
  },
  { key: "id", title: "Id", text: (row) => row.id, width: 5, share: 0, rank: 2 },
];
const BY_NAME: Order = { column: "name", descending: false };
const row = (id: string, name: string, size = 0): Row => ({ id, name, size });
const make = (): Table<Row> => new Table<Row>((one) => one.id);

describe("a listing", () => {
  test("sorts and filters, and is the same where nothing changed", () => {
    const table = make();
    table.apply("put", [row("1", "b", 10), row("2", "a", 9), row("3", "c", 100)], 1);
    const listing = new Listing(table, columns);
    const keys = (filter: string, order: Order): string =>
      listing
        .rows(filter, order)
        .map(({ key }) => key)
        .join("");
    expect(keys("", BY_NAME)).toBe("213");
    expect(keys("", { column: "size", descending: true })).toBe("312");
    expect(keys("c", BY_NAME)).toBe("3");
    expect(listing.rows("c", BY_NAME)).toBe(listing.rows("c", BY_NAME));
  });

  test("kept up by changes, it is what sorting anew would give", () => {
    let seed = 7;
    const random = (limit: number): number => {
      seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
      return Math.floor((seed / 2 ** 32) * limit);
    };
    const table = make();
    const listing = new Listing(table, columns);
    for (let step = 1; step < 500; step += 1) {
      const rows = Array.from({ length: 1 + random(4) }, () => row(String(random(40)), `n-${random(30)}`, random(9)));
      table.apply(random(4) === 0 ? "delete" : "put", rows, step);
      const descending = step % 100 > 50;
      const filter = step % 50 > 25 ? "n-1" : "";
      const order: Order = { column: step % 200 > 100 ? "size" : "name", descending };
      const kept = listing.rows(filter, order).map(({ key }) => key);
      expect(kept).toEqual(new Listing(table, columns).rows(filter, order).map(({ key }) => key));
    }
  });
});

test("what is measured is sorted anew with every sample, and filtered by only where it is named", () => {
  const samples = new Map([
    ["1", 5],
    ["2", 7],
  ]);
  let beat = 0;
  const measured: Column<Row> = {
    key: "cpu",
    title: "CPU",
    text: ({ id }) => `${samples.get(id) ?? 0}m`,
    order: ({ id }) => samples.get(id) ?? 0,
    width: 5,
    share: 0,
    rank: 1,
    measured: { series: () => undefined, beat: () => beat, watch: () => () => undefined },
  };
  const table = make();
  table.apply("put", [row("1", "a"), row("2", "b")], 1);
  const listing = new Listing(table, [...columns, measured]);
  const keys = (filter = ""): string[] =>
    listing.rows(filter, { column: "cpu", descending: true }).map((placed) => placed.key);
  expect(keys()).toEqual(["2", "1"]);
  samples.set("1", 9);
  table.apply("put", [row("3", "c")], 2);
  beat += 1;
  expect(keys()).toEqual(["1", "2", "3"]);
  expect(keys("9m")).toEqual([]);
  expect(keys("cpu:9m")).toEqual(["1"]);
});

test("a filter wants all its words, looks into columns, and knows what must not be", () => {
  const test = (filter: string): boolean => matcher(filter, columns)(row("12345678", "web-1", 3));
  expect(["", "WEB", "web 3", "name:web", "id:123", "-db", "web -name:db"].map(test)).toEqual(Array(7).fill(true));
  expect(["db", "web db", "name:123", "-web", "web -size:3"].map(test)).toEqual(Array(5).fill(false));
});

test("names sort as people read them, and ids are no numbers", () => {
  const sorted = (names: string[]): string[] =>
    [...names].sort((left, right) => (natural(left) < natural(right) ? -1 : 1));
  expect(sorted(["n-10", "N-9", "n-1"])).toEqual(["n-1", "N-9", "n-10"]);
  expect(sorted(["v1.9.0", "v1.10.2", "v1.10.1"])).toEqual(["v1.9.0", "v1.10.1", "v1.10.2"]);
  expect(sorted(["node-3fcd1ce4", "node-25d75506"])).toEqual(["node-25d75506", "node-3fcd1ce4"]);
  expect(sorted(["api-36306277", "api-1500857c"])).toEqual(["api-1500857c", "api-36306277"]);
});

test("columns go where there is no room, the least wanted first", () => {
  expect([20, 16, 1].map((rem) => rankFor(columns, rem))).toEqual([2, 1, 0]);
});

test("only rows in sight are drawn, and a row is brought there", () => {
  expect(visible(10_000, 30, 3_000, 600)).toEqual({ first: 92, end: 128 });
  expect(visible(3, 30, 0, 600)).toEqual({ first: 0, end: 3 });
  expect(visible(0, 30, 500, 600)).toEqual({ first: 0, end: 0 });
  expect(reveal(0, 30, 300, 600)).toBe(0);
  expect(reveal(100, 30, 300, 600)).toBe(2_430);
  expect(reveal(15, 30, 300, 600)).toBe(300);
});
