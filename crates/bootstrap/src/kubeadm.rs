//! The configuration of kubeadm, in the form the version in the node image reads.
//!
//! It serves the phases run while the cluster is made (static pods, addons) and whatever people do with kubeadm later.

use std::collections::BTreeMap;
use std::fmt::Display;

use serde_json::{Map, Value, json};

use crate::{ClusterPlan, KubernetesVersion, NodePlan, Taint, kubelet, patches, subnets, yaml};

/// Where kind's images expect it, too: their entrypoint renews a certificate with it should the node's address change.
pub(crate) const PATH: &str = "/kind/kubeadm.conf";

/// The versions of `kubeadm.k8s.io`.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Api {
    V1Beta2,
    V1Beta3,
    V1Beta4,
}

/// The whole configuration, for the control plane `node`.
pub(crate) fn configuration(plan: &ClusterPlan, node: &NodePlan) -> String {
    yaml::print_all(&[
        cluster_configuration(plan),
        init_configuration(plan, node),
        kubelet::shared_configuration(plan),
        proxy_configuration(plan),
    ])
}

/// The part all nodes share. kubeadm keeps it in a `ConfigMap` for nodes that join and for upgrades.
pub(crate) fn cluster_configuration(plan: &ClusterPlan) -> Value {
    let api = Api::of(&plan.kubernetes);
    let mut names: Vec<_> = plan.control_planes().flat_map(|node| plan.api_server_names(node)).collect();
    names.sort();
    names.dedup();
    let mut configuration = json!({
        "apiVersion": api.group_version(),
        "kind": "ClusterConfiguration",
        "apiServer": {"certSANs": names},
        "certificatesDir": "/etc/kubernetes/pki",
        "clusterName": plan.name,
        "controlPlaneEndpoint": plan.api_server(),
        "controllerManager": {"extraArgs": arguments(controller_manager_flags(plan))},
        "etcd": {"local": {"dataDir": "/var/lib/etcd"}},
        "kubernetesVersion": plan.kubernetes.to_string(),
        "networking": {
            "dnsDomain": plan.dns_domain,
            "podSubnet": subnets::list(&plan.pod_subnets),
            "serviceSubnet": subnets::list(&plan.service_subnets),
        },
        "scheduler": {"extraArgs": arguments(scheduler_flags(plan))},
    });
    let flags = api_server_flags(plan);
    if !flags.is_empty() {
        configuration["apiServer"]["extraArgs"] = arguments(flags);
    }
    patches::merge_cluster(&mut configuration, &plan.options.components.patches.cluster);
    if api == Api::V1Beta4 {
        // What kubeadm renews shall be of the same kind as what was there at first.
        configuration["encryptionAlgorithm"] = json!("ECDSA-P256");
    }
    api.spell_arguments(&mut configuration);
    configuration
}

/// Where each control plane's API server listens, a document older versions keep beside the shared configuration.
/// `None` from 1.22 on, where kubeadm reads it off the static pods.
pub(crate) fn cluster_status(plan: &ClusterPlan) -> Option<Value> {
    let api = Api::of(&plan.kubernetes);
    (api == Api::V1Beta2).then(|| {
        let endpoints: Map<_, _> = plan.control_planes().map(|node| (node.name.clone(), api_endpoint(node))).collect();
        json!({"apiVersion": api.group_version(), "kind": "ClusterStatus", "apiEndpoints": endpoints})
    })
}

fn init_configuration(plan: &ClusterPlan, node: &NodePlan) -> Value {
    let api = Api::of(&plan.kubernetes);
    let taints: Vec<_> = plan.taints(node).iter().map(Taint::to_json).collect();
    let mut configuration = json!({
        "apiVersion": api.group_version(),
        "kind": "InitConfiguration",
        "localAPIEndpoint": api_endpoint(node),
        "nodeRegistration": {
            "criSocket": kubelet::CRI_SOCKET,
            "kubeletExtraArgs": arguments(kubelet::node_flags(plan, node)),
            "name": node.name,
            "taints": taints,
        },
    });
    api.spell_arguments(&mut configuration);
    configuration
}

fn api_endpoint(node: &NodePlan) -> Value {
    json!({"advertiseAddress": node.advertised_address(), "bindPort": node.api_server().port()})
}

fn proxy_configuration(plan: &ClusterPlan) -> Value {
    let mut configuration = json!({
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        // The table of connections is the host's: its size is not for a node to set.
        "conntrack": {"maxPerCore": 0},
        "iptables": {"minSyncPeriod": "1s"},
        "mode": plan.options.components.proxy_mode,
    });
    if !plan.options.feature_gates.is_empty() {
        configuration["featureGates"] = json!(plan.options.feature_gates);
    }
    patches::merge(&mut configuration, &plan.options.components.patches.proxy);
    configuration
}

/// Flags of a component.
fn arguments(flags: impl IntoIterator<Item = (impl Into<String>, String)>) -> Value {
    flags.into_iter().map(|(name, value)| json!({"name": name.into(), "value": value})).collect()
}

fn api_server_flags(plan: &ClusterPlan) -> Vec<(&'static str, String)> {
    let mut flags = feature_flags(plan);
    let runtime_config = &plan.options.components.runtime_config;
    if !runtime_config.is_empty() {
        flags.push(("runtime-config", pairs(runtime_config)));
    }
    flags
}

fn controller_manager_flags(plan: &ClusterPlan) -> Vec<(&'static str, String)> {
    let mut flags = election_flags(plan);
    // Each of its forty controllers starts with a service account and a token. At the default of twenty requests a second that alone
    // takes seconds.
    flags.extend([("kube-api-qps", "100".to_owned()), ("kube-api-burst", "200".to_owned())]);
    flags.extend(feature_flags(plan));
    flags
}

fn scheduler_flags(plan: &ClusterPlan) -> Vec<(&'static str, String)> {
    let mut flags = election_flags(plan);
    flags.extend(feature_flags(plan));
    flags
}

fn feature_flags(plan: &ClusterPlan) -> Vec<(&'static str, String)> {
    let gates = &plan.options.feature_gates;
    if gates.is_empty() { Vec::new() } else { vec![("feature-gates", pairs(gates))] }
}

fn pairs(values: &BTreeMap<String, impl Display>) -> String {
    values.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(",")
}

/// Where there is nobody to compete with, an election only costs time.
fn election_flags(plan: &ClusterPlan) -> Vec<(&'static str, String)> {
    let alone = plan.control_planes().count() == 1;
    if alone { vec![("leader-elect", "false".to_owned())] } else { Vec::new() }
}

impl Api {
    fn of(version: &KubernetesVersion) -> Self {
        if version.is_at_least(31) {
            Self::V1Beta4
        } else if version.is_at_least(22) {
            Self::V1Beta3
        } else {
            Self::V1Beta2
        }
    }

    fn group_version(self) -> &'static str {
        match self {
            Self::V1Beta2 => "kubeadm.k8s.io/v1beta2",
            Self::V1Beta3 => "kubeadm.k8s.io/v1beta3",
            Self::V1Beta4 => "kubeadm.k8s.io/v1beta4",
        }
    }

    /// Flags of components are lists, in which one may come several times; before v1beta4 they are by name.
    fn spell_arguments(self, configuration: &mut Value) {
        if self == Self::V1Beta4 {
            return;
        }
        let Value::Object(fields) = configuration else { return };
        for (name, value) in fields {
            match value {
                Value::Array(flags) if matches!(name.as_str(), "extraArgs" | "kubeletExtraArgs") => {
                    let flags = flags
                        .iter()
                        .filter_map(|flag| Some((flag["name"].as_str()?.to_owned(), flag["value"].clone())));
                    *value = Value::Object(flags.collect());
                }
                value => self.spell_arguments(value),
            }
        }
    }
}
