//! The network configuration of pods: with it in place before the kubelet starts, the node's network is ready from the first look.

use serde_json::json;

use crate::{ClusterPlan, NodePlan};

pub(crate) const PATH: &str = "/etc/cni/net.d/10-kindnet.conflist";

/// What kindnetd itself writes for the node: it leaves the file alone when it means the same.
pub(crate) fn configuration(plan: &ClusterPlan, node: &NodePlan) -> String {
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
                    "ranges": [[{"subnet": node.pod_subnet}]],
                    "routes": [{"dst": "0.0.0.0/0"}],
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
}
