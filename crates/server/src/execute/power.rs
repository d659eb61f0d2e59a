//! Starting and stopping nodes, those of whole clusters or single ones. Addresses, certificates and data stay, for they
//! are in the containers and their volumes.

use std::collections::HashMap;
use std::time::Duration;

use futures_util::future::join_all;
use qbo_api::command::{Clusters, Nodes, Selection};
use qbo_api::message::Code;
use qbo_api::model::State;
use qbo_api::settings::Cni;

use super::{Services, able, together};
use crate::cluster::{Found, FoundNode};
use crate::driver::engine::Container;
use crate::error::Failure;
use crate::live;
use crate::operations::{Business, Claim, Running};
use crate::provision::join::lacks_network;
use crate::provision::{Mark, cluster_mark, is_left_over, marks};
use crate::registries::remind;
use crate::report::Reporter;

/// How long a node has to end by itself: its systemd ends kubelet and containers.
const GRACE: Duration = Duration::from_secs(10);

/// How long nodes that were started may take until they are Ready.
const READY_LIMIT: Duration = Duration::from_mins(5);

/// Nodes of one cluster, claimed.
struct Target {
    cluster: Found,
    nodes: Vec<FoundNode>,
    /// What else is to be switched: what stands in front of the API servers, and what passes on ports of the host.
    companions: Vec<Container>,
    claim: Claim,
    /// Whether it is the cluster that is switched.
    whole: bool,
    /// Whether it failed while it was made, and is kept for looking: nothing is waited for then.
    retained: bool,
}

/// Which way they go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Power {
    On,
    Off,
}

impl Power {
    fn state(self) -> State {
        match self {
            Self::On => State::Starting,
            Self::Off => State::Stopping,
        }
    }

    fn step(self) -> (&'static str, &'static str) {
        match self {
            Self::On => ("start", "docker POST /containers/start"),
            Self::Off => ("stop", "docker POST /containers/stop"),
        }
    }

    fn back(self) -> Self {
        match self {
            Self::On => Self::Off,
            Self::Off => Self::On,
        }
    }
}

/// Starts or stops all nodes of clusters: those that are named exist and are free, or nothing is changed.
pub(super) async fn turn_clusters(
    services: &Services,
    user: &str,
    clusters: &Clusters,
    power: Power,
    reporter: &Reporter,
    running: &Running,
) -> Result<(), Failure> {
    let (mut targets, all) = (Vec::new(), clusters.selection == Selection::All);
    for cluster in services.select(user, &clusters.selection).await? {
        let target = Target::whole(services, cluster, (power, all), reporter).await;
        targets.extend(able(target, all, reporter)?);
    }
    turn(services, targets, power, reporter, running).await
}

/// Starts or stops single nodes: those that are named exist and are free, or nothing is changed.
pub(super) async fn turn_nodes(
    services: &Services,
    user: &str,
    nodes: &Nodes,
    power: Power,
    reporter: &Reporter,
    running: &Running,
) -> Result<(), Failure> {
    let (mut targets, all) = (Vec::new(), nodes.selection == Selection::All);
    for (cluster, nodes) in services.select_nodes(user, &nodes.selection).await? {
        let target = Target::some(services, cluster, nodes, (power, all), reporter).await;
        targets.extend(able(target, all, reporter)?);
    }
    turn(services, targets, power, reporter, running).await
}

impl Target {
    /// All nodes of a cluster; `all` says that it was not named.
    async fn whole(
        services: &Services,
        cluster: Found,
        (power, all): (Power, bool),
        reporter: &Reporter,
    ) -> Result<Self, Failure> {
        let identity = &cluster.identity;
        let key = (identity.user.as_str(), identity.name.as_str());
        let claim = services.operations.claim(key, power.state(), reporter.command_line())?;
        let cluster = services.again(&cluster).await?;
        let retained = is_startable(services, &cluster, &cluster.nodes, (power, all)).await?;
        let ports = cluster.ports.iter().map(|port| &port.container);
        let companions = cluster.balancer.iter().map(|balancer| &balancer.container).chain(ports).cloned().collect();
        let mut nodes = cluster.nodes.clone();
        if power == Power::On && !retained {
            // What an interrupted command left never becomes Ready: the clean-up removes it.
            let marks = marks(&*services.engine, cluster.nodes.iter().filter(|node| node.is_joined())).await?;
            let left: Vec<_> =
                marks.iter().filter(|(node, mark)| is_left_over(node, *mark)).map(|(node, _)| node).collect();
            nodes.retain(|node| !left.iter().any(|left| left.container.id == node.container.id));
        }
        Ok(Self { nodes, companions, cluster, claim, whole: true, retained })
    }

    /// Some nodes of a cluster; `all` says that they were not named.
    async fn some(
        services: &Services,
        cluster: Found,
        nodes: Vec<FoundNode>,
        (power, all): (Power, bool),
        reporter: &Reporter,
    ) -> Result<Self, Failure> {
        let identity = &cluster.identity;
        let key = (identity.user.as_str(), identity.name.as_str());
        let names: HashMap<String, State> =
            nodes.iter().map(|node| (node.container.name.clone(), power.state())).collect();
        let business = Business { nodes: names, ..Business::default() };
        let claim = services.operations.claim(key, business, reporter.command_line())?;
        let (cluster, nodes) = services.again_nodes(&cluster, &nodes).await?;
        let retained = is_startable(services, &cluster, &nodes, (power, all)).await?;
        // Nodes are no use without it, but it has others to serve when some of them stop.
        let balancer = cluster.balancer.iter().filter(|_| power == Power::On);
        let companions = balancer.map(|balancer| balancer.container.clone()).collect();
        Ok(Self { cluster, nodes, companions, claim, whole: false, retained })
    }
}

/// Starts or stops nodes of several clusters, each on its own.
async fn turn(
    services: &Services,
    targets: Vec<Target>,
    power: Power,
    reporter: &Reporter,
    running: &Running,
) -> Result<(), Failure> {
    let turned = targets.into_iter().map(async |target| {
        let name = target.cluster.identity.name.clone();
        (name, turn_one(services, target, power, reporter, running).await)
    });
    together(join_all(turned).await)
}

async fn turn_one(
    services: &Services,
    target: Target,
    power: Power,
    reporter: &Reporter,
    running: &Running,
) -> Result<(), Failure> {
    let Target { cluster, nodes, companions, claim, whole, retained } = target;
    // Where nobody knows how it was made it is waited for until it is Ready.
    let has_cni = cluster.recorded().map_or(true, |recorded| recorded.cni != Cni::None);
    let containers = || nodes.iter().map(|node| &node.container).chain(&companions);
    let others: Vec<&Container> = containers().filter(|container| container.running == (power == Power::Off)).collect();
    // What runs and is not Ready may be one that was killed and cannot end: the engine then starts it anew.
    let is_ready = |name: &str| services.live.node_state(cluster.identity.id, name) == Some(State::Ready);
    let running_nodes = nodes.iter().map(|node| &node.container).filter(|container| container.running);
    let stuck = running_nodes.filter(|container| power == Power::On && !is_ready(&container.name));
    let turned: Vec<&Container> = others.iter().copied().chain(stuck).collect();
    let mut outcome = switch(services, &cluster, &turned, power, reporter, Some(running)).await;
    let is_cancelled =
        |outcome: &Result<(), Failure>| outcome.as_ref().is_err_and(|failure| failure.code == Code::CANCELLED);
    if power == Power::Off && !is_cancelled(&outcome) {
        // What ended by itself would come back with the engine, and what somebody paused is still there. Neither is put back by a
        // cancel, which comes too late now.
        let rest: Vec<&Container> = containers().filter(|container| !container.running).collect();
        outcome = outcome.and(switch(services, &cluster, &rest, power, reporter, None).await);
    }
    if outcome.is_ok() && power == Power::On && !retained {
        outcome = await_ready(services, &cluster, (&nodes, has_cni), reporter, running).await;
        remind(services, &cluster).await;
    }
    if is_cancelled(&outcome) {
        // A call that fails now has nobody left to be told; the nodes show how they are.
        let _ = switch(services, &cluster, &others, power.back(), reporter, None).await;
    }
    drop(claim);
    if outcome.is_ok() {
        let identity = &cluster.identity;
        if whole {
            services.tell_cluster(identity, reporter);
        }
        services.tell_nodes(identity, reporter, |name| nodes.iter().any(|node| node.container.name == name));
    }
    outcome
}

/// Starts or stops each of these containers, and waits until it is seen that they are.
async fn switch(
    services: &Services,
    cluster: &Found,
    containers: &[&Container],
    power: Power,
    reporter: &Reporter,
    running: Option<&Running>,
) -> Result<(), Failure> {
    let (name, callback) = power.step();
    let switched = containers.iter().map(async |container| {
        if running.is_some_and(|running| running.token().is_cancelled()) {
            return Err(Failure::cancelled());
        }
        let step = reporter.step(&cluster.identity.name, &container.name, name, callback);
        let outcome = match power {
            Power::On => services.engine.resume_container(&container.id).await,
            Power::Off => services.engine.stop_container(&container.id, GRACE).await,
        };
        match outcome {
            Ok(()) => step.done(),
            Err(error) => {
                let failure = Failure::from(error);
                step.failed(&failure.problem);
                return Err(failure);
            }
        }
        Ok(live::look_at(services, &container.id).await?)
    });
    // All are awaited even where one fails: a call to the engine that is dropped half-way is carried out all the same.
    join_all(switched).await.into_iter().collect()
}

/// Waits until nodes are Ready, or one has ended, or Docker is gone, or the command is cancelled.
pub(super) async fn await_ready(
    services: &Services,
    cluster: &Found,
    (nodes, has_cni): (&[FoundNode], bool),
    reporter: &Reporter,
    running: &Running,
) -> Result<(), Failure> {
    let identity = &cluster.identity;
    let ready = nodes.iter().map(async |node| {
        let name = &node.container.name;
        let step = reporter.step(&identity.name, name, "ready", "kubernetes WATCH nodes");
        let ended = |name: &str| {
            let problem = format!("node '{name}' ended while it started");
            Failure::new(Code::BAD_GATEWAY, problem, format!("look at: docker logs {name}"))
        };
        let waited = services.live.node_ready(identity.id, (name, has_cni), READY_LIMIT, ended);
        let outcome = running.token().run_until_cancelled(waited).await.unwrap_or_else(|| Err(Failure::cancelled()));
        let lacks = step.conclude(outcome).map_err(|failure| match failure.code {
            Code::TIMEOUT => Failure { cure: format!("look at: docker exec {name} journalctl -u kubelet"), ..failure },
            _ => failure,
        })?;
        if lacks {
            reporter.line(lacks_network(name));
        }
        Ok(())
    });
    join_all(ready).await.into_iter().collect()
}

/// Refuses to start nodes that cannot become Ready; tells whether nobody expects them to, of a cluster that failed while it was made, is
/// kept for looking, and was named for that. Any may be stopped.
async fn is_startable(
    services: &Services,
    cluster: &Found,
    nodes: &[FoundNode],
    (power, all): (Power, bool),
) -> Result<bool, Failure> {
    if power == Power::Off {
        return Ok(false);
    }
    if !all && cluster_mark(&*services.engine, cluster).await? == Some(Mark::Retained) {
        return Ok(true);
    }
    services.refuse_incomplete(cluster).await?;
    refuse_without_majority(services, cluster, nodes).await?;
    Ok(false)
}

/// No node becomes Ready without an API server, and none of those answers without more than half of etcd's members.
async fn refuse_without_majority(services: &Services, cluster: &Found, nodes: &[FoundNode]) -> Result<(), Failure> {
    // One that is leaving perhaps has no vote any more, and one whose command was interrupted perhaps none yet.
    let marks = marks(&*services.engine, cluster.control_planes()).await?;
    let members: Vec<_> =
        marks.into_iter().filter(|(node, mark)| !is_left_over(node, *mark)).map(|(node, _)| node).collect();
    let is_started = |node: &&FoundNode| nodes.iter().any(|other| other.container.id == node.container.id);
    let running = members.iter().filter(|node| node.container.running || is_started(node)).count();
    if 2 * running > members.len() {
        return Ok(());
    }
    let (name, count) = (&cluster.identity.name, members.len());
    let problem = match running {
        0 => format!("the control plane of cluster '{name}' is stopped, so that none of its nodes can become Ready"),
        _ => format!(
            "of the {count} control planes of cluster '{name}' {running} would run; without more than half of them \
             none of its nodes can become Ready"
        ),
    };
    Err(Failure::new(Code::CONFLICT, problem, format!("start all of it: qbo start cluster {name}")))
}
