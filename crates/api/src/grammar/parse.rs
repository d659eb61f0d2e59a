//! From words to a [`Command`]: verb, subject, then options and arguments in any order.

use super::build::build;
use super::error::{GrammarError, nearest};
use super::form::{Argument, FORMS, Form, Opt, VERBS};
use crate::command::Command;

/// The longest line read, in bytes.
const LINE_LIMIT: usize = 16 * 1024;

/// What follows verb and subject, sorted out by a form's table.
pub(super) struct Words<'a> {
    pub(super) all: &'a [&'a str],
    pub(super) form: &'static Form,
    /// Index into `all` and text of every argument.
    pub(super) arguments: Vec<(usize, &'a str)>,
    /// Every option with the index and text of its value (its own index and "" for a flag).
    pub(super) options: Vec<(&'static Opt, usize, &'a str)>,
}

/// Reads a command line, without the leading `qbo`.
pub fn parse(line: &str) -> Result<Command, GrammarError> {
    if line.len() > LINE_LIMIT {
        let problem = format!("the line has {} bytes", line.len());
        return Err(GrammarError::at(&[], 0, problem, format!("at most {LINE_LIMIT} are read")));
    }
    parse_words(&line.split_whitespace().collect::<Vec<_>>())
}

/// Reads a command that is already split into words.
pub fn parse_words(words: &[&str]) -> Result<Command, GrammarError> {
    let (form, rest) = find_form(words)?;
    let sorted = sort_words(words, form, rest)?;
    check_arguments(&sorted)?;
    build(&sorted)
}

fn find_form(words: &[&str]) -> Result<(&'static Form, usize), GrammarError> {
    let verbs = || VERBS.iter().map(|verb| verb.names[0]).collect::<Vec<_>>().join(", ");
    let Some(&word) = words.first() else {
        return Err(GrammarError::at(words, 0, "there is no command", format!("try one of: {}", verbs())));
    };
    let Some(verb) = VERBS.iter().find(|verb| verb.names.contains(&word)) else {
        let cure = match nearest(word, VERBS.iter().flat_map(|verb| verb.names.iter().copied())) {
            Some(meant) => format!("did you mean '{meant}'?"),
            None => format!("commands begin with: {}", verbs()),
        };
        return Err(GrammarError::at(words, 0, format!("unknown command '{word}'"), cure));
    };
    let verb = verb.names[0];
    let forms = || FORMS.iter().filter(move |form| form.verb == verb);
    if let Some(form) = forms().find(|form| form.subject.is_none()) {
        return Ok((form, 1));
    }
    let subjects = || forms().filter_map(|form| form.subject);
    let names = || subjects().map(|subject| subject.names[0]).collect::<Vec<_>>().join(", ");
    let Some(&word) = words.get(1) else {
        return Err(GrammarError::at(words, 1, format!("'{verb}' needs an object"), format!("one of: {}", names())));
    };
    forms()
        .find(|form| form.subject.is_some_and(|subject| subject.names.contains(&word)))
        .map(|form| (form, 2))
        .ok_or_else(|| {
            let cure = match nearest(word, subjects().flat_map(|subject| subject.names.iter().copied())) {
                Some(meant) => format!("did you mean '{verb} {meant}'?"),
                None => format!("'{verb}' takes: {}", names()),
            };
            GrammarError::at(words, 1, format!("'{verb}' has no object '{word}'"), cure)
        })
}

fn sort_words<'a>(words: &'a [&'a str], form: &'static Form, first: usize) -> Result<Words<'a>, GrammarError> {
    let mut sorted = Words { all: words, form, arguments: Vec::new(), options: Vec::new() };
    let mut index = first;
    while let Some(&word) = words.get(index) {
        if word.len() < 2 || !word.starts_with('-') {
            sorted.arguments.push((index, word));
        } else if let Some(long) = word.strip_prefix("--") {
            let (name, inline) = long.split_once('=').map_or((long, None), |(name, value)| (name, Some(value)));
            let option = find_option(words, form, index, |option| option.long == name)?;
            take_option(&mut sorted, option, &mut index, inline)?;
        } else {
            take_letters(&mut sorted, &mut index, &word[1..])?;
        }
        index += 1;
    }
    Ok(sorted)
}

/// Letters behind one dash: flags may be joined (`-Ak`), and the first that takes a value takes the rest (`-n3`).
fn take_letters<'a>(sorted: &mut Words<'a>, index: &mut usize, letters: &'a str) -> Result<(), GrammarError> {
    for (position, letter) in letters.char_indices() {
        let option = find_option(sorted.all, sorted.form, *index, |option| option.short == Some(letter))?;
        let rest = &letters[position + letter.len_utf8()..];
        if option.value.is_some() {
            let inline = Some(rest.strip_prefix('=').unwrap_or(rest)).filter(|_| !rest.is_empty());
            return take_option(sorted, option, index, inline);
        }
        take_option(sorted, option, index, None)?;
    }
    Ok(())
}

fn take_option<'a>(
    sorted: &mut Words<'a>,
    option: &'static Opt,
    index: &mut usize,
    inline: Option<&'a str>,
) -> Result<(), GrammarError> {
    let words = sorted.all;
    if !option.is_repeatable() && sorted.options.iter().any(|(given, ..)| std::ptr::eq(*given, option)) {
        return Err(GrammarError::at(words, *index, format!("--{} is given twice", option.long), "once is enough"));
    }
    let value = match (option.value, inline) {
        (None, None) => "",
        (None, Some(_)) => {
            let problem = format!("--{} takes no value", option.long);
            return Err(GrammarError::at(words, *index, problem, format!("write --{}", option.long)));
        }
        (Some(_), Some(value)) => value,
        (Some(name), None) => {
            *index += 1;
            *words.get(*index).ok_or_else(|| {
                let problem = format!("--{} needs a value", option.long);
                GrammarError::at(words, *index, problem, format!("write {option} with {name}: {}", option.about))
            })?
        }
    };
    sorted.options.push((option, *index, value));
    Ok(())
}

fn find_option(
    words: &[&str],
    form: &'static Form,
    index: usize,
    matches: impl Fn(&Opt) -> bool,
) -> Result<&'static Opt, GrammarError> {
    form.options.iter().find(|option| matches(option)).ok_or_else(|| {
        let known = form.options.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let cure = if known.is_empty() {
            format!("'{}' takes no options", form.name())
        } else {
            format!("'{}' takes: {known}", form.name())
        };
        GrammarError::at(words, index, format!("unknown option '{}'", words[index]), cure)
    })
}

fn check_arguments(words: &Words<'_>) -> Result<(), GrammarError> {
    let form = words.form;
    let all = words.options.iter().find(|(option, ..)| option.long == "all");
    let at = |index, problem: String, cure: String| Err(GrammarError::at(words.all, index, problem, cure));
    match (form.argument, words.arguments.first(), all) {
        (Argument::None, Some((index, word)), _) => {
            at(*index, format!("'{}' takes no '{word}'", form.name()), format!("write: {}", form.usage()))
        }
        (Argument::Some(name), None, _) => at(
            words.all.len(),
            format!("'{}' needs a {name}", form.name()),
            format!("as in: {}", form.examples.first().unwrap_or(&"")),
        ),
        (Argument::SomeOrFile(name), None, _) if !words.options.iter().any(|(option, ..)| option.long == "file") => at(
            words.all.len(),
            format!("'{}' needs a {name}", form.name()),
            format!("as in: {}", form.examples.first().unwrap_or(&"")),
        ),
        (Argument::SomeOrAll(name), None, None) => at(
            words.all.len(),
            format!("'{}' needs a {name}, or -A for all", form.name()),
            format!("as in: {}", form.examples.first().unwrap_or(&"")),
        ),
        (Argument::SomeOrAll(_) | Argument::AnyOrAll(_), Some((index, word)), Some(_)) => {
            at(*index, format!("'{word}' and -A exclude each other"), "name objects or ask for all".into())
        }
        _ => Ok(()),
    }
}
