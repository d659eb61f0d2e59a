//! The clean-up of what an abrupt end left: clusters that were never finished, or not wholly deleted.
//!
//! Docker is the truth. A cluster whose control plane bears no mark was being made when the server ended; one marked
//! as being deleted was being deleted; a network without nodes is what remains of either, and so are nodes without
//! control plane and network: the engine made them after everything else had been removed. Nodes on a network without a
//! control plane qbo never leaves: somebody else removed it, and what is left is theirs to look at.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::OptionFuture;
use qbo_api::model::State;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::cluster::{Found, Identity, LABEL_PROBE, find, find_all};
use crate::driver::engine::EngineError;
use crate::execute::Services;
use crate::provision::{Mark, remove};

/// The shortest and the longest time between two attempts while Docker does not answer.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(10));

/// When to look again after the first look. A call in flight when an earlier server was killed may be carried out by the
/// engine after that look, and nobody is told; the last of these is later than any call may take.
const LATER: [Duration; 4] =
    [Duration::from_secs(1), Duration::from_secs(5), Duration::from_secs(30), Duration::from_mins(2)];

/// What commands could not remove, and the bell that calls the clean-up.
#[derive(Debug, Default)]
pub struct LeftOvers {
    /// Clusters that are to go even where they are marked as complete: the engine may have carried out what it did
    /// not answer.
    doomed: Mutex<HashSet<Uuid>>,
    bell: Notify,
}

impl LeftOvers {
    /// A cluster could not be removed wholly; it goes at the first [`LeftOvers::ring`] after its claim is given back.
    pub fn doom(&self, cluster: Uuid) {
        self.lock().insert(cluster);
    }

    /// Something may be left. Whoever rings has given back all claims to it: busy clusters are left alone.
    pub fn ring(&self) {
        self.bell.notify_one();
    }

    /// Waits until somebody rings, or did since this was last waited for.
    pub(crate) async fn rung(&self) {
        self.bell.notified().await;
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<Uuid>> {
        self.doomed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sweeps at start, and whenever a command had to leave something behind, until `stop` is cancelled.
pub async fn run(services: Arc<Services>, stop: CancellationToken) {
    let mut pause = BACKOFF.0;
    let mut later = LATER.into_iter();
    loop {
        match sweep(&services).await {
            Ok(()) => {
                pause = BACKOFF.0;
                let again = OptionFuture::from(later.next().map(tokio::time::sleep));
                tokio::select! {
                    () = services.left_overs.rung() => {}
                    Some(()) = again => {}
                    () = stop.cancelled() => return,
                }
            }
            Err(error) => {
                tracing::warn!(%error, "left-overs cannot be removed yet");
                tokio::select! {
                    () = tokio::time::sleep(pause) => pause = (pause * 2).min(BACKOFF.1),
                    () = stop.cancelled() => return,
                }
            }
        }
    }
}

/// Removes everything that was interrupted and that no running command is about.
pub async fn sweep(services: &Services) -> Result<(), EngineError> {
    let engine = &*services.engine;
    let mut outcome = Ok(());
    for cluster in find_all(engine).await? {
        // One that cannot be removed does not hold up the others.
        outcome = outcome.and(sweep_cluster(services, &cluster).await);
    }
    for probe in engine.containers(LABEL_PROBE).await? {
        if !services.images.is_probing(&probe.name) {
            outcome = outcome.and(engine.remove_container(&probe.id).await);
        }
    }
    outcome
}

async fn sweep_cluster(services: &Services, cluster: &Found) -> Result<(), EngineError> {
    let Identity { user, name, id } = &cluster.identity;
    // Before it is claimed, so that a sweep is never in the way of a command about a cluster that is well.
    if !is_left_over(services, cluster).await? {
        return Ok(());
    }
    // A busy cluster is its command's business.
    let Ok(_claim) = services.operations.claim((user, name), State::Deleting, "clean-up") else { return Ok(()) };
    // Its command may have completed it since it was listed.
    let cluster = find(&*services.engine, &cluster.identity).await?;
    let Some(cluster) = cluster else { return Ok(()) };
    if !is_left_over(services, &cluster).await? {
        return Ok(());
    }
    tracing::info!(cluster = name, user, "removing what an interrupted command left");
    // First, since a clean-up finds no more than what the engine holds.
    if let Err(failure) = services.kubeconfigs.remove(name).await {
        tracing::warn!(%failure, "a kubeconfig is left");
    }
    remove::nodes(&*services.engine, &cluster.identity).await?;
    remove::networks(&*services.engine, &cluster.identity).await?;
    services.left_overs.lock().remove(id);
    Ok(())
}

async fn is_left_over(services: &Services, cluster: &Found) -> Result<bool, EngineError> {
    if services.left_overs.lock().contains(&cluster.identity.id) {
        return Ok(true);
    }
    match cluster.control_plane() {
        Some(node) => {
            let mark = Mark::read(&*services.engine, &node.container.id).await?;
            Ok(matches!(mark, None | Some(Mark::Deleting)))
        }
        None => Ok(cluster.nodes.is_empty() || cluster.networks.is_empty()),
    }
}

#[cfg(test)]
mod tests;
