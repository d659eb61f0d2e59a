//! The servers: whose turn it is, which of them answer, and who is connected to them.

use std::fmt;
use std::io::{Error, ErrorKind};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use crate::log;

/// How long a server may take to answer a connection, on a network within one host.
const CONNECT_LIMIT: Duration = Duration::from_secs(2);

/// Pauses between looks at a server that does not answer: growing, so that one that starts is found soon and one that is gone costs little.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// The servers there are.
#[derive(Debug, Default)]
pub(crate) struct Pool {
    servers: Mutex<Vec<Arc<Server>>>,
    turn: AtomicUsize,
}

#[derive(Debug)]
struct Server {
    address: SocketAddr,
    state: watch::Sender<State>,
    connections: AtomicUsize,
}

/// How a server is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// It answered last time, or was not asked yet.
    Up,
    /// It did not answer; it is looked at until it does.
    Down,
    /// It is not in the list any more.
    Removed,
}

/// A connection's hold on its server.
#[derive(Debug)]
pub(crate) struct Lease {
    server: Arc<Server>,
    state: watch::Receiver<State>,
}

impl Pool {
    /// Has these servers and no others. Connections to those that stay are not touched.
    pub(crate) fn replace(self: &Arc<Self>, addresses: &[SocketAddr]) {
        let mut servers = self.servers();
        let (kept, removed): (Vec<_>, Vec<_>) =
            servers.drain(..).partition(|server| addresses.contains(&server.address));
        *servers = kept;
        let mut added = Vec::new();
        for address in addresses {
            if !servers.iter().any(|server| server.address == *address) {
                let server = Arc::new(Server::new(*address));
                servers.push(Arc::clone(&server));
                added.push(server);
            }
        }
        drop(servers);
        for server in removed {
            server.state.send_replace(State::Removed);
            self.tell(&server, format_args!("removed"));
        }
        for server in added {
            self.tell(&server, format_args!("added"));
            tokio::spawn(revive(Arc::clone(self), server));
        }
    }

    /// A connection to the server whose turn it is; to another one where that does not answer, and to none where none does.
    pub(crate) async fn connect(&self) -> Option<(TcpStream, Lease)> {
        for server in self.candidates() {
            match server.connect().await {
                Ok(stream) => {
                    self.answered(&server);
                    server.connections.fetch_add(1, Ordering::Relaxed);
                    let state = server.state.subscribe();
                    return Some((stream, Lease { server, state }));
                }
                Err(error) => {
                    if server.change(State::Up, State::Down) {
                        self.tell(&server, format_args!("down: {error}"));
                    }
                }
            }
        }
        None
    }

    /// All servers, beginning with the one whose turn it is. Those that do not answer come last: one of them may be back.
    fn candidates(&self) -> Vec<Arc<Server>> {
        let servers = self.servers();
        let (mut candidates, down): (Vec<_>, Vec<_>) = servers.iter().cloned().partition(|server| server.is_up());
        if !candidates.is_empty() {
            let turn = self.turn.fetch_add(1, Ordering::Relaxed) % candidates.len();
            candidates.rotate_left(turn);
        }
        candidates.extend(down);
        candidates
    }

    fn answered(&self, server: &Server) {
        if server.change(State::Down, State::Up) {
            self.tell(server, format_args!("up"));
        }
    }

    /// Tells what became of a server, and how all are.
    fn tell(&self, server: &Server, what: fmt::Arguments<'_>) {
        let servers = self.servers();
        let up = servers.iter().filter(|server| server.is_up()).count();
        let connections = server.connections.load(Ordering::Relaxed);
        let all = servers.len();
        log::line(format_args!("{} {what} (connections: {connections}; servers up: {up} of {all})", server.address));
    }

    fn servers(&self) -> std::sync::MutexGuard<'_, Vec<Arc<Server>>> {
        self.servers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Looks at the server whenever it is down until it answers again, for as long as it is in the list.
async fn revive(pool: Arc<Pool>, server: Arc<Server>) {
    let mut state = server.state.subscribe();
    let removed = {
        let mut state = server.state.subscribe();
        async move { drop(state.wait_for(|state| *state == State::Removed).await) }
    };
    let revive = async {
        loop {
            drop(state.wait_for(|state| *state == State::Down).await);
            let mut pause = FIRST_PAUSE;
            while !server.is_up() {
                sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
                if server.connect().await.is_ok() {
                    pool.answered(&server);
                }
            }
        }
    };
    tokio::select! {
        () = removed => {}
        () = revive => {}
    }
}

impl Server {
    fn new(address: SocketAddr) -> Self {
        Self { address, state: watch::Sender::new(State::Up), connections: AtomicUsize::new(0) }
    }

    fn is_up(&self) -> bool {
        *self.state.borrow() == State::Up
    }

    /// Changes the state where it is the one expected; tells whether it was.
    fn change(&self, from: State, to: State) -> bool {
        self.state.send_if_modified(|state| {
            let expected = *state == from;
            if expected {
                *state = to;
            }
            expected
        })
    }

    async fn connect(&self) -> std::io::Result<TcpStream> {
        let limit = |_| Err(Error::new(ErrorKind::TimedOut, format!("no answer within {} s", CONNECT_LIMIT.as_secs())));
        timeout(CONNECT_LIMIT, TcpStream::connect(self.address)).await.unwrap_or_else(limit)
    }
}

impl Lease {
    /// Waits until the server is removed.
    pub(crate) async fn revoked(&mut self) {
        // The server is held, so that its state has an end only with it.
        drop(self.state.wait_for(|state| *state == State::Removed).await);
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.server.connections.fetch_sub(1, Ordering::Relaxed);
    }
}
