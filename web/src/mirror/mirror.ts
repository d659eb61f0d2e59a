/**
 * All that is known of the user's objects. Three things fill it: full lists that this console asked for in a mirror of
 * its own (they replace what was known, and what follows them is told by sequence), changes, and snapshots where it
 * did not keep up.
 */

import type { Client, Cluster, Image, Message, Network, Node, Pod, Registry, Service, Version } from "../api/message";
import { kindOf, rowsOf } from "../api/message";
import { Table } from "./table";

/** The kinds whose rows live. */
export interface Tracked {
  clusters: Cluster;
  nodes: Node;
  pods: Pod;
  services: Service;
  networks: Network;
  images: Image;
  registries: Registry;
  clients: Client;
}
export type TrackedKind = keyof Tracked;
export const TRACKED: readonly TrackedKind[] = [
  "clusters",
  "nodes",
  "pods",
  "services",
  "networks",
  "images",
  "registries",
  "clients",
];

/** The commands that list all rows of a kind. */
export const LISTS: Readonly<Record<TrackedKind, string>> = {
  clusters: "get cluster -A",
  nodes: "get nodes -A",
  pods: "get pods -A",
  services: "get services -A",
  networks: "get networks -A",
  images: "get images",
  registries: "get registries -A",
  clients: "get clients -w",
};

/** The kinds, as messages name the object of a command. */
const KIND_OF: Partial<Record<Message["subcommand"], TrackedKind>> = {
  SUBCMD_CLUSTER: "clusters",
  SUBCMD_NODE: "nodes",
  SUBCMD_POD: "pods",
  SUBCMD_SERVICE: "services",
  SUBCMD_NETWORK: "networks",
  SUBCMD_IMAGE: "images",
  SUBCMD_REGISTRY: "registries",
  SUBCMD_CLIENT: "clients",
};

/** How the rows of a kind stand to the server. */
export type Freshness =
  /** Never listed, and there is nobody to ask. */
  | { state: "unknown" }
  /** Never listed. */
  | { state: "loading" }
  /** They are what the server knows. */
  | { state: "live" }
  /** They are what it knew; the connection is gone, or the list anew is under way. */
  | { state: "stale" }
  /** It cannot tell. */
  | { state: "failed"; problem: string; cure: string };

export class Mirror {
  readonly tables: { readonly [Kind in TrackedKind]: Table<Tracked[Kind]> } = {
    clusters: new Table((row) => row.id),
    nodes: new Table((row) => row.id),
    pods: new Table((row) => `${row.cluster_id}/${row.id}`),
    services: new Table((row) => `${row.cluster_id ?? row.cluster}/${row.id}/${row.port_number}/${row.protocol}`),
    networks: new Table((row) => row.id),
    images: new Table((row) => row.name),
    registries: new Table((row) => row.name),
    clients: new Table((row) => `${row.wsi}/${row.mirror}`),
  };
  /** The host's own networks, once somebody asked for them. */
  hostNetworks: readonly Network[] | undefined;
  version: Version | undefined;
  /** The name of the server's host. */
  host = "";
  user = "";

  readonly #freshness = new Map<TrackedKind, Freshness>();
  /** The lists under way, by the id of their command, and whether a row of it has come. */
  readonly #lists = new Map<string, { kind: TrackedKind; begun: boolean }>();

  freshness(kind: TrackedKind): Freshness {
    return this.#freshness.get(kind) ?? { state: "loading" };
  }

  /** The connection is lost: what is known may be no more. */
  lost(): void {
    this.#lists.clear();
    for (const [kind, freshness] of this.#freshness) {
      if (freshness.state === "live") this.#freshness.set(kind, { state: "stale" });
    }
  }

  /** Takes in a message; `own` where it answers this console's own lists. Which kinds differ now. */
  take(message: Message, own: boolean): TrackedKind[] {
    this.host = message.host;
    this.user = message.user;
    if (own) return this.#takeOwn(message);
    const kind = kindOf(message);
    if (kind === "version") return this.#takeVersion(message);
    if (kind === "networks" && message.sequence === undefined) {
      this.hostNetworks = rowsOf(message, "networks");
      return ["networks"];
    }
    if (kind === undefined || !isTracked(kind) || message.sequence === undefined) return [];
    if (message.change === undefined) {
      // A list that somebody asked for tells nothing new, but for the images of a registry.
      return kind === "images" && this.#apply(kind, "put", message) ? [kind] : [];
    }
    const changed = this.#apply(kind, message.change, message);
    if (message.change !== "snapshot") return changed ? [kind] : [];
    this.#freshness.set(kind, { state: "live" });
    return [kind];
  }

  #takeOwn(message: Message): TrackedKind[] {
    if (message.version) return this.#takeVersion(message);
    if (message.code === 202) {
      const kind = KIND_OF[message.subcommand];
      if (kind !== undefined && message.command === "CMD_GET")
        this.#lists.set(message.command_id, { kind, begun: false });
      return [];
    }
    const list = this.#lists.get(message.command_id);
    if (!list) return [];
    const { kind } = list;
    if (message[kind] && message.sequence !== undefined) {
      this.#apply(kind, list.begun ? "put" : "snapshot", message);
      list.begun = true;
      return [kind];
    }
    if (message.code >= 400) {
      const output = message.output?.[0];
      const told = output && "problem" in output ? output : { problem: message.status, cure: "" };
      this.#freshness.set(kind, { state: "failed", problem: told.problem, cure: told.cure });
    } else if (message.code === 200) {
      this.#freshness.set(kind, { state: "live" });
    } else {
      return [];
    }
    this.#lists.delete(message.command_id);
    return [kind];
  }

  #takeVersion(message: Message): TrackedKind[] {
    this.version = Object.assign({}, ...rowsOf(message, "version")) as Version;
    return [];
  }

  #apply<Kind extends TrackedKind>(kind: Kind, change: "put" | "delete" | "snapshot", message: Message): boolean {
    const table: Table<Tracked[Kind]> = this.tables[kind];
    const rows: readonly Tracked[Kind][] = rowsOf(message, kind);
    return table.apply(change, rows, message.sequence ?? table.sequence);
  }
}

export function isTracked(kind: string): kind is TrackedKind {
  return (TRACKED as readonly string[]).includes(kind);
}
