import { expect, test } from "vitest";
import { cluster, node, pod } from "../mirror/sample";
import { added } from "./history";
import { count, hitBy } from "./hit";

const objects = {
  clusters: [
    { ...cluster("alex"), ports: ["127.0.0.1:8080:30080/tcp", "5353:30053/udp"] },
    cluster("prod", "c2deadbeef"),
  ],
  nodes: [node("control-1"), node("node-2")],
  pods: [pod("a", "node-2"), pod("b", "node-2")],
  registries: [{ name: "localhost:5000", address: "http://127.0.0.1:5000", host: true, user: "alex@example.com" }],
};
const hit = (line: string): [string[], string[]] | undefined => {
  const found = hitBy(line, objects);
  return found && [found.objects.map(({ name, detail }) => `${name} ${detail}`), [...found.unknown]];
};

test("what destroys or stops tells whom, and nothing else asks", () => {
  expect(hit("delete cluster alex")).toEqual([["alex 2 nodes"], []]);
  expect(hit("stop cluster -A")).toEqual([["alex 2 nodes", "prod 0 nodes"], []]);
  expect(hit("del node node-2 nobody")).toEqual([["node-2.localhost of alex, 2 pods"], ["nobody"]]);
  expect(hit("stop node node-2.localhost")).toEqual([["node-2.localhost of alex, 2 pods"], []]);
  for (const line of ["get nodes -A", "start cluster alex", "add cluster alex", "delete", "version"]) {
    expect(hit(line), line).toBeUndefined();
  }
});

test("registries and ports are no nodes", () => {
  expect(hit("delete registry localhost:5000 10.0.0.7:5000")).toEqual([
    ["localhost:5000 http://127.0.0.1:5000"],
    ["10.0.0.7:5000"],
  ]);
  expect(hitBy("delete registry localhost:5000", objects)?.kind).toBe("registry");
  expect(hit("delete port alex 8080 5353/UDP 8080/udp")).toEqual([
    ["8080/tcp into alex, to port 30080", "5353/udp into alex, to port 30053"],
    ["8080/udp"],
  ]);
  expect(hit("delete port prod 8080")).toEqual([[], ["8080"]]);
  expect(count(2, "registry")).toBe("2 registries");
  expect(count(1, "registry")).toBe("1 registry");
});

test("an id's beginning names, a name's does not", () => {
  const of = { ...objects, clusters: [cluster("x", "d3d1bfdf-67c4-41fa-b065-858242731616")] };
  expect(hitBy("stop cluster d3d1bfdf", of)?.objects[0]?.name).toBe("x");
  expect(hitBy("stop node node", of)?.unknown).toEqual(["node"]);
});

test("the history has each line once, the latest last", () => {
  expect(added(["a", "b"], "a")).toEqual(["b", "a"]);
  expect(
    added(
      Array.from({ length: 300 }, (_, index) => String(index)),
      "x",
    ),
  ).toHaveLength(200);
});
