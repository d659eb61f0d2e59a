//! One terminal's socket: frames become what is typed and wished for, and what the program writes becomes frames.
//!
//! A channel of its own beside the one for commands: a program that writes much holds up no message.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket, close_code};
use qbo_api::message::Code;
use qbo_api::terminal::{Exit, FRAME_LIMIT, OpenRequest, Opened, TerminalAnswer, TerminalError, TerminalRequest};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, MissedTickBehavior, interval_at, timeout};

use super::Session;
use crate::access::User;
use crate::error::Failure;
use crate::terminal::{Attachment, Event, Sessions};

/// How long the first frame may take to come.
const OPENING_LIMIT: Duration = Duration::from_secs(10);

/// How long the other side may take to agree to close.
const CLOSE_LIMIT: Duration = Duration::from_secs(1);

/// A client of a terminal.
pub(super) struct Terminal {
    pub(super) session: Arc<Session>,
    pub(super) sessions: Arc<Sessions>,
    pub(super) user: User,
    /// Given back when the connection is gone.
    pub(super) place: OwnedSemaphorePermit,
}

/// Why a connection ends.
enum End {
    /// The client closed it, the network did, or it does not read.
    Gone,
    /// All is said.
    Said,
    /// The server stops.
    Stopping,
    /// The client is told why.
    Failed(Failure),
}

impl Terminal {
    /// Talks with the client until one of both ends it.
    pub(super) async fn serve(self, mut socket: WebSocket) {
        let end = match self.talk(&mut socket).await {
            Ok(never) => match never {},
            Err(end) => end,
        };
        let code = match end {
            End::Gone => return,
            End::Said => close_code::NORMAL,
            End::Stopping => close_code::AWAY,
            End::Failed(failure) => {
                let Failure { code, problem, cure } = failure;
                let error = TerminalAnswer::Error(TerminalError { code, problem, cure });
                if self.say(&mut socket, &error).await.is_err() {
                    return;
                }
                close_code::POLICY
            }
        };
        let farewell = CloseFrame { code, reason: Utf8Bytes::from_static("") };
        let goodbye = async {
            if socket.send(Message::Close(Some(farewell))).await.is_ok() {
                while let Some(Ok(_)) = socket.recv().await {}
            }
        };
        let _ = timeout(CLOSE_LIMIT, goodbye).await;
        drop(self.place);
    }

    async fn talk(&self, socket: &mut WebSocket) -> Result<std::convert::Infallible, End> {
        let request = self.first(socket).await?;
        let mut attachment = self.sessions.open(&self.user, request).await.map_err(End::Failed)?;
        let opened = Opened { session: attachment.session, title: attachment.title.clone() };
        self.say(socket, &TerminalAnswer::Opened(opened)).await?;
        let limits = &self.session.limits;
        let mut heard = Instant::now();
        let mut ping = interval_at(heard + limits.ping, limits.ping);
        ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = self.session.closing.cancelled() => return Err(End::Stopping),
                event = attachment.next() => match event {
                    Some(event) => self.tell(socket, event).await?,
                    None => return Err(End::Said),
                },
                frame = socket.recv() => {
                    heard = Instant::now();
                    hear(&attachment, frame).await?;
                }
                _ = ping.tick() => {
                    if heard.elapsed() > limits.silence {
                        return Err(End::Gone);
                    }
                    self.send(socket, Message::Ping(Bytes::new())).await?;
                }
            }
        }
    }

    async fn first(&self, socket: &mut WebSocket) -> Result<OpenRequest, End> {
        let frame = tokio::select! {
            () = self.session.closing.cancelled() => return Err(End::Stopping),
            frame = timeout(OPENING_LIMIT, socket.recv()) => frame,
        };
        match frame {
            Ok(Some(Ok(Message::Text(text)))) => match read(&text)? {
                TerminalRequest::Open(request) => Ok(request),
                TerminalRequest::Resize(_) | TerminalRequest::Acknowledge(_) | TerminalRequest::Close(_) => {
                    Err(End::Failed(not_open()))
                }
            },
            Ok(Some(Ok(Message::Binary(_)))) | Err(_) => Err(End::Failed(not_open())),
            Ok(Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Close(_)) | Err(_)) | None) => Err(End::Gone),
        }
    }

    async fn tell(&self, socket: &mut WebSocket, event: Event) -> Result<(), End> {
        match event {
            Event::Output(bytes) => self.send(socket, Message::Binary(bytes)).await,
            Event::Consumed(bytes) => self.say(socket, &TerminalAnswer::Acknowledge(bytes)).await,
            Event::Exit(code) => {
                self.say(socket, &TerminalAnswer::Exit(Exit { code })).await?;
                Err(End::Said)
            }
            Event::Lost(failure) => Err(End::Failed(failure)),
        }
    }

    async fn say(&self, socket: &mut WebSocket, answer: &TerminalAnswer) -> Result<(), End> {
        match serde_json::to_string(answer) {
            Ok(text) => self.send(socket, Message::Text(text.into())).await,
            Err(error) => {
                tracing::error!(%error, "an answer could not be serialised");
                Err(End::Gone)
            }
        }
    }

    async fn send(&self, socket: &mut WebSocket, frame: Message) -> Result<(), End> {
        match timeout(self.session.limits.send, socket.send(frame)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(End::Gone),
        }
    }
}

async fn hear(attachment: &Attachment, frame: Option<Result<Message, axum::Error>>) -> Result<(), End> {
    match frame {
        Some(Ok(Message::Binary(bytes))) => attachment.input(bytes).await,
        Some(Ok(Message::Text(text))) => match read(&text)? {
            TerminalRequest::Open(_) => {
                let problem = "this channel is open already";
                return Err(End::Failed(Failure::new(Code::CONFLICT, problem, "open another one")));
            }
            TerminalRequest::Resize(size) => attachment.resize(size).await,
            TerminalRequest::Acknowledge(bytes) => attachment.acknowledge(bytes).await,
            TerminalRequest::Close(_) => attachment.close().await,
        },
        // The WebSocket layer answers pings itself.
        Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
        Some(Ok(Message::Close(_)) | Err(_)) | None => return Err(End::Gone),
    }
    Ok(())
}

fn read(text: &str) -> Result<TerminalRequest, End> {
    serde_json::from_str(text).map_err(|error| {
        let problem = format!("the frame is no request for a terminal: {error}");
        End::Failed(Failure::new(Code::BAD_REQUEST, problem, CURE))
    })
}

fn not_open() -> Failure {
    let problem = format!("the first frame must say within {} s what to open", OPENING_LIMIT.as_secs());
    Failure::new(Code::BAD_REQUEST, problem, CURE)
}

const CURE: &str = r#"as {"open": {"kind": "shell", "columns": 80, "rows": 24}}"#;

/// The largest frame that is read.
pub(super) const LIMIT: usize = FRAME_LIMIT;
