//! `add node`: all of the named clusters exist, are free and run, or nothing is made.

use std::collections::HashSet;
use std::sync::Arc;

use futures_util::future::join_all;
use qbo_api::command::{AddNode, ControlPlaneCount, NodeCount, Selection};
use qbo_api::message::Code;
use qbo_api::model::State;
use qbo_bootstrap::{NodePlan, Role};

use super::add_cluster::catch_up;
use super::{Services, settle, together};
use crate::cluster::Found;
use crate::driver::kubernetes::ApiServer;
use crate::error::Failure;
use crate::operations::{Business, Claim, Running};
use crate::provision::grow::{Grow, grow, remark};
use crate::provision::join::{Join, join};
use crate::provision::living::Living;
use crate::report::Reporter;

pub(super) async fn run(
    services: &Services,
    user: &str,
    add: &AddNode,
    reporter: &Reporter,
    running: &Running,
) -> Result<(), Failure> {
    let clusters = services.select(user, &Selection::Named(add.clusters.clone())).await?;
    let mut ready = Vec::new();
    for cluster in clusters {
        let name = &cluster.identity.name;
        let claim = services.operations.claim((user, name), Business::default(), reporter.command_line())?;
        let cluster = services.again(&cluster).await?;
        let api_server = services.living(&cluster).await?;
        refuse_too_many(&cluster, add)?;
        ready.push((cluster, api_server, claim));
    }
    let added = ready.into_iter().map(async |(cluster, api_server, claim)| {
        let outcome = add_to(services, &cluster, api_server, add, (reporter, running, &claim)).await;
        settle(services).await;
        drop(claim);
        services.left_overs.ring();
        let told = outcome.map(|new| services.tell_nodes(&cluster.identity, reporter, |name| new.contains(name)));
        (cluster.identity.name, told)
    });
    together(join_all(added).await)
}

/// Returns the names of the new nodes.
async fn add_to(
    services: &Services,
    cluster: &Found,
    api_server: Arc<dyn ApiServer>,
    add: &AddNode,
    (reporter, running, claim): (&Reporter, &Running, &Claim),
) -> Result<HashSet<String>, Failure> {
    let living = Living::of(cluster)?;
    let image = &living.control_plane().container.image;
    let local = services.engine.image(image).await?.ok_or_else(|| {
        let problem = format!("the image {image} of cluster '{}' is not here any more", cluster.identity.name);
        Failure::new(Code::CONFLICT, problem, format!("bring it back: qbo add image {image}"))
    })?;
    let kubernetes = services.images.kubernetes(image, &local).await?;
    let more = usize::from(add.nodes.get());
    let role = if add.control_plane { Role::ControlPlane } else { Role::Worker };
    let revision = services.registries.revision();
    let (options, extras) = living.newcomer(role, services.engine.info().await?.host)?;
    let mut plan = living.plan(kubernetes.clone(), role, more, &options)?;
    plan.options.containerd = living.containerd(&*services.engine).await?;
    services.registries.plan(&cluster.identity.user, living.network().v4, &mut plan).await?;
    let pki = living.pki(&*services.engine, &plan, more).await?;
    let new: &[NodePlan] = &plan.nodes[plan.nodes.len() - more..];
    let nodes = new.iter().map(|node| (node.name.clone(), State::Creating)).collect();
    claim.becomes(Business { nodes, ..Business::default() });
    let context = Join {
        identity: &cluster.identity,
        plan: &plan,
        pki: &pki,
        image,
        domain: &living.domain(),
        extras: &extras,
        engine: &*services.engine,
        api_server,
        live: &services.live,
        reporter,
        token: running.token(),
    };
    match role {
        Role::Worker => join(&context, new).await?,
        Role::ControlPlane => {
            let wishes = living.wishes(kubernetes);
            let context = Grow {
                join: context,
                found: cluster,
                network: living.network(),
                blueprint: &*services.images.blueprint(&wishes, &local, running.token()).await?,
                kubernetes: &*services.kubernetes,
                kubeconfigs: &services.kubeconfigs,
                balancer: &services.balancer,
            };
            grow(&context, new).await?;
            if cluster.balancer.is_none() {
                let name = &cluster.identity.name;
                reporter.line(format!(
                    "it has a new address: who merged its kubeconfig does so again: qbo export kubeconfig {name}"
                ));
            }
            if let Some(remark) = remark(&plan) {
                reporter.line(remark);
            }
        }
    }
    catch_up(services, &cluster.identity, revision).await;
    Ok(new.iter().map(|node| node.name.clone()).collect())
}

fn refuse_too_many(cluster: &Found, add: &AddNode) -> Result<(), Failure> {
    let name = &cluster.identity.name;
    let more = usize::from(add.nodes.get());
    let refuse = |what: &str, now: usize, limit: u16| {
        let limit = usize::from(limit);
        if now + more <= limit {
            return Ok(());
        }
        let problem = format!("cluster '{name}' has {now} {what}, and may have {limit}");
        Err(Failure::new(Code::UNPROCESSABLE, problem, format!("add at most {}", limit.saturating_sub(now))))
    };
    if add.control_plane {
        refuse("control planes", cluster.control_planes().count(), ControlPlaneCount::LIMIT)?;
    }
    refuse("nodes", cluster.nodes.len(), NodeCount::LIMIT)
}
