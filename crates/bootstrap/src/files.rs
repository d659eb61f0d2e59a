//! The files of a node, all of them: with these in place a container needs to be started, nothing else.

use crate::pki::Credential;
use crate::{
    CONTAINERD_CONFIGURATION, ClusterPlan, Cni, NodePlan, Pki, Role, cni, kubeadm_configuration, kubeconfig, kubelet,
    registry_files,
};

const PKI: &str = "/etc/kubernetes/pki";

/// One file, directory or symbolic link of a node.
#[derive(Clone, PartialEq, Eq)]
pub struct NodeFile {
    /// Absolute path in the node.
    pub path: String,
    /// Permission bits.
    pub mode: u32,
    /// What is there.
    pub contents: Contents,
}

/// What is at a path.
#[derive(Clone, PartialEq, Eq)]
pub enum Contents {
    /// A regular file with these bytes.
    File(Vec<u8>),
    /// A directory.
    Directory,
    /// A symbolic link to this target.
    Link(String),
}

/// All that `node` must hold before it starts, directories before what is in them. Workers get no key but their own.
pub fn files(plan: &ClusterPlan, pki: &Pki, node: &NodePlan) -> Vec<NodeFile> {
    let mut files = vec![
        NodeFile::directory("/etc/kubernetes", 0o755),
        NodeFile::directory("/etc/kubernetes/manifests", 0o700),
        NodeFile::directory(PKI, 0o755),
        NodeFile::public(&format!("{PKI}/ca.crt"), &pki.cluster_authority.certificate),
    ];
    files.extend(kubelet_files(plan, pki, node));
    if plan.options.cni == Cni::Kindnet {
        files.extend([
            NodeFile::directory("/etc/cni", 0o755),
            NodeFile::directory("/etc/cni/net.d", 0o755),
            NodeFile::public(cni::PATH, cni::configuration(plan, node)),
        ]);
    }
    files.extend(plan.options.containerd.iter().map(|text| NodeFile::public(CONTAINERD_CONFIGURATION, text)));
    files.extend(registry_files(&plan.options.registries));
    if let Some(servers) = pki.servers.get(&node.name) {
        files.extend(authority_files(pki));
        files.extend(certificate_files(pki, servers));
        files.extend(component_files(plan, pki, node));
        files.extend([NodeFile::directory("/kind", 0o755), kubeadm_configuration(plan, node)]);
    }
    files
}

/// What of [`files()`] says how the API server is reached: for a `node` that lives, once a balancer stands in front. Its kubelet must be
/// started anew then.
pub fn endpoint_files(plan: &ClusterPlan, pki: &Pki, node: &NodePlan) -> Vec<NodeFile> {
    match node.role {
        // Its components use the API server beside them.
        Role::ControlPlane => vec![kubeadm_configuration(plan, node)],
        Role::Worker => vec![kubelet_kubeconfig(plan, pki, node)],
    }
}

fn kubelet_kubeconfig(plan: &ClusterPlan, pki: &Pki, node: &NodePlan) -> NodeFile {
    NodeFile::secret("/etc/kubernetes/kubelet.conf", kubeconfig::kubelet(plan, pki, node))
}

fn kubelet_files(plan: &ClusterPlan, pki: &Pki, node: &NodePlan) -> Vec<NodeFile> {
    let mut files = vec![
        NodeFile::directory("/var/lib/kubelet", 0o700),
        kubelet::kubelet_configuration(plan, node),
        NodeFile::public("/var/lib/kubelet/kubeadm-flags.env", kubelet::flags_file(plan, node)),
        NodeFile::directory("/var/lib/kubelet/pki", 0o755),
        kubelet_kubeconfig(plan, pki, node),
    ];
    files.extend([
        NodeFile::directory(kubelet::DROP_INS, 0o755),
        NodeFile::public(&format!("{}/20-containerd.conf", kubelet::DROP_INS), kubelet::AFTER_CONTAINERD),
        NodeFile::public(&format!("{}/30-stop.conf", kubelet::DROP_INS), kubelet::STOP),
    ]);
    if let Some(configuration) = kubelet::instance_configuration(plan) {
        files.push(NodeFile::public("/var/lib/kubelet/instance-config.yaml", configuration));
    }
    if let Some(Credential { certificate, key }) = pki.kubelets.get(&node.name) {
        // The kubelet's certificate store refuses to rotate when the current file is not a link (client-go's `updateSymlink`).
        let first = "/var/lib/kubelet/pki/kubelet-client-first.pem";
        files.push(NodeFile::secret(first, format!("{certificate}{key}")));
        files.push(NodeFile::link(kubeconfig::KUBELET_CREDENTIAL, first));
    }
    files
}

fn authority_files(pki: &Pki) -> Vec<NodeFile> {
    vec![
        NodeFile::directory(&format!("{PKI}/etcd"), 0o755),
        NodeFile::secret(&format!("{PKI}/ca.key"), &pki.cluster_authority.key),
        NodeFile::public(&format!("{PKI}/etcd/ca.crt"), &pki.etcd_authority.certificate),
        NodeFile::secret(&format!("{PKI}/etcd/ca.key"), &pki.etcd_authority.key),
        NodeFile::public(&format!("{PKI}/front-proxy-ca.crt"), &pki.front_proxy_authority.certificate),
        NodeFile::secret(&format!("{PKI}/front-proxy-ca.key"), &pki.front_proxy_authority.key),
        NodeFile::secret(&format!("{PKI}/sa.key"), &pki.service_account.private),
        NodeFile::secret(&format!("{PKI}/sa.pub"), &pki.service_account.public),
    ]
}

fn certificate_files(pki: &Pki, servers: &crate::pki::Servers) -> Vec<NodeFile> {
    let clients = &pki.clients;
    [
        ("apiserver", &servers.api_server),
        ("apiserver-etcd-client", &clients.api_server_to_etcd),
        ("apiserver-kubelet-client", &clients.api_server_to_kubelet),
        ("etcd/healthcheck-client", &clients.etcd_health_check),
        ("etcd/peer", &servers.etcd_peer),
        ("etcd/server", &servers.etcd),
        ("front-proxy-client", &clients.front_proxy),
    ]
    .into_iter()
    .flat_map(|(name, credential)| {
        [
            NodeFile::public(&format!("{PKI}/{name}.crt"), &credential.certificate),
            NodeFile::secret(&format!("{PKI}/{name}.key"), &credential.key),
        ]
    })
    .collect()
}

fn component_files(plan: &ClusterPlan, pki: &Pki, node: &NodePlan) -> Vec<NodeFile> {
    let clients = &pki.clients;
    let mut components = vec![
        ("admin", "kubernetes-admin", &clients.admin),
        ("controller-manager", "system:kube-controller-manager", &clients.controller_manager),
        ("scheduler", "system:kube-scheduler", &clients.scheduler),
    ];
    if plan.kubernetes.is_at_least(29) {
        components.push(("super-admin", "kubernetes-super-admin", &clients.super_admin));
    }
    components
        .into_iter()
        .map(|(file, user, credential)| {
            NodeFile::secret(
                &format!("/etc/kubernetes/{file}.conf"),
                kubeconfig::component(plan, pki, node, user, credential),
            )
        })
        .collect()
}

impl NodeFile {
    pub(crate) fn public(path: &str, contents: impl AsRef<[u8]>) -> Self {
        Self::file(path, 0o644, contents)
    }

    pub(crate) fn secret(path: &str, contents: impl AsRef<[u8]>) -> Self {
        Self::file(path, 0o600, contents)
    }

    fn file(path: &str, mode: u32, contents: impl AsRef<[u8]>) -> Self {
        Self { path: path.to_owned(), mode, contents: Contents::File(contents.as_ref().to_vec()) }
    }

    pub(crate) fn directory(path: &str, mode: u32) -> Self {
        Self { path: path.to_owned(), mode, contents: Contents::Directory }
    }

    fn link(path: &str, target: &str) -> Self {
        Self { path: path.to_owned(), mode: 0o777, contents: Contents::Link(target.to_owned()) }
    }
}

/// Files hold keys: what they say is not for logs.
impl std::fmt::Debug for NodeFile {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} ({:o}, {:?})", self.path, self.mode, self.contents)
    }
}

impl std::fmt::Debug for Contents {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(bytes) => write!(formatter, "{} bytes", bytes.len()),
            Self::Directory => formatter.write_str("directory"),
            Self::Link(target) => write!(formatter, "link to {target}"),
        }
    }
}
