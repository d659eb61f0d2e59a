//! The nodes: for each a container with all it needs in it, started. The control plane's container is made first,
//! since it bears the cluster's mark: what has workers but no control plane was not left by qbo.

use futures_util::future::join_all;
use qbo_api::message::Payload;
use qbo_api::model::{Node, State};
use qbo_bootstrap::{NodePlan, Role, files, tar};

use super::context::{Context, Made};
use crate::driver::engine::NewContainer;
use crate::error::Failure;

pub(super) async fn start(context: &Context, made: &mut Made) -> Result<(), Failure> {
    let plan = made.plan.clone().expect("the plan is made in the first step");
    let (control_planes, workers): (Vec<&NodePlan>, Vec<&NodePlan>) =
        plan.nodes.iter().partition(|node| node.role == Role::ControlPlane);
    for node in &control_planes {
        let container = create(context, node).await?;
        made.control_plane.get_or_insert(container);
    }
    let container = made.control_plane().to_owned();
    let fill = async |node: &NodePlan, container: Option<String>| {
        let container = match container {
            Some(container) => container,
            None => create(context, node).await?,
        };
        fill_and_start(context, made, node, &container).await
    };
    // All are awaited even where one fails: a call to the engine that is dropped half-way is carried out all the same.
    let control_plane = control_planes.iter().map(|node| fill(node, Some(container.clone())));
    let outcomes = join_all(control_plane.chain(workers.iter().map(|node| fill(node, None)))).await;
    outcomes.into_iter().collect()
}

async fn create(context: &Context, node: &NodePlan) -> Result<String, Failure> {
    context.checkpoint()?;
    let mut environment = Vec::new();
    if node.role == Role::ControlPlane {
        environment.push("KUBECONFIG=/etc/kubernetes/admin.conf".to_owned());
    }
    let container = NewContainer {
        name: node.name.clone(),
        image: context.wishes.image.clone(),
        network: context.identity.name.clone(),
        address: node.address,
        labels: context.identity.node_labels(node.role, node.address, &context.wishes.domain),
        environment,
    };
    Ok(context.engine.create_container(&container).await?)
}

async fn fill_and_start(context: &Context, made: &Made, node: &NodePlan, container: &str) -> Result<(), Failure> {
    context.checkpoint()?;
    let running =
        context.reporter.step(&context.identity.name, &node.name, "container", "docker POST /containers/start");
    let mut contents = files(made.plan(), made.pki(), node);
    if node.role == Role::ControlPlane {
        contents.extend(context.blueprint.static_pods(made.plan(), node));
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
