//! Mirrors: rooms in which every connection receives every message, in the same order.
//!
//! A message is serialised once and shared. Each connection has one bounded queue for all the rooms it is in; one
//! that does not keep up is put out of its rooms and told so by [`Feed::next`]. It never holds up a publisher.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use qbo_api::message::Message;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Messages a connection may lag behind. The largest burst there is, every step of a few large clusters, is about
/// half of it.
const QUEUE: usize = 4096;

/// Rooms a connection may be in.
const ROOMS: usize = 16;

/// All rooms.
#[derive(Debug, Default)]
pub struct Mirrors {
    /// By room, then by feed. A room without a feed is not kept.
    rooms: Mutex<HashMap<Uuid, HashMap<Uuid, Member>>>,
}

#[derive(Debug, Clone)]
struct Member {
    queue: mpsc::Sender<Arc<str>>,
    lagged: CancellationToken,
}

/// What one connection receives of the rooms it joined; dropped, it leaves them all.
#[derive(Debug)]
pub struct Feed {
    mirrors: Arc<Mirrors>,
    id: Uuid,
    member: Member,
    queue: mpsc::Receiver<Arc<str>>,
    joined: HashSet<Uuid>,
}

/// The connection did not keep up, and lost messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("more than {QUEUE} messages are waiting to be read")]
pub struct Lagged;

/// The connection is in as many rooms as it may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this connection is in {ROOMS} mirrors already")]
pub struct TooManyRooms;

impl Mirrors {
    /// A feed that is in no room yet.
    pub fn feed(self: &Arc<Self>) -> Feed {
        let (sender, queue) = mpsc::channel(QUEUE);
        let member = Member { queue: sender, lagged: CancellationToken::new() };
        Feed { mirrors: Arc::clone(self), id: Uuid::new_v4(), member, queue, joined: HashSet::new() }
    }

    /// Sends a message to everybody in a room; nobody being there is no error.
    pub fn publish(&self, room: Uuid, message: &Message) {
        let text: Arc<str> = match serde_json::to_string(message) {
            Ok(text) => text.into(),
            Err(error) => return tracing::error!(%error, "a message could not be serialised"),
        };
        let mut rooms = self.lock();
        let Some(members) = rooms.get_mut(&room) else { return };
        members.retain(|_, member| {
            let kept_up = member.queue.try_send(Arc::clone(&text)).is_ok();
            if !kept_up {
                member.lagged.cancel();
            }
            kept_up
        });
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Uuid, HashMap<Uuid, Member>>> {
        self.rooms.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Feed {
    /// Joins a room, which is there from the first who names it. Joining twice is joining once.
    pub fn join(&mut self, room: Uuid) -> Result<(), TooManyRooms> {
        if self.joined.len() >= ROOMS && !self.joined.contains(&room) {
            return Err(TooManyRooms);
        }
        if self.joined.insert(room) {
            self.mirrors.lock().entry(room).or_default().insert(self.id, self.member.clone());
        }
        Ok(())
    }

    /// The next message, as JSON text. Cancel safe.
    pub async fn next(&mut self) -> Result<Arc<str>, Lagged> {
        tokio::select! {
            biased;
            () = self.member.lagged.cancelled() => Err(Lagged),
            // The feed holds a sender itself, so its queue never ends.
            Some(text) = self.queue.recv() => Ok(text),
        }
    }

    /// A message that is waiting already.
    pub fn waiting(&mut self) -> Option<Arc<str>> {
        self.queue.try_recv().ok()
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        let mut rooms = self.mirrors.lock();
        for room in &self.joined {
            if let Some(members) = rooms.get_mut(room) {
                members.remove(&self.id);
            }
        }
        rooms.retain(|_, members| !members.is_empty());
    }
}

#[cfg(test)]
mod tests {
    use qbo_api::command::Command;

    use super::*;
    use crate::report::{Origin, Reporter};

    fn voice(mirrors: &Arc<Mirrors>, mirror: Uuid) -> Reporter {
        Reporter::new(Arc::clone(mirrors), Origin::example(mirror), Command::Version.kind(), "version", 1)
    }

    #[tokio::test]
    async fn everybody_in_a_room_receives_and_nobody_else() {
        let (mirrors, room) = (Arc::new(Mirrors::default()), Uuid::from_u128(1));
        let (mut first, mut second, mut elsewhere) = (mirrors.feed(), mirrors.feed(), mirrors.feed());
        first.join(room).unwrap();
        second.join(room).unwrap();
        second.join(room).unwrap();
        elsewhere.join(Uuid::from_u128(2)).unwrap();
        voice(&mirrors, room).line("hello");
        assert_eq!(first.next().await.unwrap(), second.next().await.unwrap());
        assert_eq!((second.waiting(), elsewhere.waiting()), (None, None));
    }

    #[tokio::test]
    async fn who_does_not_keep_up_is_put_out_and_told() {
        let (mirrors, room) = (Arc::new(Mirrors::default()), Uuid::from_u128(1));
        let (mut fast, mut slow) = (mirrors.feed(), mirrors.feed());
        fast.join(room).unwrap();
        slow.join(room).unwrap();
        let voice = voice(&mirrors, room);
        for _ in 0..=QUEUE {
            voice.line("hello");
            fast.next().await.unwrap();
        }
        assert_eq!(slow.next().await, Err(Lagged));
        voice.line("hello");
        assert!(fast.next().await.is_ok());
    }

    #[test]
    fn an_empty_room_is_not_kept() {
        let mirrors = Arc::new(Mirrors::default());
        let mut feed = mirrors.feed();
        for room in 0..ROOMS {
            feed.join(Uuid::from_u128(room as u128)).unwrap();
        }
        assert_eq!(feed.join(Uuid::from_u128(ROOMS as u128)), Err(TooManyRooms));
        assert_eq!(feed.join(Uuid::from_u128(0)), Ok(()));
        assert_eq!(mirrors.lock().len(), ROOMS);
        drop(feed);
        assert!(mirrors.lock().is_empty());
    }
}
