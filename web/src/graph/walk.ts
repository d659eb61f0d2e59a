/** Moving through the graph by keys: up to what something is in, down into it, and along its neighbours. */

import type { Target } from "./graphLayout";
import { podCount, type GraphModel } from "./graphModel";

export type Step = "in" | "out" | "next" | "previous";

/** What is reached from a target by a step; from nothing, the first cluster. */
export function walk(model: GraphModel, from: Target | undefined, step: Step): Target | undefined {
  const first = model.clusters[0];
  if (!from) return first && { kind: "cluster", key: first.key };
  if (step === "out") return outOf(from);
  if (step === "in") return into(model, from);
  const beside = siblings(model, from);
  const index = beside.findIndex((target) => target.key === from.key);
  return beside[index + (step === "next" ? 1 : -1)] ?? from;
}

function outOf(from: Target): Target {
  switch (from.kind) {
    case "cluster":
      return from;
    case "node":
    case "service":
      return { kind: "cluster", key: from.cluster };
    case "pod":
      return { kind: "node", key: from.node, cluster: from.cluster };
  }
}

function into(model: GraphModel, from: Target): Target {
  if (from.kind === "cluster") return inside(model, from.key)[0] ?? from;
  if (from.kind !== "node") return from;
  const { cluster } = from;
  const node = model.clusters.find(({ key }) => key === cluster)?.nodes.find(({ key }) => key === from.key);
  const pod = node?.pods[0];
  return pod ? { kind: "pod", key: pod.key, node: from.key, cluster } : from;
}

function siblings(model: GraphModel, from: Target): readonly Target[] {
  if (from.kind === "cluster") return model.clusters.map(({ key }) => ({ kind: "cluster", key }));
  if (from.kind !== "pod") return inside(model, from.cluster);
  const cluster = model.clusters.find(({ key }) => key === from.cluster);
  const node = cluster?.nodes.find(({ key }) => key === from.node);
  return node?.pods.map(({ key }) => ({ kind: "pod", key, node: from.node, cluster: from.cluster })) ?? [];
}

/** What is in a cluster: its nodes, then its services. */
function inside(model: GraphModel, key: string): Target[] {
  const cluster = model.clusters.find((cluster) => cluster.key === key);
  if (!cluster) return [];
  return [
    ...cluster.nodes.map((node): Target => ({ kind: "node", key: node.key, cluster: key })),
    ...cluster.services.map((service): Target => ({ kind: "service", key: service.key, cluster: key })),
  ];
}

export interface Told {
  readonly title: string;
  readonly detail: string;
}

/** A target in words; none where it is gone. */
export function tell(model: GraphModel, target: Target): Told | undefined {
  const id = target.kind === "cluster" ? target.key : target.cluster;
  const cluster = model.clusters.find(({ key }) => key === id);
  if (!cluster) return undefined;
  if (target.kind === "cluster") {
    const detail = `cluster, ${cluster.look.label}, ${cluster.nodes.length} nodes, ${podCount(cluster)} pods`;
    return { title: cluster.name, detail };
  }
  if (target.kind === "service") {
    const service = cluster.services.find(({ key }) => key === target.key);
    return (
      service && {
        title: service.name,
        detail: `${service.type} service of ${cluster.name}, ${service.pods.length} pods`,
      }
    );
  }
  const node = cluster.nodes.find(({ key }) => key === (target.kind === "node" ? target.key : target.node));
  if (!node) return undefined;
  if (target.kind === "node") {
    const role = node.role === "control" ? "control plane" : "node";
    const step = node.step === "" ? "" : `, ${node.step}`;
    return {
      title: node.name,
      detail: `${role} of ${cluster.name}, ${node.look.label}, ${node.pods.length} pods${step}`,
    };
  }
  const pod = node.pods.find(({ key }) => key === target.key);
  return pod && { title: pod.name, detail: `pod on ${node.short} of ${cluster.name}, ${pod.look.label}` };
}
