//! The WebSocket itself, for what the CLI does not do: it refuses wrong lines on its own, sees only its command, and reads
//! what comes as soon as it comes.

use std::collections::VecDeque;
use std::io::ErrorKind;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tungstenite::{Error, Message, WebSocket};

/// For the end of a command, as the CLI's.
const LIMIT: Duration = Duration::from_mins(10);

/// A connection to a server. What comes is read while something is waited for, and kept until it is asked for.
#[derive(Debug)]
pub struct Socket {
    stream: WebSocket<TcpStream>,
    wsi: String,
    /// Messages of commands.
    said: VecDeque<Value>,
    /// Messages that no command asked for.
    changes: VecDeque<Value>,
}

impl Socket {
    /// Connects to the server on this port of the host.
    pub fn open(port: u16) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port)).expect("qbo-api listens");
        let address = format!("ws://127.0.0.1:{port}/qbo");
        let (stream, response) = tungstenite::client(address, stream).expect("qbo-api speaks WebSocket");
        let wsi = response.headers().get("x-qbo-wsi").expect("a connection is told its id");
        let wsi = wsi.to_str().expect("an id is ASCII").to_owned();
        Self { stream, wsi, said: VecDeque::new(), changes: VecDeque::new() }
    }

    /// Its id.
    pub fn wsi(&self) -> &str {
        &self.wsi
    }

    /// Runs a command in its user's own mirror, and returns its messages.
    #[track_caller]
    pub fn ask(&mut self, line: &str) -> Vec<Value> {
        self.ask_in("", line)
    }

    /// The same in a mirror of this uuid.
    #[track_caller]
    pub fn ask_in(&mut self, mirror: &str, line: &str) -> Vec<Value> {
        let request = json!({"cmd": line, "uuid": mirror}).to_string();
        self.stream.send(Message::text(request)).expect("the request is sent");
        let wsi = self.wsi.clone();
        self.hear(|message| message["wsi"] == wsi)
    }

    /// The messages of the next command of which one is like this, whoever runs it, up to the final one.
    #[track_caller]
    pub fn hear(&mut self, is_it: impl Fn(&Value) -> bool) -> Vec<Value> {
        let deadline = Instant::now() + LIMIT;
        let (mut messages, mut others): (Vec<Value>, _) = (Vec::new(), VecDeque::new());
        loop {
            let Some(message) = self.said.pop_front() else {
                assert!(self.read(deadline), "waited {} s in vain for the end of a command", LIMIT.as_secs());
                continue;
            };
            let is_wanted = match messages.first() {
                Some(first) => first["command_id"] == message["command_id"],
                None => is_it(&message),
            };
            if !is_wanted {
                others.push_back(message);
                continue;
            }
            let code = message["code"].as_u64().expect("a message has a code");
            messages.push(message);
            if code == 200 || code >= 400 {
                others.append(&mut self.said);
                self.said = others;
                return messages;
            }
        }
    }

    /// Reads one message, whatever it is; it is kept until it is asked for.
    #[track_caller]
    pub fn hear_one(&mut self) {
        assert!(self.read(Instant::now() + LIMIT), "waited {} s in vain for a message", LIMIT.as_secs());
    }

    /// What was heard of commands that nobody asked for.
    pub fn overheard(&mut self) -> Vec<Value> {
        std::mem::take(&mut self.said).into()
    }

    /// Waits for a change like this, past others; what becomes of which rows is in its message.
    #[track_caller]
    pub fn await_change(&mut self, what: &str, limit: Duration, is_it: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + limit;
        loop {
            while let Some(change) = self.changes.pop_front() {
                if is_it(&change) {
                    return change;
                }
            }
            assert!(self.read(deadline), "waited {} s in vain to be told of {what}", limit.as_secs());
        }
    }

    /// Reads a message into its place; tells whether one came in time.
    fn read(&mut self, deadline: Instant) -> bool {
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            self.stream.get_ref().set_read_timeout(Some(left)).expect("a time-out is set");
            match self.stream.read() {
                Ok(Message::Text(text)) => {
                    let message: Value = serde_json::from_str(&text).expect("a message is JSON");
                    let place = if message["change"].is_null() { &mut self.said } else { &mut self.changes };
                    place.push_back(message);
                    return true;
                }
                Ok(_) => {}
                Err(Error::Io(error)) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                Err(error) => panic!("the connection broke: {error}"),
            }
        }
    }
}
