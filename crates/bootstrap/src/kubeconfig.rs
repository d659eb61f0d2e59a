//! Kubeconfigs: for people, for the server that made the cluster, and for the components inside the nodes.

use std::fmt::Display;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use crate::pki::Credential;
use crate::{ClusterPlan, NodePlan, Pki, Role, yaml};

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

/// One kubeconfig of several, by way of a proxy. Beside the contexts of theirs there is `default`, the first of them; none
/// is the current one, so that whoever merges it with a kubeconfig of their own chooses there.
pub fn merged_kubeconfig(kubeconfigs: &[String], proxy: &str) -> Result<String, String> {
    let (mut clusters, mut contexts, mut users) = (Vec::new(), Vec::new(), Vec::new());
    for text in kubeconfigs {
        let mut documents = yaml::parse_all(text).map_err(|error| error.to_string())?;
        let mut kubeconfig = documents.pop().unwrap_or_default();
        let mut taken = |list: &str| match kubeconfig[list].take() {
            Value::Array(entries) => entries,
            _ => Vec::new(),
        };
        clusters.extend(taken("clusters"));
        contexts.extend(taken("contexts"));
        users.extend(taken("users"));
    }
    for cluster in &mut clusters {
        cluster["cluster"]["proxy-url"] = proxy.into();
    }
    if let Some(first) = contexts.first() {
        let mut default = first.clone();
        default["name"] = "default".into();
        contexts.push(default);
    }
    Ok(yaml::print(&json!({
        "apiVersion": "v1", "kind": "Config", "clusters": clusters, "contexts": contexts, "users": users,
    })))
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
    let server = match node.role {
        Role::ControlPlane => node.api_server(),
        Role::Worker => plan.api_server(),
    };
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
        let mut plan = sample::cluster("v1.37.2", 3);
        plan.endpoint = crate::Endpoint { host: "127.0.0.1".to_owned(), port: 36443 };
        let server = |text: &str| yaml::parse_all(text).unwrap()[0]["clusters"][0]["cluster"]["server"].clone();
        for (second, shared) in
            [(Role::Worker, "https://172.20.0.10:6443"), (Role::ControlPlane, "https://172.20.0.2:6443")]
        {
            plan.nodes[1].role = second;
            let pki = Pki::generate(&plan, SystemTime::now()).unwrap();
            let [first, _, worker] = &plan.nodes[..] else { panic!("three nodes") };
            assert_eq!(server(&user_kubeconfig(&plan, &pki)), "https://127.0.0.1:36443");
            assert_eq!(server(&kubelet(&plan, &pki, worker)), shared);
            assert_eq!(server(&cluster_info(&plan, &pki)), shared);
            let scheduler = component(&plan, &pki, first, "system:kube-scheduler", &pki.clients.scheduler);
            for own in [kubelet(&plan, &pki, first), scheduler] {
                assert_eq!(server(&own), "https://172.20.0.10:6443");
            }
        }
    }

    #[test]
    fn several_are_merged_by_way_of_a_proxy_and_the_first_is_the_default() {
        let kubeconfig = |name: &str| {
            let plan = ClusterPlan { name: name.to_owned(), ..sample::cluster("v1.37.2", 1) };
            user_kubeconfig(&plan, &Pki::generate(&plan, SystemTime::now()).unwrap())
        };
        let merged = merged_kubeconfig(&[kubeconfig("alex"), kubeconfig("dev")], "http://127.0.0.1:1").unwrap();
        let merged = &yaml::parse_all(&merged).unwrap()[0];
        let names = |list: &str| {
            let entries = merged[list].as_array().unwrap();
            entries.iter().map(|entry| entry["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(names("clusters"), ["qbo-alex", "qbo-dev"]);
        assert_eq!(names("users"), ["qbo-alex", "qbo-dev"]);
        assert_eq!(names("contexts"), ["qbo-alex", "qbo-dev", "default"]);
        assert_eq!(merged["contexts"][2]["context"], merged["contexts"][0]["context"]);
        assert_eq!(merged["clusters"][1]["cluster"]["proxy-url"], "http://127.0.0.1:1");
        assert_eq!(merged.get("current-context"), None);
        let none = merged_kubeconfig(&[], "http://127.0.0.1:1").unwrap();
        assert_eq!(yaml::parse_all(&none).unwrap()[0]["contexts"], json!([]));
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
