//! What a command fails with: a code, what went wrong, what would be right. Drivers and modules have errors of
//! their own; each says here, in one `From`, how it is told to people. Detail beyond that goes to the log.

use qbo_api::grammar::GrammarError;
use qbo_api::message::Code;

use crate::mirror::TooManyRooms;

/// The failure of a command, in words for its user.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{problem}")]
pub struct Failure {
    /// The final message's code.
    pub code: Code,
    /// What went wrong.
    pub problem: String,
    /// What would be right, or what to do; empty where nothing is known.
    pub cure: String,
}

impl Failure {
    /// A failure of this code.
    pub fn new(code: Code, problem: impl Into<String>, cure: impl Into<String>) -> Self {
        Self { code, problem: problem.into(), cure: cure.into() }
    }

    /// The user, or somebody for them, cancelled the command.
    pub fn cancelled() -> Self {
        Self::new(Code::CANCELLED, "cancelled", "")
    }

    /// Both on one line.
    pub fn line(&self) -> String {
        if self.cure.is_empty() { self.problem.clone() } else { format!("{}; {}", self.problem, self.cure) }
    }
}

impl From<GrammarError> for Failure {
    fn from(error: GrammarError) -> Self {
        Self::new(Code::BAD_REQUEST, error.problem, error.cure)
    }
}

impl From<TooManyRooms> for Failure {
    fn from(error: TooManyRooms) -> Self {
        Self::new(Code::TOO_MANY, error.to_string(), "use one of those, or another connection")
    }
}
