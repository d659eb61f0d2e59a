//! kube-proxy and `CoreDNS`: kubeadm's own manifests, as its version in the node image prints them, made quick to become ready.

use serde_json::{Value, json};

use crate::manifest::follow_api_server;
use crate::{ClusterPlan, KubernetesVersion, ProxyMode, yaml};

/// Why what kubeadm printed cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum AddonsError {
    /// It is no YAML.
    #[error("kubeadm's addon manifests are not YAML")]
    Syntax(#[from] serde_saphyr::Error),
    /// Something else was printed.
    #[error("kubeadm's addon manifests hold no {kind} {name}")]
    Missing {
        /// The kind of the object looked for.
        kind: &'static str,
        /// Its name.
        name: &'static str,
    },
}

/// Whether this version's `kubeadm init phase addon kube-proxy` and `… coredns` have `--print-manifest` (`… all` has it in none). Older ones
/// can only run the phase itself.
pub fn prints_addons(version: &KubernetesVersion) -> bool {
    version.is_at_least(25)
}

/// The objects to apply out of what `kubeadm init phase addon kube-proxy --print-manifest` and `… coredns …` wrote to their standard
/// output, one after the other.
pub(crate) fn addons(printed: &str, plan: &ClusterPlan) -> Result<Vec<Value>, AddonsError> {
    let mut objects = yaml::parse_all(printed)?;
    objects.iter_mut().for_each(make_applicable);
    follow_api_server(find(&mut objects, "DaemonSet", "kube-proxy")?, plan);
    if plan.options.components.proxy_mode == ProxyMode::None {
        objects.retain(|object| !object["metadata"]["name"].as_str().is_some_and(is_of_proxy));
    }
    hasten_dns(find(&mut objects, "Deployment", "coredns")?, plan);
    Ok(objects)
}

/// Whether an object of this name comes with kube-proxy (`cmd/kubeadm/app/phases/addons/proxy` of Kubernetes).
fn is_of_proxy(name: &str) -> bool {
    matches!(name, "kube-proxy" | "kubeadm:node-proxier")
}

fn find<'a>(objects: &'a mut [Value], kind: &'static str, name: &'static str) -> Result<&'a mut Value, AddonsError> {
    objects
        .iter_mut()
        .find(|object| object["kind"] == kind && object["metadata"]["name"] == name)
        .ok_or(AddonsError::Missing { kind, name })
}

/// Server-side apply takes no resource version of an object that may not exist, and no statement about fields that are not set.
fn make_applicable(object: &mut Value) {
    remove_nulls(object);
    if let Some(fields) = object.as_object_mut() {
        fields.remove("status");
    }
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.remove("resourceVersion");
    }
}

fn remove_nulls(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|_, field| !field.is_null());
            fields.values_mut().for_each(remove_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(remove_nulls),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn hasten_dns(deployment: &mut Value, plan: &ClusterPlan) {
    let Some(containers) = deployment["spec"]["template"]["spec"]["containers"].as_array_mut() else { return };
    let api_server = plan.api_server();
    for container in containers {
        // Looked at every second instead of every tenth; given up after the same half minute.
        container["readinessProbe"]["periodSeconds"] = json!(1);
        container["readinessProbe"]["failureThreshold"] = json!(30);
        // The way to the API server itself is IPv4.
        if !plan.has_ipv4() {
            continue;
        }
        // The API server itself instead of its service address: DNS does not wait for kube-proxy's first rules, nor lose its first
        // connection for want of them. What a container sets itself wins over what the kubelet would set.
        container["env"] = json!([
            {"name": "KUBERNETES_SERVICE_HOST", "value": api_server.ip()},
            {"name": "KUBERNETES_SERVICE_PORT", "value": api_server.port().to_string()},
        ]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    /// What kubeadm prints, shortened: its separators, its nulls, and the resource version it needs for updates.
    const PRINTED: &str = r#"---
apiVersion: v1
kind: ServiceAccount
metadata:
  creationTimestamp: null
  name: kube-proxy
  namespace: kube-system
---
apiVersion: apps/v1
kind: DaemonSet
metadata:
  name: kube-proxy
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: coredns
spec:
  replicas: 2
  template:
    spec:
      containers:
      - name: coredns
        readinessProbe:
          httpGet:
            path: /ready
            port: readiness-probe
---
apiVersion: v1
kind: Service
metadata:
  name: kube-dns
  resourceVersion: "0"
spec:
  clusterIP: 10.96.0.10
status:
  loadBalancer: {}
"#;

    #[test]
    fn hastens_dns_and_nothing_else() {
        let objects = addons(PRINTED, &sample::cluster("v1.37.2", 3)).unwrap();
        let container = json!({
            "name": "coredns",
            "readinessProbe": {
                "httpGet": {"path": "/ready", "port": "readiness-probe"},
                "periodSeconds": 1,
                "failureThreshold": 30,
            },
            "env": [
                {"name": "KUBERNETES_SERVICE_HOST", "value": "172.20.0.10"},
                {"name": "KUBERNETES_SERVICE_PORT", "value": "6443"},
            ],
        });
        assert_eq!(
            objects,
            [
                json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "kube-proxy", "namespace": "kube-system"}}),
                json!({
                    "apiVersion": "apps/v1",
                    "kind": "DaemonSet",
                    "metadata": {"name": "kube-proxy"},
                    "spec": {"template": {"metadata": {"annotations": {"qbo.io/api-server": "172.20.0.10:6443"}}}},
                }),
                json!({
                    "apiVersion": "apps/v1",
                    "kind": "Deployment",
                    "metadata": {"name": "coredns"},
                    "spec": {"replicas": 2, "template": {"spec": {"containers": [container]}}},
                }),
                json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "kube-dns"}, "spec": {"clusterIP": "10.96.0.10"}}),
            ]
        );
    }

    #[test]
    fn says_what_is_missing() {
        let plan = sample::cluster("v1.37.2", 3);
        let without = |part: &str| {
            PRINTED.split("---\n").filter(|document| !document.contains(part)).collect::<Vec<_>>().join("---\n")
        };
        for (part, message) in [
            ("kind: Deployment", "kubeadm's addon manifests hold no Deployment coredns"),
            ("kind: DaemonSet", "kubeadm's addon manifests hold no DaemonSet kube-proxy"),
        ] {
            assert_eq!(addons(&without(part), &plan).unwrap_err().to_string(), message);
        }
        assert!(matches!(addons("a: [", &plan), Err(AddonsError::Syntax(_))));
    }
}
