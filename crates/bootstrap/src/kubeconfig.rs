//! Kubeconfigs: for people, for the server that made the cluster, and for the components inside the nodes.

use std::fmt::Display;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use crate::pki::Credential;
use crate::{ClusterPlan, NodePlan, Pki, yaml};

/// Where the kubelet keeps its client certificate, the current one under a name of its own.
pub(crate) const KUBELET_CREDENTIAL: &str = "/var/lib/kubelet/pki/kubelet-client-current.pem";

/// The name of the cluster's context, cluster and user in kubeconfigs for people: `qbo-<cluster>`, so that the
/// kubeconfigs of several clusters can be merged.
pub fn context_name(plan: &ClusterPlan) -> String {
    format!("qbo-{}", plan.name)
}

/// The kubeconfig for people. From Kubernetes 1.29 on its rights come from a binding among [`crate::cluster_objects`].
pub fn user_kubeconfig(plan: &ClusterPlan, pki: &Pki) -> String {
    for_people(plan, pki, &pki.clients.admin)
}

/// The kubeconfig that may do everything from the API server's first moment on, being of the group `system:masters`:
/// what [`crate::cluster_objects`] are applied with. Not to be given to anybody: this right cannot be taken back.
pub fn bootstrap_kubeconfig(plan: &ClusterPlan, pki: &Pki) -> String {
    for_people(plan, pki, &pki.clients.super_admin)
}

fn for_people(plan: &ClusterPlan, pki: &Pki, user: &Credential) -> String {
    let name = context_name(plan);
    let server = format!("{}:{}", plan.endpoint.host, plan.endpoint.port);
    let names = Names { cluster: &name, user: &name, context: &name };
    yaml::print(&config(&names, &cluster(&server, pki), &embedded(user)))
}

/// The kubeconfig of a component of the control plane `node`, which talks to the API server beside it.
pub(crate) fn component(plan: &ClusterPlan, pki: &Pki, node: &NodePlan, user: &str, credential: &Credential) -> String {
    in_node(plan, user, &cluster(&node.api_server(), pki), &embedded(credential))
}

/// The kubelet's kubeconfig: it names the file of the client certificate instead of holding it, the form kubeadm leaves behind once
/// a node has joined (`kubelet-finalize`), so that rotated certificates are found.
pub(crate) fn kubelet(plan: &ClusterPlan, pki: &Pki, node: &NodePlan) -> String {
    let server = if pki.servers.contains_key(&node.name) { node.api_server() } else { plan.api_server() };
    let user = json!({"client-certificate": KUBELET_CREDENTIAL, "client-key": KUBELET_CREDENTIAL});
    in_node(plan, &format!("system:node:{}", node.name), &cluster(&server, pki), &user)
}

/// The kubeconfig that tells a joining node which API server to trust; it names no user.
pub(crate) fn cluster_info(plan: &ClusterPlan, pki: &Pki) -> String {
    let clusters = json!([{"name": "", "cluster": cluster(&plan.api_server(), pki)}]);
    yaml::print(&json!({
        "apiVersion": "v1", "kind": "Config", "clusters": clusters,
        "contexts": null, "current-context": "", "preferences": {}, "users": null,
    }))
}

struct Names<'a> {
    cluster: &'a str,
    user: &'a str,
    context: &'a str,
}

fn in_node(plan: &ClusterPlan, user: &str, cluster: &Value, credential: &Value) -> String {
    let names = Names { cluster: &plan.name, user, context: &format!("{user}@{}", plan.name) };
    yaml::print(&config(&names, cluster, credential))
}

fn config(names: &Names<'_>, cluster: &Value, user: &Value) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": names.cluster, "cluster": cluster}],
        "contexts": [{"name": names.context, "context": {"cluster": names.cluster, "user": names.user}}],
        "current-context": names.context,
        "preferences": {},
        "users": [{"name": names.user, "user": user}],
    })
}

fn cluster(server: &dyn Display, pki: &Pki) -> Value {
    json!({
        "certificate-authority-data": BASE64_STANDARD.encode(&pki.cluster_authority.certificate),
        "server": format!("https://{server}"),
    })
}

fn embedded(credential: &Credential) -> Value {
    json!({
        "client-certificate-data": BASE64_STANDARD.encode(&credential.certificate),
        "client-key-data": BASE64_STANDARD.encode(&credential.key),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;
    use std::time::SystemTime;

    #[test]
    fn points_people_to_the_endpoint_and_components_to_their_own_node() {
        let mut plan = sample::cluster("v1.37.2", 2);
        plan.endpoint = crate::Endpoint { host: "127.0.0.1".to_owned(), port: 36443 };
        let pki = Pki::generate(&plan, SystemTime::now()).unwrap();
        let server = |text: &str| yaml::parse_all(text).unwrap()[0]["clusters"][0]["cluster"]["server"].clone();
        assert_eq!(server(&user_kubeconfig(&plan, &pki)), "https://127.0.0.1:36443");
        assert_eq!(server(&kubelet(&plan, &pki, &plan.nodes[1])), "https://172.20.0.2:6443");
        assert_eq!(server(&cluster_info(&plan, &pki)), "https://172.20.0.2:6443");
        assert_eq!(
            server(&component(&plan, &pki, &plan.nodes[0], "system:kube-scheduler", &pki.clients.scheduler)),
            "https://172.20.0.2:6443"
        );
    }

    #[test]
    fn names_everything_after_the_cluster_for_people() {
        let plan = sample::cluster("v1.37.2", 1);
        let pki = Pki::generate(&plan, SystemTime::now()).unwrap();
        let config = &yaml::parse_all(&user_kubeconfig(&plan, &pki)).unwrap()[0];
        assert_eq!(config["current-context"], "qbo-alex");
        assert_eq!(
            config["contexts"][0],
            json!({"name": "qbo-alex", "context": {"cluster": "qbo-alex", "user": "qbo-alex"}})
        );
        let key = config["users"][0]["user"]["client-key-data"].as_str().unwrap();
        assert_eq!(BASE64_STANDARD.decode(key).unwrap(), pki.clients.admin.key.as_bytes());
    }
}
