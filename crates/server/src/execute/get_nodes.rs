//! `get nodes`

use std::collections::HashMap;
use std::time::Duration;

use futures_util::future::join_all;
use qbo_api::command::GetNodes;
use qbo_api::message::Payload;
use qbo_api::model::{Node, State};

use super::Services;
use crate::cluster::{Found, FoundNode};
use crate::driver::kubernetes::NodeStatus;
use crate::error::Failure;
use crate::provision::USER_KUBECONFIG_PATH;
use crate::report::Reporter;

/// The longest an API server may take before its nodes' state is called unknown.
const LIMIT: Duration = Duration::from_secs(2);

pub(super) async fn run(services: &Services, user: &str, get: &GetNodes, reporter: &Reporter) -> Result<(), Failure> {
    let clusters = services.select(user, &get.selection).await?;
    let rows = join_all(clusters.iter().map(|cluster| nodes(services, cluster))).await;
    reporter.rows(Payload::Nodes(rows.into_iter().flatten().collect()));
    Ok(())
}

/// The nodes of a cluster: what Docker tells of the containers, joined with what Kubernetes tells of the nodes.
pub(super) async fn nodes(services: &Services, cluster: &Found) -> Vec<Node> {
    let identity = &cluster.identity;
    let changing = services.operations.state(&identity.user, &identity.name);
    let statuses = statuses(services, cluster).await;
    let row = |node: &FoundNode| {
        let status = statuses.as_ref().and_then(|statuses| statuses.get(&node.container.name));
        let state = match (node.container.running, &statuses, status, changing) {
            (.., Some(changing)) if changing != State::Creating => changing,
            (_, _, Some(status), _) if status.ready && node.container.running => State::Ready,
            (.., Some(changing)) => changing,
            (false, ..) => State::Stopped,
            (true, None, ..) => State::Unknown,
            (true, Some(_), ..) => State::NotReady,
        };
        let (os, kernel) = status.map(|status| (status.os.clone(), status.kernel.clone())).unwrap_or_default();
        Node { os, kernel, ..cluster.node_row(node, state) }
    };
    cluster.nodes.iter().map(row).collect()
}

/// What Kubernetes tells of the nodes, by name; none where the API server cannot be asked in time.
async fn statuses(services: &Services, cluster: &Found) -> Option<HashMap<String, NodeStatus>> {
    let control_plane = cluster.control_plane().filter(|node| node.container.running)?;
    let ask = async {
        let file = services.engine.read_file(&control_plane.container.id, USER_KUBECONFIG_PATH).await.ok()??;
        let api_server = services.kubernetes.connect(&String::from_utf8_lossy(&file)).await.ok()?;
        api_server.nodes().await.ok()
    };
    let nodes = tokio::time::timeout(LIMIT, ask).await.ok()??;
    Some(nodes.into_iter().map(|node| (node.name.clone(), node)).collect())
}
