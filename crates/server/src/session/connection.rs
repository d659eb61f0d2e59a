//! One client's socket: requests in, the messages of its mirrors out.
//!
//! One task does both, and reads no further request while it sends: a client that floods the server waits for its
//! own answers, and one that does not read at all is dropped.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket, close_code};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, MissedTickBehavior, interval_at, timeout};
use tokio_tungstenite::tungstenite;

use super::Session;
use super::request::{self, Refused};
use crate::access::User;
use crate::error::Failure;
use crate::mirror::Feed;
use crate::report::Origin;

/// How long the other side may take to agree to close.
const CLOSE_LIMIT: Duration = Duration::from_secs(1);

/// A client that is connected.
pub(super) struct Connection {
    session: Arc<Session>,
    user: User,
    origin: Origin,
    feed: Feed,
    /// Given back when the connection is gone.
    place: OwnedSemaphorePermit,
}

/// Why a connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// The client closed it, or the network did.
    Gone,
    /// The client does not read what is sent to it.
    Slow,
    /// Nothing comes from the client, not even answers to pings.
    Silent,
    /// A frame was too large to be read.
    TooLarge,
    /// A text frame was not UTF-8.
    NotText,
    /// The server stops.
    Stopping,
}

impl Connection {
    /// A connection about to be; its feed is in the user's own mirror from now on.
    pub(super) fn new(session: Arc<Session>, user: User, origin: Origin, place: OwnedSemaphorePermit) -> Self {
        let mut feed = session.mirrors.feed();
        feed.join(origin.mirror).expect("a new feed is in no room");
        Self { session, user, origin, feed, place }
    }

    /// Talks with the client until one of both ends it.
    pub(super) async fn serve(mut self, mut socket: WebSocket) {
        tracing::debug!(peer = self.origin.peer, wsi = self.origin.wsi, "connected");
        let end = match self.talk(&mut socket).await {
            Ok(never) => match never {},
            Err(end) => end,
        };
        // What was said before the end is still sent, the answer to a frame that cannot be read above all.
        if matches!(end, End::Stopping | End::TooLarge | End::NotText) {
            while let Some(text) = self.feed.waiting() {
                if self.send(&mut socket, text_frame(&text)).await.is_err() {
                    break;
                }
            }
        }
        tracing::debug!(peer = self.origin.peer, wsi = self.origin.wsi, ?end, "disconnected");
        close(socket, end).await;
        drop(self.place);
    }

    async fn talk(&mut self, socket: &mut WebSocket) -> Result<std::convert::Infallible, End> {
        let limits = self.session.limits.clone();
        let closing = self.session.closing.clone();
        let mut heard = Instant::now();
        let mut ping = interval_at(heard + limits.ping, limits.ping);
        ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = closing.cancelled() => return Err(End::Stopping),
                text = self.feed.next() => {
                    let text = text.map_err(|_| End::Slow)?;
                    self.send(socket, text_frame(&text)).await?;
                }
                frame = socket.recv() => {
                    heard = Instant::now();
                    self.hear(frame)?;
                }
                _ = ping.tick() => {
                    if heard.elapsed() > limits.silence {
                        return Err(End::Silent);
                    }
                    self.send(socket, Message::Ping(axum::body::Bytes::new())).await?;
                }
            }
        }
    }

    fn hear(&mut self, frame: Option<Result<Message, axum::Error>>) -> Result<(), End> {
        match frame {
            Some(Ok(Message::Text(text))) => match request::read(&text) {
                Ok(asked) => self.start(asked),
                Err(refused) => self.refuse(&refused),
            },
            Some(Ok(Message::Binary(_))) => self.refuse(&Refused::binary()),
            // The WebSocket layer answers pings itself.
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
            None | Some(Ok(Message::Close(_))) => return Err(End::Gone),
            Some(Err(error)) => return Err(self.broken(error)),
        }
        Ok(())
    }

    fn start(&mut self, asked: request::Asked) {
        let mirror = asked.mirror.unwrap_or(self.origin.mirror);
        match self.feed.join(mirror) {
            Ok(()) => {
                let origin = Origin { mirror, ..self.origin.clone() };
                self.session.commands.start(&self.user, origin, asked.command);
            }
            Err(error) => {
                let failure = Failure::from(error);
                self.refuse(&Refused { line: asked.command.to_string(), mirror: None, failure });
            }
        }
    }

    /// Answers what is no command, in the mirror it was meant for if the client is there.
    fn refuse(&mut self, refused: &Refused) {
        let mirror = refused.mirror.filter(|mirror| self.feed.join(*mirror).is_ok()).unwrap_or(self.origin.mirror);
        self.session.commands.refuse(Origin { mirror, ..self.origin.clone() }, refused);
    }

    /// Tells a client's fault, which it is told, from its going away without a word, which is nobody's.
    fn broken(&mut self, error: axum::Error) -> End {
        match error.into_inner().downcast_ref::<tungstenite::Error>() {
            Some(tungstenite::Error::Capacity(_)) => {
                self.refuse(&Refused::too_large(""));
                End::TooLarge
            }
            Some(tungstenite::Error::Utf8(_)) => {
                self.refuse(&Refused::binary());
                End::NotText
            }
            _ => End::Gone,
        }
    }

    async fn send(&self, socket: &mut WebSocket, frame: Message) -> Result<(), End> {
        match timeout(self.session.limits.send, socket.send(frame)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(End::Gone),
            Err(_) => Err(End::Slow),
        }
    }
}

fn text_frame(text: &str) -> Message {
    Message::Text(text.into())
}

/// Says goodbye. What the client sent meanwhile is read away: to close a socket with unread data in it resets the
/// connection, and what was sent last is lost on the way (RFC 1122, section 4.2.2.13).
async fn close(mut socket: WebSocket, end: End) {
    let (code, reason) = match end {
        End::Gone => return,
        End::Slow => (close_code::AGAIN, "messages were not read in time; connect again"),
        End::Silent => (close_code::POLICY, "pings were not answered"),
        End::TooLarge => (close_code::SIZE, "the frame is too large"),
        End::NotText => (close_code::INVALID, "the frame is not UTF-8"),
        End::Stopping => (close_code::AWAY, "the server is stopping"),
    };
    let farewell = Message::Close(Some(CloseFrame { code, reason: Utf8Bytes::from_static(reason) }));
    let agreed = async {
        if socket.send(farewell).await.is_ok() {
            while let Some(Ok(_)) = socket.recv().await {}
        }
    };
    if timeout(CLOSE_LIMIT, agreed).await.is_err() {
        tracing::debug!(?end, "the client did not agree to close");
    }
}
