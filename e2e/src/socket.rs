//! The WebSocket itself, for what the CLI does not do: it refuses wrong lines on its own, and sees only its command.

use std::net::TcpStream;
use std::time::Duration;

use serde_json::{Value, json};
use tungstenite::{Message, WebSocket};

/// For the next message.
const LIMIT: Duration = Duration::from_mins(5);

/// A connection to a server.
#[derive(Debug)]
pub struct Socket {
    socket: WebSocket<TcpStream>,
}

impl Socket {
    /// Connects to the server on this port of the host.
    pub fn open(port: u16) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port)).expect("qbo-api listens");
        stream.set_read_timeout(Some(LIMIT)).expect("a time-out is set");
        let address = format!("ws://127.0.0.1:{port}/qbo");
        let (socket, _) = tungstenite::client(address, stream).expect("qbo-api speaks WebSocket");
        Self { socket }
    }

    /// Sends a command line.
    pub fn send(&mut self, line: &str) {
        let request = json!({"cmd": line, "uuid": ""}).to_string();
        self.socket.send(Message::text(request)).expect("the request is sent");
    }

    /// The messages up to a final one.
    pub fn receive(&mut self) -> Vec<Value> {
        let mut messages = Vec::new();
        loop {
            if let Message::Text(text) = self.socket.read().expect("a message comes") {
                let message: Value = serde_json::from_str(&text).expect("a message is JSON");
                let code = message["code"].as_u64().expect("a message has a code");
                messages.push(message);
                if code == 200 || code >= 400 {
                    return messages;
                }
            }
        }
    }
}
