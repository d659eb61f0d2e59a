//! From started containers to a working cluster: static pods, objects, readiness.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use qbo_api::message::Code;
use qbo_api::settings::Wait;
use qbo_bootstrap::{Role, bootstrap_kubeconfig, cluster_objects, tar};

use serde_json::Value;

use super::context::{Context, Made};
use super::{internal, nodes};
use crate::error::Failure;
use crate::kubeadm;

const API_SERVER_LIMIT: Duration = Duration::from_mins(5);
const OBJECTS_LIMIT: Duration = Duration::from_mins(2);
const READY_LIMIT: Duration = Duration::from_mins(5);
const DNS_LIMIT: Duration = Duration::from_mins(5);

/// Waits until the API server answers.
pub(super) async fn start(context: &Context, made: &mut Made) -> Result<(), Failure> {
    let kubeconfig = bootstrap_kubeconfig(made.plan(), made.pki());
    let api_server = context.kubernetes.connect(&kubeconfig).await?;
    context.wait("the API server to answer", API_SERVER_LIMIT, api_server.await_answer()).await?;
    // From here on everybody sees what happens in it.
    context.live.follow(&context.identity, Arc::clone(&api_server));
    made.api_server = Some(api_server);
    Ok(())
}

/// Applies what belongs into every cluster.
pub(super) async fn apply(context: &Context, made: &mut Made) -> Result<(), Failure> {
    let api_server = made.api_server();
    let addons = context.blueprint.objects(made.plan()).map_err(|error| internal(&error))?;
    let waits = context.wishes.wait == Wait::Dns;
    let addons: Vec<Value> = addons.into_iter().filter(|object| !waits || !is_late(object)).collect();
    let apply = async {
        api_server.apply(&cluster_objects(made.plan(), made.pki())).await?;
        api_server.apply(&addons).await
    };
    let apply = context.wait("the cluster's objects to be applied", OBJECTS_LIMIT, apply);
    let (scheduled, applied) = tokio::join!(schedule(context, made), apply);
    scheduled?;
    applied??;
    let roles = context.wait("the API server to make its roles", OBJECTS_LIMIT, api_server.await_roles());
    roles.await?;
    if context.blueprint.addons.is_none() {
        let apply = kubeadm::apply_addons(made.plan().options.components.proxy_mode);
        let applied = kubeadm::run(&*context.engine, made.control_plane(), apply);
        context.wait("kubeadm to apply the addons", OBJECTS_LIMIT, applied).await??;
    }
    Ok(())
}

/// Gives each control plane its scheduler, which has somebody to ask from now on.
async fn schedule(context: &Context, made: &Made) -> Result<(), Failure> {
    let control_planes = made.plan().nodes.iter().filter(|node| node.role == Role::ControlPlane);
    let given = control_planes.zip(&made.control_planes).map(async |(node, container)| {
        context.checkpoint()?;
        let mut pods = nodes::static_pods(context, made, node)?;
        pods.retain(nodes::is_scheduler);
        Ok::<_, Failure>(context.engine.put_archive(container, tar(&pods)).await?)
    });
    join_all(given).await.into_iter().collect()
}

/// Waits until all nodes are Ready.
pub(super) async fn await_ready(context: &Context, made: &mut Made) -> Result<(), Failure> {
    let names: BTreeSet<String> = made.plan().nodes.iter().map(|node| node.name.clone()).collect();
    let running = std::sync::Mutex::new(Vec::new());
    for name in &names {
        let step = context.reporter.step(&context.identity.name, name, "ready", "kubernetes WATCH nodes");
        running.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push((name.clone(), step));
    }
    let ready = |name: &str| {
        let mut running = running.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(index) = running.iter().position(|(node, _)| node == name) {
            running.swap_remove(index).1.done();
        }
    };
    let waited =
        context.wait("all nodes to be Ready", READY_LIMIT, made.api_server().await_nodes(&names, &ready)).await;
    let missing = running.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    waited.map_err(|failure| {
        if failure.code != Code::TIMEOUT {
            return failure;
        }
        let names: Vec<&str> = missing.iter().map(|(name, _)| name.as_str()).collect();
        Failure { problem: format!("{} (not Ready: {})", failure.problem, names.join(", ")), ..failure }
    })
}

/// Waits until cluster DNS is available: a cluster without it is of no use yet. Then comes what can wait for it.
pub(super) async fn await_dns(context: &Context, made: &mut Made) -> Result<(), Failure> {
    let api_server = made.api_server();
    let available = api_server.await_deployment("kube-system", "coredns");
    context.wait("cluster DNS to be available", DNS_LIMIT, available).await?;
    let addons = context.blueprint.objects(made.plan()).map_err(|error| internal(&error))?;
    let late: Vec<Value> = addons.into_iter().filter(is_late).collect();
    Ok(context.wait("the cluster's last objects to be applied", OBJECTS_LIMIT, api_server.apply(&late)).await??)
}

/// Whether something is to come when the cluster works: the provisioner of volumes would only fail, again and again, until
/// there are Services and DNS, and take the time of those that it waits for.
fn is_late(object: &Value) -> bool {
    object["kind"] == "Deployment" && object["metadata"]["namespace"] != "kube-system"
}
