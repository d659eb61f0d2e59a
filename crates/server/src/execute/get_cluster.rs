//! `get cluster`

use futures_util::future::join_all;
use qbo_api::command::GetCluster;
use qbo_api::message::{Code, Output, Payload};
use qbo_api::model::{Cluster, State};

use super::Services;
use super::get_nodes::nodes;
use crate::cluster::Found;
use crate::error::Failure;
use crate::provision::{Mark, USER_KUBECONFIG_PATH};
use crate::report::Reporter;

pub(super) async fn run(services: &Services, user: &str, get: &GetCluster, reporter: &Reporter) -> Result<(), Failure> {
    let clusters = services.select(user, &get.selection).await?;
    if get.kubeconfig {
        for cluster in &clusters {
            let kubeconfig = kubeconfig(services, cluster).await?;
            reporter.rows(Payload::Output(vec![Output::Kubeconfig { kubeconfig }]));
        }
        return Ok(());
    }
    let rows = join_all(clusters.iter().map(|cluster| row(services, cluster))).await;
    let mut rows: Vec<Cluster> = rows.into_iter().collect::<Result<_, Failure>>()?;
    if get.selection == qbo_api::command::Selection::All {
        rows.extend(unborn(services, user, &rows));
    }
    reporter.rows(Payload::Clusters(rows));
    Ok(())
}

/// A cluster's kubeconfig, as its control plane keeps it.
async fn kubeconfig(services: &Services, cluster: &Found) -> Result<String, Failure> {
    let name = &cluster.identity.name;
    let file = match cluster.control_plane() {
        Some(node) => services.engine.read_file(&node.container.id, USER_KUBECONFIG_PATH).await?,
        None => None,
    };
    let missing =
        || Failure::new(Code::CONFLICT, format!("cluster '{name}' has no kubeconfig yet"), "wait until it is ready");
    file.map(|file| String::from_utf8_lossy(&file).into_owned()).ok_or_else(missing)
}

async fn row(services: &Services, cluster: &Found) -> Result<Cluster, Failure> {
    let identity = &cluster.identity;
    let state = match services.operations.state(&identity.user, &identity.name) {
        Some(state) => state,
        None => state(services, cluster).await?,
    };
    Ok(cluster.row(state))
}

/// A cluster is what the worst of its nodes is.
async fn state(services: &Services, cluster: &Found) -> Result<State, Failure> {
    let Some(control_plane) = cluster.control_plane() else { return Ok(State::Error) };
    if Mark::read(&*services.engine, &control_plane.container.id).await? == Some(Mark::Retained) {
        return Ok(State::Error);
    }
    let states: Vec<State> = nodes(services, cluster).await.into_iter().map(|node| node.state).collect();
    let worst = [State::Unknown, State::Stopped, State::NotReady];
    Ok(worst.into_iter().find(|state| states.contains(state)).unwrap_or(State::Ready))
}

/// Clusters that are being made, of which Docker knows nothing yet.
fn unborn(services: &Services, user: &str, known: &[Cluster]) -> Vec<Cluster> {
    let creating = services.operations.creating(user).into_iter();
    let new = creating.filter(|name| !known.iter().any(|cluster| cluster.name == *name));
    new.map(|name| Cluster {
        address: String::new(),
        control_plane: String::new(),
        id: String::new(),
        name,
        state: State::Creating,
        user: user.into(),
    })
    .collect()
}
