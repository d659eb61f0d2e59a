/** From a frame to a message. The contract's types say what is in one; this looks only as far as they must be told apart. */

import type { Kind, Message, Output, Rows, Step } from "$contract/qbo";

export type {
  Change,
  Client,
  Cluster,
  Image,
  Kind,
  Message,
  Network,
  Node,
  Output,
  Pod,
  Registry,
  Rows,
  Service,
  State,
  Step,
  Version,
} from "$contract/qbo";

/** The keys that rows may stand under. */
const KINDS: readonly Kind[] = [
  "output",
  "input",
  "pods",
  "nodes",
  "clusters",
  "services",
  "networks",
  "images",
  "registries",
  "clients",
  "usage",
  "version",
];

/** What is not known to be a message, with the fields that tell whether it is one. */
function isMessage(value: unknown): value is Message {
  return (
    typeof value === "object" &&
    value !== null &&
    "code" in value &&
    typeof value.code === "number" &&
    "command_id" in value &&
    typeof value.command_id === "string"
  );
}

/** Reads a frame; none where it is no message. */
export function read(frame: unknown): Message | undefined {
  if (typeof frame !== "string") return undefined;
  try {
    const value: unknown = JSON.parse(frame);
    return isMessage(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** Which rows a message has; none where a newer server tells of what this console does not know. */
export function kindOf(message: Message): Kind | undefined {
  return KINDS.find((kind) => Array.isArray(message[kind]));
}

/** The rows of one kind. */
export function rowsOf<Key extends Kind>(message: Message, kind: Key): Rows[Key][] {
  // The message is a union by key, which an index by a type parameter does not see through.
  const rows: unknown = message[kind];
  return Array.isArray(rows) ? (rows as Rows[Key][]) : [];
}

/** How many rows a message has. */
export function rowCount(message: Message): number {
  const kind = kindOf(message);
  return kind === undefined ? 0 : rowsOf(message, kind).length;
}

/** Whether a message ends its command. */
export function isFinal(message: Message): boolean {
  return message.code === 200 || message.code >= 400;
}

/** Whether a line of output is a step of long work. */
export function isStep(output: Output): output is Step {
  return "step" in output;
}

/** What became of the one row of a message, for people. */
function stateOf(message: Message): string {
  if (message.change === "delete") return ": gone";
  const state = message.clusters?.[0]?.state ?? message.nodes?.[0]?.state ?? message.pods?.[0]?.status;
  return state === undefined ? "" : `: ${state.replaceAll("_", " ")}`;
}

/** What a row of output says. */
export function textOf(output: Output): string {
  if ("kubeconfig" in output) return output.kubeconfig;
  return "file" in output ? `${output.file}\n${output.text}` : output.message;
}

/** What a message says on one line, for people. */
export function summary(message: Message): string {
  const first = message.output?.[0];
  if (first) return "kubeconfig" in first ? "kubeconfig" : textOf(first);
  if (message.input?.[0]) return message.input[0].message;
  const kind = kindOf(message);
  if (kind === undefined) return "";
  const rows: readonly object[] = rowsOf(message, kind);
  const names = rows.slice(0, 3).map((row) => ("name" in row && typeof row.name === "string" ? row.name : ""));
  const shown = names.filter((name) => name !== "").join(", ");
  const more = rows.length > 3 ? ` and ${rows.length - 3} more` : "";
  const state = rows.length === 1 ? stateOf(message) : "";
  return shown === "" ? `${rows.length} ${kind}` : `${shown}${more}${state}`;
}
