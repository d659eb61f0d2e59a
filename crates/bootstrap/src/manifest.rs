//! The manifests a node image brings along: its CNI and its storage class.

use serde_json::{Value, json};

use crate::{ClusterPlan, subnets, yaml};

/// By these words kind's images ask for the API server's address, so that their kindnetd need not wait for kube-proxy
/// (`pkg/cluster/internal/create/actions/installcni`).
const WANTS_ENDPOINT: &str = "would you kindly patch this file";

/// On pods that connect to the API server once and stay connected: they are replaced when it is reached another way.
const API_SERVER: &str = "qbo.io/api-server";

/// A manifest that is no YAML.
#[derive(Debug, thiserror::Error)]
#[error("cannot read the node image's manifest {name}: {cause}")]
pub struct ManifestError {
    name: String,
    cause: String,
}

/// The objects of the manifest `name` of a node image, with its template filled in: the only field that kindest/node
/// images use is the pod subnet, written with and without blanks.
pub(crate) fn manifest(name: &str, text: &str, plan: &ClusterPlan) -> Result<Vec<Value>, ManifestError> {
    let pod_subnets = subnets::list(&plan.pod_subnets);
    let text = text.replace("{{ .PodSubnet }}", &pod_subnets).replace("{{.PodSubnet}}", &pod_subnets);
    yaml::parse_all(&text).map_err(|error| ManifestError { name: name.into(), cause: error.to_string() })
}

/// The objects of the CNI of a node image.
pub(crate) fn cni_manifest(text: &str, plan: &ClusterPlan) -> Result<Vec<Value>, ManifestError> {
    let mut objects = manifest("of its CNI", text, plan)?;
    for daemon in objects.iter_mut().filter(|object| object["kind"] == "DaemonSet") {
        follow_api_server(daemon, plan);
        let environment = daemon.pointer_mut("/spec/template/spec/containers/0/env").and_then(Value::as_array_mut);
        if let Some(environment) = environment
            && text.contains(WANTS_ENDPOINT)
        {
            environment.push(json!({"name": "CONTROL_PLANE_ENDPOINT", "value": plan.api_server()}));
        }
    }
    Ok(objects)
}

/// Has the pods of a `DaemonSet` replaced when the API server is reached another way.
pub(crate) fn follow_api_server(daemon: &mut Value, plan: &ClusterPlan) {
    daemon["spec"]["template"]["metadata"]["annotations"][API_SERVER] = json!(plan.api_server());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    #[test]
    fn kinds_cni_is_told_of_the_api_server_where_it_asks() {
        let plan = sample::cluster("v1.37.2", 1);
        let daemon = "kind: DaemonSet\nspec:\n  template:\n    spec:\n      containers:\n      - env:\n        - name: POD_SUBNET\n          value: {{.PodSubnet}}\n";
        let subnet = json!({"name": "POD_SUBNET", "value": "10.244.0.0/16"});
        let endpoint = json!({"name": "CONTROL_PLANE_ENDPOINT", "value": "172.20.0.10:6443"});
        for (comment, environment) in
            [("", json!([subnet])), ("# would you kindly patch this file\n", json!([subnet, endpoint]))]
        {
            let objects = cni_manifest(&format!("{comment}{daemon}"), &plan).unwrap();
            assert_eq!(objects[0]["spec"]["template"]["spec"]["containers"][0]["env"], environment);
        }
    }

    #[test]
    fn daemons_follow_the_api_server() {
        let alone = sample::cluster("v1.37.2", 1);
        let mut balanced = alone.clone();
        balanced.endpoint.host = "172.20.0.2".to_owned();
        for (plan, address) in [(alone, "172.20.0.10:6443"), (balanced, "172.20.0.2:6443")] {
            let objects = cni_manifest("kind: DaemonSet\n---\nkind: ClusterRole\n", &plan).unwrap();
            let annotations = json!({"qbo.io/api-server": address});
            assert_eq!(objects[0]["spec"]["template"]["metadata"]["annotations"], annotations);
            assert_eq!(objects[1], json!({"kind": "ClusterRole"}));
        }
    }

    #[test]
    fn a_manifest_that_is_no_yaml_is_named() {
        let error = cni_manifest("a: [", &sample::cluster("v1.37.2", 1)).unwrap_err();
        assert!(error.to_string().starts_with("cannot read the node image's manifest of its CNI: "), "{error}");
    }
}
