//! Clusters as Docker tells of them: containers and networks with qbo's labels, grouped. Nothing of this is stored
//! anywhere else.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use ipnet::IpNet;
use qbo_api::message::Code;
use qbo_api::model::{Cluster, Node, State};
use qbo_api::name::{ClusterReference, Domain};
use qbo_api::settings::PortMapping;
use qbo_bootstrap::{NodePlan, Role};
use uuid::Uuid;

use crate::address::balancer_address;
use crate::driver::engine::{Container, Engine, EngineError, Labels, Network};
use crate::error::Failure;
use crate::recorded::Recorded;

/// Whose it is.
pub const LABEL_USER: &str = "io.qbo.user";
/// The cluster's name.
pub const LABEL_CLUSTER: &str = "io.qbo.cluster";
/// The cluster's id.
pub const LABEL_CLUSTER_ID: &str = "io.qbo.cluster-id";
/// [`CONTROL_PLANE`], [`WORKER`], [`BALANCER`] or [`PORT`].
pub const LABEL_ROLE: &str = "io.qbo.role";
/// The domain of the node's name.
pub const LABEL_DOMAIN: &str = "io.qbo.domain";
/// The node's fixed address; Docker itself tells it only of running containers.
pub const LABEL_ADDRESS: &str = "io.qbo.address";
/// The node's shares of the pod subnets, with commas between.
pub const LABEL_POD_SUBNETS: &str = "io.qbo.pod-subnets";
/// On a node that was brought into a living cluster: it is complete only once it bears the mark.
pub const LABEL_JOINED: &str = "io.qbo.joined";
/// The port of the host that a container passes on, as the command line has it.
pub const LABEL_PORT: &str = "io.qbo.port";
/// The node that it leads to.
pub const LABEL_TARGET: &str = "io.qbo.target";
/// Which server made it: its state directory. Several servers may share a Docker.
pub const LABEL_SERVER: &str = "io.qbo.server";
/// On a container that was made only to look into its image.
pub const LABEL_PROBE: &str = "io.qbo.probe";
/// On the container of a user's shells.
pub const LABEL_SHELL: &str = "io.qbo.shell";

/// The role of a control plane node.
pub const CONTROL_PLANE: &str = "control-plane";
/// The role of a worker node.
pub const WORKER: &str = "worker";

/// The role of the container in front of several control planes.
pub const BALANCER: &str = "balancer";

/// The role of a container that passes on a port of the host.
pub const PORT: &str = "port";

/// The port of every API server.
const API_SERVER_PORT: u16 = 6443;

/// Who a cluster is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Whose it is.
    pub user: String,
    /// Its name.
    pub name: String,
    /// Its id.
    pub id: Uuid,
}

/// A cluster as found in Docker, whole or in parts.
#[derive(Debug, Clone)]
pub struct Found {
    /// Who it is.
    pub identity: Identity,
    /// Its networks: one, but for what an interrupted command left.
    pub networks: Vec<Network>,
    /// Its nodes by name, control planes first.
    pub nodes: Vec<FoundNode>,
    /// What stands in front of its API servers, where it has several.
    pub balancer: Option<FoundNode>,
    /// What passes on ports of the host into it, by those ports.
    pub ports: Vec<FoundPort>,
}

/// What passes on a port of the host.
#[derive(Debug, Clone)]
pub struct FoundPort {
    /// Its container.
    pub container: Container,
    /// The port, and where it leads.
    pub mapping: PortMapping,
    /// The name of the node it leads to.
    pub target: String,
    /// Its fixed address.
    pub address: Option<Ipv4Addr>,
}

/// A node as found in Docker.
#[derive(Debug, Clone)]
pub struct FoundNode {
    /// Its container.
    pub container: Container,
    /// What it is for.
    pub role: Role,
    /// Its fixed address.
    pub address: Option<Ipv4Addr>,
    /// Its shares of the pod subnets; none where an earlier version made it.
    pub pod_subnets: Vec<IpNet>,
}

impl Identity {
    /// The labels of all that belongs to the cluster.
    pub fn labels(&self) -> Labels {
        Labels::from([
            (LABEL_USER.into(), self.user.clone()),
            (LABEL_CLUSTER.into(), self.name.clone()),
            (LABEL_CLUSTER_ID.into(), self.id.to_string()),
        ])
    }

    /// The labels of one of its nodes.
    pub fn node_labels(&self, node: &NodePlan, domain: &Domain) -> Labels {
        let mut labels = self.labels();
        labels.insert(LABEL_ROLE.into(), role_name(node.role).into());
        labels.insert(LABEL_ADDRESS.into(), node.address.to_string());
        let pod_subnets: Vec<String> = node.pod_subnets.iter().map(ToString::to_string).collect();
        labels.insert(LABEL_POD_SUBNETS.into(), pod_subnets.join(","));
        labels.insert(LABEL_DOMAIN.into(), domain.to_string());
        labels
    }

    /// The labels of what stands in front of its API servers.
    pub fn balancer_labels(&self, address: Ipv4Addr) -> Labels {
        let mut labels = self.labels();
        labels.insert(LABEL_ROLE.into(), BALANCER.into());
        labels.insert(LABEL_ADDRESS.into(), address.to_string());
        labels
    }

    /// The labels of what passes on a port of the host to one of its nodes.
    pub fn port_labels(&self, port: &PortMapping, target: &str, address: Ipv4Addr) -> Labels {
        let mut labels = self.labels();
        labels.insert(LABEL_ROLE.into(), PORT.into());
        labels.insert(LABEL_PORT.into(), port.to_string());
        labels.insert(LABEL_TARGET.into(), target.into());
        labels.insert(LABEL_ADDRESS.into(), address.to_string());
        labels
    }

    /// The cluster that labels tell of; none where they tell of none.
    pub fn of_labels(labels: &Labels) -> Option<Self> {
        Some(Self {
            user: labels.get(LABEL_USER)?.clone(),
            name: labels.get(LABEL_CLUSTER)?.clone(),
            id: labels.get(LABEL_CLUSTER_ID)?.parse().ok()?,
        })
    }
}

impl Found {
    /// A cluster of which nothing was found yet.
    pub fn new(identity: Identity) -> Self {
        Self { identity, networks: Vec::new(), nodes: Vec::new(), balancer: None, ports: Vec::new() }
    }

    /// A container as it is now, in its place.
    pub fn put_container(&mut self, container: Container) {
        match container.labels.get(LABEL_ROLE).map(String::as_str) {
            Some(BALANCER) => self.balancer = Some(FoundNode::of(container)),
            Some(PORT) => self.put_port(container),
            _ => self.put_node(container),
        }
    }

    fn put_port(&mut self, container: Container) {
        self.ports.retain(|port| port.container.id != container.id);
        self.ports.extend(FoundPort::of(container));
        self.ports.sort_by_key(|port| (port.mapping.host, port.container.name.clone()));
    }

    fn put_node(&mut self, container: Container) {
        self.nodes.retain(|node| node.container.id != container.id);
        self.nodes.push(FoundNode::of(container));
        // The first control plane stays the first: those that joined come after those of the beginning.
        let is_later = |node: &FoundNode| node.role == Role::ControlPlane && node.is_joined();
        self.nodes.sort_by_key(|node| (node.role != Role::ControlPlane, is_later(node), node.container.name.clone()));
    }

    /// A container of this id is gone.
    pub fn drop_container(&mut self, id: &str) {
        self.nodes.retain(|node| node.container.id != id);
        self.balancer.take_if(|balancer| balancer.container.id == id);
        self.ports.retain(|port| port.container.id != id);
    }

    /// All its containers: nodes, and what stands in front of them.
    pub fn containers(&self) -> impl Iterator<Item = &Container> {
        let nodes = self.nodes.iter().chain(&self.balancer).map(|node| &node.container);
        nodes.chain(self.ports.iter().map(|port| &port.container))
    }

    /// The addresses of its network that are given away for good.
    pub fn addresses(&self) -> impl Iterator<Item = Ipv4Addr> {
        let nodes = self.nodes.iter().filter_map(|node| node.address);
        nodes.chain(self.ports.iter().filter_map(|port| port.address))
    }

    /// What its network records of its making.
    pub fn recorded(&self) -> Result<Recorded, Failure> {
        Recorded::of_labels(&self.networks.first().map(|network| network.labels.clone()).unwrap_or_default())
    }

    /// All its control planes.
    pub fn control_planes(&self) -> impl Iterator<Item = &FoundNode> {
        self.nodes.iter().filter(|node| node.role == Role::ControlPlane)
    }

    /// The first control plane node, where one is left.
    pub fn control_plane(&self) -> Option<&FoundNode> {
        self.nodes.iter().find(|node| node.role == Role::ControlPlane)
    }

    /// The cluster as messages tell it.
    pub fn row(&self, state: State) -> Cluster {
        let control_plane = self.control_plane();
        Cluster {
            address: self
                .balancer
                .as_ref()
                .or(control_plane)
                .and_then(|node| node.address)
                .map(endpoint)
                .unwrap_or_default(),
            control_plane: control_plane.map(|node| node.container.name.clone()).unwrap_or_default(),
            id: self.identity.id.to_string(),
            name: self.identity.name.clone(),
            state,
            user: self.identity.user.clone(),
            ports: self.ports.iter().map(|port| port.mapping.to_string()).collect(),
        }
    }

    /// Where its API servers are balanced, or would be: an address of its network, by which it is known again where no control plane is
    /// left. Empty without a network.
    pub fn balancer_endpoint(&self) -> String {
        let mut subnets = self.networks.iter().flat_map(|network| &network.subnets);
        subnets.next().map(|subnet| endpoint(balancer_address(*subnet))).unwrap_or_default()
    }

    /// One of its nodes as messages tell it, without what only Kubernetes knows.
    pub fn node_row(&self, node: &FoundNode, state: State) -> Node {
        Node {
            name: node.container.name.clone(),
            id: node.container.id.clone(),
            image: node.container.image.clone(),
            cluster: self.identity.name.clone(),
            state,
            address: node.address.map(|address| address.to_string()).unwrap_or_default(),
            os: String::new(),
            kernel: String::new(),
            user: self.identity.user.clone(),
            cluster_id: self.identity.id.to_string(),
        }
    }
}

/// The address of the API server of a control plane.
pub fn endpoint(control_plane: Ipv4Addr) -> String {
    format!("https://{control_plane}:{API_SERVER_PORT}")
}

/// All clusters that Docker knows of, by user and name.
pub async fn find_all(engine: &dyn Engine) -> Result<Vec<Found>, EngineError> {
    let (containers, networks) = tokio::try_join!(engine.containers(LABEL_CLUSTER_ID), engine.networks())?;
    let mut clusters: BTreeMap<Uuid, Found> = BTreeMap::new();
    for network in networks {
        if let Some(identity) = Identity::of_labels(&network.labels) {
            clusters.entry(identity.id).or_insert_with(|| Found::new(identity)).networks.push(network);
        }
    }
    for container in containers {
        if let Some(identity) = Identity::of_labels(&container.labels) {
            let cluster = clusters.entry(identity.id).or_insert_with(|| Found::new(identity));
            cluster.put_container(container);
        }
    }
    let mut clusters: Vec<Found> = clusters.into_values().collect();
    clusters.sort_by(|left, right| {
        (&left.identity.user, &left.identity.name).cmp(&(&right.identity.user, &right.identity.name))
    });
    Ok(clusters)
}

/// What Docker knows of one cluster now; none where nothing of it is left.
pub async fn find(engine: &dyn Engine, identity: &Identity) -> Result<Option<Found>, EngineError> {
    Ok(find_all(engine).await?.into_iter().find(|cluster| cluster.identity == *identity))
}

/// A user's cluster that a reference names, or who it could have been.
pub fn select<'a>(clusters: &'a [Found], user: &str, reference: &ClusterReference) -> Result<&'a Found, Failure> {
    let own = clusters.iter().filter(|cluster| cluster.identity.user == user);
    meant(own, reference, |cluster| (&cluster.identity.name, cluster.identity.id.to_string()))
}

/// Which of these a reference names, each told by its name and id, or who it could have been.
pub fn meant<'a, T>(
    clusters: impl Iterator<Item = &'a T> + Clone,
    reference: &ClusterReference,
    tell: impl Fn(&'a T) -> (&'a str, String),
) -> Result<&'a T, Failure> {
    // A name counts before an id that begins alike.
    if let Some(exact) = clusters.clone().find(|cluster| tell(cluster).0 == reference.as_str()) {
        return Ok(exact);
    }
    let matches = |cluster: &&'a T| {
        let (name, id) = tell(cluster);
        reference.matches(name, &id)
    };
    let matching: Vec<&T> = clusters.clone().filter(matches).collect();
    match matching.as_slice() {
        [found] => Ok(found),
        [] => Err(absent("cluster", reference.as_str(), clusters.map(|cluster| tell(cluster).0))),
        several => Err(ambiguous("cluster", reference.as_str(), several.iter().map(|cluster| tell(cluster).0))),
    }
}

/// The answer to who names several by the beginning of an id, and could mean any of them.
pub fn ambiguous<'a>(kind: &str, reference: &str, names: impl Iterator<Item = &'a str>) -> Failure {
    let names: Vec<&str> = names.take(10).collect();
    let problem = format!("{kind} '{reference}' may be any of: {}", names.join(", "));
    Failure::new(Code::CONFLICT, problem, "write the name, or more of the id")
}

/// The answer to who names something that is not there; `names` are of what is.
pub fn absent<'a>(kind: &str, reference: &str, names: impl Iterator<Item = &'a str>) -> Failure {
    let names: Vec<&str> = names.take(10).collect();
    let cure = match names.as_slice() {
        [] => "there is none yet; make one: qbo add cluster <name>".to_owned(),
        names => format!("there is: {}", names.join(", ")),
    };
    Failure::new(Code::NOT_FOUND, format!("there is no {kind} '{reference}'"), cure)
}

impl FoundPort {
    /// None where its labels tell of no port.
    fn of(container: Container) -> Option<Self> {
        let label = |name: &str| container.labels.get(name);
        Some(Self {
            mapping: label(LABEL_PORT)?.parse().ok()?,
            target: label(LABEL_TARGET).cloned().unwrap_or_default(),
            address: label(LABEL_ADDRESS).and_then(|address| address.parse().ok()),
            container,
        })
    }

    /// Whether it was brought into a living cluster.
    pub fn is_joined(&self) -> bool {
        self.container.labels.contains_key(LABEL_JOINED)
    }
}

impl FoundNode {
    fn of(container: Container) -> Self {
        let label = |name: &str| container.labels.get(name).map(String::as_str);
        let role = if label(LABEL_ROLE) == Some(CONTROL_PLANE) { Role::ControlPlane } else { Role::Worker };
        let address = label(LABEL_ADDRESS).and_then(|address| address.parse().ok());
        let pod_subnets = label(LABEL_POD_SUBNETS).into_iter().flat_map(|subnets| subnets.split(','));
        let pod_subnets = pod_subnets.filter_map(|subnet| subnet.parse().ok()).collect();
        Self { container, role, address, pod_subnets }
    }

    /// Whether it is no node, but stands in front of them.
    pub fn is_balancer(&self) -> bool {
        is_balancer(&self.container)
    }

    /// Whether it was brought into a living cluster.
    pub fn is_joined(&self) -> bool {
        self.container.labels.contains_key(LABEL_JOINED)
    }
}

fn is_balancer(container: &Container) -> bool {
    container.labels.get(LABEL_ROLE).is_some_and(|role| role == BALANCER)
}

fn role_name(role: Role) -> &'static str {
    match role {
        Role::ControlPlane => CONTROL_PLANE,
        Role::Worker => WORKER,
    }
}

#[cfg(test)]
mod tests {
    use qbo_bootstrap::NodeOptions;

    use super::*;
    use crate::address::{ClusterNetwork, USUAL_MTU};
    use crate::driver::engine::{Extras, NewContainer};
    use crate::driver::fake::{FakeEngine, FakeImage};

    fn identity(user: &str, name: &str, id: u128) -> Identity {
        Identity { user: user.into(), name: name.into(), id: Uuid::from_u128(id) }
    }

    /// Makes a node, or something that only looks like one.
    fn make(engine: &FakeEngine, name: &str, labels: Labels) {
        let (image, network, address) = ("node".into(), "none".into(), Ipv4Addr::UNSPECIFIED);
        let (environment, extras) = (Vec::new(), Extras::default());
        engine.hold_container(&NewContainer {
            name: name.into(),
            image,
            network,
            address,
            labels,
            environment,
            extras,
        });
    }

    #[tokio::test]
    async fn clusters_are_grouped_by_id_and_their_control_planes_come_first() {
        let engine = FakeEngine::default();
        engine.hold_image(FakeImage::other("node"));
        let (alex, sam) = (identity("alex", "dev", 1), identity("sam", "dev", 2));
        let domain = Domain::default();
        let labels = |of: &Identity, role| {
            let (address, pod_subnets) = ([10, 201, 0, 10].into(), vec!["10.244.0.0/24".parse().unwrap()]);
            let (name, options) = (String::new(), NodeOptions::default());
            of.node_labels(&NodePlan { name, role, address, address_v6: None, pod_subnets, options }, &domain)
        };
        make(&engine, "a-worker", labels(&alex, Role::Worker));
        make(&engine, "z-control", labels(&alex, Role::ControlPlane));
        make(&engine, "other", labels(&sam, Role::ControlPlane));
        make(&engine, "not-ours", Labels::from([(LABEL_CLUSTER_ID.into(), "1".into())]));
        let network = ClusterNetwork { v4: "10.201.0.0/24".parse().unwrap(), v6: None, mtu: USUAL_MTU };
        engine.create_network("dev", network, &alex.labels()).await.unwrap();
        let found = find_all(&engine).await.unwrap();
        let names = |cluster: &Found| cluster.nodes.iter().map(|node| node.container.name.clone()).collect::<Vec<_>>();
        let [first, second] = found.as_slice() else { panic!("{found:?}") };
        assert_eq!(
            (&first.identity, names(first), first.networks.len()),
            (&alex, vec!["z-control".into(), "a-worker".into()], 1)
        );
        assert_eq!((&second.identity, names(second), second.networks.len()), (&sam, vec!["other".into()], 0));
        assert_eq!(first.row(State::Ready).address, "https://10.201.0.10:6443");
        assert_eq!(find(&engine, &sam).await.unwrap().unwrap().identity, sam);
        assert!(find(&engine, &identity("sam", "dev", 3)).await.unwrap().is_none());
    }

    #[test]
    fn a_reference_is_to_a_name_before_an_id_and_to_ones_own_alone() {
        let clusters = [
            Found::new(identity("alex", "dev", 0x0123_4567 << 96)),
            Found::new(identity("alex", "01234567", 2)),
            Found::new(identity("sam", "prod", 3)),
            Found::new(identity("alex", "left", (0x89ab_cdef << 96) + 1)),
            Found::new(identity("alex", "right", (0x89ab_cdef << 96) + 2)),
        ];
        let select = |reference: &str| {
            let found = select(&clusters, "alex", &reference.parse().unwrap());
            found.map(|cluster| cluster.identity.name.clone()).map_err(|failure| failure.line())
        };
        assert_eq!(select("dev").unwrap(), "dev");
        assert_eq!(select("01234567").unwrap(), "01234567");
        assert_eq!(select("01234567-0000").unwrap(), "dev");
        assert_eq!(select("prod").unwrap_err(), "there is no cluster 'prod'; there is: dev, 01234567, left, right");
        let ambiguous = "cluster '89abcdef' may be any of: left, right; write the name, or more of the id";
        assert_eq!(select("89abcdef").unwrap_err(), ambiguous);
        assert_eq!(select("89abcdef-0000-0000-0000-000000000002").unwrap(), "right");
    }
}
