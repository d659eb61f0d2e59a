/** What the graph shows: host ⊃ cluster ⊃ node ⊃ pod, and the services of clusters with the pods they lead to. Pure. */

import type { Cluster, Node, Service, Step } from "../api/message";
import { lookOf, type Look } from "../ui/state";
import type { GraphPod, PodGroups } from "./podGroups";

export type { GraphPod } from "./podGroups";

export interface GraphNode {
  readonly key: string;
  readonly name: string;
  readonly short: string;
  /** A control plane, a worker, or the place of pods that are on no node yet. */
  readonly role: "control" | "worker" | "waiting";
  readonly look: Look;
  readonly pods: readonly GraphPod[];
  /** The step that a running command is at with it. */
  readonly step: string;
}

export interface GraphService {
  readonly key: string;
  readonly name: string;
  readonly type: string;
  /** Keys of the pods it leads to. */
  readonly pods: readonly string[];
}

export interface GraphCluster {
  readonly key: string;
  readonly name: string;
  readonly look: Look;
  readonly nodes: readonly GraphNode[];
  readonly services: readonly GraphService[];
  /** How far a running command is with it, if one is. */
  readonly progress: { readonly done: number; readonly begun: number; readonly step: string } | undefined;
}

export interface GraphModel {
  readonly host: string;
  readonly clusters: readonly GraphCluster[];
}

export interface Sources {
  readonly host: string;
  readonly clusters: Iterable<Cluster>;
  readonly nodes: Iterable<Node>;
  readonly pods: PodGroups;
  readonly services: Iterable<Service>;
  /** The steps of commands that run. */
  readonly steps: readonly Step[];
}

interface Parts {
  readonly nodes: Node[];
  readonly services: Map<string, Service>;
}

const isUnderWay = (step: Step): boolean => step.state === "started" || step.state === "progress";

/** The model of what is known. */
export function graphModel(sources: Sources): GraphModel {
  const parts = new Map<string, Parts>();
  const of = (cluster: string): Parts => {
    const known = parts.get(cluster);
    if (known) return known;
    const made: Parts = { nodes: [], services: new Map() };
    parts.set(cluster, made);
    return made;
  };
  for (const node of sources.nodes) of(node.cluster_id).nodes.push(node);
  for (const service of sources.services) of(service.cluster_id ?? "").services.set(service.id, service);
  const clusters = [...sources.clusters].map((cluster) => graphCluster(cluster, of(cluster.id), sources));
  clusters.sort((left, right) => (left.name < right.name ? -1 : 1));
  return { host: sources.host, clusters };
}

function graphCluster(cluster: Cluster, parts: Parts, sources: Sources): GraphCluster {
  const steps = sources.steps.filter((step) => step.object === cluster.name);
  const nodes = parts.nodes.map((node): GraphNode => {
    const short = node.name.split(".")[0] ?? node.name;
    return {
      key: node.id,
      name: node.name,
      short,
      role: short.startsWith("control-") ? "control" : "worker",
      look: lookOf(node.state),
      pods: sources.pods.of(cluster.id, node.name),
      step: steps.findLast((step) => step.node === node.name && isUnderWay(step))?.step ?? "",
    };
  });
  // Control planes first, then by name: places are given in this order to those that are new.
  nodes.sort((left, right) => order(left).localeCompare(order(right)));
  const waiting = sources.pods.elsewhere(cluster.id, new Set(nodes.map((node) => node.name)));
  if (waiting.length > 0) {
    nodes.push({
      key: `${cluster.id}/waiting`,
      name: "on no node",
      short: "on no node",
      role: "waiting",
      look: lookOf("unknown"),
      pods: waiting,
      step: "",
    });
  }
  const done = steps.filter((step) => step.state === "done").length;
  const current = steps.findLast(isUnderWay);
  return {
    key: cluster.id,
    name: cluster.name,
    look: lookOf(cluster.state),
    nodes,
    services: [...parts.services.values()].map((service) => ({
      key: service.id,
      name: `${service.namespace}/${service.name}`,
      type: service.type,
      pods: sources.pods.selected(cluster.id, service.namespace, service.selector ?? []),
    })),
    progress: current && { done, begun: steps.length, step: current.step },
  };
}

function order(node: GraphNode): string {
  return `${node.role === "control" ? "0" : "1"}${node.name}`;
}

/** What the graph shows, in a sentence. */
export function describe(model: GraphModel): string {
  const nodes = model.clusters.reduce((sum, cluster) => sum + cluster.nodes.length, 0);
  const pods = model.clusters.reduce((sum, cluster) => sum + podCount(cluster), 0);
  return `Host ${model.host}: ${model.clusters.length} clusters, ${nodes} nodes, ${pods} pods`;
}

export function podCount(cluster: GraphCluster): number {
  return cluster.nodes.reduce((sum, node) => sum + node.pods.length, 0);
}
