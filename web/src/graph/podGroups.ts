/**
 * The pods of every node, kept up by what changes alone: of ten thousand, fifty a second are looked at. The pods of a node
 * where nothing changed are the same array as before, and what is made of them need not be made anew.
 */

import type { Pod } from "../api/message";
import type { Table } from "../mirror/table";
import { lookOfPod, type Look } from "../ui/state";

export interface GraphPod {
  readonly key: string;
  readonly name: string;
  readonly look: Look;
}

interface Group {
  readonly pods: Map<string, GraphPod>;
  /** The same as an array, until something changes. */
  list: readonly GraphPod[] | undefined;
}

const NONE: readonly GraphPod[] = [];

export class PodGroups {
  /** Pods by their labels, within a namespace: the keys of those that bear one. */
  readonly #labelled = new Map<string, Set<string>>();
  readonly #labelsOf = new Map<string, readonly string[]>();
  /** By cluster, then by the name of the node. */
  readonly #groups = new Map<string, Map<string, Group>>();
  readonly #groupOf = new Map<string, Group>();
  #version = -1;

  /** Takes in what changed since the last time. */
  update(table: Table<Pod>): void {
    const changed = table.since(this.#version);
    this.#version = table.version;
    if (changed === "all") {
      this.#groups.clear();
      this.#groupOf.clear();
      this.#labelled.clear();
      this.#labelsOf.clear();
      for (const [key, pod] of table.rows) {
        this.#label(key, pod);
        this.#put(key, pod);
      }
      return;
    }
    for (const key of changed) {
      const pod = table.rows.get(key);
      const group = pod && this.#group(pod.cluster_id, pod.node);
      const before = this.#groupOf.get(key);
      if (before && before !== group) {
        before.pods.delete(key);
        before.list = undefined;
        this.#groupOf.delete(key);
      }
      this.#label(key, pod);
      if (pod) this.#put(key, pod);
    }
  }

  /** The pods of a node. */
  of(cluster: string, node: string): readonly GraphPod[] {
    return listOf(this.#groups.get(cluster)?.get(node));
  }

  /** The pods of a cluster that are on none of these nodes. */
  elsewhere(cluster: string, nodes: ReadonlySet<string>): readonly GraphPod[] {
    const groups = [...(this.#groups.get(cluster) ?? [])].filter(
      ([node, { pods }]) => !nodes.has(node) && pods.size > 0,
    );
    const [only] = groups;
    return groups.length === 1 ? listOf(only?.[1]) : groups.flatMap(([, group]) => listOf(group));
  }

  /** The keys of the pods of a namespace that bear all of these labels: those that a service with this selector leads to. */
  selected(cluster: string, namespace: string, selector: readonly string[]): readonly string[] {
    const sets = selector.map((label) => this.#labelled.get(placeOf(cluster, namespace, label)));
    const [first, ...others] = sets;
    if (!first) return [];
    return [...first].filter((key) => others.every((set) => set?.has(key)));
  }

  #label(key: string, pod: Pod | undefined): void {
    const labels = (pod?.labels ?? []).map((label) => placeOf(pod?.cluster_id ?? "", pod?.namespace ?? "", label));
    for (const label of this.#labelsOf.get(key) ?? []) {
      const bearing = this.#labelled.get(label);
      bearing?.delete(key);
      if (bearing?.size === 0) this.#labelled.delete(label);
    }
    for (const label of labels) {
      const bearing = this.#labelled.get(label);
      if (bearing) bearing.add(key);
      else this.#labelled.set(label, new Set([key]));
    }
    if (labels.length > 0) this.#labelsOf.set(key, labels);
    else this.#labelsOf.delete(key);
  }

  #put(key: string, pod: Pod): void {
    const group = this.#group(pod.cluster_id, pod.node);
    group.pods.set(key, { key, name: pod.name, look: lookOfPod(pod) });
    group.list = undefined;
    this.#groupOf.set(key, group);
  }

  #group(cluster: string, node: string): Group {
    const groups = this.#groups.get(cluster) ?? new Map<string, Group>();
    this.#groups.set(cluster, groups);
    const group = groups.get(node) ?? { pods: new Map<string, GraphPod>(), list: undefined };
    groups.set(node, group);
    return group;
  }
}

function placeOf(cluster: string, namespace: string, label: string): string {
  return `${cluster} ${namespace} ${label}`;
}

function listOf(group: Group | undefined): readonly GraphPod[] {
  if (!group) return NONE;
  group.list ??= [...group.pods.values()];
  return group.list;
}
