/** Steps as people read them: a lane for the whole, and one for each node. */

import type { Step } from "../api/message";

export interface Lane {
  /** The node, or the object where the steps are about the whole. */
  readonly name: string;
  readonly short: string;
  readonly steps: readonly Step[];
}

export function lanes(steps: readonly Step[]): Lane[] {
  const byName = new Map<string, Step[]>();
  for (const step of steps) {
    const name = step.node === "" ? step.object : step.node;
    const lane = byName.get(name);
    if (lane) lane.push(step);
    else byName.set(name, [step]);
  }
  return Array.from(byName, ([name, of]) => ({ name, short: shortOf(name, of), steps: of }));
}

/** A node's name without its domain. */
function shortOf(name: string, [first]: readonly Step[]): string {
  return first?.node === "" ? name : (name.split(".")[0] ?? name);
}
