//! What waits to be sent to one connection: bounded in number and in bytes.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use axum::extract::ws::Utf8Bytes;
use tokio::sync::Notify;

use super::Lagged;

/// Messages a connection may lag behind. The largest burst there is, every step of a few large clusters, is about
/// half of it.
pub(super) const MESSAGES: usize = 4096;

/// Bytes a connection may lag behind, beside one list that is larger; messages are shared, so that many slow connections
/// hold few of them twice.
pub(super) const BYTES: usize = 16 << 20;

/// Ends of commands that are kept for a connection that lags: more than a user may have running at once.
const FINALS: usize = 256;

/// What becomes of a message where the connection does not keep up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// It is lost: a snapshot says all that it said.
    Passing,
    /// It is kept: the end of a command.
    Final,
}

/// The queue of one connection.
#[derive(Debug, Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    wakes: Notify,
    /// Rung whenever something was taken.
    taken: Notify,
    clients: AtomicBool,
    usage: AtomicBool,
}

#[derive(Debug, Default)]
struct State {
    messages: VecDeque<(Utf8Bytes, Kind)>,
    bytes: usize,
    /// The bytes of a list that waits, until few enough wait without it.
    list: usize,
    /// Only ends of commands are taken, until the connection resumes.
    lagging: bool,
}

impl Queue {
    pub(super) fn push(&self, text: &Utf8Bytes, kind: Kind) {
        self.lock().push(text, kind);
        self.wakes.notify_one();
    }

    /// Messages that together are one list. However long it is, who kept up until now gets all of it.
    pub(super) fn push_list(&self, texts: &[Utf8Bytes]) {
        let mut state = self.lock();
        if !state.lagging && state.bytes <= BYTES {
            state.list = texts.iter().map(|text| text.len()).sum();
        }
        for text in texts {
            state.push(text, Kind::Passing);
        }
        drop(state);
        self.wakes.notify_one();
    }

    pub(super) async fn next(&self) -> Result<Utf8Bytes, Lagged> {
        loop {
            {
                let mut state = self.lock();
                if state.lagging {
                    return Err(Lagged);
                }
                if let Some(text) = state.pop() {
                    drop(state);
                    self.taken.notify_waiters();
                    return Ok(text);
                }
            }
            self.wakes.notified().await;
        }
    }

    pub(super) fn waiting(&self) -> Option<Utf8Bytes> {
        let text = self.lock().pop();
        self.taken.notify_waiters();
        text
    }

    /// Waits until little is left to be taken.
    pub(super) async fn taken(&self) {
        loop {
            let taken = self.taken.notified();
            {
                let state = self.lock();
                if state.lagging || state.bytes <= BYTES / 8 && state.messages.len() <= MESSAGES / 8 {
                    return;
                }
            }
            taken.await;
        }
    }

    /// Goes on with these before what was kept.
    pub(super) fn resume(&self, snapshot: impl DoubleEndedIterator<Item = Utf8Bytes>) {
        let mut state = self.lock();
        state.lagging = false;
        let mut list = 0;
        for text in snapshot.rev() {
            list += text.len();
            state.messages.push_front((text, Kind::Passing));
        }
        state.bytes += list;
        state.list = list;
        drop(state);
        self.wakes.notify_one();
    }

    pub(super) fn want_clients(&self) {
        self.clients.store(true, Ordering::Relaxed);
    }

    pub(super) fn wants_clients(&self) -> bool {
        self.clients.load(Ordering::Relaxed)
    }

    pub(super) fn want_usage(&self, wanted: bool) {
        self.usage.store(wanted, Ordering::Relaxed);
    }

    pub(super) fn wants_usage(&self) -> bool {
        self.usage.load(Ordering::Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn push(&mut self, text: &Utf8Bytes, kind: Kind) {
        if !self.lagging && (self.messages.len() >= MESSAGES || self.bytes + text.len() > BYTES + self.list) {
            self.lag();
        }
        if self.lagging && kind == Kind::Passing {
            return;
        }
        if self.lagging && self.messages.len() >= FINALS {
            self.pop();
        }
        self.bytes += text.len();
        self.messages.push_back((text.clone(), kind));
    }

    fn lag(&mut self) {
        self.lagging = true;
        self.messages.retain(|(_, kind)| *kind == Kind::Final);
        while self.messages.len() > FINALS {
            self.messages.pop_front();
        }
        self.bytes = self.messages.iter().map(|(text, _)| text.len()).sum();
        self.list = 0;
    }

    fn pop(&mut self) -> Option<Utf8Bytes> {
        let (text, _) = self.messages.pop_front()?;
        self.bytes -= text.len();
        if self.bytes <= BYTES {
            self.list = 0;
        }
        Some(text)
    }
}
