import { describe, expect, test } from "vitest";
import { Mirror } from "./mirror";
import { changed, message, node } from "./sample";

const echo = message({ input: [{ message: "qbo get nodes -A" }] }, { code: 202, status: "Accepted" });
const end = message(
  { output: [{ message: "terminated" }] },
  { code: 200, command: "CMD_DONE", subcommand: "SUBCMD_DONE" },
);
const names = (mirror: Mirror): string[] => Array.from(mirror.tables.nodes.rows.values(), (row) => row.name).sort();

describe("a mirror", () => {
  test("is filled by its own list, in parts, and goes on with changes", () => {
    const mirror = new Mirror();
    expect(mirror.freshness("nodes")).toEqual({ state: "loading" });
    mirror.take(echo, true);
    mirror.take(message({ nodes: [node("a")] }, { sequence: 10 }), true);
    mirror.take(message({ nodes: [node("b")] }, { sequence: 10 }), true);
    expect(mirror.take(end, true)).toEqual(["nodes"]);
    expect(mirror.freshness("nodes")).toEqual({ state: "live" });
    expect(mirror.take(changed({ nodes: [node("c")] }, "put", 11), false)).toEqual(["nodes"]);
    mirror.take(changed({ nodes: [node("a")] }, "delete", 12), false);
    expect(names(mirror)).toEqual(["b.localhost", "c.localhost"]);
  });

  test("has no row left that went while it was away", () => {
    const mirror = new Mirror();
    mirror.take(changed({ nodes: [node("a"), node("b")] }, "snapshot", 10), false);
    mirror.lost();
    expect(mirror.freshness("nodes")).toEqual({ state: "stale" });
    // A change comes before the list does: it counts, and the list leaves only what is.
    mirror.take(changed({ nodes: [node("c")] }, "put", 20), false);
    mirror.take(echo, true);
    mirror.take(message({ nodes: [node("b"), node("c")] }, { sequence: 20 }), true);
    mirror.take(end, true);
    expect(names(mirror)).toEqual(["b.localhost", "c.localhost"]);
    expect(mirror.freshness("nodes")).toEqual({ state: "live" });
  });

  test("what somebody else listed replaces nothing", () => {
    const mirror = new Mirror();
    mirror.take(changed({ nodes: [node("a"), node("b")] }, "snapshot", 10), false);
    mirror.take({ ...echo, command_id: "other" }, false);
    expect(mirror.take(message({ nodes: [node("a")] }, { sequence: 10, command_id: "other" }), false)).toEqual([]);
    expect(names(mirror)).toEqual(["a.localhost", "b.localhost"]);
  });

  test("an empty list empties", () => {
    const mirror = new Mirror();
    mirror.take(changed({ nodes: [node("a")] }, "snapshot", 10), false);
    mirror.take(echo, true);
    mirror.take(message({ nodes: [] }, { sequence: 11 }), true);
    mirror.take(end, true);
    expect(names(mirror)).toEqual([]);
  });

  test("tells why there is no list", () => {
    const mirror = new Mirror();
    mirror.take(echo, true);
    const failure = { message: "Docker is away; start it", problem: "Docker is away", cure: "start it" };
    mirror.take(message({ output: [failure] }, { code: 503, status: "Service Unavailable" }), true);
    expect(mirror.freshness("nodes")).toEqual({ state: "failed", problem: "Docker is away", cure: "start it" });
  });
});
