//! `get cluster`

use qbo_api::command::{GetCluster, Selection};
use qbo_api::message::{Code, Output, Payload};
use qbo_api::model::Cluster;
use qbo_api::name::ClusterReference;

use super::Services;
use super::get::{name_a_mirror, tell};
use crate::access::User;
use crate::cluster::{Found, meant};
use crate::error::Failure;
use crate::provision::{Mark, USER_KUBECONFIG_PATH, cluster_mark};
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

/// The rows that are meant, each once.
fn chosen(rows: &[Cluster], references: &[ClusterReference]) -> Result<Vec<Cluster>, Failure> {
    let mut chosen: Vec<Cluster> = Vec::new();
    for reference in references {
        let found = meant(rows.iter(), reference, |row| (&row.name, row.id.clone()))?;
        if !chosen.contains(found) {
            chosen.push(found.clone());
        }
    }
    Ok(chosen)
}

/// A cluster's kubeconfig, as its control plane keeps it.
async fn kubeconfig(services: &Services, cluster: &Found) -> Result<String, Failure> {
    let file = match cluster.control_plane() {
        Some(node) => services.engine.read_file(&node.container.id, USER_KUBECONFIG_PATH).await?,
        None => None,
    };
    match file {
        Some(file) => Ok(String::from_utf8_lossy(&file).into_owned()),
        None => Err(without_kubeconfig(services, cluster).await?),
    }
}

/// Why a cluster has no kubeconfig: it is written last, so one that failed before has that of kubeadm alone, which is of use for looking.
async fn without_kubeconfig(services: &Services, cluster: &Found) -> Result<Failure, Failure> {
    let name = &cluster.identity.name;
    let mark = cluster_mark(&*services.engine, cluster).await?;
    let (problem, cure) = match cluster.control_plane() {
        Some(node) if mark == Some(Mark::Retained) => (
            format!("cluster '{name}' has no kubeconfig: it failed while it was made"),
            format!(
                "kubeadm's own, if it came that far: docker exec {} cat /etc/kubernetes/admin.conf",
                node.container.name
            ),
        ),
        _ => (format!("cluster '{name}' has no kubeconfig yet"), "wait until it is ready".to_owned()),
    };
    Ok(Failure::new(Code::CONFLICT, problem, cure))
}

#[cfg(test)]
mod tests {
    use qbo_api::model::State;
    use uuid::Uuid;

    use super::*;
    use crate::cluster::Identity;

    #[test]
    fn the_beginning_of_several_ids_names_none_of_them() {
        let row = |name: &str, id| {
            let identity = Identity { user: "alex".into(), name: name.into(), id: Uuid::from_u128(id) };
            Found::new(identity).row(State::Ready)
        };
        let rows = [row("left", (0x89ab_cdef << 96) + 1), row("right", (0x89ab_cdef << 96) + 2), row("89abcdef-1", 3)];
        let names = |reference: &str| {
            let chosen = chosen(&rows, &[reference.parse().unwrap()]).map_err(|failure| failure.line())?;
            Ok::<_, String>(chosen.into_iter().map(|row| row.name).collect::<Vec<_>>())
        };
        let ambiguous = "cluster '89abcdef' may be any of: left, right; write the name, or more of the id";
        assert_eq!(names("89abcdef").unwrap_err(), ambiguous);
        assert_eq!(names("89abcdef-0000-0000-0000-000000000002").unwrap(), ["right"]);
        assert_eq!(names("89abcdef-1").unwrap(), ["89abcdef-1"]);
    }
}
