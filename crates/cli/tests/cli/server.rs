//! A server that follows a script: it accepts one connection and says what the test tells it to.

use futures_util::{SinkExt, StreamExt};
use qbo_api::message::{Change, Code, Envelope, Message, Output, Payload, Request, Step, StepState, Subcommand, Verb};
use qbo_api::model::{Cluster, State};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request as Upgrade, Response};
use tokio_tungstenite::tungstenite::{Error, Message as Frame};
use uuid::Uuid;

use super::Qbo;

/// The client's connection, as the server names it.
pub(crate) const OURS: &str = "wsi-ours";
/// Another connection of the same mirror.
pub(crate) const THEIRS: &str = "wsi-theirs";

/// The server's end of a connection.
pub(crate) struct Peer {
    socket: WebSocketStream<TcpStream>,
    /// The id under which the client's first command runs.
    pub(crate) id: Uuid,
    /// The header `Cookie` of the upgrade.
    pub(crate) cookie: Option<String>,
}

/// Starts a server, and a `qbo` that knows it. The task ends with the script.
pub(crate) async fn serve<F>(script: impl FnOnce(Peer) -> F + Send + 'static) -> (Qbo, JoinHandle<()>)
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let qbo = Qbo::new(listener.local_addr().unwrap().port());
    let task = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        script(Peer::accept(stream).await).await;
    });
    (qbo, task)
}

impl Peer {
    async fn accept(stream: TcpStream) -> Self {
        let mut cookie = None;
        #[expect(clippy::result_large_err, reason = "the type is the library's")]
        let upgrade = |request: &Upgrade, mut response: Response| -> Result<Response, ErrorResponse> {
            assert_eq!(request.uri().path(), qbo_api::CHANNEL_PATH);
            cookie = request.headers().get("cookie").map(|value| value.to_str().unwrap().to_owned());
            response.headers_mut().insert(qbo_api::CONNECTION_HEADER, OURS.parse().unwrap());
            Ok(response)
        };
        let socket = tokio_tungstenite::accept_hdr_async(stream, upgrade).await.unwrap();
        Self { socket, id: Uuid::new_v4(), cookie }
    }

    /// The next command line of the client; none where it has gone.
    pub(crate) async fn hear(&mut self) -> Option<String> {
        let (command, mirror) = self.hear_in_mirror().await?;
        assert_eq!(mirror, "", "the user's own mirror");
        Some(command)
    }

    /// The next command line of the client, and the mirror it is for.
    pub(crate) async fn hear_in_mirror(&mut self) -> Option<(String, String)> {
        loop {
            match self.socket.next().await {
                Some(Ok(Frame::Text(text))) => {
                    let request: Request = serde_json::from_str(&text).unwrap();
                    return Some((request.cmd, request.uuid));
                }
                Some(Ok(Frame::Close(_)) | Err(_)) | None => return None,
                Some(Ok(_)) => {}
            }
        }
    }

    /// Hears this command line and accepts it.
    pub(crate) async fn accept_command(&mut self, line: &str) {
        assert_eq!(self.hear().await.as_deref(), Some(line));
        let input = qbo_api::message::Input { message: format!("qbo {line}") };
        self.say(Code::ACCEPTED, Payload::Input(vec![input])).await;
    }

    /// A message of the client's command, as it was sent.
    pub(crate) async fn say(&mut self, code: Code, payload: Payload) -> String {
        self.say_of(self.id, OURS, code, payload).await
    }

    /// A message of any command.
    pub(crate) async fn say_of(&mut self, id: Uuid, wsi: &str, code: Code, payload: Payload) -> String {
        let text = serde_json::to_string(&Message { envelope: envelope(id, wsi, code), payload }).unwrap();
        // Whether the client is still there is what some tests are about.
        let _ = self.try_text(text.clone()).await;
        text
    }

    /// Rows that are known, as the client's command lists them.
    pub(crate) async fn list(&mut self, payload: Payload) {
        let envelope = Envelope { sequence: Some(1), ..envelope(self.id, OURS, Code::CREATED) };
        self.try_text(serde_json::to_string(&Message { envelope, payload }).unwrap()).await.unwrap();
    }

    /// What became of rows.
    pub(crate) async fn tell(&mut self, change: Change, payload: Payload) {
        let envelope = envelope(Uuid::new_v4(), THEIRS, Code::CREATED);
        let envelope = Envelope { sequence: Some(2), change: Some(change), ..envelope };
        self.try_text(serde_json::to_string(&Message { envelope, payload }).unwrap()).await.unwrap();
    }

    /// A text as it stands.
    pub(crate) async fn try_text(&mut self, text: String) -> Result<(), Error> {
        self.socket.send(Frame::text(text)).await
    }

    /// The command's last message.
    pub(crate) async fn done(&mut self) -> String {
        self.say(Code::OK, line("thread 7 terminated in 0.100000s")).await
    }

    /// The command's last message, where it failed.
    pub(crate) async fn failed(&mut self, code: Code, problem: &str, cure: &str) -> String {
        let failure =
            Output::Failure { message: format!("{problem}; {cure}"), problem: problem.into(), cure: cure.into() };
        self.say(code, Payload::Output(vec![failure])).await
    }
}

/// A line for people.
pub(crate) fn line(message: &str) -> Payload {
    Payload::Output(vec![Output::Message { message: message.into() }])
}

/// A step of a node of `alex`.
pub(crate) fn step(step: &str, state: StepState) -> Payload {
    Payload::Output(vec![Output::Step(Step {
        message: format!("   0.1 s  control-1a2b3c4d.localhost  {step}: so far"),
        object: "alex".into(),
        node: "control-1a2b3c4d.localhost".into(),
        step: step.into(),
        state,
        detail: String::new(),
        elapsed: 0.1,
        duration: 0.1,
    })])
}

/// A cluster.
pub(crate) fn cluster(name: &str) -> Payload {
    Payload::Clusters(vec![Cluster {
        address: "https://10.201.0.2:6443".into(),
        control_plane: "control-1a2b3c4d.localhost".into(),
        id: "43706dd0-1111-2222-3333-444444444444".into(),
        name: name.into(),
        state: State::Ready,
        ports: Vec::new(),
        user: "alex@qbo.io".into(),
    }])
}

fn envelope(id: Uuid, wsi: &str, code: Code) -> Envelope {
    Envelope {
        timestamp: "2026-01-01T00:00:00.000000Z".into(),
        status: code.reason().into(),
        code,
        command_id: id,
        command_line: "qbo".into(),
        command: Verb::Get,
        subcommand: Subcommand::Cluster,
        apicommand: "APICMD_NONE".into(),
        callback: String::new(),
        uuid: Uuid::nil(),
        user: "alex@qbo.io".into(),
        agent: "qbo-api/0.1.0".into(),
        peer: "127.0.0.1:1".into(),
        host: "nemo".into(),
        source: "server.rs:1".into(),
        wsi: wsi.into(),
        thread_id: 7,
        vhost: "127.0.0.1:9601".into(),
        sequence: None,
        change: None,
    }
}
