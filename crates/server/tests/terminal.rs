//! Terminals as clients meet them: real sockets, and programs that the test is.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed, in its helpers too")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::{SinkExt, StreamExt};
use qbo_api::TERMINAL_PATH;
use qbo_api::message::Code;
use qbo_api::terminal::{Close, OpenRequest, Size, TerminalAnswer, TerminalKind, TerminalRequest};
use qbo_server::access::{Opening, Permitted, User};
use qbo_server::error::Failure;
use qbo_server::executor::Executor;
use qbo_server::live::Live;
use qbo_server::mirror::Mirrors;
use qbo_server::operations::{Operations, Running};
use qbo_server::report::Reporter;
use qbo_server::session::{self, Inside, Limits};
use qbo_server::terminal::shell::Socket;
use qbo_server::terminal::{self, Control, Programs, Sessions, Started};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{WebSocketStream, client_async};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

const LIMIT: Duration = Duration::from_mins(1);

/// No commands run here.
struct NoCommands;

#[async_trait]
impl Executor for NoCommands {
    async fn execute(self: Arc<Self>, _: Permitted, _: Reporter, _: Running) -> Result<(), Failure> {
        Ok(())
    }

    async fn ready(&self) -> Result<(), Failure> {
        Ok(())
    }
}

/// Opens programs that write what they read, and end after a "q"; the title tells whose it is.
struct Echo;

struct Echoing;

#[async_trait]
impl Programs for Echo {
    async fn start(&self, opening: &Opening, _session: Uuid) -> Result<Started, Failure> {
        if opening.request().kind == TerminalKind::Node {
            return Err(Failure::new(Code::NOT_FOUND, "there is no node 'none'", "there is: node-1"));
        }
        let (mut theirs, ours) = tokio::io::duplex(64 * 1024);
        tokio::spawn(async move {
            let mut byte = [0];
            while theirs.read_exact(&mut byte).await.is_ok() && byte != *b"q" {
                theirs.write_all(&byte).await.unwrap();
            }
        });
        let (output, input) = tokio::io::split(ours);
        let title = opening.user().email.clone();
        Ok(Started { title, output: Box::pin(output), input: Box::pin(input), control: Box::new(Echoing) })
    }
}

#[async_trait]
impl Control for Echoing {
    async fn resize(&self, _size: Size) -> Result<(), Failure> {
        Ok(())
    }

    async fn exit_code(&self) -> Result<i64, Failure> {
        Ok(3)
    }

    async fn end(&self) {}
}

struct Server {
    address: SocketAddr,
    sockets: mpsc::UnboundedSender<Socket>,
    stop: oneshot::Sender<()>,
    task: JoinHandle<std::io::Result<()>>,
}

struct Client<S>(WebSocketStream<S>);

impl Server {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let operations = Arc::<Operations>::default();
        let live = Live::new(Arc::<Mirrors>::default(), Arc::clone(&operations), "cloud".into());
        let (sockets, serving) = mpsc::unbounded_channel();
        let sessions = Sessions::new(terminal::Limits::default(), Arc::new(Echo));
        let terminals = session::Terminals { sessions, sockets: serving };
        let (stop, stopped) = oneshot::channel();
        let stopped = async {
            let _ = stopped.await;
        };
        let executor = Arc::new(NoCommands);
        let inside = Inside { executor, live, operations, terminals, metrics: None };
        let run = session::run(Limits::default(), inside, listener, stopped);
        Self { address, sockets, stop, task: tokio::spawn(run) }
    }

    async fn connect(&self) -> Client<TcpStream> {
        self.connect_from(None).await.unwrap()
    }

    /// As a page of this origin does; the status where it may not.
    async fn connect_from(&self, origin: Option<&str>) -> Result<Client<TcpStream>, u16> {
        let stream = TcpStream::connect(self.address).await.unwrap();
        upgrade(stream, &self.address.to_string(), origin).await
    }

    async fn open(&self, request: OpenRequest) -> (Client<TcpStream>, Uuid, String) {
        let mut client = self.connect().await;
        client.say(&TerminalRequest::Open(request)).await;
        match client.answer().await {
            TerminalAnswer::Opened(opened) => (client, opened.session, opened.title),
            other => panic!("{other:?}"),
        }
    }
}

async fn upgrade<S>(stream: S, host: &str, origin: Option<&str>) -> Result<Client<S>, u16>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut request = format!("ws://{host}{TERMINAL_PATH}").into_client_request().unwrap();
    if let Some(origin) = origin {
        request.headers_mut().insert("origin", origin.parse().unwrap());
    }
    match timeout(LIMIT, client_async(request, stream)).await.unwrap() {
        Ok((socket, _)) => Ok(Client(socket)),
        Err(tungstenite::Error::Http(response)) => Err(response.status().as_u16()),
        Err(error) => panic!("{error}"),
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Client<S> {
    async fn say(&mut self, request: &TerminalRequest) {
        self.0.send(Message::text(serde_json::to_string(request).unwrap())).await.unwrap();
    }

    async fn type_in(&mut self, bytes: &'static [u8]) {
        self.0.send(Message::binary(bytes)).await.unwrap();
    }

    async fn next(&mut self) -> Option<Message> {
        timeout(LIMIT, self.0.next()).await.unwrap().map(|message| message.unwrap_or(Message::Close(None)))
    }

    /// The next text frame, past bytes.
    async fn answer(&mut self) -> TerminalAnswer {
        loop {
            match self.next().await {
                Some(Message::Text(text)) => return serde_json::from_str(&text).unwrap(),
                Some(Message::Binary(_) | Message::Ping(_)) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    /// So many bytes, past text frames.
    async fn read(&mut self, length: usize) -> Vec<u8> {
        let mut read = Vec::new();
        while read.len() < length {
            match self.next().await {
                Some(Message::Binary(bytes)) => read.extend_from_slice(&bytes),
                Some(Message::Text(_) | Message::Ping(_)) => {}
                other => panic!("{other:?}"),
            }
        }
        read
    }

    async fn assert_closed(&mut self) {
        assert!(matches!(self.next().await, None | Some(Message::Close(_))));
    }

    async fn assert_refused(&mut self, code: Code, words: &str) {
        match self.answer().await {
            TerminalAnswer::Error(error) => {
                assert_eq!(error.code, code, "{error:?}");
                assert!(error.problem.contains(words), "{error:?}");
            }
            other => panic!("{other:?}"),
        }
        self.assert_closed().await;
    }
}

fn shell() -> OpenRequest {
    OpenRequest::new(TerminalKind::Shell)
}

#[tokio::test]
async fn bytes_go_both_ways_and_the_exit_code_ends_it() {
    let server = Server::start().await;
    let (mut client, _, title) = server.open(shell()).await;
    assert_eq!(title, "local@localhost");
    client.type_in(b"\x01\x1b[Aab").await;
    assert_eq!(client.read(6).await, b"\x01\x1b[Aab");
    client.say(&TerminalRequest::Resize(Size { columns: 100, rows: 30 })).await;
    client.say(&TerminalRequest::Acknowledge(6)).await;
    client.type_in(b"q").await;
    loop {
        match client.answer().await {
            TerminalAnswer::Exit(exit) => break assert_eq!(exit.code, 3),
            TerminalAnswer::Acknowledge(_) => {}
            other => panic!("{other:?}"),
        }
    }
    client.assert_closed().await;
}

#[tokio::test]
async fn a_session_is_taken_up_by_another_connection_until_it_is_closed() {
    let server = Server::start().await;
    let (mut client, session, _) = server.open(shell()).await;
    client.type_in(b"one ").await;
    client.read(4).await;
    drop(client);
    let (mut client, again, _) = server.open(OpenRequest { session: Some(session), ..shell() }).await;
    assert_eq!(again, session);
    assert_eq!(client.read(4).await, b"one ");
    client.say(&TerminalRequest::Close(Close {})).await;
    while !matches!(client.next().await, None | Some(Message::Close(_))) {}
    let mut late = server.connect().await;
    late.say(&TerminalRequest::Open(OpenRequest { session: Some(session), ..shell() })).await;
    late.assert_refused(Code::NOT_FOUND, "has ended").await;
}

#[tokio::test]
async fn what_cannot_be_opened_is_told_with_its_cure() {
    let server = Server::start().await;
    let mut client = server.connect().await;
    client.say(&TerminalRequest::Open(OpenRequest::new(TerminalKind::Node))).await;
    client.assert_refused(Code::NOT_FOUND, "there is no node 'none'").await;
    for frame in ["", "{}", r#"{"open": {"kind": "root", "columns": 80, "rows": 24}}"#, r#"{"acknowledge": 1}"#] {
        let mut client = server.connect().await;
        client.0.send(Message::text(frame)).await.unwrap();
        client.assert_refused(Code::BAD_REQUEST, "").await;
    }
    let (mut client, ..) = server.open(shell()).await;
    client.say(&TerminalRequest::Open(shell())).await;
    client.assert_refused(Code::CONFLICT, "open already").await;
}

#[tokio::test]
async fn pages_of_others_open_nothing() {
    let server = Server::start().await;
    let own = format!("http://{}", server.address);
    assert!(server.connect_from(Some(&own)).await.is_ok());
    for origin in ["http://example.com", "null", &format!("http://localhost:{}", server.address.port())] {
        assert_eq!(server.connect_from(Some(origin)).await.err(), Some(403), "{origin}");
    }
    // A name that was pointed here.
    let stream = TcpStream::connect(server.address).await.unwrap();
    let refused = upgrade(stream, "example.com:9601", Some("http://example.com:9601")).await;
    assert_eq!(refused.err(), Some(403));
}

#[tokio::test]
async fn a_stop_ends_terminals_and_closes() {
    let server = Server::start().await;
    let (mut client, ..) = server.open(shell()).await;
    server.stop.send(()).unwrap();
    client.assert_closed().await;
    timeout(LIMIT, server.task).await.unwrap().unwrap().unwrap();
}

#[tokio::test]
async fn a_users_socket_is_that_users_and_leads_to_no_other_place() {
    let server = Server::start().await;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("api.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let (user, closing) = (User { email: "sam@example.com".into() }, CancellationToken::new());
    assert!(server.sockets.send(Socket { user, listener, closing: closing.clone() }).is_ok());
    let stream = UnixStream::connect(&path).await.unwrap();
    let mut client = upgrade(stream, "127.0.0.1:9601", None).await.unwrap();
    client.say(&TerminalRequest::Open(shell())).await;
    match client.answer().await {
        TerminalAnswer::Opened(opened) => assert_eq!(opened.title, "sam@example.com"),
        other => panic!("{other:?}"),
    }
    for (target, status) in [(server.address.to_string(), 403), ("10.201.0.1:22".into(), 403), ("nowhere".into(), 400)]
    {
        let mut stream = UnixStream::connect(&path).await.unwrap();
        stream.write_all(format!("CONNECT {target} HTTP/1.1\r\nhost: {target}\r\n\r\n").as_bytes()).await.unwrap();
        let mut head = [0; 12];
        stream.read_exact(&mut head).await.unwrap();
        assert_eq!(String::from_utf8_lossy(&head), format!("HTTP/1.1 {status}"), "{target}");
    }
    closing.cancel();
    while UnixStream::connect(&path).await.is_ok() {
        tokio::task::yield_now().await;
    }
}
