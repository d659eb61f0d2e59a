//! What is asked of a cluster's components beyond the options of a line: files alone say it.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::name::{Domain, NameError};
use crate::settings::text_in_files;

/// What is asked of a cluster's components; nothing by default.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Components {
    /// Versions of APIs that the API server serves or does not (`--runtime-config`), such as `api/alpha`.
    pub runtime_config: BTreeMap<String, String>,
    /// Further names and addresses that the API server's certificate holds for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub api_server_names: Vec<String>,
    /// How Services are reached.
    pub proxy_mode: ProxyMode,
    /// Domains in which nodes, and pods after their own, look for names that are not whole (`search` of `resolv.conf(5)`).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub dns_search: Vec<Domain>,
    /// What is merged into the configurations of components.
    pub patches: Patches,
}

/// JSON merge patches (RFC 7396) by what they change, each list in the order in which they are applied.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Patches {
    /// Of kubeadm's `ClusterConfiguration`. `extraArgs` is a list of `name` and `value` wherever it stands, and is merged by name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cluster: Vec<Value>,
    /// Of all nodes' `KubeletConfiguration`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub kubelet: Vec<Value>,
    /// Of `KubeProxyConfiguration`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub proxy: Vec<Value>,
    /// Of all nodes' configuration of containerd. One with a `version` is for images whose configuration has the same.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub containerd: Vec<Value>,
}

/// How Services are reached (<https://kubernetes.io/docs/reference/networking/virtual-ips/>).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ProxyMode {
    /// By kube-proxy's rules of iptables.
    #[default]
    Iptables,
    /// By kube-proxy's rules of nftables, from Kubernetes 1.31 on.
    Nftables,
    /// By kube-proxy's virtual servers of IPVS, for which the host needs the kernel module `ip_vs`.
    Ipvs,
    /// Not by kube-proxy: by something that somebody applies, such as a CNI that does it.
    None,
}

impl ProxyMode {
    const ALL: [Self; 4] = [Self::Iptables, Self::Nftables, Self::Ipvs, Self::None];

    /// As files and kube-proxy have it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Iptables => "iptables",
            Self::Nftables => "nftables",
            Self::Ipvs => "ipvs",
            Self::None => "none",
        }
    }
}

impl FromStr for ProxyMode {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let mode = Self::ALL.into_iter().find(|mode| mode.as_str() == text);
        mode.ok_or_else(|| NameError::new("mode of kube-proxy", text, "is none of iptables, nftables, ipvs and none"))
    }
}

impl fmt::Display for ProxyMode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

text_in_files!(ProxyMode);
