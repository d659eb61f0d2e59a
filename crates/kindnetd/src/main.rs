//! The CNI daemon of the node image: each node's pods reach the pods of every other node, and the world outside.
//!
//! One loop: the watch shows a Node → [`nodes`] keeps what matters of it → [`reconcile`] brings the routes ([`routes`]), the
//! masquerading ([`masquerade`]) and the CNI configuration ([`cni`]) to what all nodes together ask for. Nothing runs
//! on a ticker; what fails is tried again with growing pauses.

mod api_server;
mod backoff;
mod cni;
mod link;
mod masquerade;
#[cfg(test)]
mod namespace;
mod nodes;
mod reconcile;
mod routes;
mod settings;

use std::future;
use std::io;

use anyhow::Context as _;
use futures_util::StreamExt as _;
use kube::runtime::{WatchStreamExt as _, watcher};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::Instant;
use tracing::{info, warn};

use crate::backoff::Backoff;
use crate::nodes::Nodes;
use crate::reconcile::Reconciler;
use crate::settings::Settings;

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    // The container runtime stamps each line with the time.
    tracing_subscriber::fmt().with_writer(io::stderr).with_target(false).without_time().init();
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

/// Watches the nodes and reconciles on each change that matters, for as long as the process lives.
async fn run(settings: Settings) -> anyhow::Result<()> {
    let client = api_server::client().context("configure the client of the API server")?;
    let mut reconciler = Reconciler::new(settings).context("open a netlink socket")?;
    let mut nodes = Nodes::default();
    let mut events = watcher(nodes::api(client), watcher::Config::default()).backoff(Backoff::default()).boxed();
    let mut failures = Failures::default();

    loop {
        tokio::select! {
            event = events.next() => match event {
                Some(Ok(event)) => if !nodes.apply(event) { continue },
                Some(Err(error)) => {
                    warn!("watch of nodes: {error}; trying again");
                    continue;
                }
                None => anyhow::bail!("the watch of nodes ended"),
            },
            () = failures.next_attempt() => {}
        }
        if let Some(nodes) = nodes.complete() {
            failures.record(&reconciler.reconcile(nodes).await);
        }
    }
}

/// When to try again what failed, and what was said about it.
#[derive(Default)]
struct Failures {
    backoff: Backoff,
    retry_at: Option<Instant>,
    reported: Vec<String>,
}

impl Failures {
    /// Sleeps until the next attempt is due: for ever where nothing failed.
    async fn next_attempt(&self) {
        match self.retry_at {
            Some(instant) => tokio::time::sleep_until(instant).await,
            None => future::pending().await,
        }
    }

    /// Takes the errors of an attempt; one that was there the last time is not told again.
    fn record(&mut self, errors: &[reconcile::Error]) {
        let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
        for error in errors.iter().filter(|error| !self.reported.contains(error)) {
            warn!("{error}; trying again");
        }
        self.retry_at = if errors.is_empty() {
            self.backoff = Backoff::default();
            None
        } else {
            self.backoff.next().map(|pause| Instant::now() + pause)
        };
        self.reported = errors;
    }
}
