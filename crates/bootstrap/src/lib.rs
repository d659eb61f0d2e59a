//! What a Kubernetes node must hold before it starts, so that it becomes Ready on its own.
//!
//! kubeadm makes a cluster in series: certificates, control plane, wait, upload, token, join, one node after the
//! other. Nearly all of what it writes is known before the first container runs. This crate computes that part
//! from a [`ClusterPlan`]: the certificates ([`Pki`]), the files of each node ([`files()`], packed by [`tar()`]), and the
//! objects the API server must get as soon as it answers ([`cluster_objects`], [`addons()`]). What depends on the Kubernetes
//! version in ways only that version knows, the static pod manifests and the addons' manifests, is left to the
//! `kubeadm` in the node image, with the configuration written here; a [`Blueprint`] keeps what it wrote for all clusters
//! of the image.
//!
//! No I/O, no clock: the same plan and the same PKI give the same bytes.

mod addons;
mod archive;
mod blueprint;
mod cni;
mod files;
mod kubeadm;
mod kubeconfig;
mod kubelet;
mod manifest;
mod objects;
mod pki;
mod plan;
#[cfg(test)]
mod sample;
mod version;
mod yaml;

pub use addons::{AddonsError, addons, prints_addons};
pub use archive::tar;
pub use blueprint::{Blueprint, BlueprintError, kubeadm_configuration};
pub use files::{Contents, NodeFile, files};
pub use kubeconfig::{bootstrap_kubeconfig, context_name, user_kubeconfig};
pub use manifest::{ManifestError, image_manifest};
pub use objects::{cluster_objects, node_object};
pub use pki::{Pki, PkiError};
pub use plan::{ClusterPlan, Endpoint, NodePlan, PlanError, Role, pod_subnets};
pub use version::{KubernetesVersion, VersionError};
