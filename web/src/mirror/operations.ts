/** Commands that run in the mirror, whoever sent them: how far each is, and how it ended. */

import { isFinal, isStep, kindOf, rowCount, type Message, type Output, type Step } from "../api/message";

/** Commands that are remembered, and lines of each. */
const COMMANDS = 60;
const LINES = 1_000;

export type OperationState = "running" | "done" | "failed" | "lost";

export interface Operation {
  readonly id: string;
  /** With `qbo ` in front. */
  readonly line: string;
  readonly user: string;
  /** Whether it was sent from this page. */
  readonly own: boolean;
  /** When it was accepted, in milliseconds since the epoch. */
  readonly started: number;
  readonly steps: readonly Step[];
  readonly lines: readonly Output[];
  /** Rows that it told, by kind. */
  readonly rows: Readonly<Record<string, number>>;
  readonly state: OperationState;
  readonly code: number;
  readonly failure: { readonly problem: string; readonly cure: string } | undefined;
  /** Seconds, once it ended. */
  readonly seconds: number | undefined;
}

const sameStep = (left: Step, right: Step): boolean =>
  left.object === right.object && left.node === right.node && left.step === right.step;

function begin(message: Message, own: boolean): Operation {
  return {
    id: message.command_id,
    line: message.command_line,
    user: message.user,
    own,
    started: Date.parse(message.timestamp),
    steps: [],
    lines: [],
    rows: {},
    state: "running",
    code: message.code,
    failure: undefined,
    seconds: undefined,
  };
}

/** An operation after one more of its messages. */
export function advance(operation: Operation, message: Message): Operation {
  const kind = kindOf(message);
  let { steps, lines, rows, failure } = operation;
  const output = message.output ?? [];
  for (const line of output) {
    if (isStep(line)) {
      const index = steps.findIndex((step) => sameStep(step, line));
      steps = index < 0 ? [...steps, line] : steps.with(index, line);
    } else if ("problem" in line && message.code >= 400) {
      failure = { problem: line.problem, cure: line.cure };
    } else if (message.code !== 200) {
      lines = [...lines.slice(-LINES), line];
    }
  }
  if (kind !== undefined && kind !== "output" && kind !== "input") {
    rows = { ...rows, [kind]: (rows[kind] ?? 0) + rowCount(message) };
  }
  if (!isFinal(message)) return { ...operation, steps, lines, rows, state: "running", code: message.code };
  const state = message.code === 200 ? "done" : "failed";
  const seconds = (Date.parse(message.timestamp) - operation.started) / 1000;
  if (state === "failed" && failure === undefined) failure = { problem: message.status, cure: "" };
  return { ...operation, steps, lines, rows, failure, state, code: message.code, seconds };
}

/** No command has this id. */
const NOBODY = "00000000-0000-0000-0000-000000000000";

export class Operations {
  readonly #byId = new Map<string, Operation>();

  /** Takes in a message of a command; which operation it is of. */
  take(message: Message, own: boolean): Operation | undefined {
    if (message.command_id === NOBODY) return undefined;
    const known = this.#byId.get(message.command_id) ?? begin(message, own);
    const operation = advance(known, message);
    this.#byId.set(operation.id, operation);
    if (this.#byId.size > COMMANDS) this.#forget();
    return operation;
  }

  /** The connection is lost: how those that run end will perhaps never be known. */
  lost(): void {
    for (const [id, operation] of this.#byId) {
      if (operation.state === "running") this.#byId.set(id, { ...operation, state: "lost" });
    }
  }

  get(id: string): Operation | undefined {
    return this.#byId.get(id);
  }

  /** The latest first. */
  list(): Operation[] {
    return [...this.#byId.values()].reverse();
  }

  /** Those that run, the latest first. */
  running(): Operation[] {
    return this.list().filter((operation) => operation.state === "running");
  }

  /** The oldest of those that ended, or else the oldest. */
  #forget(): void {
    const ended = [...this.#byId.values()].find((operation) => operation.state !== "running");
    const [oldest] = this.#byId.keys();
    const id = ended?.id ?? oldest;
    if (id !== undefined) this.#byId.delete(id);
  }
}

/** What a running operation makes of an object (a cluster), if any does. */
export function operationOn(operations: readonly Operation[], object: string): Operation | undefined {
  return operations.find((operation) => operation.steps.some((step) => step.object === object));
}
