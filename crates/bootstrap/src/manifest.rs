//! The manifests a node image brings along: its CNI and its storage class.

use serde_json::Value;

use crate::{ClusterPlan, yaml};

/// A manifest that is no YAML.
#[derive(Debug, thiserror::Error)]
#[error("cannot read the node image's manifest {name}: {cause}")]
pub struct ManifestError {
    name: String,
    cause: String,
}

/// The objects of the manifest `name` of a node image, with its template filled in: the only field that kindest/node
/// images use is the pod subnet, written with and without blanks.
pub fn image_manifest(name: &str, text: &str, plan: &ClusterPlan) -> Result<Vec<Value>, ManifestError> {
    let pod_subnet = plan.pod_subnet.to_string();
    let text = text.replace("{{ .PodSubnet }}", &pod_subnet).replace("{{.PodSubnet}}", &pod_subnet);
    yaml::parse_all(&text).map_err(|error| ManifestError { name: name.into(), cause: error.to_string() })
}
