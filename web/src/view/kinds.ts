/** How the rows of every kind are shown: in which columns and order, and with what can be done with them. */

import type { Tracked, TrackedKind } from "../mirror/mirror";
import type { Action } from "../table/action";
import type { Column } from "../table/column";
import type { Order } from "../table/listing";
import { lookOf, lookOfPod, type Look } from "../ui/state";
import { inClusters, ofImage, ofNode, ofPod, ofRegistry } from "./actions";
import { CLIENTS, CLUSTERS, IMAGES, NETWORKS, NODES, PODS, REGISTRIES, SERVICES } from "./columns";

interface Shown<Row> {
  readonly columns: readonly Column<Row>[];
  readonly titleOf: (row: Row) => string;
  readonly order: Order;
  readonly lookOf?: (row: Row) => Look;
  readonly actions?: (row: Row) => readonly Action[];
  /** The room that takes, in `rem`. */
  readonly actionsWidth?: number;
}

/** What has a name is called and sorted by it. */
const NAMED = {
  titleOf: ({ name }: { readonly name: string }): string => name,
  order: { column: "name", descending: false },
};
const STATED = { lookOf: ({ state }: { readonly state: string }): Look => lookOf(state) };

export const KINDS: { readonly [Kind in TrackedKind]: Shown<Tracked[Kind]> } = {
  clusters: { ...NAMED, ...STATED, columns: CLUSTERS, actions: inClusters, actionsWidth: 9.5 },
  nodes: { ...NAMED, ...STATED, columns: NODES, actions: ofNode, actionsWidth: 7.25 },
  pods: { ...NAMED, lookOf: lookOfPod, columns: PODS, actions: ofPod, actionsWidth: 5 },
  services: {
    ...NAMED,
    titleOf: (row) => (row.port_number === 0 ? row.name : `${row.name}:${row.port_number}`),
    columns: SERVICES,
  },
  networks: { ...NAMED, ...STATED, columns: NETWORKS },
  images: {
    ...NAMED,
    order: { column: "tag", descending: true },
    columns: IMAGES,
    actions: ofImage,
    actionsWidth: 2.75,
  },
  registries: { ...NAMED, columns: REGISTRIES, actions: ofRegistry, actionsWidth: 2.75 },
  clients: { titleOf: (row) => row.agent, order: { column: "since", descending: true }, columns: CLIENTS },
};
