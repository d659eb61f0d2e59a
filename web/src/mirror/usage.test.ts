import { expect, test } from "vitest";
import type { Message } from "../api/message";
import { Usage } from "./usage";

function sample(rows: readonly [string, number][]): Message {
  return { usage: rows.map(([id, cpu]) => ({ id, cpu, memory: 1 << 20 })) } as unknown as Message;
}

test("the latest samples of each object are kept, in order", () => {
  const usage = new Usage();
  expect(usage.isKnown).toBe(false);
  for (let at = 0; at < 70; at++) expect(usage.take(sample([["node", at]]))).toBe(true);
  expect(usage.take(sample([]))).toBe(false);
  expect(usage.take({ pods: [] } as unknown as Message)).toBe(false);
  expect(usage.of("node").map((each) => each.cpu)).toEqual(Array.from({ length: 60 }, (_, index) => index + 10));
  expect(usage.of("other")).toEqual([]);
});

test("what is known is forgotten with the connection", () => {
  const usage = new Usage();
  usage.take(sample([["node", 1]]));
  usage.lost();
  expect(usage.isKnown).toBe(false);
});
