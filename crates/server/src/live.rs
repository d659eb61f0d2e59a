//! What is known now: all that `get` returns, in memory. Docker's events ([`docker`]) and the watches of every cluster
//! ([`kubernetes`]) keep it true, whoever caused a change; nothing is polled.
//!
//! One lock orders everything: a change and its message to the mirrors, a list and its rows, a snapshot for a connection
//! that did not keep up. So whoever lists and then follows misses nothing and is told nothing twice.

mod clients;
mod cluster;
mod docker;
mod kubernetes;
mod objects;
mod waiting;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ipnet::Ipv4Net;
use jiff::Timestamp;
use qbo_api::message::{Change, Message, Payload};
use qbo_api::model::{Image, Registry, State, Usage};
use tokio::sync::{Notify, watch};
use uuid::Uuid;

use crate::access::User;
use crate::cluster::Identity;
use crate::driver::engine::{Container, EngineError, Network};
use crate::driver::kubernetes::{ApiServer, Observation};
use crate::error::Failure;
use crate::metrics;
use crate::mirror::{Feed, Mirrors};
use crate::operations::Operations;
use crate::provision::Mark;
use crate::report;
pub(crate) use clients::ClientInfo;
use clients::Clients;
use cluster::LiveCluster;
pub(crate) use cluster::Metered;
pub use docker::run;
pub(crate) use docker::{look_at, settle};

/// Rows in one message: more are told in several.
const CHUNK: usize = 500;

/// How long a `get` right after the start waits for the engine's first answer.
const FIRST_LIMIT: Duration = Duration::from_secs(30);

/// What is known now.
pub struct Live {
    inner: Mutex<Inner>,
    /// Held from the moment the engine is asked until its answer is taken in: no older answer comes after a newer one.
    look: tokio::sync::Mutex<()>,
    /// The sequence, for those who wait for something.
    moved: watch::Sender<u64>,
    /// Rung whenever an API server answers that did not.
    reached: Notify,
    mirrors: Arc<Mirrors>,
    operations: Arc<Operations>,
    host: String,
}

struct Inner {
    /// Grows with every change. It begins with the time, in microseconds, and so goes on growing over a restart.
    sequence: u64,
    engine: EngineView,
    /// When the engine was last looked at: what it told before is known.
    looked: Timestamp,
    /// Whether the control planes found at the start were looked into.
    begun: bool,
    clusters: BTreeMap<Uuid, LiveCluster>,
    images: Vec<Image>,
    /// Of all users.
    registries: Vec<Registry>,
    clients: Clients,
}

/// What is known of the engine.
enum EngineView {
    /// It has not answered yet.
    Awaited,
    /// It does not answer, and never did.
    Absent(EngineError),
    /// It answers.
    Known,
    /// It does not answer, but did: what was known is unknown.
    Lost(EngineError),
}

/// What became of rows.
type Delta = (Change, Payload);

/// All that a user may see, at one point of its history. Nothing changes while this is held.
pub(crate) struct View<'a> {
    inner: MutexGuard<'a, Inner>,
    user: &'a str,
}

impl Live {
    /// Nothing is known yet.
    pub fn new(mirrors: Arc<Mirrors>, operations: Arc<Operations>, host: String) -> Arc<Self> {
        let sequence = u64::try_from(Timestamp::now().as_microsecond()).unwrap_or_default();
        let inner = Inner {
            sequence,
            engine: EngineView::Awaited,
            looked: Timestamp::MIN,
            begun: false,
            clusters: BTreeMap::new(),
            images: Vec::new(),
            registries: Vec::new(),
            clients: Clients::new(host.clone()),
        };
        let live = Arc::new(Self {
            inner: Mutex::new(inner),
            look: tokio::sync::Mutex::default(),
            moved: watch::Sender::new(sequence),
            reached: Notify::new(),
            mirrors,
            operations,
            host,
        });
        let listener = Arc::downgrade(&live);
        live.operations.listen(move |user, cluster| {
            if let Some(live) = listener.upgrade() {
                live.business_changed(user, cluster);
            }
        });
        live
    }

    /// The rooms that changes are told in.
    pub fn mirrors(&self) -> &Arc<Mirrors> {
        &self.mirrors
    }

    /// All that a user may see. Waits for the engine's first answer, and a moment for those of API servers; fails where
    /// the engine is not there and never was.
    pub(crate) async fn view<'a>(&'a self, user: &'a str) -> Result<View<'a>, Failure> {
        let known = || match &self.lock().engine {
            EngineView::Awaited => None,
            EngineView::Absent(error) => Some(Err(Failure::from(error.clone()))),
            EngineView::Known | EngineView::Lost(_) => Some(Ok(())),
        };
        self.wait("Docker's first answer", FIRST_LIMIT, known).await??;
        self.meet(user).await;
        Ok(self.glance(user))
    }

    /// Why nothing can be done with the engine just now; none where it answers.
    pub(crate) fn engine_absence(&self) -> Option<Failure> {
        let awaited = || Failure::new(qbo_api::message::Code::UNAVAILABLE, "Docker has not answered yet", "");
        match &self.lock().engine {
            EngineView::Awaited => Some(awaited()),
            EngineView::Absent(error) | EngineView::Lost(error) => Some(error.clone().into()),
            EngineView::Known => None,
        }
    }

    /// All that a user may see as far as it is known, which before the engine's first answer is not much.
    pub(crate) fn glance<'a>(&'a self, user: &'a str) -> View<'a> {
        View { inner: self.lock(), user }
    }

    /// The state of a cluster's node; none where it is not known.
    pub(crate) fn node_state(&self, cluster: Uuid, node: &str) -> Option<State> {
        self.lock().clusters.get(&cluster)?.node_state(node)
    }

    /// When a node's kubelet last told how it is, in seconds since the epoch; none where it never did.
    pub(crate) fn node_heard(&self, cluster: Uuid, node: &str) -> Option<i64> {
        self.lock().clusters.get(&cluster)?.node_heard(node)
    }

    /// The container of a cluster's pod, by its uid, that is meant where none is named; none where it is not known.
    pub(crate) fn default_container(&self, cluster: Uuid, pod: &str) -> Option<Box<str>> {
        self.lock().clusters.get(&cluster)?.default_container(pod)
    }

    /// The API server of a cluster, where it answers.
    pub(crate) fn api_server(&self, cluster: Uuid) -> Option<Arc<dyn ApiServer>> {
        self.lock().clusters.get(&cluster)?.api_server()
    }

    /// The nodes of a cluster that pods were sent away from because they were to go.
    pub(crate) fn draining(&self, cluster: Uuid) -> Vec<String> {
        self.lock().clusters.get(&cluster).map(LiveCluster::draining).unwrap_or_default()
    }

    /// Whether the API server of a cluster has told of everything since it is followed.
    fn has_listed(&self, identity: &Identity) -> bool {
        self.lock().clusters.get(&identity.id).is_some_and(LiveCluster::has_listed)
    }

    /// A container as it is known, where a list tells nothing else of it.
    fn recall(&self, listed: &Container) -> Option<Container> {
        let inner = self.lock();
        // After a gap it may have been started anew.
        if !matches!(inner.engine, EngineView::Known) {
            return None;
        }
        let mut known = inner.clusters.values().flat_map(|cluster| cluster.found().containers());
        let known = known.find(|container| container.id == listed.id)?;
        (known.running == listed.running).then(|| known.clone())
    }

    /// A control plane got a mark.
    pub(crate) fn marked(&self, identity: &Identity, mark: Mark) {
        self.change(identity, "", |cluster| cluster.marked(mark));
    }

    /// A connection that did not keep up goes on from what is known now.
    pub(crate) fn resume(&self, feed: &Feed, user: &User) {
        let view = View { inner: self.lock(), user: &user.email };
        let sequence = view.inner.sequence;
        let snapshot: Vec<Message> = view
            .everything()
            .into_iter()
            .flat_map(|payload| chunks(payload).into_iter().zip(snapshot()))
            .map(|(payload, change)| report::changed(&self.host, user, (sequence, change), payload, ""))
            .collect();
        feed.resume(&snapshot);
        drop(view);
        metrics::snapshot();
    }

    fn business_changed(&self, user: &str, name: &str) {
        let mut inner = self.lock();
        // Looked at under the lock: whoever comes second tells what is last.
        let business = self.operations.business(user, name);
        let of_name = |cluster: &&mut LiveCluster| cluster.identity.user == user && cluster.identity.name == name;
        let known = inner.clusters.values_mut().find(of_name).map(|cluster| cluster.identity.clone());
        let born = business.as_ref().and_then(|business| business.id);
        let new = || born.map(|id| Identity { user: user.into(), name: name.into(), id });
        let Some(identity) = known.or_else(new) else { return };
        self.change_locked(&mut inner, &identity, "", |cluster| cluster.busy(business));
    }

    /// What the engine holds of clusters, all of it.
    fn listed(&self, containers: Vec<Container>, networks: Vec<Network>) {
        let mut inner = self.lock();
        let mut parts: HashMap<Uuid, (Identity, Vec<Container>, Vec<Network>)> = HashMap::new();
        for container in containers {
            if let Some(identity) = Identity::of_labels(&container.labels) {
                parts.entry(identity.id).or_insert_with(|| (identity, Vec::new(), Vec::new())).1.push(container);
            }
        }
        for network in networks {
            if let Some(identity) = Identity::of_labels(&network.labels) {
                parts.entry(identity.id).or_insert_with(|| (identity, Vec::new(), Vec::new())).2.push(network);
            }
        }
        for cluster in inner.clusters.values() {
            let identity = cluster.identity.clone();
            parts.entry(identity.id).or_insert_with(|| (identity, Vec::new(), Vec::new()));
        }
        for (identity, containers, networks) in parts.into_values() {
            self.change_locked(&mut inner, &identity, "docker GET /containers/json", |cluster| {
                cluster.listed(containers, networks)
            });
        }
        inner.engine = EngineView::Known;
        inner.looked = Timestamp::now();
        self.move_on(&mut inner);
    }

    /// The engine does not answer.
    fn engine_lost(&self, error: EngineError) {
        let mut inner = self.lock();
        if matches!(inner.engine, EngineView::Awaited | EngineView::Absent(_)) {
            inner.engine = EngineView::Absent(error);
            self.move_on(&mut inner);
            return;
        }
        inner.engine = EngineView::Lost(error);
        self.move_on(&mut inner);
        let identities: Vec<Identity> = inner.clusters.values().map(|cluster| cluster.identity.clone()).collect();
        for identity in identities {
            self.change_locked(&mut inner, &identity, "docker GET /events", LiveCluster::engine_lost);
        }
    }

    /// The engine told that a container runs, or does not.
    fn container_runs(&self, id: &str, runs: bool, since: Timestamp) {
        let mut inner = self.lock();
        // An event may be late: whoever looked after it has seen what came of it, and perhaps more.
        if since <= inner.looked {
            return;
        }
        let owner = inner.clusters.values().find(|cluster| cluster.has_container(id));
        if let Some(identity) = owner.map(|cluster| cluster.identity.clone()) {
            self.change_locked(&mut inner, &identity, "docker GET /events", |cluster| cluster.container_runs(id, runs));
        }
    }

    fn container_seen(&self, container: Container) {
        let mut inner = self.lock();
        inner.looked = Timestamp::now();
        if let Some(identity) = Identity::of_labels(&container.labels) {
            self.change_locked(&mut inner, &identity, "docker GET /events", |cluster| {
                cluster.container_seen(container)
            });
        }
    }

    fn network_seen(&self, network: Network) {
        if let Some(identity) = Identity::of_labels(&network.labels) {
            self.change(&identity, "docker GET /events", |cluster| cluster.network_seen(network));
        }
    }

    fn container_gone(&self, id: &str) {
        if let Some(identity) = self.owner(|cluster| cluster.has_container(id)) {
            self.change(&identity, "docker GET /events", |cluster| cluster.container_gone(id));
        }
    }

    fn network_gone(&self, id: &str) {
        if let Some(identity) = self.owner(|cluster| cluster.has_network(id)) {
            self.change(&identity, "docker GET /events", |cluster| cluster.network_gone(id));
        }
    }

    fn owner(&self, has: impl Fn(&LiveCluster) -> bool) -> Option<Identity> {
        self.lock().clusters.values().find(|cluster| has(cluster)).map(|cluster| cluster.identity.clone())
    }

    /// The images of nodes that the engine holds.
    fn images_seen(&self, images: Vec<Image>) {
        let mut inner = self.lock();
        let gone: Vec<Image> = inner.images.iter().filter(|image| !images.contains(image)).cloned().collect();
        let new: Vec<Image> = images.iter().filter(|image| !inner.images.contains(image)).cloned().collect();
        inner.images = images;
        let deltas = [(Change::Delete, Payload::Images(gone)), (Change::Put, Payload::Images(new))];
        // Images are everybody's.
        for user in self.mirrors.users() {
            self.tell(&mut inner, &user, deltas.iter().cloned(), "docker GET /events");
        }
    }

    /// All registries that there are.
    pub(crate) fn registries_seen(&self, rows: &[Registry]) {
        let users: std::collections::BTreeSet<String> = rows.iter().map(|row| row.user.clone()).collect();
        for user in users {
            let own = rows.iter().filter(|row| row.user == user).cloned().collect();
            self.registries_seen_of(&user, own);
        }
    }

    /// All registries of a user.
    pub(crate) fn registries_seen_of(&self, user: &str, rows: Vec<Registry>) {
        let mut inner = self.lock();
        let known = std::mem::take(&mut inner.registries);
        let (before, mut others): (Vec<Registry>, Vec<Registry>) = known.into_iter().partition(|row| row.user == user);
        let gone = before.iter().filter(|row| !rows.iter().any(|now| now.name == row.name)).cloned().collect();
        let new = rows.iter().filter(|row| !before.contains(row)).cloned().collect();
        others.extend(rows);
        inner.registries = others;
        let deltas = [(Change::Delete, Payload::Registries(gone)), (Change::Put, Payload::Registries(new))];
        self.tell(&mut inner, &User { email: user.into() }, deltas.into_iter(), "");
    }

    /// What a user's nodes and pods use now. It is a sample rather than a change: it has no place of its own in the history.
    pub(crate) fn used(&self, user: &User, rows: Vec<Usage>) {
        let inner = self.lock();
        for (payload, change) in chunks(Payload::Usage(rows)).into_iter().zip(snapshot()) {
            self.mirrors.tell(user, &report::changed(&self.host, user, (inner.sequence, change), payload, ""));
        }
    }

    /// The networks of all clusters, with whose they are.
    pub(crate) fn cluster_networks(&self) -> Vec<(String, Ipv4Net)> {
        let inner = self.lock();
        let networks = |cluster: &LiveCluster| {
            let subnets = cluster.found().networks.iter().flat_map(|network| network.subnets.clone());
            subnets.map(|subnet| (cluster.identity.user.clone(), subnet)).collect::<Vec<_>>()
        };
        inner.clusters.values().flat_map(networks).collect()
    }

    /// Tells that something changed, whatever it was.
    pub(crate) fn moves(&self) -> watch::Receiver<u64> {
        self.moved.subscribe()
    }

    /// Something was seen of a cluster by its API server.
    fn observed(&self, identity: &Identity, observation: Observation) {
        let callback = match &observation {
            Observation::Node(_) => "kubernetes WATCH nodes",
            Observation::Pod(_) => "kubernetes WATCH pods",
            Observation::Service(_) => "kubernetes WATCH services",
            Observation::Trouble(_) => "",
        };
        // Not of a cluster that is gone by now.
        let mut inner = self.lock();
        let answers = |inner: &Inner| inner.clusters.get(&identity.id).map(LiveCluster::is_connected);
        let Some(before) = answers(&inner) else { return };
        self.change_locked(&mut inner, identity, callback, |cluster| cluster.observed(observation));
        if !before && answers(&inner) == Some(true) {
            self.reached.notify_one();
        }
    }

    fn change(&self, identity: &Identity, callback: &str, change: impl FnOnce(&mut LiveCluster) -> Vec<Delta>) {
        self.change_locked(&mut self.lock(), identity, callback, change);
    }

    fn change_locked(
        &self,
        inner: &mut Inner,
        identity: &Identity,
        callback: &str,
        change: impl FnOnce(&mut LiveCluster) -> Vec<Delta>,
    ) {
        let new = || {
            let mut cluster = LiveCluster::new(identity.clone());
            cluster.busy(self.operations.business(&identity.user, &identity.name));
            cluster
        };
        let cluster = inner.clusters.entry(identity.id).or_insert_with(new);
        let deltas = change(cluster);
        if cluster.is_nothing() {
            inner.clusters.remove(&identity.id);
        }
        let owner = User { email: identity.user.clone() };
        self.tell(inner, &owner, deltas.into_iter(), callback);
    }

    /// Tells of changes, under the lock they were made under.
    fn tell(&self, inner: &mut Inner, owner: &User, deltas: impl Iterator<Item = Delta>, callback: &str) {
        for (change, payload) in deltas.filter(|(_, payload)| !payload.is_empty()) {
            for payload in chunks(payload) {
                inner.sequence += 1;
                metrics::changed(&payload);
                let sequence = inner.sequence;
                self.mirrors.tell(owner, &report::changed(&self.host, owner, (sequence, change), payload, callback));
            }
        }
        self.moved.send_replace(inner.sequence);
    }

    /// Who can be followed is followed.
    fn begun(&self) {
        let mut inner = self.lock();
        inner.begun = true;
        self.move_on(&mut inner);
    }

    fn move_on(&self, inner: &mut Inner) {
        inner.sequence += 1;
        self.moved.send_replace(inner.sequence);
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl View<'_> {
    /// Where in the history of changes it stands.
    pub(crate) fn sequence(&self) -> u64 {
        self.inner.sequence
    }

    fn clusters(&self) -> impl Iterator<Item = &LiveCluster> {
        let mut own: Vec<&LiveCluster> =
            self.inner.clusters.values().filter(|cluster| cluster.identity.user == self.user).collect();
        own.sort_by(|left, right| left.identity.name.cmp(&right.identity.name));
        own.into_iter()
    }

    /// Rows of all clusters.
    pub(crate) fn cluster_rows(&self) -> Vec<qbo_api::model::Cluster> {
        self.clusters().filter_map(LiveCluster::row).cloned().collect()
    }

    /// Rows of all nodes.
    pub(crate) fn nodes(&self) -> Vec<qbo_api::model::Node> {
        self.clusters().flat_map(LiveCluster::nodes).cloned().collect()
    }

    /// Rows of all pods.
    pub(crate) fn pods(&self) -> Vec<qbo_api::model::Pod> {
        self.clusters().flat_map(LiveCluster::pods).collect()
    }

    /// Rows of all ports of Services.
    pub(crate) fn services(&self) -> Vec<qbo_api::model::Service> {
        self.clusters().flat_map(LiveCluster::services).collect()
    }

    /// Rows of all networks of clusters.
    pub(crate) fn networks(&self) -> Vec<qbo_api::model::Network> {
        self.clusters().flat_map(LiveCluster::networks).cloned().collect()
    }

    /// The nodes that run, with the pods that are on them.
    pub(crate) fn metered(&self) -> Vec<Metered> {
        self.clusters().flat_map(LiveCluster::metered).collect()
    }

    /// Rows of all node images the engine holds.
    pub(crate) fn images(&self) -> Vec<Image> {
        self.inner.images.clone()
    }

    /// Rows of all registries of the user, by name.
    pub(crate) fn registries(&self) -> Vec<Registry> {
        self.inner.registries.iter().filter(|row| row.user == self.user).cloned().collect()
    }

    /// Rows of all connections of the user.
    pub(crate) fn clients(&self) -> Vec<qbo_api::model::Client> {
        self.inner.clients.rows(self.user)
    }

    fn everything(&self) -> [Payload; 8] {
        [
            Payload::Clusters(self.cluster_rows()),
            Payload::Nodes(self.nodes()),
            Payload::Pods(self.pods()),
            Payload::Services(self.services()),
            Payload::Networks(self.networks()),
            Payload::Images(self.images()),
            Payload::Registries(self.registries()),
            Payload::Clients(self.clients()),
        ]
    }
}

/// How messages are told that together are all rows of a kind.
fn snapshot() -> impl Iterator<Item = Change> {
    std::iter::once(Change::Snapshot).chain(std::iter::repeat(Change::Put))
}

/// A payload in messages of a bearable size; at least one, where it tells of rows that are all there are.
pub(crate) fn chunks(payload: Payload) -> Vec<Payload> {
    fn split<T>(mut rows: Vec<T>, make: fn(Vec<T>) -> Payload) -> Vec<Payload> {
        let mut payloads = Vec::with_capacity(rows.len() / CHUNK + 1);
        while rows.len() > CHUNK {
            let rest = rows.split_off(CHUNK);
            payloads.push(make(std::mem::replace(&mut rows, rest)));
        }
        payloads.push(make(rows));
        payloads
    }
    match payload {
        Payload::Clusters(rows) => split(rows, Payload::Clusters),
        Payload::Nodes(rows) => split(rows, Payload::Nodes),
        Payload::Pods(rows) => split(rows, Payload::Pods),
        Payload::Services(rows) => split(rows, Payload::Services),
        Payload::Networks(rows) => split(rows, Payload::Networks),
        Payload::Images(rows) => split(rows, Payload::Images),
        Payload::Registries(rows) => split(rows, Payload::Registries),
        Payload::Clients(rows) => split(rows, Payload::Clients),
        Payload::Usage(rows) => split(rows, Payload::Usage),
        Payload::Version(_) | Payload::Output(_) | Payload::Input(_) => vec![payload],
    }
}

#[cfg(test)]
mod tests;
