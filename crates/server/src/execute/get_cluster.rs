//! `get cluster`

use qbo_api::command::{GetCluster, Selection};
use qbo_api::message::{Code, Output, Payload};
use qbo_api::model::Cluster;
use qbo_api::name::ClusterReference;

use super::Services;
use super::get::{name_a_mirror, tell};
use crate::access::User;
use crate::cluster::{Found, no_cluster};
use crate::error::Failure;
use crate::provision::USER_KUBECONFIG_PATH;
use crate::report::Reporter;

pub(super) async fn run(
    services: &Services,
    user: &User,
    get: &GetCluster,
    reporter: &Reporter,
) -> Result<(), Failure> {
    if get.kubeconfig {
        return tell_kubeconfigs(services, &user.email, &get.selection, reporter).await;
    }
    let view = services.live.view(&user.email).await?;
    let rows = match &get.selection {
        Selection::Named(references) if !is_of_mirror(services, user, get) => chosen(&view.cluster_rows(), references)?,
        _ => view.cluster_rows(),
    };
    tell(reporter, &view, Payload::Clusters(rows));
    Ok(())
}

/// Tells the kubeconfigs of clusters, each in a message of its own.
pub(super) async fn tell_kubeconfigs(
    services: &Services,
    user: &str,
    selection: &Selection<ClusterReference>,
    reporter: &Reporter,
) -> Result<(), Failure> {
    for cluster in &services.select(user, selection).await? {
        let kubeconfig = kubeconfig(services, cluster).await?;
        reporter.rows(Payload::Output(vec![Output::Kubeconfig { kubeconfig }]));
    }
    Ok(())
}

/// Whether all that is told in a mirror is followed.
fn is_of_mirror(services: &Services, user: &User, get: &GetCluster) -> bool {
    let Selection::Named(references) = &get.selection else { return false };
    get.watch && name_a_mirror(services, user, references.iter().map(ClusterReference::as_str))
}

/// The rows that are meant; a name counts before an id that begins alike.
fn chosen(rows: &[Cluster], references: &[ClusterReference]) -> Result<Vec<Cluster>, Failure> {
    let mut chosen: Vec<Cluster> = Vec::new();
    for reference in references {
        let exact = rows.iter().find(|row| row.name == reference.as_str());
        let found = exact.or_else(|| rows.iter().find(|row| reference.matches(&row.name, &row.id)));
        let found = found.ok_or_else(|| no_cluster(reference, rows.iter().map(|row| row.name.as_str())))?;
        if !chosen.contains(found) {
            chosen.push(found.clone());
        }
    }
    Ok(chosen)
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
