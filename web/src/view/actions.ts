/** What can be done with a row. */

import type { Cluster, Image, Node, Pod, Registry } from "../api/message";
import type { Tracked, TrackedKind } from "../mirror/mirror";
import { at, type Place } from "../state/place";
import type { Wanted } from "../terminal/contract";

export interface Action {
  readonly title: string;
  readonly icon: string;
  /** Its name, for who does not see the row. */
  readonly object: string;
  /** The command it is. */
  readonly line?: string;
  /** Or the place it leads to. */
  readonly place?: Place;
  /** Or the terminal it opens. */
  readonly open?: Wanted;
  readonly isOff: boolean;
}

/** The states in which an object can be started, or stopped. */
const isStopped = (state: string): boolean => state === "stopped" || state === "unknown";
const isUp = (state: string): boolean => ["ready", "not_ready", "unknown", "starting"].includes(state);

export function actionsOf<Kind extends TrackedKind>(kind: Kind, row: Tracked[Kind]): readonly Action[] {
  switch (kind) {
    case "clusters":
      return ofCluster(row as Cluster);
    case "nodes":
      return ofNode(row as Node);
    case "pods":
      return ofPod(row as Pod);
    case "images":
      return ofImage(row as Image);
    case "registries":
      return ofRegistry(row as Registry);
    default:
      return [];
  }
}

function ofCluster({ name, state }: Cluster): Action[] {
  return [
    { title: "Open", icon: "right", object: name, place: at("clusters", { name }), isOff: false },
    power("cluster", name, state),
    { title: "Add a node", icon: "plus", object: `to ${name}`, line: `add node ${name}`, isOff: state !== "ready" },
    { title: "Delete", icon: "bin", object: name, line: `delete cluster ${name}`, isOff: state === "deleting" },
  ];
}

function ofNode({ name, state }: Node): Action[] {
  return [
    {
      title: "Shell",
      icon: "shell",
      object: `on ${name}`,
      open: { kind: "node", node: name },
      isOff: isStopped(state),
    },
    power("node", name, state),
    { title: "Delete", icon: "bin", object: name, line: `delete node ${name}`, isOff: state === "deleting" },
  ];
}

function power(kind: "cluster" | "node", name: string, state: string): Action {
  return isUp(state) || !isStopped(state)
    ? { title: "Stop", icon: "stop", object: name, line: `stop ${kind} ${name}`, isOff: !isUp(state) }
    : { title: "Start", icon: "play", object: name, line: `start ${kind} ${name}`, isOff: false };
}

function ofPod({ name, namespace, cluster, status }: Pod): Action[] {
  const of = { cluster, namespace, pod: name };
  return [
    {
      title: "Logs",
      icon: "logs",
      object: `of ${name}`,
      open: { kind: "logs", ...of, follow: true, tail: 1000 },
      isOff: false,
    },
    { title: "Shell", icon: "shell", object: `in ${name}`, open: { kind: "pod", ...of }, isOff: status !== "Running" },
  ];
}

function ofImage({ name, local }: Image): Action[] {
  return local ? [] : [{ title: "Pull", icon: "down", object: name, line: `add image ${name}`, isOff: false }];
}

function ofRegistry({ name }: Registry): Action[] {
  return [{ title: "Delete", icon: "bin", object: name, line: `delete registry ${name}`, isOff: false }];
}
