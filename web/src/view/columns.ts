/** The columns of every kind, for its own view and for panels. */

import type { Client, Cluster, Image, Network, Node, Pod, Registry, Service } from "../api/message";
import type { Entry } from "../mirror/journal";
import { portOf, type Port } from "../mirror/ports";
import type { Used } from "../mirror/usage";
import { at, print } from "../state/place";
import { session } from "../state/session.svelte";
import type { Column } from "../table/column";
import { bytes, cores } from "../ui/quantity";
import { toneOfCode } from "../ui/state";

/** The least room of a column, in `rem`; its share of what is left; and its rank: columns with the greatest go first. */
type Room = readonly [width: number, share: number, rank: number];

/** What else columns may have. */
type Rest<Row> = Pick<Column<Row>, "look" | "order" | "tone" | "link" | "measured">;

/** A column of what is made of rows. */
function made<Row>(
  key: string,
  title: string,
  text: (row: Row) => string,
  [width, share, rank]: Room,
  rest: Rest<Row> = {},
): Column<Row> {
  return { key, title, text, width, share, rank, ...rest };
}

/** A column of a field as it is. */
function field<Key extends string>(
  key: Key,
  title: string,
  room: Room,
  look?: "code" | "state",
): Column<Readonly<Record<Key, string>>> {
  return made(key, title, (row) => row[key], room, look && { look });
}

/** A column of ids, of which the beginning is shown, which commands take too. */
function id<Row>(of: (row: Row) => string, rank: number, key = "id", title = "Id"): Column<Row> {
  return made(key, title, (row) => of(row).slice(0, 8), [6, 0, rank], { look: "code" });
}

/** A column of numbers, of which 0 is none. */
function number<Row>(key: string, title: string, of: (row: Row) => number, room: Room): Column<Row> {
  return made(key, title, (row) => (of(row) === 0 ? "" : String(of(row))), room, { look: "number", order: of });
}

/** A column of what objects use of something, by what was measured of it. */
function used(key: keyof Used, title: string, write: (value: number) => string): Column<Node | Pod> {
  const series = ({ id }: Node | Pod) => session.used(id)?.[key];
  const text = (row: Node | Pod): string => {
    const samples = series(row);
    return samples ? write(samples.latest) : "";
  };
  return made(key, title, text, [7.5, 0.6, 2], {
    order: (row) => series(row)?.latest ?? -1,
    measured: { series, beat: () => session.beat("usage"), watch: session.watchUsage },
  });
}
const USED = [used("cpu", "CPU", cores), used("memory", "Memory", bytes)] as const;

/** How many nodes of a cluster are ready, of how many. */
function nodesOf({ id }: Cluster): string {
  const nodes = [...session.rows("nodes").values()].filter((node) => node.cluster_id === id);
  return `${nodes.filter((node) => node.state === "ready").length}/${nodes.length}`;
}

/** The ports of the host that lead into a cluster, each as commands name it. */
const portsOf = (cluster: Cluster): string => (cluster.ports ?? []).map((text) => portOf(text).name).join(" ");

export const CLUSTERS: readonly Column<Cluster>[] = [
  made("name", "Name", (row) => row.name, [11, 2, 0], { link: ({ name }) => print(at("clusters", { name })) }),
  field("state", "State", [7.5, 1, 0], "state"),
  made("nodes", "Nodes", nodesOf, [5, 0, 1], { look: "number" }),
  field("address", "API server", [13, 2, 2], "code"),
  field("control_plane", "Control plane", [14, 2, 3]),
  made("ports", "Ports", portsOf, [10, 1, 4], { look: "code" }),
  id((row) => row.id, 5),
  field("user", "User", [10, 1, 6]),
];

export const NODES: readonly Column<Node>[] = [
  field("name", "Name", [13, 2, 0]),
  field("state", "State", [7.5, 1, 0], "state"),
  field("cluster", "Cluster", [8, 1, 1]),
  ...USED,
  field("address", "Address", [8, 0.6, 3], "code"),
  id((row) => row.id, 4),
  field("image", "Image", [13, 1.4, 3]),
  field("os", "System", [15, 1, 5]),
  field("kernel", "Kernel", [10, 1, 6]),
  field("user", "User", [10, 1, 7]),
];

export const PODS: readonly Column<Pod>[] = [
  field("name", "Name", [15, 2.4, 0]),
  field("status", "Status", [9, 1, 0], "state"),
  made("ready", "Ready", (row) => `${row.ready}/${row.started}`, [5.5, 0, 1], {
    look: "number",
    order: (row) => row.ready,
  }),
  field("namespace", "Namespace", [8, 1, 1]),
  field("cluster", "Cluster", [7, 1, 2]),
  ...USED,
  field("node", "Node", [13, 2.2, 4]),
  field("address", "Address", [8, 0.6, 5], "code"),
  id((row) => row.id, 6),
];

export const SERVICES: readonly Column<Service>[] = [
  field("name", "Name", [12, 2, 0]),
  field("type", "Type", [7, 1, 0]),
  made("port", "Port", (row) => (row.port_number === 0 ? "" : `${row.port_number}/${row.protocol}`), [6, 0.6, 1], {
    look: "code",
    order: (row) => row.port_number,
  }),
  field("port_name", "Port name", [7, 1, 4]),
  number("target", "Target", (row) => row.target_port, [5, 0, 5]),
  number("nodeport", "Node port", (row) => row.node_port, [7, 0, 4]),
  field("namespace", "Namespace", [8, 1, 1]),
  field("address", "Address", [8, 1, 2], "code"),
  field("external_address", "External", [8, 1, 3], "code"),
  field("cluster", "Cluster", [7, 1, 1]),
  id((row) => row.id, 6),
];

export const NETWORKS: readonly Column<Network>[] = [
  field("name", "Name", [10, 2, 0]),
  field("state", "State", [7, 1, 0], "state"),
  field("subnet", "Subnet", [10, 1, 1], "code"),
  id((row) => row.id, 2),
  field("user", "User", [10, 1, 3]),
];

export const IMAGES: readonly Column<Image>[] = [
  field("name", "Name", [16, 3, 0]),
  field("tag", "Version", [6, 1, 0]),
  made("local", "Here", (row) => (row.local ? "on this host" : "in the registry"), [8, 1, 1]),
  field("registry", "Registry", [10, 1, 2]),
];

export const REGISTRIES: readonly Column<Registry>[] = [
  field("name", "Name", [12, 2, 0]),
  field("address", "Found at", [14, 2, 1], "code"),
  made("way", "Reached", (row) => (row.host ? "through this host" : "directly"), [9, 1, 2]),
  field("user", "User", [10, 1, 3]),
];

const clock = new Intl.DateTimeFormat("en-GB", { dateStyle: "short", timeStyle: "medium" });

export const CLIENTS: readonly Column<Client>[] = [
  field("agent", "Agent", [12, 2, 0]),
  field("address", "Address", [10, 1, 0], "code"),
  field("command", "Latest command", [12, 2, 1]),
  field("user", "User", [10, 1, 2]),
  made("since", "Since", (row) => clock.format(row.timestamp * 1000), [11, 0.5, 3], { order: (row) => row.timestamp }),
  id((row) => row.mirror, 4, "mirror", "Mirror"),
  id((row) => row.wsi, 5),
];

export const PORTS: readonly Column<Port>[] = [
  made("host", "Port of the host", (row) => row.name, [9, 1, 0], { order: (row) => row.host }),
  made("node", "Port of the node", (row) => String(row.node), [9, 1, 0], { order: (row) => row.node }),
  made("listen", "Listens at", (row) => (row.listen === "" ? "all addresses" : row.listen), [9, 2, 1]),
];

/** A time of the day with milliseconds, as people compare them. */
function time(timestamp: string): string {
  const date = new Date(timestamp);
  const text = date.toLocaleTimeString("en-GB", { hour12: false });
  return `${text}.${String(date.getMilliseconds()).padStart(3, "0")}`;
}

export const MESSAGES: readonly Column<Entry>[] = [
  made("time", "Time", ({ message }) => time(message.timestamp), [7.5, 0, 0], {
    look: "code",
    order: (row) => row.number,
  }),
  made("way", "Way", (row) => (row.direction === "in" ? "↑" : "↓"), [4.4, 0, 0]),
  made("code", "Code", ({ message }) => String(message.code), [5, 0, 0], {
    order: ({ message }) => message.code,
    tone: ({ message }) => toneOfCode(message.code),
  }),
  field("summary", "Message", [14, 3, 0]),
  made("line", "Command line", ({ message }) => message.command_line, [13, 2, 1]),
  // Changes are of no command.
  id(({ message }) => (message.command_line === "" ? "" : message.command_id), 2),
  made("status", "Status", ({ message }) => message.status, [7, 0.4, 3]),
  made("user", "User", ({ message }) => message.user, [9, 0.6, 4]),
  made("host", "Host", ({ message }) => message.host, [8, 0.6, 4]),
];
