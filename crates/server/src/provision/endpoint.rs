//! A balancer was put in front of a cluster that lives: whoever used the only control plane there was uses the balancer
//! from now on, so that the cluster outlives the loss of any control plane, the first one included.

use std::time::Duration;

use futures_util::future::join_all;
use jiff::Timestamp;
use qbo_api::components::ProxyMode;
use qbo_api::message::Code;
use qbo_api::model::State;
use qbo_bootstrap::{
    ClusterPlan, Endpoint, Role, control_plane_objects, endpoint_files, endpoint_objects, tar, user_kubeconfig,
};
use serde_json::{Value, json};

use super::context::API_SERVER_PORT;
use super::finish::{Mark, USER_KUBECONFIG_PATH, kubeconfig_file};
use super::grow::Grow;
use super::join::Join;
use super::living::planned;
use super::{internal, join};
use crate::cluster::{FoundNode, find};
use crate::driver::engine::{Engine, Executed};
use crate::error::Failure;
use crate::kubeadm;

/// How long the API server may take to learn of it, and a kubelet to start anew.
const OBJECTS_LIMIT: Duration = Duration::from_secs(30);
const KUBELET_LIMIT: Duration = Duration::from_mins(1);

/// Has a kubelet read its kubeconfig anew. Pods run on meanwhile: its Node tells what room it has. (One whose Node has no status
/// yet would take its own static pods for too large, and end them.)
const RESTART_KUBELET: [&str; 3] = ["systemctl", "restart", "kubelet"];

/// Tells everybody who is not told yet; returns the kubeconfig for people. It is told last, and so tells that all was done.
pub(super) async fn tell(context: &Grow<'_>) -> Result<String, Failure> {
    let Join { engine, plan, pki, identity, live, .. } = context.join;
    join::checkpoint(&context.join)?;
    if let Some(kubeconfig) = told(context).await? {
        apply(context, &control_plane_objects(plan)).await?;
        return Ok(kubeconfig);
    }
    let step = context.step("", "balancer told of", "kubernetes PATCH");
    let told = async {
        // From here on the balancer is somebody's.
        if let Some(balancer) = find(engine, identity).await?.and_then(|found| found.balancer) {
            Mark::Ready.write(engine, &balancer.container.id).await?;
        }
        apply(context, &endpoint_objects(plan, pki)).await?;
        apply(context, &addons(context)?).await?;
        let nodes = join_all(context.found.nodes.iter().map(|node| tell_node(context, node))).await;
        nodes.into_iter().collect::<Result<Vec<()>, Failure>>()?;
        run_old_addons(context).await?;
        let kubeconfig = user_kubeconfig(plan, pki);
        context.kubeconfigs.write(&identity.name, kubeconfig.clone()).await?;
        live.follow(identity, context.kubernetes.connect(&kubeconfig).await?);
        for node in context.found.control_planes() {
            engine.put_archive(&node.container.id, tar(&[kubeconfig_file(kubeconfig.clone())])).await?;
        }
        Ok(kubeconfig)
    };
    step.conclude(told.await)
}

/// The kubeconfig for people, where it is one that names the balancer.
async fn told(context: &Grow<'_>) -> Result<Option<String>, Failure> {
    let address = context.join.plan.balancer_address.to_string();
    let Some(first) = context.found.control_plane() else { return Ok(None) };
    let kubeconfig = context.join.engine.read_file(&first.container.id, USER_KUBECONFIG_PATH).await?;
    let kubeconfig = kubeconfig.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    Ok(kubeconfig.filter(|text| text.contains(&format!("//{address}:"))))
}

/// The plan as it was, with the only control plane in place of the balancer.
fn before(context: &Grow<'_>) -> ClusterPlan {
    let mut plan = context.join.plan.clone();
    plan.nodes.truncate(context.found.nodes.len());
    let first = plan.nodes.iter().find(|node| node.role == Role::ControlPlane).unwrap_or(&plan.nodes[0]);
    plan.endpoint = Endpoint { host: first.address.to_string(), port: API_SERVER_PORT };
    plan
}

/// What of the image's objects names the API server: whatever else somebody made of them stays.
fn addons(context: &Grow<'_>) -> Result<Vec<Value>, Failure> {
    let objects = |plan: &ClusterPlan| context.blueprint.objects(plan).map_err(|error| internal(&error));
    let (before, mut now) = (objects(&before(context))?, objects(context.join.plan)?);
    now.retain(|object| !before.contains(object));
    let has_proxy = context.join.plan.options.components.proxy_mode != ProxyMode::None;
    if context.blueprint.addons.is_none() && has_proxy {
        now.push(restarted_proxy(context.join.plan));
    }
    Ok(now)
}

/// Has kube-proxy's pods replaced where the image's kubeadm writes its configuration itself.
fn restarted_proxy(plan: &ClusterPlan) -> Value {
    let annotations = json!({"qbo.io/api-server": format!("{}:{API_SERVER_PORT}", plan.balancer_address)});
    json!({
        "apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"name": "kube-proxy", "namespace": "kube-system"},
        "spec": {"template": {"metadata": {"annotations": annotations}}},
    })
}

async fn run_old_addons(context: &Grow<'_>) -> Result<(), Failure> {
    let Some(first) = context.found.control_planes().find(|node| node.container.running) else { return Ok(()) };
    if context.blueprint.addons.is_none() {
        let apply = kubeadm::apply_addons(context.join.plan.options.components.proxy_mode);
        kubeadm::run(context.join.engine, &first.container.id, apply).await?;
    }
    Ok(())
}

async fn apply(context: &Grow<'_>, objects: &[Value]) -> Result<(), Failure> {
    let applied = tokio::time::timeout(OBJECTS_LIMIT, join::introduce(&*context.join.api_server, objects)).await;
    applied.map_err(|_| {
        let problem = format!("waited {} s in vain for the API server to learn of a balancer", OBJECTS_LIMIT.as_secs());
        Failure::new(Code::TIMEOUT, problem, format!("see how it is: qbo get nodes {}", context.join.identity.name))
    })??;
    Ok(())
}

/// One that is stopped reads its files when it starts; one that is Ready is so again, by way of the balancer.
async fn tell_node(context: &Grow<'_>, node: &FoundNode) -> Result<(), Failure> {
    let Join { engine, plan, pki, identity, live, .. } = context.join;
    engine.put_archive(&node.container.id, tar(&endpoint_files(plan, pki, &planned(node, context.network)?))).await?;
    if node.role == Role::ControlPlane || !node.container.running {
        return Ok(());
    }
    let name = &node.container.name;
    let is_ready = || live.node_state(identity.id, name) == Some(State::Ready);
    let (was_ready, since) = (is_ready(), Timestamp::now().as_second());
    restart_kubelet(engine, node).await?;
    if !was_ready {
        return Ok(());
    }
    let is_back = || live.node_heard(identity.id, name).filter(|heard| *heard > since && is_ready()).map(drop);
    let what = format!("the kubelet of '{name}' to use the balancer");
    let back = live.wait(&what, KUBELET_LIMIT, is_back);
    context.join.token.run_until_cancelled(back).await.unwrap_or_else(|| Err(Failure::cancelled()))
}

async fn restart_kubelet(engine: &dyn Engine, node: &FoundNode) -> Result<(), Failure> {
    let name = &node.container.name;
    let cure = format!("look at: docker exec {name} journalctl -u kubelet");
    let restarted = tokio::time::timeout(KUBELET_LIMIT, engine.execute(&node.container.id, &RESTART_KUBELET)).await;
    let late = |_| {
        let problem = format!("waited {} s in vain for the kubelet of '{name}' to restart", KUBELET_LIMIT.as_secs());
        Failure::new(Code::TIMEOUT, problem, cure.clone())
    };
    let Executed { code, output, errors } = restarted.map_err(late)??;
    if code == 0 {
        return Ok(());
    }
    let problem = format!("the kubelet of '{name}' does not restart: {}{}", output.trim(), errors.trim());
    Err(Failure::new(Code::BAD_GATEWAY, problem, cure))
}
