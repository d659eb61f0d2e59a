//! Files and directories of the host that nodes see.

use std::fmt;
use std::str::FromStr;

use super::text_in_files;
use crate::name::NameError;

/// What a node holds of its own: nothing may lie over it, nor in it. Beside it there is room, as for policies of audits and profiles of seccomp.
const OWN: [&str; 20] = [
    "/dev",
    "/etc/kubernetes/admin.conf",
    "/etc/kubernetes/controller-manager.conf",
    "/etc/kubernetes/kubelet.conf",
    "/etc/kubernetes/manifests",
    "/etc/kubernetes/pki",
    "/etc/kubernetes/scheduler.conf",
    "/etc/kubernetes/super-admin.conf",
    "/kind",
    "/lib/modules",
    "/proc",
    "/sys",
    "/usr/local/bin",
    "/var/lib/containerd",
    "/var/lib/etcd",
    "/var/lib/kubelet/config.yaml",
    "/var/lib/kubelet/instance-config.yaml",
    "/var/lib/kubelet/kubeadm-flags.env",
    "/var/lib/kubelet/pki",
    "/var/lib/kubelet/pods",
];

/// File systems in memory, which may hold what is mounted but are not to be replaced.
const TEMPORARY: [&str; 2] = ["/run", "/tmp"];

/// A file or directory of the host that a node sees: `HOST:NODE[:ro|rslave|rshared,…]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostMount {
    /// Its path on the host.
    pub host: String,
    /// Its path in the node.
    pub node: String,
    /// Whether the node may only read it.
    pub read_only: bool,
    /// What of later mounts in it is seen on the other side.
    pub propagation: Propagation,
}

/// What of mounts that are made later the other side sees (`mount_namespaces(7)`), by Docker's words.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Propagation {
    /// Nothing: `rprivate`.
    #[default]
    Private,
    /// The node sees those of the host: `rslave`.
    HostToNode,
    /// Each sees those of the other: `rshared`. The host's directory must be on a mount that is shared.
    Bidirectional,
}

impl Propagation {
    const ALL: [Self; 3] = [Self::Private, Self::HostToNode, Self::Bidirectional];

    /// As Docker has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Private => "rprivate",
            Self::HostToNode => "rslave",
            Self::Bidirectional => "rshared",
        }
    }
}

impl HostMount {
    /// A mount of these paths that the node may write, if it can bear it.
    pub fn new(host: &str, node: &str) -> Result<Self, NameError> {
        if !is_absolute(host) {
            return Err(NameError::new("host path", host, "is not absolute and plain, as /srv/data"));
        }
        if !is_absolute(node) || node == "/" {
            return Err(NameError::new("node path", node, "is not absolute and plain, as /data"));
        }
        let is_below = |path: &str, parent: &str| {
            path.strip_prefix(parent).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        if OWN.iter().any(|own| is_below(node, own) || is_below(own, node)) || TEMPORARY.contains(&node) {
            return Err(NameError::new(
                "node path",
                node,
                "would hide what the node needs itself; take another, as /data",
            ));
        }
        Ok(Self { host: host.into(), node: node.into(), read_only: false, propagation: Propagation::default() })
    }
}

/// Absolute, and the same however it is looked at: without `.`, `..` and empty components.
fn is_absolute(path: &str) -> bool {
    let is_plain = |component: &str| !matches!(component, "" | "." | "..");
    let Some(rest) = path.strip_prefix('/') else { return false };
    path.len() <= 4096 && !path.contains(['\0', '\n']) && (rest.is_empty() || rest.split('/').all(is_plain))
}

impl FromStr for HostMount {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let parts: Vec<&str> = text.split(':').collect();
        let refused = || {
            NameError::new(
                "mount",
                text,
                "is none such as /srv/data:/data, /srv/data:/data:ro or /srv/data:/data:rslave",
            )
        };
        let (host, node, options) = match parts.as_slice() {
            [host, node] => (host, node, ""),
            [host, node, options] if !options.is_empty() => (host, node, *options),
            _ => return Err(refused()),
        };
        let mut mount = Self::new(host, node)?;
        for option in options.split(',').filter(|option| !option.is_empty()) {
            if matches!(option, "ro" | "rw") {
                mount.read_only = option == "ro";
            } else {
                let propagation = Propagation::ALL.into_iter().find(|propagation| propagation.as_str() == option);
                mount.propagation = propagation.ok_or_else(refused)?;
            }
        }
        Ok(mount)
    }
}

impl fmt::Display for HostMount {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.host, self.node)?;
        let propagation = (self.propagation != Propagation::default()).then(|| self.propagation.as_str());
        let options: Vec<&str> = self.read_only.then_some("ro").into_iter().chain(propagation).collect();
        if options.is_empty() { Ok(()) } else { write!(formatter, ":{}", options.join(",")) }
    }
}

text_in_files!(HostMount);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mounts_are_read_and_printed() {
        for (text, printed) in [
            ("/srv:/data", "/srv:/data"),
            ("/:/host:ro", "/:/host:ro"),
            ("/srv:/var/log/x:rw", "/srv:/var/log/x"),
            ("/srv:/data:rslave,ro", "/srv:/data:ro,rslave"),
            ("/srv:/data:rshared", "/srv:/data:rshared"),
            ("/srv:/data:rw,rprivate", "/srv:/data"),
        ] {
            let mount: HostMount = text.parse().unwrap();
            assert_eq!(mount.to_string(), printed);
            assert_eq!(printed.parse(), Ok(mount));
        }
    }

    #[test]
    fn what_no_node_can_bear_is_refused() {
        for (text, problem) in [
            ("/srv", "mount '/srv'"),
            ("/srv:/data:x", "mount '/srv:/data:x'"),
            ("/srv:/data:", "mount '/srv:/data:'"),
            ("/srv:/data:ro:rslave", "mount '/srv:/data:ro:rslave'"),
            ("srv:/data", "host path 'srv'"),
            ("/srv/../etc:/data", "host path"),
            ("/srv:data", "node path 'data'"),
            ("/srv:/", "node path '/'"),
            ("/srv:/data/", "node path '/data/'"),
            ("/srv:/etc", "hide"),
            ("/srv:/etc/kubernetes", "hide"),
            ("/srv:/etc/kubernetes/pki", "hide"),
            ("/srv:/etc/kubernetes/pki/ca.crt", "hide"),
            ("/srv:/var/lib/kubelet", "hide"),
            ("/srv:/var/lib/kubelet/config.yaml", "hide"),
            ("/srv:/var", "hide"),
            ("/srv:/tmp", "hide"),
        ] {
            let error = text.parse::<HostMount>().unwrap_err().to_string();
            assert!(error.contains(problem), "{text}: {error}");
        }
        for good in [
            "/srv:/etcetera",
            "/srv:/tmp/x",
            "/srv:/etc/ssl/x",
            "/srv:/etc/kubernetes/policies/audit.yaml",
            "/srv:/var/lib/kubelet/config.json",
            "/srv:/var/lib/kubelet/seccomp/profiles",
        ] {
            good.parse::<HostMount>().unwrap();
        }
    }
}
