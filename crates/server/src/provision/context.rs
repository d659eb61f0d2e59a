//! What the steps share: what was wished for, the drivers, and what was made so far.

use std::sync::Arc;
use std::time::Duration;

use ipnet::Ipv4Net;
use qbo_api::message::Code;
use qbo_api::name::Domain;
use qbo_bootstrap::{Blueprint, ClusterPlan, Endpoint, KubernetesVersion, NodePlan, Pki, Role, pod_subnets};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::finish::Kubeconfigs;
use crate::address::{Addresses, node_addresses};
use crate::cluster::Identity;
use crate::driver::engine::Engine;
use crate::driver::kubernetes::{ApiServer, Kubernetes};
use crate::error::Failure;
use crate::recovery::LeftOvers;
use crate::report::Reporter;

/// Where pods and Services get their addresses from, as everywhere in the field.
const POD_SUBNET: Ipv4Net = Ipv4Net::new_assert(std::net::Ipv4Addr::new(10, 244, 0, 0), 16);
const SERVICE_SUBNET: Ipv4Net = Ipv4Net::new_assert(std::net::Ipv4Addr::new(10, 96, 0, 0), 16);

/// Of the bridge networks Docker makes where nobody tells it otherwise.
const NETWORK_MTU: u16 = 1500;

/// What the cluster shall be.
#[derive(Debug, Clone)]
pub struct Wishes {
    /// The image as Docker names it.
    pub image: String,
    /// The Kubernetes version in it.
    pub kubernetes: KubernetesVersion,
    /// Nodes in total.
    pub nodes: u16,
    /// The domain of the nodes' names.
    pub domain: Domain,
    /// Keep what was made when it fails.
    pub retain: bool,
}

/// What the steps of one cluster share.
#[derive(Clone)]
pub struct Context {
    /// Who the cluster is.
    pub identity: Identity,
    /// What it shall be.
    pub wishes: Wishes,
    /// What the image contributes.
    pub blueprint: Arc<Blueprint>,
    /// The container engine.
    pub engine: Arc<dyn Engine>,
    /// The way to API servers.
    pub kubernetes: Arc<dyn Kubernetes>,
    /// Where the cluster's network comes from.
    pub addresses: Arc<Addresses>,
    /// Where kubeconfigs for people are written.
    pub kubeconfigs: Kubeconfigs,
    /// The voice of the command.
    pub reporter: Reporter,
    /// Cancelled when the command shall stop.
    pub token: CancellationToken,
    /// Told what could not be removed.
    pub left_overs: Arc<LeftOvers>,
}

/// What was made so far. Steps fill it in order, and each may rely on those before it.
#[derive(Default)]
pub(super) struct Made {
    pub(super) plan: Option<ClusterPlan>,
    pub(super) pki: Option<Pki>,
    /// The container of the control plane.
    pub(super) control_plane: Option<String>,
    pub(super) api_server: Option<Arc<dyn ApiServer>>,
}

impl Wishes {
    /// Everything that is decided before the first container exists, for a cluster on a network of this range.
    pub fn plan(&self, identity: &Identity, subnet: Ipv4Net) -> Result<ClusterPlan, Failure> {
        let count = usize::from(self.nodes);
        let unprocessable = |error: &dyn std::error::Error| Failure::new(Code::UNPROCESSABLE, error.to_string(), "");
        let pod_subnets = pod_subnets(POD_SUBNET, count).map_err(|error| unprocessable(&error))?;
        let nodes = node_addresses(subnet).zip(pod_subnets).take(count).enumerate();
        let nodes: Vec<NodePlan> = nodes
            .map(|(index, (address, pod_subnet))| {
                let role = if index == 0 { Role::ControlPlane } else { Role::Worker };
                NodePlan { name: node_name(role, &self.domain), role, address, pod_subnet }
            })
            .collect();
        Ok(ClusterPlan {
            name: identity.name.clone(),
            id: identity.id,
            kubernetes: self.kubernetes.clone(),
            endpoint: Endpoint { host: nodes[0].address.to_string(), port: 6443 },
            pod_subnet: POD_SUBNET,
            service_subnet: SERVICE_SUBNET,
            dns_domain: "cluster.local".into(),
            extra_sans: Vec::new(),
            network_mtu: NETWORK_MTU,
            nodes,
        })
    }
}

impl Context {
    /// Fails where the command was cancelled. Calls that change something are never dropped half-way, since the
    /// engine would carry them out all the same after the undo has looked: they are made between checkpoints.
    pub(super) fn checkpoint(&self) -> Result<(), Failure> {
        if self.token.is_cancelled() { Err(Failure::cancelled()) } else { Ok(()) }
    }

    /// Waits for something that changes nothing: until it happens, the command is cancelled, or time is up.
    pub(super) async fn wait<T>(
        &self,
        what: &str,
        limit: Duration,
        future: impl Future<Output = T> + Send,
    ) -> Result<T, Failure> {
        tokio::select! {
            biased;
            () = self.token.cancelled() => Err(Failure::cancelled()),
            outcome = tokio::time::timeout(limit, future) => outcome.map_err(|_| {
                let name = &self.identity.name;
                let seconds = limit.as_secs();
                Failure::new(
                    Code::TIMEOUT,
                    format!("cluster '{name}': waited {seconds} s in vain for {what}"),
                    "add it with --retain to keep the nodes, and look at: docker exec <node> journalctl -u kubelet",
                )
            }),
        }
    }
}

impl Made {
    pub(super) fn plan(&self) -> &ClusterPlan {
        self.plan.as_ref().expect("the plan is made in the first step")
    }

    pub(super) fn pki(&self) -> &Pki {
        self.pki.as_ref().expect("the certificates are made in the first step")
    }

    pub(super) fn control_plane(&self) -> &str {
        self.control_plane.as_deref().expect("the control plane's container is made before it is used")
    }

    pub(super) fn api_server(&self) -> &dyn ApiServer {
        &**self.api_server.as_ref().expect("the API server answers before it is used")
    }
}

/// A fresh node name: `control-<8 hex>.<domain>` or `node-<8 hex>.<domain>`.
fn node_name(role: Role, domain: &Domain) -> String {
    let prefix = match role {
        Role::ControlPlane => "control",
        Role::Worker => "node",
    };
    let (random, ..) = Uuid::new_v4().as_fields();
    format!("{prefix}-{random:08x}.{domain}")
}
