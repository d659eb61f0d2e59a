//! Making a cluster: an ordered list of steps over one context, each with its undo.
//!
//! Everything that is known beforehand is in a node before it starts ([`qbo_bootstrap`]): the nodes then boot at
//! once and become Ready on their own, and the steps after [`Step::Nodes`] mostly wait. Whatever fails or is
//! cancelled, the steps already done are undone in reverse, so that nothing is left behind.

mod balancer;
mod context;
mod control_plane;
mod endpoint;
mod etcd;
mod finish;
pub mod grow;
pub mod join;
pub mod living;
mod nodes;
pub mod ports;
mod proxy;
pub mod remove;

use std::time::Duration;

use qbo_api::message::Code;
use qbo_api::settings::Wait;
use qbo_bootstrap::Pki;

pub use context::{Context, Member, Wishes};
pub use finish::{
    Kubeconfigs, Mark, STATE_PATH, USER_KUBECONFIG_PATH, cluster_mark, complete, is_half_marked, is_left_over, marks,
};

use crate::error::Failure;
use context::Made;

/// The steps, in the order they are done.
const STEPS: [Step; 8] =
    [Step::Network, Step::Ports, Step::Nodes, Step::ControlPlane, Step::Objects, Step::Ready, Step::Dns, Step::Finish];

/// How often an API server of a living cluster is asked at most, and the time between: etcd that elects a new leader, or a
/// balancer that turns elsewhere, has it refuse once or twice what it takes a moment later.
const ATTEMPTS: usize = 6;
const ATTEMPT_PAUSE: Duration = Duration::from_millis(500);

/// A step of making a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// A network of the cluster's own, and meanwhile its certificates.
    Network,
    /// A container for each port of the host that leads into the cluster. Before all nodes: a port that is taken is soon told.
    Ports,
    /// A container for each node, with all it needs in it, started.
    Nodes,
    /// Static pods of the control plane; its API server answers.
    ControlPlane,
    /// What belongs into every cluster: roles, CNI, storage class, cluster DNS, kube-proxy.
    Objects,
    /// All nodes are Ready.
    Ready,
    /// Cluster DNS is available.
    Dns,
    /// The cluster is marked as complete, and its kubeconfig written.
    Finish,
}

impl Step {
    fn name(self) -> &'static str {
        match self {
            Self::Network => "network and certificates",
            Self::Ports => "ports",
            Self::Nodes => "nodes started",
            Self::ControlPlane => "API server answers",
            Self::Objects => "CNI, storage class, DNS and proxy applied",
            Self::Ready => "nodes ready",
            Self::Dns => "cluster DNS available",
            Self::Finish => "kubeconfig",
        }
    }

    /// What is waited for, in words of the backend.
    fn callback(self) -> &'static str {
        match self {
            Self::Network => "docker POST /networks/create",
            Self::Ports | Self::Nodes => "docker POST /containers/create",
            Self::ControlPlane => "kubernetes GET /version",
            Self::Objects => "kubernetes PATCH",
            Self::Ready => "kubernetes WATCH nodes",
            Self::Dns => "kubernetes WATCH deployments",
            Self::Finish => "docker PUT /containers/archive",
        }
    }

    async fn perform(self, context: &Context, made: &mut Made) -> Result<(), Failure> {
        match self {
            Self::Network => network(context, made).await,
            Self::Ports => ports::start(context, made).await,
            Self::Nodes => nodes::start(context, made).await,
            Self::ControlPlane => control_plane::start(context, made).await,
            Self::Objects => control_plane::apply(context, made).await,
            Self::Ready => control_plane::await_ready(context, made).await,
            Self::Dns => control_plane::await_dns(context, made).await,
            Self::Finish => finish::finish(context, made).await,
        }
    }

    /// Whether it makes something of its own; what the others do lies in the nodes and goes with them.
    fn is_undoable(self) -> bool {
        matches!(self, Self::Network | Self::Ports | Self::Nodes | Self::Finish)
    }

    /// Whether it is a step of this cluster's.
    fn is_wanted(self, wishes: &Wishes) -> bool {
        match self {
            Self::Ports => wishes.members.iter().any(|member| !member.ports.is_empty()),
            Self::Ready => wishes.wait != Wait::None,
            Self::Dns => wishes.wait == Wait::Dns,
            Self::Network | Self::Nodes | Self::ControlPlane | Self::Objects | Self::Finish => true,
        }
    }

    /// Undoes the step, whole or in parts, by the labels that all parts bear.
    async fn undo(self, context: &Context, made: &Made) -> Result<(), Failure> {
        let engine = &*context.engine;
        match self {
            Self::Network => Ok(remove::networks(engine, &context.identity).await?),
            Self::Ports | Self::Nodes => Ok(remove::nodes(engine, &context.identity).await?),
            Self::Finish => finish::undo(context, made).await,
            Self::ControlPlane | Self::Objects | Self::Ready | Self::Dns => Ok(()),
        }
    }
}

/// Makes a cluster. On failure nothing of it is left, unless it is to be retained or Docker cannot be talked to;
/// the failure says so then.
pub async fn create(context: &Context) -> Result<(), Failure> {
    let mut made = Made::default();
    let mut begun = Vec::new();
    for step in STEPS.into_iter().filter(|step| step.is_wanted(&context.wishes)) {
        begun.push(step);
        let running = context.reporter.step(&context.identity.name, "", step.name(), step.callback());
        let outcome = match context.checkpoint() {
            Ok(()) => step.perform(context, &mut made).await,
            Err(failure) => Err(failure),
        };
        match outcome {
            Ok(()) => running.done(),
            Err(failure) => {
                running.failed(&failure.problem);
                return Err(give_up(context, &made, &begun, failure).await);
            }
        }
    }
    Ok(())
}

async fn give_up(context: &Context, made: &Made, begun: &[Step], failure: Failure) -> Failure {
    let name = &context.identity.name;
    if context.wishes.retain
        && failure.code != Code::CANCELLED
        && let Ok(()) = finish::mark(context, made, Mark::Retained).await
    {
        let cure = format!(
            "what was made is kept for looking: docker ps --filter label=io.qbo.cluster={name}; \
             then: qbo delete cluster {name}"
        );
        return Failure { cure, ..failure };
    }
    let mut left = false;
    for step in begun.iter().rev().filter(|step| step.is_undoable()) {
        let running = context.reporter.step(name, "", step.name(), "");
        match step.undo(context, made).await {
            Ok(()) => running.undone(),
            Err(trouble) => {
                running.failed(&trouble.problem);
                // A mark that stays goes with its node.
                left |= *step != Step::Finish;
            }
        }
    }
    if left {
        context.left_overs.doom(context.identity.id);
        let promise = "what was made so far is removed as soon as Docker answers again";
        let cure = if failure.cure.is_empty() { promise.to_owned() } else { format!("{}; {promise}", failure.cure) };
        return Failure { cure, ..failure };
    }
    failure
}

async fn network(context: &Context, made: &mut Made) -> Result<(), Failure> {
    let identity = &context.identity;
    let recorded = &context.wishes.recorded;
    let mut labels = identity.labels();
    labels.extend([recorded.label()]);
    let apart = [recorded.pod_subnets.as_slice(), &recorded.service_subnets].concat();
    let network = context.addresses.create_network(&*context.engine, &identity.name, &labels, &apart).await?;
    let subnet = network.v4;
    let mut plan = context.wishes.plan(identity, network)?;
    context.registries.plan(&identity.user, subnet, &mut plan).await?;
    made.network = Some(network);
    let generate = {
        let plan = plan.clone();
        tokio::task::spawn_blocking(move || Pki::generate(&plan, std::time::SystemTime::now()))
    };
    let pki = generate.await.map_err(|error| internal(&error))?.map_err(|error| internal(&error))?;
    (made.plan, made.pki) = (Some(plan), Some(pki));
    Ok(())
}

fn internal(error: &dyn std::error::Error) -> Failure {
    Failure::new(Code::INTERNAL, error.to_string(), "")
}

#[cfg(test)]
mod tests;
