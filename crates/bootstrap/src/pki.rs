//! Every key and certificate of a cluster, made at once: kubeadm's own set, with the same names, usages and groups. Nodes that join later
//! get theirs from the same authorities, which the control planes keep.
//!
//! Keys are ECDSA on P-256, which every supported Kubernetes takes for all purposes, the signing of service account tokens
//! included (`keyutil.ParsePrivateKeyPEM`, `serviceaccount.JWTTokenGenerator`), and which take a hundredth of the time RSA keys do.
//!
//! Certificates hold as long as their authority, ten years: nobody renews those of a cluster made for development, and one that was
//! put aside for a year should still start. kubelets rotate theirs by themselves once the end is near.

mod authorities;
mod authority;

use std::collections::BTreeMap;
use std::time::SystemTime;

use crate::{ClusterPlan, KubernetesVersion, NodePlan, PlanError, Role};
pub use authorities::Authorities;
pub(crate) use authorities::ServiceAccountKey;
pub(crate) use authority::Credential;
use authority::{Subject, Validity};

/// The group the API server lets do everything, whatever its authorization says.
const PRIVILEGED_GROUP: &str = "system:masters";

/// The group kubeadm binds to the cluster role `cluster-admin`; unlike the privileged one, this right can be taken back.
pub(crate) const ADMINS_GROUP: &str = "kubeadm:cluster-admins";

/// Every key and certificate of a cluster, or those of the nodes that join it.
#[derive(Debug)]
pub struct Pki {
    pub(crate) cluster_authority: Credential,
    pub(crate) etcd_authority: Credential,
    pub(crate) front_proxy_authority: Credential,
    pub(crate) service_account: ServiceAccountKey,
    pub(crate) clients: Clients,
    pub(crate) servers: BTreeMap<String, Servers>,
    pub(crate) kubelets: BTreeMap<String, Credential>,
}

/// Client certificates all control planes share.
#[derive(Debug)]
pub(crate) struct Clients {
    pub(crate) api_server_to_kubelet: Credential,
    pub(crate) api_server_to_etcd: Credential,
    pub(crate) etcd_health_check: Credential,
    pub(crate) front_proxy: Credential,
    pub(crate) admin: Credential,
    pub(crate) super_admin: Credential,
    pub(crate) controller_manager: Credential,
    pub(crate) scheduler: Credential,
}

/// Server certificates of one control plane.
#[derive(Debug)]
pub(crate) struct Servers {
    pub(crate) api_server: Credential,
    pub(crate) etcd: Credential,
    pub(crate) etcd_peer: Credential,
}

/// Why a cluster's keys and certificates could not be made.
#[derive(Debug, thiserror::Error)]
pub enum PkiError {
    /// There is nothing to certify.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// A name does not fit into a certificate, or the cryptographic library failed.
    #[error("cannot make the certificate of {name}")]
    Certificate {
        /// The certificate's common name.
        name: String,
        /// What rcgen says.
        source: rcgen::Error,
    },
    /// A control plane lacks what an authority is made of.
    #[error("the control plane has no {path}")]
    Missing {
        /// The file's path in the node.
        path: &'static str,
    },
    /// A file of a control plane is something else than its name says.
    #[error("the control plane's {path} is no private key in PEM")]
    Key {
        /// The file's path in the node.
        path: &'static str,
    },
    /// A certificate of a control plane is not that of the key beside it.
    #[error("the control plane's {path} is not the certificate of the key beside it")]
    Unmatched {
        /// The file's path in the node.
        path: &'static str,
    },
}

impl Pki {
    /// Makes every key and certificate of the cluster, valid from shortly before `now` on.
    pub fn generate(plan: &ClusterPlan, now: SystemTime) -> Result<Self, PkiError> {
        let validity = Validity::from(now);
        Self::issue(Authorities::generate(validity)?, plan, &plan.nodes, validity)
    }

    /// Makes what `nodes` need to join the living cluster of these authorities, valid from shortly before `now` on. The plan is
    /// that of the whole cluster, these nodes included; nothing is made for those that live.
    pub fn join(
        authorities: Authorities,
        plan: &ClusterPlan,
        nodes: &[NodePlan],
        now: SystemTime,
    ) -> Result<Self, PkiError> {
        Self::issue(authorities, plan, nodes, Validity::from(now))
    }

    fn issue(
        authorities: Authorities,
        plan: &ClusterPlan,
        nodes: &[NodePlan],
        validity: Validity,
    ) -> Result<Self, PkiError> {
        plan.check()?;
        nodes.iter().try_for_each(|node| plan.check_node(node))?;
        let control_planes = nodes.iter().filter(|node| node.role == Role::ControlPlane);
        let servers = control_planes
            .map(|node| Ok((node.name.clone(), authorities.servers(plan, node, validity)?)))
            .collect::<Result<_, PkiError>>()?;
        let kubelets = nodes
            .iter()
            .map(|node| {
                let user = format!("system:node:{}", node.name);
                let subject = Subject::client(&user).in_group("system:nodes");
                Ok((node.name.clone(), authorities.cluster.issue(&subject, validity)?))
            })
            .collect::<Result<_, PkiError>>()?;
        Ok(Self {
            clients: authorities.clients(&plan.kubernetes, validity)?,
            servers,
            kubelets,
            cluster_authority: authorities.cluster.into_credential(),
            etcd_authority: authorities.etcd.into_credential(),
            front_proxy_authority: authorities.front_proxy.into_credential(),
            service_account: authorities.service_account,
        })
    }
}

/// Whether this version gives the API server its rights over kubelets by a binding of its user instead of by a group of administrators.
pub(crate) fn binds_kubelet_client(version: &KubernetesVersion) -> bool {
    version.is_at_least(36)
}
