import { expect, test } from "vitest";
import { changed, message, node, pod } from "../mirror/sample";
import { kindOf, read, summary } from "./message";

test("a message is told on one line", () => {
  expect(summary(message({ output: [{ message: "done" }] }))).toBe("done");
  expect(summary(message({ input: [{ message: "qbo version" }] }))).toBe("qbo version");
  expect(summary(message({ output: [{ kubeconfig: "secret" }] }))).toBe("kubeconfig");
  expect(summary(changed({ nodes: [node("a", "not_ready")] }, "put", 1))).toBe("a.localhost: not ready");
  expect(summary(changed({ pods: [pod("p", "a", "Pending")] }, "put", 1))).toBe("p: Pending");
  expect(summary(changed({ pods: [pod("p", "a")] }, "delete", 1))).toBe("p: gone");
  const five = ["a", "b", "c", "d", "e"].map((name) => pod(name, "n"));
  expect(summary(message({ pods: five }))).toBe("a, b, c and 2 more");
  expect(summary(message({ clients: [] }))).toBe("0 clients");
});

test("rows of a kind that this console does not know are no harm", () => {
  const newer = read('{"code":201,"command_id":"x","processes":[{"name":"p"}]}');
  expect(newer && kindOf(newer)).toBeUndefined();
  expect(newer && summary(newer)).toBe("");
});
