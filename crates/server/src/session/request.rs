//! From a frame to a command, or to what is wrong with it.

use qbo_api::command::Command;
use qbo_api::grammar;
use qbo_api::message::{Code, Request};
use uuid::Uuid;

use crate::error::Failure;

/// The largest request, in bytes.
pub(super) const LIMIT: usize = 64 * 1024;

/// How much of a line that is no command is sent back, in characters.
const ECHO: usize = 200;

/// What a client asked for.
#[derive(Debug)]
pub(super) struct Asked {
    /// The mirror it is meant for; the user's own where none is named.
    pub(super) mirror: Option<Uuid>,
    /// The command.
    pub(super) command: Command,
}

/// What a client sent and should not have.
#[derive(Debug)]
pub(super) struct Refused {
    /// What it sent, cut to a bearable length.
    pub(super) line: String,
    /// The mirror it is meant for, where that much could be read.
    pub(super) mirror: Option<Uuid>,
    /// What is wrong with it.
    pub(super) failure: Failure,
}

/// Reads a text frame.
pub(super) fn read(frame: &str) -> Result<Asked, Refused> {
    if frame.len() > LIMIT {
        return Err(Refused::too_large(frame));
    }
    let request: Request = serde_json::from_str(frame).map_err(|error| Refused {
        line: excerpt(frame),
        mirror: None,
        failure: bad(format!("the frame is not a request: {error}"), r#"send {"cmd": "version", "uuid": ""}"#),
    })?;
    let mirror = match request.uuid.as_str() {
        "" => None,
        text => Some(text.parse().map_err(|_| Refused {
            line: excerpt(&request.cmd),
            mirror: None,
            failure: bad(format!("'{}' is not the uuid of a mirror", excerpt(text)), "leave it empty for your own"),
        })?),
    };
    let command = grammar::parse(&request.cmd).map_err(|error| Refused {
        line: excerpt(&request.cmd),
        mirror,
        failure: error.into(),
    })?;
    let command = command.with_file(request.file.as_deref()).map_err(|error| Refused {
        line: excerpt(&request.cmd),
        mirror,
        failure: error.into(),
    })?;
    Ok(Asked { mirror, command })
}

impl Refused {
    /// A binary frame.
    pub(super) fn binary() -> Self {
        let failure = bad("the frame is binary".into(), "requests are JSON in text frames");
        Self { line: String::new(), mirror: None, failure }
    }

    /// A frame beyond [`LIMIT`], of which this is known.
    pub(super) fn too_large(frame: &str) -> Self {
        let failure =
            Failure::new(Code::TOO_LARGE, "the request is too large", format!("at most {LIMIT} bytes are read"));
        Self { line: excerpt(frame), mirror: None, failure }
    }
}

fn bad(problem: String, cure: &str) -> Failure {
    Failure::new(Code::BAD_REQUEST, problem, cure)
}

/// The beginning of a text without its control characters: it is shown on terminals of others.
fn excerpt(text: &str) -> String {
    text.chars().take(ECHO).map(|character| if character.is_control() { ' ' } else { character }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_names_a_command_and_perhaps_a_mirror() {
        let asked = read(r#"{"cmd": " get  nodes alex", "uuid": "66fac858-a271-49cf-bad0-fdd9ff0b4787"}"#).unwrap();
        assert_eq!(asked.command.to_string(), "get nodes alex");
        assert_eq!(asked.mirror.unwrap().to_string(), "66fac858-a271-49cf-bad0-fdd9ff0b4787");
        for own in [r#"{"cmd": "version"}"#, r#"{"cmd": "version", "uuid": "", "more": 1}"#] {
            assert_eq!(read(own).unwrap().mirror, None);
        }
    }

    #[test]
    fn what_is_wrong_is_told_with_what_was_sent() {
        let mirror = "66fac858-a271-49cf-bad0-fdd9ff0b4787";
        for (frame, line, problem) in [
            ("version", "version", "not a request"),
            ("", "", "not a request"),
            ("[]", "[]", "not a request"),
            (r#"{"uuid": ""}"#, r#"{"uuid": ""}"#, "missing field `cmd`"),
            (r#"{"cmd": "version", "uuid": "alex"}"#, "version", "'alex' is not the uuid"),
            (r#"{"cmd": "ad cluster alex"}"#, "ad cluster alex", "unknown command 'ad'"),
            (r#"{"cmd": "a\u001b[31m"}"#, "a [31m", "unknown command"),
        ] {
            let refused = read(frame).unwrap_err();
            assert_eq!(refused.line, line);
            assert_eq!(refused.failure.code, Code::BAD_REQUEST);
            assert!(refused.failure.problem.contains(problem), "{}", refused.failure);
        }
        let refused = read(&format!(r#"{{"cmd": "frobnicate", "uuid": "{mirror}"}}"#)).unwrap_err();
        assert_eq!(refused.mirror, mirror.parse().ok());
    }

    #[test]
    fn a_large_request_is_cut_in_the_answer() {
        let refused = read(&"é".repeat(LIMIT)).unwrap_err();
        assert_eq!(refused.failure.code, Code::TOO_LARGE);
        assert_eq!(refused.line, "é".repeat(ECHO));
    }
}
