//! From started containers to a working cluster: static pods, objects, readiness.

use std::collections::BTreeSet;
use std::time::Duration;

use qbo_api::message::Code;
use qbo_bootstrap::{addons, bootstrap_kubeconfig, cluster_objects, image_manifest, prints_addons};
use serde_json::Value;

use super::context::{Context, Made};
use super::internal;
use crate::driver::engine::Executed;
use crate::error::Failure;

/// Static pods are what only the image's own kubeadm knows how to write for its version. It runs while systemd
/// boots, and is done before the kubelet starts.
const STATIC_PODS: &str = "kubeadm init phase control-plane all --config /kind/kubeadm.conf \
                           && kubeadm init phase etcd local --config /kind/kubeadm.conf";
/// kube-proxy and CoreDNS, as this kubeadm makes them.
const PRINT_ADDONS: &str = "kubeadm init phase addon kube-proxy --config /kind/kubeadm.conf --print-manifest \
                            && echo --- \
                            && kubeadm init phase addon coredns --config /kind/kubeadm.conf --print-manifest";
/// The same for a kubeadm that cannot print them.
const APPLY_ADDONS: &str = "kubeadm init phase addon all --config /kind/kubeadm.conf";

/// Manifests of a kindest/node image.
const CNI_MANIFEST: &str = "/kind/manifests/default-cni.yaml";
const STORAGE_MANIFEST: &str = "/kind/manifests/default-storage.yaml";

const API_SERVER_LIMIT: Duration = Duration::from_secs(300);
const KUBEADM_LIMIT: Duration = Duration::from_secs(120);
const OBJECTS_LIMIT: Duration = Duration::from_secs(120);
const READY_LIMIT: Duration = Duration::from_secs(300);
const DNS_LIMIT: Duration = Duration::from_secs(300);

/// Writes the static pods and waits until the API server answers.
pub(super) async fn start(context: &Context, made: &mut Made) -> Result<(), Failure> {
    let kubeconfig = bootstrap_kubeconfig(made.plan(), made.pki());
    let api_server = context.kubernetes.connect(&kubeconfig).await?;
    let container = made.control_plane().to_owned();
    let kubeadm = async {
        kubeadm(context, &container, STATIC_PODS).await?;
        if !prints_addons(&context.wishes.kubernetes) {
            return Ok(None);
        }
        kubeadm(context, &container, PRINT_ADDONS).await.map(Some)
    };
    let answer = context.wait("the API server to answer", API_SERVER_LIMIT, api_server.await_answer());
    let (addons, ()) = tokio::try_join!(kubeadm, answer)?;
    made.addons = addons;
    made.api_server = Some(api_server);
    Ok(())
}

/// Applies what belongs into every cluster.
pub(super) async fn apply(context: &Context, made: &mut Made) -> Result<(), Failure> {
    let api_server = made.api_server();
    let manifests = read_manifests(context, made).await?;
    let apply = async {
        api_server.apply(&cluster_objects(made.plan(), made.pki())).await?;
        let printed = made.addons.as_ref().map(|printed| addons(printed, made.plan())).transpose();
        let mut objects = printed.map_err(|error| internal(&error))?.unwrap_or_default();
        objects.extend(manifests);
        api_server.apply(&objects).await?;
        Ok::<(), Failure>(())
    };
    context.wait("the cluster's objects to be applied", OBJECTS_LIMIT, apply).await??;
    // A kubeadm that cannot print the addons applies them itself.
    if made.addons.is_none() {
        kubeadm(context, made.control_plane(), APPLY_ADDONS).await?;
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

/// The CNI's and the storage class's manifests out of the image.
async fn read_manifests(context: &Context, made: &Made) -> Result<Vec<Value>, Failure> {
    let mut objects = Vec::new();
    for path in [CNI_MANIFEST, STORAGE_MANIFEST] {
        let Some(manifest) = context.engine.read_file(made.control_plane(), path).await? else {
            let problem = format!("image '{}' has no {path}", context.wishes.image);
            return Err(Failure::new(Code::UNPROCESSABLE, problem, "use a kindest/node image or one built like it"));
        };
        let manifest = String::from_utf8_lossy(&manifest);
        objects.extend(image_manifest(path, &manifest, made.plan()).map_err(|error| internal(&error))?);
    }
    Ok(objects)
}

/// Runs a command of the image's kubeadm to its end and returns what it printed.
async fn kubeadm(context: &Context, container: &str, command: &str) -> Result<String, Failure> {
    let command_line = ["/bin/sh", "-c", command];
    let run = context.engine.execute(container, &command_line);
    let Executed { code, output, errors } = context.wait("kubeadm", KUBEADM_LIMIT, run).await??;
    if code == 0 {
        return Ok(output);
    }
    let said = if errors.trim().is_empty() { output } else { errors };
    let last: Vec<&str> = said.lines().rev().take(5).collect();
    let said = last.into_iter().rev().collect::<Vec<_>>().join(" / ");
    let problem = format!("the node image's '{command}' ended with {code}: {said}");
    Err(Failure::new(Code::UNPROCESSABLE, problem, "is this a node image? qbo get images lists those that are"))
}
