//! One client's socket: requests in, the messages of its mirrors out.
//!
//! One task does both, and reads no further request while it sends: a client that floods the server waits for its
//! own answers, and one that does not read at all is dropped.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket, close_code};
use futures_util::SinkExt;
use jiff::Timestamp;
use qbo_api::command::{Command, Mirrors};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, MissedTickBehavior, interval_at, timeout};
use tokio_tungstenite::tungstenite;
use uuid::Uuid;

use super::Session;
use super::request::{self, Refused};
use crate::error::Failure;
use crate::live::ClientInfo;
use crate::mirror::{Feed, RoomError};
use crate::report::Origin;

/// How long the other side may take to agree to close.
const CLOSE_LIMIT: Duration = Duration::from_secs(1);

/// Messages sent in one go, before it is seen whether the client has something to say.
const BATCH: usize = 64;

/// Bytes after which no message is added to these: they share one limit of time, which is for a client that takes nothing, not
/// for one that is slow to take much.
const BATCH_BYTES: usize = 64 << 10;

/// A client that is connected.
pub(super) struct Connection {
    session: Arc<Session>,
    origin: Origin,
    feed: Feed,
    client: ClientInfo,
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
    pub(super) fn new(session: Arc<Session>, origin: Origin, agent: String, place: OwnedSemaphorePermit) -> Self {
        let feed = session.live.mirrors().feed(&origin.user);
        let client = ClientInfo {
            user: origin.user.clone(),
            wsi: origin.wsi.clone(),
            address: origin.peer.clone(),
            agent,
            mirrors: feed.mirrors(),
            since: Timestamp::now(),
            command: None,
        };
        Self { session, origin, feed, client, place }
    }

    /// Talks with the client until one of both ends it.
    pub(super) async fn serve(mut self, mut socket: WebSocket) {
        tracing::debug!(peer = self.origin.peer, wsi = self.origin.wsi, "connected");
        self.session.live.client_seen(self.client.clone());
        let end = match self.talk(&mut socket).await {
            Ok(never) => match never {},
            Err(end) => end,
        };
        // What was said before the end is still sent, the answer to a frame that cannot be read above all.
        if matches!(end, End::Stopping | End::TooLarge | End::NotText) {
            while let Some(text) = self.feed.waiting() {
                if self.send(&mut socket, Message::Text(text)).await.is_err() {
                    break;
                }
            }
        }
        tracing::debug!(peer = self.origin.peer, wsi = self.origin.wsi, ?end, "disconnected");
        self.session.live.client_gone(&self.origin.wsi);
        close(socket, end).await;
        drop(self.place);
    }

    async fn talk(&mut self, socket: &mut WebSocket) -> Result<std::convert::Infallible, End> {
        let limits = self.session.limits.clone();
        let session = Arc::clone(&self.session);
        let mut closing = std::pin::pin!(session.closing.cancelled());
        let mut heard = Instant::now();
        let mut ping = interval_at(heard + limits.ping, limits.ping);
        ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = &mut closing => return Err(End::Stopping),
                text = self.feed.next() => {
                    match text {
                        Ok(text) => self.send_all(socket, text).await?,
                        // What it missed it is told at once, as it is now.
                        Err(_) => self.session.live.resume(&self.feed, &self.origin.user),
                    }
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
                Err(refused) => self.refuse(refused),
            },
            Some(Ok(Message::Binary(_))) => self.refuse(Refused::binary()),
            // The WebSocket layer answers pings itself.
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
            None | Some(Ok(Message::Close(_))) => return Err(End::Gone),
            Some(Err(error)) => return Err(self.broken(error)),
        }
        Ok(())
    }

    fn start(&mut self, asked: request::Asked) {
        // Who follows a mirror asks in it, and so is told which it is.
        let followed = self.followed(&asked.command).first().copied();
        let mirror = asked.mirror.or(followed).unwrap_or(self.origin.mirror);
        if let Err(error) = self.feed.join(mirror) {
            let failure = Failure::from(error);
            return self.refuse(Refused { line: asked.command.to_string(), mirror: None, failure });
        }
        let outcome = self.enter_and_leave(mirror, &asked.command);
        // Who has left the mirror in which it asked would not hear the answer there.
        let mirror = if self.feed.mirrors().contains(&mirror) { mirror } else { self.origin.mirror };
        let origin = Origin { mirror, ..self.origin.clone() };
        let line = asked.command.to_string();
        let (id, thread) = match outcome {
            Some(outcome) => self.session.commands.conclude(origin, &asked.command, outcome.map_err(Failure::from)),
            None => self.session.commands.start(origin, asked.command),
        };
        self.client.mirrors = self.feed.mirrors();
        self.client.command = Some((line, id, thread));
        self.session.live.client_seen(self.client.clone());
    }

    /// What a command does to the connection it came over, in a mirror; none where that is not all it does.
    fn enter_and_leave(&mut self, mirror: Uuid, command: &Command) -> Option<Result<(), RoomError>> {
        match command {
            Command::JoinMirror(Mirrors { mirrors }) => Some(self.join(mirrors)),
            Command::LeaveMirror(Mirrors { mirrors }) => {
                // All or none: who may not leave one of them, or is not in it, has mistaken it.
                let mistaken = mirrors.iter().find_map(|mirror| self.feed.may_leave(*mirror).err());
                Some(match mistaken {
                    Some(error) => Err(error),
                    None => mirrors.iter().try_for_each(|mirror| self.feed.leave(*mirror)),
                })
            }
            command => {
                self.want(mirror, command);
                self.join(&self.followed(command)).err().map(Err)
            }
        }
    }

    /// From now on this connection is told what only those are told who asked.
    fn want(&mut self, mirror: Uuid, command: &Command) {
        match command {
            Command::GetClients(get) if get.watch => self.feed.want_clients(),
            Command::GetUsage(get) if get.watch => self.feed.want_usage(mirror),
            _ => {}
        }
    }

    /// Joins all of them or none.
    fn join(&mut self, mirrors: &[Uuid]) -> Result<(), RoomError> {
        let before = self.feed.mirrors();
        let joined = mirrors.iter().try_for_each(|mirror| self.feed.join(*mirror));
        if joined.is_err() {
            for mirror in mirrors.iter().filter(|mirror| !before.contains(mirror)) {
                // The one that was refused, and those after it, were not entered.
                let _ = self.feed.leave(*mirror);
            }
        }
        joined
    }

    /// The mirrors that a watch names; others of its references name objects.
    fn followed(&self, command: &Command) -> Vec<Uuid> {
        let mirrors = self.session.live.mirrors();
        command.watched().into_iter().filter_map(|name| mirrors.named(&self.origin.user, name)).collect()
    }

    /// Answers what is no command, in the mirror it was meant for if the client is there.
    fn refuse(&mut self, refused: Refused) {
        let mirror = refused.mirror.filter(|mirror| self.feed.join(*mirror).is_ok()).unwrap_or(self.origin.mirror);
        self.session.commands.refuse(Origin { mirror, ..self.origin.clone() }, refused);
    }

    /// Tells a client's fault, which it is told, from its going away without a word, which is nobody's.
    fn broken(&mut self, error: axum::Error) -> End {
        match error.into_inner().downcast_ref::<tungstenite::Error>() {
            Some(tungstenite::Error::Capacity(_)) => {
                self.refuse(Refused::too_large(""));
                End::TooLarge
            }
            Some(tungstenite::Error::Utf8(_)) => {
                self.refuse(Refused::binary());
                End::NotText
            }
            _ => End::Gone,
        }
    }

    /// Sends a message and those that wait behind it, in as few packets as they fit into.
    async fn send_all(&mut self, socket: &mut WebSocket, first: Utf8Bytes) -> Result<(), End> {
        let send = async {
            let mut bytes = first.len();
            socket.feed(Message::Text(first)).await?;
            for _ in 1..BATCH {
                if bytes >= BATCH_BYTES {
                    break;
                }
                let Some(text) = self.feed.waiting() else { break };
                bytes += text.len();
                socket.feed(Message::Text(text)).await?;
            }
            socket.flush().await
        };
        match timeout(self.session.limits.send, send).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(End::Gone),
            Err(_) => Err(End::Slow),
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
