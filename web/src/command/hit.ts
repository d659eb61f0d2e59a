/** What a destructive command would hit, by name, before it is sent. */

import type { Cluster, Node, Pod, Registry } from "../api/message";
import { portOf } from "../mirror/ports";
import { parse } from "./words";

export interface Hit {
  /** What is done: `delete` or `stop`. */
  readonly verb: "delete" | "stop";
  readonly kind: "cluster" | "node" | "port" | "registry";
  /** What is hit, with what goes with it. */
  readonly objects: readonly { readonly name: string; readonly detail: string }[];
  /** Words that name nothing that is known here: the server decides. */
  readonly unknown: readonly string[];
}

export interface Objects {
  readonly clusters: Iterable<Cluster>;
  readonly nodes: Iterable<Node>;
  readonly pods: Iterable<Pod>;
  readonly registries: Iterable<Registry>;
}

const isIdPrefix = (text: string): boolean => /^[0-9a-f-]{8,}$/.test(text);

/** What a line would hit; nothing where it destroys and stops nothing. */
export function hitBy(text: string, objects: Objects): Hit | undefined {
  const { form, arguments: words, options } = parse(text);
  if (!form || (form.verb !== "delete" && form.verb !== "stop")) return undefined;
  const { verb } = form;
  const names = words.map((word) => word.text);
  const isAll = options.some(({ option }) => option.long === "all");
  const nodes = [...objects.nodes];
  if (form.subject.includes("cluster")) {
    const { picked, unknown } = pick([...objects.clusters], names, isAll);
    const detail = ({ id }: Cluster): string => count(nodes.filter((node) => node.cluster_id === id).length, "node");
    return { verb, kind: "cluster", objects: picked.map((row) => ({ name: row.name, detail: detail(row) })), unknown };
  }
  if (form.subject.includes("registry")) {
    const known = new Map(Array.from(objects.registries, (row) => [row.name, row]));
    const picked = [...new Set(names)].flatMap((name) => known.get(name) ?? []);
    const unknown = names.filter((name) => !known.has(name));
    return { verb, kind: "registry", objects: picked.map(({ name, address }) => ({ name, detail: address })), unknown };
  }
  if (form.subject.includes("port")) return ofPorts(verb, names, [...objects.clusters]);
  const pods = [...objects.pods];
  const { picked, unknown } = pick(nodes, names, isAll);
  const hit = picked.map((node) => {
    const on = pods.filter((pod) => pod.node === node.name && pod.cluster_id === node.cluster_id).length;
    return { name: node.name, detail: `of ${node.cluster}, ${count(on, "pod")}` };
  });
  return { verb, kind: "node", objects: hit, unknown };
}

/** The rows that are meant; of several of one id's beginning all, for who reads to see. And the names of none. */
function pick<Row extends { name: string; id: string }>(
  rows: readonly Row[],
  names: readonly string[],
  isAll: boolean,
): { picked: readonly Row[]; unknown: readonly string[] } {
  if (isAll) return { picked: rows, unknown: [] };
  const picked = new Set<Row>();
  const unknown: string[] = [];
  for (const name of names) {
    const found = rows.filter(
      (row) => row.name === name || row.name.split(".")[0] === name || (isIdPrefix(name) && row.id.startsWith(name)),
    );
    if (found.length === 0) unknown.push(name);
    for (const row of found) picked.add(row);
  }
  return { picked: [...picked], unknown };
}

/** A cluster, and after it the ports of the host that lead into it: `8080`, or with a protocol other than TCP `5353/udp`. */
function ofPorts(verb: Hit["verb"], [name = "", ...names]: readonly string[], clusters: readonly Cluster[]): Hit {
  const ports = (clusters.find((cluster) => cluster.name === name)?.ports ?? []).map(portOf);
  const hit = new Map<string, string>();
  const unknown: string[] = [];
  for (const text of names) {
    const found = ports.filter((port) => port.name === (text.includes("/") ? text.toLowerCase() : `${text}/tcp`));
    if (found.length === 0) unknown.push(text);
    for (const port of found) hit.set(port.name, `into ${name}, to port ${port.node}`);
  }
  return { verb, kind: "port", objects: Array.from(hit, ([name, detail]) => ({ name, detail })), unknown };
}

/** A number of things, as `1 registry` or `3 nodes`. */
export function count(number: number, what: string): string {
  const several = what.endsWith("y") ? `${what.slice(0, -1)}ies` : `${what}s`;
  return `${number.toLocaleString("en")} ${number === 1 ? what : several}`;
}
