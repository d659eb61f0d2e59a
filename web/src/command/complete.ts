/** What may stand where the cursor is: words of the grammar, and names of what is there. */

import { FORMS, VERBS, type GrammarForm } from "$contract/grammar";
import type { Port } from "../mirror/ports";
import { parse, spell, split } from "./words";

/** The live objects that words name. */
export interface Known {
  readonly clusters: readonly string[];
  readonly nodes: readonly string[];
  readonly pods: readonly string[];
  readonly services: readonly string[];
  readonly images: readonly string[];
  readonly registries: readonly string[];
  /** The ports of the host that lead into each cluster. */
  readonly ports: ReadonlyMap<string, readonly Port[]>;
  /** Running commands: ids and lines. */
  readonly commands: readonly { readonly id: string; readonly line: string }[];
}

export interface Suggestion {
  /** The word. */
  readonly text: string;
  /** What it is. */
  readonly about: string;
  /** Whether another word may follow: then a blank does too. */
  readonly isWhole: boolean;
}

export interface Completion {
  /** What of the line a suggestion replaces. */
  readonly start: number;
  readonly end: number;
  readonly suggestions: readonly Suggestion[];
}

/** More than anybody reads. */
const LIMIT = 60;

/** What could stand at the cursor of a line. */
export function complete(text: string, cursor: number, known: Known): Completion {
  const before = text.slice(0, cursor);
  const words = split(before);
  const last = words.at(-1);
  const isInside = last !== undefined && last.end === before.length;
  const typed = isInside ? last.text : "";
  const start = isInside ? last.start : cursor;
  const end = isInside ? (split(text).find((word) => word.start === start)?.end ?? cursor) : cursor;
  const previous = (isInside ? words.slice(0, -1) : words).map((word) => word.text);
  if (previous[0] === "qbo") previous.shift();
  const candidates = following(previous, typed, known).filter(({ text }) => text !== typed || !isInside);
  return { start, end, suggestions: rank(candidates, typed).slice(0, LIMIT) };
}

/** Those that begin with what was typed, then those that hold it. */
function rank(candidates: readonly Suggestion[], typed: string): Suggestion[] {
  const begin = candidates.filter(({ text }) => text.startsWith(typed));
  const hold = candidates.filter(({ text }) => !text.startsWith(typed) && typed !== "" && text.includes(typed));
  return [...begin, ...hold];
}

function following(previous: readonly string[], typed: string, known: Known): Suggestion[] {
  if (previous.length === 0) {
    return VERBS.map((verb) => ({ text: verb.names[0] ?? "", about: verb.about, isWhole: true }));
  }
  const line = parse(previous.join(" "));
  if (line.verb === undefined) return [];
  if (!line.form) {
    if (previous.length > 1) return [];
    return FORMS.filter((form) => form.verb === line.verb).map((form) => ({
      text: form.subject[0] ?? "",
      about: form.about,
      isWhole: true,
    }));
  }
  const form = line.form;
  const awaited = awaitedValue(form, previous);
  if (awaited !== undefined) return values(awaited, known);
  const options = form.options
    .filter((option) => !line.options.some((given) => given.option === option))
    .map((option) => ({
      text: option.short === "" || typed.startsWith("--") ? `--${option.long}` : `-${option.short}`,
      about: `${option.value === "" ? "" : `${option.value}  `}${option.about}`,
      isWhole: true,
    }));
  if (typed.startsWith("-")) return options;
  const words = line.arguments.map((word) => word.text);
  const given = new Set(words);
  const names = objects(form, words, known).filter(({ text }) => !given.has(text));
  return [...names, ...options];
}

/** What the value of the last option is called, where that option waits for one. */
function awaitedValue(form: GrammarForm, previous: readonly string[]): string | undefined {
  const last = previous.at(-1);
  const option = form.options.find(
    (option) =>
      option.value !== "" && (last === `--${option.long}` || (option.short !== "" && last === `-${option.short}`)),
  );
  return option?.value;
}

function values(value: string, known: Known): Suggestion[] {
  if (value === "IMAGE") return named(known.images, "image");
  if (value === "CLUSTER,…") return named(known.clusters, "cluster");
  if (value === "NODES") return ["1", "3", "5", "7"].map((text) => ({ text, about: "nodes", isWhole: true }));
  if (value === "LINES") return ["20", "100", "500"].map((text) => ({ text, about: "lines", isWhole: true }));
  if (value === "DOMAIN") return [{ text: "localhost", about: "domain", isWhole: true }];
  return [];
}

/** The objects that a form's arguments name. */
function objects(form: GrammarForm, words: readonly string[], known: Known): Suggestion[] {
  return form.argument.name.split("|").flatMap((name) => {
    switch (name) {
      case "CLUSTER":
        return named(known.clusters, "cluster");
      case "NODE":
        return named(known.nodes, "node");
      case "POD":
        return named(known.pods, "pod");
      case "SERVICE":
        return named(known.services, "service");
      case "IMAGE":
        return named(known.images, "image");
      case "HOST[:PORT]":
        return form.verb === "delete" ? named(known.registries, "registry") : [];
      case "CLUSTER PORT":
        return portsOf(form, words, known);
      case "ID":
        return known.commands.map(({ id, line }) => ({ text: id.slice(0, 8), about: line, isWhole: true }));
      default:
        return [];
    }
  });
}

/** A cluster first; then, where they are to go, the ports that lead into it. */
function portsOf(form: GrammarForm, [cluster]: readonly string[], known: Known): Suggestion[] {
  if (cluster === undefined) return named(known.clusters, "cluster");
  if (form.verb !== "delete") return [];
  const ports = known.ports.get(cluster) ?? [];
  return ports.map(({ name, node }) => ({ text: name, about: `to port ${node}`, isWhole: true }));
}

function named(names: readonly string[], about: string): Suggestion[] {
  return [...new Set(names)].map((text) => ({ text, about, isWhole: true }));
}

/** How a form is used, for who has begun to write it. */
export function usage(text: string): string {
  const { form, verb } = parse(text);
  if (form) return form.usage;
  if (verb === undefined) return "";
  return `${verb} ${FORMS.filter((form) => form.verb === verb)
    .map((form) => form.subject[0])
    .join(" | ")}`;
}

export { spell };
