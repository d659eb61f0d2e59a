//! `delete cluster`: all of the named exist and are free, or nothing is deleted.

use futures_util::future::join_all;
use qbo_api::command::Clusters;
use qbo_api::message::Payload;
use qbo_api::model::{Cluster, State};

use super::{Services, settle, together};
use crate::cluster::{Found, Identity, find};
use crate::driver::engine::{Engine, EngineError};
use crate::error::Failure;
use crate::operations::{Claim, Running};
use crate::provision::{Mark, remove};
use crate::report::Reporter;

pub(super) async fn run(
    services: &Services,
    user: &str,
    delete: &Clusters,
    reporter: &Reporter,
    running: &Running,
) -> Result<(), Failure> {
    let mut claimed = Vec::new();
    for Found { identity, .. } in services.select(user, &delete.selection).await? {
        let key = (user, identity.name.as_str());
        let claim = services.operations.claim(key, State::Deleting, reporter.command_line())?;
        claimed.push((identity, claim));
    }
    // What is half deleted nobody wants back.
    running.pass_return()?;
    let deleted = claimed.into_iter().map(|(identity, claim)| delete_one(services, identity, claim, reporter));
    together(join_all(deleted).await)
}

async fn delete_one(
    services: &Services,
    identity: Identity,
    claim: Claim,
    reporter: &Reporter,
) -> (String, Result<(), Failure>) {
    let step = reporter.step(&identity.name, "", "delete", "docker DELETE /containers");
    let outcome = remove(services, &identity, reporter).await;
    settle(services).await;
    match &outcome {
        Ok(()) => step.done(),
        Err(failure) => {
            step.failed(&failure.problem);
            drop(claim);
            services.left_overs.ring();
        }
    }
    (identity.name, outcome)
}

async fn remove(services: &Services, identity: &Identity, reporter: &Reporter) -> Result<(), Failure> {
    let engine = &*services.engine;
    // Looked for anew: it may have changed before it was claimed.
    let Some(cluster) = find(engine, identity).await? else { return Ok(()) };
    // Each of several, for any may be the last one left when the deletion is interrupted.
    for node in cluster.control_planes() {
        mark(engine, &node.container.id).await?;
        services.live.marked(identity, Mark::Deleting);
    }
    // From here on it goes, if not now then by the clean-up: who has its kubeconfig need not keep it.
    let row = cluster.row(State::Deleting);
    let address = if row.address.is_empty() { cluster.balancer_endpoint() } else { row.address };
    reporter.rows(Payload::Clusters(vec![Cluster { address, ..row }]));
    // Before what it is about: an interrupted deletion is known by what the engine still holds.
    let kubeconfig = services.kubeconfigs.remove(&identity.name).await;
    let removed = async {
        remove::nodes(engine, identity).await?;
        remove::networks(engine, identity).await
    };
    removed.await.map_err(|error| {
        services.left_overs.doom(identity.id);
        Failure { cure: "the rest of it is removed as soon as Docker lets it be".into(), ..error.into() }
    })?;
    kubeconfig
}

/// From the mark on, an interrupted deletion is finished by the clean-up.
async fn mark(engine: &dyn Engine, control_plane: &str) -> Result<(), EngineError> {
    match Mark::Deleting.write(engine, control_plane).await {
        // A full disk must not keep anybody from freeing it.
        Err(error) if !error.cause.is_absence() => {
            tracing::warn!(%error, "deleting without a mark");
            Ok(())
        }
        outcome => outcome,
    }
}
