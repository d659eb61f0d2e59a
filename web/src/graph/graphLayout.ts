/**
 * Where everything is. Places are given once and kept: a node or pod that comes takes the first free place, one that
 * goes leaves a gap for the next, and no other moves for it. Places lie in an order in which more of them never move
 * the first ones: squares in shells, pods on a spiral. What grows beyond its room moves what is beside it, in steps.
 */

import type { GraphCluster, GraphModel, GraphNode, GraphPod, GraphService } from "./graphModel";

export const POD = 5;
const POD_SPACE = 7.4;
/** Places on the spiral that the node itself takes. */
const NODE_PLACES = 9;
const GAP = 22;
const TITLE = 40;
const SERVICE = 26;
const LABEL = 20;

export interface Point {
  readonly x: number;
  readonly y: number;
}

export interface Box extends Point {
  readonly width: number;
  readonly height: number;
}

export interface PlacedNode extends Point {
  readonly node: GraphNode;
  readonly radius: number;
  /** The pods, by their offsets from the node's centre. */
  readonly pods: readonly { readonly pod: GraphPod; readonly x: number; readonly y: number }[];
}

export interface PlacedCluster extends Box {
  readonly cluster: GraphCluster;
  readonly nodes: readonly PlacedNode[];
  readonly services: readonly (Point & { readonly service: GraphService })[];
}

export interface Layout extends Box {
  readonly host: string;
  readonly clusters: readonly PlacedCluster[];
}

/** Places of things by key: whoever has one keeps it. */
class Places {
  readonly #of = new Map<string, number>();

  /** The places of these; those of others become free. Nothing where all have theirs already. */
  give(keys: readonly string[]): ReadonlyMap<string, number> {
    const wanted = new Set(keys);
    for (const key of this.#of.keys()) if (!wanted.has(key)) this.#of.delete(key);
    if (this.#of.size === keys.length) return this.#of;
    const taken = new Set(this.#of.values());
    let next = 0;
    for (const key of keys) {
      if (this.#of.has(key)) continue;
      while (taken.has(next)) next += 1;
      taken.add(next);
      this.#of.set(key, next);
    }
    return this.#of;
  }
}

/** A place of a square that grows by shells: 0 is the corner, and no number moves when there are more. */
export function shell(place: number): { column: number; row: number } {
  const ring = Math.floor(Math.sqrt(place));
  const rest = place - ring * ring;
  return rest < ring ? { column: ring, row: rest } : { column: rest - ring, row: ring };
}

/** A place on a spiral with even room for each. */
export function spiral(place: number): Point {
  const turn = place * Math.PI * (3 - Math.sqrt(5));
  const distance = POD_SPACE * 1.35 * Math.sqrt(place + 0.5);
  return { x: Math.cos(turn) * distance, y: Math.sin(turn) * distance };
}

/** Room grows in steps, so that few comings and goings move anything. */
export function room(places: number): number {
  let size = 12;
  while (size < places) size *= 2;
  return size;
}

export class GraphLayout {
  readonly #clusters = new Places();
  readonly #nodes = new Map<string, Places>();
  readonly #services = new Map<string, Places>();
  readonly #pods = new Map<string, Places>();
  /** Where the pods of nodes are, as long as they are the same pods. */
  readonly #placed = new Map<string, { of: readonly GraphPod[]; pods: PlacedNode["pods"]; most: number }>();
  /** Room that was made and is kept, as long as what it is for is there. */
  readonly #rooms = new Map<string, number>();

  /** Where everything of a model is. */
  place(model: GraphModel): Layout {
    this.#forget(model);
    const clusters = model.clusters.map((cluster) => this.#cluster(cluster));
    const places = this.#clusters.give(model.clusters.map((cluster) => cluster.key));
    const cells = clusters.map((placed) => ({ placed, ...shell(places.get(placed.cluster.key) ?? 0) }));
    const lefts = starts(cells.map(({ column, placed }) => [column, placed.width]));
    const tops = starts(cells.map(({ row, placed }) => [row, placed.height]));
    const moved = cells.map(({ placed, column, row }) =>
      shift(placed, (lefts[column] ?? 0) + GAP, (tops[row] ?? 0) + TITLE),
    );
    const width = Math.max(320, ...moved.map((placed) => placed.x + placed.width)) + GAP;
    const height = Math.max(160, ...moved.map((placed) => placed.y + placed.height)) + GAP;
    return { x: 0, y: 0, width, height, host: model.host, clusters: moved };
  }

  /** A cluster with its corner at the origin. */
  #cluster(cluster: GraphCluster): PlacedCluster {
    const placed = cluster.nodes.map((node) => this.#node(node));
    const radius = Math.max(40, ...placed.map((node) => node.radius));
    const cell = radius * 2 + GAP;
    const places = entry(this.#nodes, cluster.key).give(cluster.nodes.map((node) => node.key));
    const services = entry(this.#services, cluster.key).give(cluster.services.map((service) => service.key));
    const columns = 1 + Math.max(0, ...Array.from(places.values(), (place) => shell(place).column));
    const rows = 1 + Math.max(0, ...Array.from(places.values(), (place) => shell(place).row));
    const width = Math.max(210, columns * cell + GAP);
    const perRow = Math.max(1, Math.floor((width - GAP) / SERVICE));
    const most = Math.max(-1, ...services.values());
    const top = TITLE + (most < 0 ? 0 : (Math.floor(most / perRow) + 1) * SERVICE);
    const nodes = placed.map((node): PlacedNode => {
      const { column, row } = shell(places.get(node.node.key) ?? 0);
      return { ...node, x: GAP / 2 + (column + 0.5) * cell, y: top + row * (cell + LABEL) + cell / 2 };
    });
    const height = top + rows * (cell + LABEL) + GAP / 2;
    const placedServices = cluster.services.map((service) => {
      const place = services.get(service.key) ?? 0;
      const x = GAP + ((place % perRow) + 0.3) * SERVICE;
      return { service, x, y: TITLE + (Math.floor(place / perRow) + 0.4) * SERVICE };
    });
    return { x: 0, y: 0, width, height, cluster, nodes, services: placedServices };
  }

  /** A node with its centre at the origin. */
  #node(node: GraphNode): PlacedNode {
    const { pods, most } = this.#podsOf(node);
    const size = Math.max(this.#rooms.get(node.key) ?? 0, room(most));
    this.#rooms.set(node.key, size);
    return { node, x: 0, y: 0, radius: POD_SPACE * 1.35 * Math.sqrt(size + NODE_PLACES) + POD, pods };
  }

  #podsOf(node: GraphNode): { pods: PlacedNode["pods"]; most: number } {
    const known = this.#placed.get(node.key);
    if (known?.of === node.pods) return known;
    const places = entry(this.#pods, node.key).give(node.pods.map((pod) => pod.key));
    let most = 0;
    const pods = node.pods.map((pod) => {
      const place = places.get(pod.key) ?? 0;
      most = Math.max(most, place + 1);
      return { pod, ...spiral(place + NODE_PLACES) };
    });
    const placed = { of: node.pods, pods, most };
    this.#placed.set(node.key, placed);
    return placed;
  }

  #forget(model: GraphModel): void {
    const clusters = new Set(model.clusters.map((cluster) => cluster.key));
    const nodes = new Set(model.clusters.flatMap((cluster) => cluster.nodes.map((node) => node.key)));
    for (const places of [this.#nodes, this.#services]) {
      for (const key of places.keys()) if (!clusters.has(key)) places.delete(key);
    }
    for (const kept of [this.#pods, this.#placed, this.#rooms]) {
      for (const key of kept.keys()) if (!nodes.has(key)) kept.delete(key);
    }
  }
}

function entry(places: Map<string, Places>, key: string): Places {
  const known = places.get(key) ?? new Places();
  places.set(key, known);
  return known;
}

/** Where columns (or rows) begin, by the widest of each. */
function starts(cells: readonly (readonly [number, number])[]): number[] {
  const widths: number[] = [];
  for (const [index, width] of cells) widths[index] = Math.max(widths[index] ?? 0, width);
  let at = 0;
  return Array.from(widths, (width) => {
    const start = at;
    // A gap where a cluster was keeps some room.
    at += (width ?? 200) + GAP;
    return start;
  });
}

function shift(placed: PlacedCluster, x: number, y: number): PlacedCluster {
  return {
    ...placed,
    x,
    y,
    nodes: placed.nodes.map((node) => ({ ...node, x: node.x + x, y: node.y + y })),
    services: placed.services.map((service) => ({ ...service, x: service.x + x, y: service.y + y })),
  };
}

/** What is at a point. */
export type Target =
  | { readonly kind: "cluster"; readonly key: string }
  | { readonly kind: "node"; readonly key: string; readonly cluster: string }
  | { readonly kind: "pod"; readonly key: string; readonly node: string; readonly cluster: string }
  | { readonly kind: "service"; readonly key: string; readonly cluster: string };

export function targetAt(layout: Layout, point: Point): Target | undefined {
  const isIn = (box: Box): boolean =>
    point.x >= box.x && point.x <= box.x + box.width && point.y >= box.y && point.y <= box.y + box.height;
  const placed = layout.clusters.find(isIn);
  if (!placed) return undefined;
  const cluster = placed.cluster.key;
  const service = placed.services.find(({ x, y }) => Math.hypot(x - point.x, y - point.y) <= 11);
  if (service) return { kind: "service", key: service.service.key, cluster };
  const node = placed.nodes.find(({ x, y, radius }) => Math.hypot(x - point.x, y - point.y) <= radius);
  if (!node) return { kind: "cluster", key: cluster };
  const near = node.pods.find(({ x, y }) => Math.hypot(node.x + x - point.x, node.y + y - point.y) <= POD_SPACE);
  if (near) return { kind: "pod", key: near.pod.key, node: node.node.key, cluster };
  return { kind: "node", key: node.node.key, cluster };
}

/** Between two layouts: what is in both is on its way, by `part` from 0 to 1. */
export function between(from: Layout, to: Layout, part: number): Layout {
  if (part >= 1) return to;
  const clusters = new Map(from.clusters.map((placed) => [placed.cluster.key, placed]));
  const mix = (left: number, right: number): number => left + (right - left) * part;
  return {
    ...to,
    width: mix(from.width, to.width),
    height: mix(from.height, to.height),
    clusters: to.clusters.map((placed) => {
      const before = clusters.get(placed.cluster.key);
      if (!before) return placed;
      const nodes = new Map(before.nodes.map((node) => [node.node.key, node]));
      const dx = mix(before.x, placed.x) - placed.x;
      const dy = mix(before.y, placed.y) - placed.y;
      return {
        ...placed,
        x: placed.x + dx,
        y: placed.y + dy,
        width: mix(before.width, placed.width),
        height: mix(before.height, placed.height),
        nodes: placed.nodes.map((node) => {
          const old = nodes.get(node.node.key);
          if (!old) return { ...node, x: node.x + dx, y: node.y + dy };
          return { ...node, x: mix(old.x, node.x), y: mix(old.y, node.y), radius: mix(old.radius, node.radius) };
        }),
        services: placed.services.map((service) => ({ ...service, x: service.x + dx, y: service.y + dy })),
      };
    }),
  };
}

/** Whether anything that is in both is elsewhere. */
export function isMoved(from: Layout, to: Layout): boolean {
  if (from.width !== to.width || from.height !== to.height) return true;
  const places = new Map<string, string>();
  const each = (layout: Layout, take: (key: string, place: string) => void): void => {
    for (const placed of layout.clusters) {
      take(placed.cluster.key, `${placed.x} ${placed.y} ${placed.width} ${placed.height}`);
      for (const node of placed.nodes) take(node.node.key, `${node.x} ${node.y} ${node.radius}`);
    }
  };
  each(from, (key, place) => places.set(key, place));
  let moved = false;
  each(to, (key, place) => {
    const before = places.get(key);
    if (before !== undefined && before !== place) moved = true;
  });
  return moved;
}
