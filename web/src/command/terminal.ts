/** Commands that open a terminal: the console does what the CLI does with them, beside the protocol's channel. */

import type { Wanted } from "../terminal/contract";
import type { Line } from "./words";

/** What a line opens; none where it is a command for the server. */
export function opensTerminal(line: Line): Wanted | undefined {
  const { form, verb } = line;
  if (!form || line.wrong) return undefined;
  const [name] = line.arguments.map((word) => word.text);
  const value = (long: string): string | undefined => line.options.find(({ option }) => option.long === long)?.value;
  if (verb === "open" && form.subject.includes("shell")) return { kind: "shell" };
  if (name === undefined) return undefined;
  if (verb === "open" && form.subject.includes("node")) return { kind: "node", node: name };
  const [cluster, namespace, container] = [value("cluster"), value("namespace"), value("container")];
  const of = {
    pod: name,
    ...(cluster !== undefined && { cluster }),
    ...(namespace !== undefined && { namespace }),
    ...(container !== undefined && { container }),
  };
  if (verb === "open" && form.subject.includes("pod")) return { kind: "pod", ...of };
  if (verb !== "logs") return undefined;
  const tail = Number(value("lines"));
  return { kind: "logs", ...of, follow: value("follow") !== undefined, ...(tail > 0 && { tail }) };
}
