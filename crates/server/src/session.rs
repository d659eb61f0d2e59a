//! The way in: HTTP requests become connections, frames become commands, commands run on their own, and what they
//! say goes out through the mirrors.
//!
//! `admission` (may this page connect) → `connection` (one socket) → `request` (a frame becomes a command)
//! → `commands` (permit, begin, echo, execute, final message). Beside them `documents`: what all of this is, for
//! people and programs; and `console`, the pages for people. `terminal` is the other channel, and `shells` serves users'
//! own shells.

mod admission;
mod commands;
mod connection;
mod console;
mod documents;
mod request;
mod shells;
mod terminal;

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{ConnectInfo, Extension, State, WebSocketUpgrade};
use axum::http::header::{CONTENT_TYPE, USER_AGENT};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::serve::ListenerExt;
use metrics_exporter_prometheus::PrometheusHandle;
use qbo_api::{CHANNEL_PATH, CONNECTION_HEADER, TERMINAL_PATH};
use tokio::net::TcpListener;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use self::commands::Commands;
use self::connection::Connection;
use self::terminal::Terminal;
use crate::access::User;
use crate::executor::Executor;
use crate::live::Live;
use crate::operations::Operations;
use crate::report::Origin;
use crate::terminal::Sessions;
use crate::terminal::shell::Socket;

/// The largest frame that is read at all; it is answered from [`request::LIMIT`] on, and ends the connection here.
const FRAME_LIMIT: usize = 4 * request::LIMIT;

/// What is read from a connection at once, and what is gathered before it is written. Both are kept by every connection, and
/// the first is cleared before each look whether there is something to read.
const READ_BUFFER: usize = 4 * 1024;
const WRITE_BUFFER: usize = 16 * 1024;

/// How long connections may take to close once the server stops, a second more than each gives its client.
const CLOSE_LIMIT: Duration = Duration::from_secs(2);

/// The bounds of everything a client can make the server wait for or hold.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Connections at once.
    pub connections: u32,
    /// How long a client may leave what is sent to it unread before it is dropped.
    pub send: Duration,
    /// How often a quiet client is asked whether it is still there.
    pub ping: Duration,
    /// How long nothing may come from a client, not even the answer to a ping, before it counts as gone.
    pub silence: Duration,
    /// How long running commands have to undo their work when the server stops.
    pub shutdown: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 512,
            send: Duration::from_secs(10),
            ping: Duration::from_secs(30),
            silence: Duration::from_secs(75),
            shutdown: Duration::from_mins(1),
        }
    }
}

/// What all connections share.
struct Session {
    limits: Limits,
    live: Arc<Live>,
    commands: Commands,
    terminals: Arc<Sessions>,
    /// The address listened on.
    vhost: SocketAddr,
    /// This host's name.
    host: String,
    /// A permit for every connection there may be.
    places: Arc<Semaphore>,
    /// Cancelled when connections shall close.
    closing: CancellationToken,
    /// What was counted; none where nobody counts.
    metrics: Option<PrometheusHandle>,
}

/// What clients get to.
pub struct Inside {
    /// Runs commands.
    pub executor: Arc<dyn Executor>,
    /// What is known.
    pub live: Arc<Live>,
    /// What runs.
    pub operations: Arc<Operations>,
    /// What is open.
    pub terminals: Terminals,
    /// What was counted; none where nobody counts.
    pub metrics: Option<PrometheusHandle>,
}

/// What clients open besides commands.
pub struct Terminals {
    /// What is open.
    pub sessions: Arc<Sessions>,
    /// The sockets of users' own shells, as they come.
    pub sockets: mpsc::UnboundedReceiver<Socket>,
}

/// Serves clients from `listener` until `shutdown` comes; then no client is let in any more, running commands are
/// cancelled and get [`Limits::shutdown`] to undo their work, and connections are closed.
pub async fn run(
    limits: Limits,
    inside: Inside,
    listener: TcpListener,
    shutdown: impl Future<Output = ()> + Send,
) -> std::io::Result<()> {
    let Inside { executor, live, operations, terminals, metrics } = inside;
    let session = Arc::new(Session {
        commands: Commands::new(executor, Arc::clone(live.mirrors()), operations),
        terminals: terminals.sessions,
        live: Arc::clone(&live),
        vhost: listener.local_addr()?,
        host: host_name(),
        places: Arc::new(Semaphore::new(limits.connections as usize)),
        closing: CancellationToken::new(),
        metrics,
        limits,
    });
    let router = documents::routes()
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .route("/metrics", get(render_metrics))
        .route(CHANNEL_PATH, get(channel))
        .route(TERMINAL_PATH, get(terminal_channel));
    let router = console::behind(router).with_state(Arc::clone(&session));
    let serving = shells::serve(terminals.sockets, router.clone(), live, session.closing.clone());
    let serving_shells = tokio::spawn(serving);
    // Whoever reaches the listener is the one local user.
    let router = router.layer(Extension(User::local()));
    // Messages are small and many: Nagle's algorithm would hold each back until the one before is acknowledged.
    let listener = listener.tap_io(|socket| {
        if let Err(error) = socket.set_nodelay(true) {
            tracing::debug!(%error, "TCP_NODELAY");
        }
    });
    let stopping = CancellationToken::new();
    let server = axum::serve(listener, router.into_make_service_with_connect_info::<SocketAddr>())
        .with_graceful_shutdown(stopping.clone().cancelled_owned());
    let mut server = tokio::spawn(server.into_future());
    tokio::select! {
        () = shutdown => {}
        ended = &mut server => return ended?,
    }
    stopping.cancel();
    session.stop().await;
    if timeout(CLOSE_LIMIT, &mut server).await.is_err() {
        // Half-sent HTTP requests are left, and nobody waits for their answers.
        server.abort();
    }
    // It ends with the connections.
    let _ = serving_shells.await;
    Ok(())
}

impl Session {
    async fn stop(&self) {
        tokio::join!(self.commands.stop(self.limits.shutdown), self.terminals.stop());
        self.closing.cancel();
        if timeout(CLOSE_LIMIT, self.places.acquire_many(self.limits.connections)).await.is_err() {
            let open = self.connections();
            tracing::warn!("{open} connections did not close within {} s", CLOSE_LIMIT.as_secs());
        }
    }

    fn connections(&self) -> usize {
        self.limits.connections as usize - self.places.available_permits()
    }
}

async fn healthz(State(session): State<Arc<Session>>) -> String {
    format!("ok\nconnections {}\ncommands {}\n", session.connections(), session.commands.running())
}

/// Whether commands can do anything: whether Docker answers.
async fn readyz(State(session): State<Arc<Session>>) -> Response {
    match session.commands.ready().await {
        Ok(()) => "ok\n".into_response(),
        Err(failure) => (StatusCode::SERVICE_UNAVAILABLE, format!("{}\n", failure.line())).into_response(),
    }
}

async fn render_metrics(State(session): State<Arc<Session>>) -> Response {
    crate::metrics::load(session.connections(), session.commands.running());
    match &session.metrics {
        Some(metrics) => ([(CONTENT_TYPE, "text/plain; version=0.0.4")], metrics.render()).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

/// Lets a client in, or says why not.
fn admit(session: &Arc<Session>, peer: SocketAddr, headers: &HeaderMap) -> Result<OwnedSemaphorePermit, Box<Response>> {
    if let Err(refusal) = admission::admit(headers, &session.host) {
        tracing::warn!(%peer, "connection refused: {refusal}");
        return Err(Box::new((StatusCode::FORBIDDEN, format!("{refusal}\n")).into_response()));
    }
    Arc::clone(&session.places).try_acquire_owned().map_err(|_| {
        let limit = session.limits.connections;
        tracing::warn!(%peer, "connection refused: {limit} are open");
        let text = format!("{limit} connections are open, which is as many as this server holds; close one\n");
        Box::new((StatusCode::SERVICE_UNAVAILABLE, text).into_response())
    })
}

async fn channel(
    State(session): State<Arc<Session>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    Extension(user): Extension<User>,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Response {
    let place = match admit(&session, peer, &headers) {
        Ok(place) => place,
        Err(refusal) => return *refusal,
    };
    let wsi = Uuid::new_v4().to_string();
    let origin = Origin {
        user: user.clone(),
        mirror: user.mirror(),
        peer: peer.to_string(),
        wsi: wsi.clone(),
        vhost: session.vhost.to_string(),
        host: session.host.clone(),
    };
    let agent = headers.get(USER_AGENT).map(|agent| agent.to_str().unwrap_or_default());
    // It is shown on terminals of others.
    let agent: String =
        agent.unwrap_or_default().chars().filter(|character| !character.is_control()).take(200).collect();
    let connection = Connection::new(session, origin, agent, place);
    let response = upgrade
        .max_message_size(FRAME_LIMIT)
        .max_frame_size(FRAME_LIMIT)
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(WRITE_BUFFER)
        .on_upgrade(move |socket| connection.serve(socket));
    ([(CONNECTION_HEADER, wsi)], response).into_response()
}

async fn terminal_channel(
    State(session): State<Arc<Session>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    Extension(user): Extension<User>,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Response {
    let place = match admit(&session, peer, &headers) {
        Ok(place) => place,
        Err(refusal) => return *refusal,
    };
    let sessions = Arc::clone(&session.terminals);
    let terminal = Terminal { session, sessions, user, place };
    let limit = terminal::LIMIT;
    upgrade.max_message_size(limit).max_frame_size(limit).on_upgrade(move |socket| terminal.serve(socket))
}

/// This host's name: uname(2)'s nodename, by way of proc(5).
pub fn host_name() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname").map(|name| name.trim().to_owned()).unwrap_or_default()
}
