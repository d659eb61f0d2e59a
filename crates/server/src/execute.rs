//! Execution: a permitted command becomes calls to the drivers, and what they yield becomes messages. One file per
//! command, under the same name as in the grammar.

mod add_cluster;
mod add_image;
mod add_node;
mod add_port;
mod add_registry;
mod admit;
mod cancel;
mod delete_cluster;
mod delete_node;
mod delete_port;
mod delete_registry;
mod export_kubeconfig;
mod export_logs;
#[cfg(test)]
pub(crate) mod fixture;
mod get;
mod get_clients;
mod get_cluster;
mod get_images;
mod get_networks;
mod get_nodes;
mod get_pods;
mod get_registries;
mod get_services;
mod get_usage;
mod load_image;
mod logs;
mod power;
mod start_cluster;
mod start_node;
mod stop_cluster;
mod stop_node;
mod test_host;
#[cfg(test)]
mod tests;
mod version;

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use qbo_api::TERMINAL_PATH;
use qbo_api::command::{Command, Selection};
use qbo_api::message::{Code, Payload};
use qbo_api::name::{ClusterReference, NodeReference};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::access::Permitted;
use crate::address::Addresses;
use crate::cluster::{Found, FoundNode, Identity, absent, ambiguous, find, find_all, select};
use crate::config::Config;
use crate::driver::builder::{Builder, ScriptBuilder};
use crate::driver::docker::DockerEngine;
use crate::driver::engine::{Engine, Observe};
use crate::driver::host_network::HostNetworks;
use crate::driver::kubernetes::{ApiServer, KubeDriver, Kubernetes};
use crate::driver::meter::{ControlGroups, Meter};
use crate::driver::registry::{self, Registry};
use crate::driver::terminal::TerminalEngine;
use crate::driver::transfer::Transfer;
use crate::error::Failure;
use crate::executor::Executor;
use crate::image::Images;
use crate::journal::Journal;
use crate::live::Live;
use crate::operations::{Operations, Running};
use crate::provision::{Kubeconfigs, Mark, cluster_mark};
use crate::recovery::LeftOvers;
use crate::registries::Registries;
use crate::report::Reporter;
use crate::terminal::open::Opener;
use crate::terminal::shell::{Shells, Socket};
use crate::usage::Usage;

/// How long Docker may take to say that it is there.
const READY_LIMIT: Duration = Duration::from_secs(2);

/// All that commands work with.
pub struct Services {
    pub(crate) engine: Arc<dyn Engine>,
    pub(crate) transfer: Arc<dyn Transfer>,
    pub(crate) observer: Arc<dyn Observe>,
    pub(crate) kubernetes: Arc<dyn Kubernetes>,
    pub(crate) builder: Arc<dyn Builder>,
    pub(crate) images: Images,
    pub(crate) host_networks: HostNetworks,
    pub(crate) live: Arc<Live>,
    pub(crate) operations: Arc<Operations>,
    pub(crate) addresses: Arc<Addresses>,
    pub(crate) balancer: PathBuf,
    pub(crate) kubeconfigs: Kubeconfigs,
    pub(crate) registries: Arc<Registries>,
    pub(crate) left_overs: Arc<LeftOvers>,
    pub(crate) journal: Journal,
    pub(crate) usage: Usage,
    pub(crate) shells: Arc<Shells>,
    terminals: Arc<dyn TerminalEngine>,
}

/// The outward drivers.
#[derive(Clone)]
pub struct Drivers {
    /// The container engine.
    pub engine: Arc<dyn Engine>,
    /// The same engine, where much is moved.
    pub transfer: Arc<dyn Transfer>,
    /// The same engine, for who follows it.
    pub observer: Arc<dyn Observe>,
    /// The same engine, for programs on terminals.
    pub terminals: Arc<dyn TerminalEngine>,
    /// The way to API servers.
    pub kubernetes: Arc<dyn Kubernetes>,
    /// The builder of node images.
    pub builder: Arc<dyn Builder>,
    /// The registry of node images.
    pub registry: Arc<dyn Registry>,
    /// What the kernel counts.
    pub meter: Arc<dyn Meter>,
}

impl Drivers {
    /// The real ones; nothing is connected yet.
    pub fn connect(config: &Config) -> Result<Self, reqwest::Error> {
        let engine = DockerEngine::new(&config.docker, config.runtime, config.server());
        let engine = Arc::new(engine.with_registry(config.registry.clone()));
        Ok(Self {
            engine: Arc::clone(&engine) as _,
            transfer: Arc::clone(&engine) as _,
            observer: Arc::clone(&engine) as _,
            terminals: engine,
            kubernetes: Arc::new(KubeDriver),
            builder: Arc::new(ScriptBuilder::new(&config.image_builder)),
            registry: registry::connect(&config.registry)?,
            meter: Arc::<ControlGroups>::default(),
        })
    }
}

impl Services {
    /// Services over these drivers, and the sockets of users' shells, which somebody has to serve.
    pub fn new(
        config: &Config,
        drivers: Drivers,
        operations: Arc<Operations>,
        live: Arc<Live>,
        journal: Journal,
    ) -> (Self, mpsc::UnboundedReceiver<Socket>) {
        let Drivers { engine, transfer, observer, terminals, kubernetes, builder, registry, meter } = drivers;
        let directory = &config.state_directory;
        let (shells, sockets) = Shells::new(Arc::clone(&engine), Arc::clone(&terminals), Arc::clone(&live), directory);
        let left_overs = Arc::<LeftOvers>::default();
        let services = Self {
            shells,
            terminals,
            images: Images::new(Arc::clone(&engine), registry, config.image.clone(), Arc::clone(&left_overs)),
            engine,
            transfer,
            observer,
            kubernetes,
            builder,
            host_networks: HostNetworks,
            live,
            operations,
            addresses: Arc::new(Addresses::new(config.network_range, config.network_range_v6)),
            balancer: config.balancer.clone(),
            kubeconfigs: Kubeconfigs::new(&config.state_directory),
            registries: Arc::new(Registries::new(&config.state_directory)),
            left_overs,
            journal,
            usage: Usage::new(meter),
        };
        (services, sockets)
    }

    /// What opens terminals.
    pub fn opener(&self) -> Opener {
        let (engine, terminals) = (Arc::clone(&self.engine), Arc::clone(&self.terminals));
        Opener::new(engine, terminals, Arc::clone(&self.live), Arc::clone(&self.shells))
    }

    /// Does beforehand what the first cluster would wait for, until `stop` is cancelled.
    pub async fn warm_up(&self, stop: &CancellationToken) {
        if let Err(failure) = self.images.warm_up(stop).await {
            tracing::debug!(%failure, "the default image is not looked into beforehand");
        }
    }

    /// The user's clusters that a selection names; every name must be there.
    async fn select(&self, user: &str, selection: &Selection<ClusterReference>) -> Result<Vec<Found>, Failure> {
        let clusters = find_all(&*self.engine).await?;
        match selection {
            Selection::All => Ok(clusters.into_iter().filter(|cluster| cluster.identity.user == user).collect()),
            Selection::Named(references) => {
                let named = references.iter().map(|reference| select(&clusters, user, reference).cloned());
                let mut named: Vec<Found> = named.collect::<Result<_, Failure>>()?;
                // One can be named by its name and by its id.
                let mut seen = HashSet::new();
                named.retain(|cluster| seen.insert(cluster.identity.id));
                Ok(named)
            }
        }
    }
}

impl Services {
    /// The user's nodes that a selection names, by cluster; every name must be there.
    async fn select_nodes(
        &self,
        user: &str,
        selection: &Selection<NodeReference>,
    ) -> Result<Vec<(Found, Vec<FoundNode>)>, Failure> {
        let mut clusters = find_all(&*self.engine).await?;
        clusters.retain(|cluster| cluster.identity.user == user);
        if let Selection::Named(references) = selection {
            let matches = |reference: &NodeReference, node: &FoundNode| {
                reference.matches(&node.container.name, &node.container.id)
            };
            let mut nodes = clusters.iter().flat_map(|cluster| &cluster.nodes);
            let missing = references.iter().find(|reference| !nodes.clone().any(|node| matches(reference, node)));
            if let Some(missing) = missing {
                let names = nodes.by_ref().filter_map(|node| node.container.name.split('.').next());
                return Err(absent("node", missing.as_str(), names));
            }
            for reference in references {
                let meant = clusters.iter().flat_map(|cluster| &cluster.nodes).filter(|node| matches(reference, node));
                let names: Vec<&str> = meant.map(|node| node.container.name.as_str()).collect();
                if names.len() > 1 && !names.contains(&reference.as_str()) {
                    return Err(ambiguous("node", reference.as_str(), names.into_iter()));
                }
            }
            let chosen = clusters.into_iter().map(|cluster| {
                let is_named = |node: &&FoundNode| references.iter().any(|reference| matches(reference, node));
                let nodes = cluster.nodes.iter().filter(is_named).cloned().collect();
                (cluster, nodes)
            });
            return Ok(chosen.filter(|(_, nodes): &(Found, Vec<FoundNode>)| !nodes.is_empty()).collect());
        }
        Ok(clusters.into_iter().map(|cluster| (cluster.clone(), cluster.nodes)).collect())
    }
}

impl Services {
    /// A cluster as it is now that it is claimed: it may have changed since it was chosen.
    async fn again(&self, cluster: &Found) -> Result<Found, Failure> {
        find(&*self.engine, &cluster.identity).await?.ok_or_else(|| {
            let problem = format!("cluster '{}' was deleted meanwhile", cluster.identity.name);
            Failure::new(Code::NOT_FOUND, problem, "see what there is: qbo get clusters -A")
        })
    }

    /// The same, and those of its nodes that were chosen.
    async fn again_nodes(&self, cluster: &Found, chosen: &[FoundNode]) -> Result<(Found, Vec<FoundNode>), Failure> {
        let cluster = self.again(cluster).await?;
        let now = |node: &FoundNode| {
            let found = cluster.nodes.iter().find(|found| found.container.id == node.container.id).cloned();
            found.ok_or_else(|| {
                let problem = format!("node '{}' was deleted meanwhile", node.container.name);
                Failure::new(Code::NOT_FOUND, problem, "see what there is: qbo get nodes -A")
            })
        };
        let nodes = chosen.iter().map(now).collect::<Result<_, Failure>>()?;
        Ok((cluster, nodes))
    }

    /// Tells how a cluster is that a command has changed.
    fn tell_cluster(&self, identity: &Identity, reporter: &Reporter) {
        let id = identity.id.to_string();
        let mut rows = self.live.glance(&identity.user).cluster_rows();
        rows.retain(|row| row.id == id);
        reporter.rows(Payload::Clusters(rows));
    }

    /// Tells how nodes of a cluster are that a command has changed.
    fn tell_nodes(&self, identity: &Identity, reporter: &Reporter, is_meant: impl Fn(&str) -> bool) {
        let id = identity.id.to_string();
        let mut rows = self.live.glance(&identity.user).nodes();
        rows.retain(|row| row.cluster_id == id && is_meant(&row.name));
        reporter.rows(Payload::Nodes(rows));
    }

    /// The API server of a cluster that is complete and runs, or why nothing can be changed in it.
    async fn living(&self, cluster: &Found) -> Result<Arc<dyn ApiServer>, Failure> {
        let name = &cluster.identity.name;
        self.refuse_incomplete(cluster).await?;
        self.live.meet(&cluster.identity.user).await;
        self.live.api_server(cluster.identity.id).ok_or_else(|| {
            let problem = format!("the API server of cluster '{name}' does not answer");
            Failure::new(
                Code::CONFLICT,
                problem,
                format!("is it stopped? qbo get cluster {name}; qbo start cluster {name}"),
            )
        })
    }

    /// What never was complete can only be deleted, but for being looked at.
    async fn refuse_incomplete(&self, cluster: &Found) -> Result<(), Failure> {
        let name = &cluster.identity.name;
        if cluster_mark(&*self.engine, cluster).await? == Some(Mark::Ready) {
            return Ok(());
        }
        let problem = format!("cluster '{name}' is not complete: it has no control plane, or failed while it was made");
        Err(Failure::new(Code::CONFLICT, problem, format!("delete it: qbo delete cluster {name}")))
    }
}

/// A target that something can be done with. Of all there are the others are told of and left alone; of those that were named none
/// may be.
fn able<T>(target: Result<T, Failure>, all: bool, reporter: &Reporter) -> Result<Option<T>, Failure> {
    match target {
        Err(failure) if all && [Code::CONFLICT, Code::NOT_FOUND].contains(&failure.code) => {
            reporter.line(format!("left alone: {}", failure.line()));
            Ok(None)
        }
        target => target.map(Some),
    }
}

/// What became of several clusters: a failure names all that failed, where there were others.
fn together(outcomes: Vec<(String, Result<(), Failure>)>) -> Result<(), Failure> {
    let alone = outcomes.len() == 1;
    let failed: Vec<(String, Failure)> =
        outcomes.into_iter().filter_map(|(name, outcome)| Some((name, outcome.err()?))).collect();
    match failed.as_slice() {
        [] => Ok(()),
        [(_, failure)] if alone => Err(failure.clone()),
        [(_, first), ..] => {
            let told: Vec<String> =
                failed.iter().map(|(name, failure)| format!("{name}: {}", failure.problem)).collect();
            Err(Failure { problem: told.join("; "), ..first.clone() })
        }
    }
}

/// Sees to it that what a command changed is known before the command ends, and before its claims are given back.
async fn settle(services: &Services) {
    if let Err(error) = crate::live::settle(services).await {
        tracing::debug!(%error, "what changed is known when Docker answers again");
    }
}

/// Calls the clean-up where a command panics: it undid nothing. Made before the command claims anything, and so dropped
/// after all claims are given back.
struct RungOnPanic<'a>(&'a LeftOvers);

impl Drop for RungOnPanic<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.ring();
        }
    }
}

#[async_trait]
impl Executor for Services {
    async fn execute(
        self: Arc<Self>,
        permitted: Permitted,
        reporter: Reporter,
        running: Running,
    ) -> Result<(), Failure> {
        let _panic = RungOnPanic(&self.left_overs);
        let (user, email) = (permitted.user(), &permitted.user().email);
        match permitted.command() {
            Command::Version => version::run(&self, &reporter).await,
            Command::AddCluster(add) => add_cluster::run(&self, email, add, &reporter, &running).await,
            Command::AddImage(add) => add_image::run(&self, add, &reporter, &running).await,
            Command::AddRegistry(add) => add_registry::run(&self, email, add, &reporter, &running).await,
            Command::DeleteRegistry(delete) => delete_registry::run(&self, email, delete, &reporter, &running).await,
            Command::GetRegistries(_) => get_registries::run(&self, user, &reporter).await,
            Command::ExportKubeconfig(export) => export_kubeconfig::run(&self, email, export, &reporter).await,
            Command::ExportLogs(export) => export_logs::run(&self, email, export, &reporter, &running).await,
            Command::LoadImage(load) => load_image::run(&self, email, load, &reporter, &running).await,
            Command::GetCluster(get) => get_cluster::run(&self, user, get, &reporter).await,
            Command::GetNodes(get) => get_nodes::run(&self, user, get, &reporter).await,
            Command::GetPods(get) => get_pods::run(&self, user, get, &reporter).await,
            Command::GetServices(get) => get_services::run(&self, user, get, &reporter).await,
            Command::GetNetworks(get) => get_networks::run(&self, user, get, &reporter).await,
            Command::GetImages(get) => get_images::run(&self, user, get, &reporter).await,
            Command::GetClients(get) => get_clients::run(&self, user, get, &reporter),
            Command::GetUsage(get) => get_usage::run(&self, user, get, &reporter).await,
            Command::AddPort(add) => add_port::run(&self, email, add, &reporter, &running).await,
            Command::DeletePort(delete) => delete_port::run(&self, email, delete, &reporter, &running).await,
            Command::DeleteCluster(delete) => delete_cluster::run(&self, email, delete, &reporter, &running).await,
            Command::StartCluster(start) => start_cluster::run(&self, email, start, &reporter, &running).await,
            Command::StopCluster(stop) => stop_cluster::run(&self, email, stop, &reporter, &running).await,
            Command::StartNode(start) => start_node::run(&self, email, start, &reporter, &running).await,
            Command::StopNode(stop) => stop_node::run(&self, email, stop, &reporter, &running).await,
            Command::AddNode(add) => add_node::run(&self, email, add, &reporter, &running).await,
            Command::DeleteNode(delete) => delete_node::run(&self, email, delete, &reporter, &running).await,
            // The connection itself has done it.
            Command::JoinMirror(_) | Command::LeaveMirror(_) => Ok(()),
            Command::AdmitUser(admit) => admit::run(&self, user, admit),
            Command::Logs(logs) => {
                logs::run(&self.journal, logs, &reporter);
                Ok(())
            }
            Command::PodLogs(_) | Command::OpenShell | Command::OpenNode(_) | Command::OpenPod(_) => {
                let problem = format!("'{}' needs a terminal, which is a channel of its own", permitted.command());
                Err(Failure::new(Code::UNPROCESSABLE, problem, format!("connect to {TERMINAL_PATH}, or use the CLI")))
            }
            Command::TestHost => test_host::run(&reporter).await,
            Command::Cancel(cancel) => cancel::run(&self, email, cancel, &reporter),
        }
    }

    async fn ready(&self) -> Result<(), Failure> {
        if let Some(failure) = self.live.engine_absence() {
            return Err(failure);
        }
        // One that hangs ends no stream of events, which would tell that it is gone.
        let late = |_| {
            let problem = format!("Docker did not answer within {} s", READY_LIMIT.as_secs());
            Failure::new(Code::TIMEOUT, problem, "look at Docker's log: journalctl -u docker")
        };
        Ok(timeout(READY_LIMIT, self.engine.ping()).await.map_err(late)??)
    }
}
