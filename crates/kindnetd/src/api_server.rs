//! The way to the API server: its own address, which the node's kubelet uses, instead of the Kubernetes service's.
//!
//! A service address works only once kube-proxy has run; pods need their network before that.

use std::path::Path;
use std::time::Duration;

use kube::config::{InClusterError, Kubeconfig};
use kube::{Client, Config};
use tracing::info;

/// The kubelet's own client configuration, mounted from the node.
const KUBELET_CONFIGURATION: &str = "/etc/kubernetes/kubelet.conf";

/// A packet lost while the control plane starts must not cost kube's default of 30 s.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// Above the 290 s after which the watch is renewed: a request that gets no answer at all ends.
const READ_TIMEOUT: Duration = Duration::from_mins(5);

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(transparent)]
    ServiceAccount(#[from] InClusterError),
    #[error(transparent)]
    Client(#[from] kube::Error),
}

/// A client with the pod's service account, which connects at the first request.
pub(crate) fn client() -> Result<Client, Error> {
    let mut config = Config::incluster_env()?;
    // Without that file the service address remains, which is slower and no worse.
    if let Some(server) = server(Path::new(KUBELET_CONFIGURATION)).and_then(|server| server.parse().ok()) {
        config.cluster_url = server;
    }
    config.connect_timeout = Some(CONNECT_TIMEOUT);
    config.read_timeout = Some(READ_TIMEOUT);
    info!("API server: {}", config.cluster_url);
    Ok(Client::try_from(config)?)
}

/// The server of a kubeconfig's current context.
fn server(kubeconfig: &Path) -> Option<String> {
    let kubeconfig = Kubeconfig::read_from(kubeconfig).ok()?;
    let context_name = kubeconfig.current_context?;
    let context = kubeconfig.contexts.into_iter().find(|context| context.name == context_name)?.context?;
    let cluster = kubeconfig.clusters.into_iter().find(|cluster| cluster.name == context.cluster)?.cluster?;
    cluster.server
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn reads_the_server_of_the_current_context() {
        // As kubeadm writes it: the client certificate is a path that the daemon's container does not have.
        let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
        write!(
            file,
            "\
apiVersion: v1
kind: Config
current-context: default-context
clusters:
- name: other
  cluster: {{server: 'https://192.0.2.1:6443'}}
- name: default-cluster
  cluster:
    certificate-authority-data: Y2VydGlmaWNhdGU=
    server: https://alex-control-plane:6443
contexts:
- name: default-context
  context: {{cluster: default-cluster, user: default-auth}}
users:
- name: default-auth
  user:
    client-certificate: /var/lib/kubelet/pki/kubelet-client-current.pem
    client-key: /var/lib/kubelet/pki/kubelet-client-current.pem
"
        )
        .expect("write the kubeconfig");
        assert_eq!(server(file.path()).expect("a server"), "https://alex-control-plane:6443");
    }

    #[test]
    fn has_no_server_without_the_file() {
        assert_eq!(server(Path::new("/nonexistent/kubelet.conf")), None);
    }
}
