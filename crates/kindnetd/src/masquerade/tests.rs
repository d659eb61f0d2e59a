//! Packets between namespaces: a pod, its node, and another node with a pod, under the rules of both dialects.

use std::net::{IpAddr, SocketAddr, UdpSocket};

use super::*;
use crate::namespace::Namespace;

/// How often a packet is sent that does not arrive: addresses may have to be found out first.
const ATTEMPTS: usize = 10;

fn subnets(list: &[&str]) -> Vec<IpNet> {
    list.iter().map(|subnet| subnet.parse().expect("a subnet")).collect()
}

fn rules() -> Rules {
    Rules {
        node_subnets: subnets(&["10.244.1.0/24", "fd00:10:244:1::/64"]),
        cluster_subnets: subnets(&["10.244.0.0/16", "fd00:10:244::/56"]),
    }
}

#[test]
fn families_are_those_in_which_the_node_has_pods() {
    let rules = Rules {
        node_subnets: subnets(&["10.244.1.0/24"]),
        cluster_subnets: subnets(&["10.244.0.0/16", "10.244.128.0/17", "fd00:10:244::/56"]),
    };
    assert_eq!(
        rules.by_family(),
        [FamilyRules {
            family: Family::V4,
            node_subnets: subnets(&["10.244.1.0/24"]),
            cluster_subnets: subnets(&["10.244.0.0/16"]),
        }]
    );
}

/// `pod` 10.244.1.5 — `node` 172.18.0.2 — `other` 172.18.0.3, which has the pod address 10.244.2.5 too; likewise in
/// IPv6.
struct Network {
    pod: Namespace,
    node: Namespace,
    other: Namespace,
}

impl Network {
    fn new() -> Self {
        let network = Self { pod: Namespace::new(), node: Namespace::new(), other: Namespace::new() };
        let Self { pod, node, other } = &network;
        node.set("ipv4/ip_forward", "1");
        node.set("ipv6/conf/all/forwarding", "1");
        node.join("pod0", pod, "eth0");
        node.join("eth0", other, "eth0");

        node.add_address("pod0", "10.244.1.1/24");
        node.add_address("pod0", "fd00:10:244:1::1/64");
        node.add_address("eth0", "172.18.0.2/16");
        node.add_address("eth0", "fc00:18::2/64");
        node.ip("route add 10.244.2.0/24 via 172.18.0.3");
        node.ip("route add fd00:10:244:2::/64 via fc00:18::3");

        pod.add_address("eth0", "10.244.1.5/24");
        pod.add_address("eth0", "fd00:10:244:1::5/64");
        pod.ip("route add default via 10.244.1.1");
        pod.ip("route add default via fd00:10:244:1::1");

        other.add_address("eth0", "172.18.0.3/16");
        other.add_address("eth0", "fc00:18::3/64");
        other.add_address("lo", "10.244.2.5/32");
        other.add_address("lo", "fd00:10:244:2::5/128");
        network
    }

    fn reconcile(&self, mut masquerade: Masquerade, rules: Rules) -> Masquerade {
        self.node.run_async(move || async move {
            masquerade.reconcile(rules).await.expect("rules");
            masquerade
        })
    }

    /// Sends a packet from the namespace to an address of `other` and tells which source it arrives with.
    fn source_seen(&self, from: &Namespace, to: &str) -> IpAddr {
        let to: IpAddr = to.parse().expect("an address");
        let receiver = self.other.run(move || UdpSocket::bind((to, 0)).expect("bind"));
        receiver.set_read_timeout(Some(Duration::from_secs(1))).expect("set a timeout");
        let target: SocketAddr = receiver.local_addr().expect("an address");
        let unspecified: IpAddr = if to.is_ipv4() { [0; 4].into() } else { [0; 16].into() };
        let send = move || {
            let socket = UdpSocket::bind((unspecified, 0)).expect("bind");
            socket.send_to(b"who am I", target).expect("send");
        };
        let arrived = (0..ATTEMPTS).find_map(|_| {
            from.run(send);
            receiver.recv_from(&mut [0; 16]).ok()
        });
        arrived.expect("it arrives").1.ip()
    }

    fn assert_masquerades(&self) {
        let seen = |from, to| self.source_seen(from, to).to_string();
        assert_eq!(seen(&self.pod, "172.18.0.3"), "172.18.0.2", "out of the cluster");
        assert_eq!(seen(&self.pod, "fc00:18::3"), "fc00:18::2", "out of the cluster");
        assert_eq!(seen(&self.pod, "10.244.2.5"), "10.244.1.5", "to another pod");
        assert_eq!(seen(&self.pod, "fd00:10:244:2::5"), "fd00:10:244:1::5", "to another pod");
    }
}

#[test]
fn nftables_masquerades_what_leaves_the_cluster() {
    let network = Network::new();
    let masquerade = network.reconcile(Masquerade::default(), rules());
    assert_eq!(masquerade.dialect, Some(Dialect::Nftables));
    network.assert_masquerades();
}

#[test]
fn legacy_masquerades_what_leaves_the_cluster() {
    let network = Network::new();
    let legacy = || Masquerade { dialect: Some(Dialect::Legacy), applied: None };
    network.reconcile(legacy(), rules());
    network.assert_masquerades();

    // A daemon that starts anew finds its chain and its jump there.
    network.reconcile(legacy(), rules());
    network.assert_masquerades();
    let saved = network.node.run(|| {
        let output = std::process::Command::new("/usr/sbin/iptables-legacy-save").output().expect("save");
        String::from_utf8(output.stdout).expect("UTF-8")
    });
    assert_eq!(saved.matches("-A POSTROUTING -j KINDNET").count(), 1, "{saved}");
    assert_eq!(saved.matches("-j MASQUERADE").count(), 1, "{saved}");
}

#[test]
fn new_rules_replace_the_old_ones() {
    let network = Network::new();
    let other_subnet = Rules { node_subnets: subnets(&["10.244.7.0/24"]), ..rules() };
    let masquerade = network.reconcile(Masquerade::default(), other_subnet);
    assert_eq!(network.source_seen(&network.pod, "172.18.0.3").to_string(), "10.244.1.5");
    network.reconcile(masquerade, rules());
    network.assert_masquerades();
}

#[test]
fn a_refusal_says_who_refused_and_why() {
    let namespace = Namespace::new();
    let error = namespace
        .run_async(|| run("/usr/sbin/nft", &["--file", "-"], "table of contents\n"))
        .expect_err("not a rule set");
    let message = error.to_string();
    assert!(message.starts_with("/usr/sbin/nft refused: "), "{message}");
}
