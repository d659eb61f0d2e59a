/** The columns of every kind, for its own view and for panels. */

import type { Client, Cluster, Image, Network, Node, Pod, Registry, Service } from "../api/message";
import type { Tracked, TrackedKind } from "../mirror/mirror";
import type { Entry } from "../mirror/journal";
import { portOf, type Port } from "../mirror/ports";
import type { Column } from "../table/column";
import type { Order } from "../table/listing";
import type { Used } from "../mirror/usage";
import { at, print } from "../state/place";
import { session } from "../state/session.svelte";
import { bytes, cores } from "../ui/quantity";
import { lookOf, lookOfPod, toneOfCode, type Look } from "../ui/state";

/** The beginning of an id, which commands take too. */
export const short = (id: string): string => id.slice(0, 8);

const clock = new Intl.DateTimeFormat("en-GB", { dateStyle: "short", timeStyle: "medium" });

/** A time of the day with milliseconds, as people compare them. */
function time(timestamp: string): string {
  const date = new Date(timestamp);
  const text = date.toLocaleTimeString("en-GB", { hour12: false });
  return `${text}.${String(date.getMilliseconds()).padStart(3, "0")}`;
}

const port = (number: number): string => (number === 0 ? "" : String(number));

/** The ports of the host that lead into a cluster, each as commands name it. */
const portsOf = (cluster: Cluster): string => (cluster.ports ?? []).map((text) => portOf(text).name).join(" ");

/** What objects use of something, by what was measured of it. */
function used(key: keyof Used, title: string, write: (value: number) => string): Column<Node | Pod> {
  const series = ({ id }: Node | Pod) => session.used(id)?.[key];
  return {
    key,
    title,
    text: (row) => {
      const samples = series(row);
      return samples ? write(samples.latest) : "";
    },
    order: (row) => series(row)?.latest ?? -1,
    width: 7.5,
    share: 0.6,
    rank: 2,
    measured: { series, beat: () => session.beat("usage"), watch: session.watchUsage },
  };
}
const USED = [used("cpu", "CPU", cores), used("memory", "Memory", bytes)] as const;

/** How many nodes of a cluster are ready, of how many. */
function nodesOf({ id }: Cluster): string {
  const nodes = [...session.rows("nodes").values()].filter((node) => node.cluster_id === id);
  return `${nodes.filter((node) => node.state === "ready").length}/${nodes.length}`;
}

const clusters: readonly Column<Cluster>[] = [
  {
    key: "name",
    title: "Name",
    text: (row) => row.name,
    link: (row) => print(at("clusters", { name: row.name })),
    width: 11,
    share: 2,
    rank: 0,
  },
  { key: "state", title: "State", text: (row) => row.state, width: 7.5, share: 1, rank: 0, look: "state" },
  { key: "nodes", title: "Nodes", text: nodesOf, width: 5, share: 0, rank: 1, look: "number" },
  { key: "address", title: "API server", text: (row) => row.address, width: 13, share: 2, rank: 2, look: "code" },
  { key: "control", title: "Control plane", text: (row) => row.control_plane, width: 14, share: 2, rank: 3 },
  { key: "ports", title: "Ports", text: portsOf, width: 10, share: 1, rank: 4, look: "code" },
  { key: "id", title: "Id", text: (row) => short(row.id), width: 6, share: 0, rank: 5, look: "code" },
  { key: "user", title: "User", text: (row) => row.user, width: 10, share: 1, rank: 6 },
];

const nodes: readonly Column<Node>[] = [
  { key: "name", title: "Name", text: (row) => row.name, width: 13, share: 2, rank: 0 },
  { key: "state", title: "State", text: (row) => row.state, width: 7.5, share: 1, rank: 0, look: "state" },
  { key: "cluster", title: "Cluster", text: (row) => row.cluster, width: 8, share: 1, rank: 1 },
  ...USED,
  { key: "address", title: "Address", text: (row) => row.address, width: 8, share: 0.6, rank: 3, look: "code" },
  { key: "id", title: "Id", text: (row) => short(row.id), width: 6, share: 0, rank: 4, look: "code" },
  { key: "image", title: "Image", text: (row) => row.image, width: 13, share: 1.4, rank: 3 },
  { key: "os", title: "System", text: (row) => row.os, width: 15, share: 1, rank: 5 },
  { key: "kernel", title: "Kernel", text: (row) => row.kernel, width: 10, share: 1, rank: 6 },
  { key: "user", title: "User", text: (row) => row.user, width: 10, share: 1, rank: 7 },
];

const pods: readonly Column<Pod>[] = [
  { key: "name", title: "Name", text: (row) => row.name, width: 15, share: 2.4, rank: 0 },
  { key: "status", title: "Status", text: (row) => row.status, width: 9, share: 1, rank: 0, look: "state" },
  {
    key: "ready",
    title: "Ready",
    text: (row) => `${row.ready}/${row.started}`,
    order: (row) => row.ready,
    width: 5.5,
    share: 0,
    rank: 1,
    look: "number",
  },
  { key: "namespace", title: "Namespace", text: (row) => row.namespace, width: 8, share: 1, rank: 1 },
  { key: "cluster", title: "Cluster", text: (row) => row.cluster, width: 7, share: 1, rank: 2 },
  ...USED,
  { key: "node", title: "Node", text: (row) => row.node, width: 13, share: 2.2, rank: 4 },
  { key: "address", title: "Address", text: (row) => row.address, width: 8, share: 0.6, rank: 5, look: "code" },
  { key: "id", title: "Id", text: (row) => short(row.id), width: 6, share: 0, rank: 6, look: "code" },
];

const services: readonly Column<Service>[] = [
  { key: "name", title: "Name", text: (row) => row.name, width: 12, share: 2, rank: 0 },
  { key: "type", title: "Type", text: (row) => row.type, width: 7, share: 1, rank: 0 },
  {
    key: "port",
    title: "Port",
    text: (row) => (row.port_number === 0 ? "" : `${row.port_number}/${row.protocol}`),
    order: (row) => row.port_number,
    width: 6,
    share: 0.6,
    rank: 1,
    look: "code",
  },
  { key: "portname", title: "Port name", text: (row) => row.port_name, width: 7, share: 1, rank: 4 },
  {
    key: "target",
    title: "Target",
    text: (row) => port(row.target_port),
    order: (row) => row.target_port,
    width: 5,
    share: 0,
    rank: 5,
    look: "number",
  },
  {
    key: "nodeport",
    title: "Node port",
    text: (row) => port(row.node_port),
    order: (row) => row.node_port,
    width: 7,
    share: 0,
    rank: 4,
    look: "number",
  },
  { key: "namespace", title: "Namespace", text: (row) => row.namespace, width: 8, share: 1, rank: 1 },
  { key: "address", title: "Address", text: (row) => row.address, width: 8, share: 1, rank: 2, look: "code" },
  {
    key: "external",
    title: "External",
    text: (row) => row.external_address,
    width: 8,
    share: 1,
    rank: 3,
    look: "code",
  },
  { key: "cluster", title: "Cluster", text: (row) => row.cluster, width: 7, share: 1, rank: 1 },
  { key: "id", title: "Id", text: (row) => short(row.id), width: 6, share: 0, rank: 6, look: "code" },
];

const networks: readonly Column<Network>[] = [
  { key: "name", title: "Name", text: (row) => row.name, width: 10, share: 2, rank: 0 },
  { key: "state", title: "State", text: (row) => row.state, width: 7, share: 1, rank: 0, look: "state" },
  { key: "subnet", title: "Subnet", text: (row) => row.subnet, width: 10, share: 1, rank: 1, look: "code" },
  { key: "id", title: "Id", text: (row) => short(row.id), width: 6, share: 0, rank: 2, look: "code" },
  { key: "user", title: "User", text: (row) => row.user, width: 10, share: 1, rank: 3 },
];

const images: readonly Column<Image>[] = [
  { key: "name", title: "Name", text: (row) => row.name, width: 16, share: 3, rank: 0 },
  { key: "tag", title: "Version", text: (row) => row.tag, width: 6, share: 1, rank: 0 },
  {
    key: "local",
    title: "Here",
    text: (row) => (row.local ? "on this host" : "in the registry"),
    width: 8,
    share: 1,
    rank: 1,
  },
  { key: "registry", title: "Registry", text: (row) => row.registry, width: 10, share: 1, rank: 2 },
];

const registries: readonly Column<Registry>[] = [
  { key: "name", title: "Name", text: (row) => row.name, width: 12, share: 2, rank: 0 },
  { key: "address", title: "Found at", text: (row) => row.address, width: 14, share: 2, rank: 1, look: "code" },
  {
    key: "way",
    title: "Reached",
    text: (row) => (row.host ? "through this host" : "directly"),
    width: 9,
    share: 1,
    rank: 2,
  },
  { key: "user", title: "User", text: (row) => row.user, width: 10, share: 1, rank: 3 },
];

const clients: readonly Column<Client>[] = [
  { key: "agent", title: "Agent", text: (row) => row.agent, width: 12, share: 2, rank: 0 },
  { key: "address", title: "Address", text: (row) => row.address, width: 10, share: 1, rank: 0, look: "code" },
  { key: "command", title: "Latest command", text: (row) => row.command, width: 12, share: 2, rank: 1 },
  { key: "user", title: "User", text: (row) => row.user, width: 10, share: 1, rank: 2 },
  {
    key: "since",
    title: "Since",
    text: (row) => clock.format(row.timestamp * 1000),
    order: (row) => row.timestamp,
    width: 11,
    share: 0.5,
    rank: 3,
  },
  { key: "mirror", title: "Mirror", text: (row) => short(row.mirror), width: 6, share: 0, rank: 4, look: "code" },
  { key: "id", title: "Id", text: (row) => short(row.wsi), width: 6, share: 0, rank: 5, look: "code" },
];

export const COLUMNS: { readonly [Kind in TrackedKind]: readonly Column<Tracked[Kind]>[] } = {
  clusters,
  nodes,
  pods,
  services,
  networks,
  images,
  registries,
  clients,
};

export const TITLES: { readonly [Kind in TrackedKind]: (row: Tracked[Kind]) => string } = {
  clusters: (row) => row.name,
  nodes: (row) => row.name,
  pods: (row) => row.name,
  services: (row) => (row.port_number === 0 ? row.name : `${row.name}:${row.port_number}`),
  networks: (row) => row.name,
  images: (row) => row.name,
  registries: (row) => row.name,
  clients: (row) => row.agent,
};

export const LOOKS: { readonly [Kind in TrackedKind]?: (row: Tracked[Kind]) => Look } = {
  clusters: (row) => lookOf(row.state),
  nodes: (row) => lookOf(row.state),
  pods: lookOfPod,
  networks: (row) => lookOf(row.state),
};

export const ORDERS: { readonly [Kind in TrackedKind]: Order } = {
  clusters: { column: "name", descending: false },
  nodes: { column: "name", descending: false },
  pods: { column: "name", descending: false },
  services: { column: "name", descending: false },
  networks: { column: "name", descending: false },
  images: { column: "tag", descending: true },
  registries: { column: "name", descending: false },
  clients: { column: "since", descending: true },
};

export const PORT_COLUMNS: readonly Column<Port>[] = [
  {
    key: "host",
    title: "Port of the host",
    text: (row) => row.name,
    order: (row) => row.host,
    width: 9,
    share: 1,
    rank: 0,
  },
  {
    key: "node",
    title: "Port of the node",
    text: (row) => String(row.node),
    order: (row) => row.node,
    width: 9,
    share: 1,
    rank: 0,
  },
  {
    key: "listen",
    title: "Listens at",
    text: (row) => (row.listen === "" ? "all addresses" : row.listen),
    width: 9,
    share: 2,
    rank: 1,
  },
];

export const MESSAGE_COLUMNS: readonly Column<Entry>[] = [
  {
    key: "time",
    title: "Time",
    text: (row) => time(row.message.timestamp),
    order: (row) => row.number,
    width: 7.5,
    share: 0,
    rank: 0,
    look: "code",
  },
  { key: "way", title: "Way", text: (row) => (row.direction === "in" ? "↑" : "↓"), width: 4.4, share: 0, rank: 0 },
  {
    key: "code",
    title: "Code",
    text: (row) => String(row.message.code),
    order: (row) => row.message.code,
    width: 5,
    share: 0,
    rank: 0,
    tone: (row) => toneOfCode(row.message.code),
  },
  { key: "message", title: "Message", text: (row) => row.summary, width: 14, share: 3, rank: 0 },
  { key: "line", title: "Command line", text: (row) => row.message.command_line, width: 13, share: 2, rank: 1 },
  { key: "id", title: "Id", text: (row) => idOf(row), width: 6, share: 0, rank: 2, look: "code" },
  { key: "status", title: "Status", text: (row) => row.message.status, width: 7, share: 0.4, rank: 3 },
  { key: "user", title: "User", text: (row) => row.message.user, width: 9, share: 0.6, rank: 4 },
  { key: "host", title: "Host", text: (row) => row.message.host, width: 8, share: 0.6, rank: 4 },
];

/** Changes are of no command. */
function idOf(entry: Entry): string {
  return entry.message.command_line === "" ? "" : short(entry.message.command_id);
}
