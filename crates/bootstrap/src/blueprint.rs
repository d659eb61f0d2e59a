//! What only a node image itself knows how to write: static pods, kube-proxy and `CoreDNS` the way its Kubernetes version
//! wants them, its CNI and its storage class.
//!
//! The image's kubeadm writes them once, for a [`ClusterPlan::sample`] whose names stand for those of any cluster; each
//! cluster then fills in its own, so that its nodes hold their static pods before they start and no kubeadm runs
//! while they boot.

use std::net::Ipv4Addr;

use serde_json::Value;

use crate::{AddonsError, ClusterPlan, ManifestError, NodeFile, NodePlan, Role, addons, image_manifest, kubeadm};

/// Stand for a cluster's and its control plane's name. The top-level domain belongs to nobody (RFC 2606).
const SAMPLE_CLUSTER: &str = "qbo-sample-cluster.invalid";
const SAMPLE_NODE: &str = "qbo-sample-node.invalid";
/// Stands for the control plane's address; of the range kept for documentation (RFC 5737).
const SAMPLE_ADDRESS: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);

/// Where kubeadm writes static pods, and the kubelet looks for them.
const STATIC_PODS: &str = "/etc/kubernetes/manifests";

/// What a node image contributes to every cluster made from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blueprint {
    /// Static pods of the control plane by file name, written for the sample.
    pub static_pods: Vec<(String, String)>,
    /// kube-proxy and `CoreDNS` as printed for the sample; none where this kubeadm cannot print them.
    pub addons: Option<String>,
    /// The CNI's manifest template.
    pub cni: String,
    /// The storage class's manifest.
    pub storage: String,
}

/// A blueprint that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BlueprintError {
    /// The addons.
    #[error(transparent)]
    Addons(#[from] AddonsError),
    /// A manifest.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
}

impl ClusterPlan {
    /// A plan like this one whose names and addresses stand for those of any cluster.
    #[must_use]
    pub fn sample(&self) -> Self {
        let control_plane = self.nodes.iter().find(|node| node.role == Role::ControlPlane);
        let nodes = control_plane.into_iter().map(|node| NodePlan {
            name: SAMPLE_NODE.into(),
            address: SAMPLE_ADDRESS,
            ..node.clone()
        });
        Self {
            name: SAMPLE_CLUSTER.into(),
            id: uuid::Uuid::nil(),
            endpoint: crate::Endpoint { host: SAMPLE_ADDRESS.to_string(), ..self.endpoint.clone() },
            nodes: nodes.collect(),
            ..self.clone()
        }
    }
}

/// kubeadm's configuration as a file of a control plane node.
pub fn kubeadm_configuration(plan: &ClusterPlan, node: &NodePlan) -> NodeFile {
    NodeFile::public(kubeadm::PATH, kubeadm::configuration(plan, node))
}

impl Blueprint {
    /// The static pods of a control plane node of a cluster.
    pub fn static_pods(&self, plan: &ClusterPlan, node: &NodePlan) -> Vec<NodeFile> {
        let fill = |(name, text): &(String, String)| {
            NodeFile::secret(&format!("{STATIC_PODS}/{name}"), fill(text, plan, node))
        };
        // etcd wants its data directory for itself, as kubeadm makes it.
        let mut files = vec![NodeFile::directory("/var/lib/etcd", 0o700)];
        files.extend(self.static_pods.iter().map(fill));
        files
    }

    /// The objects to apply to a cluster.
    pub fn objects(&self, plan: &ClusterPlan) -> Result<Vec<Value>, BlueprintError> {
        let mut objects = image_manifest("of its CNI", &self.cni, plan)?;
        objects.extend(image_manifest("of its storage class", &self.storage, plan)?);
        let control_plane = plan.nodes.iter().find(|node| node.role == Role::ControlPlane);
        if let (Some(printed), Some(node)) = (&self.addons, control_plane) {
            objects.extend(addons(&fill(printed, plan, node), plan)?);
        }
        Ok(objects)
    }
}

fn fill(text: &str, plan: &ClusterPlan, node: &NodePlan) -> String {
    text.replace(SAMPLE_CLUSTER, &plan.name)
        .replace(SAMPLE_NODE, &node.name)
        .replace(&SAMPLE_ADDRESS.to_string(), &node.address.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Contents, sample};

    fn text(file: &NodeFile) -> &str {
        match &file.contents {
            Contents::File(bytes) => std::str::from_utf8(bytes).unwrap(),
            Contents::Directory | Contents::Link(_) => panic!("{file:?} is no file"),
        }
    }

    /// What kubeadm makes of its configuration is for the most part that configuration's own words.
    #[test]
    fn fills_a_clusters_own_names_and_address_into_what_was_written_for_the_sample() {
        for nodes in [1, 3] {
            let plan = sample::cluster("v1.37.2", nodes);
            let drawn = plan.sample();
            let configuration = kubeadm_configuration(&drawn, &drawn.nodes[0]);
            let blueprint = Blueprint {
                static_pods: vec![("etcd.yaml".to_owned(), text(&configuration).to_owned())],
                addons: None,
                cni: String::new(),
                storage: String::new(),
            };
            let [directory, pod] = &blueprint.static_pods(&plan, &plan.nodes[0])[..] else { panic!("two files") };
            assert_eq!((directory.path.as_str(), directory.mode), ("/var/lib/etcd", 0o700));
            assert_eq!((pod.path.as_str(), pod.mode), ("/etc/kubernetes/manifests/etcd.yaml", 0o600));
            for stand_in in [SAMPLE_CLUSTER, SAMPLE_NODE, "192.0.2.1"] {
                assert!(text(&configuration).contains(stand_in) && !text(pod).contains(stand_in), "{stand_in}");
            }
            for own in
                ["clusterName: alex", "name: control-2b251a2c.localhost", "controlPlaneEndpoint: 172.20.0.2:6443"]
            {
                assert!(text(pod).contains(own), "{own}");
            }
        }
    }

    #[test]
    fn gives_the_objects_of_the_image_in_order() {
        let plan = sample::cluster("v1.37.2", 1);
        let object = |kind: &str, name: &str| format!("---\nkind: {kind}\nmetadata:\n  name: {name}\n");
        let blueprint = Blueprint {
            static_pods: Vec::new(),
            addons: Some(object("DaemonSet", "kube-proxy") + &object("Deployment", "coredns")),
            cni: "kind: DaemonSet\nsubnet: \"{{ .PodSubnet }}\"\n".to_owned(),
            storage: "kind: StorageClass\n".to_owned(),
        };
        let objects = blueprint.objects(&plan).unwrap();
        assert_eq!(objects[0]["subnet"], "10.244.0.0/16");
        let kinds: Vec<_> = objects.iter().map(|object| object["kind"].as_str().unwrap()).collect();
        assert_eq!(kinds, ["DaemonSet", "StorageClass", "DaemonSet", "Deployment"]);
    }
}
