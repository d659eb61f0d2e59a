//! The way in: HTTP requests become connections, frames become commands, commands run on their own, and what they
//! say goes out through the mirrors.
//!
//! `admission` (may this page connect) → `connection` (one socket) → `request` (a frame becomes a command)
//! → `commands` (permit, begin, echo, execute, final message).

mod admission;
mod commands;
mod connection;
mod request;

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{ConnectInfo, State, WebSocketUpgrade};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::serve::ListenerExt;
use qbo_api::{CHANNEL_PATH, CONNECTION_HEADER};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use self::commands::Commands;
use self::connection::Connection;
use crate::access::User;
use crate::executor::Executor;
use crate::mirror::Mirrors;
use crate::operations::Operations;
use crate::report::{AGENT, Origin};

/// The largest frame that is read at all; it is answered from [`request::LIMIT`] on, and ends the connection here.
const FRAME_LIMIT: usize = 4 * request::LIMIT;

/// How long connections may take to close once the server stops, a second more than each gives its client.
const CLOSE_LIMIT: Duration = Duration::from_secs(2);

/// The bounds of everything a client can make the server wait for or hold.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Connections at once. Half of the 1,024 file descriptors a process has where nobody raised that.
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
    mirrors: Arc<Mirrors>,
    commands: Commands,
    /// The address listened on.
    vhost: SocketAddr,
    /// This host's name.
    host: String,
    /// A permit for every connection there may be.
    places: Arc<Semaphore>,
    /// Cancelled when connections shall close.
    closing: CancellationToken,
}

/// Serves clients from `listener` until `shutdown` comes; then no client is let in any more, running commands are
/// cancelled and get [`Limits::shutdown`] to undo their work, and connections are closed.
pub async fn run(
    limits: Limits,
    executor: Arc<dyn Executor>,
    operations: Arc<Operations>,
    listener: TcpListener,
    shutdown: impl Future<Output = ()> + Send,
) -> std::io::Result<()> {
    let mirrors = Arc::new(Mirrors::default());
    let session = Arc::new(Session {
        commands: Commands::new(executor, Arc::clone(&mirrors), operations),
        mirrors,
        vhost: listener.local_addr()?,
        host: host_name(),
        places: Arc::new(Semaphore::new(limits.connections as usize)),
        closing: CancellationToken::new(),
        limits,
    });
    let router = Router::new()
        .route("/", get(|| async { format!("{AGENT}: the qbo API; clients connect by WebSocket to {CHANNEL_PATH}\n") }))
        .route("/healthz", get(healthz))
        .route(CHANNEL_PATH, get(channel))
        .with_state(Arc::clone(&session));
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
    Ok(())
}

impl Session {
    async fn stop(&self) {
        self.commands.stop(self.limits.shutdown).await;
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

async fn channel(
    State(session): State<Arc<Session>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Response {
    if let Err(refusal) = admission::admit(&headers, &session.host) {
        tracing::warn!(%peer, "connection refused: {refusal}");
        return (StatusCode::FORBIDDEN, format!("{refusal}\n")).into_response();
    }
    let Ok(place) = Arc::clone(&session.places).try_acquire_owned() else {
        let limit = session.limits.connections;
        tracing::warn!(%peer, "connection refused: {limit} are open");
        let text = format!("{limit} connections are open, which is as many as this server holds; close one\n");
        return (StatusCode::SERVICE_UNAVAILABLE, text).into_response();
    };
    let user = User::local();
    let wsi = Uuid::new_v4().to_string();
    let origin = Origin {
        user: user.email.clone(),
        mirror: user.mirror(),
        peer: peer.to_string(),
        wsi: wsi.clone(),
        vhost: session.vhost.to_string(),
        host: session.host.clone(),
    };
    let connection = Connection::new(session, user, origin, place);
    let response = upgrade
        .max_message_size(FRAME_LIMIT)
        .max_frame_size(FRAME_LIMIT)
        .on_upgrade(move |socket| connection.serve(socket));
    ([(CONNECTION_HEADER, wsi)], response).into_response()
}

/// uname(2)'s nodename, by way of proc(5).
fn host_name() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname").map(|name| name.trim().to_owned()).unwrap_or_default()
}
