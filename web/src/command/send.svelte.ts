/** The one way from a wish to a command: what destroys or stops something is confirmed first, with the names of it. */

import { terminals } from "../dock/terminals.svelte";
import { session } from "../state/session.svelte";
import { hitBy, type Hit } from "./hit";
import { opensTerminal } from "./terminal";
import { parse } from "./words";

export interface Asked {
  readonly line: string;
  readonly hit: Hit;
}

class Send {
  /** What waits to be confirmed. */
  asked = $state.raw<Asked | undefined>(undefined);

  /** Sends a line, or asks first. Whether it is on its way, or asked about. */
  run(line: string): boolean {
    const terminal = opensTerminal(parse(line));
    if (terminal) {
      terminals.open(terminal);
      return true;
    }
    const hit = hitBy(line, {
      clusters: session.mirror.tables.clusters.rows.values(),
      nodes: session.mirror.tables.nodes.rows.values(),
      pods: session.mirror.tables.pods.rows.values(),
      registries: session.mirror.tables.registries.rows.values(),
    });
    if (!hit) return session.run(line);
    this.asked = { line, hit };
    return true;
  }

  confirm(): void {
    const asked = this.asked;
    this.asked = undefined;
    if (asked) session.run(asked.line);
  }

  refuse(): void {
    this.asked = undefined;
  }
}

export const send = new Send();
