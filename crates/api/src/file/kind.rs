//! The form of the peer `kind`, `kind.x-k8s.io/v1alpha4` (<https://kind.sigs.k8s.io/docs/user/configuration/>).

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Component, Path};

use serde::Deserialize;
use serde_json::Value;
use serde_saphyr::Spanned;

use super::own::{Role, feature_gates, image, labels};
use super::patches::{JsonPatch, Patched, Written};
use super::{ClusterFile, FileError, check_members, parse};
use crate::command::NodeCount;
use crate::components::{Components, ProxyMode, SearchDomain};
use crate::name::ClusterName;
use crate::settings::{Cni, HostMount, IpFamily, NodeSettings, PortMapping, Propagation, Protocol, Settings, Subnets};
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
    kubeadm_config_patches_json: Vec<JsonPatch>,
    #[serde(default)]
    containerd_config_patches: Vec<String>,
    #[serde(default, rename = "containerdConfigPatchesJSON6902")]
    containerd_config_patches_json: Vec<String>,
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
    kubeadm_config_patches_json: Vec<JsonPatch>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Mount {
    host_path: String,
    container_path: String,
    #[serde(default)]
    read_only: bool,
    /// Nothing is to be done: nodes run with `label=disable`, and may use the path whatever its label.
    #[serde(default, rename = "selinuxRelabel")]
    _selinux_relabel: bool,
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
    kube_proxy_mode: Option<ProxyMode>,
    dns_search: Option<Vec<SearchDomain>>,
}

pub(super) fn read(text: &str) -> Result<ClusterFile, FileError> {
    let kind: Document = parse(text)?;
    let of_nodes = kind.nodes.iter().map(|node| {
        let (kubeadm, kubeadm_json) = (&*node.kubeadm_config_patches, &*node.kubeadm_config_patches_json);
        (is_control_plane(node), Written { kubeadm, kubeadm_json, ..Written::default() })
    });
    let of_nodes: Vec<_> = of_nodes.collect();
    let of_file = Written {
        kubeadm: &kind.kubeadm_config_patches,
        kubeadm_json: &kind.kubeadm_config_patches_json,
        containerd: &kind.containerd_config_patches,
        containerd_json: &kind.containerd_config_patches_json,
    };
    let (mut patched, of_each) = Patched::read(of_file, &of_nodes)?;
    let image = image(None, kind.nodes.iter().map(|node| node.image.as_deref()))?;
    let members = kind.nodes.iter().zip(&of_each).enumerate();
    let members = members.map(|(index, (node, more))| member(&format!("nodes[{index}]"), node, more));
    let members: Vec<Member> = members.collect::<Result<_, _>>()?;
    check_members(&members)?;
    let (ports, mut api_server_names) = networking(&kind.networking)?;
    api_server_names.append(&mut patched.api_server_names);
    let Networking { ip_family, pod_subnet, service_subnet, disable_default_cni, kube_proxy_mode, dns_search, .. } =
        kind.networking;
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
            pod_subnets: pod_subnet,
            service_subnets: service_subnet,
            ip_family,
            ..Settings::default()
        },
        components: Components {
            runtime_config: kind.runtime_config,
            api_server_names,
            proxy_mode: patched.proxy_mode(kube_proxy_mode),
            dns_search,
            patches: patched.patches,
        },
        first: patched.first,
        rest: patched.rest,
        ..ClusterFile::default()
    })
}

/// The port of the host that leads to the API server, and the name it is reached by there.
fn networking(networking: &Networking) -> Result<(Option<PortMapping>, Vec<String>), FileError> {
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

/// Where a file names paths of the host.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Places {
    api_version: String,
    #[serde(default)]
    nodes: Vec<NodePlaces>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct NodePlaces {
    #[serde(default)]
    extra_mounts: Vec<MountPlace>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct MountPlace {
    host_path: Spanned<String>,
}

/// The text of a file of this form with all paths of the host whole: those that are relative are of this directory, which is absolute.
/// None where there are no such paths, or nobody can read the text.
///
/// kind takes such paths to be of the directory it runs in.
pub(super) fn located(text: &str, directory: &Path) -> Option<String> {
    let Places { api_version, nodes } = serde_saphyr::from_str(text).ok()?;
    if api_version != API_VERSION {
        return None;
    }
    let paths = nodes.iter().flat_map(|node| &node.extra_mounts).map(|mount| &mount.host_path);
    let relative = paths.filter(|path| !path.value.is_empty() && !path.value.starts_with('/'));
    // By where they stand: an alias stands where its anchor does.
    let mut found = BTreeMap::new();
    for path in relative {
        let span = path.defined.span();
        let start = usize::try_from(span.byte_offset()?).ok()?;
        let end = start + usize::try_from(span.byte_len()?).ok()?;
        // A text of several lines is marked with the indentation of what comes after it.
        if text.get(start..end)?.contains('\n') {
            return None;
        }
        found.insert(start, (end, whole(directory, &path.value)));
    }
    let mut located = text.to_owned();
    for (start, (end, path)) in found.iter().rev() {
        // A text of JSON is one of YAML.
        located.replace_range(*start..*end, &Value::from(path.as_str()).to_string());
    }
    (!found.is_empty()).then_some(located)
}

/// A relative path made absolute, as it is written: what a link leads to is for the host to say.
fn whole(directory: &Path, relative: &str) -> String {
    let mut path = directory.to_owned();
    for component in Path::new(relative).components() {
        match component {
            Component::ParentDir => {
                path.pop();
            }
            Component::Normal(name) => path.push(name),
            Component::CurDir | Component::RootDir | Component::Prefix(_) => {}
        }
    }
    path.to_string_lossy().into_owned()
}

fn is_control_plane(node: &Node) -> bool {
    node.role != Some(Role::Worker)
}

fn member(path: &str, node: &Node, more: &NodeSettings) -> Result<Member, FileError> {
    let mounts = node.extra_mounts.iter().enumerate();
    let mounts = mounts.map(|(index, mount)| host_mount(&format!("{path}.extraMounts[{index}]"), mount));
    let ports = node.extra_port_mappings.iter().enumerate();
    let ports = ports.map(|(index, port)| mapping(&format!("{path}.extraPortMappings[{index}]"), port));
    let mounts = mounts.collect::<Result<_, _>>()?;
    let labels = labels(&format!("{path}.labels"), &node.labels)?;
    let settings = NodeSettings { mounts, labels, ..NodeSettings::default() }.over(more);
    Ok(Member { control_plane: is_control_plane(node), ports: ports.collect::<Result<_, _>>()?, settings })
}

fn host_mount(path: &str, mount: &Mount) -> Result<HostMount, FileError> {
    let propagation = match mount.propagation.as_deref() {
        None | Some("" | "None") => Propagation::Private,
        Some("HostToContainer") => Propagation::HostToNode,
        Some("Bidirectional") => Propagation::Bidirectional,
        Some(other) => {
            let cure = "None, HostToContainer or Bidirectional";
            return Err(FileError::at(&format!("{path}.propagation"), format!("'{other}' is none"), cure));
        }
    };
    let bare = |path: &str| if path.len() > 1 { path.trim_end_matches('/').to_owned() } else { path.to_owned() };
    let read = HostMount::new(&bare(&mount.host_path), &bare(&mount.container_path));
    let cure = "write both paths whole, as /srv/data; the qbo command does this of a path of the host";
    let read = read.map_err(|error| FileError::at(path, error, cure))?;
    Ok(HostMount { read_only: mount.read_only, propagation, ..read })
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
