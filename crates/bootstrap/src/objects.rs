//! What `kubeadm init` leaves in a cluster beyond its addons, so that everything made for kubeadm's clusters works: `kubeadm join`,
//! `kubeadm token create` and `kubeadm upgrade` among it.
//!
//! Source: `cmd/kubeadm/app/phases/{bootstraptoken,kubeconfig,kubelet,markcontrolplane,uploadconfig}` of Kubernetes 1.20 to 1.37.

use serde_json::{Map, Value, json};

use crate::pki::{ADMINS_GROUP, binds_kubelet_client};
use crate::{
    ClusterPlan, Label, NodePlan, Pki, Role, Taint, kubeadm, kubeconfig, kubelet, local_registry_object, yaml,
};

/// The group of nodes that join with a token of `kubeadm token create`.
const JOINING_NODES: &str = "system:bootstrappers:kubeadm:default-node-token";

/// The group of nodes that have a certificate.
const NODES: &str = "system:nodes";

/// The objects in the order to apply them: by forced server-side apply, with [`crate::bootstrap_kubeconfig`], as soon as the API server
/// is ready.
pub fn cluster_objects(plan: &ClusterPlan, pki: &Pki) -> Vec<Value> {
    let mut objects = Vec::new();
    objects.extend(namespaces());
    objects.extend(plan.nodes.iter().map(|node| node_object(plan, node)));
    objects.extend(administration(plan));
    objects.extend(joining());
    objects.extend(uploaded_configuration(plan));
    objects.extend(discovery(plan, pki));
    objects.push(root_certificate(pki));
    objects.extend(plan.options.local_registry.as_ref().map(local_registry_object));
    objects
}

/// What a living cluster must be told of `node` before it starts. The plan is that of the whole cluster, this node included.
pub fn join_objects(plan: &ClusterPlan, node: &NodePlan) -> Vec<Value> {
    vec![node_object(plan, node)]
}

/// What of [`cluster_objects`] names the control planes: to be applied to a living cluster once it has others.
pub fn control_plane_objects(plan: &ClusterPlan) -> Vec<Value> {
    vec![kubeadm_config(plan)]
}

/// What of [`cluster_objects`] says how the API server is reached: to be applied to a living cluster once a balancer stands in front.
pub fn endpoint_objects(plan: &ClusterPlan, pki: &Pki) -> Vec<Value> {
    vec![kubeadm_config(plan), cluster_info(plan, pki)]
}

/// The Node itself: applied before the controller manager runs, or before the node starts, this is what gives the node the pod subnet its
/// network was configured with; that field can be set only once.
fn node_object(plan: &ClusterPlan, node: &NodePlan) -> Value {
    let mut labels: Map<_, _> = node.options.labels.iter().map(Label::pair).map(label).collect();
    if node.role == Role::ControlPlane {
        labels.extend([label(("node-role.kubernetes.io/control-plane", ""))]);
        if plan.kubernetes.is_at_least(21) {
            labels.extend([label(("node.kubernetes.io/exclude-from-external-load-balancers", ""))]);
        }
        if !plan.kubernetes.is_at_least(24) {
            labels.extend([label(("node-role.kubernetes.io/master", ""))]);
        }
    }
    let mut metadata = json!({"name": node.name});
    if !labels.is_empty() {
        metadata["labels"] = labels.into();
    }
    if !kubelet::keeps_cri_socket_in_node(plan) {
        metadata["annotations"] = json!({"kubeadm.alpha.kubernetes.io/cri-socket": kubelet::CRI_SOCKET});
    }
    let mut spec = json!({
        "podCIDR": node.pod_subnets.first(),
        "podCIDRs": node.pod_subnets,
        "providerID": plan.provider_id(node),
    });
    let taints = plan.taints(node);
    if !taints.is_empty() {
        spec["taints"] = taints.iter().map(Taint::to_json).collect();
    }
    json!({"apiVersion": "v1", "kind": "Node", "metadata": metadata, "spec": spec})
}

fn label((key, value): (&str, &str)) -> (String, Value) {
    (key.to_owned(), value.into())
}

/// The API server makes them too, but only some time after it says that it is ready.
fn namespaces() -> Vec<Value> {
    ["kube-system", "kube-public", "kube-node-lease"]
        .map(|name| json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}))
        .into()
}

/// The rights of people, and those of the API server over kubelets.
fn administration(plan: &ClusterPlan) -> Vec<Value> {
    let mut objects = Vec::new();
    if plan.kubernetes.is_at_least(29) {
        objects.push(cluster_role_binding(ADMINS_GROUP, "cluster-admin", &group(ADMINS_GROUP)));
    }
    if binds_kubelet_client(&plan.kubernetes) {
        let subject = user("kube-apiserver-kubelet-client");
        objects.push(cluster_role_binding("kubeadm:apiserver-kubelet-client", "system:kubelet-api-admin", &subject));
    }
    objects
}

/// The rights of nodes that join, and of nodes that renew their certificate.
fn joining() -> Vec<Value> {
    let signing = "system:certificates.k8s.io:certificatesigningrequests";
    let get_nodes = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": "kubeadm:get-nodes"},
        "rules": [{"verbs": ["get"], "apiGroups": [""], "resources": ["nodes"]}],
    });
    let joining = group(JOINING_NODES);
    vec![
        get_nodes,
        cluster_role_binding("kubeadm:get-nodes", "kubeadm:get-nodes", &joining),
        cluster_role_binding("kubeadm:kubelet-bootstrap", "system:node-bootstrapper", &joining),
        cluster_role_binding("kubeadm:node-autoapprove-bootstrap", &format!("{signing}:nodeclient"), &joining),
        cluster_role_binding(
            "kubeadm:node-autoapprove-certificate-rotation",
            &format!("{signing}:selfnodeclient"),
            &group(NODES),
        ),
    ]
}

/// kubeadm's configuration: what nodes that join and upgrades start from. It names all control planes.
fn kubeadm_config(plan: &ClusterPlan) -> Value {
    let mut kubeadm_data = Map::new();
    kubeadm_data.insert("ClusterConfiguration".to_owned(), yaml::print(&kubeadm::cluster_configuration(plan)).into());
    if let Some(status) = kubeadm::cluster_status(plan) {
        kubeadm_data.insert("ClusterStatus".to_owned(), yaml::print(&status).into());
    }
    config_map("kube-system", "kubeadm-config", &Value::Object(kubeadm_data))
}

/// The configuration nodes that join start from.
fn uploaded_configuration(plan: &ClusterPlan) -> Vec<Value> {
    let kubelet_name = match &plan.kubernetes {
        version if version.is_at_least(24) => "kubelet-config".to_owned(),
        version => format!("kubelet-config-{}.{}", version.major, version.minor),
    };
    let kubelet_data = json!({"kubelet": yaml::print(&kubelet::shared_configuration(plan))});
    let readers = [group(NODES), group(JOINING_NODES)];
    let mut objects = vec![kubeadm_config(plan), config_map("kube-system", &kubelet_name, &kubelet_data)];
    objects.extend(readable("kube-system", "kubeadm:nodes-kubeadm-config", "kubeadm-config", &readers));
    objects.extend(readable("kube-system", &format!("kubeadm:{kubelet_name}"), &kubelet_name, &readers));
    objects
}

/// What a joining node, still a stranger, may learn about the cluster. The controller manager signs it for each token.
fn discovery(plan: &ClusterPlan, pki: &Pki) -> Vec<Value> {
    let mut objects = vec![cluster_info(plan, pki)];
    objects.extend(readable(
        "kube-public",
        "kubeadm:bootstrap-signer-clusterinfo",
        "cluster-info",
        &[user("system:anonymous")],
    ));
    objects
}

fn cluster_info(plan: &ClusterPlan, pki: &Pki) -> Value {
    config_map("kube-public", "cluster-info", &json!({"kubeconfig": kubeconfig::cluster_info(plan, pki)}))
}

/// The certificate every pod trusts the API server by, mounted into it with its token. The controller manager publishes it in every
/// namespace, but late: the first pods would wait for it, a failed mount later than it comes.
fn root_certificate(pki: &Pki) -> Value {
    let mut object =
        config_map("kube-system", "kube-root-ca.crt", &json!({"ca.crt": pki.cluster_authority.certificate}));
    // Word for word what the publisher writes, so that it finds nothing to correct (pkg/controller/certificates/rootcacertpublisher).
    object["metadata"]["annotations"] = json!({
        "kubernetes.io/description": "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as \
            the internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes clusters.",
    });
    object
}

fn config_map(namespace: &str, name: &str, data: &Value) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": namespace}, "data": data})
}

/// A Role to read one `ConfigMap`, and the binding that gives it to `subjects`.
fn readable(namespace: &str, name: &str, config_map: &str, subjects: &[Value]) -> [Value; 2] {
    let metadata = json!({"name": name, "namespace": namespace});
    [
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "Role",
            "metadata": metadata,
            "rules": [{"verbs": ["get"], "apiGroups": [""], "resources": ["configmaps"], "resourceNames": [config_map]}],
        }),
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "RoleBinding",
            "metadata": metadata,
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name},
            "subjects": subjects,
        }),
    ]
}

fn cluster_role_binding(name: &str, role: &str, subject: &Value) -> Value {
    json!({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": name},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
        "subjects": [subject],
    })
}

fn group(name: &str) -> Value {
    json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": name})
}

fn user(name: &str) -> Value {
    json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": name})
}
