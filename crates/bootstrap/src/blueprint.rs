//! What only a node image itself knows how to write: static pods, kube-proxy and `CoreDNS` the way its Kubernetes version
//! wants them, its CNI and its storage class.
//!
//! The image's kubeadm writes them once, for a [`ClusterPlan::sample`] whose names stand for those of any cluster; each
//! cluster then fills in its own, so that its nodes hold their static pods before they start and no kubeadm runs
//! while they boot.

use std::net::{Ipv4Addr, Ipv6Addr};

use serde_json::Value;

use crate::addons::{AddonsError, addons};
use crate::manifest::{ManifestError, cni_manifest, manifest};
use crate::static_pods::{EtcdMembers, election_arguments, set_arguments};
use crate::{ClusterPlan, Cni, IpFamily, NodeFile, NodeOptions, NodePlan, Role, kubeadm};

/// Stand for a cluster's and its control plane's name. The top-level domain belongs to nobody (RFC 2606).
const SAMPLE_CLUSTER: &str = "qbo-sample-cluster.invalid";
const SAMPLE_NODE: &str = "qbo-sample-node.invalid";
/// Stand for the control plane's address, at which a sample's API server is reached too, and for that of a balancer it has no use for;
/// of the range kept for documentation (RFC 5737).
const SAMPLE_ADDRESS: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
const SAMPLE_BALANCER: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 2);
/// Stands for the control plane's address of IPv6; of the range kept for documentation (RFC 3849).
const SAMPLE_ADDRESS_V6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);

/// Where kubeadm writes static pods, and the kubelet looks for them.
const STATIC_PODS: &str = "/etc/kubernetes/manifests";
const ETCD: &str = "etcd.yaml";
/// Those of which only one at a time may work.
const ELECTING: [&str; 2] = ["kube-controller-manager.yaml", "kube-scheduler.yaml"];

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
    /// containerd's configuration with the cluster's patches; none where there are none.
    pub containerd: Option<String>,
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
    /// A static pod that must be told more than kubeadm wrote.
    #[error("the node image's kubeadm wrote a static pod {name} without a command")]
    StaticPod {
        /// Its file's name.
        name: String,
    },
}

impl ClusterPlan {
    /// A plan like this one whose names and addresses stand for those of any cluster.
    #[must_use]
    pub fn sample(&self) -> Self {
        let control_plane = self.nodes.iter().find(|node| node.role == Role::ControlPlane);
        let nodes = control_plane.into_iter().map(|node| NodePlan {
            name: SAMPLE_NODE.into(),
            address: SAMPLE_ADDRESS,
            address_v6: (IpFamily::of(&self.pod_subnets) != Some(IpFamily::Ipv4)).then_some(SAMPLE_ADDRESS_V6),
            pod_subnets: self.pod_subnets.clone(),
            options: NodeOptions::default(),
            ..node.clone()
        });
        Self {
            name: SAMPLE_CLUSTER.into(),
            id: uuid::Uuid::nil(),
            endpoint: crate::Endpoint { host: SAMPLE_ADDRESS.to_string(), ..self.endpoint.clone() },
            balancer_address: SAMPLE_BALANCER,
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
    /// The static pods of the control plane `node` of a cluster, for its first start.
    pub fn static_pods(
        &self,
        plan: &ClusterPlan,
        node: &NodePlan,
        members: &EtcdMembers,
    ) -> Result<Vec<NodeFile>, BlueprintError> {
        // etcd wants its data directory for itself, as kubeadm makes it.
        let mut files = vec![NodeFile::directory("/var/lib/etcd", 0o700)];
        for (name, text) in &self.static_pods {
            let arguments = match name.as_str() {
                ETCD => members.arguments(plan, node),
                name if ELECTING.contains(&name) => election_arguments(plan),
                _ => Vec::new(),
            };
            files.push(static_pod(name, text, plan, node, arguments)?);
        }
        Ok(files)
    }

    /// The static pods of `node` of which only one at a time may work. A cluster's only control plane has no election; it must be given
    /// these, by the plan with a second one, before that starts.
    pub fn electing_pods(&self, plan: &ClusterPlan, node: &NodePlan) -> Result<Vec<NodeFile>, BlueprintError> {
        let electing = self.static_pods.iter().filter(|(name, _)| ELECTING.contains(&name.as_str()));
        electing.map(|(name, text)| static_pod(name, text, plan, node, election_arguments(plan))).collect()
    }

    /// The objects to apply to a cluster; to be applied again when the API servers are reached another way, by a balancer.
    pub fn objects(&self, plan: &ClusterPlan) -> Result<Vec<Value>, BlueprintError> {
        let mut objects = match plan.options.cni {
            Cni::Kindnet => cni_manifest(&self.cni, plan)?,
            Cni::None => Vec::new(),
        };
        objects.extend(manifest("of its storage class", &self.storage, plan)?);
        let control_plane = plan.nodes.iter().find(|node| node.role == Role::ControlPlane);
        if let (Some(printed), Some(node)) = (&self.addons, control_plane) {
            // Of addresses, kubeadm prints that of the API server alone.
            let printed = fill(printed, plan, node, *plan.api_server().ip());
            objects.extend(addons(&printed, plan)?);
        }
        Ok(objects)
    }
}

fn static_pod(
    name: &str,
    text: &str,
    plan: &ClusterPlan,
    node: &NodePlan,
    arguments: Vec<(&str, String)>,
) -> Result<NodeFile, BlueprintError> {
    let mut text = fill(text, plan, node, node.address);
    if !arguments.is_empty() {
        text = set_arguments(&text, arguments).ok_or_else(|| BlueprintError::StaticPod { name: name.to_owned() })?;
    }
    Ok(NodeFile::secret(&format!("{STATIC_PODS}/{name}"), text))
}

fn fill(text: &str, plan: &ClusterPlan, node: &NodePlan, address: Ipv4Addr) -> String {
    let text = text
        .replace(SAMPLE_CLUSTER, &plan.name)
        .replace(SAMPLE_NODE, &node.name)
        .replace(&SAMPLE_ADDRESS.to_string(), &address.to_string());
    match node.address_v6 {
        Some(address) => text.replace(&SAMPLE_ADDRESS_V6.to_string(), &address.to_string()),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    #[test]
    fn gives_the_objects_of_the_image_in_order() {
        let plan = sample::cluster("v1.37.2", 1);
        let object = |kind: &str, name: &str| format!("---\nkind: {kind}\nmetadata:\n  name: {name}\n");
        let blueprint = Blueprint {
            static_pods: Vec::new(),
            addons: Some(object("DaemonSet", "kube-proxy") + &object("Deployment", "coredns")),
            cni: "kind: DaemonSet\nsubnet: \"{{ .PodSubnet }}\"\n".to_owned(),
            storage: "kind: StorageClass\n".to_owned(),
            containerd: None,
        };
        let objects = blueprint.objects(&plan).unwrap();
        assert_eq!(objects[0]["subnet"], "10.244.0.0/16");
        let kinds: Vec<_> = objects.iter().map(|object| object["kind"].as_str().unwrap()).collect();
        assert_eq!(kinds, ["DaemonSet", "StorageClass", "DaemonSet", "Deployment"]);
    }
}
