//! Addresses: a /24 for each cluster out of the configured range, and a fixed address in it for each node.

use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use qbo_api::message::Code;
use tokio::sync::Mutex;

use crate::driver::engine::{Engine, EngineFault, Labels};
use crate::error::Failure;

/// The prefix length of a cluster's network.
const PREFIX_LENGTH: u8 = 24;

/// Addresses at the start of a network that no node gets: the gateway, and endpoints of load balancers.
const RESERVED: usize = 9;

/// Networks tried before giving up, where others take ours away between listing and making.
const ATTEMPTS: usize = 4;

/// The network of containers that name none.
const DEFAULT_NETWORK: &str = "bridge";

/// The largest packet of a network of which nothing else is said, in bytes: that of Ethernet.
pub const USUAL_MTU: u16 = 1500;

/// The prefix length of a cluster's network of IPv6.
const PREFIX_LENGTH_V6: u8 = 64;

/// A cluster's network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClusterNetwork {
    /// Every cluster has this.
    pub v4: Ipv4Net,
    /// Only those have this whose pods have IPv6.
    pub v6: Option<Ipv6Net>,
    /// Its largest packet in bytes.
    pub mtu: u16,
}

/// The ranges that clusters get their networks from.
#[derive(Debug)]
pub struct Addresses {
    range: Ipv4Net,
    range_v6: Ipv6Net,
    /// Networks are made one after the other, as Docker itself makes them: each is listed before the next is chosen.
    turn: Mutex<()>,
}

impl Addresses {
    /// Ranges, of which every /24 and every /64 can become a cluster's network.
    pub fn new(range: Ipv4Net, range_v6: Ipv6Net) -> Self {
        Self { range, range_v6, turn: Mutex::default() }
    }

    /// Makes a network of this name in Docker, in the first range that nobody uses, pods and Services (`apart`) included; with IPv6
    /// where those have it.
    pub async fn create_network(
        &self,
        engine: &dyn Engine,
        name: &str,
        labels: &Labels,
        apart: &[IpNet],
    ) -> Result<ClusterNetwork, Failure> {
        let _turn = self.turn.lock().await;
        let mut refused = HashSet::new();
        for _ in 0..ATTEMPTS {
            let networks = engine.networks().await?;
            // Whoever set up the host told Docker of packets that its uplink does not carry; networks that are made do not inherit that.
            let mtu =
                networks.iter().find(|network| network.name == DEFAULT_NETWORK).map_or(USUAL_MTU, |bridge| bridge.mtu);
            let mut used: Vec<Ipv4Net> = networks.iter().flat_map(|network| network.subnets.clone()).collect();
            used.extend(host_routes().await);
            let mut used_v6: Vec<Ipv6Net> = networks.iter().flat_map(|network| network.subnets_v6.clone()).collect();
            let has_v6 = apart.iter().any(|subnet| matches!(subnet, IpNet::V6(_)));
            for subnet in apart {
                match subnet {
                    IpNet::V4(subnet) => used.push(*subnet),
                    IpNet::V6(subnet) => used_v6.push(*subnet),
                }
            }
            let subnet = self.choose(&used, &refused)?;
            let subnet_v6 = if has_v6 { Some(self.choose_v6(&used_v6)?) } else { None };
            let network = ClusterNetwork { v4: subnet, v6: subnet_v6, mtu };
            match engine.create_network(name, network, labels).await {
                Ok(_) => return Ok(network),
                // Something of the host that neither lists: its next neighbour may be free.
                Err(error) if matches!(error.cause, EngineFault::SubnetTaken(_)) => {
                    refused.insert(subnet);
                }
                Err(error) => return Err(error.into()),
            }
        }
        Err(self.exhausted())
    }

    fn choose(&self, used: &[Ipv4Net], refused: &HashSet<Ipv4Net>) -> Result<Ipv4Net, Failure> {
        let free = |subnet: &Ipv4Net| !refused.contains(subnet) && !used.iter().any(|other| overlap(*subnet, *other));
        self.range.subnets(PREFIX_LENGTH).into_iter().flatten().find(free).ok_or_else(|| self.exhausted())
    }

    fn choose_v6(&self, used: &[Ipv6Net]) -> Result<Ipv6Net, Failure> {
        let is_free = |subnet: &Ipv6Net| !used.iter().any(|other| subnet.contains(other) || other.contains(subnet));
        self.range_v6.subnets(PREFIX_LENGTH_V6).into_iter().flatten().find(is_free).ok_or_else(|| {
            let problem = format!("no /64 is left for a cluster's network in {}", self.range_v6);
            Failure::new(Code::NO_ROOM, problem, "delete a cluster, or give qbo-api a larger range: --network-range-v6")
        })
    }

    fn exhausted(&self) -> Failure {
        Failure::new(
            Code::NO_ROOM,
            format!("no /24 is left for a cluster's network in {}", self.range),
            "delete a cluster, or give qbo-api a larger range: --network-range",
        )
    }
}

/// The addresses of a network's nodes, in order.
pub fn node_addresses(subnet: Ipv4Net) -> impl Iterator<Item = Ipv4Addr> {
    subnet.hosts().skip(RESERVED)
}

/// The addresses of a network's port containers, in order: the last ones first, for nodes get the first ones.
pub fn port_addresses(subnet: Ipv4Net) -> impl Iterator<Item = Ipv4Addr> {
    let mut addresses: Vec<Ipv4Addr> = node_addresses(subnet).collect();
    addresses.reverse();
    addresses.into_iter()
}

/// The address of IPv6 of the node that has this one: the same number in its network.
pub fn address_v6(subnet: Ipv6Net, address: Ipv4Addr) -> Ipv6Addr {
    let [.., number] = address.octets();
    Ipv6Addr::from_bits(subnet.network().to_bits() | u128::from(number))
}

/// Whether a node that has this address of IPv4 has the other one, too: in one cluster's network both end in the same number.
pub fn is_of_node(address: IpAddr, node: Ipv4Addr) -> bool {
    match address {
        IpAddr::V4(address) => address == node,
        IpAddr::V6(address) => address.octets().last() == node.octets().last(),
    }
}

/// Of a network what containers get that name no address, as those which somebody connects to it: neither nodes nor balancers nor ports
/// are given these, and Docker gives away no others by itself.
pub fn guests(subnet: IpNet) -> Option<IpNet> {
    match subnet {
        // The four from the fourth on: nodes begin at the tenth.
        IpNet::V4(subnet) => subnet.subnets(30).ok()?.nth(1).map(IpNet::V4),
        // Of 2^48: apart from the first, where all that has a number is. Docker cannot count to the end of the last.
        IpNet::V6(subnet) => subnet.subnets(80).ok()?.nth(1).map(IpNet::V6),
    }
}

/// The address of a network that is kept for a balancer in front of API servers: the first after the gateway.
pub fn balancer_address(subnet: Ipv4Net) -> Ipv4Addr {
    subnet.hosts().nth(1).expect("a cluster's network is a /24")
}

fn overlap(left: Ipv4Net, right: Ipv4Net) -> bool {
    left.contains(&right) || right.contains(&left)
}

/// Where the host itself has routes to; the default route is no reason not to use a range.
async fn host_routes() -> Vec<Ipv4Net> {
    let table = tokio::fs::read_to_string("/proc/net/route").await.unwrap_or_default();
    parse_routes(&table)
}

/// Reads `/proc/net/route`: destination and mask are hexadecimal in the host's byte order (`proc_net(5)`).
fn parse_routes(table: &str) -> Vec<Ipv4Net> {
    let route = |line: &str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let number = |index: usize| u32::from_str_radix(fields.get(index)?, 16).ok();
        let (destination, mask) = (number(1)?.to_ne_bytes(), number(7)?.to_ne_bytes());
        Ipv4Net::with_netmask(destination.into(), mask.into()).ok()
    };
    table.lines().skip(1).filter_map(route).filter(|route| route.prefix_len() > 0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::driver::fake::FakeEngine;

    #[test]
    fn routes_of_the_host_are_read() {
        let table = "Iface Destination Gateway Flags RefCnt Use Metric Mask MTU Window IRTT\n\
                     eth0 00000000 0101A8C0 0003 0 0 0 00000000 0 0 0\n\
                     br0 0001C90A 00000000 0001 0 0 0 00FFFFFF 0 0 0\n";
        assert_eq!(parse_routes(table), ["10.201.1.0/24".parse::<Ipv4Net>().unwrap()]);
    }

    #[test]
    fn nodes_leave_room_for_the_gateway_and_endpoints() {
        let subnet = "10.201.7.0/24".parse().unwrap();
        assert_eq!(node_addresses(subnet).next(), Some(Ipv4Addr::new(10, 201, 7, 10)));
        assert_eq!(guests(subnet.into()).unwrap().to_string(), "10.201.7.4/30");
        assert_eq!(guests("fd00:0:0:8::/64".parse().unwrap()).unwrap().to_string(), "fd00:0:0:8:1::/80");
        let room = u16::try_from(node_addresses(subnet).count()).unwrap();
        assert!(room >= qbo_api::command::NodeCount::LIMIT);
    }

    #[tokio::test]
    async fn each_cluster_gets_its_own_range_until_none_is_left() {
        let engine = FakeEngine::default();
        // A range for benchmarks of networks (RFC 2544), that no host has a route into.
        let addresses = Addresses::new("198.18.0.0/23".parse().unwrap(), "fd00::/63".parse().unwrap());
        let labels = Labels::new();
        engine.carry(1450);
        let create = |name| addresses.create_network(&engine, name, &labels, &[]);
        let (first, second) = tokio::join!(create("a"), create("b"));
        let (first, second) = (first.unwrap(), second.unwrap());
        assert_ne!(first, second);
        assert_eq!((first.mtu, second.mtu), (1450, 1450), "as Docker's own network");
        let failure = create("c").await.unwrap_err();
        assert_eq!(failure.code, Code::NO_ROOM);
        assert!(failure.problem.contains("198.18.0.0/23"));
    }

    #[tokio::test]
    async fn a_cluster_with_ipv6_gets_a_range_of_that_too_apart_from_its_pods() {
        let engine = FakeEngine::default();
        let addresses = Addresses::new("198.18.0.0/16".parse().unwrap(), "fd00:0:0:8::/62".parse().unwrap());
        let apart: Vec<IpNet> =
            ["198.18.0.0/24", "fd00:0:0:8::/64"].iter().map(|subnet| subnet.parse().unwrap()).collect();
        let labels = Labels::new();
        for (name, v4, v6) in [("a", "198.18.1.0/24", "fd00:0:0:9::/64"), ("b", "198.18.2.0/24", "fd00:0:0:a::/64")] {
            let made = addresses.create_network(&engine, name, &labels, &apart).await.unwrap();
            assert_eq!((made.v4.to_string().as_str(), made.v6.unwrap().to_string().as_str()), (v4, v6));
        }
        let made = addresses.create_network(&engine, "c", &labels, &apart[..1]).await.unwrap();
        assert_eq!(made.v6, None);
        addresses.create_network(&engine, "d", &labels, &apart).await.unwrap();
        let failure = addresses.create_network(&engine, "e", &labels, &apart).await.unwrap_err();
        assert!(failure.problem.contains("no /64 is left"), "{failure}");
    }

    #[test]
    fn a_node_has_the_same_number_in_both_networks() {
        let address = address_v6("fd00:0:0:8::/64".parse().unwrap(), Ipv4Addr::new(10, 201, 7, 16));
        assert_eq!(address.to_string(), "fd00:0:0:8::10");
        let subnet = "10.201.7.0/24".parse().unwrap();
        assert_eq!(port_addresses(subnet).next(), Some(Ipv4Addr::new(10, 201, 7, 254)));
    }
}
