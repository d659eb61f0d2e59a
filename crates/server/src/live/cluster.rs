//! One cluster: what Docker tells of its containers, what Kubernetes tells of its objects, and what a command is just
//! making of it, put together into rows. Pure: every change returns what became of which rows.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use qbo_api::message::{Change, Payload};
use qbo_api::model::{Cluster, Network as NetworkRow, Node, Pod, Service, State};
use tokio::sync::watch;
use tokio_util::sync::DropGuard;

use super::Delta;
use super::objects::{Changed, Objects};
use crate::cluster::{Found, FoundNode, Identity};
use crate::driver::engine::{Container, Network};
use crate::driver::kubernetes::{ApiServer, NodeStatus, Observation, PodStatus, ServiceStatus};
use crate::operations::Business;
use crate::provision::Mark;

/// What a pod is said to be doing while nobody can tell.
const UNKNOWN: &str = "Unknown";

/// What a pod is said to be doing once it is gone.
const DELETED: &str = "Deleted";

/// A cluster, whole or in parts.
pub(super) struct LiveCluster {
    pub(super) identity: Identity,
    /// What the engine holds of it.
    found: Found,
    /// Whether the engine answers.
    engine_answers: bool,
    mark: Option<Mark>,
    business: Option<Business>,
    /// Whether the API server answers, and has told of everything.
    connected: bool,
    /// Whether it is known how the API server is: it answered, or did not in good time.
    met: bool,
    statuses: Objects<NodeStatus>,
    pods: Objects<PodStatus>,
    services: Objects<ServiceStatus>,
    /// The rows as they were told last.
    row: Option<Cluster>,
    nodes: BTreeMap<String, Node>,
    networks: BTreeMap<String, NetworkRow>,
    /// The API server, and what ends who follows it when the cluster goes.
    follower: Option<(Arc<dyn ApiServer>, DropGuard)>,
    /// Whether a control plane runs, for who follows the API server.
    runs: watch::Sender<bool>,
}

/// A node of which it can be told what it uses.
pub(crate) struct Metered {
    /// The first process of its container.
    pub(crate) process: u32,
    pub(crate) row: Node,
    /// The pods on it, by the uid that its kubelet knows them by.
    pub(crate) pods: HashMap<String, MeteredPod>,
}

/// A pod of which it can be told what it uses.
pub(crate) struct MeteredPod {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) namespace: String,
}

impl LiveCluster {
    pub(super) fn new(identity: Identity) -> Self {
        Self {
            found: Found::new(identity.clone()),
            identity,
            engine_answers: true,
            mark: None,
            business: None,
            connected: false,
            met: false,
            statuses: Objects::new(|status| &status.name),
            pods: Objects::new(|status| &status.uid),
            services: Objects::new(|status| &status.uid),
            row: None,
            nodes: BTreeMap::new(),
            networks: BTreeMap::new(),
            follower: None,
            runs: watch::Sender::new(false),
        }
    }

    /// Whether nothing is left of it.
    pub(super) fn is_nothing(&self) -> bool {
        self.found.containers().next().is_none() && self.found.networks.is_empty() && self.business.is_none()
    }

    pub(super) fn found(&self) -> &Found {
        &self.found
    }

    /// From now on somebody follows its API server; whoever did so before ends.
    pub(super) fn follow(&mut self, api_server: Arc<dyn ApiServer>, guard: DropGuard) -> watch::Receiver<bool> {
        self.follower = Some((api_server, guard));
        self.runs.subscribe()
    }

    /// Whether its API server answers.
    pub(super) fn is_connected(&self) -> bool {
        self.connected
    }

    /// Its API server, where that answers.
    pub(super) fn api_server(&self) -> Option<Arc<dyn ApiServer>> {
        self.follower.as_ref().filter(|_| self.connected).map(|(api_server, _)| Arc::clone(api_server))
    }

    pub(super) fn has_container(&self, id: &str) -> bool {
        self.found.containers().any(|container| container.id == id)
    }

    pub(super) fn has_network(&self, id: &str) -> bool {
        self.found.networks.iter().any(|network| network.id == id)
    }

    /// Whether nobody knows how far it is, and nobody is about to find out.
    pub(super) fn is_unread(&self) -> bool {
        let business = self.business.as_ref().and_then(|business| business.state);
        let is_making = matches!(business, Some(State::Creating | State::Deleting));
        self.mark.is_none() && !is_making && self.follower.is_none()
    }

    /// Whether its API server was not heard of yet and soon will be.
    pub(super) fn is_about_to_answer(&self) -> bool {
        self.follower.is_some() && !self.met && *self.runs.borrow()
    }

    /// Whether a node is as it would be Ready if it had a network.
    pub(super) fn lacks_network(&self, name: &str) -> bool {
        let container = self.found.nodes.iter().map(|node| &node.container).find(|container| container.name == name);
        let status = self.statuses.get(name).filter(|status| self.connected && status.lacks_network);
        container.zip(status).is_some_and(|(container, status)| container.running && status.heard >= container.started)
    }

    /// The nodes that pods were sent away from because they were to go.
    pub(super) fn draining(&self) -> Vec<String> {
        let statuses = self.statuses.iter().filter(|status| status.draining);
        statuses.map(|status| status.name.clone()).collect()
    }

    pub(super) fn node_state(&self, name: &str) -> Option<State> {
        self.nodes.values().find(|node| node.name == name).map(|node| node.state)
    }

    /// The first of these nodes that was started and has ended.
    pub(super) fn ended_node(&self, is_meant: &impl Fn(&str) -> bool) -> Option<&str> {
        let containers = self.found.nodes.iter().map(|node| &node.container);
        let has_ended = |container: &&Container| !container.running && container.started > 0;
        let mut ended = containers.filter(|container| is_meant(&container.name)).filter(has_ended);
        ended.next().map(|container| container.name.as_str())
    }

    pub(super) fn node_heard(&self, name: &str) -> Option<i64> {
        self.statuses.get(name).map(|status| status.heard)
    }

    pub(super) fn default_container(&self, pod: &str) -> Option<Box<str>> {
        self.pods.get(pod)?.default_container.clone()
    }

    pub(super) fn row(&self) -> Option<&Cluster> {
        self.row.as_ref()
    }

    /// Control planes first, then by name.
    pub(super) fn nodes(&self) -> impl Iterator<Item = &Node> {
        self.found.nodes.iter().filter_map(|node| self.nodes.get(&node.container.id))
    }

    pub(super) fn networks(&self) -> impl Iterator<Item = &NetworkRow> {
        self.networks.values()
    }

    /// By namespace and name.
    pub(super) fn pods(&self) -> Vec<Pod> {
        let states = self.states();
        let mut rows: Vec<Pod> = self.pods.iter().map(|status| self.pod_row(status, &states)).collect();
        rows.sort_by(|left, right| (&left.namespace, &left.name).cmp(&(&right.namespace, &right.name)));
        rows
    }

    /// The nodes that run, with the pods that are on them.
    pub(super) fn metered(&self) -> Vec<Metered> {
        let mut pods: HashMap<&str, HashMap<String, MeteredPod>> = HashMap::new();
        for pod in self.pods.iter() {
            let uid = pod.static_uid.as_deref().unwrap_or(&pod.uid).to_owned();
            let named = MeteredPod { id: pod.uid.clone(), name: pod.name.clone(), namespace: pod.namespace.clone() };
            pods.entry(&pod.node).or_default().insert(uid, named);
        }
        let containers = self.found.nodes.iter().map(|node| &node.container);
        let running = containers.filter(|container| container.running && container.process > 0);
        let metered = running.filter_map(|container| {
            let pods = pods.remove(container.name.as_str()).unwrap_or_default();
            Some(Metered { process: container.process, row: self.nodes.get(&container.id)?.clone(), pods })
        });
        metered.collect()
    }

    /// By namespace and name, the ports in their order.
    pub(super) fn services(&self) -> Vec<Service> {
        let mut services: Vec<&ServiceStatus> = self.services.iter().collect();
        services.sort_by(|left, right| (&left.namespace, &left.name).cmp(&(&right.namespace, &right.name)));
        services.into_iter().flat_map(|service| self.service_rows(service)).collect()
    }

    pub(super) fn busy(&mut self, business: Option<Business>) -> Vec<Delta> {
        self.business = business;
        self.refresh()
    }

    pub(super) fn marked(&mut self, mark: Mark) -> Vec<Delta> {
        self.mark = Some(mark);
        self.refresh()
    }

    /// All that the engine holds of it.
    pub(super) fn listed(&mut self, containers: Vec<Container>, networks: Vec<Network>) -> Vec<Delta> {
        self.engine_answers = true;
        self.found = Found::new(self.identity.clone());
        for container in containers {
            self.found.put_container(container);
        }
        self.found.networks = networks;
        self.refresh()
    }

    pub(super) fn engine_lost(&mut self) -> Vec<Delta> {
        self.engine_answers = false;
        self.refresh()
    }

    pub(super) fn container_runs(&mut self, id: &str, runs: bool) -> Vec<Delta> {
        let Some(known) = self.found.containers().find(|container| container.id == id).cloned() else {
            return Vec::new();
        };
        self.container_seen(Container { running: runs, ..known })
    }

    pub(super) fn container_seen(&mut self, container: Container) -> Vec<Delta> {
        self.found.put_container(container);
        self.refresh()
    }

    pub(super) fn container_gone(&mut self, id: &str) -> Vec<Delta> {
        self.found.drop_container(id);
        self.refresh()
    }

    pub(super) fn network_seen(&mut self, network: Network) -> Vec<Delta> {
        self.found.networks.retain(|known| known.id != network.id);
        self.found.networks.push(network);
        self.refresh()
    }

    pub(super) fn network_gone(&mut self, id: &str) -> Vec<Delta> {
        self.found.networks.retain(|network| network.id != id);
        self.refresh()
    }

    /// The watches of its API server begin anew: all is listed once more.
    pub(super) fn watched_anew(&mut self) -> Vec<Delta> {
        self.statuses.begin();
        self.pods.begin();
        self.services.begin();
        Vec::new()
    }

    /// Whether its API server has told of everything since its watches began.
    pub(super) fn has_listed(&self) -> bool {
        self.statuses.is_listed() && self.pods.is_listed() && self.services.is_listed()
    }

    /// Its API server does not answer.
    pub(super) fn lost(&mut self) -> Vec<Delta> {
        self.met = true;
        if !std::mem::take(&mut self.connected) {
            return Vec::new();
        }
        let mut deltas = self.refresh();
        deltas.push((Change::Put, Payload::Pods(self.pods())));
        deltas
    }

    pub(super) fn observed(&mut self, observation: Observation) -> Vec<Delta> {
        let mut deltas = match observation {
            Observation::Node(seen) => {
                self.statuses.see(seen);
                self.refresh()
            }
            Observation::Pod(seen) => {
                let changed = self.pods.see(seen);
                self.pods_changed(&changed)
            }
            Observation::Service(seen) => {
                let changed = self.services.see(seen);
                self.services_changed(&changed)
            }
            Observation::Trouble(_) => Vec::new(),
        };
        if self.has_listed() && !self.connected {
            (self.connected, self.met) = (true, true);
            deltas.extend(self.refresh());
            deltas.push((Change::Put, Payload::Pods(self.pods())));
            deltas.push((Change::Put, Payload::Services(self.services())));
        }
        deltas
    }

    fn pods_changed(&self, changed: &Changed<PodStatus>) -> Vec<Delta> {
        let states = self.states();
        let gone = changed.gone.iter().map(|status| Pod { status: DELETED.into(), ..self.pod_row(status, &states) });
        let mut deltas = vec![(Change::Delete, Payload::Pods(gone.collect()))];
        // What is seen before all is known is told together then.
        if self.connected {
            let put = changed.put.iter().map(|status| self.pod_row(status, &states));
            deltas.push((Change::Put, Payload::Pods(put.collect())));
        }
        deltas
    }

    fn services_changed(&self, changed: &Changed<ServiceStatus>) -> Vec<Delta> {
        let rows = |services: &[ServiceStatus]| -> Vec<Service> {
            services.iter().flat_map(|service| self.service_rows(service)).collect()
        };
        let port = |row: &Service| (row.id.clone(), row.port_number, row.protocol.clone());
        let put = rows(&changed.put);
        let kept: HashSet<_> = put.iter().map(port).collect();
        let mut gone = rows(&changed.gone);
        // A Service may lose a port and stay.
        gone.extend(rows(&changed.replaced).into_iter().filter(|row| !kept.contains(&port(row))));
        let mut deltas = vec![(Change::Delete, Payload::Services(gone))];
        if self.connected {
            deltas.push((Change::Put, Payload::Services(put)));
        }
        deltas
    }

    /// Makes its rows and those of its nodes and networks anew, and tells what differs from before.
    fn refresh(&mut self) -> Vec<Delta> {
        let nodes: BTreeMap<String, Node> =
            self.found.nodes.iter().map(|node| (node.container.id.clone(), self.node_row(node))).collect();
        let row = (!self.is_nothing()).then(|| self.cluster_row(nodes.values().map(|node| node.state)));
        let networks = self.found.networks.iter().map(|network| (network.id.clone(), self.network_row(network)));
        let networks: BTreeMap<String, NetworkRow> = networks.collect();

        let mut deltas = Vec::new();
        let moved: HashSet<String> = nodes
            .iter()
            .filter(|(id, node)| self.nodes.get(*id) != Some(node))
            .map(|(_, node)| node.name.clone())
            .collect();
        let (put, gone) = differences(&self.nodes, &nodes);
        let gone = gone.into_iter().map(|node| Node { state: State::Deleted, ..node });
        deltas.push((Change::Delete, Payload::Nodes(gone.collect())));
        deltas.push((Change::Put, Payload::Nodes(put)));
        let (put, gone) = differences(&self.networks, &networks);
        let gone = gone.into_iter().map(|network| NetworkRow { state: State::Deleted.to_string(), ..network });
        deltas.push((Change::Delete, Payload::Networks(gone.collect())));
        deltas.push((Change::Put, Payload::Networks(put)));
        if self.row != row {
            deltas.push(match (&row, &self.row) {
                (Some(row), _) => (Change::Put, Payload::Clusters(vec![row.clone()])),
                (None, Some(old)) => {
                    (Change::Delete, Payload::Clusters(vec![Cluster { state: State::Deleted, ..old.clone() }]))
                }
                (None, None) => unreachable!("two absent rows do not differ"),
            });
        }
        (self.nodes, self.networks, self.row) = (nodes, networks, row);
        self.runs.send_if_modified(|runs| {
            let runs_now = self.found.control_planes().any(|node| node.container.running);
            std::mem::replace(runs, runs_now) != runs_now
        });
        // Pods tell the state of their node.
        let states = self.states();
        let touched = self.pods.iter().filter(|pod| self.connected && moved.contains(&pod.node));
        deltas.push((Change::Put, Payload::Pods(touched.map(|status| self.pod_row(status, &states)).collect())));
        if self.is_nothing() {
            let pods = self.pods.iter().map(|pod| Pod { status: DELETED.into(), ..self.pod_row(pod, &states) });
            deltas.push((Change::Delete, Payload::Pods(pods.collect())));
            deltas.push((Change::Delete, Payload::Services(self.services())));
        }
        deltas
    }

    fn states(&self) -> HashMap<&str, State> {
        self.nodes.values().map(|node| (node.name.as_str(), node.state)).collect()
    }

    /// A cluster is what is made of it, else what the worst of its nodes is.
    fn cluster_row(&self, nodes: impl Iterator<Item = State>) -> Cluster {
        let states: Vec<State> = nodes.collect();
        let all = |state| states.iter().all(|other| *other == state);
        let state = match self.business.as_ref().and_then(|business| business.state) {
            Some(state) => state,
            None if !self.engine_answers => State::Unknown,
            None if self.found.control_plane().is_none() || self.mark != Some(Mark::Ready) => State::Error,
            None if all(State::Stopped) => State::Stopped,
            None if states.contains(&State::Unknown) => State::Unknown,
            None if all(State::Ready) => State::Ready,
            None => State::NotReady,
        };
        self.found.row(state)
    }

    fn node_row(&self, node: &FoundNode) -> Node {
        let container = &node.container;
        let status = self.statuses.get(&container.name).filter(|_| self.connected);
        let (os, kernel) = status.map(|status| (status.os.clone(), status.kernel.clone())).unwrap_or_default();
        Node { os, kernel, ..self.found.node_row(node, self.state_of(node, status)) }
    }

    fn state_of(&self, node: &FoundNode, status: Option<&NodeStatus>) -> State {
        let container = &node.container;
        let business = self.business.as_ref();
        let changing = business.and_then(|business| business.nodes.get(&container.name).copied().or(business.state));
        // What was heard of it before it was started says nothing.
        let is_ready = status.is_some_and(|status| status.ready && status.heard >= container.started);
        match (container.running, changing) {
            _ if !self.engine_answers => State::Unknown,
            (true, None | Some(State::Creating | State::Starting)) if is_ready => State::Ready,
            (_, Some(changing)) => changing,
            (false, None) => State::Stopped,
            (true, None) if !self.connected => State::Unknown,
            (true, None) => State::NotReady,
        }
    }

    fn network_row(&self, network: &Network) -> NetworkRow {
        let subnets = network.subnets.iter().map(ToString::to_string);
        let subnets: Vec<String> = subnets.chain(network.subnets_v6.iter().map(ToString::to_string)).collect();
        NetworkRow {
            name: network.name.clone(),
            id: network.id.clone(),
            subnet: subnets.join(","),
            state: if self.engine_answers { State::Ready } else { State::Unknown }.to_string(),
            user: self.identity.user.clone(),
            cluster_id: self.identity.id.to_string(),
        }
    }

    fn pod_row(&self, pod: &PodStatus, states: &HashMap<&str, State>) -> Pod {
        let node_status = states.get(pod.node.as_str()).map(ToString::to_string);
        Pod {
            name: pod.name.clone(),
            id: pod.uid.clone(),
            namespace: pod.namespace.clone(),
            address: pod.address.clone(),
            status: if self.connected { pod.status.clone() } else { UNKNOWN.into() },
            ready: pod.ready,
            started: pod.started,
            node: pod.node.clone(),
            node_status: node_status.unwrap_or_default(),
            cluster: self.identity.name.clone(),
            user: self.identity.user.clone(),
            cluster_id: self.identity.id.to_string(),
            labels: pod.labels.clone(),
        }
    }

    fn service_rows(&self, service: &ServiceStatus) -> Vec<Service> {
        let row = |port: &crate::driver::kubernetes::ServicePort| Service {
            name: service.name.clone(),
            id: service.uid.clone(),
            namespace: service.namespace.clone(),
            address: service.address.clone(),
            external_address: service.external_address.clone(),
            kind: service.kind.clone(),
            port_name: port.name.clone(),
            port_number: port.port,
            target_port: port.target,
            node_port: port.node,
            protocol: port.protocol.clone(),
            cluster: self.identity.name.clone(),
            user: self.identity.user.clone(),
            cluster_id: self.identity.id.to_string(),
            selector: service.selector.clone(),
        };
        if service.ports.is_empty() {
            return vec![row(&crate::driver::kubernetes::ServicePort::default())];
        }
        service.ports.iter().map(row).collect()
    }
}

/// What is new or other than before, and what is gone.
fn differences<T: Clone + PartialEq>(before: &BTreeMap<String, T>, now: &BTreeMap<String, T>) -> (Vec<T>, Vec<T>) {
    let put = now.iter().filter(|(key, row)| before.get(*key) != Some(row)).map(|(_, row)| row.clone());
    let gone = before.iter().filter(|(key, _)| !now.contains_key(*key)).map(|(_, row)| row.clone());
    (put.collect(), gone.collect())
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::driver::kubernetes::{Seen, ServicePort};

    fn service(ports: &[u16]) -> ServiceStatus {
        let port = |port: &u16| ServicePort { port: *port, protocol: "TCP".into(), ..ServicePort::default() };
        ServiceStatus {
            uid: "u".into(),
            name: "web".into(),
            namespace: "default".into(),
            address: "10.96.0.7".into(),
            external_address: String::new(),
            kind: "ClusterIP".into(),
            ports: ports.iter().map(port).collect(),
            selector: vec!["app=web".into()],
        }
    }

    #[test]
    fn a_port_that_a_service_loses_is_told_as_gone() {
        let mut cluster =
            LiveCluster::new(Identity { user: "alex".into(), name: "dev".into(), id: Uuid::from_u128(1) });
        for kind in
            [Observation::Node(Seen::Listing), Observation::Pod(Seen::Listing), Observation::Service(Seen::Listing)]
        {
            cluster.observed(kind);
        }
        cluster.observed(Observation::Service(Seen::Put(service(&[80, 443]))));
        for kind in
            [Observation::Node(Seen::Listed), Observation::Pod(Seen::Listed), Observation::Service(Seen::Listed)]
        {
            cluster.observed(kind);
        }
        assert_eq!(cluster.services().len(), 2);
        let deltas = cluster.observed(Observation::Service(Seen::Put(service(&[443, 8443]))));
        let ports = |change| -> Vec<u16> {
            let rows = deltas.iter().filter(|delta| delta.0 == change).flat_map(|delta| match &delta.1 {
                Payload::Services(rows) => rows.iter().map(|row| row.port_number).collect::<Vec<_>>(),
                other => panic!("{other:?}"),
            });
            rows.collect()
        };
        assert_eq!((ports(Change::Delete), ports(Change::Put)), (vec![80], vec![443, 8443]));
    }
}
