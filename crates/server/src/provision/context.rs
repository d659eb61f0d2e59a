//! What the steps share: what was wished for, the drivers, and what was made so far.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use qbo_api::message::Code;
use qbo_api::name::Domain;
use qbo_api::settings::{PortMapping, Wait};
use qbo_api::wanted::Wanted;
use qbo_bootstrap::{
    Blueprint, ClusterOptions, ClusterPlan, Endpoint, KubernetesVersion, NodeOptions, NodePlan, Pki, Resources, Role,
    pod_subnets,
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::finish::Kubeconfigs;
use crate::address::{Addresses, ClusterNetwork, address_v6, balancer_address, node_addresses};
use crate::cluster::Identity;
use crate::driver::engine::{Engine, Extras};
use crate::driver::kubernetes::{ApiServer, Kubernetes};
use crate::error::Failure;
use crate::live::Live;
use crate::operations::Expiry;
use crate::recorded::{Recorded, unplannable};
use crate::recovery::LeftOvers;
use crate::registries::Registries;
use crate::report::Reporter;

/// Where every API server listens.
pub(super) const API_SERVER_PORT: u16 = 6443;

/// What the cluster shall be.
#[derive(Debug, Clone)]
pub struct Wishes {
    /// The image as Docker names it.
    pub image: String,
    /// The Kubernetes version in it.
    pub kubernetes: KubernetesVersion,
    /// Its nodes, control planes first.
    pub members: Vec<Member>,
    /// What nodes that come later must know.
    pub recorded: Recorded,
    /// containerd's configuration, once it is known; none where the image's own serves.
    pub containerd: Option<String>,
    /// What is waited for.
    pub wait: Wait,
    /// The domain of the nodes' names.
    pub domain: Domain,
    /// Keep what was made when it fails.
    pub retain: bool,
}

/// A node of the cluster.
#[derive(Debug, Clone)]
pub struct Member {
    /// What it is for.
    pub role: Role,
    /// What its files say more.
    pub options: NodeOptions,
    /// What its container has more.
    pub extras: Extras,
    /// Ports of the host that lead to it.
    pub ports: Vec<PortMapping>,
}

impl Member {
    /// A control plane of which nothing more is asked.
    pub fn control_plane() -> Self {
        let (options, extras) = (NodeOptions::default(), Extras::default());
        Self { role: Role::ControlPlane, options, extras, ports: Vec::new() }
    }
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
    /// The program that stands in front of several API servers.
    pub balancer: PathBuf,
    /// Where kubeconfigs for people are written.
    pub kubeconfigs: Kubeconfigs,
    /// The voice of the command.
    pub reporter: Reporter,
    /// Cancelled when the command shall stop.
    pub token: CancellationToken,
    /// What nodes know of registries.
    pub registries: Arc<Registries>,
    /// Whether it shall stop because it took too long.
    pub expiry: Expiry,
    /// Told what could not be removed.
    pub left_overs: Arc<LeftOvers>,
    /// Told how far the cluster is, and whom to follow.
    pub live: Arc<Live>,
}

/// What was made so far. Steps fill it in order, and each may rely on those before it.
#[derive(Default)]
pub(super) struct Made {
    pub(super) network: Option<ClusterNetwork>,
    pub(super) plan: Option<ClusterPlan>,
    pub(super) pki: Option<Pki>,
    /// The containers of the control planes, in the order of the plan.
    pub(super) control_planes: Vec<String>,
    pub(super) api_server: Option<Arc<dyn ApiServer>>,
}

impl Wishes {
    /// What a cluster of this image shall be, on a host that has so much.
    pub fn new(
        wanted: &Wanted,
        image: String,
        kubernetes: KubernetesVersion,
        host: Resources,
    ) -> Result<Self, Failure> {
        let later = (&wanted.later, &wanted.later_control_plane);
        let recorded = Recorded::new(&wanted.settings, later, wanted.components.clone());
        let members = wanted.members.iter().map(|member| {
            let role = if member.control_plane { Role::ControlPlane } else { Role::Worker };
            let (options, extras) = recorded.node(role, &member.settings, host)?;
            Ok(Member { role, options, extras, ports: member.ports.clone() })
        });
        let mut members: Vec<Member> = members.collect::<Result<_, Failure>>()?;
        // What is said of nodes must be possible also for those that come later.
        recorded.node(Role::Worker, &wanted.later, host)?;
        members[0].ports.extend_from_slice(&wanted.settings.ports);
        recorded.refuse_overlap()?;
        Ok(Self {
            image,
            kubernetes,
            members,
            recorded,
            containerd: None,
            wait: wanted.settings.awaited(),
            domain: wanted.domain.clone(),
            retain: wanted.retain,
        })
    }

    /// A cluster of one node that was asked nothing of.
    pub fn usual(image: String, kubernetes: KubernetesVersion) -> Self {
        let (options, extras, ports) = (NodeOptions::default(), Extras::default(), Vec::new());
        Self {
            image,
            kubernetes,
            members: vec![Member { role: Role::ControlPlane, options, extras, ports }],
            recorded: Recorded::default(),
            containerd: None,
            wait: Wait::default(),
            domain: Domain::default(),
            retain: false,
        }
    }

    /// Everything that is decided before the first container exists, for a cluster on this network.
    pub fn plan(&self, identity: &Identity, network: ClusterNetwork) -> Result<ClusterPlan, Failure> {
        let Recorded { pod_subnets: of_pods, service_subnets, .. } = &self.recorded;
        let shares = pod_subnets(of_pods, self.members.len()).map_err(|error| unplannable(&error))?;
        let nodes = node_addresses(network.v4).zip(shares).zip(&self.members);
        let nodes: Vec<NodePlan> = nodes
            .map(|((address, pod_subnets), member)| NodePlan {
                name: node_name(member.role, &self.domain),
                role: member.role,
                address,
                address_v6: network.v6.map(|subnet| address_v6(subnet, address)),
                pod_subnets,
                options: member.options.clone(),
            })
            .collect();
        let plan = ClusterPlan {
            name: identity.name.clone(),
            id: identity.id,
            kubernetes: self.kubernetes.clone(),
            endpoint: endpoint(&nodes, network.v4),
            balancer_address: balancer_address(network.v4),
            pod_subnets: of_pods.clone(),
            service_subnets: service_subnets.clone(),
            dns_domain: "cluster.local".into(),
            options: ClusterOptions { containerd: self.containerd.clone(), ..self.recorded.options() },
            network_mtu: network.mtu,
            nodes,
        };
        plan.check().map_err(|error| unplannable(&error))?;
        Ok(plan)
    }
}

/// Where people reach the API server: itself, or the balancer where there are several.
fn endpoint(nodes: &[NodePlan], subnet: ipnet::Ipv4Net) -> Endpoint {
    let alone = nodes.iter().filter(|node| node.role == Role::ControlPlane).count() == 1;
    let host = if alone { nodes[0].address } else { balancer_address(subnet) };
    Endpoint { host: host.to_string(), port: API_SERVER_PORT }
}

impl Context {
    /// Fails where the command was cancelled. Calls that change something are never dropped half-way, since the
    /// engine would carry them out all the same after the undo has looked: they are made between checkpoints.
    pub(super) fn checkpoint(&self) -> Result<(), Failure> {
        if self.token.is_cancelled() { Err(self.expiry.failure()) } else { Ok(()) }
    }

    /// Waits for something that changes nothing: until it happens, the command is cancelled, a node has ended, Docker does not answer, or time is up.
    pub(super) async fn wait<T>(
        &self,
        what: &str,
        limit: Duration,
        future: impl Future<Output = T> + Send,
    ) -> Result<T, Failure> {
        let ended = |node: &str| {
            let problem = format!("node '{node}' ended while cluster '{}' was made", self.identity.name);
            Failure::new(Code::BAD_GATEWAY, problem, "add it with --retain to keep it, and look at: docker logs <node>")
        };
        tokio::select! {
            biased;
            () = self.token.cancelled() => Err(self.expiry.failure()),
            failure = self.live.in_vain(self.identity.id, |_| true, ended) => Err(failure),
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
        self.control_planes.first().expect("the control plane's container is made before it is used")
    }

    pub(super) fn api_server(&self) -> &dyn ApiServer {
        &**self.api_server.as_ref().expect("the API server answers before it is used")
    }
}

/// A fresh node name: `control-<8 hex>.<domain>` or `node-<8 hex>.<domain>`.
pub(super) fn node_name(role: Role, domain: &Domain) -> String {
    let prefix = match role {
        Role::ControlPlane => "control",
        Role::Worker => "node",
    };
    let (random, ..) = Uuid::new_v4().as_fields();
    format!("{prefix}-{random:08x}.{domain}")
}
