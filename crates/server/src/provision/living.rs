//! A cluster that lives, as its labels tell of it: the plan it was made by, with nodes that are to come.

use std::collections::{BTreeMap, HashSet};
use std::net::Ipv4Addr;
use std::time::SystemTime;

use futures_util::future::try_join_all;
use ipnet::IpNet;
use qbo_api::message::Code;
use qbo_api::name::Domain;
use qbo_api::settings::Wait;
use qbo_bootstrap::{
    Authorities, CONTAINERD_CONFIGURATION, ClusterPlan, Endpoint, KubernetesVersion, NodeOptions, NodePlan, Pki,
    Resources, Role, free_pod_subnets,
};

use super::context::{API_SERVER_PORT, Member, Wishes, node_name};
use super::internal;
use crate::address::{ClusterNetwork, address_v6, balancer_address, node_addresses};
use crate::cluster::{Found, FoundNode, LABEL_DOMAIN};
use crate::driver::engine::{Engine, Extras};
use crate::error::Failure;
use crate::recorded::{Recorded, unplannable};

/// A cluster that lives.
pub struct Living<'a> {
    found: &'a Found,
    control_plane: &'a FoundNode,
    network: ClusterNetwork,
    recorded: Recorded,
}

impl<'a> Living<'a> {
    /// What Docker holds of a cluster, if that is enough to go on from.
    pub fn of(found: &'a Found) -> Result<Self, Failure> {
        let name = &found.identity.name;
        let lacking = |what: &str| {
            let cure = format!("what is left of it can be deleted: qbo delete cluster {name}");
            Failure::new(Code::CONFLICT, format!("cluster '{name}' has no {what}"), cure)
        };
        let control_plane = found.control_plane().ok_or_else(|| lacking("control plane"))?;
        let network = found.networks.first().ok_or_else(|| lacking("network"))?;
        let v4 = *network.subnets.first().ok_or_else(|| lacking("addresses"))?;
        let recorded = Recorded::of_labels(&network.labels)?;
        let network = ClusterNetwork { v4, v6: network.subnets_v6.first().copied(), mtu: network.mtu };
        Ok(Self { found, control_plane, network, recorded })
    }

    /// The first control plane.
    pub fn control_plane(&self) -> &FoundNode {
        self.control_plane
    }

    /// The domain of its nodes' names.
    pub fn domain(&self) -> Domain {
        let label = self.control_plane.container.labels.get(LABEL_DOMAIN);
        label.and_then(|domain| domain.parse().ok()).unwrap_or_default()
    }

    /// Its network.
    pub fn network(&self) -> ClusterNetwork {
        self.network
    }

    /// What nodes that come now are asked, for their files and for their containers.
    pub fn newcomer(&self, role: Role, host: Resources) -> Result<(NodeOptions, Extras), Failure> {
        let Recorded { worker, control_plane, .. } = &self.recorded;
        let settings = match (role, control_plane) {
            (Role::Worker, _) => worker.clone(),
            (Role::ControlPlane, Some(control_plane)) => control_plane.clone(),
            (Role::ControlPlane, None) => worker.without_scheduling(),
        };
        self.recorded.node(role, &settings, host)
    }

    /// containerd's configuration where the cluster was made with another than its image's: that of its control plane.
    pub async fn containerd(&self, engine: &dyn Engine) -> Result<Option<String>, Failure> {
        if self.recorded.components.patches.containerd.is_empty() {
            return Ok(None);
        }
        let file = engine.read_file(&self.control_plane.container.id, CONTAINERD_CONFIGURATION).await?;
        Ok(file.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
    }

    /// What it would be asked to be, were it made now of a single control plane.
    pub fn wishes(&self, kubernetes: KubernetesVersion) -> Wishes {
        Wishes {
            image: self.control_plane.container.image.clone(),
            kubernetes,
            members: vec![Member::control_plane()],
            recorded: self.recorded.clone(),
            containerd: None,
            wait: Wait::default(),
            domain: self.domain(),
            retain: false,
        }
    }

    /// The plan it was made by, and after its nodes so many more of this role.
    pub fn plan(
        &self,
        kubernetes: KubernetesVersion,
        role: Role,
        more: usize,
        options: &NodeOptions,
    ) -> Result<ClusterPlan, Failure> {
        let planned = |node| planned(node, self.network);
        let mut nodes: Vec<NodePlan> = self.found.nodes.iter().map(planned).collect::<Result<_, _>>()?;
        let Recorded { pod_subnets, service_subnets, .. } = &self.recorded;
        let used: Vec<IpNet> = nodes.iter().flat_map(|node| node.pod_subnets.clone()).collect();
        let shares = free_pod_subnets(pod_subnets, &used, more).map_err(|error| unplannable(&error))?;
        let used: HashSet<Ipv4Addr> = self.found.addresses().collect();
        let free: Vec<Ipv4Addr> =
            node_addresses(self.network.v4).filter(|address| !used.contains(address)).take(more).collect();
        if free.len() < more {
            let problem =
                format!("the network {} of cluster '{}' has no room", self.network.v4, self.found.identity.name);
            return Err(Failure::new(Code::NO_ROOM, problem, format!("it has addresses for {} more", free.len())));
        }
        let domain = self.domain();
        nodes.extend(free.into_iter().zip(shares).map(|(address, pod_subnets)| {
            let (name, options) = (node_name(role, &domain), options.clone());
            let address_v6 = self.network.v6.map(|subnet| address_v6(subnet, address));
            NodePlan { name, role, address, address_v6, pod_subnets, options }
        }));
        // Once there is a balancer it stays, also in front of a single control plane.
        let is_balanced = self.found.balancer.is_some() || role == Role::ControlPlane;
        let host = if is_balanced { balancer_address(self.network.v4) } else { nodes[0].address };
        let endpoint = Endpoint { host: host.to_string(), port: API_SERVER_PORT };
        Ok(ClusterPlan {
            name: self.found.identity.name.clone(),
            id: self.found.identity.id,
            kubernetes,
            endpoint,
            balancer_address: balancer_address(self.network.v4),
            pod_subnets: pod_subnets.clone(),
            service_subnets: service_subnets.clone(),
            dns_domain: "cluster.local".into(),
            options: self.recorded.options(),
            network_mtu: self.network.mtu,
            nodes,
        })
    }

    /// What the last `more` nodes of the plan need to join, issued by the cluster's own authorities, which its control
    /// planes keep.
    pub async fn pki(&self, engine: &dyn Engine, plan: &ClusterPlan, more: usize) -> Result<Pki, Failure> {
        let container = &self.control_plane.container.id;
        let read = Authorities::PATHS.map(async |path| {
            let file = engine.read_file(container, path).await?;
            let missing = || {
                let problem = format!("{path} is missing in {}", self.control_plane.container.name);
                Failure::new(Code::CONFLICT, problem, "without it no node can join; make a new cluster")
            };
            Ok::<_, Failure>((path.to_owned(), file.ok_or_else(missing)?))
        });
        let files: BTreeMap<String, Vec<u8>> = try_join_all(read).await?.into_iter().collect();
        let plan = plan.clone();
        let issue = move || {
            let new = &plan.nodes[plan.nodes.len() - more..];
            Pki::join(Authorities::read(&files)?, &plan, new, SystemTime::now())
        };
        let issued = tokio::task::spawn_blocking(issue).await.map_err(|error| internal(&error))?;
        issued.map_err(|error| internal(&error))
    }
}

/// A node that lives, as it was planned.
pub(super) fn planned(node: &FoundNode, network: ClusterNetwork) -> Result<NodePlan, Failure> {
    let name = node.container.name.clone();
    let (Some(address), false) = (node.address, node.pod_subnets.is_empty()) else {
        let problem = format!("node '{name}' does not tell its address and its pod subnet: another version made it");
        return Err(Failure::new(Code::CONFLICT, problem, "make a new cluster"));
    };
    let (pod_subnets, options) = (node.pod_subnets.clone(), NodeOptions::default());
    let address_v6 = network.v6.map(|subnet| address_v6(subnet, address));
    Ok(NodePlan { name, role: node.role, address, address_v6, pod_subnets, options })
}
