//! `delete cluster`: all of the named exist and are free, or nothing is deleted. A cluster that is being made is
//! cancelled first.


use futures_util::future::join_all;
use qbo_api::command::DeleteCluster;
use qbo_api::message::Payload;
use qbo_api::model::State;

use super::Services;
use crate::cluster::Found;
use crate::driver::engine::{Engine, EngineError};
use crate::error::Failure;
use crate::operations::{Claim, Running};
use crate::provision::{Mark, remove};
use crate::report::Reporter;

pub(super) async fn run(
    services: &Services,
    user: &str,
    delete: &DeleteCluster,
    reporter: &Reporter,
    running: &Running,
) -> Result<(), Failure> {
    let clusters = services.select(user, &delete.selection).await?;
    let mut claimed = Vec::new();
    for cluster in clusters {
        let key = (user, cluster.identity.name.as_str());
        let claim = services.operations.claim(key, State::Deleting, reporter.command_line(), running.token())?;
        claimed.push((cluster, claim));
    }
    let deleted = claimed.into_iter().map(|(cluster, claim)| remove(services, cluster, claim, reporter));
    join_all(deleted).await.into_iter().collect()
}

async fn remove(services: &Services, cluster: Found, claim: Claim, reporter: &Reporter) -> Result<(), Failure> {
    let name = &cluster.identity.name;
    if claim.token().is_cancelled() {
        return Err(Failure::cancelled());
    }
    reporter.rows(Payload::Clusters(vec![cluster.row(State::Deleting)]));
    let step = reporter.step(name, "", "delete", "docker DELETE /containers");
    let removed = remove_from_engine(&*services.engine, &cluster).await;
    match removed {
        Ok(()) => step.done(),
        Err(error) => {
            step.failed(&error.to_string());
            services.sweep.notify_one();
            return Err(error.into());
        }
    }
    services.kubeconfigs.remove(name).await
}

/// From the mark on, an interrupted deletion is finished by the next start of the server.
async fn remove_from_engine(engine: &dyn Engine, cluster: &Found) -> Result<(), EngineError> {
    if let Some(node) = cluster.control_plane() {
        Mark::Deleting.write(engine, &node.container.id).await?;
    }
    remove::nodes(engine, &cluster.identity).await?;
    remove::networks(engine, &cluster.identity).await
}
