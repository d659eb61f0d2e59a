//! `delete node`: all of the named exist and may go, or nothing is deleted. Each is drained, leaves its cluster, and is
//! removed.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use qbo_api::command::{DeleteNode, Drain, Selection};
use qbo_api::message::{Code, Payload};
use qbo_api::model::State;
use qbo_api::settings::Timeout;
use qbo_bootstrap::{NodeOptions, Role, control_plane_objects};

use super::{Services, settle, together};
use crate::cluster::{Found, FoundNode, find};
use crate::driver::kubernetes::ApiServer;
use crate::error::Failure;
use crate::operations::{Business, Returnable, Running};
use crate::provision::living::Living;
use crate::provision::{Mark, remove};
use crate::report::Reporter;

/// How long the API server may take to learn which control planes are left.
const OBJECTS_LIMIT: Duration = Duration::from_secs(10);

pub(super) async fn run(
    services: &Services,
    user: &str,
    delete: &DeleteNode,
    reporter: &Reporter,
    running: &Running,
) -> Result<(), Failure> {
    let chosen = services.select_nodes(user, &Selection::Named(delete.nodes.clone())).await?;
    let mut ready = Vec::new();
    for (cluster, nodes) in chosen {
        let name = &cluster.identity.name;
        let leaving: HashMap<String, State> =
            nodes.iter().map(|node| (node.container.name.clone(), State::Deleting)).collect();
        let business = Business { nodes: leaving, ..Business::default() };
        let claim = services.operations.claim((user, name), business, reporter.command_line())?;
        let (cluster, nodes) = services.again_nodes(&cluster, &nodes).await?;
        refuse_last_control_plane(&cluster, &nodes)?;
        let api_server = services.living(&cluster).await?;
        let nodes = in_order(nodes);
        refuse_loss_of_majority(services, &cluster, &nodes).await?;
        ready.push((cluster, nodes, api_server, claim));
    }
    let kept = Returnable::new(ready.iter().map(|(_, nodes, ..)| nodes.len()).sum(), running);
    let deleted = ready.into_iter().map(async |(cluster, nodes, api_server, claim)| {
        let drain = delete.drain;
        let context = Leave { services, cluster: &cluster, api_server, reporter, running, drain, kept: &kept };
        let outcomes = context.nodes(&nodes).await;
        settle(services).await;
        drop(claim);
        services.left_overs.ring();
        (cluster.identity.name.clone(), outcomes)
    });
    together(join_all(deleted).await)
}

/// What the leaving nodes of one cluster share.
struct Leave<'a> {
    services: &'a Services,
    cluster: &'a Found,
    api_server: Arc<dyn ApiServer>,
    reporter: &'a Reporter,
    running: &'a Running,
    drain: Drain,
    /// The nodes of the command that could still stay.
    kept: &'a Returnable<'a>,
}

impl Leave<'_> {
    /// Workers all at once; control planes one after the other, as etcd allows one change at a time.
    async fn nodes(&self, nodes: &[FoundNode]) -> Result<(), Failure> {
        let (control_planes, workers): (Vec<&FoundNode>, Vec<&FoundNode>) =
            nodes.iter().partition(|node| node.role == Role::ControlPlane);
        let control_planes = async {
            for node in &control_planes {
                if self.running.token().is_cancelled() {
                    return Err(Failure::cancelled());
                }
                self.node(node).await?;
            }
            if !control_planes.is_empty()
                && let Err(failure) = self.tell_kubeadm().await
            {
                tracing::warn!(%failure, cluster = self.cluster.identity.name, "kubeadm still knows of a control plane");
            }
            Ok(())
        };
        let (control_planes, workers) =
            tokio::join!(control_planes, join_all(workers.into_iter().map(|node| self.node(node))));
        std::iter::once(control_planes).chain(workers).collect()
    }

    async fn node(&self, node: &FoundNode) -> Result<(), Failure> {
        let stay = Stay { kept: self.kept, running: self.running };
        // One that does not run ends no pod any more, and has none that a budget could keep: they go with its Node.
        if let Drain::Within(time) = self.drain
            && node.container.running
        {
            self.drain(node, time, stay).await?;
        } else {
            stay.ends()?;
        }
        let (engine, container) = (&*self.services.engine, &node.container);
        self.reporter.rows(Payload::Nodes(vec![self.cluster.node_row(node, State::Deleting)]));
        let step =
            self.reporter.step(&self.cluster.identity.name, &container.name, "delete", "docker DELETE /containers");
        let removed = async {
            // From here on an interrupted deletion is finished by the clean-up.
            if let Err(error) = Mark::Leaving.write(engine, &container.id).await {
                remove::uncordon(&*self.api_server, &container.name).await;
                return Err(error.into());
            }
            remove::node_of(engine, self.cluster, &*self.api_server, node).await
        };
        step.conclude(removed.await)
    }

    /// kubeadm, for whoever uses it, is to know the control planes that are left.
    async fn tell_kubeadm(&self) -> Result<(), Failure> {
        let engine = &*self.services.engine;
        let Some(cluster) = find(engine, &self.cluster.identity).await? else { return Ok(()) };
        let living = Living::of(&cluster)?;
        let image = &living.control_plane().container.image;
        let Some(local) = engine.image(image).await? else { return Ok(()) };
        let kubernetes = self.services.images.kubernetes(image, &local).await?;
        let objects = control_plane_objects(&living.plan(kubernetes, Role::Worker, 0, &NodeOptions::default())?);
        let late = |_| Failure::new(Code::TIMEOUT, "the API server does not answer", "");
        Ok(tokio::time::timeout(OBJECTS_LIMIT, self.api_server.apply(&objects)).await.map_err(late)??)
    }

    /// Has the pods leave; where they do not, or the command is cancelled, the node stays as it was.
    async fn drain(&self, node: &FoundNode, limit: Timeout, stay: Stay<'_>) -> Result<(), Failure> {
        let name = &node.container.name;
        let step = self.reporter.step(&self.cluster.identity.name, name, "drain", "kubernetes POST evictions");
        let waiting = |line: &str| step.progress(line);
        let drained = async {
            // One that somebody has cordoned stays so.
            if self.api_server.is_schedulable(name).await? {
                self.api_server.cordon(name).await?;
            }
            self.api_server.drain(name, &waiting).await?;
            stay.ends()
        };
        let late = |_| {
            let problem = format!("after {limit} there are still pods on '{name}'");
            let cure = "a disruption budget may keep them (kubectl get pdb -A): wait longer with --timeout, or not at all with --force";
            Failure::new(Code::TIMEOUT, problem, cure)
        };
        let drained = async {
            tokio::select! {
                drained = tokio::time::timeout(limit.get(), drained) => drained.map_err(late)?,
                failure = self.services.live.api_server_gone(&self.cluster.identity) => Err(failure),
            }
        };
        let drained = self.running.token().run_until_cancelled(drained).await;
        if let Err(failure) = drained.unwrap_or_else(|| Err(Failure::cancelled())) {
            step.failed(&failure.problem);
            remove::uncordon(&*self.api_server, name).await;
            return Err(failure);
        }
        step.done();
        Ok(())
    }
}

/// That a node could still stay.
struct Stay<'a> {
    kept: &'a Returnable<'a>,
    running: &'a Running,
}

impl Stay<'_> {
    /// From here on the node goes, unless the command was cancelled before.
    fn ends(self) -> Result<(), Failure> {
        let token = self.running.token();
        drop(self);
        if token.is_cancelled() { Err(Failure::cancelled()) } else { Ok(()) }
    }
}

impl Drop for Stay<'_> {
    fn drop(&mut self) {
        self.kept.pass();
    }
}

/// Control planes that are stopped first: the others are a larger part of etcd then.
fn in_order(mut nodes: Vec<FoundNode>) -> Vec<FoundNode> {
    nodes.sort_by_key(|node| node.container.running);
    nodes
}

async fn refuse_loss_of_majority(services: &Services, cluster: &Found, leaving: &[FoundNode]) -> Result<(), Failure> {
    let leaving = leaving.iter().filter(|node| node.role == Role::ControlPlane);
    let leaving: Vec<Ipv4Addr> = leaving.filter_map(|node| node.address).collect();
    if leaving.is_empty() || !remove::loses_majority(&*services.engine, cluster, &leaving).await? {
        return Ok(());
    }
    let problem = format!(
        "of the control planes of cluster '{}' that would be left, not more than half run",
        cluster.identity.name
    );
    let stopped = cluster.control_planes().filter(|node| !node.container.running);
    let stopped: Vec<&str> = stopped.map(|node| node.container.name.as_str()).collect();
    let cure = format!("start those that are stopped, or delete them first: {}", stopped.join(", "));
    Err(Failure::new(Code::CONFLICT, problem, cure))
}

fn refuse_last_control_plane(cluster: &Found, leaving: &[FoundNode]) -> Result<(), Failure> {
    let name = &cluster.identity.name;
    let stays = |node: &&FoundNode| !leaving.iter().any(|other| other.container.id == node.container.id);
    let mut control_planes = cluster.nodes.iter().filter(|node| node.role == Role::ControlPlane);
    if control_planes.any(|node| stays(&node)) {
        return Ok(());
    }
    let problem = format!("cluster '{name}' is nothing without a control plane");
    Err(Failure::new(Code::CONFLICT, problem, format!("delete all of it: qbo delete cluster {name}")))
}
