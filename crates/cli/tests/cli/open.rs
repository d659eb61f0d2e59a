//! `qbo open` on a terminal of its own, as a shell's user has one: raw mode, its size, keys that are the program's, its exit code.

use std::fs::File;
use std::io::{Read, Write};
use std::process::Stdio;

use futures_util::{SinkExt, StreamExt};
use qbo_api::message::Code;
use qbo_api::terminal::{Exit, Opened, Size, TerminalAnswer, TerminalError, TerminalRequest};
use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Child;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::{Bytes, Message};
use uuid::Uuid;

use super::{LIMIT, Qbo};

/// A pseudo-terminal with `qbo` on it.
struct Pty {
    keyboard: File,
    /// The side of the program; open, so that its settings are there to look at after the end.
    line: File,
    screen: mpsc::UnboundedReceiver<Vec<u8>>,
    shown: String,
    qbo: Child,
}

impl Pty {
    fn start(qbo: &Qbo, words: &str, size: Winsize) -> Self {
        let keyboard = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&keyboard).unwrap();
        unlockpt(&keyboard).unwrap();
        tcsetwinsize(&keyboard, size).unwrap();
        let name = ptsname(&keyboard, Vec::new()).unwrap();
        let line = rustix::fs::open(name, OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC, Mode::empty()).unwrap();
        let (keyboard, line) = (File::from(keyboard), File::from(line));
        let end = || Stdio::from(line.try_clone().unwrap());
        // The kernel tells of another size to who has this as controlling terminal.
        let mut command = qbo.program("setsid");
        command.args(["--ctty", env!("CARGO_BIN_EXE_qbo")]).args(words.split(' '));
        let qbo = command.stdin(end()).stdout(end()).stderr(end()).spawn().expect("setsid(1), of util-linux");
        let mut from = keyboard.try_clone().unwrap();
        let (sender, screen) = mpsc::unbounded_channel();
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(length @ 1..) = from.read(&mut bytes) {
                if sender.send(bytes[..length].to_vec()).is_err() {
                    return;
                }
            }
        });
        Self { keyboard, line, screen, shown: String::new(), qbo }
    }

    fn press(&mut self, keys: &[u8]) {
        self.keyboard.write_all(keys).unwrap();
    }

    fn resize(&self, size: Winsize) {
        tcsetwinsize(&self.keyboard, size).unwrap();
    }

    async fn shows(&mut self, wanted: &str) {
        while !self.shown.contains(wanted) {
            let read = timeout(LIMIT, self.screen.recv()).await;
            let bytes = read.unwrap_or_else(|_| panic!("'{wanted}' is not in '{}'", self.shown)).unwrap();
            self.shown.push_str(&String::from_utf8_lossy(&bytes));
        }
    }

    /// Whether the terminal does by itself what it does before a program asks otherwise: lines, echo, signals.
    fn is_cooked(&self) -> bool {
        let modes = LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG;
        tcgetattr(&self.line).unwrap().local_modes.contains(modes)
    }

    async fn ended(&mut self) -> Option<i32> {
        timeout(LIMIT, self.qbo.wait()).await.expect("qbo ends in time").unwrap().code()
    }
}

/// The server's end of a terminal.
struct Peer(WebSocketStream<TcpStream>);

impl Peer {
    async fn accept(listener: &TcpListener) -> Self {
        let (stream, _) = timeout(LIMIT, listener.accept()).await.expect("qbo connects in time").unwrap();
        Self(tokio_tungstenite::accept_async(stream).await.unwrap())
    }

    async fn hear(&mut self) -> Message {
        timeout(LIMIT, self.0.next()).await.expect("qbo says something in time").unwrap().unwrap()
    }

    async fn request(&mut self) -> TerminalRequest {
        let message = self.hear().await;
        serde_json::from_str(message.to_text().unwrap()).unwrap()
    }

    async fn typed(&mut self) -> Bytes {
        let message = self.hear().await;
        assert!(message.is_binary(), "{message:?}");
        message.into_data()
    }

    async fn answer(&mut self, answer: TerminalAnswer) {
        self.0.send(Message::text(serde_json::to_string(&answer).unwrap())).await.unwrap();
    }

    async fn write(&mut self, text: &'static str) {
        self.0.send(Message::binary(text.as_bytes())).await.unwrap();
    }
}

fn window(columns: u16, rows: u16) -> Winsize {
    Winsize { ws_col: columns, ws_row: rows, ws_xpixel: 0, ws_ypixel: 0 }
}

async fn listener() -> (TcpListener, Qbo) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let qbo = Qbo::new(listener.local_addr().unwrap().port());
    (listener, qbo)
}

#[tokio::test]
async fn a_terminal_is_the_programs_until_it_ends() {
    let (listener, qbo) = listener().await;
    let mut pty = Pty::start(&qbo, "open node control-1a2b3c4d", window(100, 30));
    let mut peer = Peer::accept(&listener).await;
    let TerminalRequest::Open(open) = peer.request().await else { panic!("it opens something first") };
    assert_eq!((open.node.as_deref(), open.columns, open.rows), (Some("control-1a2b3c4d"), 100, 30));
    peer.answer(TerminalAnswer::Opened(Opened { session: Uuid::new_v4(), title: "control-1a2b3c4d".into() })).await;
    peer.write("root@control:/# ").await;
    pty.shows("root@control:/# ").await;
    assert!(!pty.is_cooked());

    // Ctrl-C, Ctrl-Z and Ctrl-D are keys of the program's.
    pty.press(b"sleep 9\r\x03\x1a\x04");
    let mut typed = Vec::new();
    while typed.len() < 11 {
        typed.extend_from_slice(&peer.typed().await);
    }
    assert_eq!(typed, b"sleep 9\r\x03\x1a\x04");

    pty.resize(window(132, 43));
    let TerminalRequest::Resize(size) = peer.request().await else { panic!("it tells of the size") };
    assert_eq!(size, Size { columns: 132, rows: 43 });

    peer.answer(TerminalAnswer::Exit(Exit { code: 7 })).await;
    assert_eq!(pty.ended().await, Some(7));
    assert!(pty.is_cooked(), "the terminal is as it was");
    assert!(!pty.shown.contains("sleep"), "nothing is echoed but by the program: {}", pty.shown);
}

#[tokio::test]
async fn a_terminal_is_as_it_was_when_the_server_goes() {
    let (listener, qbo) = listener().await;
    let mut pty = Pty::start(&qbo, "open shell", window(80, 24));
    let mut peer = Peer::accept(&listener).await;
    peer.request().await;
    peer.answer(TerminalAnswer::Opened(Opened { session: Uuid::new_v4(), title: "shell".into() })).await;
    peer.write("$ ").await;
    pty.shows("$ ").await;
    drop(peer);
    pty.shows("is lost").await;
    assert_ne!(pty.ended().await, Some(0));
    assert!(pty.is_cooked());
}

#[tokio::test]
async fn what_cannot_be_opened_is_told_and_changes_no_terminal() {
    let (listener, qbo) = listener().await;
    let mut pty = Pty::start(&qbo, "open node none", window(80, 24));
    let mut peer = Peer::accept(&listener).await;
    peer.request().await;
    let (problem, cure) = ("there is no node 'none'".into(), "there are: control-1a2b3c4d".into());
    peer.answer(TerminalAnswer::Error(TerminalError { code: Code::NOT_FOUND, problem, cure })).await;
    pty.shows("there is no node 'none'").await;
    assert_eq!(pty.ended().await, Some(1));
    assert!(pty.is_cooked());
}
