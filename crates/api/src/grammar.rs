//! The one command grammar: a table of forms ([`FORMS`]), and the parser that reads a line by it.
//!
//! Server and CLI parse with the same table; help texts, shell completion and the manual page are made from it.
//! An error points at the word that is wrong and says what would be right.

mod build;
mod error;
mod form;
mod parse;

pub use error::GrammarError;
pub use form::{Argument, FORMS, Form, Opt, SubjectName, VERBS, VerbName};
pub use parse::{parse, parse_words};
