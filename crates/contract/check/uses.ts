// What the types promise to who uses them. Nothing of this runs; that it compiles is the test.

import type {
  Change,
  Code,
  Envelope,
  Kind,
  Message,
  Output,
  Payload,
  Request,
  State,
  TerminalAnswer,
  TerminalRequest,
  Verb,
} from "../generated/qbo";

type Is<Left, Right> =
  (<T>() => T extends Left ? 1 : 2) extends (<T>() => T extends Right ? 1 : 2) ? true : false;
type HasAny<Type> = 0 extends 1 & Type ? true
  : Type extends readonly (infer Item)[] ? HasAny<Item>
  : Type extends object ? { [Key in keyof Type]-?: HasAny<Type[Key]> }[keyof Type]
  : false;
const holds = <_ extends true>(): void => undefined;

// Closed sets are unions of literals, and nothing is `any`.
holds<Is<Change, "put" | "delete" | "snapshot">>();
holds<Is<Extract<State, "ready" | "not_ready">, "ready" | "not_ready">>();
holds<Is<string extends State ? true : false, false>>();
holds<Is<string extends Verb ? true : false, false>>();
holds<Is<number extends Code ? true : false, false>>();
holds<Is<HasAny<Message | Request | TerminalRequest | TerminalAnswer>, false>>();

export const request: Request = { cmd: "get nodes -A" };

// A key tells the rows.
export function names(message: Message): string[] {
  if (message.nodes) {
    holds<Is<typeof message.pods, undefined>>();
    return message.nodes.map((node) => (node.state === "deleted" ? "" : node.name));
  }
  if ("services" in message && message.services) {
    return message.services.map((service) => `${service.name}:${service.port_number}`);
  }
  return [];
}

// Every kind can be told apart, and none is left over.
export function kind(message: Message): Kind {
  if (message.version) return "version";
  if (message.clusters) return "clusters";
  if (message.nodes) return "nodes";
  if (message.pods) return "pods";
  if (message.services) return "services";
  if (message.networks) return "networks";
  if (message.images) return "images";
  if (message.registries) return "registries";
  if (message.clients) return "clients";
  if (message.usage) return "usage";
  if (message.output) return "output";
  if (message.input) return "input";
  return message satisfies never;
}

// Lines of output are told apart by their fields.
export function line(output: Output): string {
  if ("kubeconfig" in output) return output.kubeconfig;
  if ("file" in output) return `${output.file}: ${output.text}`;
  if ("step" in output) return `${output.step} ${output.state} after ${output.elapsed.toFixed(1)} s`;
  if ("check" in output) return output.level === "good" ? output.message : `${output.message} (${output.cure ?? ""})`;
  if ("problem" in output) return `${output.problem}; ${output.cure}`;
  return output.message;
}

// Frames of a terminal are told apart by their one key.
export const open: TerminalRequest = { open: { kind: "pod", columns: 80, rows: 24, pod: "web-0" } };
export function end(answer: TerminalAnswer): number | undefined {
  if ("exit" in answer) return answer.exit.code;
  if ("error" in answer) return answer.error.code;
  return undefined;
}

export const good: Payload = { input: [{ message: "qbo version" }] };

// @ts-expect-error: two keys
export const two: Payload = { input: [{ message: "qbo version" }], version: [{ qbo_api: "0.1.0" }] };

// @ts-expect-error: no key
export const none: Payload = {};

// @ts-expect-error: no array
export const bare: Payload = { version: { qbo_api: "0.1.0" } };

// @ts-expect-error: no state
export const state: State = "rebooting";

// @ts-expect-error: no code
export const code: Envelope["code"] = 418;
