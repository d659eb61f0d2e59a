//! What is asked of a cluster's components beyond the options of a line: files alone say it.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::name::{NameError, is_dns_label};
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
    /// None is those of the host, an empty list none at all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dns_search: Option<Vec<SearchDomain>>,
    /// What is merged into the configurations of components.
    pub patches: Patches,
}

/// A domain in which names are looked for that are not whole: DNS labels (RFC 1123) with dots between, at most 253 characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SearchDomain(String);

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

impl Patches {
    /// Where `ClusterConfiguration` has components, each with its `extraArgs`: JSON pointers (RFC 6901).
    pub const COMPONENTS: [&str; 4] = ["/apiServer", "/controllerManager", "/scheduler", "/etcd/local"];
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

impl FromStr for SearchDomain {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        if text.len() > 253 || !text.split('.').all(is_dns_label) {
            let problem = "is not a domain: labels of a-z, 0-9 and '-' joined by '.', as in 'example.com'";
            return Err(NameError::new("search domain", text, problem));
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for SearchDomain {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
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

text_in_files!(ProxyMode, SearchDomain);
