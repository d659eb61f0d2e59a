//! Bringing nodes into a living cluster. As at its making, everything a node needs is in it before it starts; it bears no
//! mark until it is Ready, and the clean-up removes one that was left without.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use qbo_api::message::Code;
use qbo_api::name::Domain;
use qbo_bootstrap::{ClusterPlan, Cni, NodePlan, Pki, files, join_objects, tar};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::finish::Mark;
use super::nodes::node_environment;
use super::{ATTEMPT_PAUSE, ATTEMPTS, remove};
use crate::cluster::{Identity, LABEL_JOINED};
use crate::driver::engine::{Engine, Extras, NewContainer};
use crate::driver::kubernetes::{ApiServer, KubernetesError};
use crate::error::Failure;
use crate::live::Live;
use crate::report::Reporter;

/// How long a new node may take to become Ready.
const READY_LIMIT: Duration = Duration::from_mins(5);

/// How long the API server may take to learn of a new node.
const OBJECTS_LIMIT: Duration = Duration::from_secs(30);

/// What the new nodes of one cluster share.
pub struct Join<'a> {
    /// Whose they are.
    pub identity: &'a Identity,
    /// The plan of the cluster, the new nodes included.
    pub plan: &'a ClusterPlan,
    /// What the new nodes need to join.
    pub pki: &'a Pki,
    /// The image as Docker names it.
    pub image: &'a str,
    /// The domain of their names.
    pub domain: &'a Domain,
    /// What their containers have more than others.
    pub extras: &'a Extras,
    /// The container engine.
    pub engine: &'a dyn Engine,
    /// The cluster's API server.
    pub api_server: Arc<dyn ApiServer>,
    /// Told who joins.
    pub live: &'a Arc<Live>,
    /// The voice of the command.
    pub reporter: &'a Reporter,
    /// Cancelled when the command shall stop.
    pub token: &'a CancellationToken,
}

/// Brings these nodes in, all at once; if one of them does not become Ready, none stays.
pub async fn join(context: &Join<'_>, nodes: &[NodePlan]) -> Result<(), Failure> {
    // All are awaited even where one fails: a call to the engine that is dropped half-way is carried out all the same.
    let outcomes = join_all(nodes.iter().map(|node| join_one(context, node))).await;
    let outcome: Result<Vec<()>, Failure> = outcomes.into_iter().collect();
    let Err(failure) = outcome else { return Ok(()) };
    let undone = nodes.iter().map(async |node| {
        let step = context.reporter.step(&context.identity.name, &node.name, "removed", "");
        match remove::node(context.engine, Some(&*context.api_server), &node.name, &node.name).await {
            Ok(()) => {
                step.undone();
                Ok(())
            }
            Err(trouble) => {
                step.failed(&trouble.problem);
                Err(())
            }
        }
    });
    if join_all(undone).await.into_iter().any(|undone| undone.is_err()) {
        let cure = "what was made so far is removed as soon as Docker and the cluster answer again";
        return Err(Failure { cure: cure.into(), ..failure });
    }
    Err(failure)
}

async fn join_one(context: &Join<'_>, node: &NodePlan) -> Result<(), Failure> {
    let cluster = &context.identity.name;
    let step = context.reporter.step(cluster, &node.name, "container", "docker POST /containers/start");
    let container = step.conclude(start(context, node).await)?;
    await_ready(context, node).await?;
    Ok(Mark::Ready.write(context.engine, &container).await?)
}

/// Waits until a new node is Ready, or has ended, or Docker is gone, or the command is cancelled.
pub(super) async fn await_ready(context: &Join<'_>, node: &NodePlan) -> Result<(), Failure> {
    let step = context.reporter.step(&context.identity.name, &node.name, "ready", "kubernetes WATCH nodes");
    let has_cni = context.plan.options.cni != Cni::None;
    let ready = context.live.node_ready(context.identity.id, (&node.name, has_cni), READY_LIMIT, ended);
    let waited = context.token.run_until_cancelled(ready).await.unwrap_or_else(|| Err(Failure::cancelled()));
    if step.conclude(waited)? {
        context.reporter.line(lacks_network(&node.name));
    }
    Ok(())
}

/// What is told of a node that is up in a cluster whose user has not brought a CNI yet.
pub fn lacks_network(node: &str) -> String {
    format!("'{node}' is Ready as soon as it has a network: the cluster was made without a CNI")
}

/// Waits until it is in vain to wait for a node that joins.
pub(super) async fn in_vain(context: &Join<'_>, node: &NodePlan) -> Failure {
    context.live.in_vain(context.identity.id, |name| name == node.name, ended).await
}

fn ended(node: &str) -> Failure {
    let problem = format!("node '{node}' ended while it joined");
    Failure::new(Code::BAD_GATEWAY, problem, "nothing of it is left: add it again")
}

/// The container with all it needs, started.
async fn start(context: &Join<'_>, node: &NodePlan) -> Result<String, Failure> {
    let container = create(context, node).await?;
    context.engine.put_archive(&container, tar(&files(context.plan, context.pki, node))).await?;
    checkpoint(context)?;
    context.engine.start_container(&container).await?;
    Ok(container)
}

/// The Node first, which gives it its pod subnet; then the container.
pub(super) async fn create(context: &Join<'_>, node: &NodePlan) -> Result<String, Failure> {
    checkpoint(context)?;
    let objects = join_objects(context.plan, node);
    let applied = tokio::time::timeout(OBJECTS_LIMIT, introduce(&*context.api_server, &objects)).await;
    applied.map_err(|_| {
        let problem = format!("waited {} s in vain for the API server to take a node", OBJECTS_LIMIT.as_secs());
        Failure::new(Code::TIMEOUT, problem, format!("see how it is: qbo get nodes {}", context.identity.name))
    })??;
    checkpoint(context)?;
    let mut labels = context.identity.node_labels(node, context.domain);
    labels.insert(LABEL_JOINED.into(), String::new());
    let container = NewContainer {
        name: node.name.clone(),
        image: context.image.into(),
        network: context.identity.name.clone(),
        address: node.address,
        labels,
        environment: node_environment(context.plan, node),
        extras: Extras { address_v6: node.address_v6, ..context.extras.clone() },
    };
    Ok(context.engine.create_container(&container).await?)
}

/// An API server is asked again where the way to it, or etcd behind it, has just changed.
pub(super) async fn introduce(api_server: &dyn ApiServer, objects: &[Value]) -> Result<(), KubernetesError> {
    for _ in 1..ATTEMPTS {
        match api_server.apply(objects).await {
            Ok(()) => return Ok(()),
            Err(error) => tracing::debug!(%error, "asking again"),
        }
        tokio::time::sleep(ATTEMPT_PAUSE).await;
    }
    api_server.apply(objects).await
}

pub(super) fn checkpoint(context: &Join<'_>) -> Result<(), Failure> {
    if context.token.is_cancelled() { Err(Failure::cancelled()) } else { Ok(()) }
}
