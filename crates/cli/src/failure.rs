//! How an invocation ends, and what is said when it ends badly.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::process::ExitCode;

use qbo_api::grammar::GrammarError;
use qbo_api::message::Code;

use crate::render::Look;
use crate::render::style::Colour;

/// The exit codes, as help and manual page list them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Done.
    Success,
    /// The user can mend it.
    User,
    /// A failure of qbo or of the host.
    Host,
    /// Ctrl-C, 128 + SIGINT as shells have it.
    Interrupted,
    /// As the program of a terminal ended.
    Program(u8),
    /// The reader of the output has gone, 128 + SIGPIPE as shells have it.
    ClosedPipe,
}

/// The end of an invocation that did not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    /// How the process ends.
    pub(crate) exit: Exit,
    /// What went wrong; empty where nothing is to be said.
    pub(crate) problem: String,
    /// What to do about it, on lines of its own; empty where nothing is known.
    pub(crate) cure: String,
}

impl Failure {
    /// Something the user can mend.
    pub(crate) fn user(problem: impl Into<String>, cure: impl Into<String>) -> Self {
        Self { exit: Exit::User, problem: problem.into(), cure: cure.into() }
    }

    /// A failure of qbo or of the host.
    pub(crate) fn host(problem: impl Into<String>, cure: impl Into<String>) -> Self {
        Self { exit: Exit::Host, problem: problem.into(), cure: cure.into() }
    }

    /// What the server ended a command with.
    pub(crate) fn answered(code: Code, problem: &str, cure: &str) -> Self {
        let exit = if code.is_user_error() { Exit::User } else { Exit::Host };
        Self { exit, problem: problem.into(), cure: cure.into() }
    }

    /// Says it on standard error.
    pub(crate) fn tell(self, look: Look) -> Exit {
        if !self.problem.is_empty() {
            note(&self.text(look));
        }
        self.exit
    }

    /// `error: problem`, and the cure indented.
    pub(crate) fn text(&self, look: Look) -> String {
        let mut text = format!("{} {}", look.errors.paint(Colour::Red, "error:"), self.problem);
        for line in self.cure.lines() {
            // Writing to a String cannot fail.
            let _ = write!(text, "\n  {line}");
        }
        text
    }
}

/// A line on standard error; nobody is left to tell if that is closed.
pub(crate) fn note(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}

/// Of writing the output: all other errors of I/O are told where their subject is known.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self { exit: Exit::ClosedPipe, problem: String::new(), cure: String::new() },
            _ => Self::host(format!("cannot write the output: {error}"), ""),
        }
    }
}

impl From<GrammarError> for Failure {
    fn from(error: GrammarError) -> Self {
        let marked = error.marked();
        let mut lines = marked.lines();
        let (line, mark) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
        Self::user(error.problem, format!("qbo {line}\n    {mark}\n{}", error.cure))
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Success => 0,
            Exit::User => 1,
            Exit::Host => 2,
            Exit::Program(code) => code,
            Exit::Interrupted => 130,
            Exit::ClosedPipe => 141,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grammar_error_marks_the_word() {
        let failure = Failure::from(qbo_api::grammar::parse("add clutser alex").unwrap_err());
        assert_eq!(failure.exit, Exit::User);
        assert_eq!(
            failure.text(Look::default()),
            "error: 'add' has no object 'clutser'\n  qbo add clutser alex\n          ^^^^^^^\n  did you mean 'add cluster'?"
        );
    }

    #[test]
    fn codes_of_the_server_become_exit_codes() {
        for (code, exit) in [(Code::NOT_FOUND, Exit::User), (Code::CANCELLED, Exit::User), (Code::NO_ROOM, Exit::Host)]
        {
            assert_eq!(Failure::answered(code, "", "").exit, exit);
        }
    }
}
