//! The terminal channel: a shell of one's own, a shell in a node or a pod, or a pod's log, over a WebSocket of its own, so
//! that its bytes never hold up the messages of commands.
//!
//! The client's first frame opens something, or takes up again what it has left. From then on binary frames are raw bytes,
//! both ways, and text frames say what is to be said about them. Either side sends no more than [`WINDOW`] bytes that the
//! other has not acknowledged.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Bytes that may be under way to either side without being acknowledged.
pub const WINDOW: u64 = 256 * 1024;

/// The largest frame of either side, in bytes.
pub const FRAME_LIMIT: usize = 64 * 1024;

/// Lines of a log that are told first where nobody says how many.
pub const TAIL: u32 = 1000;

/// What a client sends on the terminal channel as text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum TerminalRequest {
    /// The first frame: what is to be opened.
    Open(OpenRequest),
    /// The window has another size.
    Resize(Size),
    /// So many bytes more were consumed.
    Acknowledge(u64),
    /// End it, and do not keep it for later.
    Close(Close),
}

/// What the server sends on the terminal channel as text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum TerminalAnswer {
    /// It is open; bytes follow, first what was said lately where it was open before.
    Opened(Opened),
    /// The program has taken so many bytes more.
    Acknowledge(u64),
    /// The program has ended, and so has the session.
    Exit(Exit),
    /// It cannot be opened, or cannot go on here; the server closes the channel.
    Error(TerminalError),
}

/// What is to be opened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct OpenRequest {
    /// What it is.
    pub kind: TerminalKind,
    /// The width of the window, in characters.
    pub columns: u16,
    /// Its height, in lines.
    pub rows: u16,
    /// A session to take up again, as it was told when it was opened; all else but the size is of no matter then.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub session: Option<Uuid>,
    /// The name of the node, or the first eight digits or more of its id.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub node: Option<String>,
    /// The name of the pod's cluster; needed where several have such a pod.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub cluster: Option<String>,
    /// The pod's namespace; needed where several have such a pod.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub namespace: Option<String>,
    /// The name of the pod, or the first eight digits or more of its id.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub pod: Option<String>,
    /// The container of the pod; its first where none is named.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub container: Option<String>,
    /// Of a log: go on with what comes.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub follow: Option<bool>,
    /// Of a log: how many of its last lines come first (default 1000).
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub tail: Option<u32>,
}

/// What a terminal is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum TerminalKind {
    /// A shell in a container of the user's own, with qbo, kubectl, helm and jq.
    Shell,
    /// A shell in a node.
    Node,
    /// A shell in a container of a pod.
    Pod,
    /// The log of a container of a pod; what is typed is not read.
    Logs,
}

/// The size of a window, in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Size {
    /// Its width.
    pub columns: u16,
    /// Its height.
    pub rows: u16,
}

/// Nothing more is to be said of an end.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Close {}

/// A session that is open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Opened {
    /// Its id, by which it is taken up again.
    pub session: Uuid,
    /// What it is, for people.
    pub title: String,
}

/// The end of a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Exit {
    /// Its exit code.
    pub code: i64,
}

/// Why there is no terminal, or none any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TerminalError {
    /// How it failed.
    pub code: crate::message::Code,
    /// What went wrong.
    pub problem: String,
    /// What to do about it; empty where nothing is known.
    pub cure: String,
}

impl OpenRequest {
    /// A terminal of this kind, in a window of the usual size.
    pub fn new(kind: TerminalKind) -> Self {
        let (session, node, cluster, namespace, pod, container, follow, tail) = Default::default();
        Self { kind, columns: 80, rows: 24, session, node, cluster, namespace, pod, container, follow, tail }
    }

    /// The size of its window.
    pub fn size(&self) -> Size {
        Size { columns: self.columns, rows: self.rows }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn frames_are_as_they_are_agreed_upon() {
        let open = json!({"open": {"kind": "pod", "columns": 80, "rows": 24, "cluster": "alex", "pod": "web-0"}});
        let mut request = OpenRequest::new(TerminalKind::Pod);
        (request.cluster, request.pod) = (Some("alex".into()), Some("web-0".into()));
        for (frame, request) in [
            (open, TerminalRequest::Open(request)),
            (json!({"resize": {"columns": 100, "rows": 40}}), TerminalRequest::Resize(Size { columns: 100, rows: 40 })),
            (json!({"acknowledge": 4096}), TerminalRequest::Acknowledge(4096)),
            (json!({"close": {}}), TerminalRequest::Close(Close {})),
        ] {
            assert_eq!(serde_json::to_value(&request).unwrap(), frame);
            assert_eq!(serde_json::from_value::<TerminalRequest>(frame).unwrap(), request);
        }
        let session = Uuid::nil();
        let error = TerminalError { code: crate::message::Code::NOT_FOUND, problem: "p".into(), cure: String::new() };
        for (answer, frame) in [
            (
                TerminalAnswer::Opened(Opened { session, title: "shell".into() }),
                json!({"opened": {"session": session, "title": "shell"}}),
            ),
            (TerminalAnswer::Exit(Exit { code: 130 }), json!({"exit": {"code": 130}})),
            (TerminalAnswer::Acknowledge(3), json!({"acknowledge": 3})),
            (TerminalAnswer::Error(error), json!({"error": {"code": 404, "problem": "p", "cure": ""}})),
        ] {
            assert_eq!(serde_json::to_value(&answer).unwrap(), frame);
            assert_eq!(serde_json::from_value::<TerminalAnswer>(frame).unwrap(), answer);
        }
    }
}
