//! Removing a cluster, whole or in parts: the undo of making it, the command to delete it, and the clean-up of what
//! an abrupt end left. All go by labels, in an order that an interruption leaves recognisable: workers, control
//! planes, networks. A single node goes with its Node.

use std::net::Ipv4Addr;
use std::time::Duration;

use futures_util::future::join_all;
use qbo_api::message::Code;
use qbo_bootstrap::Role;

use super::etcd::Etcd;
use super::finish::Mark;
use super::{ATTEMPT_PAUSE, ATTEMPTS, balancer};
use crate::cluster::{Found, FoundNode, Identity, find};
use crate::driver::engine::{Container, Engine, EngineError, EngineFault};
use crate::driver::kubernetes::{ApiServer, KubernetesError};
use crate::error::Failure;

/// Removes all nodes of a cluster, and what stands in front of them.
pub async fn nodes(engine: &dyn Engine, identity: &Identity) -> Result<(), EngineError> {
    let Some(cluster) = find(engine, identity).await? else { return Ok(()) };
    let control_planes: Vec<&str> = cluster.control_planes().map(|node| node.container.id.as_str()).collect();
    let others = cluster.containers().map(|container| container.id.as_str());
    let others: Vec<&str> = others.filter(|id| !control_planes.contains(id)).collect();
    for group in [others, control_planes] {
        let removed = join_all(group.iter().map(|id| engine.remove_container(id))).await;
        removed.into_iter().collect::<Result<(), EngineError>>()?;
    }
    Ok(())
}

/// Removes all networks of a cluster.
pub async fn networks(engine: &dyn Engine, identity: &Identity) -> Result<(), EngineError> {
    let Some(cluster) = find(engine, identity).await? else { return Ok(()) };
    for network in &cluster.networks {
        engine.remove_network(&network.id).await?;
    }
    Ok(())
}

/// Removes a node of a cluster, which is as it was found a moment ago, after the ports that lead to it: its address may soon be
/// another's.
pub async fn node_of(
    engine: &dyn Engine,
    cluster: &Found,
    api_server: &dyn ApiServer,
    leaving: &FoundNode,
) -> Result<(), Failure> {
    let Container { id, name, .. } = &leaving.container;
    for port in cluster.ports.iter().filter(|port| port.target == *name) {
        engine.remove_container(&port.container.id).await?;
    }
    match (leaving.role, leaving.address) {
        (Role::ControlPlane, Some(address)) => {
            control_plane(engine, cluster, api_server, &Leaving { container: id, name, address }).await
        }
        (Role::ControlPlane, None) | (Role::Worker, _) => node(engine, Some(api_server), id, name).await,
    }
}

/// A control plane that leaves its cluster.
pub struct Leaving<'a> {
    /// Its container, by id or name.
    pub container: &'a str,
    /// Its name.
    pub name: &'a str,
    /// Its address.
    pub address: Ipv4Addr,
}

/// Removes one of several control planes. Nobody is sent to it any more; then etcd is told, while its member still votes;
/// then it goes as every node. The cluster is as it was found a moment ago.
pub async fn control_plane(
    engine: &dyn Engine,
    cluster: &Found,
    api_server: &dyn ApiServer,
    leaving: &Leaving<'_>,
) -> Result<(), Failure> {
    let others = cluster.control_planes().filter(|other| other.container.name != leaving.name);
    let others: Vec<&FoundNode> = others.collect();
    if let Some(balancer) = &cluster.balancer {
        let mut staying = Vec::new();
        for other in &others {
            if Mark::read(engine, &other.container.id).await? == Some(Mark::Ready) {
                staying.extend(other.address);
            }
        }
        balancer::follow(engine, &balancer.container.id, &staying).await?;
    }
    Etcd::reach(engine, &others).await?.remove(leaving.address).await?;
    node(engine, Some(api_server), leaving.container, leaving.name).await
}

/// Whether etcd would answer no more once these control planes have gone one after the other.
pub async fn loses_majority(engine: &dyn Engine, cluster: &Found, leaving: &[Ipv4Addr]) -> Result<bool, Failure> {
    let etcd = Etcd::reach(engine, &cluster.control_planes().collect::<Vec<_>>()).await?;
    let running = cluster.control_planes().filter(|node| node.container.running);
    let running: Vec<Ipv4Addr> = running.filter_map(|node| node.address).collect();
    Ok(!etcd.outlives(leaving, &running))
}

/// How long the API server may take to forget a Node.
const NODE_LIMIT: Duration = Duration::from_secs(30);

/// How long the API server may take to let pods be scheduled to a node again.
const UNCORDON_LIMIT: Duration = Duration::from_secs(10);

/// Removes one node: its container, by id or name, and its Node. The container stops first, for a kubelet that runs might
/// register anew; it goes last, for by it an interrupted removal is found again.
pub async fn node(
    engine: &dyn Engine,
    api_server: Option<&dyn ApiServer>,
    container: &str,
    name: &str,
) -> Result<(), Failure> {
    match engine.stop_container(container, Duration::ZERO).await {
        Err(error) if !matches!(error.cause, EngineFault::NotFound(_)) => return Err(error.into()),
        _ => {}
    }
    if let Some(api_server) = api_server {
        let forgotten = tokio::time::timeout(NODE_LIMIT, forget(api_server, name)).await;
        forgotten.map_err(|_| {
            let problem = format!("waited {} s in vain for the API server to forget '{name}'", NODE_LIMIT.as_secs());
            Failure::new(Code::TIMEOUT, problem, "its container is stopped; delete it again once the cluster is ready")
        })??;
    }
    Ok(engine.remove_container(container).await?)
}

/// Lets pods be scheduled again to a node that was to go and stays. Where the API server does not answer, the clean-up does so once it does.
pub async fn uncordon(api_server: &dyn ApiServer, node: &str) {
    match tokio::time::timeout(UNCORDON_LIMIT, api_server.uncordon(node)).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(%error, node, "no pods are scheduled to it yet"),
        Err(_) => tracing::warn!(node, "no pods are scheduled to it yet: the API server does not answer"),
    }
}

/// An API server is asked again where the way to it, or etcd behind it, has just changed.
async fn forget(api_server: &dyn ApiServer, node: &str) -> Result<(), KubernetesError> {
    for _ in 1..ATTEMPTS {
        match api_server.delete_node(node).await {
            Ok(()) => return Ok(()),
            Err(error) => tracing::debug!(%error, "asking again"),
        }
        tokio::time::sleep(ATTEMPT_PAUSE).await;
    }
    api_server.delete_node(node).await
}
