//! Addresses: a /24 for each cluster out of the configured range, and a fixed address in it for each node.

use std::collections::HashSet;
use std::net::Ipv4Addr;

use ipnet::Ipv4Net;
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

/// The range that clusters get their networks from.
#[derive(Debug)]
pub struct Addresses {
    range: Ipv4Net,
    /// Networks are made one after the other, as Docker itself makes them: each is listed before the next is chosen.
    turn: Mutex<()>,
}

impl Addresses {
    /// A range, of which every /24 can become a cluster's network.
    pub fn new(range: Ipv4Net) -> Self {
        Self { range, turn: Mutex::default() }
    }

    /// Makes a network of this name in Docker, in the first range that nobody uses.
    pub async fn create_network(&self, engine: &dyn Engine, name: &str, labels: &Labels) -> Result<Ipv4Net, Failure> {
        let _turn = self.turn.lock().await;
        let mut refused = HashSet::new();
        for _ in 0..ATTEMPTS {
            let mut used: Vec<Ipv4Net> =
                engine.networks().await?.into_iter().flat_map(|network| network.subnets).collect();
            used.extend(host_routes().await);
            let subnet = self.choose(&used, &refused)?;
            match engine.create_network(name, subnet, labels).await {
                Ok(_) => return Ok(subnet),
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
        let room = u16::try_from(node_addresses(subnet).count()).unwrap();
        assert!(room >= qbo_api::command::NodeCount::LIMIT);
    }

    #[tokio::test]
    async fn each_cluster_gets_its_own_range_until_none_is_left() {
        let engine = FakeEngine::default();
        // A range for benchmarks of networks (RFC 2544), that no host has a route into.
        let addresses = Addresses::new("198.18.0.0/23".parse().unwrap());
        let labels = Labels::new();
        let create = |name| addresses.create_network(&engine, name, &labels);
        let (first, second) = tokio::join!(create("a"), create("b"));
        assert_ne!(first.unwrap(), second.unwrap());
        let failure = create("c").await.unwrap_err();
        assert_eq!(failure.code, Code::NO_ROOM);
        assert!(failure.problem.contains("198.18.0.0/23"));
    }
}
