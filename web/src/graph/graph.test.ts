import { describe, expect, test } from "vitest";
import type { Node, Pod } from "$contract/qbo";
import { cluster, node, pod } from "../mirror/sample";
import { between, GraphLayout, isMoved, shell, spiral, targetAt, type Layout } from "./graphLayout";
import { describe as told, graphModel, type GraphModel } from "./graphModel";
import { Table } from "../mirror/table";
import { PodGroups } from "./podGroups";
import { tell, walk } from "./walk";

const tableOf = (pods: readonly Pod[]): Table<Pod> => {
  const table = new Table<Pod>((row) => `${row.cluster_id}/${row.id}`);
  table.apply("snapshot", pods, 1);
  return table;
};
const grouped = (pods: readonly Pod[]): PodGroups => {
  const groups = new PodGroups();
  groups.update(tableOf(pods));
  return groups;
};

const model = (nodes: readonly Node[], pods: readonly Pod[] = []): GraphModel =>
  graphModel({ host: "cloud", clusters: [cluster("alex")], nodes, pods: grouped(pods), services: [], steps: [] });

const spot = (x: number, y: number): string => `${x.toFixed(3)} ${y.toFixed(3)}`;

const spots = (layout: Layout): Map<string, string> =>
  new Map(
    layout.clusters.flatMap((placed) =>
      placed.nodes.flatMap((one) => [
        [one.node.key, spot(one.x, one.y)] as const,
        ...one.pods.map(({ pod, x, y }) => [pod.key, spot(one.x + x, one.y + y)] as const),
      ]),
    ),
  );

describe("the model", () => {
  test("has pods on their nodes, those on none apart, and steps where they are", () => {
    const steps = [
      { message: "", object: "alex", node: "", step: "network", state: "done", elapsed: 1, duration: 1 },
      {
        message: "",
        object: "alex",
        node: "node-2.localhost",
        step: "ready",
        state: "started",
        elapsed: 2,
        duration: 0,
      },
    ] as const;
    const made = graphModel({
      host: "cloud",
      clusters: [cluster("alex")],
      nodes: [node("node-2"), node("control-1")],
      pods: grouped([pod("a", "node-2"), pod("b", "")]),
      services: [],
      steps,
    });
    const [alex] = made.clusters;
    expect(alex?.nodes.map(({ short, role, pods, step }) => [short, role, pods.length, step])).toEqual([
      ["control-1", "control", 0, ""],
      ["node-2", "worker", 1, "ready"],
      ["on no node", "waiting", 1, ""],
    ]);
    expect(alex?.progress).toEqual({ done: 1, begun: 2, step: "ready" });
    expect(told(made)).toBe("Host cloud: 1 clusters, 3 nodes, 2 pods");
  });
});

test("groups of pods are kept up, and are the same where nothing changed", () => {
  const table = tableOf([pod("a", "n"), pod("b", "n"), pod("c", "m"), pod("d", "")]);
  const groups = new PodGroups();
  const names = (node: string): string =>
    groups
      .of("c1", node && `${node}.localhost`)
      .map(({ name }) => name)
      .join("");
  groups.update(table);
  expect([names("n"), names("m"), names("")]).toEqual(["ab", "c", "d"]);
  const before = groups.of("c1", "n.localhost");
  table.apply("put", [pod("d", "m")], 2);
  table.apply("delete", [pod("c", "m")], 3);
  groups.update(table);
  expect([names("n"), names("m"), names("")]).toEqual(["ab", "d", ""]);
  expect(groups.of("c1", "n.localhost")).toBe(before);
  table.apply("put", [pod("a", "n", "Pending")], 4);
  groups.update(table);
  expect(groups.of("c1", "n.localhost").find(({ name }) => name === "a")?.look.shape).toBe("half");
  expect(groups.elsewhere("c1", new Set(["n.localhost"])).map(({ name }) => name)).toEqual(["d"]);
  table.apply("snapshot", [], 5);
  groups.update(table);
  expect(names("n")).toBe("");
});

test("a service leads to the pods of its namespace that bear all its labels", () => {
  const labelled = (name: string, labels: string[], namespace = "default"): Pod => ({
    ...pod(name, "n"),
    labels,
    namespace,
  });
  const table = tableOf([
    labelled("a", ["app=web", "tier=front"]),
    labelled("b", ["app=web"]),
    labelled("c", ["app=web", "tier=front"], "other"),
    pod("d", "n"),
  ]);
  const groups = new PodGroups();
  groups.update(table);
  const led = (...selector: string[]): string[] => [...groups.selected("c1", "default", selector)].sort();
  expect(led("app=web")).toEqual(["c1/id-a", "c1/id-b"]);
  expect(led("app=web", "tier=front")).toEqual(["c1/id-a"]);
  expect([led(), led("app=db"), led("app=web", "app=db")]).toEqual([[], [], []]);
  table.apply("put", [labelled("a", ["app=db"])], 2);
  table.apply("delete", [labelled("b", [])], 3);
  groups.update(table);
  expect([led("app=web"), led("app=db")]).toEqual([[], ["c1/id-a"]]);
});

describe("the layout", () => {
  test("no place lies on another", () => {
    const cells = Array.from({ length: 100 }, (_, place) => JSON.stringify(shell(place)));
    expect(new Set(cells).size).toBe(100);
    const points = Array.from({ length: 300 }, (_, place) => spiral(place));
    const distances = points.flatMap((one, index) =>
      points.slice(index + 1).map((other) => Math.hypot(one.x - other.x, one.y - other.y)),
    );
    expect(distances.filter((distance) => distance <= 10)).toEqual([]);
  });

  test("what stays keeps its place while others come and go", () => {
    const layouts = new GraphLayout();
    const names = ["control-1", "node-2", "node-3"];
    const pods = Array.from({ length: 8 }, (_, index) => pod(`p${index}`, "node-2"));
    const before = spots(
      layouts.place(
        model(
          names.map((name) => node(name)),
          pods,
        ),
      ),
    );
    const fewer = [pods[0], pods[3], pods[7]].filter((one) => one !== undefined);
    const after = spots(layouts.place(model([node("control-1"), node("node-2")], [...fewer, pod("new", "node-2")])));
    for (const [key, spot] of after) {
      if (before.has(key)) expect(spot, key).toBe(before.get(key));
    }
    expect(after.size).toBe(6);
    // One that comes takes a place that became free.
    expect([...before.values()]).toContain(after.get("c1/id-new"));
    const grown = spots(
      layouts.place(
        model(
          [...names, "node-4", "node-5", "node-6"].map((name) => node(name)),
          fewer,
        ),
      ),
    );
    for (const [key, spot] of after) if (grown.has(key)) expect(grown.get(key), key).toBe(spot);
  });

  test("everything is within its cluster, and every pod within its node", () => {
    const nodes = Array.from({ length: 7 }, (_, index) => node(`node-${index}`));
    const pods = Array.from({ length: 400 }, (_, index) => pod(`p${index}`, `node-${index % 7}`));
    const layout = new GraphLayout().place(model(nodes, pods));
    for (const placed of layout.clusters) {
      for (const one of placed.nodes) {
        expect(one.x - one.radius).toBeGreaterThanOrEqual(placed.x);
        expect(one.x + one.radius).toBeLessThanOrEqual(placed.x + placed.width);
        expect(one.y + one.radius).toBeLessThanOrEqual(placed.y + placed.height);
        for (const { x, y } of one.pods) expect(Math.hypot(x, y)).toBeLessThan(one.radius);
      }
    }
  });

  test("what is moved is on its way between", () => {
    const layouts = new GraphLayout();
    const from = layouts.place(model([node("a")], [pod("p", "a")]));
    const same = layouts.place(model([node("a", "not_ready")], [pod("p", "a")]));
    expect(isMoved(from, same)).toBe(false);
    const many = Array.from({ length: 60 }, (_, index) => pod(`q${index}`, "a"));
    const to = layouts.place(model([node("a")], many));
    expect(isMoved(from, to)).toBe(true);
    const [start, end] = [from.clusters[0]?.nodes[0]?.radius ?? 0, to.clusters[0]?.nodes[0]?.radius ?? 0];
    expect(between(from, to, 0.5).clusters[0]?.nodes[0]?.radius).toBeCloseTo((start + end) / 2);
    expect(between(from, to, 1)).toBe(to);
  });

  test("finds what is at a point", () => {
    const layout = new GraphLayout().place(model([node("a")], [pod("p", "a")]));
    const [placed] = layout.clusters;
    const one = placed?.nodes[0];
    const spot = one?.pods[0];
    if (!placed || !one || !spot) throw new Error("nothing is placed");
    expect(targetAt(layout, { x: one.x + spot.x, y: one.y + spot.y })).toMatchObject({ kind: "pod", key: "c1/id-p" });
    expect(targetAt(layout, { x: one.x, y: one.y })).toMatchObject({ kind: "node", key: "id-a" });
    expect(targetAt(layout, { x: placed.x + 3, y: placed.y + 3 })).toEqual({ kind: "cluster", key: "c1" });
    expect(targetAt(layout, { x: -5, y: -5 })).toBeUndefined();
  });

  test("five thousand pods are placed in the time of a few sorts of their names", () => {
    const nodes = Array.from({ length: 50 }, (_, index) => node(`node-${index}`));
    const pods = Array.from({ length: 5_000 }, (_, index) => pod(`p${index}`, `node-${index % 50}`));
    const layouts = new GraphLayout();
    // Of the processor: on a machine that does other things too, the clock tells of those.
    const cost = (work: () => void): number => {
      const start = process.cpuUsage();
      for (let round = 0; round < 10; round += 1) work();
      const { user, system } = process.cpuUsage(start);
      return user + system;
    };
    const sort = (): unknown => pods.map((_, index) => `pod-${Math.imul(index, 2654435761)}`).sort();
    const place = (): unknown => layouts.place(model(nodes, pods));
    // What else this process does counts in, as compiling them for the first time, but not every time.
    const ratios = Array.from({ length: 3 }, () => cost(place) / cost(sort));
    expect(Math.min(...ratios)).toBeLessThan(15);
  });
});

test("keys lead in, along and out, and each is told in words", () => {
  const made = model([node("control-1"), node("node-2")], [pod("p", "node-2")]);
  let target = walk(made, undefined, "in");
  expect(target).toEqual({ kind: "cluster", key: "c1" });
  target = walk(made, target, "in");
  expect(target && tell(made, target)?.detail).toBe("control plane of alex, ready, 0 pods");
  target = walk(made, target, "next");
  target = walk(made, target, "in");
  expect(target && tell(made, target)).toEqual({ title: "p", detail: "pod on node-2 of alex, Running" });
  target = walk(made, target, "out");
  expect(target).toMatchObject({ kind: "node", key: "id-node-2" });
  expect(tell(made, { kind: "node", key: "gone", cluster: "c1" })).toBeUndefined();
});
