//! The message: one envelope for everything the server sends, and exactly one payload key beside it.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::model::{Cluster, Image, Node, Version};

/// What a client sends: a command line, and the mirror it is meant for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// The command line without the leading `qbo`.
    pub cmd: String,
    /// The mirror; absent or empty means the user's own.
    #[serde(default)]
    pub uuid: String,
}

/// What the server sends.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// About whom and what.
    #[serde(flatten)]
    pub envelope: Envelope,
    /// The rows.
    #[serde(flatten)]
    pub payload: Payload,
}

/// The fields every message has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Envelope {
    /// RFC 3339, UTC, microseconds.
    pub timestamp: String,
    /// The reason phrase of `code`.
    pub status: String,
    /// How far the command is, or how it failed.
    pub code: Code,
    /// One per command; every message of a command carries it.
    pub command_id: Uuid,
    /// The normalised line with `qbo ` in front.
    pub command_line: String,
    /// The verb; [`Verb::Done`] on the final message.
    pub command: Verb,
    /// The object; [`Subcommand::Done`] on the final message.
    pub subcommand: Subcommand,
    /// `APICMD_NONE`, `APICMD_DONE`, or the backend call in progress.
    pub apicommand: String,
    /// What the server waits for, in words of the backend; empty when nothing.
    pub callback: String,
    /// The mirror.
    pub uuid: Uuid,
    /// The e-mail address of who ran it.
    pub user: String,
    /// Component and version that produced the message.
    pub agent: String,
    /// The address of the client that sent the command.
    pub peer: String,
    /// The name of the API's host.
    pub host: String,
    /// `file:line` in the server that produced it.
    pub source: String,
    /// The id of the connection that sent the command.
    pub wsi: String,
    /// The id of the task that runs the command.
    pub thread_id: i64,
    /// The listener the connection came in on.
    pub vhost: String,
}

/// The rows of a message; the variant's name is their key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Payload {
    /// Versions.
    Version(Vec<Version>),
    /// Clusters.
    Clusters(Vec<Cluster>),
    /// Nodes.
    Nodes(Vec<Node>),
    /// Images.
    Images(Vec<Image>),
    /// Lines for people, steps, kubeconfigs.
    Output(Vec<Output>),
    /// The command as accepted.
    Input(Vec<Input>),
}

/// The echo of an accepted command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Input {
    /// The normalised line.
    pub message: String,
}

/// A line of output.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Output {
    /// A kubeconfig, and nothing else.
    Kubeconfig {
        /// YAML.
        kubeconfig: String,
    },
    /// A step of long work.
    Step(Step),
    /// A finding about the host.
    Check {
        /// The finding on one line.
        message: String,
        /// What was looked at.
        check: String,
        /// `good`, `warning` or `bad`.
        level: String,
        /// What to do about it.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        cure: Option<String>,
    },
    /// What went wrong and what would be right.
    Failure {
        /// Both on one line.
        message: String,
        /// What went wrong.
        problem: String,
        /// What to do about it; empty where nothing is known.
        cure: String,
    },
    /// A line for people.
    Message {
        /// The line.
        message: String,
    },
}

/// A step of long work, reported when it starts and when it ends.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// The step on one line, for people.
    pub message: String,
    /// The object worked on: a cluster's or an image's name.
    pub object: String,
    /// The node it is about; empty where it is about the whole.
    pub node: String,
    /// What is done.
    pub step: String,
    /// How far it is.
    pub state: StepState,
    /// Seconds since the command was accepted.
    pub elapsed: f64,
    /// Seconds the step took so far.
    pub duration: f64,
}

/// How far a step is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StepState {
    /// It began.
    Started,
    /// It goes on; the message tells how far.
    Progress,
    /// It is done.
    Done,
    /// It failed.
    Failed,
    /// It was undone after another step failed.
    Undone,
}

/// A status code with HTTP's meaning (RFC 9110): 202 accepted, 201 partial, 200 final, from 400 on failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Code(pub u16);

impl Code {
    /// The final result.
    pub const OK: Self = Self(200);
    /// A partial result or the progress of a running command.
    pub const CREATED: Self = Self(201);
    /// The echo of an accepted command.
    pub const ACCEPTED: Self = Self(202);
    /// The line or the request is wrong in itself.
    pub const BAD_REQUEST: Self = Self(400);
    /// No right to do that.
    pub const FORBIDDEN: Self = Self(403);
    /// What is named does not exist.
    pub const NOT_FOUND: Self = Self(404);
    /// What is named exists already, or is busy.
    pub const CONFLICT: Self = Self(409);
    /// The request is too large.
    pub const TOO_LARGE: Self = Self(413);
    /// Understood, but it cannot be done with these objects.
    pub const UNPROCESSABLE: Self = Self(422);
    /// More than this connection or user may run at once.
    pub const TOO_MANY: Self = Self(429);
    /// Cancelled by the client (nginx's code; no RFC has one).
    pub const CANCELLED: Self = Self(499);
    /// The server's own fault.
    pub const INTERNAL: Self = Self(500);
    /// Docker, a registry or Kubernetes answered with an error.
    pub const BAD_GATEWAY: Self = Self(502);
    /// Docker or Kubernetes cannot be reached.
    pub const UNAVAILABLE: Self = Self(503);
    /// Something did not happen in time.
    pub const TIMEOUT: Self = Self(504);
    /// The host has no room left.
    pub const NO_ROOM: Self = Self(507);

    /// The reason phrase.
    pub fn reason(self) -> &'static str {
        match self {
            Self::OK => "OK",
            Self::CREATED => "Created",
            Self::ACCEPTED => "Accepted",
            Self::BAD_REQUEST => "Bad Request",
            Self::FORBIDDEN => "Forbidden",
            Self::NOT_FOUND => "Not Found",
            Self::CONFLICT => "Conflict",
            Self::TOO_LARGE => "Content Too Large",
            Self::UNPROCESSABLE => "Unprocessable Content",
            Self::TOO_MANY => "Too Many Requests",
            Self::CANCELLED => "Client Closed Request",
            Self::BAD_GATEWAY => "Bad Gateway",
            Self::UNAVAILABLE => "Service Unavailable",
            Self::TIMEOUT => "Gateway Timeout",
            Self::NO_ROOM => "Insufficient Storage",
            Self(_) => "Internal Server Error",
        }
    }

    /// Whether a message with this code ends its command.
    pub fn is_final(self) -> bool {
        self == Self::OK || self.0 >= 400
    }

    /// Whether it tells of a failure.
    pub fn is_failure(self) -> bool {
        self.0 >= 400
    }

    /// Whether the failure is the user's to mend, rather than ours or the host's.
    pub fn is_user_error(self) -> bool {
        (400..500).contains(&self.0)
    }
}

/// The verb of a command, as messages name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Verb {
    /// `version`
    #[serde(rename = "CMD_VERSION")]
    Version,
    /// `get`
    #[serde(rename = "CMD_GET")]
    Get,
    /// `add`
    #[serde(rename = "CMD_ADD")]
    Add,
    /// `delete`
    #[serde(rename = "CMD_DELETE")]
    Delete,
    /// `test`
    #[serde(rename = "CMD_TEST")]
    Test,
    /// `cancel`
    #[serde(rename = "CMD_CANCEL")]
    Cancel,
    /// A line that is no command.
    #[serde(rename = "CMD_NONE")]
    None,
    /// The command has ended.
    #[serde(rename = "CMD_DONE")]
    Done,
}

/// The object of a command, as messages name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Subcommand {
    /// Clusters.
    #[serde(rename = "SUBCMD_CLUSTER")]
    Cluster,
    /// Nodes.
    #[serde(rename = "SUBCMD_NODE")]
    Node,
    /// Images.
    #[serde(rename = "SUBCMD_IMAGE")]
    Image,
    /// The host.
    #[serde(rename = "SUBCMD_HOST")]
    Host,
    /// Running commands.
    #[serde(rename = "SUBCMD_COMMAND")]
    Command,
    /// None.
    #[serde(rename = "SUBCMD_NONE")]
    None,
    /// The command has ended.
    #[serde(rename = "SUBCMD_DONE")]
    Done,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_has_one_payload_key_with_an_array() {
        let message = Message { envelope: envelope(), payload: Payload::Version(vec![Version::default()]) };
        let value = serde_json::to_value(&message).unwrap();
        assert_eq!(value["version"], serde_json::json!([{}]));
        assert_eq!(value["command"], "CMD_DONE");
        assert_eq!(value["code"], 200);
        assert_eq!(value.as_object().unwrap().len(), 19, "eighteen fields of the envelope and one key");
        assert_eq!(serde_json::from_value::<Message>(value).unwrap(), message);
    }

    #[test]
    fn outputs_are_told_apart_by_their_fields() {
        let step = Step {
            message: "network: done".into(),
            object: "alex".into(),
            node: String::new(),
            step: "network".into(),
            state: StepState::Done,
            elapsed: 1.5,
            duration: 0.5,
        };
        for output in [
            Output::Kubeconfig { kubeconfig: "apiVersion: v1".into() },
            Output::Step(step),
            Output::Check { message: "m".into(), check: "kernel".into(), level: "good".into(), cure: None },
            Output::Failure { message: "m".into(), problem: "p".into(), cure: String::new() },
            Output::Message { message: "m".into() },
        ] {
            let text = serde_json::to_string(&output).unwrap();
            assert_eq!(serde_json::from_str::<Output>(&text).unwrap(), output);
        }
    }

    fn envelope() -> Envelope {
        Envelope {
            timestamp: "2026-01-01T00:00:00.000000Z".into(),
            status: "OK".into(),
            code: Code::OK,
            command_id: Uuid::nil(),
            command_line: "qbo version".into(),
            command: Verb::Done,
            subcommand: Subcommand::Done,
            apicommand: "APICMD_DONE".into(),
            callback: String::new(),
            uuid: Uuid::nil(),
            user: "user@example.com".into(),
            agent: "qbo-api".into(),
            peer: "127.0.0.1:1".into(),
            host: "host".into(),
            source: "main.rs:1".into(),
            wsi: "1".into(),
            thread_id: 1,
            vhost: "127.0.0.1:9601".into(),
        }
    }
}
