import { expect, test } from "vitest";
import type { Step } from "$contract/qbo";
import { lanes } from "./lanes";
import { Operations } from "./operations";
import { changed, message, node } from "./sample";

const ID = "aaaaaaaa-7444-4252-aeac-9e473949661e";
const of = (step: string, on: string, state: Step["state"], duration = 0): Step => ({
  message: `${step} ${state}`,
  object: "alex",
  node: on,
  step,
  state,
  elapsed: 1,
  duration,
});
const add = {
  command_id: ID,
  command_line: "qbo add cluster alex",
  command: "CMD_ADD",
  subcommand: "SUBCMD_CLUSTER",
} as const;

test("a command goes from its echo over its steps to its end", () => {
  const operations = new Operations();
  operations.take(message({ input: [{ message: "qbo add cluster alex" }] }, { ...add, code: 202 }), true);
  operations.take(message({ output: [of("network", "", "started")] }, add), true);
  operations.take(message({ output: [of("network", "", "done", 0.2)] }, add), true);
  operations.take(message({ output: [of("ready", "node-1", "started")] }, add), true);
  expect(operations.running()).toHaveLength(1);
  expect(operations.get(ID)?.steps.map(({ step, state }) => `${step} ${state}`)).toEqual([
    "network done",
    "ready started",
  ]);
  const end = { ...add, code: 200, command: "CMD_DONE", timestamp: "2026-03-01T12:00:11.234567Z" } as const;
  operations.take(message({ output: [{ message: "terminated" }] }, end), true);
  expect(operations.get(ID)).toMatchObject({ state: "done", seconds: 10, own: true, failure: undefined });
  expect(operations.running()).toEqual([]);
});

test("a failure says what and what would be right", () => {
  const operations = new Operations();
  const failure = { message: "no; yes", problem: "no", cure: "yes" };
  operations.take(message({ output: [failure] }, { ...add, code: 409 }), false);
  expect(operations.get(ID)).toMatchObject({ state: "failed", code: 409, failure: { problem: "no", cure: "yes" } });
});

test("what ran when the connection went is lost, until it is heard of again", () => {
  const operations = new Operations();
  operations.take(message({ output: [of("network", "", "started")] }, add), true);
  operations.lost();
  expect(operations.get(ID)?.state).toBe("lost");
  operations.take(message({ output: [of("network", "", "done")] }, add), true);
  expect(operations.get(ID)?.state).toBe("running");
});

test("changes are of no command", () => {
  const operations = new Operations();
  expect(operations.take(changed({ nodes: [node("a")] }, "put", 1), false)).toBeUndefined();
  expect(operations.list()).toEqual([]);
});

test("many commands are not kept for ever, those that run longest", () => {
  const operations = new Operations();
  operations.take(message({ output: [of("network", "", "started")] }, add), true);
  for (let index = 0; index < 200; index += 1) {
    operations.take(message({ output: [{ message: "x" }] }, { command_id: `id${index}`, code: 200 }), false);
  }
  expect(operations.list().length).toBeLessThanOrEqual(60);
  expect(operations.get(ID)?.state).toBe("running");
});

test("steps stand in a lane for each node, and one for the whole", () => {
  const all = [
    of("network", "", "done"),
    of("boot", "node-1.localhost", "done"),
    of("ready", "node-1.localhost", "started"),
  ];
  expect(lanes(all).map(({ short, steps }) => [short, steps.length])).toEqual([
    ["alex", 1],
    ["node-1", 2],
  ]);
});
