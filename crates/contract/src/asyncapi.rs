//! The AsyncAPI document: one channel, what is sent to it and what comes from it.

mod command;
mod example;

use anyhow::{Context, ensure};
use qbo_api::grammar::VERBS;
use qbo_api::message::Code;
use qbo_api::terminal::{
    Close, Exit, OpenRequest, Opened, Size, TerminalAnswer, TerminalError, TerminalKind, TerminalRequest,
};
use qbo_api::{CHANNEL_PATH, DEFAULT_PORT, TERMINAL_PATH};

use uuid::Uuid;

pub(crate) use command::FORMS_KEY;

use crate::node::{Node, map, reference};
use crate::schema::{Schemas, to_type};

/// The whole document.
pub(crate) fn document(schemas: &Schemas) -> anyhow::Result<Node> {
    let commands: Vec<(String, Node)> = VERBS.iter().map(command::message).collect();
    let answers: Vec<(String, Node)> =
        schemas.payloads.iter().map(answer).collect::<anyhow::Result<_>>().context("messages")?;
    let types = schemas.types.iter().cloned().collect();
    let operations = operations(&names(&commands), &names(&answers));
    let commanded: Vec<(String, Node)> = commands.into_iter().chain(answers).collect();
    let of_terminals = terminal_messages()?;
    Ok(map([
        ("asyncapi", "3.0.0".into()),
        ("info", info()),
        ("defaultContentType", "application/json".into()),
        ("servers", servers()),
        (
            "channels",
            map([("qbo", channel(&names(&commanded))), ("terminal", terminal_channel(&names(&of_terminals)))]),
        ),
        ("operations", operations),
        (
            "components",
            map([
                ("messages", Node::Map(commanded.into_iter().chain(of_terminals).collect())),
                ("schemas", types),
                ("securitySchemes", security()),
                (
                    "correlationIds",
                    map([(
                        "command",
                        map([
                            ("description", "The command that a message is of.".into()),
                            ("location", "$message.payload#/command_id".into()),
                        ]),
                    )]),
                ),
            ]),
        ),
    ]))
}

fn info() -> Node {
    map([
        ("title", "qbo".into()),
        ("version", env!("CARGO_PKG_VERSION").into()),
        ("description", include_str!("description.md").trim_end().into()),
        (
            "license",
            map([("name", "Apache-2.0".into()), ("url", "https://www.apache.org/licenses/LICENSE-2.0".into())]),
        ),
    ])
}

fn servers() -> Node {
    let host = |default: &str| {
        let host = map([("description", "Name or address of the host.".into()), ("default", default.into())]);
        map([("host", host)])
    };
    map([
        (
            "community",
            map([
                ("host", format!("{{host}}:{DEFAULT_PORT}").into()),
                ("protocol", "ws".into()),
                ("title", "Community edition".into()),
                ("description", "On the loopback interface: one local user, without a login.".into()),
                ("variables", host("127.0.0.1")),
            ]),
        ),
        (
            "cloud",
            map([
                ("host", "{host}".into()),
                ("protocol", "wss".into()),
                ("title", "Cloud".into()),
                ("description", "On other interfaces: TLS, and users who have logged in.".into()),
                ("variables", host("cloud.example.com")),
                ("security", Node::List(vec![reference("components/securitySchemes/cookie")])),
            ]),
        ),
    ])
}

fn security() -> Node {
    let description = "The cookie of the upgrade, `qbo_uid=<token>; qbo_aux=<aux>`. The token of a login is a uuid, and \
        `qbo_aux` is empty. That of a service account is a JWE in compact form (`alg` ECDH-ES, `enc` A256CBC-HS512, a key \
        on P-521) whose plaintext is the account's auxiliary token, which `qbo_aux` is too.";
    let cookie = map([
        ("type", "httpApiKey".into()),
        ("name", "qbo_uid".into()),
        ("in", "cookie".into()),
        ("description", description.into()),
    ]);
    map([("cookie", cookie)])
}

fn channel(messages: &[&str]) -> Node {
    let message = |name: &&str| ((*name).to_owned(), reference(format_args!("components/messages/{name}")));
    map([
        ("address", CHANNEL_PATH.into()),
        ("title", "The channel".into()),
        ("description", "Requests one way, messages the other.".into()),
        ("messages", messages.iter().map(message).collect()),
        ("bindings", map([("ws", map([("method", "GET".into()), ("bindingVersion", "0.1.0".into())]))])),
    ])
}

/// What is said on the channel of terminals as text.
fn terminal_messages() -> anyhow::Result<Vec<(String, Node)>> {
    let message = |name: &str, title: &str, summary: &str, type_name: &str, examples: Vec<Node>| {
        let message = map([
            ("name", name.into()),
            ("title", title.into()),
            ("summary", summary.into()),
            ("payload", to_type(type_name)),
            ("examples", Node::List(examples)),
        ]);
        (name.to_owned(), message)
    };
    let pod =
        OpenRequest { pod: Some("web-0".into()), cluster: Some("alex".into()), ..OpenRequest::new(TerminalKind::Pod) };
    let requests = [
        TerminalRequest::Open(OpenRequest::new(TerminalKind::Shell)),
        TerminalRequest::Open(pod),
        TerminalRequest::Resize(Size { columns: 132, rows: 43 }),
        TerminalRequest::Acknowledge(32_768),
        TerminalRequest::Close(Close {}),
    ];
    let (problem, cure) = ("there is no node 'node-1'".into(), "there is: node-2b251a2c".into());
    let answers = [
        TerminalAnswer::Opened(Opened { session: Uuid::nil(), title: "shell".into() }),
        TerminalAnswer::Acknowledge(12),
        TerminalAnswer::Exit(Exit { code: 0 }),
        TerminalAnswer::Error(TerminalError { code: Code::NOT_FOUND, problem, cure }),
    ];
    let requests = requests.iter().map(terminal_example).collect::<anyhow::Result<_>>()?;
    let answers = answers.iter().map(terminal_example).collect::<anyhow::Result<_>>()?;
    let (asked, answered) = ("What a client says of its terminal.", "What the server says of a terminal.");
    Ok(vec![
        message("terminal-request", "terminal request", asked, "TerminalRequest", requests),
        message("terminal-answer", "terminal answer", answered, "TerminalAnswer", answers),
    ])
}

fn terminal_example(frame: &impl serde::Serialize) -> anyhow::Result<Node> {
    Ok(map([("payload", serde_json::from_str(&serde_json::to_string(frame)?)?)]))
}

fn terminal_channel(messages: &[&str]) -> Node {
    let description = "A shell of one's own, a shell in a node or a pod, or a pod's log. The first frame says what to \
        open; from then on binary frames are the program's bytes, both ways, and text frames are requests and answers. \
        Neither side sends more than 262144 bytes that the other has not acknowledged. A connection that is lost leaves \
        the session for some minutes, in which it can be taken up again.";
    let message = |name: &&str| ((*name).to_owned(), reference(format_args!("components/messages/{name}")));
    map([
        ("address", TERMINAL_PATH.into()),
        ("title", "The channel of terminals".into()),
        ("description", description.into()),
        ("messages", messages.iter().map(message).collect()),
        ("bindings", map([("ws", map([("method", "GET".into()), ("bindingVersion", "0.1.0".into())]))])),
    ])
}

fn operations(commands: &[&str], answers: &[&str]) -> Node {
    let channel = || reference("channels/qbo");
    let listed = |names: &[&str]| -> Node {
        names.iter().map(|name| reference(format_args!("channels/qbo/messages/{name}"))).collect()
    };
    map([
        (
            "sendCommand",
            map([
                ("action", "send".into()),
                ("channel", channel()),
                ("title", "Send a command".into()),
                ("description", "The line that follows `qbo` at a shell, and the mirror it is meant for.".into()),
                ("messages", listed(commands)),
                ("reply", map([("channel", channel()), ("messages", listed(answers))])),
            ]),
        ),
        (
            "receiveMessage",
            map([
                ("action", "receive".into()),
                ("channel", channel()),
                ("title", "Receive messages".into()),
                ("description", "What commands of the mirror do, and what changes.".into()),
                ("messages", listed(answers)),
            ]),
        ),
        ("useTerminal", terminal_operation("send", "Use a terminal", "terminal-request")),
        ("seeTerminal", terminal_operation("receive", "See a terminal", "terminal-answer")),
    ])
}

fn terminal_operation(action: &str, title: &str, message: &str) -> Node {
    let messages = Node::List(vec![reference(format_args!("channels/terminal/messages/{message}"))]);
    map([
        ("action", action.into()),
        ("channel", reference("channels/terminal")),
        ("title", title.into()),
        ("messages", messages),
    ])
}

/// A message with one kind of rows.
fn answer((key, about, payload): &(String, String, Node)) -> anyhow::Result<(String, Node)> {
    let examples = example::messages(key)?;
    ensure!(!examples.is_empty(), "there is no example with '{key}'");
    let message = map([
        ("name", key.as_str().into()),
        ("title", key.as_str().into()),
        ("summary", about.as_str().into()),
        ("correlationId", reference("components/correlationIds/command")),
        ("payload", map([("allOf", Node::List(vec![to_type("Envelope"), payload.clone()]))])),
        ("examples", Node::List(examples)),
    ]);
    Ok((format!("message-{key}"), message))
}

fn names(messages: &[(String, Node)]) -> Vec<&str> {
    messages.iter().map(|(name, _)| name.as_str()).collect()
}
