//! Files and directories of the host that nodes see.

use std::fmt;
use std::str::FromStr;

use super::text_in_files;
use crate::name::NameError;

/// What a node holds of its own, and nothing may lie over.
const OWN: [&str; 10] = [
    "/dev",
    "/etc/kubernetes",
    "/kind",
    "/lib/modules",
    "/proc",
    "/sys",
    "/var/lib/containerd",
    "/var/lib/etcd",
    "/var/lib/kubelet",
    "/usr/local/bin",
];

/// File systems in memory, which may hold what is mounted but are not to be replaced.
const TEMPORARY: [&str; 2] = ["/run", "/tmp"];

/// A file or directory of the host that a node sees: `HOST:NODE[:ro]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostMount {
    /// Its path on the host.
    pub host: String,
    /// Its path in the node.
    pub node: String,
    /// Whether the node may only read it.
    pub read_only: bool,
}

impl HostMount {
    /// A mount of these paths, if a node can bear it.
    pub fn new(host: &str, node: &str, read_only: bool) -> Result<Self, NameError> {
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
        Ok(Self { host: host.into(), node: node.into(), read_only })
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
        let (host, node, read_only) = match parts.as_slice() {
            [host, node] | [host, node, "rw"] => (host, node, false),
            [host, node, "ro"] => (host, node, true),
            _ => return Err(NameError::new("mount", text, "is none such as /srv/data:/data or /srv/data:/data:ro")),
        };
        Self::new(host, node, read_only)
    }
}

impl fmt::Display for HostMount {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}{}", self.host, self.node, if self.read_only { ":ro" } else { "" })
    }
}

text_in_files!(HostMount);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mounts_are_read_and_printed() {
        for (text, printed) in
            [("/srv:/data", "/srv:/data"), ("/:/host:ro", "/:/host:ro"), ("/srv:/var/log/x:rw", "/srv:/var/log/x")]
        {
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
            ("srv:/data", "host path 'srv'"),
            ("/srv/../etc:/data", "host path"),
            ("/srv:data", "node path 'data'"),
            ("/srv:/", "node path '/'"),
            ("/srv:/data/", "node path '/data/'"),
            ("/srv:/etc", "hide"),
            ("/srv:/etc/kubernetes/pki", "hide"),
            ("/srv:/var", "hide"),
            ("/srv:/tmp", "hide"),
        ] {
            let error = text.parse::<HostMount>().unwrap_err().to_string();
            assert!(error.contains(problem), "{text}: {error}");
        }
        for good in ["/srv:/etcetera", "/srv:/tmp/x", "/srv:/etc/ssl/x"] {
            good.parse::<HostMount>().unwrap();
        }
    }
}
