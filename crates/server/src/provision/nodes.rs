//! The nodes: for each a container with all it needs in it, started. The control plane's container is made first,
//! since it bears the cluster's mark: what has workers but no control plane was not left by qbo.

use futures_util::future::join_all;
use qbo_api::message::Payload;
use qbo_api::model::{Node, State};
use qbo_bootstrap::{ClusterPlan, EtcdMembers, NodeFile, NodePlan, Role, files, tar};

use super::balancer::{self, NewBalancer};
use super::context::{Context, Made};
use super::internal;
use super::proxy;
use crate::driver::engine::{Extras, NewContainer};
use crate::error::Failure;

pub(super) async fn start(context: &Context, made: &mut Made) -> Result<(), Failure> {
    let plan = made.plan.clone().expect("the plan is made in the first step");
    let (control_planes, workers): (Vec<&NodePlan>, Vec<&NodePlan>) =
        plan.nodes.iter().partition(|node| node.role == Role::ControlPlane);
    for node in &control_planes {
        made.control_planes.push(create(context, &plan, node).await?);
    }
    let made = &*made;
    let worker = async |node: &&NodePlan| {
        let container = create(context, &plan, node).await?;
        fill_and_start(context, made, node, &container).await
    };
    let filled = control_planes.iter().zip(&made.control_planes);
    let filled = filled.map(|(node, container)| fill_and_start(context, made, node, container));
    // All are awaited even where one fails: a call to the engine that is dropped half-way is carried out all the same.
    let (balanced, control_planes, workers) =
        tokio::join!(balance(context, &plan), join_all(filled), join_all(workers.iter().map(worker)),);
    std::iter::once(balanced).chain(control_planes).chain(workers).collect()
}

/// What stands in front of several API servers.
async fn balance(context: &Context, plan: &ClusterPlan) -> Result<(), Failure> {
    if !plan.is_balanced() {
        return Ok(());
    }
    context.checkpoint()?;
    let (identity, wishes) = (&context.identity, &context.wishes);
    let step = context.reporter.step(&identity.name, "", "balancer", "docker POST /containers/create");
    let new = NewBalancer { program: &context.balancer, identity, plan, image: &wishes.image, joins: false };
    let control_planes = plan.nodes.iter().filter(|node| node.role == Role::ControlPlane).map(|node| node.address);
    match balancer::start(&*context.engine, &new, &control_planes.collect::<Vec<_>>()).await {
        Ok(()) => {
            step.done();
            Ok(())
        }
        Err(failure) => {
            step.failed(&failure.problem);
            Err(failure)
        }
    }
}

async fn create(context: &Context, plan: &ClusterPlan, node: &NodePlan) -> Result<String, Failure> {
    context.checkpoint()?;
    let mut members = plan.nodes.iter().zip(&context.wishes.members);
    let member = members.find(|(planned, _)| planned.name == node.name).map(|(_, member)| member);
    let extras = member.map(|member| member.extras.clone()).unwrap_or_default();
    let container = NewContainer {
        name: node.name.clone(),
        image: context.wishes.image.clone(),
        network: context.identity.name.clone(),
        address: node.address,
        labels: context.identity.node_labels(node, &context.wishes.domain),
        environment: node_environment(plan, node),
        extras: Extras { address_v6: node.address_v6, ..extras },
    };
    Ok(context.engine.create_container(&container).await?)
}

/// What a node, and whoever enters it, finds in its environment.
pub(super) fn node_environment(plan: &ClusterPlan, node: &NodePlan) -> Vec<String> {
    let mut environment = proxy::environment(plan, node, |name| std::env::var(name).ok());
    if node.role == Role::ControlPlane {
        environment.push("KUBECONFIG=/etc/kubernetes/admin.conf".to_owned());
    }
    environment
}

/// The static pods of a control plane.
pub(super) fn static_pods(context: &Context, made: &Made, node: &NodePlan) -> Result<Vec<NodeFile>, Failure> {
    let pods = context.blueprint.static_pods(made.plan(), node, &EtcdMembers::Founding);
    pods.map_err(|error| internal(&error))
}

/// Whether a file is the scheduler's, which gets into a node only once the API server answers: one that comes before it
/// finds nobody, and looks again after seconds only (client-go's reflector backs off from 0.8 s on).
pub(super) fn is_scheduler(file: &NodeFile) -> bool {
    file.path.ends_with("/kube-scheduler.yaml")
}

async fn fill_and_start(context: &Context, made: &Made, node: &NodePlan, container: &str) -> Result<(), Failure> {
    context.checkpoint()?;
    let running =
        context.reporter.step(&context.identity.name, &node.name, "container", "docker POST /containers/start");
    let mut contents = files(made.plan(), made.pki(), node);
    if node.role == Role::ControlPlane {
        contents.extend(static_pods(context, made, node)?.into_iter().filter(|pod| !is_scheduler(pod)));
    }
    let archive = tar(&contents);
    let outcome = async {
        context.engine.put_archive(container, archive).await?;
        context.checkpoint()?;
        context.engine.start_container(container).await?;
        Ok::<(), Failure>(())
    };
    match outcome.await {
        Ok(()) => running.done(),
        Err(failure) => {
            running.failed(&failure.problem);
            return Err(failure);
        }
    }
    context.reporter.rows(Payload::Nodes(vec![row(context, node, container, State::Creating)]));
    Ok(())
}

/// The node as messages tell it while it is made.
fn row(context: &Context, node: &NodePlan, container: &str, state: State) -> Node {
    Node {
        name: node.name.clone(),
        id: container.into(),
        image: context.wishes.image.clone(),
        cluster: context.identity.name.clone(),
        state,
        address: node.address.to_string(),
        os: String::new(),
        kernel: String::new(),
        user: context.identity.user.clone(),
        cluster_id: context.identity.id.to_string(),
    }
}
