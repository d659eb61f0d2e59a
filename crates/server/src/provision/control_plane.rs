//! From started containers to a working cluster: static pods, objects, readiness.

use std::collections::BTreeSet;
use std::time::Duration;

use qbo_api::message::Code;
use qbo_bootstrap::{bootstrap_kubeconfig, cluster_objects};

use super::context::{Context, Made};
use super::internal;
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
    made.api_server = Some(api_server);
    Ok(())
}

/// Applies what belongs into every cluster.
pub(super) async fn apply(context: &Context, made: &mut Made) -> Result<(), Failure> {
    let api_server = made.api_server();
    let addons = context.blueprint.objects(made.plan()).map_err(|error| internal(&error))?;
    let apply = async {
        api_server.apply(&cluster_objects(made.plan(), made.pki())).await?;
        api_server.apply(&addons).await
    };
    context.wait("the cluster's objects to be applied", OBJECTS_LIMIT, apply).await??;
    if context.blueprint.addons.is_none() {
        let applied = kubeadm::run(&*context.engine, made.control_plane(), kubeadm::APPLY_ADDONS);
        context.wait("kubeadm to apply the addons", OBJECTS_LIMIT, applied).await??;
    }
    Ok(())
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
        if failure.code == Code::CANCELLED {
            return failure;
        }
        let names: Vec<&str> = missing.iter().map(|(name, _)| name.as_str()).collect();
        Failure { problem: format!("{} (not Ready: {})", failure.problem, names.join(", ")), ..failure }
    })
}

/// Waits until cluster DNS is available: a cluster without it is of no use yet.
pub(super) async fn await_dns(context: &Context, made: &mut Made) -> Result<(), Failure> {
    let available = made.api_server().await_deployment("kube-system", "coredns");
    context.wait("cluster DNS to be available", DNS_LIMIT, available).await
}
