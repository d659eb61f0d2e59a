//! One session: a program, and whoever looks at it just now. One task rules it; a second one writes what is typed, for a
//! program that does not read must not hold up what it writes.

use std::collections::VecDeque;
use std::future::pending;
use std::pin::Pin;
use std::time::Duration;

use axum::body::Bytes;
use qbo_api::message::Code;
use qbo_api::terminal::{Size, WINDOW};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout};
use uuid::Uuid;

use super::replay::Replay;
use super::{Control, Limits, Started, ended};
use crate::error::Failure;

/// Wishes that wait to be heard, and events that wait to be sent: they bound how far both sides run ahead.
pub(super) const WISHES: usize = 64;
const EVENTS: usize = 64;

/// What is read from a program at once.
const CHUNK: usize = 16 * 1024;

/// What is kept for who comes back.
const REPLAY: usize = 256 * 1024;

/// How long a program that has written all may take to tell its exit code.
const EXIT_LIMIT: Duration = Duration::from_secs(10);

/// What whoever looks at a session wants of it. `viewer` tells who: only the last to come is heard.
#[derive(Debug)]
pub(super) enum Wish {
    Attach { viewer: Uuid, size: Size, events: mpsc::Sender<Event> },
    Detach { viewer: Uuid },
    Input { viewer: Uuid, bytes: Bytes },
    Resize { viewer: Uuid, size: Size },
    Acknowledge { viewer: Uuid, bytes: u64 },
    Close,
}

/// What whoever looks at a session is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The program wrote this.
    Output(Bytes),
    /// The program took so many bytes more.
    Consumed(u64),
    /// The program has ended with this code, and the session with it.
    Exit(i64),
    /// The session is not seen here any more.
    Lost(Failure),
}

/// The place of somebody who looks at a session; dropped, the session goes on for a while.
#[derive(Debug)]
pub struct Attachment {
    /// The session's id.
    pub session: Uuid,
    /// What it is, for people.
    pub title: String,
    viewer: Uuid,
    wishes: mpsc::Sender<Wish>,
    events: mpsc::Receiver<Event>,
}

/// A session that is open.
pub(super) struct Session {
    limits: Limits,
    output: Pin<Box<dyn AsyncRead + Send>>,
    control: Box<dyn Control>,
    buffer: Box<[u8]>,
    replay: Replay,
    /// For the task that writes.
    typed: mpsc::UnboundedSender<Bytes>,
    /// From it: how much was written.
    written: mpsc::UnboundedReceiver<usize>,
    /// Bytes typed and not written yet.
    waiting: u64,
    viewer: Option<Viewer>,
    /// Since when nobody looks.
    detached: Instant,
    /// When something was typed or written last.
    active: Instant,
    /// Once the program has written all there is.
    exit: Option<i64>,
}

struct Viewer {
    id: Uuid,
    events: mpsc::Sender<Event>,
    /// What it is to be told.
    pending: VecDeque<Event>,
    /// What it was told and did not acknowledge.
    unacknowledged: u64,
}

/// Whether a session goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Course {
    GoesOn,
    Ends,
}

/// Has a session seen from here; none where it has ended.
pub(super) async fn attach(
    session: Uuid,
    title: String,
    wishes: &mpsc::Sender<Wish>,
    size: Size,
) -> Option<Attachment> {
    let (told, events) = mpsc::channel(EVENTS);
    let viewer = Uuid::new_v4();
    wishes.send(Wish::Attach { viewer, size, events: told }).await.ok()?;
    Some(Attachment { session, title, viewer, wishes: wishes.clone(), events })
}

impl Attachment {
    /// What happens next; none once the session has ended. Cancel safe.
    pub async fn next(&mut self) -> Option<Event> {
        self.events.recv().await
    }

    /// Something was typed.
    pub async fn input(&self, bytes: Bytes) {
        self.wish(Wish::Input { viewer: self.viewer, bytes }).await;
    }

    /// The window has another size.
    pub async fn resize(&self, size: Size) {
        self.wish(Wish::Resize { viewer: self.viewer, size }).await;
    }

    /// So much of the output was consumed.
    pub async fn acknowledge(&self, bytes: u64) {
        self.wish(Wish::Acknowledge { viewer: self.viewer, bytes }).await;
    }

    /// Ends the session.
    pub async fn close(&self) {
        self.wish(Wish::Close).await;
    }

    /// What has ended hears nothing, and its end is among the events.
    async fn wish(&self, wish: Wish) {
        let _ = self.wishes.send(wish).await;
    }
}

impl Drop for Attachment {
    fn drop(&mut self) {
        let (wishes, viewer) = (self.wishes.clone(), self.viewer);
        if let Err(mpsc::error::TrySendError::Full(wish)) = wishes.try_send(Wish::Detach { viewer }) {
            tokio::spawn(async move { wishes.send(wish).await });
        }
    }
}

impl Session {
    pub(super) fn new(limits: Limits, started: Started) -> Self {
        let Started { title: _, output, input, control } = started;
        let (typed, to_write) = mpsc::unbounded_channel();
        let (wrote, written) = mpsc::unbounded_channel();
        tokio::spawn(write(input, to_write, wrote));
        let now = Instant::now();
        Self {
            limits,
            output,
            control,
            buffer: vec![0; CHUNK].into(),
            replay: Replay::new(REPLAY),
            typed,
            written,
            waiting: 0,
            viewer: None,
            detached: now,
            active: now,
            exit: None,
        }
    }

    /// Keeps the program until it ends, somebody ends it, or nobody has looked for too long.
    pub(super) async fn run(mut self, mut wishes: mpsc::Receiver<Wish>) {
        while self.step(&mut wishes).await == Course::GoesOn {}
        // Nobody is let in any more; who waits for that learns it.
        wishes.close();
        self.control.end().await;
    }

    async fn step(&mut self, wishes: &mut mpsc::Receiver<Wish>) -> Course {
        let reads = self.exit.is_none() && self.viewer.as_ref().is_none_or(|viewer| viewer.pending.is_empty());
        tokio::select! {
            wish = wishes.recv() => match wish {
                Some(wish) => self.hear(wish).await,
                None => Course::Ends,
            },
            course = tell(&mut self.viewer) => course,
            read = self.output.read(&mut self.buffer), if reads => {
                let read = read.inspect_err(ended).unwrap_or_default();
                self.wrote(Bytes::copy_from_slice(&self.buffer[..read])).await;
                Course::GoesOn
            }
            Some(written) = self.written.recv() => {
                self.waiting -= written as u64;
                if let Some(viewer) = &mut self.viewer {
                    viewer.pending.push_back(Event::Consumed(written as u64));
                }
                Course::GoesOn
            }
            () = sleep_until(self.detached + self.limits.detached), if self.viewer.is_none() => Course::Ends,
            () = sleep_until(self.active + self.limits.idle) => {
                let problem = format!("nothing happened here for {} hours", self.limits.idle.as_secs() / 3600);
                self.lose(Failure::new(Code::TIMEOUT, problem, "open a new one"));
                Course::Ends
            }
        }
    }

    /// The program wrote something; nothing, where it has written all.
    async fn wrote(&mut self, chunk: Bytes) {
        self.active = Instant::now();
        let event = if chunk.is_empty() {
            let code = match timeout(EXIT_LIMIT, self.control.exit_code()).await {
                Ok(Ok(code)) => code,
                Ok(Err(_)) | Err(_) => UNKNOWN,
            };
            self.exit = Some(code);
            Event::Exit(code)
        } else {
            self.replay.push(&chunk);
            Event::Output(chunk)
        };
        if let Some(viewer) = &mut self.viewer {
            viewer.pending.push_back(event);
        }
    }

    async fn hear(&mut self, wish: Wish) -> Course {
        match wish {
            Wish::Attach { viewer, size, events } => {
                let elsewhere = "it is seen in another window now";
                self.lose(Failure::new(Code::CONFLICT, elsewhere, "take it up again here: with its session"));
                let mut pending: VecDeque<Event> = self.replay.chunks().map(Event::Output).collect();
                pending.extend(self.exit.map(Event::Exit));
                self.viewer = Some(Viewer { id: viewer, events, pending, unacknowledged: 0 });
                self.resize(size).await;
            }
            Wish::Detach { viewer } if self.is_seen_by(viewer) => {
                self.viewer = None;
                self.detached = Instant::now();
                if self.exit.is_some() {
                    // Its end may have been on the way when the connection broke; who comes back is told.
                    self.active = self.detached;
                }
            }
            Wish::Input { viewer, bytes } if self.is_seen_by(viewer) => self.input(bytes),
            Wish::Resize { viewer, size } if self.is_seen_by(viewer) => self.resize(size).await,
            Wish::Acknowledge { viewer, bytes } if self.is_seen_by(viewer) => {
                if let Some(viewer) = &mut self.viewer {
                    viewer.unacknowledged = viewer.unacknowledged.saturating_sub(bytes);
                }
            }
            // Of somebody who does not see it any more.
            Wish::Detach { .. } | Wish::Input { .. } | Wish::Resize { .. } | Wish::Acknowledge { .. } => {}
            Wish::Close => return Course::Ends,
        }
        Course::GoesOn
    }

    fn input(&mut self, bytes: Bytes) {
        self.active = Instant::now();
        self.waiting += bytes.len() as u64;
        if self.waiting > WINDOW {
            self.waiting -= bytes.len() as u64;
            let problem = format!("more than {WINDOW} bytes were typed that the program has not read");
            self.lose(Failure::new(Code::TOO_LARGE, problem, "wait for what it acknowledges"));
            self.detached = Instant::now();
        } else if self.typed.send(bytes).is_err() {
            // A program that reads no more takes all and does nothing with it.
            self.waiting = 0;
        }
    }

    async fn resize(&mut self, size: Size) {
        if self.exit.is_none()
            && let Err(failure) = self.control.resize(size).await
        {
            tracing::debug!(%failure, "a terminal keeps its size");
        }
    }

    fn is_seen_by(&self, viewer: Uuid) -> bool {
        self.viewer.as_ref().is_some_and(|seen_by| seen_by.id == viewer)
    }

    /// Tells whoever looks why that is over.
    fn lose(&mut self, failure: Failure) {
        if let Some(viewer) = self.viewer.take() {
            // One who does not even take this learns it by the end of the events.
            let _ = viewer.events.try_send(Event::Lost(failure));
        }
    }
}

/// The exit code of a program of which the engine tells none.
const UNKNOWN: i64 = -1;

/// Tells the viewer one thing, where there is something and it may be told. Cancel safe.
async fn tell(viewer: &mut Option<Viewer>) -> Course {
    let Some(viewer) = viewer else { return pending().await };
    match viewer.pending.front() {
        None => pending().await,
        Some(Event::Output(_)) if viewer.unacknowledged >= WINDOW => pending().await,
        Some(_) => {}
    }
    let Ok(place) = viewer.events.reserve().await else {
        // It is gone, and says so itself.
        return pending().await;
    };
    let Some(event) = viewer.pending.pop_front() else { return Course::GoesOn };
    let course = if matches!(event, Event::Exit(_)) { Course::Ends } else { Course::GoesOn };
    if let Event::Output(bytes) = &event {
        viewer.unacknowledged += bytes.len() as u64;
    }
    place.send(event);
    course
}

/// Writes what is typed.
async fn write(
    mut input: Pin<Box<dyn AsyncWrite + Send>>,
    mut typed: mpsc::UnboundedReceiver<Bytes>,
    written: mpsc::UnboundedSender<usize>,
) {
    while let Some(bytes) = typed.recv().await {
        let wrote = async {
            input.write_all(&bytes).await?;
            input.flush().await
        };
        if let Err(error) = wrote.await {
            return ended(&error);
        }
        if written.send(bytes.len()).is_err() {
            return;
        }
    }
}
