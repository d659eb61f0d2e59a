//! Mirrors: rooms in which every connection receives every message of every command, in the same order; and beside
//! them what changes, which every connection is told of its user's own objects.
//!
//! A message is serialised once and shared. Each connection has one bounded queue. One that does not keep up never holds
//! up a publisher: its queue is emptied but for the ends of commands, and [`Feed::next`] tells it to take up again from a
//! snapshot ([`Feed::resume`]), so that it misses steps in between but never the last state.

mod queue;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::extract::ws::Utf8Bytes;
use qbo_api::message::{Change, Message, Payload};
use tokio::sync::Notify;
use uuid::Uuid;

use crate::access::User;
use queue::{Kind, Queue};

/// Rooms a connection may be in.
const ROOMS: usize = 16;

/// The digits of a uuid that may stand for all of it.
const PREFIX: usize = 8;

/// Users a room's owner may let in.
const ADMITTED: usize = 64;

/// How long who sends much waits for who does not read.
const PATIENCE: Duration = Duration::from_secs(30);

/// All rooms, and all connections.
#[derive(Debug, Default)]
pub struct Mirrors {
    inner: Mutex<Inner>,
    /// Rung whenever somebody wants to be told what is used.
    usage_wanted: Notify,
}

#[derive(Debug, Default)]
struct Inner {
    /// A room without a member is not kept.
    rooms: HashMap<Room, Members>,
    /// All feeds, by user and id.
    feeds: HashMap<String, HashMap<Uuid, Arc<Queue>>>,
}

/// Which room: nobody can get into that of a user by naming its uuid before them.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Room {
    /// A user's own.
    Own(String),
    /// One that somebody named.
    Named(Uuid),
}

#[derive(Debug)]
struct Members {
    /// Who named it first.
    owner: String,
    /// Who else may join.
    admitted: HashSet<String>,
    /// By feed.
    queues: HashMap<Uuid, Arc<Queue>>,
}

/// What one connection receives; dropped, it leaves all rooms.
#[derive(Debug)]
pub struct Feed {
    mirrors: Arc<Mirrors>,
    id: Uuid,
    user: User,
    queue: Arc<Queue>,
    joined: HashSet<Room>,
    /// The rooms in which it asked for samples of what is used.
    wants_usage: HashSet<Room>,
}

/// The connection did not keep up, and takes up again by [`Feed::resume`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("messages were not read in time")]
pub struct Lagged;

/// Why a connection is not let into a room, or somebody else is not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RoomError {
    /// It is in as many as it may be.
    #[error("this connection is in {ROOMS} mirrors already")]
    TooMany,
    /// Its owner did not admit this user.
    #[error("mirror {mirror} belongs to somebody else, who has not admitted {user}")]
    NotAdmitted {
        /// The room.
        mirror: Uuid,
        /// Who wanted in.
        user: String,
    },
    /// Only an owner admits.
    #[error("mirror {0} is not yours")]
    NotYours(Uuid),
    /// Nobody is in it.
    #[error("nobody is in mirror {0}")]
    Unknown(Uuid),
    /// The connection is not in it.
    #[error("this connection is not in mirror {0}")]
    NotIn(Uuid),
    /// A user's own mirror is that user's alone, and always there.
    #[error("mirror {0} is a user's own")]
    Own(Uuid),
    /// Its owner has let in as many as may be.
    #[error("{ADMITTED} users are admitted to mirror {0} already")]
    Full(Uuid),
}

impl Mirrors {
    /// A feed of a user, in that user's own room.
    pub fn feed(self: &Arc<Self>, user: &User) -> Feed {
        let (id, queue) = (Uuid::new_v4(), Arc::<Queue>::default());
        let own = Room::Own(user.email.clone());
        {
            let mut inner = self.lock();
            inner.feeds.entry(user.email.clone()).or_default().insert(id, Arc::clone(&queue));
            inner.members(own.clone(), &user.email).queues.insert(id, Arc::clone(&queue));
        }
        Feed {
            mirrors: Arc::clone(self),
            id,
            user: user.clone(),
            queue,
            joined: HashSet::from([own]),
            wants_usage: HashSet::new(),
        }
    }

    /// Sends a message of a command of `user` to everybody in a room; nobody being there is no error.
    pub fn publish(&self, user: &User, mirror: Uuid, message: &Message) {
        let Some(text) = text(message) else { return };
        let kind = if message.envelope.code.is_final() { Kind::Final } else { Kind::Passing };
        let inner = self.lock();
        let Some(members) = inner.rooms.get(&Room::of(user, mirror)) else { return };
        for queue in members.queues.values() {
            queue.push(&text, kind);
        }
    }

    /// Sends messages of a command of `user` that together are one list to everybody in a room.
    pub(crate) fn publish_list(&self, user: &User, mirror: Uuid, list: &[Message]) {
        let texts: Vec<Utf8Bytes> = list.iter().filter_map(text).collect();
        let inner = self.lock();
        let Some(members) = inner.rooms.get(&Room::of(user, mirror)) else { return };
        for queue in members.queues.values() {
            queue.push_list(&texts);
        }
    }

    /// Waits until everybody in a room has taken most of what waits for them, or shows no sign of it; false where nobody is
    /// there. Whoever sends much does so between messages, and so no faster than it is read.
    pub async fn taken(&self, user: &User, mirror: Uuid) -> bool {
        let queues: Vec<Arc<Queue>> = match self.lock().rooms.get(&Room::of(user, mirror)) {
            Some(members) => members.queues.values().cloned().collect(),
            None => return false,
        };
        let all = async {
            for queue in &queues {
                queue.taken().await;
            }
        };
        if tokio::time::timeout(PATIENCE, all).await.is_err() {
            tracing::debug!(%mirror, "somebody does not keep up");
        }
        true
    }

    /// Sends a change of an object to every connection of its owner.
    pub fn tell(&self, owner: &User, change: &Message) {
        let inner = self.lock();
        let Some(feeds) = inner.feeds.get(&owner.email) else { return };
        let wants = |queue: &&Arc<Queue>| match change.payload {
            Payload::Clients(_) => queue.wants_clients(),
            Payload::Usage(_) => queue.wants_usage(),
            _ => true,
        };
        let mut queues = feeds.values().filter(wants).peekable();
        if queues.peek().is_none() {
            return;
        }
        let Some(text) = text(change) else { return };
        for queue in queues {
            queue.push(&text, Kind::Passing);
        }
    }

    /// Everybody who is connected.
    pub fn users(&self) -> Vec<User> {
        self.lock().feeds.keys().map(|email| User { email: email.clone() }).collect()
    }

    /// The room in which somebody is that a user means by its uuid, or, where that user may be in it, by the first digits of its
    /// uuid.
    pub fn named(&self, user: &User, text: &str) -> Option<Uuid> {
        if let Ok(mirror) = text.parse() {
            return self.lock().rooms.contains_key(&Room::of(user, mirror)).then_some(mirror);
        }
        let begins = |mirror: &Uuid| text.len() >= PREFIX && mirror.to_string().starts_with(text);
        if begins(&user.mirror()) {
            return Some(user.mirror());
        }
        let inner = self.lock();
        let named = inner.rooms.iter().filter(|(_, members)| members.may_be_in(user));
        let mut mirrors = named.filter_map(|(room, _)| match room {
            Room::Named(mirror) => Some(*mirror),
            Room::Own(_) => None,
        });
        mirrors.find(begins)
    }

    /// Those who want to be told what is used.
    pub(crate) fn users_wanting_usage(&self) -> Vec<User> {
        let inner = self.lock();
        let wanting = inner.feeds.iter().filter(|(_, feeds)| feeds.values().any(|queue| queue.wants_usage()));
        wanting.map(|(email, _)| User { email: email.clone() }).collect()
    }

    /// Waits until somebody wants to be told what is used, unless somebody did since this was last waited for.
    pub(crate) async fn usage_wanted(&self) {
        self.usage_wanted.notified().await;
    }

    /// Lets users into a room.
    pub fn admit(&self, owner: &User, mirror: Uuid, users: &[String]) -> Result<(), RoomError> {
        let mut inner = self.lock();
        let room = match Room::of(owner, mirror) {
            Room::Own(_) => return Err(RoomError::Own(mirror)),
            room @ Room::Named(_) => room,
        };
        let members = inner.rooms.get_mut(&room).ok_or(RoomError::Unknown(mirror))?;
        if members.owner != owner.email {
            return Err(RoomError::NotYours(mirror));
        }
        let mut admitted = members.admitted.clone();
        admitted.extend(users.iter().cloned());
        if admitted.len() > ADMITTED {
            return Err(RoomError::Full(mirror));
        }
        members.admitted = admitted;
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn members(&mut self, room: Room, owner: &str) -> &mut Members {
        let new = || Members { owner: owner.into(), admitted: HashSet::new(), queues: HashMap::new() };
        self.rooms.entry(room).or_insert_with(new)
    }

    fn leave(&mut self, room: &Room, feed: Uuid) {
        if let Some(members) = self.rooms.get_mut(room) {
            members.queues.remove(&feed);
            if members.queues.is_empty() {
                self.rooms.remove(room);
            }
        }
    }
}

impl Members {
    fn may_be_in(&self, user: &User) -> bool {
        self.owner == user.email || self.admitted.contains(&user.email)
    }
}

impl Room {
    /// The room that a user means by a uuid.
    fn of(user: &User, mirror: Uuid) -> Self {
        if user.mirror() == mirror { Self::Own(user.email.clone()) } else { Self::Named(mirror) }
    }
}

impl Feed {
    /// Joins a room, which is there from the first who names it and is theirs. Joining twice is joining once.
    pub fn join(&mut self, mirror: Uuid) -> Result<(), RoomError> {
        let room = Room::of(&self.user, mirror);
        if self.joined.contains(&room) {
            return Ok(());
        }
        if self.joined.len() >= ROOMS {
            return Err(RoomError::TooMany);
        }
        let mut inner = self.mirrors.lock();
        let members = inner.members(room.clone(), &self.user.email);
        if !members.may_be_in(&self.user) {
            return Err(RoomError::NotAdmitted { mirror, user: self.user.email.clone() });
        }
        members.queues.insert(self.id, Arc::clone(&self.queue));
        drop(inner);
        self.joined.insert(room);
        Ok(())
    }

    /// Whether it is in the mirror, and that is none it cannot leave.
    pub fn may_leave(&self, mirror: Uuid) -> Result<(), RoomError> {
        let room = Room::of(&self.user, mirror);
        if matches!(room, Room::Own(_)) {
            return Err(RoomError::Own(mirror));
        }
        if self.joined.contains(&room) { Ok(()) } else { Err(RoomError::NotIn(mirror)) }
    }

    /// Leaves a room that was joined; a user's own nobody leaves.
    pub fn leave(&mut self, mirror: Uuid) -> Result<(), RoomError> {
        self.may_leave(mirror)?;
        let room = Room::of(&self.user, mirror);
        self.joined.remove(&room);
        self.mirrors.lock().leave(&room, self.id);
        if self.wants_usage.remove(&room) {
            self.queue.want_usage(!self.wants_usage.is_empty());
        }
        Ok(())
    }

    /// The mirrors it is in, its user's own among them.
    pub fn mirrors(&self) -> Vec<Uuid> {
        let uuid = |room: &Room| match room {
            Room::Own(_) => self.user.mirror(),
            Room::Named(mirror) => *mirror,
        };
        self.joined.iter().map(uuid).collect()
    }

    /// From now on changes of connections are told too. They are not otherwise: each of many that come would be told to
    /// each of the others.
    pub fn want_clients(&self) {
        self.queue.want_clients();
    }

    /// From now on samples of what nodes and pods use are told too, until it leaves the mirror in which it asked. They are
    /// taken only while somebody wants them.
    pub fn want_usage(&mut self, mirror: Uuid) {
        self.wants_usage.insert(Room::of(&self.user, mirror));
        self.queue.want_usage(true);
        self.mirrors.usage_wanted.notify_one();
    }

    /// The next message, as JSON text. Cancel safe.
    pub async fn next(&mut self) -> Result<Utf8Bytes, Lagged> {
        self.queue.next().await
    }

    /// A message that is waiting already.
    pub fn waiting(&mut self) -> Option<Utf8Bytes> {
        self.queue.waiting()
    }

    /// Takes up again after [`Lagged`]: first this, which is all that the user may see, then the ends of commands that
    /// were missed, then what comes. Whoever makes the snapshot sees to it that nothing changes meanwhile.
    pub(crate) fn resume(&self, snapshot: &[Message]) {
        debug_assert!(snapshot.iter().all(|message| message.envelope.change != Some(Change::Delete)));
        self.queue.resume(snapshot.iter().filter_map(text));
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        let mut inner = self.mirrors.lock();
        for room in &self.joined {
            inner.leave(room, self.id);
        }
        if let Some(feeds) = inner.feeds.get_mut(&self.user.email) {
            feeds.remove(&self.id);
            if feeds.is_empty() {
                inner.feeds.remove(&self.user.email);
            }
        }
    }
}

fn text(message: &Message) -> Option<Utf8Bytes> {
    match serde_json::to_string(message) {
        Ok(text) => Some(text.into()),
        Err(error) => {
            tracing::error!(%error, "a message could not be serialised");
            None
        }
    }
}

#[cfg(test)]
mod tests;
