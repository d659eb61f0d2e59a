//! The command table for TypeScript: what a browser needs to complete a line and to tell which word is wrong.

use qbo_api::grammar::{Argument, FORMS, Form, Opt, VERBS, VerbName};
use serde::Serialize;

use crate::COMMAND;

/// What the constants are made of, above them.
const TYPES: &str = "\
/** A verb; the first name is the one printed. */
export interface GrammarVerb {
  readonly names: readonly string[];
  readonly about: string;
}

/** An option of a form: its letter (empty where it has none), its word, and what its value is called (empty for a flag). */
export interface GrammarOption {
  readonly short: string;
  readonly long: string;
  readonly value: string;
  readonly about: string;
}

/** The words that follow verb and subject: how many, and what they name, as `CLUSTER|NODE`. */
export interface GrammarArgument {
  readonly take: \"none\" | \"some\" | \"someOrAll\" | \"anyOrAll\" | \"any\";
  readonly name: string;
}

/** One command: its verb by first name, the names of its subject (none where the verb stands alone), and what follows. */
export interface GrammarForm {
  readonly verb: string;
  readonly subject: readonly string[];
  readonly argument: GrammarArgument;
  readonly options: readonly GrammarOption[];
  readonly usage: string;
  readonly about: string;
  readonly examples: readonly string[];
}
";

#[derive(Serialize)]
struct VerbRow {
    names: &'static [&'static str],
    about: &'static str,
}

#[derive(Serialize)]
struct FormRow {
    verb: &'static str,
    subject: &'static [&'static str],
    argument: ArgumentRow,
    options: Vec<OptionRow>,
    usage: String,
    about: &'static str,
    examples: &'static [&'static str],
}

#[derive(Serialize)]
struct ArgumentRow {
    take: &'static str,
    name: &'static str,
}

#[derive(Serialize)]
struct OptionRow {
    short: String,
    long: &'static str,
    value: &'static str,
    about: &'static str,
}

/// The whole file.
pub(crate) fn print() -> anyhow::Result<String> {
    let verbs: Vec<VerbRow> = VERBS.iter().map(verb).collect();
    let forms: Vec<FormRow> = FORMS.iter().map(form).collect();
    Ok(format!(
        "// Made by `{COMMAND}` from the command table of crates/api: change that.\n\n{TYPES}\n\
         /** All verbs, in the order of help texts. */\nexport const VERBS: readonly GrammarVerb[] = {};\n\n\
         /** All commands, in the order of help texts. */\nexport const FORMS: readonly GrammarForm[] = {};\n",
        serde_json::to_string_pretty(&verbs)?,
        serde_json::to_string_pretty(&forms)?,
    ))
}

fn verb(verb: &VerbName) -> VerbRow {
    VerbRow { names: verb.names, about: verb.about }
}

fn form(form: &Form) -> FormRow {
    let (take, name) = match form.argument {
        Argument::None => ("none", ""),
        // A browser has no file to send beside a line.
        Argument::Some(name) | Argument::SomeOrFile(name) => ("some", name),
        Argument::SomeOrAll(name) => ("someOrAll", name),
        Argument::AnyOrAll(name) => ("anyOrAll", name),
        Argument::Any(name) => ("any", name),
    };
    FormRow {
        verb: form.verb,
        subject: form.subject.map_or(&[], |subject| subject.names),
        argument: ArgumentRow { take, name },
        options: form.options.iter().map(option).collect(),
        usage: form.usage(),
        about: form.about,
        examples: form.examples,
    }
}

fn option(option: &Opt) -> OptionRow {
    OptionRow {
        short: option.short.map(String::from).unwrap_or_default(),
        long: option.long,
        value: option.value.unwrap_or_default(),
        about: option.about,
    }
}
