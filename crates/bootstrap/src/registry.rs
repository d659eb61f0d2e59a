//! How nodes reach registries, and how people's tools learn of one on the host.
//!
//! Source: containerd's `docs/hosts.md`; for tools, KEP-1755
//! (<https://github.com/kubernetes/enhancements/tree/master/keps/sig-cluster-lifecycle/generic/1755-communicating-a-local-registry>).

use serde_json::{Value, json};

use crate::{NodeFile, yaml};

/// Where containerd looks for a directory of each registry.
pub(crate) const DIRECTORY: &str = "/etc/containerd/certs.d";

const SERVICE: &str = "/etc/systemd/system/containerd.service.d";

/// What makes containerd before 2.0 look there, where nothing else was said.
const CONFIGURATION: &str = "\
[plugins.\"io.containerd.grpc.v1.cri\".registry]
  config_path = \"/etc/containerd/certs.d\"
";

const DROP_IN: &str = "\
# containerd before 2.0 reads the files of registries only where it is told to.
[Service]
ExecStartPre=/bin/sh -c 'grep -q config_path /etc/containerd/config.toml || cat /etc/containerd/registries.toml >>/etc/containerd/config.toml'
";

/// How nodes reach a registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registry {
    name: String,
    mirrors: Vec<String>,
}

/// What cannot be written down as a registry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RegistryError {
    /// No image's name begins like this.
    #[error("'{name}' is no name of a registry such as docker.io or localhost:5001")]
    Name {
        /// The name.
        name: String,
    },
    /// There is no such way.
    #[error("'{mirror}' is no address of a registry such as http://10.201.0.1:5000")]
    Mirror {
        /// The address.
        mirror: String,
    },
}

impl Registry {
    /// The registry of this name, as names of images begin with it (`docker.io`, `localhost:5001`), and where it or a mirror of it is
    /// found instead, best first (`http://10.201.0.1:5000`).
    pub fn new(name: &str, mirrors: &[&str]) -> Result<Self, RegistryError> {
        let is_host = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-:[]".contains(&byte));
        if !name.starts_with(|first: char| first.is_ascii_alphanumeric()) || !is_host(name) {
            return Err(RegistryError::Name { name: name.to_owned() });
        }
        let address = |mirror: &&str| {
            let host = mirror.strip_prefix("http://").or_else(|| mirror.strip_prefix("https://"))?;
            (!host.is_empty() && host.split('/').all(is_host)).then(|| (*mirror).to_owned())
        };
        let mirror = |mirror| address(mirror).ok_or_else(|| RegistryError::Mirror { mirror: (*mirror).to_owned() });
        Ok(Self { name: name.to_owned(), mirrors: mirrors.iter().map(mirror).collect::<Result<_, _>>()? })
    }
}

impl Registry {
    /// The hosts, without their ports, where it is found by plain HTTP: what is near, and behind no proxy.
    pub fn plain_hosts(&self) -> impl Iterator<Item = &str> {
        let plain = self.mirrors.iter().filter_map(|mirror| mirror.strip_prefix("http://"));
        plain.filter_map(|address| {
            let authority = address.split('/').next()?;
            authority.strip_prefix('[').map_or_else(|| authority.split(':').next(), |rest| rest.split(']').next())
        })
    }
}

/// The registry that people push to from the host.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LocalRegistry {
    /// Its name on the host: `localhost:5001`.
    pub host: String,
    /// Its name for nodes' container runtimes, where that is another one.
    pub host_from_container_runtime: Option<String>,
    /// Its name for pods.
    pub host_from_cluster_network: Option<String>,
}

/// The files by which a node reaches these registries. In a node that lives, containerd reads those of registries at the next pull; one
/// before 2.0 must be started anew where the node had none.
pub fn registry_files(registries: &[Registry]) -> Vec<NodeFile> {
    if registries.is_empty() {
        return Vec::new();
    }
    let mut files = vec![
        NodeFile::directory("/etc/containerd", 0o755),
        NodeFile::public("/etc/containerd/registries.toml", CONFIGURATION),
        NodeFile::directory(SERVICE, 0o755),
        NodeFile::public(&format!("{SERVICE}/10-registries.conf"), DROP_IN),
        NodeFile::directory(DIRECTORY, 0o755),
    ];
    for registry in registries {
        let directory = format!("{DIRECTORY}/{}", registry.name);
        files.push(NodeFile::directory(&directory, 0o755));
        files.push(NodeFile::public(&format!("{directory}/hosts.toml"), hosts(registry)));
    }
    files
}

fn hosts(registry: &Registry) -> String {
    let mirror = |mirror: &String| format!("[host.\"{mirror}\"]\n  capabilities = [\"pull\", \"resolve\"]\n");
    registry.mirrors.iter().map(mirror).collect()
}

/// What tells people's tools, such as Tilt and Skaffold, of the registry.
pub fn local_registry_object(registry: &LocalRegistry) -> Value {
    let mut hosting = json!({"host": registry.host});
    for (field, host) in [
        ("hostFromContainerRuntime", &registry.host_from_container_runtime),
        ("hostFromClusterNetwork", &registry.host_from_cluster_network),
    ] {
        if let Some(host) = host {
            hosting[field] = json!(host);
        }
    }
    json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "local-registry-hosting", "namespace": "kube-public"},
        "data": {"localRegistryHosting.v1": yaml::print(&hosting)},
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Contents;

    #[test]
    fn a_node_without_registries_has_no_files_of_theirs() {
        assert_eq!(registry_files(&[]), []);
    }

    #[test]
    fn each_registry_has_its_mirrors_in_order() {
        let files = registry_files(&[
            Registry::new("localhost:5001", &["http://10.201.0.1:5000"]).unwrap(),
            Registry::new("docker.io", &["https://mirror.example/v2/hub", "http://[fd00::1]:5000"]).unwrap(),
        ]);
        let text = |path: &str| {
            let file = files.iter().find(|file| file.path == path).unwrap();
            let Contents::File(bytes) = &file.contents else { panic!("{path} is no file") };
            String::from_utf8(bytes.clone()).unwrap()
        };
        assert_eq!(
            text("/etc/containerd/certs.d/localhost:5001/hosts.toml"),
            "[host.\"http://10.201.0.1:5000\"]\n  capabilities = [\"pull\", \"resolve\"]\n"
        );
        assert_eq!(
            text("/etc/containerd/certs.d/docker.io/hosts.toml"),
            "[host.\"https://mirror.example/v2/hub\"]\n  capabilities = [\"pull\", \"resolve\"]\n\
             [host.\"http://[fd00::1]:5000\"]\n  capabilities = [\"pull\", \"resolve\"]\n"
        );
        assert!(
            text("/etc/systemd/system/containerd.service.d/10-registries.conf")
                .contains("/etc/containerd/registries.toml")
        );
    }

    #[test]
    fn hosts_of_plain_http_are_told_without_ports() {
        let mirrors =
            ["http://nas.example:5000/v2/x", "https://hub.example", "http://[fd00::1]:5000", "http://10.0.0.7"];
        let registry = Registry::new("docker.io", &mirrors).unwrap();
        assert_eq!(registry.plain_hosts().collect::<Vec<_>>(), ["nas.example", "fd00::1", "10.0.0.7"]);
    }

    #[test]
    fn what_is_no_registry_is_refused() {
        for name in ["", "a b", "../../etc", "a/b", ".docker.io", "a\"b"] {
            assert_eq!(Registry::new(name, &[]), Err(RegistryError::Name { name: name.to_owned() }));
        }
        for mirror in ["", "10.201.0.1:5000", "ftp://a.example", "http://", "http://a\"]", "http://a b"] {
            let refused = Err(RegistryError::Mirror { mirror: mirror.to_owned() });
            assert_eq!(Registry::new("docker.io", &["https://a.example", mirror]), refused);
        }
    }

    #[test]
    fn tools_learn_the_names_of_the_registry() {
        let registry = LocalRegistry {
            host: "localhost:5001".to_owned(),
            host_from_container_runtime: Some("10.201.0.1:5000".to_owned()),
            host_from_cluster_network: None,
        };
        let object = local_registry_object(&registry);
        assert_eq!(
            object["data"]["localRegistryHosting.v1"],
            "host: localhost:5001\nhostFromContainerRuntime: 10.201.0.1:5000\n"
        );
    }
}
