//! Patches of the files that kubeadm and containerd read, as `kind` has them: merge patches and JSON patches, each with the kind of what
//! it changes (<https://kind.sigs.k8s.io/docs/user/configuration/#kubeadm-config-patches>).
//!
//! Of kubeadm's own kinds what qbo decides itself is refused: names, addresses, certificates and versions. Both forms of `extraArgs`
//! are read, so the version of a patch does not matter.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::FileError;
use super::operations::merge_patches;
use crate::components::{Patches, ProxyMode};
use crate::label::{Label, Taint};
use crate::settings::NodeSettings;

/// What of `ClusterConfiguration` can be changed.
const POSSIBLE: [&str; 18] = [
    "apiServer.certSANs",
    "apiServer.extraArgs",
    "apiServer.extraEnvs",
    "apiServer.extraVolumes",
    "apiServer.timeoutForControlPlane",
    "controllerManager.extraArgs",
    "controllerManager.extraEnvs",
    "controllerManager.extraVolumes",
    "dns",
    "etcd.local.extraArgs",
    "etcd.local.extraEnvs",
    "etcd.local.imageRepository",
    "etcd.local.imageTag",
    "featureGates",
    "imageRepository",
    "scheduler.extraArgs",
    "scheduler.extraEnvs",
    "scheduler.extraVolumes",
];

/// Flags by which qbo tells a kubelet who it is.
const OWN_FLAGS: [&str; 7] =
    ["bootstrap-kubeconfig", "cluster-dns", "config", "hostname-override", "kubeconfig", "node-ip", "provider-id"];

const INIT: &str = "InitConfiguration";
const JOIN: &str = "JoinConfiguration";
const KINDS: &str = "its kind is one of ClusterConfiguration, InitConfiguration, JoinConfiguration, KubeletConfiguration and \
                     KubeProxyConfiguration";

/// Patches as they are written, of a whole file or of one of its nodes.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Written<'a> {
    /// Merge patches, each with its kind.
    pub(super) kubeadm: &'a [String],
    /// JSON patches, applied after those.
    pub(super) kubeadm_json: &'a [JsonPatch],
    /// Merge patches in TOML.
    pub(super) containerd: &'a [String],
    /// JSON patches, applied after those.
    pub(super) containerd_json: &'a [String],
}

/// A JSON patch with what it changes. Of that the kind alone matters.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "the other fields are here for their names")]
pub(super) struct JsonPatch {
    #[serde(default)]
    group: String,
    #[serde(default)]
    version: String,
    kind: String,
    patch: String,
}

/// A merge patch, where it stands, and the kind of what it changes.
struct Patch {
    place: String,
    kind: String,
    merge: Value,
}

/// What the patches of a file say, by whom they concern.
#[derive(Debug, Default)]
pub(super) struct Patched {
    /// All nodes.
    pub(super) patches: Patches,
    /// Further names in the API server's certificate.
    pub(super) api_server_names: Vec<String>,
    /// The first control plane.
    pub(super) first: NodeSettings,
    /// All others.
    pub(super) rest: NodeSettings,
    proxy_mode: Option<ProxyMode>,
    skips_proxy: bool,
}

/// `InitConfiguration` and `JoinConfiguration`, of which kubeadm reads one per node.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Registering {
    node_registration: Option<Registration>,
    #[serde(default)]
    skip_phases: Vec<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(dead_code, reason = "nothing is checked that could be ignored")]
struct Registration {
    #[serde(default)]
    kubelet_extra_args: Value,
    taints: Option<Vec<TaintFields>>,
    ignore_preflight_errors: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct TaintFields {
    key: String,
    #[serde(default)]
    value: String,
    effect: String,
}

impl Patched {
    /// Reads the patches of a whole file, and of each of its nodes, of which it is told whether it is a control plane; returns with
    /// them what is asked of each node alone.
    pub(super) fn read(
        of_file: Written<'_>,
        of_nodes: &[(bool, Written<'_>)],
    ) -> Result<(Self, Vec<NodeSettings>), FileError> {
        let mut patched = Self::default();
        for patch in of_file.kubeadm("")? {
            patched.add(patch)?;
        }
        patched.patches.containerd = of_file.containerd()?;
        let first = of_nodes.iter().position(|(is_control_plane, _)| *is_control_plane);
        let mut settings = vec![NodeSettings::default(); of_nodes.len()];
        // The others may say again what is said there.
        for index in first.into_iter().chain((0..of_nodes.len()).filter(|index| Some(*index) != first)) {
            let of_node = of_nodes[index].1.kubeadm(&format!("nodes[{index}]."))?;
            settings[index] = patched.add_node(of_node, Some(index) == first)?;
        }
        Ok((patched, settings))
    }

    /// How Services are reached, where the file itself says this.
    pub(super) fn proxy_mode(&self, given: Option<ProxyMode>) -> ProxyMode {
        if self.skips_proxy { ProxyMode::None } else { self.proxy_mode.or(given).unwrap_or_default() }
    }

    /// A patch of all nodes.
    fn add(&mut self, Patch { place, kind, merge }: Patch) -> Result<(), FileError> {
        let place = &place;
        match kind.as_str() {
            INIT => {
                let (more, skips_proxy) = registered(place, &kind, merge)?;
                self.first = more.over(&self.first);
                self.skips_proxy |= skips_proxy;
            }
            JOIN => self.rest = registered(place, &kind, merge)?.0.over(&self.rest),
            "ClusterConfiguration" => self.add_to_cluster(place, merge)?,
            "KubeletConfiguration" => self.patches.kubelet.push(merge),
            "KubeProxyConfiguration" => self.add_to_proxy(place, merge)?,
            _ => return Err(FileError::at(place, format!("'{kind}' is nothing that kubeadm reads"), KINDS)),
        }
        Ok(())
    }

    /// Patches of a single node. kubeadm reads one of the two kinds of registration, and what is the same for all nodes at the first
    /// control plane, of which the others have it; there it may only be said again.
    fn add_node(&mut self, patches: Vec<Patch>, is_first: bool) -> Result<NodeSettings, FileError> {
        let mut settings = NodeSettings::default();
        for patch in patches {
            if matches!(patch.kind.as_str(), INIT | JOIN) {
                let (more, skips_proxy) = registered(&patch.place, &patch.kind, patch.merge)?;
                if (patch.kind == INIT) == is_first {
                    settings = more.over(&settings);
                    self.skips_proxy |= skips_proxy;
                }
            } else if is_first {
                self.add(patch)?;
            } else {
                let problem = format!("{} is the same for all nodes", patch.kind);
                let (place, mut alone) = (patch.place.clone(), Self::default());
                alone.add(patch)?;
                if !self.says(&alone) {
                    let field = place.rsplit('.').next().unwrap_or_default();
                    let field = field.split('[').next().unwrap_or_default();
                    return Err(FileError::at(&place, problem, format!("write it to {field} of the whole file")));
                }
            }
        }
        Ok(settings)
    }

    /// Whether all that others say of all nodes is said here.
    fn says(&self, others: &Self) -> bool {
        let (own, other) = (&self.patches, &others.patches);
        let lists = [(&own.cluster, &other.cluster), (&own.kubelet, &other.kubelet), (&own.proxy, &other.proxy)];
        lists.iter().all(|(own, others)| others.iter().all(|patch| own.contains(patch)))
            && others.api_server_names.iter().all(|name| self.api_server_names.contains(name))
            && others.proxy_mode.is_none_or(|mode| self.proxy_mode == Some(mode))
    }

    fn add_to_cluster(&mut self, place: &str, mut patch: Value) -> Result<(), FileError> {
        let cure = format!("possible are {}", POSSIBLE.join(", "));
        if let Some(field) = impossible(&patch, "") {
            return Err(FileError::at(place, format!("{field} cannot be changed"), cure));
        }
        for component in Patches::COMPONENTS {
            let Some(given) = patch.pointer_mut(component).and_then(|fields| fields.get_mut("extraArgs")) else {
                continue;
            };
            let named = arguments(given.take()).map_err(|problem| FileError::at(place, problem, cure.clone()))?;
            *given = named.into_iter().map(|(name, value)| json!({"name": name, "value": value})).collect();
        }
        // The certificate is made before kubeadm reads anything, and kubeadm itself waits for nothing here.
        let mut api_server = patch.get_mut("apiServer").and_then(Value::as_object_mut);
        api_server.as_mut().and_then(|fields| fields.remove("timeoutForControlPlane"));
        let names = api_server.and_then(|fields| fields.remove("certSANs"));
        let names: Vec<String> = serde_json::from_value(names.unwrap_or_else(|| json!([]))).map_err(|error| {
            FileError::at(place, format!("apiServer.certSANs: {error}"), "a list of names and addresses")
        })?;
        self.api_server_names.extend(names);
        self.patches.cluster.push(patch);
        Ok(())
    }

    fn add_to_proxy(&mut self, place: &str, mut patch: Value) -> Result<(), FileError> {
        if let Some(mode) = patch.as_object_mut().and_then(|fields| fields.remove("mode")) {
            let mode = mode.as_str().unwrap_or_default().parse();
            self.proxy_mode = Some(mode.map_err(|error| FileError::at(place, error, "as mode: nftables"))?);
        }
        self.patches.proxy.push(patch);
        Ok(())
    }
}

/// What `InitConfiguration` or `JoinConfiguration` ask of a node, and whether the cluster goes without kube-proxy.
fn registered(place: &str, kind: &str, patch: Value) -> Result<(NodeSettings, bool), FileError> {
    let cure = "nodeRegistration.kubeletExtraArgs, nodeRegistration.taints and, of InitConfiguration, skipPhases: [addon/kube-proxy] \
                are possible";
    let refused = |problem: String| FileError::at(place, problem, cure);
    let Registering { node_registration, skip_phases, .. } =
        serde_json::from_value(patch).map_err(|error| refused(error.to_string()))?;
    if let Some(phase) = skip_phases.iter().find(|phase| kind != INIT || *phase != "addon/kube-proxy") {
        return Err(refused(format!("phase '{phase}' cannot be skipped")));
    }
    let mut settings = NodeSettings::default();
    let node_registration = node_registration.unwrap_or_default();
    for (name, value) in arguments(node_registration.kubelet_extra_args).map_err(refused)? {
        if name == "node-labels" {
            let labels = value.split(',').map(str::parse).collect::<Result<Vec<Label>, _>>();
            settings.labels = labels.map_err(|error| refused(error.to_string()))?;
            continue;
        }
        if OWN_FLAGS.contains(&name.as_str()) {
            return Err(refused(format!("the kubelet's '{name}' is set already")));
        }
        check_flag(&name, &value).map_err(refused)?;
        settings.kubelet_flags.insert(name, value);
    }
    if let Some(taints) = node_registration.taints {
        // These take the place of those of its role.
        settings.untainted = true;
        let taint = |taint: &TaintFields| format!("{}={}:{}", taint.key, taint.value, taint.effect).parse();
        let taints: Result<Vec<Taint>, _> = taints.iter().map(taint).collect();
        settings.taints = taints.map_err(|error| refused(error.to_string()))?;
    }
    Ok((settings, !skip_phases.is_empty()))
}

/// A patch of containerd's configuration, where it leaves registries alone.
fn check_registries(place: &str, patch: Value) -> Result<Value, FileError> {
    // With these containerd refuses /etc/containerd/certs.d, where nodes have their registries.
    let registries = || patch.get("plugins").and_then(Value::as_object).into_iter().flatten();
    for registry in registries().filter_map(|(_, plugin)| plugin.get("registry")) {
        let has_tls =
            |configs: &Value| configs.as_object().is_some_and(|all| all.values().any(|of| of.get("tls").is_some()));
        if registry.get("mirrors").is_some() || registry.get("configs").is_some_and(has_tls) {
            let problem = "mirrors and TLS of registries are files of /etc/containerd/certs.d";
            return Err(FileError::at(place, problem, "leave them out, and write: qbo add registry"));
        }
    }
    Ok(patch)
}

impl Written<'_> {
    /// Those of kubeadm's configurations, in the order in which they are applied; their places begin like this.
    fn kubeadm(self, at: &str) -> Result<Vec<Patch>, FileError> {
        let mut patches = Vec::new();
        for (index, text) in self.kubeadm.iter().enumerate() {
            patches.extend(read(&format!("{at}kubeadmConfigPatches[{index}]"), text)?);
        }
        for (index, JsonPatch { kind, patch, .. }) in self.kubeadm_json.iter().enumerate() {
            let place = format!("{at}kubeadmConfigPatchesJSON6902[{index}]");
            let merges = merge_patches(&place, patch)?.into_iter();
            patches.extend(merges.map(|merge| Patch { place: place.clone(), kind: kind.clone(), merge }));
        }
        Ok(patches)
    }

    /// Those of containerd's configuration, in the order in which they are applied.
    fn containerd(self) -> Result<Vec<Value>, FileError> {
        let mut patches = Vec::new();
        for (index, text) in self.containerd.iter().enumerate() {
            let place = format!("containerdConfigPatches[{index}]");
            let patch = toml::from_str(text).map_err(|error: toml::de::Error| {
                FileError::at(&place, error.message(), "write a part of containerd's configuration, in TOML")
            })?;
            patches.push(check_registries(&place, patch)?);
        }
        for (index, text) in self.containerd_json.iter().enumerate() {
            let place = format!("containerdConfigPatchesJSON6902[{index}]");
            for patch in merge_patches(&place, text)? {
                patches.push(check_registries(&place, patch)?);
            }
        }
        Ok(patches)
    }
}

/// The merge patches of a text, one per document.
fn read(place: &str, text: &str) -> Result<Vec<Patch>, FileError> {
    let documents: Result<Vec<Option<Map<String, Value>>>, _> = serde_saphyr::from_multiple(text);
    let documents = documents.map_err(|error| {
        let message = error.without_snippet().to_string();
        let first = message.lines().next().unwrap_or_default();
        FileError::at(place, first, "write a part of a configuration of kubeadm, in YAML")
    })?;
    let read = documents.into_iter().flatten().map(|mut fields| {
        let Some(Value::String(kind)) = fields.remove("kind") else {
            return Err(FileError::at(place, "it does not tell the kind of what it changes", KINDS));
        };
        fields.retain(|name, _| !matches!(name.as_str(), "apiVersion" | "metadata"));
        Ok(Patch { place: place.to_owned(), kind, merge: fields.into() })
    });
    read.collect()
}

/// The first field of a patch that cannot be changed.
fn impossible(patch: &Value, place: &str) -> Option<String> {
    let is_possible = POSSIBLE.contains(&place);
    let leads_on = place.is_empty() || POSSIBLE.iter().any(|known| known.starts_with(&format!("{place}.")));
    match patch.as_object() {
        _ if is_possible => None,
        Some(fields) if leads_on => fields.iter().find_map(|(name, value)| {
            let place = if place.is_empty() { name.clone() } else { format!("{place}.{name}") };
            impossible(value, &place)
        }),
        _ => Some(place.to_owned()),
    }
}

/// Flags of a component, in the form of either version: by name, or as a list in which one may come several times.
fn arguments(given: Value) -> Result<Vec<(String, String)>, String> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Arguments {
        None(()),
        Named(BTreeMap<String, Value>),
        Listed(Vec<Argument>),
    }
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Argument {
        name: String,
        value: Value,
    }
    let given =
        serde_json::from_value(given).map_err(|_| "extraArgs are neither names with values nor a list of both")?;
    let named: Vec<(String, Value)> = match given {
        Arguments::None(()) => Vec::new(),
        Arguments::Named(named) => named.into_iter().collect(),
        Arguments::Listed(listed) => listed.into_iter().map(|Argument { name, value }| (name, value)).collect(),
    };
    let text = |(name, value): (String, Value)| match value {
        Value::String(value) => Ok((name, value)),
        Value::Bool(_) | Value::Number(_) => Ok((name, value.to_string())),
        Value::Null | Value::Array(_) | Value::Object(_) => Err(format!("the value of '{name}' is no text")),
    };
    named.into_iter().map(text).collect()
}

/// A kubelet's flags are words in a line of a file that systemd reads.
fn check_flag(name: &str, value: &str) -> Result<(), String> {
    let is_name =
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    if !is_name {
        return Err(format!("'{name}' is no flag of a kubelet"));
    }
    let breaks = |character: char| character.is_whitespace() || character.is_control() || "\"'\\".contains(character);
    if value.contains(breaks) {
        return Err(format!("the value of the kubelet's '{name}' has spaces, quotation marks or backslashes"));
    }
    Ok(())
}
