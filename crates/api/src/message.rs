//! The message: one envelope for everything the server sends, and exactly one payload key beside it.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::model::{Client, Cluster, Image, Network, Node, Pod, Registry, Service, Usage, Version};

/// What a client sends: a command line, the mirror it is meant for, and the file that the line names, if it does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Request {
    /// The command line without the leading `qbo`.
    pub cmd: String,
    /// The mirror; absent or empty means the user's own.
    #[serde(default)]
    pub uuid: String,
    /// The text of the file that `-f` names: the server reads no files of its clients' hosts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
}

/// What the server sends.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Envelope {
    /// RFC 3339, UTC, microseconds.
    #[cfg_attr(feature = "schema", schemars(extend("format" = "date-time")))]
    pub timestamp: String,
    /// The reason phrase of `code`.
    pub status: String,
    /// How far the command is, or how it failed.
    pub code: Code,
    /// One per command; every message of a command carries it.
    pub command_id: Uuid,
    /// The normalised line with `qbo ` in front.
    pub command_line: String,
    /// The verb; `CMD_DONE` on the final message of success.
    pub command: Verb,
    /// The object; `SUBCMD_DONE` on the final message of success.
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
    /// On rows of what is known now: the state of all objects they were taken from. It grows with every change, also over
    /// a restart of the server, and is the same for all who are told of that change.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub sequence: Option<u64>,
    /// On rows that no command asked for: what became of them.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub change: Option<Change>,
}

/// What became of the rows of a message that no command asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Change {
    /// They are there, or are as told here now.
    Put,
    /// They are gone; the rows are as they were last.
    Delete,
    /// They replace all rows of their kind that this client was told of before: it did not keep up. Further rows of the
    /// kind may follow as `put`.
    Snapshot,
}

/// The rows of a message; the variant's name is their key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Payload {
    /// Versions.
    Version(Vec<Version>),
    /// Clusters.
    Clusters(Vec<Cluster>),
    /// Nodes.
    Nodes(Vec<Node>),
    /// Pods.
    Pods(Vec<Pod>),
    /// Services, a row for each port.
    Services(Vec<Service>),
    /// Networks.
    Networks(Vec<Network>),
    /// Images.
    Images(Vec<Image>),
    /// Registries.
    Registries(Vec<Registry>),
    /// Connections.
    Clients(Vec<Client>),
    /// What nodes and pods use.
    Usage(Vec<Usage>),
    /// Lines for people, steps, kubeconfigs.
    Output(Vec<Output>),
    /// The command as accepted.
    Input(Vec<Input>),
}

impl Payload {
    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        match self {
            Self::Version(rows) => rows.is_empty(),
            Self::Clusters(rows) => rows.is_empty(),
            Self::Nodes(rows) => rows.is_empty(),
            Self::Pods(rows) => rows.is_empty(),
            Self::Services(rows) => rows.is_empty(),
            Self::Networks(rows) => rows.is_empty(),
            Self::Images(rows) => rows.is_empty(),
            Self::Registries(rows) => rows.is_empty(),
            Self::Clients(rows) => rows.is_empty(),
            Self::Usage(rows) => rows.is_empty(),
            Self::Output(rows) => rows.is_empty(),
            Self::Input(rows) => rows.is_empty(),
        }
    }
}

/// The echo of an accepted command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Input {
    /// The normalised line.
    pub message: String,
}

/// A line of output.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum Output {
    /// A kubeconfig, and nothing else.
    Kubeconfig {
        /// YAML.
        kubeconfig: String,
    },
    /// A piece of a file, for the client to write; pieces of a file follow each other in order.
    Piece {
        /// The file, as `alex/nodes.yaml`: below a directory that the client chooses.
        file: String,
        /// What follows in it.
        text: String,
    },
    /// A step of long work.
    Step(Step),
    /// A finding about the host.
    Check {
        /// The finding on one line.
        message: String,
        /// What was looked at.
        check: String,
        /// How it is for clusters.
        #[cfg_attr(feature = "schema", schemars(extend("enum" = ["good", "warning", "bad"])))]
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
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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
    /// What there is to say about that; mostly empty.
    #[serde(skip_serializing_if = "String::is_empty", default)]
    pub detail: String,
    /// Seconds since the command was accepted.
    pub elapsed: f64,
    /// Seconds the step took so far.
    pub duration: f64,
}

/// How far a step is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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

macro_rules! codes {
    ($(#[doc = $about:literal] $name:ident = $number:literal $reason:literal;)*) => {
        impl Code {
            $(#[doc = $about] pub const $name: Self = Self($number);)*

            /// All there are, with what each means.
            pub const ALL: &[(Self, &str)] = &[$((Self::$name, $about)),*];

            /// The reason phrase.
            pub fn reason(self) -> &'static str {
                match self {
                    $(Self::$name => $reason,)*
                    Self(_) => Self::INTERNAL.reason(),
                }
            }
        }
    };
}
codes! {
    /// The final result.
    OK = 200 "OK";
    /// A partial result or the progress of a running command.
    CREATED = 201 "Created";
    /// The echo of an accepted command.
    ACCEPTED = 202 "Accepted";
    /// The line or the request is wrong in itself.
    BAD_REQUEST = 400 "Bad Request";
    /// No right to do that.
    FORBIDDEN = 403 "Forbidden";
    /// What is named does not exist.
    NOT_FOUND = 404 "Not Found";
    /// What is named exists already, or is busy.
    CONFLICT = 409 "Conflict";
    /// The request is too large.
    TOO_LARGE = 413 "Content Too Large";
    /// Understood, but it cannot be done with these objects.
    UNPROCESSABLE = 422 "Unprocessable Content";
    /// More than this connection or user may run at once.
    TOO_MANY = 429 "Too Many Requests";
    /// Cancelled by the client (nginx's code; no RFC has one).
    CANCELLED = 499 "Client Closed Request";
    /// The server's own fault.
    INTERNAL = 500 "Internal Server Error";
    /// Docker, a registry or Kubernetes answered with an error.
    BAD_GATEWAY = 502 "Bad Gateway";
    /// Docker or Kubernetes cannot be reached.
    UNAVAILABLE = 503 "Service Unavailable";
    /// Something did not happen in time.
    TIMEOUT = 504 "Gateway Timeout";
    /// The host has no room left.
    NO_ROOM = 507 "Insufficient Storage";
}

impl Code {
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

#[cfg(feature = "schema")]
impl schemars::JsonSchema for Code {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Code".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let one = |(code, about): &(Self, &str)| schemars::json_schema!({ "const": code.0, "description": format!("{}: {}", code.reason(), about.trim()) });
        schemars::json_schema!({
            "description": "A status code with HTTP's meaning (RFC 9110): 202 accepted, 201 partial, 200 final, from 400 on failed.",
            "type": "integer",
            "oneOf": Self::ALL.iter().map(one).collect::<Vec<_>>(),
        })
    }
}

/// The verb of a command, as messages name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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
    /// `load`
    #[serde(rename = "CMD_LOAD")]
    Load,
    /// `export`
    #[serde(rename = "CMD_EXPORT")]
    Export,
    /// `start`
    #[serde(rename = "CMD_START")]
    Start,
    /// `stop`
    #[serde(rename = "CMD_STOP")]
    Stop,
    /// `join`
    #[serde(rename = "CMD_JOIN")]
    Join,
    /// `leave`
    #[serde(rename = "CMD_LEAVE")]
    Leave,
    /// `admit`
    #[serde(rename = "CMD_ADMIT")]
    Admit,
    /// `logs`
    #[serde(rename = "CMD_LOGS")]
    Logs,
    /// `open`
    #[serde(rename = "CMD_OPEN")]
    Open,
    /// `test`
    #[serde(rename = "CMD_TEST")]
    Test,
    /// `cancel`
    #[serde(rename = "CMD_CANCEL")]
    Cancel,
    /// A line that is no command, or a change that no command made.
    #[serde(rename = "CMD_NONE")]
    None,
    /// The command has ended.
    #[serde(rename = "CMD_DONE")]
    Done,
}

/// The object of a command, as messages name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Subcommand {
    /// Clusters.
    #[serde(rename = "SUBCMD_CLUSTER")]
    Cluster,
    /// Nodes.
    #[serde(rename = "SUBCMD_NODE")]
    Node,
    /// Pods.
    #[serde(rename = "SUBCMD_POD")]
    Pod,
    /// Services.
    #[serde(rename = "SUBCMD_SERVICE")]
    Service,
    /// Ports of the host that lead into clusters.
    #[serde(rename = "SUBCMD_PORT")]
    Port,
    /// Networks.
    #[serde(rename = "SUBCMD_NETWORK")]
    Network,
    /// Images.
    #[serde(rename = "SUBCMD_IMAGE")]
    Image,
    /// Registries.
    #[serde(rename = "SUBCMD_REGISTRY")]
    Registry,
    /// Kubeconfigs.
    #[serde(rename = "SUBCMD_KUBECONFIG")]
    Kubeconfig,
    /// Logs.
    #[serde(rename = "SUBCMD_LOGS")]
    Logs,
    /// Connections.
    #[serde(rename = "SUBCMD_CLIENT")]
    Client,
    /// What nodes and pods use.
    #[serde(rename = "SUBCMD_USAGE")]
    Usage,
    /// Mirrors.
    #[serde(rename = "SUBCMD_MIRROR")]
    Mirror,
    /// Users.
    #[serde(rename = "SUBCMD_USER")]
    User,
    /// The host.
    #[serde(rename = "SUBCMD_HOST")]
    Host,
    /// Running commands.
    #[serde(rename = "SUBCMD_COMMAND")]
    Command,
    /// Users' own shells.
    #[serde(rename = "SUBCMD_SHELL")]
    Shell,
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
            detail: String::new(),
            elapsed: 1.5,
            duration: 0.5,
        };
        for output in [
            Output::Kubeconfig { kubeconfig: "apiVersion: v1".into() },
            Output::Piece { file: "alex/nodes.yaml".into(), text: "items: []".into() },
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
            sequence: None,
            change: None,
        }
    }
}
