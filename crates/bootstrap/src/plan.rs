//! The plan of a cluster: all that is decided before its first container exists.

use std::net::{Ipv4Addr, SocketAddrV4};

use ipnet::Ipv4Net;
use uuid::Uuid;

use crate::KubernetesVersion;

/// The port every control plane's API server listens on inside its node.
const API_SERVER_PORT: u16 = 6443;

/// Prefix length of a node's share of the pod subnet, the controller manager's own default (`--node-cidr-mask-size`).
const NODE_PREFIX_LENGTH: u8 = 24;

/// kubeadm's limits: at most 20 bits for Services, and at least ten addresses, since cluster DNS has the tenth.
const SERVICE_PREFIX_LENGTHS: std::ops::RangeInclusive<u8> = 12..=28;

/// All that is decided about a cluster before its first container exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterPlan {
    /// The cluster's name.
    pub name: String,
    /// The cluster's identity; tells clusters of one name apart that existed one after the other.
    pub id: Uuid,
    /// The Kubernetes version of the node image.
    pub kubernetes: KubernetesVersion,
    /// Where people reach the API server; the server address in their kubeconfig. Nodes use the control plane's own address.
    pub endpoint: Endpoint,
    /// Where pods get their addresses from; each node has a share of it.
    pub pod_subnet: Ipv4Net,
    /// Where Services get their addresses from.
    pub service_subnet: Ipv4Net,
    /// The domain cluster DNS answers for.
    pub dns_domain: String,
    /// Largest packet of the network the nodes are on: 1500 unless that network says otherwise.
    pub network_mtu: u16,
    /// Further names and addresses the API server's certificate holds for.
    pub extra_sans: Vec<String>,
    /// The nodes, in the order they are shown.
    pub nodes: Vec<NodePlan>,
}

/// A host and a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// A name or an address.
    pub host: String,
    /// A TCP port.
    pub port: u16,
}

/// All that is decided about a node before its container exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodePlan {
    /// The node's name, which is its hostname too.
    pub name: String,
    /// What the node is for.
    pub role: Role,
    /// The node's fixed address on the cluster's network.
    pub address: Ipv4Addr,
    /// The node's share of the cluster's pod subnet.
    pub pod_subnet: Ipv4Net,
}

/// What a node is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// Runs etcd, the API server, the controller manager and the scheduler.
    ControlPlane,
    /// Runs what is scheduled to it.
    Worker,
}

/// A plan that cannot become a cluster.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// Nobody would serve the API.
    #[error("a cluster needs a node with the role of the control plane")]
    NoControlPlane,
    /// There are more nodes than shares.
    #[error("pod subnet {subnet} has room for {room} nodes, {nodes} are planned")]
    PodSubnetTooSmall {
        /// The cluster's pod subnet.
        subnet: Ipv4Net,
        /// How many nodes it is enough for.
        room: usize,
        /// How many nodes there are to be.
        nodes: usize,
    },
    /// Kubernetes takes service subnets of some sizes only.
    #[error("service subnet {subnet} is none of the sizes /12 to /28")]
    ServiceSubnetSize {
        /// The cluster's service subnet.
        subnet: Ipv4Net,
    },
}

/// The shares of `cluster`'s pod subnet for `nodes` nodes.
pub fn pod_subnets(cluster: Ipv4Net, nodes: usize) -> Result<Vec<Ipv4Net>, PlanError> {
    let shares: Vec<_> = cluster.subnets(NODE_PREFIX_LENGTH).into_iter().flatten().take(nodes).collect();
    if shares.len() < nodes {
        return Err(PlanError::PodSubnetTooSmall { subnet: cluster, room: shares.len(), nodes });
    }
    Ok(shares)
}

impl ClusterPlan {
    /// Whether the plan can become a cluster.
    pub(crate) fn check(&self) -> Result<(), PlanError> {
        if self.control_planes().next().is_none() {
            return Err(PlanError::NoControlPlane);
        }
        if !SERVICE_PREFIX_LENGTHS.contains(&self.service_subnet.prefix_len()) {
            return Err(PlanError::ServiceSubnetSize { subnet: self.service_subnet });
        }
        Ok(())
    }

    pub(crate) fn control_planes(&self) -> impl Iterator<Item = &NodePlan> {
        self.nodes.iter().filter(|node| node.role == Role::ControlPlane)
    }

    /// Where nodes and pods reach the API server: the first control plane itself.
    pub(crate) fn api_server(&self) -> SocketAddrV4 {
        self.control_planes().next().expect("a plan has a control plane").api_server()
    }

    /// The address of the Service `kubernetes`.
    pub(crate) fn api_service_address(&self) -> Ipv4Addr {
        self.service_address(1)
    }

    /// The address of the Service `kube-dns`.
    pub(crate) fn dns_service_address(&self) -> Ipv4Addr {
        self.service_address(10)
    }

    fn service_address(&self, index: u32) -> Ipv4Addr {
        Ipv4Addr::from(u32::from(self.service_subnet.network()) + index)
    }

    /// Every name and address the API server of `node` is reached by.
    pub(crate) fn api_server_names(&self, node: &NodePlan) -> Vec<String> {
        let mut names = vec![
            "kubernetes".to_owned(),
            "kubernetes.default".to_owned(),
            "kubernetes.default.svc".to_owned(),
            format!("kubernetes.default.svc.{}", self.dns_domain),
            node.name.clone(),
            "localhost".to_owned(),
            self.api_service_address().to_string(),
            node.address.to_string(),
            self.api_server().ip().to_string(),
            Ipv4Addr::LOCALHOST.to_string(),
            self.endpoint.host.clone(),
        ];
        names.extend_from_slice(&self.extra_sans);
        let mut seen = std::collections::HashSet::new();
        names.retain(|name| seen.insert(name.clone()));
        names
    }

    /// The taints that keep pods off `node`: those of a control plane, unless there is no other node to go to.
    pub(crate) fn taint_keys(&self, node: &NodePlan) -> &'static [&'static str] {
        const OLD: &str = "node-role.kubernetes.io/master";
        const NEW: &str = "node-role.kubernetes.io/control-plane";
        let only_control_planes = self.nodes.iter().all(|node| node.role == Role::ControlPlane);
        match node.role {
            Role::Worker => &[],
            Role::ControlPlane if only_control_planes => &[],
            Role::ControlPlane if !self.kubernetes.is_at_least(24) => &[OLD],
            Role::ControlPlane if !self.kubernetes.is_at_least(25) => &[OLD, NEW],
            Role::ControlPlane => &[NEW],
        }
    }

    /// How cloud providers made for kind know `node`.
    pub(crate) fn provider_id(&self, node: &NodePlan) -> String {
        format!("kind://docker/{}/{}", self.name, node.name)
    }
}

impl NodePlan {
    /// Where this node's own API server listens, if it has one.
    pub(crate) fn api_server(&self) -> SocketAddrV4 {
        SocketAddrV4::new(self.address, API_SERVER_PORT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    #[test]
    fn gives_each_node_a_share_of_the_pod_subnet() {
        let shares = pod_subnets("10.244.0.0/16".parse().unwrap(), 3).unwrap();
        assert_eq!(
            shares.iter().map(ToString::to_string).collect::<Vec<_>>(),
            ["10.244.0.0/24", "10.244.1.0/24", "10.244.2.0/24"]
        );
        assert_eq!(pod_subnets("10.244.0.0/16".parse().unwrap(), 256).map(|shares| shares.len()), Ok(256));
    }

    #[test]
    fn refuses_more_nodes_than_the_pod_subnet_has_room_for() {
        for (subnet, room) in [("10.244.0.0/16", 256), ("10.244.0.0/24", 1), ("10.244.0.0/25", 0)] {
            let subnet = subnet.parse().unwrap();
            assert_eq!(pod_subnets(subnet, 257), Err(PlanError::PodSubnetTooSmall { subnet, room, nodes: 257 }));
        }
    }

    #[test]
    fn names_each_api_server_once() {
        let plan = ClusterPlan {
            extra_sans: vec!["localhost".to_owned(), "api.example".to_owned()],
            ..sample::cluster("v1.37.2", 3)
        };
        assert_eq!(
            plan.api_server_names(&plan.nodes[0]),
            [
                "kubernetes",
                "kubernetes.default",
                "kubernetes.default.svc",
                "kubernetes.default.svc.cluster.local",
                "control-2b251a2c.localhost",
                "localhost",
                "10.96.0.1",
                "172.20.0.2",
                "127.0.0.1",
                "api.example"
            ]
        );
    }

    #[test]
    fn taints_a_control_plane_that_has_workers() {
        let keys = |version: &str, nodes| {
            let plan = sample::cluster(version, nodes);
            plan.nodes.iter().map(|node| plan.taint_keys(node).len()).collect::<Vec<_>>()
        };
        assert_eq!(keys("v1.37.2", 3), [1, 0, 0]);
        assert_eq!(keys("v1.24.17", 2), [2, 0]);
        assert_eq!(keys("v1.37.2", 1), [0]);
    }

    #[test]
    fn refuses_a_plan_nobody_serves_the_api_of() {
        let mut plan = sample::cluster("v1.37.2", 2);
        plan.nodes.remove(0);
        assert_eq!(plan.check(), Err(PlanError::NoControlPlane));
    }

    #[test]
    fn refuses_service_subnets_kubernetes_does_not_take() {
        for (subnet, good) in
            [("10.0.0.0/8", false), ("10.96.0.0/12", true), ("10.96.0.0/28", true), ("10.96.0.0/29", false)]
        {
            let plan = ClusterPlan { service_subnet: subnet.parse().unwrap(), ..sample::cluster("v1.37.2", 1) };
            assert_eq!(plan.check().is_ok(), good, "{subnet}");
        }
    }
}
