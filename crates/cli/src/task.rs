//! What an invocation is asked for: a command for the server, or something the CLI answers itself.

use qbo_api::command::Command;
use qbo_api::grammar::parse_words;

use crate::arguments::Arguments;
use crate::failure::Failure;
use crate::{completion, help, manual};

/// The word with which completion scripts call back.
pub(crate) const COMPLETE: &str = "__complete";

/// What is to be done.
#[derive(Debug)]
pub(crate) enum Task {
    /// A text of the CLI's own.
    Print(String),
    /// Candidates for the last of these words.
    Complete(Vec<String>),
    /// A command of the grammar.
    Command(Command),
}

impl Task {
    /// Tells what is asked for.
    pub(crate) fn choose(arguments: &Arguments) -> Result<Self, Failure> {
        let words: Vec<&str> = arguments.words.iter().map(String::as_str).collect();
        if arguments.version {
            return Ok(Self::Print(concat!("qbo ", env!("CARGO_PKG_VERSION"), "\n").into()));
        }
        Ok(match words.as_slice() {
            [first, ..] if *first == COMPLETE => Self::Complete(arguments.words[1..].to_vec()),
            ["help", words @ ..] => Self::Print(help::text(words)?),
            words if arguments.help => Self::Print(help::text(words)?),
            ["completion", words @ ..] => Self::Print(completion::script(words)?.into()),
            ["man"] => Self::Print(manual::page()),
            words => Self::Command(parse_words(words)?),
        })
    }
}
