//! The session as clients meet it: real sockets, and an executor that does what each test needs.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed, in its helpers too")]

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::{SinkExt, StreamExt};
use qbo_api::command::Command;
use qbo_api::message::{Code, Message, Output, Payload, StepState, Subcommand, Verb};
use qbo_api::model::Version;
use qbo_api::{CHANNEL_PATH, CONNECTION_HEADER};
use qbo_server::access::{Opening, Permitted, User};
use qbo_server::error::Failure;
use qbo_server::executor::Executor;
use qbo_server::live::Live;
use qbo_server::mirror::Mirrors;
use qbo_server::operations::{Cancelled, Operations, Running};
use qbo_server::report::Reporter;
use qbo_server::session::{self, Inside, Limits};
use qbo_server::terminal::{self, Programs, Sessions, Started};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::Response;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{CloseCode, Data, OpCode};
use tokio_tungstenite::tungstenite::protocol::frame::{Frame, FrameHeader};
use tokio_tungstenite::tungstenite::{self, Message as Ws};
use tokio_tungstenite::{WebSocketStream, client_async};
use uuid::Uuid;

/// Large messages: twice as many as are sent in one go where they are small.
const MANY: usize = 128;

/// What each command of the tests does.
struct TestExecutor {
    /// `add cluster` is done when it gets a permit of this.
    release: Semaphore,
    operations: Arc<Operations>,
}

#[async_trait]
impl Executor for TestExecutor {
    async fn execute(
        self: Arc<Self>,
        permitted: Permitted,
        reporter: Reporter,
        running: Running,
    ) -> Result<(), Failure> {
        match permitted.command() {
            Command::Version => {
                let version = Version { qbo_api: Some("1.2.3".into()), ..Version::default() };
                reporter.rows(Payload::Version(vec![version]));
                Ok(())
            }
            Command::AddCluster(add) => {
                let step = reporter.step(add.names[0].as_str(), "", "work", "");
                tokio::select! {
                    _ = self.release.acquire() => {
                        step.done();
                        Ok(())
                    }
                    () = running.token().cancelled() => {
                        step.undone();
                        Err(Failure::cancelled())
                    }
                }
            }
            Command::GetNodes(_) => Ok(()),
            Command::GetImages(_) => {
                reporter.line("x".repeat(64 * 1024));
                Ok(())
            }
            Command::GetNetworks(_) => {
                for _ in 0..MANY {
                    reporter.line("x".repeat(64 * 1024));
                }
                Ok(())
            }
            Command::Cancel(cancel) => match self.operations.cancel(&permitted.user().email, &cancel.commands[0]) {
                Cancelled::Stopping => Ok(()),
                other => Err(Failure::new(Code::NOT_FOUND, format!("{other:?}"), "")),
            },
            Command::TestHost => panic!("the executor's own fault"),
            other => Err(Failure::new(Code::UNPROCESSABLE, format!("no test has '{other}'"), "")),
        }
    }

    /// Until something is let go.
    async fn ready(&self) -> Result<(), Failure> {
        if self.release.available_permits() > 0 {
            return Ok(());
        }
        Err(Failure::new(Code::TIMEOUT, "Docker did not answer within 2 s", "look at its log"))
    }
}

/// Opens no terminals: those have tests of their own.
struct NoPrograms;

#[async_trait]
impl Programs for NoPrograms {
    async fn start(&self, _opening: &Opening, _session: Uuid) -> Result<Started, Failure> {
        Err(Failure::new(Code::UNPROCESSABLE, "no test has terminals", ""))
    }
}

struct Server {
    address: SocketAddr,
    executor: Arc<TestExecutor>,
    stop: oneshot::Sender<()>,
    task: JoinHandle<io::Result<()>>,
}

struct Client {
    socket: WebSocketStream<TcpStream>,
    wsi: String,
}

impl Server {
    async fn start() -> Self {
        Self::start_with(Limits::default()).await
    }

    async fn start_with(limits: Limits) -> Self {
        Self::start_on(TcpListener::bind("127.0.0.1:0").await.unwrap(), limits)
    }

    fn start_on(listener: TcpListener, limits: Limits) -> Self {
        let address = listener.local_addr().unwrap();
        let operations = Arc::<Operations>::default();
        let executor = Arc::new(TestExecutor { release: Semaphore::new(0), operations: Arc::clone(&operations) });
        let (stop, stopped) = oneshot::channel();
        let stopped = async {
            let _ = stopped.await;
        };
        let live = Live::new(Arc::<Mirrors>::default(), Arc::clone(&operations), "cloud".into());
        let executing = Arc::clone(&executor) as _;
        let sessions = Sessions::new(terminal::Limits::default(), Arc::new(NoPrograms));
        let terminals = session::Terminals { sessions, sockets: mpsc::unbounded_channel().1 };
        let inside = Inside { executor: executing, live, operations, terminals, metrics: None };
        let task = tokio::spawn(session::run(limits, inside, listener, stopped));
        Self { address, executor, stop, task }
    }

    async fn connect(&self) -> Client {
        let stream = TcpStream::connect(self.address).await.unwrap();
        self.connect_over(stream, &[]).await.unwrap()
    }

    async fn connect_over(
        &self,
        stream: TcpStream,
        headers: &[(&'static str, &str)],
    ) -> Result<Client, Response<String>> {
        let mut request = format!("ws://{}{CHANNEL_PATH}", self.address).into_client_request().unwrap();
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        match within("the upgrade", client_async(request, stream)).await {
            Ok((socket, response)) => {
                let wsi = response.headers()[CONNECTION_HEADER].to_str().unwrap().to_owned();
                Ok(Client { socket, wsi })
            }
            Err(tungstenite::Error::Http(response)) => {
                Err(response.map(|body| String::from_utf8(body.unwrap_or_default()).unwrap()))
            }
            Err(error) => panic!("{error}"),
        }
    }

    async fn get(&self, path: &str) -> String {
        self.get_with(path, "").await
    }

    /// With further header lines.
    async fn get_with(&self, path: &str, headers: &str) -> String {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n{headers}\r\n", self.address);
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        within(path, stream.read_to_string(&mut answer)).await.unwrap();
        answer
    }

    async fn has(&self, line: &str) -> bool {
        self.get("/healthz").await.lines().any(|answered| answered == line)
    }

    /// Waits until the server's own count says so.
    async fn until(&self, line: &str) {
        within(line, async { while !self.has(line).await {} }).await;
    }

    async fn stop(self) -> io::Result<()> {
        self.stop.send(()).unwrap();
        within("the server's end", self.task).await.unwrap()
    }
}

impl Client {
    async fn send(&mut self, cmd: &str) {
        self.send_in("", cmd).await;
    }

    async fn send_in(&mut self, uuid: &str, cmd: &str) {
        self.send_frame(Ws::text(serde_json::json!({ "cmd": cmd, "uuid": uuid }).to_string())).await;
    }

    async fn send_frame(&mut self, frame: Ws) {
        within("sending", self.socket.send(frame)).await.unwrap();
    }

    /// The next message.
    async fn next(&mut self) -> Message {
        self.next_or_close().await.unwrap_or_else(|code| panic!("closed: {code:?}"))
    }

    /// The next message, or how the server closed.
    async fn next_or_close(&mut self) -> Result<Message, Option<CloseCode>> {
        loop {
            match within("a message", self.socket.next()).await {
                Some(Ok(Ws::Text(text))) => return Ok(serde_json::from_str(&text).unwrap()),
                Some(Ok(Ws::Close(frame))) => return Err(frame.map(|frame| frame.code)),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Err(None),
            }
        }
    }

    /// All messages up to the final one.
    async fn finish(&mut self) -> Vec<Message> {
        let mut messages = Vec::new();
        loop {
            messages.push(self.next().await);
            if messages.last().unwrap().envelope.code.is_final() {
                return messages;
            }
        }
    }

    /// The failure that comes next.
    async fn failure(&mut self) -> (Code, String, String) {
        let message = self.next().await;
        match message.payload {
            Payload::Output(output) => match output.as_slice() {
                [Output::Failure { message: line, .. }] => {
                    (message.envelope.code, line.clone(), message.envelope.command_line)
                }
                other => panic!("{other:?}"),
            },
            other => panic!("{other:?}"),
        }
    }
}

async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    let limit = Duration::from_secs(20);
    tokio::time::timeout(limit, future).await.unwrap_or_else(|_| panic!("waited {limit:?} for {what}"))
}

fn codes(messages: &[Message]) -> Vec<u16> {
    messages.iter().map(|message| message.envelope.code.0).collect()
}

#[tokio::test]
async fn a_command_is_echoed_executed_and_finished() {
    let server = Server::start().await;
    let mut client = server.connect().await;
    client.send(" version ").await;
    let messages = client.finish().await;
    assert_eq!(codes(&messages), [202, 201, 200]);
    for Message { envelope, .. } in &messages {
        assert_eq!((envelope.command_id, &envelope.wsi), (messages[0].envelope.command_id, &client.wsi));
        assert_eq!((envelope.command_line.as_str(), envelope.uuid), ("qbo version", User::local().mirror()));
        assert_eq!(envelope.vhost, server.address.to_string());
        assert!(envelope.thread_id > 0 && !envelope.host.is_empty() && envelope.peer.starts_with("127.0.0.1:"));
    }
    assert_eq!((messages[1].envelope.command, messages[1].envelope.subcommand), (Verb::Version, Subcommand::None));
    assert_eq!((messages[2].envelope.command, messages[2].envelope.subcommand), (Verb::Done, Subcommand::Done));
    let Payload::Version(version) = &messages[1].payload else { panic!("{messages:?}") };
    assert_eq!(version[0].qbo_api.as_deref(), Some("1.2.3"));
}

#[tokio::test]
async fn clients_of_one_mirror_see_the_same_and_others_do_not() {
    let server = Server::start().await;
    let (mut first, mut second) = (server.connect().await, server.connect().await);
    assert_ne!(first.wsi, second.wsi);
    first.send("version").await;
    assert_eq!(first.finish().await, second.finish().await);

    // A client that names another mirror is in both; one that does not is in its own alone.
    let other = "66fac858-a271-49cf-bad0-fdd9ff0b4787";
    second.send_in(other, "version").await;
    let elsewhere = second.finish().await;
    assert!(elsewhere.iter().all(|message| message.envelope.uuid.to_string() == other));
    first.send("version").await;
    let home = first.finish().await;
    assert!(home.iter().all(|message| message.envelope.uuid == User::local().mirror()));
    assert_eq!(second.finish().await, home);
    first.send_in(other, "version").await;
    assert_eq!(first.finish().await, second.finish().await);
}

#[tokio::test]
async fn who_leaves_the_mirror_in_which_it_asks_is_answered_in_its_own() {
    let server = Server::start().await;
    let mut client = server.connect().await;
    let mirror = "66fac858-a271-49cf-bad0-fdd9ff0b4787";
    client.send_in(mirror, &format!("leave mirror {mirror}")).await;
    let messages = client.finish().await;
    assert_eq!(codes(&messages), [202, 200]);
    assert!(messages.iter().all(|message| message.envelope.uuid == User::local().mirror()), "{messages:?}");
}

#[tokio::test]
async fn who_may_not_leave_one_of_several_mirrors_leaves_none() {
    let server = Server::start().await;
    let mut client = server.connect().await;
    let (mirror, own) = ("66fac858-a271-49cf-bad0-fdd9ff0b4787", User::local().mirror());
    client.send_in(mirror, &format!("leave mirror {mirror} {own}")).await;
    let messages = client.finish().await;
    assert!(messages.last().unwrap().envelope.code.is_failure());
    assert!(messages.iter().all(|message| message.envelope.uuid.to_string() == mirror), "it is still in it");
}

/// So whoever follows it is told which it is, also where only its first digits were named.
#[tokio::test]
async fn a_watch_of_a_mirror_is_in_it() {
    let server = Server::start().await;
    let (mut first, mut second) = (server.connect().await, server.connect().await);
    let mirror = "66fac858-a271-49cf-bad0-fdd9ff0b4787";
    let ran_in = |messages: Vec<Message>| messages[0].envelope.uuid;
    second.send("get nodes -w 66fac858").await;
    assert_eq!(ran_in(second.finish().await), User::local().mirror(), "there is no such mirror");
    first.finish().await;
    first.send_in(mirror, "version").await;
    first.finish().await;
    second.send("get nodes -w 66fac858").await;
    assert_eq!(ran_in(second.finish().await).to_string(), mirror);
    first.finish().await;
    first.send_in(mirror, "version").await;
    assert_eq!(first.finish().await, second.finish().await);
}

#[tokio::test]
async fn commands_of_one_client_run_side_by_side() {
    let server = Server::start().await;
    let mut client = server.connect().await;
    client.send("add cluster alex").await;
    let accepted = client.next().await;
    assert_eq!(client.next().await.envelope.code, Code::CREATED);
    client.send("version").await;
    assert_eq!(codes(&client.finish().await), [202, 201, 200]);
    server.executor.release.add_permits(1);
    let messages = client.finish().await;
    assert_eq!(codes(&messages), [201, 200]);
    assert_eq!(messages[1].envelope.command_id, accepted.envelope.command_id);
}

#[tokio::test]
async fn a_client_that_leaves_does_not_stop_its_command() {
    let server = Server::start().await;
    let mut leaving = server.connect().await;
    leaving.send("add cluster alex").await;
    leaving.next().await;
    drop(leaving);
    server.until("connections 0").await;
    assert!(server.has("commands 1").await);
    let mut client = server.connect().await;
    server.executor.release.add_permits(1);
    let messages = client.finish().await;
    assert_eq!(codes(&messages), [201, 200]);
    assert_eq!(messages[0].envelope.command_line, "qbo add cluster alex -n 3");
    server.until("commands 0").await;
}

#[tokio::test]
async fn another_client_of_the_user_cancels() {
    let server = Server::start().await;
    let (mut adding, mut cancelling) = (server.connect().await, server.connect().await);
    adding.send("add cluster alex").await;
    let id = adding.next().await.envelope.command_id;
    cancelling.send(&format!("cancel command {id}")).await;
    let mut finals = Vec::new();
    while finals.len() < 2 {
        let message = adding.next().await;
        if message.envelope.code.is_final() {
            finals.push((message.envelope.command_id == id, message.envelope.code));
        }
    }
    finals.sort_unstable();
    assert_eq!(finals, [(false, Code::OK), (true, Code::CANCELLED)]);
    adding.send(&format!("cancel command {id}")).await;
    assert_eq!(codes(&adding.finish().await), [202, 404]);
}

#[tokio::test]
async fn what_is_no_command_is_answered_and_the_connection_stays() {
    let server = Server::start().await;
    let mut client = server.connect().await;
    for (frame, code, says, line) in [
        (Ws::text("version"), 400, "not a request", "qbo version"),
        (Ws::text(r#"{"cmd": 1}"#), 400, "invalid type", r#"qbo {"cmd": 1}"#),
        (Ws::text(r#"{"cmd": "version", "uuid": "x"}"#), 400, "not the uuid of a mirror", "qbo version"),
        (Ws::text(r#"{"cmd": "ad cluster alex"}"#), 400, "did you mean 'add'?", "qbo ad cluster alex"),
        (Ws::binary(vec![0; 8]), 400, "the frame is binary", "qbo "),
        (Ws::text("é".repeat(40_000)), 413, "at most 65536 bytes", &format!("qbo {}", "é".repeat(200))),
    ] {
        client.send_frame(frame).await;
        let (got, message, command_line) = client.failure().await;
        assert_eq!((got.0, command_line.as_str()), (code, line), "{message}");
        assert!(message.contains(says), "{message}");
    }
    client.send("version").await;
    assert_eq!(codes(&client.finish().await), [202, 201, 200]);
}

#[tokio::test]
async fn a_frame_that_cannot_be_read_ends_the_connection_after_the_answer() {
    let server = Server::start().await;
    let mut client = server.connect().await;
    client.send_frame(Ws::text("x".repeat(300_000))).await;
    assert_eq!(client.failure().await.0, Code::TOO_LARGE);
    assert_eq!(client.next_or_close().await, Err(Some(CloseCode::Size)));

    let mut client = server.connect().await;
    let header = FrameHeader { opcode: OpCode::Data(Data::Text), ..FrameHeader::default() };
    client.send_frame(Ws::Frame(Frame::from_payload(header, vec![0xff, 0xfe].into()))).await;
    assert_eq!(client.failure().await.0, Code::BAD_REQUEST);
    assert_eq!(client.next_or_close().await, Err(Some(CloseCode::Invalid)));
    server.until("connections 0").await;
}

#[tokio::test]
async fn pages_of_others_are_refused() {
    let server = Server::start().await;
    let (own, port) = (server.address.to_string(), server.address.port());
    for (origin, host, code) in [
        (format!("http://{own}"), own.clone(), None),
        (format!("http://localhost:{port}"), format!("localhost:{port}"), None),
        ("https://example.com".into(), own.clone(), Some(403)),
        (format!("http://example.com:{port}"), format!("example.com:{port}"), Some(403)),
    ] {
        let stream = TcpStream::connect(server.address).await.unwrap();
        let refused = server.connect_over(stream, &[("origin", &origin), ("host", &host)]).await.err();
        assert_eq!(refused.as_ref().map(|response| response.status().as_u16()), code, "{origin}");
        if let Some(response) = refused {
            assert!(response.body().contains(&host), "{}", response.body());
        }
    }
}

#[tokio::test]
async fn connections_are_bounded() {
    let server = Server::start_with(Limits { connections: 1, ..Limits::default() }).await;
    let first = server.connect().await;
    let stream = TcpStream::connect(server.address).await.unwrap();
    let refused = server.connect_over(stream, &[]).await.err().unwrap();
    assert_eq!(refused.status(), 503);
    assert!(refused.body().contains("1 connections are open"), "{}", refused.body());
    drop(first);
    server.until("connections 0").await;
    server.connect().await;
}

#[tokio::test]
async fn a_panic_is_a_failure_of_the_command_alone() {
    let server = Server::start().await;
    let mut client = server.connect().await;
    client.send("test host").await;
    assert_eq!(client.next().await.envelope.code, Code::ACCEPTED);
    let (code, message, line) = client.failure().await;
    assert_eq!((code, line.as_str()), (Code::INTERNAL, "qbo test host"));
    assert!(message.contains("a defect of qbo") && !message.contains("own fault"), "{message}");
    client.send("version").await;
    assert_eq!(codes(&client.finish().await), [202, 201, 200]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_does_not_read_is_dropped_and_holds_up_nobody() {
    let server = Server::start_with(Limits { send: Duration::from_millis(200), ..Limits::default() }).await;
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let stream = socket.connect(server.address).await.unwrap();
    let mut slow = server.connect_over(stream, &[]).await.unwrap();
    let mut fast = server.connect().await;
    let mut rounds = 0;
    while server.has("connections 2").await {
        fast.send("get images").await;
        assert_eq!(codes(&fast.finish().await), [202, 201, 200]);
        rounds += 3;
    }
    let mut read = 0;
    let closed = loop {
        match slow.next_or_close().await {
            Ok(_) => read += 1,
            Err(code) => break code,
        }
    };
    assert!(read < rounds, "it lost messages: {read} of {rounds}");
    assert!(matches!(closed, None | Some(CloseCode::Again)), "{closed:?}");
    fast.send("version").await;
    assert_eq!(codes(&fast.finish().await), [202, 201, 200]);
}

#[tokio::test]
async fn a_client_that_reads_slowly_and_steadily_stays() {
    let limit = Duration::from_secs(2);
    // Little waits between both, so that what the client takes is what the server sees taken.
    let [listening, connecting] = [(); 2].map(|()| {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_send_buffer_size(256 * 1024).unwrap();
        socket.set_recv_buffer_size(256 * 1024).unwrap();
        socket
    });
    listening.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let server = Server::start_on(listening.listen(16).unwrap(), Limits { send: limit, ..Limits::default() });
    let stream = connecting.connect(server.address).await.unwrap();
    let mut slow = server.connect_over(stream, &[]).await.unwrap();
    slow.send("get networks").await;
    // Each message is taken well within the limit, and as many as go together where they are small are not.
    for _ in 0..=MANY {
        assert!(!slow.next().await.envelope.code.is_final());
        tokio::time::sleep(limit / 50).await;
    }
    assert_eq!(codes(&slow.finish().await), [200]);
}

#[tokio::test]
async fn a_client_that_says_nothing_is_asked_and_then_dropped() {
    let (ping, silence) = (Duration::from_millis(100), Duration::from_secs(8));
    let server = Server::start_with(Limits { ping, silence, ..Limits::default() }).await;
    // What is not read is not answered: a WebSocket client answers pings while it reads.
    let mute = server.connect().await;
    let mut alive = server.connect().await;
    let reading = tokio::spawn(async move { alive.next_or_close().await });
    server.until("connections 1").await;
    assert!(!reading.is_finished());
    drop(mute);
    server.stop().await.unwrap();
    assert_eq!(within("the close", reading).await.unwrap(), Err(Some(CloseCode::Away)));
}

#[tokio::test]
async fn a_stop_cancels_commands_tells_their_clients_and_closes() {
    let server = Server::start().await;
    let mut client = server.connect().await;
    client.send("add cluster alex").await;
    assert_eq!(client.next().await.envelope.code, Code::ACCEPTED);
    assert_eq!(client.next().await.envelope.code, Code::CREATED);
    let address = server.address;
    let reading = tokio::spawn(async move {
        let messages = client.finish().await;
        (messages, client.next_or_close().await)
    });
    server.stop().await.unwrap();
    let (messages, closed) = reading.await.unwrap();
    let Payload::Output(output) = &messages[0].payload else { panic!("{messages:?}") };
    assert!(matches!(&output[..], [Output::Step(step)] if step.state == StepState::Undone), "{output:?}");
    assert_eq!(codes(&messages), [201, 499]);
    assert_eq!(closed, Err(Some(CloseCode::Away)));
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn a_stop_does_not_wait_for_ever() {
    let server = Server::start_with(Limits { shutdown: Duration::from_millis(50), ..Limits::default() }).await;
    let half_sent = async {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\n").await.unwrap();
        stream
    };
    let _half_sent = half_sent.await;
    let _mute = server.connect().await;
    server.stop().await.unwrap();
}

#[tokio::test]
async fn plain_requests_say_how_the_server_is() {
    let server = Server::start().await;
    let health = server.get("/healthz").await;
    assert!(health.starts_with("HTTP/1.1 200 OK") && health.ends_with("ok\nconnections 0\ncommands 0\n"), "{health}");
    let unready = server.get("/readyz").await;
    assert!(unready.starts_with("HTTP/1.1 503") && unready.contains("Docker did not answer"), "{unready}");
    server.executor.release.add_permits(1);
    assert!(server.get("/readyz").await.starts_with("HTTP/1.1 200"));
    assert!(server.get("/none").await.starts_with("HTTP/1.1 404"));
}

#[tokio::test]
async fn the_contract_is_told_to_who_asks() {
    let server = Server::start().await;
    let root = server.get("/").await;
    assert!(root.starts_with("HTTP/1.1 307") && root.contains("location: /docs\r\n"), "{root}");
    for (path, media_type, document) in [
        ("/docs", "text/html; charset=utf-8", include_str!("../../contract/generated/docs.html")),
        ("/asyncapi.yaml", "application/yaml", include_str!("../../contract/generated/asyncapi.yaml")),
        (
            "/message.schema.json",
            "application/schema+json",
            include_str!("../../contract/generated/message.schema.json"),
        ),
        (
            "/request.schema.json",
            "application/schema+json",
            include_str!("../../contract/generated/request.schema.json"),
        ),
        ("/qbo.ts", "text/plain; charset=utf-8", include_str!("../../contract/generated/qbo.ts")),
    ] {
        let answer = server.get(path).await;
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 200 OK"), "{path}: {head}");
        assert_eq!(header(head, "content-type"), media_type);
        assert_eq!(header(head, "x-content-type-options"), "nosniff");
        assert!(header(head, "content-security-policy").starts_with("default-src 'none'; "), "{path}: {head}");
        assert!(body == document, "{path} is not the document that is generated");

        let tag = header(head, "etag");
        for known in [tag.to_owned(), format!("\"other\", W/{tag}"), "*".into()] {
            let again = server.get_with(path, &format!("if-none-match: {known}\r\n")).await;
            assert!(again.starts_with("HTTP/1.1 304") && again.ends_with("\r\n\r\n"), "{path}: {again}");
            assert_eq!(header(&again, "etag"), tag);
        }
        let other = server.get_with(path, "if-none-match: \"other\"\r\n").await;
        assert!(other.starts_with("HTTP/1.1 200 OK"), "{path}");
    }
}

#[tokio::test]
async fn the_page_may_use_its_own_style_and_nothing_else() {
    let server = Server::start().await;
    let answer = server.get("/docs").await;
    let (head, _) = answer.split_once("\r\n\r\n").unwrap();
    assert_eq!(header(head, "content-security-policy"), include_str!("../../contract/generated/docs.csp"));
}

/// The value of a header, of which there is one.
fn header<'a>(head: &'a str, name: &str) -> &'a str {
    let start = format!("{name}: ");
    let values: Vec<&str> = head.split("\r\n").filter_map(|line| line.strip_prefix(&start)).collect();
    let [value] = values[..] else { panic!("{name}: {values:?} in {head}") };
    value
}
