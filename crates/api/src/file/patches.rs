//! Patches of the files that kubeadm and containerd read, as `kind` has them: merge patches, each with the kind of what it changes
//! (<https://kind.sigs.k8s.io/docs/user/configuration/#kubeadm-config-patches>).
//!
//! Of kubeadm's own kinds what qbo decides itself is refused: names, addresses, certificates and versions. Both forms of `extraArgs`
//! are read, so the version of a patch does not matter.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::FileError;
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

const KINDS: &str = "its kind is one of ClusterConfiguration, InitConfiguration, JoinConfiguration, KubeletConfiguration and \
                     KubeProxyConfiguration";

/// What the patches of a file say, by whom they concern.
#[derive(Debug, Default)]
pub(super) struct Patched {
    /// All nodes.
    pub(super) patches: Patches,
    /// Further names in the API server's certificate.
    pub(super) api_server_names: Vec<String>,
    /// How Services are reached, where that is said.
    pub(super) proxy_mode: Option<ProxyMode>,
    /// The first control plane.
    pub(super) first: NodeSettings,
    /// All others.
    pub(super) rest: NodeSettings,
}

/// `InitConfiguration` and `JoinConfiguration`, of which kubeadm reads one per node.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Registering {
    #[serde(default)]
    node_registration: Registration,
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
    /// Reads the patches of a whole file.
    pub(super) fn of_all(of_kubeadm: &[String], of_containerd: &[String]) -> Result<Self, FileError> {
        let mut patched = Self::default();
        for (index, text) in of_kubeadm.iter().enumerate() {
            patched.add(&format!("kubeadmConfigPatches[{index}]"), text)?;
        }
        for (index, text) in of_containerd.iter().enumerate() {
            patched.add_containerd(&format!("containerdConfigPatches[{index}]"), text)?;
        }
        Ok(patched)
    }

    /// Reads the patches of a single node, and returns what is asked of that one alone.
    pub(super) fn add_to_node(
        &mut self,
        node: &str,
        texts: &[String],
        is_first: bool,
    ) -> Result<NodeSettings, FileError> {
        let mut settings = NodeSettings::default();
        for (index, text) in texts.iter().enumerate() {
            let place = format!("{node}.kubeadmConfigPatches[{index}]");
            settings = self.add_one_to_node(&place, text, is_first)?.over(&settings);
        }
        Ok(settings)
    }

    fn add(&mut self, place: &str, text: &str) -> Result<(), FileError> {
        let (kind, patch) = read(place, text)?;
        match kind.as_str() {
            "InitConfiguration" => {
                let more = self.registered(place, patch)?;
                self.first = more.over(&self.first);
            }
            "JoinConfiguration" => {
                let more = self.registered(place, patch)?;
                self.rest = more.over(&self.rest);
            }
            "ClusterConfiguration" => self.add_to_cluster(place, patch)?,
            "KubeletConfiguration" => self.patches.kubelet.push(patch),
            "KubeProxyConfiguration" => self.add_to_proxy(place, patch)?,
            _ => return Err(FileError::at(place, format!("'{kind}' is nothing that kubeadm reads"), KINDS)),
        }
        Ok(())
    }

    /// A registration of either kind is for the node it stands at. What is the same for all nodes kubeadm reads at the first control plane,
    /// of which the others have it; there it may only be said again.
    fn add_one_to_node(&mut self, place: &str, text: &str, is_first: bool) -> Result<NodeSettings, FileError> {
        let (kind, patch) = read(place, text)?;
        if matches!(kind.as_str(), "InitConfiguration" | "JoinConfiguration") {
            return self.registered(place, patch);
        }
        if is_first {
            self.add(place, text)?;
        } else {
            let mut alone = Self::default();
            alone.add(place, text)?;
            if !self.says(&alone) {
                let problem = format!("{kind} is the same for all nodes");
                return Err(FileError::at(place, problem, "write it to kubeadmConfigPatches of the whole file"));
            }
        }
        Ok(NodeSettings::default())
    }

    fn add_containerd(&mut self, place: &str, text: &str) -> Result<(), FileError> {
        let patch: Value = toml::from_str(text).map_err(|error| {
            FileError::at(place, error.message(), "write a part of containerd's configuration, in TOML")
        })?;
        self.patches.containerd.push(patch);
        Ok(())
    }

    /// Whether all that others say of all nodes is said here.
    fn says(&self, others: &Self) -> bool {
        let lists = |of: &Self| [of.patches.cluster.clone(), of.patches.kubelet.clone(), of.patches.proxy.clone()];
        lists(others).iter().zip(lists(self)).all(|(others, own)| others.iter().all(|patch| own.contains(patch)))
            && others.api_server_names.iter().all(|name| self.api_server_names.contains(name))
            && others.proxy_mode.is_none_or(|mode| self.proxy_mode == Some(mode))
    }

    fn registered(&mut self, place: &str, patch: Value) -> Result<NodeSettings, FileError> {
        let cure = "nodeRegistration.kubeletExtraArgs, nodeRegistration.taints and skipPhases: [addon/kube-proxy] are possible";
        let refused = |problem: String| FileError::at(place, problem, cure);
        let Registering { node_registration, skip_phases, .. } =
            serde_json::from_value(patch).map_err(|error| refused(error.to_string()))?;
        for phase in skip_phases {
            if phase != "addon/kube-proxy" {
                return Err(refused(format!("phase '{phase}' cannot be skipped")));
            }
            self.proxy_mode = Some(ProxyMode::None);
        }
        let mut settings = NodeSettings::default();
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
        Ok(settings)
    }

    fn add_to_cluster(&mut self, place: &str, mut patch: Value) -> Result<(), FileError> {
        let cure = format!("possible are {}", POSSIBLE.join(", "));
        if let Some(field) = impossible(&patch, "") {
            return Err(FileError::at(place, format!("{field} cannot be changed"), cure));
        }
        for component in ["/apiServer", "/controllerManager", "/scheduler", "/etcd/local"] {
            let Some(given) = patch.pointer_mut(component).and_then(|fields| fields.get_mut("extraArgs")) else {
                continue;
            };
            let named = arguments(given.take()).map_err(|problem| FileError::at(place, problem, cure.clone()))?;
            *given = named.into_iter().map(|(name, value)| json!({"name": name, "value": value})).collect();
        }
        // The certificate is made before kubeadm reads anything.
        let names =
            patch.get_mut("apiServer").and_then(Value::as_object_mut).and_then(|fields| fields.remove("certSANs"));
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

/// The kind of what a patch changes, and what it says of that.
fn read(place: &str, text: &str) -> Result<(String, Value), FileError> {
    let read: Result<Map<String, Value>, _> = serde_saphyr::from_str(text);
    let mut fields = read.map_err(|error| {
        let message = error.without_snippet().to_string();
        FileError::at(
            place,
            message.lines().next().unwrap_or_default(),
            "write a part of a configuration of kubeadm, in YAML",
        )
    })?;
    let Some(Value::String(kind)) = fields.remove("kind") else {
        return Err(FileError::at(place, "it does not tell the kind of what it changes", KINDS));
    };
    fields.retain(|name, _| !matches!(name.as_str(), "apiVersion" | "metadata"));
    Ok((kind, Value::Object(fields)))
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
