//! What a kubelet is told: its configuration and its flags, by version.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::{ClusterPlan, Label, NodeFile, NodePlan, Resources, Taint, patches, yaml};

/// Where containerd listens in every node image.
pub(crate) const CRI_SOCKET: &str = "unix:///run/containerd/containerd.sock";

/// Where systemd looks for additions to the kubelet's unit.
pub(crate) const DROP_INS: &str = "/etc/systemd/system/kubelet.service.d";

/// In kind's images kubelet and containerd start side by side, since kind writes the kubelet's configuration long after. With
/// the configuration there from the start, a kubelet that comes first ends at once, and its second start costs the node a second or two.
pub(crate) const AFTER_CONTAINERD: &str = "\
# A kubelet that finds no container runtime ends at once.
[Unit]
After=containerd.service
";

/// A node that stops ends all its programs at once, and has ten seconds for it. An API server would take them all, since it waits for
/// etcd, which has ended; `CoreDNS` would take five of them (the `lameduck` of its `health`) for a Service to forget it, which nobody
/// tells. Neither has anything to lose. Others get the whole time for their data. The kubelet, which would start them anew, has ended by then.
pub(crate) const STOP: &str = "\
# At a node's stop these would wait, in vain.
[Service]
ExecStopPost=-/bin/sh -c '[ \"$(systemctl is-system-running)\" != stopping ] || pkill -KILL -x \"kube-apiserver|coredns\"'
";

/// The part of the configuration all nodes share, as kubeadm and kind write it. kubeadm keeps it in a `ConfigMap` for nodes that join.
pub(crate) fn shared_configuration(plan: &ClusterPlan) -> Value {
    // kind's images have containerd use systemd's cgroups from 1.24 on.
    let cgroup_driver = if plan.kubernetes.is_at_least(24) { "systemd" } else { "cgroupfs" };
    let mut configuration = json!({
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "authentication": {
            "anonymous": {"enabled": false},
            "webhook": {"enabled": true},
            "x509": {"clientCAFile": "/etc/kubernetes/pki/ca.crt"},
        },
        "authorization": {"mode": "Webhook"},
        "cgroupDriver": cgroup_driver,
        // The entrypoint of kind's images makes this group; the kubelet must not manage the groups of the host's own pods.
        "cgroupRoot": "/kubelet",
        "clusterDNS": [plan.dns_service_address()],
        "clusterDomain": plan.dns_domain,
        // The disk is the host's: a kubelet can neither judge nor cure its fullness.
        "evictionHard": {"imagefs.available": "0%", "nodefs.available": "0%", "nodefs.inodesFree": "0%"},
        "imageGCHighThresholdPercent": 100,
        "failSwapOn": false,
        "healthzBindAddress": "127.0.0.1",
        "healthzPort": 10248,
        "rotateCertificates": true,
        // One slow pull must not hold up the images of other pods.
        "serializeImagePulls": false,
        "staticPodPath": "/etc/kubernetes/manifests",
    });
    if !plan.options.feature_gates.is_empty() {
        configuration["featureGates"] = json!(plan.options.feature_gates);
    }
    if plan.kubernetes.is_at_least(35) {
        // A controller manager that gives up on a slow API server is back after three seconds instead of ten to three hundred.
        // The feature is on by default from this version.
        configuration["crashLoopBackOff"] = json!({"maxContainerRestartPeriod": "3s"});
        // From this version kubelets refuse hosts with version 1 of cgroups unless told otherwise; images work on both.
        configuration["failCgroupV1"] = json!(false);
    }
    patches::merge(&mut configuration, &plan.options.components.patches.kubelet);
    configuration
}

/// The configuration of the kubelet of `node`, as a file of it.
pub fn kubelet_configuration(plan: &ClusterPlan, node: &NodePlan) -> NodeFile {
    let mut configuration = shared_configuration(plan);
    if plan.kubernetes.is_at_least(27) {
        configuration["containerRuntimeEndpoint"] = json!(CRI_SOCKET);
    }
    let taints = plan.taints(node);
    if plan.kubernetes.is_at_least(23) && !taints.is_empty() {
        configuration["registerWithTaints"] = taints.iter().map(Taint::to_json).collect();
    }
    let Resources { cpu_millis, memory } = node.options.reserved;
    if cpu_millis > 0 {
        configuration["systemReserved"]["cpu"] = json!(format!("{cpu_millis}m"));
    }
    if memory > 0 {
        configuration["systemReserved"]["memory"] = json!(memory.to_string());
    }
    NodeFile::public("/var/lib/kubelet/config.yaml", yaml::print(&configuration))
}

/// The part of the configuration that is the node's own, which kubeadm merges into the shared one when it upgrades a node.
/// `None` before the version that has such a file.
pub(crate) fn instance_configuration(plan: &ClusterPlan) -> Option<String> {
    keeps_cri_socket_in_node(plan).then(|| yaml::print(&json!({"containerRuntimeEndpoint": CRI_SOCKET})))
}

/// Whether kubeadm looks for the runtime's socket in a file of the node, or at an annotation of the Node (its gate `NodeLocalCRISocket`).
pub(crate) fn keeps_cri_socket_in_node(plan: &ClusterPlan) -> bool {
    plan.kubernetes.is_at_least(34)
}

/// The environment file with the flags of the kubelet of `node`: what has no field in the configuration, or none in this version.
pub(crate) fn flags_file(plan: &ClusterPlan, node: &NodePlan) -> String {
    let flags: Vec<_> = flags(plan, node).iter().map(|(name, value)| format!("--{name}={value}")).collect();
    format!("KUBELET_KUBEADM_ARGS=\"{}\"\n", flags.join(" "))
}

fn flags(plan: &ClusterPlan, node: &NodePlan) -> BTreeMap<String, String> {
    let mut flags = node_flags(plan, node);
    let mut set = |name: &str, value: String| flags.insert(name.to_owned(), value);
    if !plan.kubernetes.is_at_least(24) {
        set("container-runtime", "remote".to_owned());
    }
    if !plan.kubernetes.is_at_least(27) {
        set("container-runtime-endpoint", CRI_SOCKET.to_owned());
    }
    let taints = plan.taints(node);
    if !plan.kubernetes.is_at_least(23) && !taints.is_empty() {
        let taints: Vec<_> = taints.iter().map(ToString::to_string).collect();
        set("register-with-taints", taints.join(","));
    }
    flags
}

/// The flags that say who the node is; kubeadm gets them too, as the node's registration.
pub(crate) fn node_flags(plan: &ClusterPlan, node: &NodePlan) -> BTreeMap<String, String> {
    let addresses: Vec<_> = node.addresses().iter().map(ToString::to_string).collect();
    let mut flags = node.options.kubelet_flags.clone();
    let mut set = |name: &str, value: String| flags.insert(name.to_owned(), value);
    set("node-ip", addresses.join(","));
    set("provider-id", plan.provider_id(node));
    // The Node is made with all labels. With these, one that was deleted comes back as it was as far as a kubelet may bring it back.
    let labels = node.options.labels.iter().filter(|label| label.is_for_kubelet()).map(Label::pair);
    let labels: Vec<_> = labels.map(|(key, value)| format!("{key}={value}")).collect();
    if !labels.is_empty() {
        set("node-labels", labels.join(","));
    }
    flags
}
