//! The clean-up of what an abrupt end left: clusters that were never finished, or not wholly deleted.
//!
//! Docker is the truth. A cluster whose control plane bears no mark was being made when the server ended; one marked
//! as being deleted was being deleted; a network without nodes is what remains of either, and so are nodes without
//! control plane and network: the engine made them after everything else had been removed. Nodes on a network without a
//! control plane qbo never leaves: somebody else removed it, and what is left is theirs to look at. Of a cluster that is
//! well, a node goes that was brought in and bears no mark, and one whose mark says that it was leaving; one that pods were
//! leaving before it bore that mark stays, and has pods again. A node that was killed and is held back from its end is let go, and
//! started anew. Containers of shells go with the server whose they were.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::{OptionFuture, join_all};
use qbo_api::model::State;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::cluster::{Found, FoundNode, FoundPort, Identity, LABEL_PROBE, LABEL_SHELL, find, find_all};
use crate::driver::engine::EngineError;
use crate::error::Failure;
use crate::execute::Services;
use crate::operations::Business;
use crate::provision::{self, Mark, cluster_mark, complete, is_half_marked, marks, remove};

/// The shortest and the longest time between two attempts while Docker does not answer.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(10));

/// When to look again after the first look, and after each ring. A call in flight when an earlier server or the engine was killed
/// may be carried out by the engine after that look, and nobody is told; the last of these is later than any call may take.
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
                    () = services.left_overs.rung() => later = LATER.into_iter(),
                    () = services.live.reached() => {}
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
        outcome = outcome.and(complete_marks(services, &cluster).await);
        outcome = outcome.and(sweep_nodes(services, &cluster).await);
        outcome = outcome.and(sweep_ports(services, &cluster).await);
        outcome = outcome.and(uncordon_nodes(services, &cluster.identity).await);
        release_nodes(services, &cluster).await;
    }
    for probe in engine.containers(LABEL_PROBE).await? {
        if !services.images.is_probing(&probe.name) {
            outcome = outcome.and(engine.remove_container(&probe.id).await);
        }
    }
    for shell in engine.containers(LABEL_SHELL).await? {
        if !services.shells.holds(&shell.name) {
            outcome = outcome.and(engine.remove_container(&shell.id).await);
        }
    }
    services.shells.tidy();
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
    if cluster.control_plane().is_none() {
        return Ok(cluster.nodes.is_empty() || cluster.networks.is_empty());
    }
    let mark = cluster_mark(&*services.engine, cluster).await?;
    Ok(matches!(mark, None | Some(Mark::Deleting)))
}

/// Marks the rest of a cluster that was complete when its command was killed.
async fn complete_marks(services: &Services, cluster: &Found) -> Result<(), EngineError> {
    let Identity { user, name, .. } = &cluster.identity;
    if !is_half_marked(&*services.engine, cluster).await? {
        return Ok(());
    }
    let Ok(_claim) = services.operations.claim((user, name), Business::default(), "clean-up") else { return Ok(()) };
    match find(&*services.engine, &cluster.identity).await? {
        Some(cluster) => complete(&*services.engine, &cluster).await,
        None => Ok(()),
    }
}

/// Removes single nodes of a cluster that is well: those that never were finished after they were brought in, and those
/// that were leaving; then a balancer that nobody was told of. Their Node is to go with them, so it waits for the API server;
/// the bell rings when that answers.
async fn sweep_nodes(services: &Services, cluster: &Found) -> Result<(), EngineError> {
    let Identity { user, name, id } = &cluster.identity;
    let left_over = left_over_nodes(services, cluster).await?;
    if left_over.is_empty() {
        return Ok(());
    }
    let Some(api_server) = services.live.api_server(*id) else { return Ok(()) };
    let leaving = left_over.iter().map(|node| (node.container.name.clone(), State::Deleting)).collect();
    let business = Business { nodes: leaving, ..Business::default() };
    let Ok(_claim) = services.operations.claim((user, name), business, "clean-up") else { return Ok(()) };
    // Its command may have completed some since they were listed.
    let Some(cluster) = find(&*services.engine, &cluster.identity).await? else { return Ok(()) };
    for node in left_over_nodes(services, &cluster).await? {
        let container = &node.container;
        tracing::info!(cluster = name, user, node = container.name, "removing a node that an interrupted command left");
        let removed = if node.is_balancer() {
            services.engine.remove_container(&container.id).await.map_err(Failure::from)
        } else {
            remove::node_of(&*services.engine, &cluster, &*api_server, &node).await
        };
        if let Err(failure) = removed {
            tracing::warn!(%failure, node = container.name, "a node is left");
        }
    }
    Ok(())
}

/// Removes what was to pass on ports into a living cluster and was not completed.
async fn sweep_ports(services: &Services, cluster: &Found) -> Result<(), EngineError> {
    let Identity { user, name, .. } = &cluster.identity;
    if left_over_ports(services, cluster).await?.is_empty() {
        return Ok(());
    }
    let Ok(_claim) = services.operations.claim((user, name), Business::default(), "clean-up") else { return Ok(()) };
    // Its command may have completed some since they were listed.
    let Some(cluster) = find(&*services.engine, &cluster.identity).await? else { return Ok(()) };
    for port in left_over_ports(services, &cluster).await? {
        tracing::info!(cluster = name, user, port = %port.mapping, "removing a port that an interrupted command left");
        services.engine.remove_container(&port.container.id).await?;
    }
    Ok(())
}

/// Lets pods be scheduled again to nodes that stay, because what was to delete them was interrupted while pods left them.
async fn uncordon_nodes(services: &Services, identity: &Identity) -> Result<(), EngineError> {
    let Identity { user, name, id } = identity;
    if services.live.draining(*id).is_empty() {
        return Ok(());
    }
    let Some(api_server) = services.live.api_server(*id) else { return Ok(()) };
    let Ok(_claim) = services.operations.claim((user, name), Business::default(), "clean-up") else { return Ok(()) };
    // Those that are leaving stay without pods, whatever keeps them from their end.
    let Some(cluster) = find(&*services.engine, identity).await? else { return Ok(()) };
    let leaving = left_over_nodes(services, &cluster).await?;
    let stays = |name: &str| {
        let is_it = |node: &FoundNode| node.container.name == name;
        cluster.nodes.iter().any(is_it) && !leaving.iter().any(is_it)
    };
    for node in services.live.draining(*id).iter().filter(|node| stays(node)) {
        tracing::info!(cluster = name, user, node, "letting pods be scheduled again to a node that was to be deleted");
        remove::uncordon(&*api_server, node).await;
    }
    Ok(())
}

/// Nobody tells of a node that was killed and cannot end: an engine that dies leaves some.
async fn release_nodes(services: &Services, cluster: &Found) {
    let engine = &*services.engine;
    let mut held_back = Vec::new();
    for node in cluster.nodes.iter().chain(&cluster.balancer).filter(|node| node.container.running) {
        if engine.is_held_back(&node.container.id).await {
            held_back.push(&node.container);
        }
    }
    if held_back.is_empty() {
        return;
    }
    let Identity { user, name, .. } = &cluster.identity;
    // A command that waits for a node's end lets it go itself.
    let Ok(_claim) = services.operations.claim((user, name), Business::default(), "clean-up") else { return };
    let released = held_back.into_iter().map(async |container| {
        tracing::info!(
            cluster = name,
            user,
            node = container.name,
            "starting anew a node that was killed and could not end"
        );
        if let Err(error) = engine.release_container(&container.id).await {
            tracing::warn!(%error, node = container.name, "it was not started anew");
        }
    });
    join_all(released).await;
}

async fn left_over_ports(services: &Services, cluster: &Found) -> Result<Vec<FoundPort>, EngineError> {
    let mut left_over = Vec::new();
    for port in cluster.ports.iter().filter(|port| port.is_joined()) {
        if Mark::read(&*services.engine, &port.container.id).await?.is_none() {
            left_over.push(port.clone());
        }
    }
    Ok(left_over)
}

/// Nodes, and after them the balancer.
async fn left_over_nodes(services: &Services, cluster: &Found) -> Result<Vec<FoundNode>, EngineError> {
    // What is there from the beginning has its cluster's mark; the balancer has none then.
    let nodes = cluster.nodes.iter().chain(&cluster.balancer).filter(|node| !node.is_balancer() || node.is_joined());
    let marks = marks(&*services.engine, nodes).await?;
    Ok(marks
        .into_iter()
        .filter(|(node, mark)| provision::is_left_over(node, *mark))
        .map(|(node, _)| node.clone())
        .collect())
}

#[cfg(test)]
mod tests;
