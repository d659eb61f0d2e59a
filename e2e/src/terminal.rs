//! The terminal channel itself, for what the CLI does not do: to leave a session and to take it up again.

use std::io::ErrorKind;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tungstenite::{Error, Message, WebSocket};

/// For a program to say something, on a busy machine.
const LIMIT: Duration = Duration::from_mins(1);

/// A terminal of a server. What it has written is kept, until something in it is found.
#[derive(Debug)]
pub struct Terminal {
    stream: WebSocket<TcpStream>,
    session: String,
    written: String,
}

impl Terminal {
    /// Opens what the request says, in a window of 120 × 40.
    #[track_caller]
    pub fn open(port: u16, mut request: Value) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port)).expect("qbo-api listens");
        let address = format!("ws://127.0.0.1:{port}/terminal");
        let (stream, _) = tungstenite::client(address, stream).expect("qbo-api speaks WebSocket");
        let mut terminal = Self { stream, session: String::new(), written: String::new() };
        request["columns"] = 120.into();
        request["rows"] = 40.into();
        terminal.say(&json!({"open": request}));
        let answer = terminal.answer();
        let session = answer["opened"]["session"].as_str();
        session.unwrap_or_else(|| panic!("it is not open: {answer}")).clone_into(&mut terminal.session);
        terminal
    }

    /// Its session, by which it is taken up again.
    pub fn session(&self) -> &str {
        &self.session
    }

    /// Types something.
    pub fn type_in(&mut self, text: &str) {
        self.stream.send(Message::binary(text.as_bytes().to_vec())).expect("it is sent");
    }

    /// Waits until this was written; what stands before it is passed over.
    #[track_caller]
    pub fn reads(&mut self, text: &str) {
        let deadline = Instant::now() + LIMIT;
        loop {
            if let Some(place) = self.written.find(text) {
                self.written.drain(..place + text.len());
                return;
            }
            match self.next(deadline) {
                Some(Message::Binary(bytes)) => self.written.push_str(&String::from_utf8_lossy(&bytes)),
                Some(_) => {}
                None => panic!("waited in vain for '{text}'; it wrote:\n{}", self.written),
            }
        }
    }

    /// Ends the session.
    pub fn close(mut self) {
        self.say(&json!({"close": {}}));
        while self.next(Instant::now() + LIMIT).is_some() {}
    }

    fn say(&mut self, request: &Value) {
        self.stream.send(Message::text(request.to_string())).expect("it is sent");
    }

    #[track_caller]
    fn answer(&mut self) -> Value {
        loop {
            match self.next(Instant::now() + LIMIT) {
                Some(Message::Text(text)) => return serde_json::from_str(&text).expect("an answer is JSON"),
                Some(_) => {}
                None => panic!("it does not answer"),
            }
        }
    }

    /// The next frame; none where none comes, or the server has closed the channel.
    fn next(&mut self, deadline: Instant) -> Option<Message> {
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return None;
            }
            self.stream.get_ref().set_read_timeout(Some(left)).expect("a time-out is set");
            match self.stream.read() {
                Ok(Message::Close(_)) | Err(Error::ConnectionClosed | Error::AlreadyClosed) => return None,
                Ok(message) => return Some(message),
                Err(Error::Io(error)) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                Err(error) => panic!("the connection broke: {error}"),
            }
        }
    }
}
