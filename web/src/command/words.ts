/** A line as the grammar reads it: its words with where they stand, the form they are of, and what is wrong with it. */

import { FORMS, VERBS, type GrammarForm, type GrammarOption } from "$contract/grammar";

export interface Word {
  readonly text: string;
  readonly start: number;
  readonly end: number;
}

/** Which word is wrong, why, and what would be right. */
export interface Wrong {
  readonly start: number;
  readonly end: number;
  readonly problem: string;
  readonly cure: string;
  /** Whether it is wrong only because more is to come. */
  readonly unfinished: boolean;
}

/** A line, sorted out as far as it could be. */
export interface Line {
  readonly words: readonly Word[];
  /** The first name of the verb. */
  readonly verb: string | undefined;
  readonly form: GrammarForm | undefined;
  readonly arguments: readonly Word[];
  readonly options: readonly { readonly option: GrammarOption; readonly value: string }[];
  readonly wrong: Wrong | undefined;
}

export function split(text: string): Word[] {
  return Array.from(text.matchAll(/\S+/g), (match) => ({
    text: match[0],
    start: match.index,
    end: match.index + match[0].length,
  }));
}

/** Reads a line; a leading `qbo` is what people type out of habit. */
export function parse(text: string): Line {
  const all = split(text);
  const words = all[0]?.text === "qbo" ? all.slice(1) : all;
  const empty: Line = { words, verb: undefined, form: undefined, arguments: [], options: [], wrong: undefined };
  const end = text.length;
  const missing = (problem: string, cure: string): Wrong => ({ start: end, end, problem, cure, unfinished: true });

  const first = words[0];
  if (!first) return { ...empty, wrong: missing("there is no command", `try one of: ${verbs()}`) };
  const verb = VERBS.find((verb) => verb.names.includes(first.text))?.names[0];
  if (verb === undefined) {
    const meant = nearest(
      first.text,
      VERBS.flatMap((verb) => verb.names),
    );
    const cure = meant === undefined ? `commands begin with: ${verbs()}` : `did you mean '${meant}'?`;
    return { ...empty, wrong: at(first, `unknown command '${first.text}'`, cure) };
  }
  const forms = FORMS.filter((form) => form.verb === verb);
  const alone = forms.find((form) => form.subject.length === 0);
  if (alone) return rest({ ...empty, verb, form: alone }, 1, end);
  const second = words[1];
  const subjects = forms.map((form) => form.subject[0]).join(", ");
  if (!second) return { ...empty, verb, wrong: missing(`'${verb}' needs an object`, `one of: ${subjects}`) };
  const form = forms.find((form) => form.subject.includes(second.text));
  if (!form) {
    const meant = nearest(
      second.text,
      forms.flatMap((form) => form.subject),
    );
    const cure = meant === undefined ? `'${verb}' takes: ${subjects}` : `did you mean '${verb} ${meant}'?`;
    return { ...empty, verb, wrong: at(second, `'${verb}' has no object '${second.text}'`, cure) };
  }
  return rest({ ...empty, verb, form }, 2, end);
}

/** Options and arguments, in any order. */
function rest(line: Line & { form: GrammarForm }, first: number, end: number): Line {
  const { form, words } = line;
  const found: Word[] = [];
  const options: { option: GrammarOption; value: string }[] = [];
  const fail = (wrong: Wrong): Line => ({ ...line, arguments: found, options, wrong });
  const known = form.options.map(spell).join(", ");
  const takes = known === "" ? `'${nameOf(form)}' takes no options` : `'${nameOf(form)}' takes: ${known}`;

  for (let index = first; index < words.length; index += 1) {
    const word = words[index];
    if (!word) break;
    if (word.text.length < 2 || !word.text.startsWith("-")) {
      found.push(word);
      continue;
    }
    for (const { option, inline } of taken(form, word.text)) {
      if (!option) return fail(at(word, `unknown option '${word.text}'`, takes));
      if (options.some((given) => given.option === option)) {
        return fail(at(word, `--${option.long} is given twice`, "once is enough"));
      }
      if (option.value === "") {
        if (inline !== undefined) return fail(at(word, `--${option.long} takes no value`, `write --${option.long}`));
        options.push({ option, value: "" });
        continue;
      }
      const value = inline ?? words[(index += 1)]?.text;
      if (value === undefined) {
        const cure = `write ${spell(option)} with ${option.value}: ${option.about}`;
        const problem = `--${option.long} needs a value`;
        return fail({ start: end, end, problem, cure, unfinished: true });
      }
      options.push({ option, value });
    }
  }
  const wrong = misused({ ...line, arguments: found, options }, end);
  return { ...line, arguments: found, options, wrong };
}

/** The options that one word gives: `--image=x`, or letters behind one dash, of which the first with a value takes the rest. */
function taken(form: GrammarForm, word: string): { option: GrammarOption | undefined; inline: string | undefined }[] {
  if (word.startsWith("--")) {
    const [name = "", ...values] = word.slice(2).split("=");
    const option = form.options.find((option) => option.long === name);
    return [{ option, inline: values.length > 0 ? values.join("=") : undefined }];
  }
  const given = [];
  for (let index = 1; index < word.length; index += 1) {
    const option = form.options.find((option) => option.short !== "" && option.short === word[index]);
    if (option && option.value !== "") {
      const inline = word.slice(index + 1).replace(/^=/, "");
      return [...given, { option, inline: inline === "" ? undefined : inline }];
    }
    given.push({ option, inline: undefined });
  }
  return given;
}

function misused(line: Line & { form: GrammarForm }, end: number): Wrong | undefined {
  const { form } = line;
  const all = line.options.some(({ option }) => option.long === "all");
  const first = line.arguments[0];
  const example = `as in: ${form.examples[0] ?? form.usage}`;
  const missing = (problem: string): Wrong => ({ start: end, end, problem, cure: example, unfinished: true });
  switch (form.argument.take) {
    case "none":
      return first && at(first, `'${nameOf(form)}' takes no '${first.text}'`, `write: ${form.usage}`);
    case "some":
      return first ? undefined : missing(`'${nameOf(form)}' needs a ${form.argument.name}`);
    case "someOrAll":
      if (!first && !all) return missing(`'${nameOf(form)}' needs a ${form.argument.name}, or -A for all`);
      break;
    case "any":
      return undefined;
    case "anyOrAll":
      break;
  }
  return first && all
    ? at(first, `'${first.text}' and -A exclude each other`, "name objects or ask for all")
    : undefined;
}

/** Verb and subject as printed. */
export function nameOf(form: GrammarForm): string {
  return form.subject[0] === undefined ? form.verb : `${form.verb} ${form.subject[0]}`;
}

/** An option as usage texts spell it. */
export function spell(option: GrammarOption): string {
  const name = option.short === "" ? `--${option.long}` : `-${option.short}`;
  return option.value === "" ? name : `${name} ${option.value}`;
}

function verbs(): string {
  return VERBS.map((verb) => verb.names[0]).join(", ");
}

function at(word: Word, problem: string, cure: string): Wrong {
  return { start: word.start, end: word.end, problem, cure, unfinished: false };
}

/** The candidate that was probably meant, where one is near enough. */
function nearest(word: string, candidates: readonly string[]): string | undefined {
  const near = candidates
    .map((candidate) => ({ candidate, distance: distance(word.slice(0, 32), candidate) }))
    .filter(({ candidate, distance }) => distance <= 2 && distance < candidate.length);
  return near.sort((left, right) => left.distance - right.distance)[0]?.candidate;
}

/** Damerau–Levenshtein distance with adjacent transpositions. */
function distance(left: string, right: string): number {
  const rows: number[][] = [Array.from({ length: right.length + 1 }, (_, index) => index)];
  const cell = (row: number, column: number): number => rows[row]?.[column] ?? Number.MAX_SAFE_INTEGER;
  for (let i = 1; i <= left.length; i += 1) {
    const row = [i];
    rows.push(row);
    for (let j = 1; j <= right.length; j += 1) {
      const replaced = cell(i - 1, j - 1) + (left[i - 1] === right[j - 1] ? 0 : 1);
      let best = Math.min(replaced, cell(i - 1, j) + 1, cell(i, j - 1) + 1);
      if (i > 1 && j > 1 && left[i - 1] === right[j - 2] && left[i - 2] === right[j - 1]) {
        best = Math.min(best, cell(i - 2, j - 2) + 1);
      }
      row.push(best);
    }
  }
  return cell(left.length, right.length);
}
