//! A warm WebSocket, and when what was read on it came.

use std::net::TcpStream;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use tungstenite::{Message, Utf8Bytes, WebSocket};

/// For the next message that is waited for.
const LIMIT: Duration = Duration::from_secs(30);

/// A connection to a server.
pub(crate) struct Socket(WebSocket<TcpStream>);

impl Socket {
    pub(crate) fn open(port: u16) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(LIMIT))?;
        let (socket, _) = tungstenite::client(format!("ws://127.0.0.1:{port}/qbo"), stream)
            .map_err(|error| anyhow::anyhow!("the handshake: {error}"))?;
        Ok(Self(socket))
    }

    pub(crate) fn send(&mut self, text: &str) -> anyhow::Result<()> {
        Ok(self.0.send(Message::text(text))?)
    }

    /// The next text, and when it was read.
    pub(crate) fn next(&mut self) -> anyhow::Result<(Instant, Utf8Bytes)> {
        loop {
            let read = self.0.read().context("a message is waited for")?;
            let at = Instant::now();
            if let Message::Text(text) = read {
                return Ok((at, text));
            }
        }
    }

    /// The next text with this in it.
    pub(crate) fn await_text(&mut self, mark: &str) -> anyhow::Result<String> {
        loop {
            let (_, text) = self.next()?;
            if text.contains(mark) {
                return Ok(text.as_str().to_owned());
            }
        }
    }
}
