//! The network configuration of pods: with it in place before the kubelet starts, the node's network is ready from the first look.

use ipnet::IpNet;
use serde_json::json;

use crate::{ClusterPlan, NodePlan};

pub(crate) const PATH: &str = "/etc/cni/net.d/10-kindnet.conflist";

/// What kindnetd itself writes for the node: it leaves the file alone when it means the same.
pub(crate) fn configuration(plan: &ClusterPlan, node: &NodePlan) -> String {
    let ranges: Vec<_> = node.pod_subnets.iter().map(|subnet| json!([{"subnet": subnet}])).collect();
    let route = |subnet: &IpNet| match subnet {
        IpNet::V4(_) => json!({"dst": "0.0.0.0/0"}),
        IpNet::V6(_) => json!({"dst": "::/0"}),
    };
    let routes: Vec<_> = node.pod_subnets.iter().map(route).collect();
    // containerd before 1.6, in images of such versions, refuses lists of 1.0.0; upstream's kindnetd writes 0.3.1 there.
    let version = if plan.kubernetes.is_at_least(24) { "1.0.0" } else { "0.3.1" };
    let mut list = json!({
        "cniVersion": version,
        "name": "kindnet",
        "plugins": [
            {
                "type": "ptp",
                "ipMasq": false,
                "ipam": {
                    "type": "host-local",
                    "dataDir": "/run/cni-ipam-state",
                    "ranges": ranges,
                    "routes": routes,
                },
                "mtu": plan.network_mtu,
            },
            {"type": "portmap", "capabilities": {"portMappings": true}},
        ],
    });
    // The bytes must not depend on what the rest of the build asks of serde_json.
    list.sort_all_objects();
    format!("{list:#}\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    /// The example of `crates/kindnetd/README.md`.
    #[test]
    fn equals_what_kindnetd_writes() {
        let plan = sample::cluster("v1.37.2", 2);
        let readme = include_str!("../../kindnetd/README.md");
        let (_, example) = readme.split_once("```json\n").unwrap();
        let (example, _) = example.split_once("```").unwrap();
        let value = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
        assert_eq!(value(&configuration(&plan, &plan.nodes[1])), value(example));
    }

    #[test]
    fn gives_pods_an_address_and_a_way_out_of_each_family() {
        let plan = sample::cluster("v1.37.2", 2);
        let subnets = ["10.244.1.0/24", "fd00:10:244:1::/64"].map(|subnet| subnet.parse().unwrap());
        let node = NodePlan { pod_subnets: subnets.to_vec(), ..plan.nodes[1].clone() };
        let list: serde_json::Value = serde_json::from_str(&configuration(&plan, &node)).unwrap();
        let addresses = &list["plugins"][0]["ipam"];
        // As the README of `crates/kindnetd` has it.
        assert_eq!(addresses["ranges"], json!([[{"subnet": "10.244.1.0/24"}], [{"subnet": "fd00:10:244:1::/64"}]]));
        assert_eq!(addresses["routes"], json!([{"dst": "0.0.0.0/0"}, {"dst": "::/0"}]));
    }
}
