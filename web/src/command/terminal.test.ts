import { expect, test } from "vitest";
import type { GrammarForm } from "$contract/grammar";
import { opensTerminal } from "./terminal";
import type { Line } from "./words";

const option = (long: string, value: string): Line["options"][number] => ({
  option: { short: "", long, value: value === "" ? "" : "VALUE", about: "" },
  value,
});

function line(verb: string, subject: string[], names: string[], options: Line["options"] = []): Line {
  const form: GrammarForm = {
    verb,
    subject,
    argument: { take: "any", name: "POD" },
    options: [],
    usage: "",
    about: "",
    examples: [],
  };
  const words = names.map((text) => ({ text, start: 0, end: 0 }));
  return { words, verb, form, arguments: words, options, wrong: undefined };
}

test("shells and pods' logs are terminals, and all else is the server's", () => {
  expect(opensTerminal(line("open", ["shell"], []))).toEqual({ kind: "shell" });
  expect(opensTerminal(line("open", ["node", "nodes"], ["node-1"]))).toEqual({ kind: "node", node: "node-1" });
  expect(opensTerminal(line("open", ["pod"], ["web"], [option("cluster", "alex"), option("container", "a")]))).toEqual({
    kind: "pod",
    pod: "web",
    cluster: "alex",
    container: "a",
  });
  expect(opensTerminal(line("logs", [], ["web"], [option("follow", ""), option("lines", "20")]))).toEqual({
    kind: "logs",
    pod: "web",
    follow: true,
    tail: 20,
  });
  expect(opensTerminal(line("logs", [], []))).toBeUndefined();
  expect(opensTerminal(line("get", ["nodes"], ["alex"]))).toBeUndefined();
});
