//! The form of the peer `kind`, `kind.x-k8s.io/v1alpha4` (<https://kind.sigs.k8s.io/docs/user/configuration/>).

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::Deserialize;
use serde_json::Value;

use super::own::{Role, feature_gates, image, labels};
use super::{ClusterFile, FileError, check_members, parse};
use crate::command::NodeCount;
use crate::label::Label;
use crate::name::ClusterName;
use crate::settings::{Cni, HostMount, IpFamily, NodeSettings, PortMapping, Protocol, Settings, Subnets};
use crate::wanted::Member;

/// What such a file begins with.
pub(super) const API_VERSION: &str = "kind.x-k8s.io/v1alpha4";

/// Where every API server listens.
const API_SERVER_PORT: u16 = 6443;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(dead_code, reason = "the head is read before, and a field here for its name")]
struct Document {
    api_version: String,
    kind: String,
    name: Option<ClusterName>,
    #[serde(default)]
    nodes: Vec<Node>,
    #[serde(default)]
    networking: Networking,
    #[serde(default)]
    feature_gates: BTreeMap<String, bool>,
    #[serde(default)]
    runtime_config: BTreeMap<String, String>,
    #[serde(default)]
    kubeadm_config_patches: Vec<String>,
    #[serde(default, rename = "kubeadmConfigPatchesJSON6902")]
    kubeadm_config_patches_json: Vec<Value>,
    #[serde(default)]
    containerd_config_patches: Vec<String>,
    #[serde(default, rename = "containerdConfigPatchesJSON6902")]
    containerd_config_patches_json: Vec<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Node {
    role: Option<Role>,
    image: Option<String>,
    #[serde(default)]
    labels: BTreeMap<String, String>,
    #[serde(default)]
    extra_mounts: Vec<Mount>,
    #[serde(default)]
    extra_port_mappings: Vec<Mapping>,
    #[serde(default)]
    kubeadm_config_patches: Vec<String>,
    #[serde(default, rename = "kubeadmConfigPatchesJSON6902")]
    kubeadm_config_patches_json: Vec<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Mount {
    host_path: String,
    container_path: String,
    #[serde(default)]
    read_only: bool,
    #[serde(default)]
    selinux_relabel: bool,
    propagation: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Mapping {
    container_port: u16,
    #[serde(default)]
    host_port: u16,
    #[serde(default)]
    listen_address: String,
    protocol: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Networking {
    ip_family: Option<IpFamily>,
    api_server_port: Option<i32>,
    api_server_address: Option<String>,
    pod_subnet: Option<Subnets>,
    service_subnet: Option<Subnets>,
    #[serde(default)]
    #[serde(rename = "disableDefaultCNI")]
    disable_default_cni: bool,
    kube_proxy_mode: Option<String>,
    dns_search: Option<Vec<String>>,
}

/// The one patch of kubeadm's configuration that can be followed: labels that a kubelet gives its own node.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Patch {
    kind: String,
    #[serde(default)]
    node_registration: Registration,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Registration {
    #[serde(default)]
    kubelet_extra_args: BTreeMap<String, String>,
}

pub(super) fn read(text: &str) -> Result<ClusterFile, FileError> {
    let kind: Document = parse(text)?;
    refuse_patches(&kind)?;
    let image = image(None, kind.nodes.iter().map(|node| node.image.as_deref()))?;
    let members = kind.nodes.iter().enumerate().map(|(index, node)| member(&format!("nodes[{index}]"), node));
    let members: Vec<Member> = members.collect::<Result<_, _>>()?;
    check_members(&members)?;
    let Networking { ip_family, pod_subnet, service_subnet, disable_default_cni, .. } = &kind.networking;
    let (ports, api_server_names) = networking(&kind.networking)?;
    Ok(ClusterFile {
        name: kind.name,
        image,
        // kind's default: one node.
        nodes: members.is_empty().then_some(NodeCount::ONE),
        members,
        settings: Settings {
            ports: ports.into_iter().collect(),
            feature_gates: feature_gates(&kind.feature_gates)?,
            cni: disable_default_cni.then_some(Cni::None),
            pod_subnets: pod_subnet.clone(),
            service_subnets: service_subnet.clone(),
            ip_family: *ip_family,
            ..Settings::default()
        },
        runtime_config: kind.runtime_config,
        api_server_names,
        ..ClusterFile::default()
    })
}

fn refuse_patches(kind: &Document) -> Result<(), FileError> {
    let instead = "nodes are not configured by kubeadm's files here: leave it out; featureGates, runtimeConfig and labels of nodes are possible";
    let containerd = "leave it out: containerd reads /etc/containerd/certs.d of each node";
    for (path, is_empty, cure) in [
        ("kubeadmConfigPatches", kind.kubeadm_config_patches.is_empty(), instead),
        ("kubeadmConfigPatchesJSON6902", kind.kubeadm_config_patches_json.is_empty(), instead),
        ("containerdConfigPatches", kind.containerd_config_patches.is_empty(), containerd),
        ("containerdConfigPatchesJSON6902", kind.containerd_config_patches_json.is_empty(), containerd),
    ] {
        if !is_empty {
            return Err(FileError::at(path, "patches cannot be followed", cure));
        }
    }
    Ok(())
}

/// The port of the host that leads to the API server, and the name it is reached by there.
fn networking(networking: &Networking) -> Result<(Option<PortMapping>, Vec<String>), FileError> {
    if let Some(mode) = networking.kube_proxy_mode.as_deref().filter(|mode| *mode != "iptables") {
        return Err(FileError::at(
            "networking.kubeProxyMode",
            format!("'{mode}' cannot be followed"),
            "iptables is possible, or leave it out",
        ));
    }
    if networking.dns_search.is_some() {
        let cure = "leave it out: nodes search what their host searches";
        return Err(FileError::at("networking.dnsSearch", "it cannot be followed", cure));
    }
    let listen = match networking.api_server_address.as_deref() {
        None | Some("") => None,
        Some(text) => Some(text.parse::<IpAddr>().map_err(|_| {
            FileError::at("networking.apiServerAddress", format!("'{text}' is no address"), "as 127.0.0.1")
        })?),
    };
    let port = match networking.api_server_port {
        // What kind calls a random one: the API server is reached at its own address on this host in any case.
        None | Some(0 | -1) if listen.is_none() => return Ok((None, Vec::new())),
        None | Some(0 | -1) => {
            let problem = "an address without a port cannot be followed";
            return Err(FileError::at("networking.apiServerAddress", problem, "give an apiServerPort too"));
        }
        Some(port) => u16::try_from(port)
            .map_err(|_| FileError::at("networking.apiServerPort", format!("{port} is no port"), "1 to 65535"))?,
    };
    let listen = listen.unwrap_or(std::net::Ipv4Addr::LOCALHOST.into());
    let mapping = PortMapping { listen: Some(listen), host: port, node: API_SERVER_PORT, protocol: Protocol::Tcp };
    let names = if listen.is_unspecified() { Vec::new() } else { vec![listen.to_string()] };
    Ok((Some(mapping), names))
}

fn member(path: &str, node: &Node) -> Result<Member, FileError> {
    let control_plane = node.role != Some(Role::Worker);
    let mut of_node = labels(&format!("{path}.labels"), &node.labels)?;
    for (index, patch) in node.kubeadm_config_patches.iter().enumerate() {
        of_node.extend(patched_labels(&format!("{path}.kubeadmConfigPatches[{index}]"), patch)?);
    }
    if !node.kubeadm_config_patches_json.is_empty() {
        let path = format!("{path}.kubeadmConfigPatchesJSON6902");
        return Err(FileError::at(&path, "patches cannot be followed", "leave it out; labels of nodes are possible"));
    }
    let mounts = node.extra_mounts.iter().enumerate();
    let mounts = mounts.map(|(index, mount)| host_mount(&format!("{path}.extraMounts[{index}]"), mount));
    let ports = node.extra_port_mappings.iter().enumerate();
    let ports = ports.map(|(index, port)| mapping(&format!("{path}.extraPortMappings[{index}]"), port));
    let mounts = mounts.collect::<Result<_, _>>()?;
    let settings = NodeSettings { mounts, labels: of_node, ..NodeSettings::default() };
    Ok(Member { control_plane, ports: ports.collect::<Result<_, _>>()?, settings })
}

fn patched_labels(path: &str, text: &str) -> Result<Vec<Label>, FileError> {
    let cure = "only nodeRegistration.kubeletExtraArgs.node-labels of InitConfiguration and JoinConfiguration is possible; labels of the node say the same";
    let refused = |problem: &str| FileError::at(path, problem, cure);
    let Patch { kind, node_registration } =
        serde_saphyr::from_str(text).map_err(|_| refused("this patch cannot be followed"))?;
    let is_known = matches!(kind.as_str(), "InitConfiguration" | "JoinConfiguration");
    let arguments = &node_registration.kubelet_extra_args;
    if !is_known || arguments.keys().any(|name| name != "node-labels") {
        return Err(refused("this patch cannot be followed"));
    }
    let labels = arguments.values().flat_map(|value| value.split(','));
    labels.map(|label| label.parse().map_err(|error: crate::label::LabelError| refused(&error.to_string()))).collect()
}

fn host_mount(path: &str, mount: &Mount) -> Result<HostMount, FileError> {
    if mount.selinux_relabel {
        return Err(FileError::at(
            &format!("{path}.selinuxRelabel"),
            "it cannot be followed",
            "label the directory yourself: chcon -t container_file_t",
        ));
    }
    if let Some(propagation) = mount.propagation.as_deref().filter(|name| !matches!(*name, "None" | "")) {
        let problem = format!("'{propagation}' cannot be followed");
        return Err(FileError::at(&format!("{path}.propagation"), problem, "None is possible, or leave it out"));
    }
    let read = HostMount::new(&mount.host_path, &mount.container_path, mount.read_only);
    read.map_err(|error| FileError::at(path, error, "both paths are absolute"))
}

fn mapping(path: &str, port: &Mapping) -> Result<PortMapping, FileError> {
    let listen = match port.listen_address.as_str() {
        "" => None,
        text => Some(text.parse().map_err(|_| {
            FileError::at(&format!("{path}.listenAddress"), format!("'{text}' is no address"), "as 127.0.0.1")
        })?),
    };
    let protocol = match port.protocol.as_deref() {
        None => Protocol::default(),
        Some(name) => Protocol::of(name).ok_or_else(|| {
            FileError::at(&format!("{path}.protocol"), format!("'{name}' is none"), "TCP, UDP or SCTP")
        })?,
    };
    for (name, number) in [("containerPort", port.container_port), ("hostPort", port.host_port)] {
        if number == 0 {
            let problem = "a port that is not said cannot be told afterwards";
            return Err(FileError::at(&format!("{path}.{name}"), problem, "give one from 1 to 65535"));
        }
    }
    Ok(PortMapping { listen, host: port.host_port, node: port.container_port, protocol })
}
