//! The authorities of a cluster: made with it, kept by its control planes, and read from there for nodes that join.

use std::collections::BTreeMap;

use rcgen::{ExtendedKeyUsagePurpose, KeyPair};

use super::authority::{Authority, Subject, Validity};
use super::{ADMINS_GROUP, Clients, PRIVILEGED_GROUP, PkiError, Servers, binds_kubelet_client};
use crate::{ClusterPlan, KubernetesVersion, NodePlan};

/// The names of the authorities, the same in every cluster of kubeadm's.
const CLUSTER: &str = "kubernetes";
const ETCD: &str = "etcd-ca";
const FRONT_PROXY: &str = "front-proxy-ca";

const SERVICE_ACCOUNT_KEY: &str = "/etc/kubernetes/pki/sa.key";

/// What issues the certificates of a cluster and signs its service account tokens.
#[derive(Debug)]
pub struct Authorities {
    pub(super) cluster: Authority,
    pub(super) etcd: Authority,
    pub(super) front_proxy: Authority,
    pub(super) service_account: ServiceAccountKey,
}

/// What service account tokens are signed with and verified by, as PEM.
pub(crate) struct ServiceAccountKey {
    pub(crate) private: String,
    pub(crate) public: String,
}

impl Authorities {
    /// The files of a control plane that [`Authorities::read`] needs.
    pub const PATHS: [&str; 7] = [
        "/etc/kubernetes/pki/ca.crt",
        "/etc/kubernetes/pki/ca.key",
        "/etc/kubernetes/pki/etcd/ca.crt",
        "/etc/kubernetes/pki/etcd/ca.key",
        "/etc/kubernetes/pki/front-proxy-ca.crt",
        "/etc/kubernetes/pki/front-proxy-ca.key",
        SERVICE_ACCOUNT_KEY,
    ];

    /// The authorities of a living cluster, from the files of one of its control planes by path.
    pub fn read(files: &BTreeMap<String, Vec<u8>>) -> Result<Self, PkiError> {
        let [cluster, cluster_key, etcd, etcd_key, front_proxy, front_proxy_key, _] = Self::PATHS;
        let restore = |common_name, path, key| {
            let authority = Authority::restore(common_name, text(files, path)?, self::key(files, key)?);
            authority.ok_or(PkiError::Unmatched { path })
        };
        Ok(Self {
            cluster: restore(CLUSTER, cluster, cluster_key)?,
            etcd: restore(ETCD, etcd, etcd_key)?,
            front_proxy: restore(FRONT_PROXY, front_proxy, front_proxy_key)?,
            service_account: ServiceAccountKey::of(&key(files, SERVICE_ACCOUNT_KEY)?),
        })
    }

    pub(super) fn generate(validity: Validity) -> Result<Self, PkiError> {
        let service_account = KeyPair::generate()
            .map_err(|source| PkiError::Certificate { name: "service account tokens".to_owned(), source })?;
        Ok(Self {
            cluster: Authority::generate(CLUSTER, validity)?,
            etcd: Authority::generate(ETCD, validity)?,
            front_proxy: Authority::generate(FRONT_PROXY, validity)?,
            service_account: ServiceAccountKey::of(&service_account),
        })
    }

    pub(super) fn clients(&self, version: &KubernetesVersion, validity: Validity) -> Result<Clients, PkiError> {
        let admins = if version.is_at_least(29) { ADMINS_GROUP } else { PRIVILEGED_GROUP };
        let mut kubelet_client = Subject::client("kube-apiserver-kubelet-client");
        if !binds_kubelet_client(version) {
            kubelet_client = kubelet_client.in_group(admins);
        }
        let admin = Subject::client("kubernetes-admin").in_group(admins);
        let super_admin = Subject::client("kubernetes-super-admin").in_group(PRIVILEGED_GROUP);
        Ok(Clients {
            api_server_to_kubelet: self.cluster.issue(&kubelet_client, validity)?,
            api_server_to_etcd: self.etcd.issue(&Subject::client("kube-apiserver-etcd-client"), validity)?,
            etcd_health_check: self.etcd.issue(&Subject::client("kube-etcd-healthcheck-client"), validity)?,
            front_proxy: self.front_proxy.issue(&Subject::client("front-proxy-client"), validity)?,
            admin: self.cluster.issue(&admin, validity)?,
            super_admin: self.cluster.issue(&super_admin, validity)?,
            controller_manager: self.cluster.issue(&Subject::client("system:kube-controller-manager"), validity)?,
            scheduler: self.cluster.issue(&Subject::client("system:kube-scheduler"), validity)?,
        })
    }

    pub(super) fn servers(&self, plan: &ClusterPlan, node: &NodePlan, validity: Validity) -> Result<Servers, PkiError> {
        // etcd asks for both usages: its gRPC gateway is a client of its own server (https://github.com/etcd-io/etcd/issues/9785).
        let both = [ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let mut names = vec![
            node.name.clone(),
            "localhost".to_owned(),
            node.address.to_string(),
            "127.0.0.1".to_owned(),
            "::1".to_owned(),
        ];
        names.extend(node.address_v6.map(|address| address.to_string()));
        let etcd = Subject::new(&node.name, &both).reached_by(names);
        let api_server = Subject::new("kube-apiserver", &[ExtendedKeyUsagePurpose::ServerAuth])
            .reached_by(plan.api_server_names(node));
        Ok(Servers {
            api_server: self.cluster.issue(&api_server, validity)?,
            etcd: self.etcd.issue(&etcd, validity)?,
            etcd_peer: self.etcd.issue(&etcd, validity)?,
        })
    }
}

fn text(files: &BTreeMap<String, Vec<u8>>, path: &'static str) -> Result<String, PkiError> {
    let bytes = files.get(path).ok_or(PkiError::Missing { path })?;
    Ok(String::from_utf8_lossy(bytes).into_owned())
}

fn key(files: &BTreeMap<String, Vec<u8>>, path: &'static str) -> Result<KeyPair, PkiError> {
    KeyPair::from_pem(&text(files, path)?).map_err(|_| PkiError::Key { path })
}

impl ServiceAccountKey {
    fn of(key: &KeyPair) -> Self {
        Self { private: key.serialize_pem(), public: key.public_key_pem() }
    }
}

impl std::fmt::Debug for ServiceAccountKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("ServiceAccountKey").field("public", &self.public).finish_non_exhaustive()
    }
}
