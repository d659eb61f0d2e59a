//! A terminal of the server's on the one this program runs in: bytes go both ways as they are, the window's size follows,
//! and the program's exit code becomes ours.
//!
//! Where standard input is no terminal, what it holds is typed, and then Ctrl-D; so a shell can be given a script.

use std::io::{self, IsTerminal, Read, Write};
use std::os::fd::AsFd;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use qbo_api::TERMINAL_PATH;
use qbo_api::terminal::{OpenRequest, Size, TerminalAnswer, TerminalKind, TerminalRequest, WINDOW};
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};
use tokio::net::TcpStream;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::{Bytes, Message};

use crate::config::Config;
use crate::connect;
use crate::failure::{Exit, Failure};

/// What is typed is sent in pieces of this size at most; so many of them wait to be sent.
const PIECE: usize = 8 * 1024;
const PIECES: usize = 4;

/// For what is opened: the container of a first shell is made meanwhile.
const OPENING: Duration = Duration::from_mins(1);
/// For saying goodbye.
const CLOSING: Duration = Duration::from_millis(500);

/// End of transmission, as Ctrl-D types it.
const END: &[u8] = b"\x04";

/// Opens a terminal, and shows it until its program ends.
pub(crate) async fn run(mut request: OpenRequest) -> Result<Exit, Failure> {
    let config = Config::load()?;
    if let Some(size) = size() {
        (request.columns, request.rows) = (size.columns, size.rows);
    }
    let kind = request.kind;
    let (socket, _) = connect::dial(&config, TERMINAL_PATH).await?;
    let mut terminal = Terminal { socket, address: config.address(), unread: 0, on_the_way: 0 };
    terminal.say(&TerminalRequest::Open(request)).await?;
    match timeout(OPENING, terminal.hear()).await {
        Ok(heard) => match heard? {
            Heard::Answer(TerminalAnswer::Opened(_)) => {}
            Heard::Answer(TerminalAnswer::Error(error)) => {
                return Err(Failure::answered(error.code, &error.problem, &error.cure));
            }
            Heard::Answer(_) | Heard::Output(_) => return Err(terminal.lost("it answered something else first")),
        },
        Err(_) => return Err(terminal.lost(&format!("nothing was opened within {} s", OPENING.as_secs()))),
    }
    if kind == TerminalKind::Logs { terminal.print().await } else { terminal.show().await }
}

/// An open channel.
struct Terminal {
    socket: WebSocketStream<TcpStream>,
    address: String,
    /// Bytes that came and were not acknowledged yet.
    unread: u64,
    /// Bytes that were sent and not acknowledged yet.
    on_the_way: u64,
}

enum Heard {
    Output(Bytes),
    Answer(TerminalAnswer),
}

/// The terminal this program runs in, in raw mode until this is dropped.
struct Raw(Termios);

impl Raw {
    /// None where standard input is no terminal.
    fn enter() -> io::Result<Option<Self>> {
        let input = io::stdin();
        if !input.is_terminal() {
            return Ok(None);
        }
        let before = tcgetattr(&input)?;
        let mut raw = before.clone();
        raw.make_raw();
        tcsetattr(&input, OptionalActions::Now, &raw)?;
        Ok(Some(Self(before)))
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        // A terminal that is gone needs it no more.
        let _ = tcsetattr(io::stdin(), OptionalActions::Drain, &self.0);
    }
}

impl Terminal {
    /// Lets a program and whoever types talk with each other.
    async fn show(mut self) -> Result<Exit, Failure> {
        let broken = |error: io::Error| Failure::host(format!("this terminal cannot be used: {error}"), "");
        let raw = Raw::enter().map_err(broken)?;
        let mut resized = signal(SignalKind::window_change()).map_err(broken)?;
        let mut typed = keyboard(raw.is_none());
        let exit = loop {
            let may_type = self.on_the_way < WINDOW / 4;
            tokio::select! {
                heard = self.hear() => match heard? {
                    Heard::Output(bytes) => self.write(&bytes).await?,
                    Heard::Answer(answer) => if let Some(exit) = self.answer(answer)? { break exit },
                },
                Some(bytes) = typed.recv(), if may_type => {
                    self.on_the_way += bytes.len() as u64;
                    self.send(Message::Binary(bytes)).await?;
                }
                _ = resized.recv() => if let Some(size) = size() {
                    self.say(&TerminalRequest::Resize(size)).await?;
                },
            }
        };
        drop(raw);
        self.close().await;
        Ok(exit)
    }

    /// Prints a log until it ends, or Ctrl-C does.
    async fn print(mut self) -> Result<Exit, Failure> {
        let interrupt = signal(SignalKind::interrupt());
        let mut interrupt =
            interrupt.map_err(|error| Failure::host(format!("cannot listen for Ctrl-C: {error}"), ""))?;
        loop {
            tokio::select! {
                heard = self.hear() => match heard? {
                    Heard::Output(bytes) => self.write(&bytes).await?,
                    Heard::Answer(answer) => if let Some(exit) = self.answer(answer)? {
                        self.close().await;
                        return Ok(exit);
                    },
                },
                _ = interrupt.recv() => {
                    self.say(&TerminalRequest::Close(qbo_api::terminal::Close {})).await?;
                    self.close().await;
                    return Ok(Exit::Interrupted);
                }
            }
        }
    }

    fn answer(&mut self, answer: TerminalAnswer) -> Result<Option<Exit>, Failure> {
        match answer {
            TerminalAnswer::Exit(exit) => Ok(Some(Exit::Program(u8::try_from(exit.code).unwrap_or(u8::MAX)))),
            TerminalAnswer::Error(error) => Err(Failure::answered(error.code, &error.problem, &error.cure)),
            TerminalAnswer::Acknowledge(bytes) => {
                self.on_the_way = self.on_the_way.saturating_sub(bytes);
                Ok(None)
            }
            TerminalAnswer::Opened(_) => Ok(None),
        }
    }

    async fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        let mut output = io::stdout().lock();
        output.write_all(bytes)?;
        output.flush()?;
        drop(output);
        self.unread += bytes.len() as u64;
        // Not each piece: the server goes on as long as less than the window is open.
        if self.unread >= WINDOW / 8 {
            let unread = std::mem::take(&mut self.unread);
            self.say(&TerminalRequest::Acknowledge(unread)).await?;
        }
        Ok(())
    }

    /// What comes next. Safe to drop and call again.
    async fn hear(&mut self) -> Result<Heard, Failure> {
        loop {
            match self.socket.next().await {
                Some(Ok(Message::Binary(bytes))) => return Ok(Heard::Output(bytes)),
                Some(Ok(Message::Text(text))) => {
                    let answer = serde_json::from_str(&text).map_err(|error| self.lost(&error.to_string()))?;
                    return Ok(Heard::Answer(answer));
                }
                Some(Ok(Message::Close(_))) | None => return Err(self.lost("the server closed it")),
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(self.lost(&error.to_string())),
            }
        }
    }

    async fn say(&mut self, request: &TerminalRequest) -> Result<(), Failure> {
        let text = serde_json::to_string(request).map_err(|error| self.lost(&error.to_string()))?;
        self.send(Message::text(text)).await
    }

    async fn send(&mut self, message: Message) -> Result<(), Failure> {
        let sent = self.socket.send(message).await;
        sent.map_err(|error| self.lost(&error.to_string()))
    }

    async fn close(mut self) {
        let _ = timeout(CLOSING, self.socket.close(None)).await;
    }

    fn lost(&self, reason: &str) -> Failure {
        Failure::host(format!("the terminal at {} is lost: {reason}", self.address), "")
    }
}

/// What is typed, as it comes; Ctrl-D at the end, where that is to be typed too.
fn keyboard(ends: bool) -> mpsc::Receiver<Bytes> {
    let (sender, receiver) = mpsc::channel(PIECES);
    // Reading a terminal blocks. A thread of the runtime would hold up the end of the process; this one does not.
    std::thread::spawn(move || {
        let mut piece = vec![0; PIECE];
        let mut input = io::stdin().lock();
        loop {
            let bytes = match input.read(&mut piece) {
                Ok(0) | Err(_) => break,
                Ok(length) => Bytes::copy_from_slice(&piece[..length]),
            };
            if sender.blocking_send(bytes).is_err() {
                return;
            }
        }
        if ends {
            // The program may have ended by now.
            let _ = sender.blocking_send(Bytes::from_static(END));
        }
    });
    receiver
}

/// The size of the window, where there is one.
fn size() -> Option<Size> {
    let (input, output) = (io::stdin(), io::stdout());
    let of = |terminal: &dyn AsFd| tcgetwinsize(terminal.as_fd()).ok();
    let found = of(&output).or_else(|| of(&input))?;
    (found.ws_col > 0 && found.ws_row > 0).then_some(Size { columns: found.ws_col, rows: found.ws_row })
}
