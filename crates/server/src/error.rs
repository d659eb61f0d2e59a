//! What a command fails with: a code, what went wrong, what would be right. Drivers and modules have errors of
//! their own; each says here, in one `From`, how it is told to people. Detail beyond that goes to the log.

use qbo_api::file::FileError;
use qbo_api::grammar::GrammarError;
use qbo_api::message::Code;
use qbo_api::wanted::Conflict;

use crate::mirror::RoomError;

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

impl From<FileError> for Failure {
    fn from(error: FileError) -> Self {
        Self::new(Code::BAD_REQUEST, error.problem, error.cure)
    }
}

impl From<Conflict> for Failure {
    fn from(conflict: Conflict) -> Self {
        Self::new(Code::BAD_REQUEST, conflict.problem, conflict.cure)
    }
}

impl From<RoomError> for Failure {
    fn from(error: RoomError) -> Self {
        let (code, cure) = match error {
            RoomError::TooMany => (Code::TOO_MANY, "leave one of them, or use another connection"),
            RoomError::NotAdmitted { .. } => (Code::FORBIDDEN, "ask its owner: qbo admit user <you> -m <mirror>"),
            RoomError::NotYours(_) => (Code::FORBIDDEN, "its owner can: qbo admit user <email> -m <mirror>"),
            RoomError::Unknown(_) => {
                (Code::NOT_FOUND, "a mirror is there while a connection is in it: join it first, and stay connected")
            }
            RoomError::NotIn(_) => (Code::NOT_FOUND, "see where you are: qbo get clients"),
            RoomError::Own(_) => (Code::CONFLICT, "it is that user's alone, and always there"),
            RoomError::Full(_) => (Code::TOO_MANY, "use another mirror for the others"),
        };
        Self::new(code, error.to_string(), cure)
    }
}
