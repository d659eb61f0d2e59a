//! Bringing control planes into a living cluster, one after the other, as etcd allows one change at a time.
//!
//! The container is there before etcd is told of it, and bears no mark until all is done: so an interrupted growth is
//! found and taken back by the clean-up, etcd's member first. That member learns before it votes; the API server comes
//! once it does. Meanwhile a cluster that had one control plane gets a balancer in front of it, and its controller manager
//! and scheduler start anew, with elections; only then the new ones come.

use std::net::Ipv4Addr;
use std::path::Path;
use std::time::Duration;

use futures_util::future::join_all;
use qbo_api::message::Code;
use qbo_bootstrap::{
    Blueprint, ClusterPlan, Endpoint, EtcdMember, EtcdMembers, NodeFile, NodePlan, Role, bootstrap_kubeconfig, files,
    tar,
};

use super::balancer::{self, NewBalancer};
use super::context::API_SERVER_PORT;
use super::etcd::Etcd;
use super::finish::{Kubeconfigs, Mark, complete_files};
use super::join::{self, Join};
use super::living::planned;
use super::nodes::is_scheduler;
use super::{endpoint, internal, remove};
use crate::address::ClusterNetwork;
use crate::cluster::{Found, FoundNode, find};
use crate::driver::kubernetes::Kubernetes;
use crate::error::Failure;

/// How long the new API server may take to answer.
const API_SERVER_LIMIT: Duration = Duration::from_mins(5);

/// How long the controller manager and the scheduler may take to start anew, with an election.
const ELECTION_LIMIT: Duration = Duration::from_mins(2);

/// Of those who hold elections, what they lock.
const LEASES: [&str; 2] = ["kube-controller-manager", "kube-scheduler"];

/// Whose static pod tells whether there are elections.
const ELECTING_POD: &str = "/etc/kubernetes/manifests/kube-scheduler.yaml";
const ELECTION: &str = "--leader-elect=true";

/// What the new control planes of one cluster share.
pub struct Grow<'a> {
    /// What all nodes that join share; its plan is one with a balancer.
    pub join: Join<'a>,
    /// The cluster as it was before.
    pub found: &'a Found,
    /// What the image contributes.
    pub blueprint: &'a Blueprint,
    /// The cluster's network.
    pub network: ClusterNetwork,
    /// The way to API servers.
    pub kubernetes: &'a dyn Kubernetes,
    /// Where kubeconfigs for people are written.
    pub kubeconfigs: &'a Kubeconfigs,
    /// The program that stands in front of several API servers.
    pub balancer: &'a Path,
}

/// A node whose etcd has a vote, and the static pods that it is still to get: those that must be alone last.
struct Booted {
    container: String,
    serving: Vec<NodeFile>,
    electing: Vec<NodeFile>,
}

/// Brings these control planes in; if one of them does not get there, none stays. What the cluster got for several of
/// them, elections and a balancer that somebody was told of, does no harm to one and stays.
pub async fn grow(context: &Grow<'_>, nodes: &[NodePlan]) -> Result<(), Failure> {
    let Err(failure) = bring_in(context, nodes).await else { return Ok(()) };
    let mut left = false;
    for node in nodes.iter().rev() {
        let step = context.step(&node.name, "removed", "");
        match context.take_back(node).await {
            Ok(()) => step.undone(),
            Err(trouble) => {
                step.failed(&trouble.problem);
                left = true;
            }
        }
    }
    if let Err(trouble) = context.take_back_balancer().await {
        tracing::warn!(failure = %trouble, "a balancer is left");
        left = true;
    }
    if left {
        let cure = "what was made so far is removed as soon as Docker and the cluster answer again";
        return Err(Failure { cure: cure.into(), ..failure });
    }
    Err(failure)
}

async fn bring_in(context: &Grow<'_>, nodes: &[NodePlan]) -> Result<(), Failure> {
    // All are awaited even where one fails: a call to the engine that is dropped half-way is carried out all the same.
    let (elected, come) = tokio::join!(context.hold_elections(), come(context, nodes));
    elected?;
    let (booted, kubeconfig) = come?;
    join::checkpoint(&context.join)?;
    for Booted { container, electing, .. } in booted {
        let files = [electing, complete_files(kubeconfig.clone())].concat();
        context.join.engine.put_archive(&container, tar(&files)).await?;
    }
    Ok(())
}

/// All but what must be alone; returns the nodes, and the kubeconfig for people.
async fn come(context: &Grow<'_>, nodes: &[NodePlan]) -> Result<(Vec<Booted>, String), Failure> {
    let mut all = Vec::new();
    for (index, node) in nodes.iter().enumerate() {
        let booted = if index == 0 {
            let (balanced, booted) = tokio::join!(context.balance(), context.boot(node));
            balanced.and(booted)?
        } else {
            context.boot(node).await?
        };
        context.serve(node, &booted, &nodes[..=index]).await?;
        all.push(booted);
    }
    let ready = join_all(nodes.iter().map(|node| join::await_ready(&context.join, node)));
    let (ready, kubeconfig) = tokio::join!(ready, endpoint::tell(context));
    ready.into_iter().collect::<Result<Vec<()>, Failure>>()?;
    Ok((all, kubeconfig?))
}

impl Grow<'_> {
    pub(super) fn step(&self, node: &str, step: &'static str, callback: &str) -> crate::report::RunningStep {
        self.join.reporter.step(&self.join.identity.name, node, step, callback)
    }

    /// What stands in front of the API servers, where nothing does.
    async fn balance(&self) -> Result<(), Failure> {
        if self.found.balancer.is_some() {
            return Ok(());
        }
        join::checkpoint(&self.join)?;
        let Join { engine, identity, plan, image, .. } = self.join;
        let step = self.step("", "balancer", "docker POST /containers/create");
        let new = NewBalancer { program: self.balancer, identity, plan, image, joins: true };
        step.conclude(balancer::start(engine, &new, &self.known(&[])).await)
    }

    /// Has the only control plane there was hold elections: its controller manager and its scheduler start anew, which is
    /// waited for, so that never two work without an election.
    async fn hold_elections(&self) -> Result<(), Failure> {
        let engine = self.join.engine;
        let mut without = Vec::new();
        for node in self.found.control_planes() {
            let pod = engine.read_file(&node.container.id, ELECTING_POD).await?;
            if !pod.is_some_and(|pod| String::from_utf8_lossy(&pod).contains(ELECTION)) {
                without.push(node);
            }
        }
        if without.is_empty() {
            return Ok(());
        }
        join::checkpoint(&self.join)?;
        let step = self.step("", "leader election", "kubernetes WATCH leases");
        let held = async {
            for node in &without {
                let pods = self.blueprint.electing_pods(self.join.plan, &planned(node, self.network)?);
                engine.put_archive(&node.container.id, tar(&pods.map_err(|error| internal(&error))?)).await?;
            }
            let leases = LEASES.map(|name| self.join.api_server.await_lease("kube-system", name));
            let what = "the controller manager and the scheduler to hold elections";
            self.wait(what, ELECTION_LIMIT, join_all(leases), self.nobody_leads(&without)).await?;
            Ok(())
        };
        step.conclude(held.await)
    }

    /// The node with etcd alone, which learns all there is and then has a vote.
    async fn boot(&self, node: &NodePlan) -> Result<Booted, Failure> {
        let Join { engine, plan, pki, token, .. } = self.join;
        let step = self.step(&node.name, "etcd member", "etcdctl member add");
        let (container, members) = step.conclude(self.enter(node).await)?;
        let pods = self.blueprint.static_pods(plan, node, &members).map_err(|error| internal(&error))?;
        let (etcd, pods): (Vec<NodeFile>, Vec<NodeFile>) = pods.into_iter().partition(is_etcd);
        let (electing, serving): (Vec<NodeFile>, Vec<NodeFile>) = pods.into_iter().partition(is_electing);
        let step = self.step(&node.name, "container", "docker POST /containers/start");
        let started = async {
            engine.put_archive(&container, tar(&[files(plan, pki, node), etcd].concat())).await?;
            join::checkpoint(&self.join)?;
            Ok::<_, Failure>(engine.start_container(&container).await?)
        };
        step.conclude(started.await)?;
        let step = self.step(&node.name, "etcd in step", "etcdctl member promote");
        let in_vain = join::in_vain(&self.join, node);
        let promoted = async { self.etcd().await?.promote(node.address, in_vain, token).await };
        step.conclude(promoted.await)?;
        Ok(Booted { container, serving, electing })
    }

    /// Its container, of which then etcd is told; returns whom etcd is made of besides.
    async fn enter(&self, node: &NodePlan) -> Result<(String, EtcdMembers), Failure> {
        let container = join::create(&self.join, node).await?;
        join::checkpoint(&self.join)?;
        let mut etcd = self.etcd().await?;
        // Those that live, and those of this command that have come before.
        let before = self.join.plan.nodes.iter().take_while(|other| other.name != node.name);
        let known: Vec<Ipv4Addr> = before.map(|node| node.address).collect();
        etcd.forget_others(&known).await?;
        join::checkpoint(&self.join)?;
        etcd.add(&EtcdMember::from(node), self.join.token).await?;
        Ok((container, EtcdMembers::Joining { existing: etcd.existing() }))
    }

    /// Its API server, at which the balancer then sends people; `new` are those that have come so far.
    async fn serve(&self, node: &NodePlan, booted: &Booted, new: &[NodePlan]) -> Result<(), Failure> {
        join::checkpoint(&self.join)?;
        let engine = self.join.engine;
        let step = self.step(&node.name, "API server answers", "kubernetes GET /version");
        let served = async {
            let Booted { container, serving, .. } = booted;
            engine.put_archive(container, tar(serving)).await?;
            let endpoint = Endpoint { host: node.address.to_string(), port: API_SERVER_PORT };
            let plan = ClusterPlan { endpoint, ..self.join.plan.clone() };
            let api_server = self.kubernetes.connect(&bootstrap_kubeconfig(&plan, self.join.pki)).await?;
            let what = format!("the API server on '{}' to answer", node.name);
            let in_vain = join::in_vain(&self.join, node);
            self.wait(&what, API_SERVER_LIMIT, api_server.await_answer(), in_vain).await?;
            match self.find().await?.balancer {
                Some(balancer) => balancer::follow(engine, &balancer.container.id, &self.known(new)).await,
                None => Ok(()),
            }
        };
        step.conclude(served.await)
    }

    /// The control planes there were, and these.
    fn known(&self, new: &[NodePlan]) -> Vec<Ipv4Addr> {
        let new = new.iter().map(|node| node.address);
        self.found.control_planes().filter_map(|node| node.address).chain(new).collect()
    }

    async fn etcd(&self) -> Result<Etcd<'_>, Failure> {
        Etcd::reach(self.join.engine, &self.found.control_planes().collect::<Vec<_>>()).await
    }

    /// The cluster as it is now.
    async fn find(&self) -> Result<Found, Failure> {
        Ok(find(self.join.engine, self.join.identity).await?.unwrap_or_else(|| self.found.clone()))
    }

    async fn take_back(&self, node: &NodePlan) -> Result<(), Failure> {
        let Join { engine, ref api_server, .. } = self.join;
        let leaving = remove::Leaving { container: &node.name, name: &node.name, address: node.address };
        remove::control_plane(engine, &self.find().await?, &**api_server, &leaving).await
    }

    /// A balancer goes that nobody was told of.
    async fn take_back_balancer(&self) -> Result<(), Failure> {
        if let Some(FoundNode { container, .. }) = self.find().await?.balancer
            && self.found.balancer.is_none()
            && Mark::read(self.join.engine, &container.id).await?.is_none()
        {
            self.join.engine.remove_container(&container.id).await?;
        }
        Ok(())
    }

    /// Waits until one of these, which are to hold elections, has ended, or the engine is away.
    async fn nobody_leads(&self, nodes: &[&FoundNode]) -> Failure {
        let is_meant = |name: &str| nodes.iter().any(|node| node.container.name == name);
        let ended = |name: &str| {
            let problem = format!("node '{name}' ended while its controller manager and scheduler started anew");
            Failure::new(Code::BAD_GATEWAY, problem, format!("start it: qbo start node {name}"))
        };
        self.join.live.in_vain(self.join.identity.id, is_meant, ended).await
    }

    /// Waits for something that changes nothing: until it happens, it is in vain, the command is cancelled, or time is up.
    async fn wait<T>(
        &self,
        what: &str,
        limit: Duration,
        future: impl Future<Output = T> + Send,
        in_vain: impl Future<Output = Failure> + Send,
    ) -> Result<T, Failure> {
        let waited = async {
            tokio::select! {
                waited = tokio::time::timeout(limit, future) => waited.map_err(|_| {
                    let problem = format!("waited {} s in vain for {what}", limit.as_secs());
                    let cure = format!("see how it is: qbo get pods {}", self.join.identity.name);
                    Failure::new(Code::TIMEOUT, problem, cure)
                }),
                failure = in_vain => Err(failure),
            }
        };
        self.join.token.run_until_cancelled(waited).await.unwrap_or_else(|| Err(Failure::cancelled()))
    }
}

/// Whether a file is etcd's: its static pod, or where it keeps its data.
fn is_etcd(file: &NodeFile) -> bool {
    file.path.ends_with("/etcd.yaml") || file.path.ends_with("/etcd")
}

/// Whether a file is a static pod of which only one at a time may work.
fn is_electing(file: &NodeFile) -> bool {
    file.path.ends_with("/kube-controller-manager.yaml") || is_scheduler(file)
}

/// What people should know of so many control planes.
pub fn remark(plan: &ClusterPlan) -> Option<String> {
    let count = plan.nodes.iter().filter(|node| node.role == Role::ControlPlane).count();
    let losses = match count / 2 - usize::from(count > 0) {
        0 => "none".to_owned(),
        losses => losses.to_string(),
    };
    let cure = "add one more: etcd lives as long as more than half of its members do";
    count.is_multiple_of(2).then(|| format!("{count} control planes outlive the loss of {losses} of them; {cure}"))
}
