//! Every key and certificate of a cluster, made at once: kubeadm's own set, with the same names, usages and groups.
//!
//! Keys are ECDSA on P-256, which every supported Kubernetes takes for all purposes, the signing of service account tokens
//! included (`keyutil.ParsePrivateKeyPEM`, `serviceaccount.JWTTokenGenerator`), and which take a hundredth of the time RSA keys do.
//!
//! Certificates hold as long as their authority, ten years: nobody renews those of a cluster made for development, and one that was
//! put aside for a year should still start. kubelets rotate theirs by themselves once the end is near.

mod authority;

use std::collections::BTreeMap;
use std::time::SystemTime;

use rcgen::{ExtendedKeyUsagePurpose, KeyPair};

use crate::{ClusterPlan, KubernetesVersion, PlanError};
use authority::{Authority, Subject};
pub(crate) use authority::{Credential, Validity};

/// The group the API server lets do everything, whatever its authorization says.
const PRIVILEGED_GROUP: &str = "system:masters";

/// The group kubeadm binds to the cluster role `cluster-admin`; unlike the privileged one, this right can be taken back.
pub(crate) const ADMINS_GROUP: &str = "kubeadm:cluster-admins";

/// Every key and certificate of a cluster.
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

/// What service account tokens are signed with and verified by, as PEM.
pub(crate) struct ServiceAccountKey {
    pub(crate) private: String,
    pub(crate) public: String,
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
}

impl Pki {
    /// Makes every key and certificate of the cluster, valid from shortly before `now` on.
    pub fn generate(plan: &ClusterPlan, now: SystemTime) -> Result<Self, PkiError> {
        plan.check()?;
        let validity = Validity::from(now);
        let cluster = Authority::generate("kubernetes", validity)?;
        let etcd = Authority::generate("etcd-ca", validity)?;
        let front_proxy = Authority::generate("front-proxy-ca", validity)?;
        let clients = clients(&plan.kubernetes, &cluster, &etcd, &front_proxy)?;
        let servers = plan
            .control_planes()
            .map(|node| Ok((node.name.clone(), servers(plan, node, &cluster, &etcd)?)))
            .collect::<Result<_, PkiError>>()?;
        let kubelets = plan
            .nodes
            .iter()
            .map(|node| {
                let user = format!("system:node:{}", node.name);
                Ok((node.name.clone(), cluster.issue(&Subject::client(&user).in_group("system:nodes"))?))
            })
            .collect::<Result<_, PkiError>>()?;
        Ok(Self {
            service_account: ServiceAccountKey::generate()?,
            cluster_authority: cluster.into_credential(),
            etcd_authority: etcd.into_credential(),
            front_proxy_authority: front_proxy.into_credential(),
            clients,
            servers,
            kubelets,
        })
    }
}

fn clients(
    version: &KubernetesVersion,
    cluster: &Authority,
    etcd: &Authority,
    front_proxy: &Authority,
) -> Result<Clients, PkiError> {
    let admins = if version.is_at_least(29) { ADMINS_GROUP } else { PRIVILEGED_GROUP };
    let mut kubelet_client = Subject::client("kube-apiserver-kubelet-client");
    if !binds_kubelet_client(version) {
        kubelet_client = kubelet_client.in_group(admins);
    }
    Ok(Clients {
        api_server_to_kubelet: cluster.issue(&kubelet_client)?,
        api_server_to_etcd: etcd.issue(&Subject::client("kube-apiserver-etcd-client"))?,
        etcd_health_check: etcd.issue(&Subject::client("kube-etcd-healthcheck-client"))?,
        front_proxy: front_proxy.issue(&Subject::client("front-proxy-client"))?,
        admin: cluster.issue(&Subject::client("kubernetes-admin").in_group(admins))?,
        super_admin: cluster.issue(&Subject::client("kubernetes-super-admin").in_group(PRIVILEGED_GROUP))?,
        controller_manager: cluster.issue(&Subject::client("system:kube-controller-manager"))?,
        scheduler: cluster.issue(&Subject::client("system:kube-scheduler"))?,
    })
}

/// Whether this version gives the API server its rights over kubelets by a binding of its user instead of by a group of administrators.
pub(crate) fn binds_kubelet_client(version: &KubernetesVersion) -> bool {
    version.is_at_least(36)
}

fn servers(
    plan: &ClusterPlan,
    node: &crate::NodePlan,
    cluster: &Authority,
    etcd: &Authority,
) -> Result<Servers, PkiError> {
    // etcd asks for both usages: its gRPC gateway is a client of its own server (https://github.com/etcd-io/etcd/issues/9785).
    let both = [ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    let names = vec![
        node.name.clone(),
        "localhost".to_owned(),
        node.address.to_string(),
        "127.0.0.1".to_owned(),
        "::1".to_owned(),
    ];
    let etcd_subject = Subject::new(&node.name, &both).reached_by(names);
    Ok(Servers {
        api_server: cluster.issue(
            &Subject::new("kube-apiserver", &[ExtendedKeyUsagePurpose::ServerAuth])
                .reached_by(plan.api_server_names(node)),
        )?,
        etcd: etcd.issue(&etcd_subject)?,
        etcd_peer: etcd.issue(&etcd_subject)?,
    })
}

impl ServiceAccountKey {
    fn generate() -> Result<Self, PkiError> {
        let key = KeyPair::generate()
            .map_err(|source| PkiError::Certificate { name: "service account tokens".to_owned(), source })?;
        Ok(Self { private: key.serialize_pem(), public: key.public_key_pem() })
    }
}

impl std::fmt::Debug for ServiceAccountKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("ServiceAccountKey").field("public", &self.public).finish_non_exhaustive()
    }
}
