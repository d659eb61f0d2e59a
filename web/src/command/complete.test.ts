import { describe, expect, test } from "vitest";
import { portOf } from "../mirror/ports";
import { complete, usage, type Known } from "./complete";

const known: Known = {
  clusters: ["alex", "prod"],
  nodes: ["control-1.localhost", "node-2.localhost"],
  pods: ["web-1"],
  services: ["kube-dns"],
  images: ["kindest/node:v1.37.2"],
  registries: ["localhost:5000"],
  ports: new Map([["alex", [portOf("8080:30080/tcp"), portOf("5353:30053/udp")]]]),
  commands: [{ id: "7d510d78-7444-4252-aeac-9e473949661e", line: "qbo add cluster x" }],
};
const words = (line: string, cursor = line.length): string[] =>
  complete(line, cursor, known).suggestions.map(({ text }) => text);

describe("completion", () => {
  test("begins with verbs, then the objects of the verb", () => {
    expect(words("")).toContain("add");
    expect(words("st")).toEqual(["start", "stop", "test"]);
    expect(words("stop ")).toEqual(["cluster", "node"]);
    expect(words("qbo del")).toEqual(["delete"]);
  });

  test("offers live objects, those not given yet, and options", () => {
    expect(words("delete cluster ")).toEqual(["alex", "prod", "-A"]);
    expect(words("delete cluster alex ")).toEqual(["prod", "-A"]);
    expect(words("stop node no")).toEqual(["node-2.localhost"]);
    expect(words("stop node 2.local")).toEqual(["node-2.localhost"]);
    expect(words("get pods ")).toEqual(["alex", "prod", "web-1", "-A", "-w"]);
    expect(words("cancel command ")).toEqual(["7d510d78"]);
  });

  test("offers registries and ports that are there, where one is to go", () => {
    expect(words("delete registry ")).toEqual(["localhost:5000"]);
    expect(words("add registry ")).toEqual(["--at"]);
    expect(words("add port ")).toEqual(["alex", "prod"]);
    expect(words("add port alex ")).toEqual([]);
    expect(words("delete port alex ")).toEqual(["8080/tcp", "5353/udp"]);
    expect(words("delete port alex 8080/tcp ")).toEqual(["5353/udp"]);
    expect(words("delete port prod ")).toEqual([]);
    expect(words("load image app:1 -c ")).toEqual(["alex", "prod"]);
  });

  test("offers values where an option waits for one", () => {
    expect(words("add cluster x -i ")).toEqual(["kindest/node:v1.37.2"]);
    expect(words("add cluster x --image kind")).toEqual(["kindest/node:v1.37.2"]);
    expect(words("add node x --")).toEqual(["--nodes", "--control-plane"]);
    expect(words("add cluster x --no")).toEqual(["--nodes"]);
    expect(words("add cluster x -n 3 -")).not.toContain("-n");
  });

  test("replaces the word the cursor is in", () => {
    expect(complete("stop no alex", 7, known)).toMatchObject({ start: 5, end: 7 });
    expect(words("stop no alex", 7)).toEqual(["node"]);
    expect(complete("get ", 4, known)).toMatchObject({ start: 4, end: 4 });
  });

  test("offers nothing behind what is no command", () => {
    expect(words("frobnicate ")).toEqual([]);
    expect(words("add frob x")).toEqual([]);
  });

  test("tells how a form is used", () => {
    expect(usage("add cluster a")).toContain("add cluster NAME…");
    expect(usage("stop")).toBe("stop cluster | node");
    expect(usage("x")).toBe("");
  });
});
