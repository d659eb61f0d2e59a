import { expect, test } from "vitest";
import { Journal } from "./journal";
import { changed, message, node } from "./sample";

test("the journal keeps the latest, and no more rows than it may", () => {
  const journal = new Journal();
  for (let index = 0; index < 6_000; index += 1) journal.add(changed({ nodes: [node(`n${index}`)] }, "put", index));
  const numbers = [...journal.table.rows.keys()];
  expect(numbers).toHaveLength(5_000);
  expect(numbers.at(-1)).toBe("6000");
  const rows = Array.from({ length: 500 }, (_, index) => node(`n${index}`));
  for (let index = 0; index < 200; index += 1) journal.add(message({ nodes: rows }, { sequence: index }));
  expect(journal.table.rows.size).toBe(100);
});
