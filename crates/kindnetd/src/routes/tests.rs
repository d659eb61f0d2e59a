//! Desired routes from nodes, and the kernel's own routes in a namespace.

use super::*;
use crate::namespace::Namespace;
use crate::nodes::Node;

fn node(subnets: &[&str], addresses: &[&str]) -> Node {
    Node {
        pod_subnets: subnets.iter().map(|subnet| subnet.parse().expect("a subnet")).collect(),
        addresses: addresses.iter().map(|address| address.parse().expect("an address")).collect(),
    }
}

fn routes(list: &[(&str, &str)]) -> Routes {
    list.iter()
        .map(|(subnet, gateway)| (subnet.parse().expect("a subnet"), gateway.parse().expect("an address")))
        .collect()
}

#[test]
fn each_other_node_is_reached_by_its_address_of_the_same_family() {
    let nodes = NodesByName::from([
        ("own".to_owned(), node(&["10.244.0.0/24", "fd00:10:244::/64"], &["172.18.0.2", "fc00:18::2"])),
        ("two".to_owned(), node(&["10.244.1.0/24", "fd00:10:244:1::/64"], &["fc00:18::3", "172.18.0.3"])),
    ]);
    assert_eq!(
        desired(&nodes, "own"),
        routes(&[("10.244.1.0/24", "172.18.0.3"), ("fd00:10:244:1::/64", "fc00:18::3")])
    );
}

#[test]
fn a_node_without_subnet_or_address_has_no_route_yet() {
    let nodes = NodesByName::from([
        ("no-subnet".to_owned(), node(&[], &["172.18.0.3"])),
        ("no-address".to_owned(), node(&["10.244.2.0/24"], &[])),
        ("other-family".to_owned(), node(&["10.244.3.0/24"], &["fc00:18::5"])),
    ]);
    assert_eq!(desired(&nodes, "own"), Routes::new());
}

/// A node's namespace: an interface with an address of both families.
fn node_namespace() -> Namespace {
    let namespace = Namespace::new();
    namespace.add_interface("eth0", 1500, &["172.18.0.2/16", "fc00:18::2/64"]);
    namespace
}

/// Reconciles in the namespace; returns the errors' messages.
fn reconcile_in(namespace: &Namespace, desired: &[(&str, &str)]) -> Vec<String> {
    let desired = routes(desired);
    namespace.run_async(move || async move {
        let (connection, handle, _) = rtnetlink::new_connection().expect("a netlink socket");
        tokio::spawn(connection);
        reconcile(&handle, &desired).await.iter().map(ToString::to_string).collect()
    })
}

/// The daemon's routes as iproute2 shows them: destination and gateway, sorted.
fn shown(namespace: &Namespace) -> Vec<String> {
    let mut lines: Vec<String> = ["-4", "-6"]
        .iter()
        .flat_map(|family| {
            let listing = namespace.ip(&format!("{family} route show proto 107"));
            listing.lines().map(|line| line.split(' ').take(3).collect::<Vec<_>>().join(" ")).collect::<Vec<_>>()
        })
        .collect();
    lines.sort();
    lines
}

const NOTHING: [String; 0] = [];

#[test]
fn routes_come_change_and_go() {
    let namespace = node_namespace();
    let both = [("10.244.1.0/24", "172.18.0.3"), ("fd00:10:244:1::/64", "fc00:18::3")];
    assert_eq!(reconcile_in(&namespace, &both), NOTHING);
    let expected = ["10.244.1.0/24 via 172.18.0.3", "fd00:10:244:1::/64 via fc00:18::3"];
    assert_eq!(shown(&namespace), expected);

    assert_eq!(reconcile_in(&namespace, &both), NOTHING, "a second time");
    assert_eq!(shown(&namespace), expected);

    let moved = [("10.244.1.0/24", "172.18.0.4"), ("fd00:10:244:1::/64", "fc00:18::4")];
    assert_eq!(reconcile_in(&namespace, &moved), NOTHING);
    assert_eq!(shown(&namespace), ["10.244.1.0/24 via 172.18.0.4", "fd00:10:244:1::/64 via fc00:18::4"]);

    assert_eq!(reconcile_in(&namespace, &moved[..1]), NOTHING);
    assert_eq!(shown(&namespace), ["10.244.1.0/24 via 172.18.0.4"]);

    assert_eq!(reconcile_in(&namespace, &[]), NOTHING);
    assert_eq!(shown(&namespace), NOTHING);
}

#[test]
fn routes_of_others_stay() {
    let namespace = node_namespace();
    namespace.ip("route add 10.99.0.0/24 via 172.18.0.9");
    namespace.ip("-6 route add fd00:99::/64 via fc00:18::9");
    reconcile_in(&namespace, &[("10.244.1.0/24", "172.18.0.3")]);
    assert_eq!(reconcile_in(&namespace, &[]), NOTHING);
    assert!(namespace.ip("route show 10.99.0.0/24").contains("172.18.0.9"));
    assert!(namespace.ip("-6 route show fd00:99::/64").contains("fc00:18::9"));
}

#[test]
fn a_route_of_another_to_a_pod_subnet_is_taken_over() {
    let namespace = node_namespace();
    namespace.ip("route add 10.244.1.0/24 via 172.18.0.9");
    assert_eq!(reconcile_in(&namespace, &[("10.244.1.0/24", "172.18.0.3")]), NOTHING);
    assert_eq!(shown(&namespace), ["10.244.1.0/24 via 172.18.0.3"]);
    assert_eq!(namespace.ip("route show 10.244.1.0/24").lines().count(), 1);
}

#[test]
fn one_unreachable_node_does_not_hold_up_the_others() {
    let namespace = node_namespace();
    let errors = reconcile_in(&namespace, &[("10.244.1.0/24", "203.0.113.1"), ("10.244.2.0/24", "172.18.0.4")]);
    assert_eq!(errors.len(), 1);
    assert!(errors[0].starts_with("set the route to 10.244.1.0/24 by 203.0.113.1: "), "{errors:?}");
    assert_eq!(shown(&namespace), ["10.244.2.0/24 via 172.18.0.4"]);
}
