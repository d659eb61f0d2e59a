import { expect, test } from "vitest";
import type { Message } from "../api/message";
import { SAMPLES, Usage } from "./usage";

function sample(rows: readonly [string, number][], change?: "snapshot" | "put"): Message {
  return { change, usage: rows.map(([id, cpu]) => ({ id, cpu, memory: 1 << 20 })) } as unknown as Message;
}

test("the latest samples of each object are kept, in order", () => {
  const usage = new Usage();
  for (let at = 0; at < SAMPLES + 10; at += 1) {
    expect(usage.take(sample([["node", at]]))).toBe(true);
    expect(usage.of("node")?.cpu.length).toBe(Math.min(at + 1, SAMPLES));
  }
  expect(usage.take(sample([]))).toBe(false);
  expect(usage.take({ pods: [] } as unknown as Message)).toBe(false);
  const { cpu, memory } = usage.of("node") ?? {};
  expect([cpu?.latest, cpu?.before(1), cpu?.before(SAMPLES - 1)]).toEqual([SAMPLES + 9, SAMPLES + 8, 10]);
  expect(memory?.latest).toBe(1 << 20);
  expect(usage.of("other")).toBeUndefined();
});

test("who was not told of when all were is gone", () => {
  const usage = new Usage();
  // Who asks is told of all at once; what follows is told in parts.
  usage.take(sample([["a", 1]]));
  for (let round = 0; round < 2; round += 1) {
    usage.take(sample([["a", 2]], "snapshot"));
    usage.take(sample([["b", 2]], "put"));
  }
  usage.take(sample([["b", 3]], "snapshot"));
  expect(usage.of("a")?.cpu.latest).toBe(2);
  usage.take(sample([["b", 4]], "snapshot"));
  expect(usage.of("a")).toBeUndefined();
  expect(usage.of("b")?.cpu.length).toBe(4);
  usage.clear();
  expect(usage.of("b")).toBeUndefined();
});
