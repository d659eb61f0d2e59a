//! The nodes of the cluster as the watch shows them, reduced to what decides about pod networking.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;
use k8s_openapi::api::core::v1::Node as KubernetesNode;
use kube::api::{ApiResource, Object};
use kube::runtime::watcher::Event;
use kube::{Api, Client, ResourceExt as _};
use serde::Deserialize;
use tracing::warn;

/// A Node as it is read from the API server: the lists of images and conditions are not even parsed.
pub(crate) type WatchedNode = Object<Spec, Status>;

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Spec {
    #[serde(default, rename = "podCIDRs")]
    pod_cidrs: Vec<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Status {
    #[serde(default)]
    addresses: Vec<Address>,
}

#[derive(Clone, Debug, Deserialize)]
struct Address {
    #[serde(rename = "type")]
    kind: String,
    address: String,
}

/// What is kept of a Node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Node {
    /// Where its pods live, in the order of `spec.podCIDRs`.
    pub(crate) pod_subnets: Vec<IpNet>,
    /// Its addresses of type `InternalIP`.
    pub(crate) addresses: Vec<IpAddr>,
}

/// Nodes by name.
pub(crate) type NodesByName = BTreeMap<String, Node>;

/// All nodes, kept up by the events of the watch.
#[derive(Debug, Default)]
pub(crate) struct Nodes {
    /// `None` until the first list is complete: a node that is not listed yet is not a node that is gone.
    known: Option<NodesByName>,
    /// The list that is being received; it replaces the known nodes at its end.
    listed: NodesByName,
}

/// The watched resource: Nodes, read as [`WatchedNode`].
pub(crate) fn api(client: Client) -> Api<WatchedNode> {
    Api::all_with(client, &ApiResource::erase::<KubernetesNode>(&()))
}

impl Nodes {
    /// Takes an event of the watch; true if it changes anything that is kept.
    pub(crate) fn apply(&mut self, event: Event<WatchedNode>) -> bool {
        match event {
            Event::Init => {
                self.listed.clear();
                false
            }
            Event::InitApply(node) => {
                self.listed.insert(node.name_any(), Node::from(&node));
                false
            }
            Event::InitDone => {
                let listed = Some(std::mem::take(&mut self.listed));
                let changed = self.known != listed;
                self.known = listed;
                changed
            }
            Event::Apply(node) => {
                let kept = Node::from(&node);
                self.known.as_mut().is_some_and(|known| known.insert(node.name_any(), kept.clone()) != Some(kept))
            }
            Event::Delete(node) => self.known.as_mut().is_some_and(|known| known.remove(&node.name_any()).is_some()),
        }
    }

    /// The nodes, once all of them are known.
    pub(crate) fn complete(&self) -> Option<&NodesByName> {
        self.known.as_ref()
    }
}

impl From<&WatchedNode> for Node {
    fn from(node: &WatchedNode) -> Self {
        let addresses = node.status.iter().flat_map(|status| &status.addresses);
        Self {
            pod_subnets: node
                .spec
                .pod_cidrs
                .iter()
                .filter_map(|subnet| parse(node, "pod subnet", subnet))
                .map(|subnet: IpNet| subnet.trunc())
                .collect(),
            addresses: addresses
                .filter(|address| address.kind == "InternalIP")
                .filter_map(|address| parse(node, "address", &address.address))
                .collect(),
        }
    }
}

/// One value that cannot be read must not keep the others of the cluster from being used.
fn parse<T: std::str::FromStr>(node: &WatchedNode, what: &str, text: &str) -> Option<T> {
    let parsed = text.parse().ok();
    if parsed.is_none() {
        warn!("node {}: {what} {text:?} is not one; ignored", node.name_any());
    }
    parsed
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn node(name: &str, subnet: &str, address: &str) -> WatchedNode {
        serde_json::from_value(json!({
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {"name": name, "resourceVersion": "7"},
            "spec": {"podCIDR": subnet, "podCIDRs": [subnet], "providerID": "kind://docker/a/b"},
            "status": {
                "addresses": [
                    {"type": "Hostname", "address": name},
                    {"type": "ExternalIP", "address": "192.0.2.9"},
                    {"type": "InternalIP", "address": address},
                ],
                "images": [{"names": ["registry.k8s.io/pause:3.10"], "sizeBytes": 1}],
            },
        }))
        .expect("a Node")
    }

    fn listed(nodes: &mut Nodes, list: impl IntoIterator<Item = WatchedNode>) -> bool {
        assert!(!nodes.apply(Event::Init));
        for node in list {
            assert!(!nodes.apply(Event::InitApply(node)));
        }
        nodes.apply(Event::InitDone)
    }

    #[test]
    fn keeps_subnets_and_internal_addresses() {
        let kept = Node::from(&node("one", "10.244.1.0/24", "172.18.0.3"));
        assert_eq!(kept.pod_subnets, ["10.244.1.0/24".parse().expect("a subnet")]);
        assert_eq!(kept.addresses, ["172.18.0.3".parse::<IpAddr>().expect("an address")]);
    }

    #[test]
    fn reads_a_node_without_subnet_and_status() {
        let bare: WatchedNode =
            serde_json::from_value(json!({"metadata": {"name": "bare"}, "spec": {}})).expect("a Node");
        assert_eq!(Node::from(&bare), Node::default());
    }

    #[test]
    fn ignores_what_it_cannot_read() {
        let kept = Node::from(&node("one", "10.244.1.0/240", "nowhere"));
        assert_eq!(kept, Node::default());
    }

    #[test]
    fn is_complete_after_the_first_list() {
        let mut nodes = Nodes::default();
        assert!(nodes.complete().is_none());
        nodes.apply(Event::Init);
        nodes.apply(Event::InitApply(node("one", "10.244.1.0/24", "172.18.0.3")));
        assert!(nodes.complete().is_none());
        assert!(nodes.apply(Event::InitDone));
        assert_eq!(nodes.complete().map(BTreeMap::len), Some(1));
    }

    #[test]
    fn an_empty_list_is_complete_too() {
        let mut nodes = Nodes::default();
        assert!(listed(&mut nodes, []));
        assert_eq!(nodes.complete().map(BTreeMap::len), Some(0));
    }

    #[test]
    fn a_heartbeat_changes_nothing() {
        let mut nodes = Nodes::default();
        listed(&mut nodes, [node("one", "10.244.1.0/24", "172.18.0.3")]);
        assert!(!nodes.apply(Event::Apply(node("one", "10.244.1.0/24", "172.18.0.3"))));
        assert!(nodes.apply(Event::Apply(node("one", "10.244.1.0/24", "172.18.0.4"))));
        assert!(nodes.apply(Event::Apply(node("two", "10.244.2.0/24", "172.18.0.5"))));
    }

    #[test]
    fn a_node_goes_by_its_deletion_or_by_a_new_list() {
        let mut nodes = Nodes::default();
        let one = || node("one", "10.244.1.0/24", "172.18.0.3");
        let two = || node("two", "10.244.2.0/24", "172.18.0.4");
        listed(&mut nodes, [one(), two()]);
        assert!(nodes.apply(Event::Delete(two())));
        assert!(!nodes.apply(Event::Delete(two())));

        listed(&mut nodes, [one(), two()]);
        assert!(!listed(&mut nodes, [two(), one()]), "the same list");
        assert!(listed(&mut nodes, [one()]));
        assert_eq!(nodes.complete().map(BTreeMap::len), Some(1));
    }

    #[test]
    fn a_list_broken_off_is_forgotten() {
        let mut nodes = Nodes::default();
        nodes.apply(Event::Init);
        nodes.apply(Event::InitApply(node("gone", "10.244.9.0/24", "172.18.0.9")));
        listed(&mut nodes, [node("one", "10.244.1.0/24", "172.18.0.3")]);
        assert!(nodes.complete().is_some_and(|known| !known.contains_key("gone")));
    }
}
