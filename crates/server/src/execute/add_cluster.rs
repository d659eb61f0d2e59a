//! `add cluster`: all that can be refused is refused before anything is made, then every cluster is made at once.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use qbo_api::command::AddCluster;
use qbo_api::message::Code;
use qbo_api::model::State;
use qbo_api::name::ClusterName;
use qbo_api::settings::{IpFamily, Wait};
use qbo_api::wanted::Wanted;
use qbo_bootstrap::Blueprint;
use uuid::Uuid;

use super::add_image::ensure;
use super::{Services, settle, together};
use crate::cluster::{Identity, find, find_all};
use crate::driver::engine::{EngineInfo, LocalImage};
use crate::error::Failure;
use crate::operations::{Business, Claim, Returnable, Running};
use crate::provision::{Context, Wishes, create};
use crate::registries::bring;
use crate::report::Reporter;

/// Networks that every Docker has.
const DOCKER_NETWORKS: [&str; 4] = ["bridge", "default", "host", "none"];

/// How long who follows a new cluster may take to see what its command has seen.
const SEEN_LIMIT: Duration = Duration::from_secs(3);

/// Free space under Docker's root directory without which no cluster is begun.
const FREE_SPACE: u64 = 1 << 30;

pub(super) async fn run(
    services: &Services,
    user: &str,
    add: &AddCluster,
    reporter: &Reporter,
    running: &Running,
) -> Result<(), Failure> {
    let wanted = add.wanted()?;
    if let Some(limit) = wanted.settings.timeout {
        running.expire_after(limit);
    }
    let outcome = add_all(services, user, add, &wanted, reporter, running).await;
    outcome.map_err(|failure| running.expiry().explain(failure))
}

async fn add_all(
    services: &Services,
    user: &str,
    add: &AddCluster,
    wanted: &Wanted,
    reporter: &Reporter,
    running: &Running,
) -> Result<(), Failure> {
    let mut claimed = Vec::new();
    for name in &add.names {
        let identity = Identity { user: user.into(), name: name.to_string(), id: Uuid::new_v4() };
        let business = Business { id: Some(identity.id), ..State::Creating.into() };
        let claim = services.operations.claim((user, name.as_str()), business, reporter.command_line())?;
        claimed.push((identity, claim));
    }
    refuse_taken_names(services, user, &add.names).await?;
    let info = services.engine.info().await?;
    refuse_full_disk(&info)?;
    if wanted.settings.family() != IpFamily::Ipv4
        && let Some(why) = services.engine.refuses_ipv6().await
    {
        let cure = "turn it on (sysctl net.ipv6.conf.all.disable_ipv6=0), or write --ip-family ipv4";
        return Err(Failure::new(Code::UNPROCESSABLE, format!("clusters with IPv6 are not possible: {why}"), cure));
    }
    let image = match &wanted.image {
        Some(image) => image.clone(),
        None => services.images.default_image().await?,
    };
    let local = ensure(services, &image, reporter, running).await?;
    let name = image.engine_name();
    let kubernetes = services.images.kubernetes(&name, &local).await?;
    let mut wishes = Wishes::new(wanted, name, kubernetes, info.host)?;
    let blueprint = prepare(services, &wishes, &local, reporter, running).await?;
    wishes.containerd.clone_from(&blueprint.containerd);
    // What is complete stays. Whoever cancels while the last one becomes so comes too late as well.
    let unmade = Returnable::new(claimed.len(), running);
    let made = claimed.into_iter().map(|(identity, claim)| {
        make(services, identity, (wishes.clone(), Arc::clone(&blueprint)), reporter, (running, &unmade), claim)
    });
    together(join_all(made).await)
}

/// What the image contributes, drawn where no cluster was made from it yet.
async fn prepare(
    services: &Services,
    wishes: &Wishes,
    image: &LocalImage,
    reporter: &Reporter,
    running: &Running,
) -> Result<Arc<Blueprint>, Failure> {
    let step = reporter.step(&wishes.image, "", "manifests of the image", "docker POST /containers/exec");
    match services.images.blueprint(wishes, image, running.token()).await {
        Ok(blueprint) => {
            step.done();
            Ok(blueprint)
        }
        Err(failure) => {
            step.failed(&failure.problem);
            Err(failure)
        }
    }
}

async fn make(
    services: &Services,
    identity: Identity,
    (wishes, blueprint): (Wishes, Arc<Blueprint>),
    reporter: &Reporter,
    (running, unmade): (&Running, &Returnable<'_>),
    claim: Claim,
) -> (String, Result<(), Failure>) {
    let (name, wait) = (identity.name.clone(), wishes.wait);
    let context = Context {
        identity: identity.clone(),
        wishes,
        blueprint,
        engine: Arc::clone(&services.engine),
        kubernetes: Arc::clone(&services.kubernetes),
        addresses: Arc::clone(&services.addresses),
        balancer: services.balancer.clone(),
        kubeconfigs: services.kubeconfigs.clone(),
        reporter: reporter.clone(),
        token: running.token().clone(),
        registries: Arc::clone(&services.registries),
        expiry: running.expiry().clone(),
        left_overs: Arc::clone(&services.left_overs),
        live: Arc::clone(&services.live),
    };
    let revision = services.registries.revision();
    let outcome = create(&context).await;
    unmade.pass();
    settle(services).await;
    if outcome.is_ok() {
        catch_up(services, &identity, revision).await;
        drop(claim);
        tell(services, &identity, wait, reporter).await;
    } else {
        drop(claim);
        services.left_overs.ring();
    }
    (name, outcome)
}

/// Tells nodes of registries that were added since their plan was made.
pub(super) async fn catch_up(services: &Services, identity: &Identity, revision: u64) {
    if services.registries.revision() == revision {
        return;
    }
    let caught_up = async {
        let Some(cluster) = find(&*services.engine, identity).await? else { return Ok(()) };
        bring(services, &cluster).await?.into_iter().try_for_each(|(_, outcome)| outcome)
    };
    let caught_up: Result<(), Failure> = caught_up.await;
    if let Err(failure) = caught_up {
        tracing::warn!(%failure, cluster = identity.name, "its nodes may not know a registry that was just added");
    }
}

/// Tells of a cluster that is complete, as it is. What its command has waited for may be seen a moment later by who follows the cluster.
async fn tell(services: &Services, identity: &Identity, wait: Wait, reporter: &Reporter) {
    let is_seen = || {
        let nodes = services.live.glance(&identity.user).nodes();
        let mut own = nodes.iter().filter(|node| node.cluster_id == identity.id.to_string());
        own.all(|node| node.state == State::Ready).then_some(())
    };
    if wait != Wait::None
        && let Err(failure) = services.live.wait("nodes to be seen Ready", SEEN_LIMIT, is_seen).await
    {
        tracing::debug!(%failure, cluster = identity.name, "it is told as it seems");
    }
    services.tell_cluster(identity, reporter);
    services.tell_nodes(identity, reporter, |_| true);
    reporter.line(format!("kubeconfig: {}", services.kubeconfigs.path(&identity.name).display()));
}

/// A name may be taken by a cluster of this user, or by a network that qbo did not make.
async fn refuse_taken_names(services: &Services, user: &str, names: &[ClusterName]) -> Result<(), Failure> {
    let (clusters, networks) = tokio::try_join!(find_all(&*services.engine), services.engine.networks())?;
    for name in names.iter().map(ClusterName::as_str) {
        if clusters.iter().any(|cluster| cluster.identity.user == user && cluster.identity.name == name) {
            let cure = format!("take another name, or remove it first: qbo delete cluster {name}");
            return Err(Failure::new(Code::CONFLICT, format!("there is a cluster '{name}' already"), cure));
        }
        if DOCKER_NETWORKS.contains(&name) {
            let problem = format!("'{name}' is a network of Docker's own, and a cluster's network bears its name");
            return Err(Failure::new(Code::CONFLICT, problem, "take another name"));
        }
        if networks.iter().any(|network| network.name == name) {
            let problem = format!(
                "there is a Docker network '{name}' that is not this user's, and a cluster's network bears its name"
            );
            let cure = format!("take another name, or remove it: docker network rm {name}");
            return Err(Failure::new(Code::CONFLICT, problem, cure));
        }
    }
    Ok(())
}

fn refuse_full_disk(info: &EngineInfo) -> Result<(), Failure> {
    let root = &info.root_directory;
    let free = qbo_host::free_space(std::path::Path::new(root));
    match free {
        // An error: the engine's directory is not of this host.
        Ok(free) if free < FREE_SPACE => Err(Failure::new(
            Code::NO_ROOM,
            format!("{root} has {} MiB free; a cluster needs at least {} MiB", free >> 20, FREE_SPACE >> 20),
            "free space there: docker system df, docker system prune",
        )),
        _ => Ok(()),
    }
}
