//! The CNI daemon of the node image: each node's pods reach the pods of every other node, and the world outside.
//!
//! One loop: the watch shows a Node → [`nodes`] keeps what matters of it → [`reconcile`] brings the routes
//! ([`routes`]), the masquerading ([`masquerade`]) and the CNI configuration ([`cni`]) to what all nodes together ask
//! for. Nothing runs on a ticker; what fails is tried again with growing pauses ([`retry`]).

mod api_server;
mod cni;
mod link;
mod masquerade;
#[cfg(test)]
mod namespace;
mod nodes;
mod reconcile;
mod retry;
mod routes;
mod settings;

use std::error::Error;
use std::io;
use std::iter;

use anyhow::Context as _;
use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use kube::runtime::watcher::{self, Event, watcher};
use tokio::signal::unix::{SignalKind, signal};
use tracing::{Level, info};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::nodes::{Nodes, WatchedNode};
use crate::reconcile::Reconciler;
use crate::retry::Retry;
use crate::settings::Settings;

type Events = BoxStream<'static, watcher::Result<Event<WatchedNode>>>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    start_log();
    let settings = Settings::from_environment()?;
    let mut terminate = signal(SignalKind::terminate()).context("listen for SIGTERM")?;
    tokio::select! {
        result = run(settings) => result,
        _ = terminate.recv() => {
            info!("terminated; routes and rules stay, pods keep their network");
            Ok(())
        }
    }
}

/// One line per change on standard error. The container runtime stamps each with the time; what libraries say of their
/// own is told again by the error they return.
fn start_log() {
    let lines = tracing_subscriber::fmt::layer().with_writer(io::stderr).with_target(false).without_time();
    let own = Targets::new().with_target(env!("CARGO_CRATE_NAME"), Level::INFO);
    tracing_subscriber::registry().with(lines).with(own).init();
}

/// Watches the nodes and reconciles on each change that matters, for as long as the process lives.
async fn run(settings: Settings) -> anyhow::Result<()> {
    let client = api_server::client().context("configure the client of the API server")?;
    let mut reconciler = Reconciler::new(settings).context("open a netlink socket")?;
    let mut nodes = Nodes::default();
    let mut events = watcher(nodes::api(client), watcher::Config::default()).boxed();
    let mut watch = Retry::new("watch of nodes");
    let mut network = Retry::new("network");

    loop {
        tokio::select! {
            event = next_event(&mut events, &mut watch) => if !nodes.apply(event?) { continue },
            () = network.due() => {}
        }
        let Some(nodes) = nodes.complete() else { continue };
        let errors = reconciler.reconcile(nodes).await;
        if errors.is_empty() {
            network.succeeded();
        } else {
            network.failed(errors.iter().map(ToString::to_string).collect());
        }
    }
}

/// The next event of the watch, which may take several attempts. Dropping the future loses nothing.
async fn next_event(events: &mut Events, watch: &mut Retry) -> anyhow::Result<Event<WatchedNode>> {
    loop {
        watch.pause().await;
        match events.next().await.context("the watch of nodes ended")? {
            // Only the beginning of an attempt, whose list may fail again.
            Ok(Event::Init) => return Ok(Event::Init),
            Ok(event) => {
                watch.succeeded();
                return Ok(event);
            }
            Err(error) => watch.failed(vec![with_cause(&error)]),
        }
    }
}

/// The error and what it came from in the end, such as a refused connection, which kube's messages leave out.
fn with_cause(error: &dyn Error) -> String {
    let message = error.to_string();
    let causes = iter::successors(error.source(), |cause| (*cause).source());
    match causes.last().map(ToString::to_string) {
        Some(cause) if !message.contains(&cause) => format!("{message}: {cause}"),
        _ => message,
    }
}
