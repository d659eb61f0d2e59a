//! Messages of every kind, with every value of every closed set and the ends of every range.

use qbo_api::message::{Change, Code, Envelope, Input, Message, Output, Payload, Step, StepState, Subcommand, Verb};
use qbo_api::model::{Client, Cluster, Image, Network, Node, Pod, Registry, Service, State, Usage, UsageKind, Version};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// The kinds of messages, by the key of their rows.
pub(crate) const KINDS: [&str; 12] = [
    "version",
    "clusters",
    "nodes",
    "pods",
    "services",
    "networks",
    "images",
    "registries",
    "clients",
    "usage",
    "output",
    "input",
];

/// Which kind it is.
pub(crate) fn kind(payload: &Payload) -> &'static str {
    match payload {
        Payload::Version(_) => "version",
        Payload::Clusters(_) => "clusters",
        Payload::Nodes(_) => "nodes",
        Payload::Pods(_) => "pods",
        Payload::Services(_) => "services",
        Payload::Networks(_) => "networks",
        Payload::Images(_) => "images",
        Payload::Registries(_) => "registries",
        Payload::Clients(_) => "clients",
        Payload::Usage(_) => "usage",
        Payload::Output(_) => "output",
        Payload::Input(_) => "input",
    }
}

/// The messages; the first has versions.
pub(crate) fn messages() -> Vec<Message> {
    let payloads = payloads();
    for kind in KINDS {
        assert!(payloads.iter().any(|payload| self::kind(payload) == kind), "no sample has {kind}");
    }
    let verbs = all::<Verb>(&[
        "CMD_VERSION",
        "CMD_GET",
        "CMD_ADD",
        "CMD_DELETE",
        "CMD_LOAD",
        "CMD_EXPORT",
        "CMD_START",
        "CMD_STOP",
        "CMD_JOIN",
        "CMD_LEAVE",
        "CMD_ADMIT",
        "CMD_OPEN",
        "CMD_TEST",
        "CMD_CANCEL",
        "CMD_NONE",
        "CMD_DONE",
    ]);
    let subcommands = all::<Subcommand>(&[
        "SUBCMD_CLUSTER",
        "SUBCMD_NODE",
        "SUBCMD_POD",
        "SUBCMD_SERVICE",
        "SUBCMD_PORT",
        "SUBCMD_NETWORK",
        "SUBCMD_IMAGE",
        "SUBCMD_REGISTRY",
        "SUBCMD_USAGE",
        "SUBCMD_KUBECONFIG",
        "SUBCMD_LOGS",
        "SUBCMD_CLIENT",
        "SUBCMD_MIRROR",
        "SUBCMD_USER",
        "SUBCMD_HOST",
        "SUBCMD_COMMAND",
        "SUBCMD_SHELL",
        "SUBCMD_NONE",
        "SUBCMD_DONE",
    ]);
    let count = payloads.len().max(verbs.len()).max(subcommands.len());
    let changes = [None, Some(Change::Put), Some(Change::Delete), Some(Change::Snapshot)];
    let message = |index: usize| {
        let envelope = Envelope {
            command: verbs[index % verbs.len()],
            subcommand: subcommands[index % subcommands.len()],
            sequence: [None, Some(0), Some(u64::MAX)][index % 3],
            change: changes[index % changes.len()],
            ..envelope()
        };
        Message { envelope, payload: payloads[index % payloads.len()].clone() }
    };
    (0..count).map(message).collect()
}

fn payloads() -> Vec<Payload> {
    let states = [
        State::Creating,
        State::Ready,
        State::NotReady,
        State::Starting,
        State::Stopping,
        State::Stopped,
        State::Deleting,
        State::Error,
        State::Unknown,
        State::Deleted,
    ];
    let ports = vec!["127.0.0.1:8080:30080/tcp".to_owned()];
    let clusters = states.map(|state| Cluster { state, ports: ports.clone(), ..of_example("clusters") });
    let nodes = states.map(|state| Node { state, ..of_example("nodes") });
    let pod: Pod = of_example("pods");
    let pods = [0, u32::MAX].map(|count| Pod { ready: count, started: count, ..pod.clone() });
    let service: Service = of_example("services");
    let services =
        [0, u16::MAX].map(|port| Service { port_number: port, target_port: port, node_port: port, ..service.clone() });
    let image: Image = of_example("images");
    let images = [false, true].map(|local| Image { local, ..image.clone() });
    let client: Client = of_example("clients");
    let clients = [i64::MIN, i64::MAX].map(|number| Client {
        timestamp: number,
        thread_id: number,
        process_id: u32::MAX,
        control: u8::MAX,
        wss_over_h2: 0,
        ..client.clone()
    });
    let usage: Usage = of_example("usage");
    let usage =
        [UsageKind::Node, UsageKind::Pod].map(|kind| Usage { kind, cpu: 0.0, memory: u64::MAX, ..usage.clone() });
    let version = Version { qbo_cli: Some("0.1.0".into()), ..of_example("version") };
    vec![
        Payload::Version(vec![Version::default(), version]),
        Payload::Clusters(clusters.into()),
        Payload::Nodes(nodes.into()),
        Payload::Pods(pods.into()),
        Payload::Services(services.into()),
        Payload::Networks(vec![of_example::<Network>("networks")]),
        Payload::Images(images.into()),
        Payload::Registries(vec![of_example::<Registry>("registries")]),
        Payload::Usage(usage.into()),
        Payload::Clients(clients.into()),
        Payload::Output(outputs()),
        Payload::Input(vec![Input { message: String::new() }]),
        Payload::Clusters(Vec::new()),
    ]
}

fn outputs() -> Vec<Output> {
    let text = || String::from("text");
    let states = [StepState::Started, StepState::Progress, StepState::Done, StepState::Failed, StepState::Undone];
    let step = |state: StepState| {
        let detail = if state == StepState::Failed { text() } else { String::new() };
        let (elapsed, duration) = (f64::MAX, 0.0);
        Output::Step(Step {
            message: text(),
            object: text(),
            node: text(),
            step: text(),
            state,
            detail,
            elapsed,
            duration,
        })
    };
    let check = |(level, cure): (&str, Option<String>)| Output::Check {
        message: text(),
        check: text(),
        level: level.into(),
        cure,
    };
    let mut outputs = vec![
        Output::Kubeconfig { kubeconfig: text() },
        Output::Piece { file: text(), text: text() },
        Output::Failure { message: text(), problem: text(), cure: String::new() },
        Output::Message { message: text() },
    ];
    outputs.extend(states.map(step));
    outputs.extend([("good", None), ("warning", Some(text())), ("bad", Some(text()))].map(check));
    outputs
}

/// The first row of an example.
fn of_example<Row: DeserializeOwned>(kind: &str) -> Row {
    let path = format!("{}/../api/tests/vectors/examples/{kind}.json", env!("CARGO_MANIFEST_DIR"));
    let example: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    serde_json::from_value(example[kind][0].clone()).unwrap()
}

fn all<Word: DeserializeOwned>(words: &[&str]) -> Vec<Word> {
    words.iter().map(|word| serde_json::from_value(json!(word)).unwrap()).collect()
}

fn envelope() -> Envelope {
    Envelope {
        timestamp: "2026-01-01T00:00:00.000000Z".into(),
        status: Code::CREATED.reason().into(),
        code: Code::CREATED,
        command_id: uuid::Uuid::nil(),
        command_line: String::new(),
        command: Verb::None,
        subcommand: Subcommand::None,
        apicommand: "APICMD_NONE".into(),
        callback: String::new(),
        uuid: uuid::Uuid::max(),
        user: "local@localhost".into(),
        agent: "qbo-api/0.1.0".into(),
        peer: String::new(),
        host: "cloud".into(),
        source: "main.rs:1".into(),
        wsi: String::new(),
        thread_id: i64::MIN,
        vhost: String::new(),
        sequence: None,
        change: None,
    }
}
