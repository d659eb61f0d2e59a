//! qbo's own form: each option of `add cluster` under its name, and what is said of single nodes.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::patches::{Patched, Written};
use super::{ClusterFile, FileError, check_members, parse};
use crate::command::{ControlPlaneCount, NodeCount};
use crate::components::{Components, ProxyMode, SearchDomain};
use crate::image::ImageReference;
use crate::label::{Label, Taint};
use crate::name::{ClusterName, Domain};
use crate::settings::{
    Cni, Cpus, FeatureGate, HostMount, IpFamily, Memory, NodeSettings, PortMapping, Settings, Subnets, Timeout, Wait,
};
use crate::wanted::Member;

/// What such a file begins with.
pub(super) const API_VERSION: &str = "qbo.io/v1";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(dead_code, reason = "the head is read before, and a field here for its name")]
struct Own {
    api_version: String,
    kind: String,
    name: Option<ClusterName>,
    image: Option<String>,
    domain: Option<Domain>,
    #[serde(default)]
    retain: bool,
    node_count: Option<u16>,
    control_planes: Option<u16>,
    #[serde(default)]
    nodes: Vec<Node>,
    #[serde(default)]
    ports: Vec<PortMapping>,
    #[serde(default)]
    mounts: Vec<HostMount>,
    cpus: Option<Cpus>,
    memory: Option<Memory>,
    #[serde(default)]
    taints: Vec<Taint>,
    #[serde(default)]
    labels: BTreeMap<String, String>,
    #[serde(default)]
    feature_gates: BTreeMap<String, bool>,
    #[serde(default)]
    runtime_config: BTreeMap<String, String>,
    cni: Option<Cni>,
    pod_subnet: Option<Subnets>,
    service_subnet: Option<Subnets>,
    ip_family: Option<IpFamily>,
    kube_proxy_mode: Option<ProxyMode>,
    dns_search: Option<Vec<SearchDomain>>,
    #[serde(default)]
    kubeadm_config_patches: Vec<String>,
    #[serde(default)]
    containerd_config_patches: Vec<String>,
    wait: Option<Wait>,
    timeout: Option<Timeout>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Node {
    role: Role,
    image: Option<String>,
    #[serde(default)]
    ports: Vec<PortMapping>,
    #[serde(default)]
    mounts: Vec<HostMount>,
    cpus: Option<Cpus>,
    memory: Option<Memory>,
    #[serde(default)]
    taints: Vec<Taint>,
    #[serde(default)]
    labels: BTreeMap<String, String>,
    #[serde(default)]
    kubeadm_config_patches: Vec<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Role {
    ControlPlane,
    Worker,
}

pub(super) fn read(text: &str) -> Result<ClusterFile, FileError> {
    let own: Own = parse(text)?;
    let count = |path: &str, cure: String, given: Option<u16>| match given {
        None => Ok(None),
        Some(count) => {
            NodeCount::new(count).map(Some).ok_or_else(|| FileError::at(path, format!("{count} is none"), cure))
        }
    };
    let nodes = count("nodeCount", format!("1 to {} are possible", NodeCount::LIMIT), own.node_count)?;
    let control_planes = match own.control_planes {
        None => None,
        Some(count) => Some(ControlPlaneCount::new(count).ok_or_else(|| {
            FileError::at(
                "controlPlanes",
                format!("{count} control planes"),
                "1, 3, 5 or 7 are possible: etcd needs a majority",
            )
        })?),
    };
    if !own.nodes.is_empty() && (nodes.is_some() || control_planes.is_some()) {
        let cure = "leave out nodeCount and controlPlanes where nodes are listed";
        return Err(FileError::at("nodes", "they are listed and counted", cure));
    }
    let images = own.nodes.iter().map(|node| node.image.as_deref());
    let image = image(own.image.as_deref(), images)?;
    let of_nodes = own.nodes.iter().map(|node| {
        let written = Written { kubeadm: &node.kubeadm_config_patches, ..Written::default() };
        (node.role == Role::ControlPlane, written)
    });
    let of_nodes: Vec<_> = of_nodes.collect();
    let of_file = Written {
        kubeadm: &own.kubeadm_config_patches,
        containerd: &own.containerd_config_patches,
        ..Written::default()
    };
    let (patched, of_each) = Patched::read(of_file, &of_nodes)?;
    let mut members = Vec::new();
    for (index, (node, more)) in own.nodes.into_iter().zip(of_each).enumerate() {
        let labels = labels(&format!("nodes[{index}].labels"), &node.labels)?;
        let Node { role, ports, mounts, cpus, memory, taints, .. } = node;
        let settings = NodeSettings { mounts, cpus, memory, taints, labels, ..NodeSettings::default() };
        members.push(Member { control_plane: role == Role::ControlPlane, ports, settings: settings.over(&more) });
    }
    check_members(&members)?;
    let labels = labels("labels", &own.labels)?;
    Ok(ClusterFile {
        name: own.name,
        image,
        domain: own.domain,
        retain: own.retain,
        nodes,
        control_planes,
        members,
        settings: Settings {
            ports: own.ports,
            node: NodeSettings {
                mounts: own.mounts,
                cpus: own.cpus,
                memory: own.memory,
                taints: own.taints,
                labels,
                ..NodeSettings::default()
            },
            feature_gates: feature_gates(&own.feature_gates)?,
            cni: own.cni,
            pod_subnets: own.pod_subnet,
            service_subnets: own.service_subnet,
            ip_family: own.ip_family,
            wait: own.wait,
            timeout: own.timeout,
        },
        components: Components {
            runtime_config: own.runtime_config,
            proxy_mode: patched.proxy_mode(own.kube_proxy_mode),
            api_server_names: patched.api_server_names,
            dns_search: own.dns_search,
            patches: patched.patches,
        },
        first: patched.first,
        rest: patched.rest,
    })
}

/// The image of a cluster: as all its nodes have one Kubernetes, they have one image.
pub(super) fn image<'a>(
    of_all: Option<&'a str>,
    of_nodes: impl Iterator<Item = Option<&'a str>>,
) -> Result<Option<ImageReference>, FileError> {
    let mut image = of_all.map(|name| ("image".to_owned(), name));
    for (index, name) in of_nodes.enumerate().filter_map(|(index, name)| Some((index, name?))) {
        let path = format!("nodes[{index}].image");
        match &image {
            Some((other, first)) if *first != name => {
                let problem = format!("'{name}' differs from '{first}' ({other})");
                return Err(FileError::at(&path, problem, "all nodes of a cluster have one image: name it once"));
            }
            Some(_) => {}
            None => image = Some((path, name)),
        }
    }
    let Some((path, name)) = image else { return Ok(None) };
    name.parse().map(Some).map_err(|error| FileError::at(&path, error, "as kindest/node:v1.37.2"))
}

pub(super) fn labels(path: &str, labels: &BTreeMap<String, String>) -> Result<Vec<Label>, FileError> {
    let label = |(key, value): (&String, &String)| Label::new(key, value);
    let labels: Result<Vec<_>, _> = labels.iter().map(label).collect();
    labels.map_err(|error| FileError::at(path, error, "as disk: fast"))
}

pub(super) fn feature_gates(gates: &BTreeMap<String, bool>) -> Result<Vec<FeatureGate>, FileError> {
    let gate = |(name, enabled): (&String, &bool)| format!("{name}={enabled}").parse();
    let gates: Result<Vec<_>, _> = gates.iter().map(gate).collect();
    gates.map_err(|error: crate::name::NameError| FileError::at("featureGates", error, "as ImageVolume: true"))
}
