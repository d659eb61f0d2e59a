//! Removing a cluster, whole or in parts: the undo of making it, the command to delete it, and the clean-up of what
//! an abrupt end left. All go by labels, in an order that an interruption leaves recognisable: workers, control
//! planes, networks.

use futures_util::future::join_all;
use qbo_bootstrap::Role;

use crate::cluster::{FoundNode, Identity, find};
use crate::driver::engine::{Engine, EngineError};

/// Removes all nodes of a cluster.
pub async fn nodes(engine: &dyn Engine, identity: &Identity) -> Result<(), EngineError> {
    let Some(cluster) = find(engine, identity).await? else { return Ok(()) };
    for role in [Role::Worker, Role::ControlPlane] {
        let of_role = cluster.nodes.iter().filter(|node| node.role == role);
        let removed = join_all(of_role.map(|node: &FoundNode| engine.remove_container(&node.container.id))).await;
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
