//! The plan of a cluster: all that is decided before its first container exists.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddrV4};

use ipnet::IpNet;
use uuid::Uuid;

use crate::subnets::{check_pod_subnet, check_service_subnet};
use crate::{ClusterOptions, IpFamily, KubernetesVersion, NodeOptions, ProxyMode, Resources, Taint};

/// The port every control plane's API server listens on inside its node.
const API_SERVER_PORT: u16 = 6443;

/// All that is decided about a cluster before its first container exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterPlan {
    /// The cluster's name.
    pub name: String,
    /// The cluster's identity; tells clusters of one name apart that existed one after the other.
    pub id: Uuid,
    /// The Kubernetes version of the node image.
    pub kubernetes: KubernetesVersion,
    /// Where people reach the API server; the server address in their kubeconfig.
    pub endpoint: Endpoint,
    /// The address on the cluster's network that a balancer in front of the API servers has, or would have: their certificates hold
    /// for it from the start, so that one can be added later. Nodes and pods use it once `endpoint` names it, and always where there are
    /// several control planes.
    pub balancer_address: Ipv4Addr,
    /// Where pods get their addresses from, one subnet of each family that the cluster has; each node has a share of each.
    pub pod_subnets: Vec<IpNet>,
    /// Where Services get their addresses from, of the same families in the same order. Services that ask for no family get the first.
    pub service_subnets: Vec<IpNet>,
    /// The domain cluster DNS answers for.
    pub dns_domain: String,
    /// Largest packet of the network the nodes are on: 1500 unless that network says otherwise.
    pub network_mtu: u16,
    /// What else was asked for.
    pub options: ClusterOptions,
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
    /// The node's fixed address of IPv6, in clusters that have that.
    pub address_v6: Option<Ipv6Addr>,
    /// The node's shares of the cluster's pod subnets, in their order.
    pub pod_subnets: Vec<IpNet>,
    /// What else was asked for.
    pub options: NodeOptions,
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
        subnet: IpNet,
        /// How many nodes it is enough for.
        room: usize,
        /// How many nodes there are to be.
        nodes: usize,
    },
    /// Kubernetes takes pod subnets of some sizes only.
    #[error("pod subnet {subnet} is none of the sizes /{least} to /{most}")]
    PodSubnetSize {
        /// The cluster's pod subnet.
        subnet: IpNet,
        /// The shortest prefix.
        least: u8,
        /// The longest prefix.
        most: u8,
    },
    /// Kubernetes takes service subnets of some sizes only.
    #[error("service subnet {subnet} is none of the sizes /{least} to /{most}")]
    ServiceSubnetSize {
        /// The cluster's service subnet.
        subnet: IpNet,
        /// The shortest prefix.
        least: u8,
        /// The longest prefix.
        most: u8,
    },
    /// Pods, Services and nodes do not go together.
    #[error("pod subnets and service subnets are one each of IPv4, of IPv6, or of both in the same order")]
    Families,
    /// A node lacks what the cluster's families need.
    #[error("node {node} has no IPv6 address, or not one share of each pod subnet")]
    NodeFamilies {
        /// The node's name.
        node: String,
    },
    /// Older versions have no such mode of kube-proxy, or only behind a feature gate.
    #[error("Kubernetes {version} has no kube-proxy of the mode nftables; v1.31 and later have")]
    ProxyMode {
        /// The version asked for.
        version: KubernetesVersion,
    },
    /// Older versions have both families only behind a feature gate.
    #[error("Kubernetes {version} cannot have IPv4 and IPv6 at once; v1.21 and later can")]
    DualStack {
        /// The version asked for.
        version: KubernetesVersion,
    },
    /// Not even the pods of the cluster itself would have room.
    #[error("the limit of a {} is at least {least}", match role { Role::ControlPlane => "control plane", Role::Worker => "worker" })]
    LimitTooSmall {
        /// What the node is for.
        role: Role,
        /// What it needs.
        least: Resources,
    },
}

impl ClusterPlan {
    /// Whether the plan can become a cluster.
    pub fn check(&self) -> Result<(), PlanError> {
        if self.control_planes().next().is_none() {
            return Err(PlanError::NoControlPlane);
        }
        let family = IpFamily::of(&self.pod_subnets).ok_or(PlanError::Families)?;
        if !is_like(&self.service_subnets, &self.pod_subnets) {
            return Err(PlanError::Families);
        }
        if family == IpFamily::Dual && !self.kubernetes.is_at_least(21) {
            return Err(PlanError::DualStack { version: self.kubernetes.clone() });
        }
        if self.options.components.proxy_mode == ProxyMode::Nftables && !self.kubernetes.is_at_least(31) {
            return Err(PlanError::ProxyMode { version: self.kubernetes.clone() });
        }
        self.pod_subnets.iter().copied().try_for_each(check_pod_subnet)?;
        self.service_subnets.iter().copied().try_for_each(check_service_subnet)?;
        Ok(())
    }

    /// Whether `node` can be a part of the cluster.
    pub(crate) fn check_node(&self, node: &NodePlan) -> Result<(), PlanError> {
        let lacks_address = IpFamily::of(&self.pod_subnets) != Some(IpFamily::Ipv4) && node.address_v6.is_none();
        if lacks_address || !is_like(&node.pod_subnets, &self.pod_subnets) {
            return Err(PlanError::NodeFamilies { node: node.name.clone() });
        }
        Ok(())
    }

    /// Whether pods have addresses of IPv4.
    pub(crate) fn has_ipv4(&self) -> bool {
        self.pod_subnets.iter().any(|subnet| matches!(subnet, IpNet::V4(_)))
    }

    pub(crate) fn control_planes(&self) -> impl Iterator<Item = &NodePlan> {
        self.nodes.iter().filter(|node| node.role == Role::ControlPlane)
    }

    /// Whether a balancer stands in front of the API servers.
    pub fn is_balanced(&self) -> bool {
        self.endpoint.host == self.balancer_address.to_string() || self.control_planes().count() > 1
    }

    /// Where nodes and pods reach the API server: at the balancer, or else at the only control plane itself.
    pub(crate) fn api_server(&self) -> SocketAddrV4 {
        if self.is_balanced() {
            return SocketAddrV4::new(self.balancer_address, API_SERVER_PORT);
        }
        self.control_planes().next().expect("a plan has a control plane").api_server()
    }

    /// The address of the Service `kubernetes`.
    pub(crate) fn api_service_address(&self) -> IpAddr {
        self.service_address(1)
    }

    /// The address of the Service `kube-dns`.
    pub(crate) fn dns_service_address(&self) -> IpAddr {
        self.service_address(10)
    }

    fn service_address(&self, index: u8) -> IpAddr {
        match self.service_subnets.first().expect("a plan has a service subnet") {
            IpNet::V4(subnet) => Ipv4Addr::from_bits(subnet.network().to_bits() + u32::from(index)).into(),
            IpNet::V6(subnet) => Ipv6Addr::from_bits(subnet.network().to_bits() + u128::from(index)).into(),
        }
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
            self.balancer_address.to_string(),
            Ipv4Addr::LOCALHOST.to_string(),
            self.endpoint.host.clone(),
        ];
        if let Some(address) = node.address_v6 {
            names.extend([address.to_string(), Ipv6Addr::LOCALHOST.to_string()]);
        }
        names.extend_from_slice(&self.options.components.api_server_names);
        let mut seen = std::collections::HashSet::new();
        names.retain(|name| seen.insert(name.clone()));
        names
    }

    /// The taints of `node`: those asked for, and those that keep pods off a control plane unless there is no other node to go to.
    pub(crate) fn taints(&self, node: &NodePlan) -> Vec<Taint> {
        const OLD: &str = "node-role.kubernetes.io/master";
        const NEW: &str = "node-role.kubernetes.io/control-plane";
        let only_control_planes = self.nodes.iter().all(|node| node.role == Role::ControlPlane);
        let keys: &[&str] = match node.role {
            Role::Worker => &[],
            Role::ControlPlane if node.options.untainted => &[],
            Role::ControlPlane if only_control_planes => &[],
            Role::ControlPlane if !self.kubernetes.is_at_least(24) => &[OLD],
            Role::ControlPlane if !self.kubernetes.is_at_least(25) => &[OLD, NEW],
            Role::ControlPlane => &[NEW],
        };
        keys.iter().map(|key| Taint::no_schedule(key)).chain(node.options.taints.iter().cloned()).collect()
    }

    /// How cloud providers made for kind know `node`.
    pub(crate) fn provider_id(&self, node: &NodePlan) -> String {
        format!("kind://docker/{}/{}", self.name, node.name)
    }
}

/// Whether the subnets are of the same families in the same order.
fn is_like(subnets: &[IpNet], others: &[IpNet]) -> bool {
    let family = |subnet: &IpNet| matches!(subnet, IpNet::V4(_));
    subnets.iter().map(family).eq(others.iter().map(family))
}

impl NodePlan {
    /// The node's addresses of the families its pods have, in their order.
    pub(crate) fn addresses(&self) -> Vec<IpAddr> {
        let address = |subnet: &IpNet| match subnet {
            IpNet::V4(_) => Some(self.address.into()),
            IpNet::V6(_) => self.address_v6.map(IpAddr::from),
        };
        self.pod_subnets.iter().filter_map(address).collect()
    }

    /// The address by which the node's control plane makes itself known.
    pub(crate) fn advertised_address(&self) -> IpAddr {
        self.addresses().first().copied().unwrap_or(self.address.into())
    }

    /// Where this node's own API server listens, if it has one.
    pub(crate) fn api_server(&self) -> SocketAddrV4 {
        SocketAddrV4::new(self.address, API_SERVER_PORT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{pod_subnets, sample};

    #[test]
    fn names_each_api_server_once() {
        let mut plan = sample::cluster("v1.37.2", 3);
        plan.options.components.api_server_names = vec!["localhost".to_owned(), "api.example".to_owned()];
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
                "172.20.0.10",
                "172.20.0.2",
                "127.0.0.1",
                "api.example"
            ]
        );
    }

    #[test]
    fn is_balanced_with_several_control_planes_and_once_the_endpoint_says_so() {
        let alone = sample::cluster("v1.37.2", 3);
        let mut several = alone.clone();
        several.nodes[1].role = Role::ControlPlane;
        let mut left = alone.clone();
        left.endpoint.host = "172.20.0.2".to_owned();
        for (plan, api_server) in [(alone, "172.20.0.10:6443"), (several, "172.20.0.2:6443"), (left, "172.20.0.2:6443")]
        {
            assert_eq!(plan.is_balanced(), api_server == "172.20.0.2:6443");
            assert_eq!(plan.api_server().to_string(), api_server);
        }
    }

    #[test]
    fn taints_a_control_plane_that_has_workers() {
        let keys = |version: &str, nodes| {
            let plan = sample::cluster(version, nodes);
            plan.nodes.iter().map(|node| plan.taints(node).len()).collect::<Vec<_>>()
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
    fn refuses_families_that_do_not_go_together() {
        let families = |family: IpFamily| ClusterPlan {
            pod_subnets: family.pod_subnets(),
            service_subnets: family.service_subnets(),
            ..sample::cluster("v1.37.2", 1)
        };
        assert_eq!(families(IpFamily::Ipv4).check(), Ok(()));
        for family in [IpFamily::Ipv6, IpFamily::Dual] {
            let mut plan = families(family);
            let refused = Err(PlanError::NodeFamilies { node: plan.nodes[0].name.clone() });
            assert_eq!(plan.check_node(&plan.nodes[0]), refused);
            plan.nodes[0].address_v6 = Some(Ipv6Addr::LOCALHOST);
            assert_eq!(plan.check_node(&plan.nodes[0]), refused);
            plan.nodes[0].pod_subnets = pod_subnets(&plan.pod_subnets, 1).unwrap().remove(0);
            assert_eq!(plan.check_node(&plan.nodes[0]), Ok(()));
            assert_eq!(plan.check(), Ok(()));
            plan.service_subnets.reverse();
            assert_eq!(plan.check().is_ok(), family == IpFamily::Ipv6);
            plan.service_subnets = IpFamily::Ipv4.service_subnets();
            assert_eq!(plan.check(), Err(PlanError::Families));
        }
    }

    #[test]
    fn refuses_both_families_before_they_were_on_by_default() {
        let mut plan = sample::cluster("v1.20.15", 1);
        (plan.pod_subnets, plan.service_subnets) = (IpFamily::Dual.pod_subnets(), IpFamily::Dual.service_subnets());
        let message = "Kubernetes v1.20.15 cannot have IPv4 and IPv6 at once; v1.21 and later can";
        assert_eq!(plan.check().unwrap_err().to_string(), message);
    }

    #[test]
    fn services_have_addresses_of_the_first_family() {
        let plan = ClusterPlan { service_subnets: IpFamily::Ipv6.service_subnets(), ..sample::cluster("v1.37.2", 1) };
        assert_eq!(plan.api_service_address().to_string(), "fd00:10:96::1");
        assert_eq!(plan.dns_service_address().to_string(), "fd00:10:96::a");
    }

    #[test]
    fn nodes_are_known_by_addresses_of_their_pods_families() {
        let mut node = sample::cluster("v1.37.2", 1).nodes.remove(0);
        node.address_v6 = Some("fd00:20::10".parse().unwrap());
        let mut addresses = |families: &[&str]| {
            node.pod_subnets = families.iter().map(|subnet| subnet.parse().unwrap()).collect();
            assert_eq!(node.advertised_address(), node.addresses()[0]);
            node.addresses().iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(addresses(&["10.244.0.0/24"]), ["172.20.0.10"]);
        assert_eq!(addresses(&["fd00::/64"]), ["fd00:20::10"]);
        assert_eq!(addresses(&["fd00::/64", "10.244.0.0/24"]), ["fd00:20::10", "172.20.0.10"]);
    }
}
