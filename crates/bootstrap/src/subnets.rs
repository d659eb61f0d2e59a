//! Where pods and Services get their addresses from, in one family of addresses or in both.

use std::ops::RangeInclusive;

use ipnet::IpNet;

use crate::PlanError;

/// Prefix lengths of a node's share of the pod subnets, the controller manager's own defaults (`--node-cidr-mask-size-ipv4` and `…-ipv6`).
const NODE_PREFIX_LENGTH_V4: u8 = 24;
const NODE_PREFIX_LENGTH_V6: u8 = 64;

/// The controller manager divides a subnet into 2^16 shares at most.
const POD_PREFIX_LENGTHS_V4: RangeInclusive<u8> = 8..=NODE_PREFIX_LENGTH_V4;
const POD_PREFIX_LENGTHS_V6: RangeInclusive<u8> = 48..=NODE_PREFIX_LENGTH_V6;

/// kubeadm's limits: at most 20 bits for Services, and at least ten addresses, since cluster DNS has the tenth.
const SERVICE_PREFIX_LENGTHS_V4: RangeInclusive<u8> = 12..=28;
const SERVICE_PREFIX_LENGTHS_V6: RangeInclusive<u8> = 108..=124;

/// Which families of addresses the pods and Services of a cluster have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IpFamily {
    /// IPv4 alone.
    Ipv4,
    /// IPv6 alone. Nodes have both all the same: the way to the API server is IPv4 in every cluster.
    Ipv6,
    /// Both. The first of a cluster's subnets tells which is the one of Services that ask for none.
    Dual,
}

impl IpFamily {
    /// The pod subnets of clusters that ask for none: kind's.
    pub fn pod_subnets(self) -> Vec<IpNet> {
        self.choose("10.244.0.0/16", "fd00:10:244::/56")
    }

    /// The service subnets of clusters that ask for none: kind's.
    pub fn service_subnets(self) -> Vec<IpNet> {
        self.choose("10.96.0.0/16", "fd00:10:96::/112")
    }

    fn choose(self, v4: &str, v6: &str) -> Vec<IpNet> {
        let chosen: &[&str] = match self {
            Self::Ipv4 => &[v4],
            Self::Ipv6 => &[v6],
            Self::Dual => &[v4, v6],
        };
        chosen.iter().map(|subnet| subnet.parse().expect("a subnet")).collect()
    }

    /// The family of these subnets: one of each family, in either order.
    pub(crate) fn of(subnets: &[IpNet]) -> Option<Self> {
        match subnets {
            [IpNet::V4(_)] => Some(Self::Ipv4),
            [IpNet::V6(_)] => Some(Self::Ipv6),
            [IpNet::V4(_), IpNet::V6(_)] | [IpNet::V6(_), IpNet::V4(_)] => Some(Self::Dual),
            _ => None,
        }
    }
}

/// The shares of a cluster's pod subnets for each of `nodes` nodes.
pub fn pod_subnets(cluster: &[IpNet], nodes: usize) -> Result<Vec<Vec<IpNet>>, PlanError> {
    free_pod_subnets(cluster, &[], nodes)
}

/// Shares of a cluster's pod subnets for each of `nodes` nodes more, where those of others are `used`.
pub fn free_pod_subnets(cluster: &[IpNet], used: &[IpNet], nodes: usize) -> Result<Vec<Vec<IpNet>>, PlanError> {
    let mut shares = vec![Vec::new(); nodes];
    for &subnet in cluster {
        let used: Vec<_> = used.iter().filter(|used| overlap(used, &subnet)).collect();
        let is_free = |share: &IpNet| !used.iter().any(|used| overlap(used, share));
        let free: Vec<_> =
            subnet.subnets(node_prefix_length(subnet)).into_iter().flatten().filter(is_free).take(nodes).collect();
        if free.len() < nodes {
            let (room, nodes) = (used.len() + free.len(), used.len() + nodes);
            return Err(PlanError::PodSubnetTooSmall { subnet, room, nodes });
        }
        for (shares, share) in shares.iter_mut().zip(free) {
            shares.push(share);
        }
    }
    Ok(shares)
}

fn overlap(left: &IpNet, right: &IpNet) -> bool {
    left.contains(right) || right.contains(left)
}

fn node_prefix_length(subnet: IpNet) -> u8 {
    match subnet {
        IpNet::V4(_) => NODE_PREFIX_LENGTH_V4,
        IpNet::V6(_) => NODE_PREFIX_LENGTH_V6,
    }
}

pub(crate) fn check_pod_subnet(subnet: IpNet) -> Result<(), PlanError> {
    let lengths = match subnet {
        IpNet::V4(_) => POD_PREFIX_LENGTHS_V4,
        IpNet::V6(_) => POD_PREFIX_LENGTHS_V6,
    };
    let [least, most] = [*lengths.start(), *lengths.end()];
    if lengths.contains(&subnet.prefix_len()) { Ok(()) } else { Err(PlanError::PodSubnetSize { subnet, least, most }) }
}

pub(crate) fn check_service_subnet(subnet: IpNet) -> Result<(), PlanError> {
    let lengths = match subnet {
        IpNet::V4(_) => SERVICE_PREFIX_LENGTHS_V4,
        IpNet::V6(_) => SERVICE_PREFIX_LENGTHS_V6,
    };
    let [least, most] = [*lengths.start(), *lengths.end()];
    if lengths.contains(&subnet.prefix_len()) {
        Ok(())
    } else {
        Err(PlanError::ServiceSubnetSize { subnet, least, most })
    }
}

/// Subnets the way Kubernetes' flags and fields take several.
pub(crate) fn list(subnets: &[IpNet]) -> String {
    subnets.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subnets(list: &[&str]) -> Vec<IpNet> {
        list.iter().map(|subnet| subnet.parse().unwrap()).collect()
    }

    fn lists(shares: &[Vec<IpNet>]) -> Vec<String> {
        shares.iter().map(|shares| list(shares)).collect()
    }

    #[test]
    fn each_node_gets_a_share_of_each_pod_subnet() {
        for (family, third) in [
            (IpFamily::Ipv4, "10.244.2.0/24"),
            (IpFamily::Ipv6, "fd00:10:244:2::/64"),
            (IpFamily::Dual, "10.244.2.0/24,fd00:10:244:2::/64"),
        ] {
            let shares = pod_subnets(&family.pod_subnets(), 256).unwrap();
            assert_eq!((shares.len(), list(&shares[2]).as_str()), (256, third));
        }
    }

    #[test]
    fn further_nodes_get_shares_that_are_free() {
        let used =
            subnets(&["10.244.0.0/24", "fd00:10:244::/64", "10.244.2.0/24", "fd00:10:244:1::/64", "10.244.3.7/32"]);
        let shares = free_pod_subnets(&IpFamily::Dual.pod_subnets(), &used, 2).unwrap();
        assert_eq!(lists(&shares), ["10.244.1.0/24,fd00:10:244:2::/64", "10.244.4.0/24,fd00:10:244:3::/64"]);
        assert_eq!(
            free_pod_subnets(&subnets(&["10.244.0.0/22"]), &used, 2).unwrap_err().to_string(),
            "pod subnet 10.244.0.0/22 has room for 4 nodes, 5 are planned"
        );
    }

    #[test]
    fn more_nodes_than_a_pod_subnet_has_room_for_are_refused() {
        for (subnet, room) in
            [("10.244.0.0/16", 256), ("10.244.0.0/24", 1), ("10.244.0.0/25", 0), ("fd00:10:244::/56", 256)]
        {
            let subnet = subnet.parse().unwrap();
            let refused = Err(PlanError::PodSubnetTooSmall { subnet, room, nodes: 257 });
            assert_eq!(pod_subnets(&[subnet], 257), refused);
        }
    }

    #[test]
    fn sizes_kubernetes_does_not_take_are_refused() {
        for (subnet, good) in [
            ("10.0.0.0/7", false),
            ("10.0.0.0/8", true),
            ("10.0.0.0/25", false),
            ("fd00::/47", false),
            ("fd00::/48", true),
            ("fd00::/65", false),
        ] {
            assert_eq!(check_pod_subnet(subnet.parse().unwrap()).is_ok(), good, "{subnet}");
        }
        for (subnet, good) in [
            ("10.0.0.0/8", false),
            ("10.96.0.0/12", true),
            ("10.96.0.0/28", true),
            ("10.96.0.0/29", false),
            ("fd00::/107", false),
            ("fd00::/108", true),
            ("fd00::/125", false),
        ] {
            assert_eq!(check_service_subnet(subnet.parse().unwrap()).is_ok(), good, "{subnet}");
        }
        assert_eq!(
            check_service_subnet("fd00::/64".parse().unwrap()).unwrap_err().to_string(),
            "service subnet fd00::/64 is none of the sizes /108 to /124"
        );
    }

    #[test]
    fn a_cluster_has_one_subnet_of_each_family() {
        for (list, family) in [
            (&["10.244.0.0/16"][..], Some(IpFamily::Ipv4)),
            (&["fd00::/56"], Some(IpFamily::Ipv6)),
            (&["fd00::/56", "10.244.0.0/16"], Some(IpFamily::Dual)),
            (&[], None),
            (&["10.244.0.0/16", "10.245.0.0/16"], None),
            (&["10.244.0.0/16", "fd00::/56", "10.245.0.0/16"], None),
        ] {
            assert_eq!(IpFamily::of(&subnets(list)), family, "{list:?}");
        }
    }
}
