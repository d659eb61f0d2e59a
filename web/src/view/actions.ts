/** What can be done with a row: each is a command, opens a terminal, or leads somewhere. */

import type { Cluster, Image, Node, Pod, Registry } from "../api/message";
import { send } from "../command/send.svelte";
import { terminals } from "../dock/terminals.svelte";
import { at, print } from "../state/place";
import type { Action } from "../table/action";

/** The states in which an object can be started, or stopped. */
const isStopped = (state: string): boolean => state === "stopped" || state === "unknown";
const isUp = (state: string): boolean => ["ready", "not_ready", "unknown", "starting"].includes(state);

/** An action that is a command. */
export function command(title: string, icon: string, object: string, line: string, isOff = false): Action {
  return { title, icon, object, isOff, act: () => send.run(line) };
}

export function ofCluster({ name, state }: Cluster): Action[] {
  return [
    power("cluster", name, state),
    command("Add a node", "plus", `to ${name}`, `add node ${name}`, state !== "ready"),
    command("Delete", "bin", name, `delete cluster ${name}`, state === "deleting"),
  ];
}

/** Where there are others: it can be looked at alone. */
export function inClusters(row: Cluster): Action[] {
  const href = print(at("clusters", { name: row.name }));
  return [{ title: "Open", icon: "right", object: row.name, isOff: false, href }, ...ofCluster(row)];
}

export function ofNode({ name, state }: Node): Action[] {
  const shell = (): void => terminals.open({ kind: "node", node: name });
  return [
    { title: "Shell", icon: "shell", object: `on ${name}`, isOff: isStopped(state), act: shell },
    power("node", name, state),
    command("Delete", "bin", name, `delete node ${name}`, state === "deleting"),
  ];
}

function power(kind: "cluster" | "node", name: string, state: string): Action {
  return isUp(state) || !isStopped(state)
    ? command("Stop", "stop", name, `stop ${kind} ${name}`, !isUp(state))
    : command("Start", "play", name, `start ${kind} ${name}`);
}

export function ofPod({ name, namespace, cluster, status }: Pod): Action[] {
  const of = { cluster, namespace, pod: name };
  const logs = (): void => terminals.open({ kind: "logs", ...of, follow: true, tail: 1000 });
  const shell = (): void => terminals.open({ kind: "pod", ...of });
  return [
    { title: "Logs", icon: "logs", object: `of ${name}`, isOff: false, act: logs },
    { title: "Shell", icon: "shell", object: `in ${name}`, isOff: status !== "Running", act: shell },
  ];
}

export const ofImage = ({ name, local }: Image): Action[] =>
  local ? [] : [command("Pull", "down", name, `add image ${name}`)];

export const ofRegistry = ({ name }: Registry): Action[] => [command("Delete", "bin", name, `delete registry ${name}`)];
