//! What a Kubernetes node must hold before it starts, so that it becomes Ready on its own.
//!
//! kubeadm makes a cluster in series: certificates, control plane, wait, upload, token, join, one node after the
//! other. Nearly all of what it writes is known before the first container runs. This crate computes that part
//! from a [`ClusterPlan`]: the certificates ([`Pki`]), the files of each node ([`files()`], packed by [`tar()`]), and the
//! objects the API server must get as soon as it answers ([`cluster_objects`], [`Blueprint::objects`]). What depends on the Kubernetes
//! version in ways only that version knows, the static pod manifests and the addons' manifests, is left to the
//! `kubeadm` in the node image, with the configuration written here; a [`Blueprint`] keeps what it wrote for all clusters
//! of the image.
//!
//! No I/O, no clock: the same plan and the same PKI give the same bytes.

mod addons;
mod archive;
mod blueprint;
mod cni;
mod containerd;
mod files;
mod kubeadm;
mod kubeconfig;
mod kubelet;
mod manifest;
mod objects;
mod options;
mod patches;
mod pki;
mod plan;
mod registry;
#[cfg(test)]
mod sample;
mod static_pods;
mod subnets;
mod version;
mod yaml;

pub use addons::{AddonsError, prints_addons};
pub use archive::tar;
pub use blueprint::{Blueprint, BlueprintError, kubeadm_configuration};
pub use containerd::{CONTAINERD_CONFIGURATION, ContainerdError, patched_containerd};
pub use files::{Contents, NodeFile, endpoint_files, files};
pub use kubeconfig::{bootstrap_kubeconfig, context_name, merged_kubeconfig, user_kubeconfig};
pub use kubelet::kubelet_configuration;
pub use manifest::ManifestError;
pub use objects::{cluster_objects, control_plane_objects, endpoint_objects, join_objects};
pub use options::{ClusterOptions, Cni, NodeOptions, Resources};
pub use pki::{Authorities, Pki, PkiError};
pub use plan::{ClusterPlan, Endpoint, NodePlan, PlanError, Role};
pub use qbo_api::components::{Components, Patches, ProxyMode};
pub use qbo_api::label::{Label, LabelError, Taint};
pub use registry::{LocalRegistry, Registry, RegistryError, local_registry_object, registry_files};
pub use static_pods::{EtcdMember, EtcdMembers};
pub use subnets::{IpFamily, free_pod_subnets, pod_subnets};
pub use version::{KubernetesVersion, VersionError};
