//! Terminals: programs in containers that somebody sees, and goes on to see after a reload of the page.
//!
//! [`open`] finds what is asked for and starts it → `session` keeps it, whoever looks at it just now → the session layer's
//! channel brings its bytes to the client. [`shell`] keeps the containers of users' own shells, and [`tunnel`] says where
//! to those may connect through the server.

pub mod open;
mod replay;
mod session;
pub mod shell;
pub mod tunnel;

use std::collections::HashMap;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use qbo_api::message::Code;
use qbo_api::terminal::{OpenRequest, Size};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;
use tokio::time::timeout;
use uuid::Uuid;

use crate::access::{Opening, User};
use crate::error::Failure;
pub use session::{Attachment, Event};
use session::{Session, Wish};

/// The bounds of what users keep open.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Sessions of one user, those that nobody looks at among them.
    pub sessions: usize,
    /// How long one goes on that nobody looks at.
    pub detached: Duration,
    /// How long one goes on in which nothing is typed and nothing is written.
    pub idle: Duration,
    /// How long all have to end when the server does.
    pub shutdown: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            sessions: 16,
            detached: Duration::from_mins(10),
            idle: Duration::from_hours(12),
            shutdown: Duration::from_secs(10),
        }
    }
}

/// Starts programs on terminals.
#[async_trait]
pub trait Programs: Send + Sync + 'static {
    /// Finds what is to be opened, and starts it for the session of this id.
    async fn start(&self, opening: &Opening, session: Uuid) -> Result<Started, Failure>;
}

/// A program that was started.
pub struct Started {
    /// What it is, for people.
    pub title: String,
    /// What it writes.
    pub output: Pin<Box<dyn AsyncRead + Send>>,
    /// What it reads.
    pub input: Pin<Box<dyn AsyncWrite + Send>>,
    /// Rules it.
    pub control: Box<dyn Control>,
}

/// Rules a program.
#[async_trait]
pub trait Control: Send + Sync {
    /// Its window has another size.
    async fn resize(&self, size: Size) -> Result<(), Failure>;
    /// Its exit code, once it has written all there is.
    async fn exit_code(&self) -> Result<i64, Failure>;
    /// Ends it with all it started, where it goes on, and gives back what was made for it.
    async fn end(&self);
}

/// All sessions.
pub struct Sessions {
    limits: Limits,
    programs: Arc<dyn Programs>,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    /// By id.
    sessions: HashMap<Uuid, Entry>,
    /// The server stops.
    stopped: bool,
}

struct Entry {
    user: User,
    /// None while it is being started.
    running: Option<Running>,
}

struct Running {
    title: String,
    wishes: mpsc::Sender<Wish>,
}

/// A place among the sessions of a user, given back where no session comes of it.
struct Place {
    sessions: Arc<Sessions>,
    id: Uuid,
}

impl Sessions {
    /// No session yet.
    pub fn new(limits: Limits, programs: Arc<dyn Programs>) -> Arc<Self> {
        Arc::new(Self { limits, programs, inner: Mutex::default() })
    }

    /// Opens what is asked for, or takes up what was open.
    pub async fn open(self: &Arc<Self>, user: &User, request: OpenRequest) -> Result<Attachment, Failure> {
        let size = request.size();
        if size.columns == 0 || size.rows == 0 {
            let problem = format!("a window of {} × {} shows nothing", size.columns, size.rows);
            return Err(Failure::new(Code::BAD_REQUEST, problem, "columns and rows are at least 1"));
        }
        if let Some(id) = request.session {
            return self.take_up(user, id, size).await;
        }
        let opening = crate::access::may_open(user, request)?;
        let place = self.place(user)?;
        let id = place.id;
        let started = self.programs.start(&opening, id).await?;
        let title = started.title.clone();
        let (wishes, asked) = mpsc::channel(session::WISHES);
        let running = Running { title: title.clone(), wishes: wishes.clone() };
        // What was started meanwhile ends with the others.
        if !self.lock().keep(id, running) {
            started.control.end().await;
            return Err(stopping());
        }
        let session = Session::new(self.limits.clone(), started);
        tokio::spawn(async move {
            session.run(asked).await;
            drop(place);
        });
        tracing::info!(user = user.email, session = %id, title, "a terminal is open");
        session::attach(id, title, &wishes, size).await.ok_or_else(|| gone(id))
    }

    /// Ends all.
    pub async fn stop(&self) {
        let ending: Vec<mpsc::Sender<Wish>> = {
            let mut inner = self.lock();
            inner.stopped = true;
            let running = inner.sessions.values().filter_map(|entry| entry.running.as_ref());
            running.map(|running| running.wishes.clone()).collect()
        };
        let end = async {
            for wishes in &ending {
                // One that has ended by now hears nothing.
                let _ = wishes.send(Wish::Close).await;
            }
            for wishes in ending {
                wishes.closed().await;
            }
        };
        if timeout(self.limits.shutdown, end).await.is_err() {
            tracing::warn!("terminals did not end within {} s", self.limits.shutdown.as_secs());
        }
    }

    /// Sessions that are open.
    pub fn count(&self) -> usize {
        self.lock().sessions.len()
    }

    async fn take_up(&self, user: &User, id: Uuid, size: Size) -> Result<Attachment, Failure> {
        let found = {
            let inner = self.lock();
            let entry = inner.sessions.get(&id).filter(|entry| entry.user == *user);
            let running = entry.and_then(|entry| entry.running.as_ref());
            running.map(|running| (running.title.clone(), running.wishes.clone()))
        };
        let (title, wishes) = found.ok_or_else(|| gone(id))?;
        session::attach(id, title, &wishes, size).await.ok_or_else(|| gone(id))
    }

    fn place(self: &Arc<Self>, user: &User) -> Result<Place, Failure> {
        let mut inner = self.lock();
        if inner.stopped {
            return Err(stopping());
        }
        let open = inner.sessions.values().filter(|entry| entry.user == *user).count();
        if open >= self.limits.sessions {
            let problem = format!("{open} terminals are open, which is as many as one user may have");
            return Err(Failure::new(Code::TOO_MANY, problem, "close one of them"));
        }
        let id = Uuid::new_v4();
        inner.sessions.insert(id, Entry { user: user.clone(), running: None });
        drop(inner);
        Ok(Place { sessions: Arc::clone(self), id })
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// Whether a session that was started may go on.
    fn keep(&mut self, id: Uuid, running: Running) -> bool {
        match self.sessions.get_mut(&id) {
            Some(entry) if !self.stopped => {
                entry.running = Some(running);
                true
            }
            _ => false,
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.sessions.lock().sessions.remove(&self.id);
    }
}

fn gone(id: Uuid) -> Failure {
    Failure::new(Code::NOT_FOUND, format!("session {id} has ended"), "open a new one: without a session")
}

fn stopping() -> Failure {
    Failure::new(Code::UNAVAILABLE, "the server is stopping", "")
}

/// An error of a stream, which only ends it.
fn ended(error: &io::Error) {
    tracing::debug!(%error, "the stream of a terminal broke");
}

#[cfg(test)]
mod tests;
