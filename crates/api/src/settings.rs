//! What may be asked of a cluster and of its nodes, as options and in files: each a type whose text form is the same everywhere.

mod mount;
mod network;
mod port;
mod quantity;
mod wait;

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

pub use mount::{HostMount, Propagation};
pub use network::{Cni, IpFamily, Subnets};
pub use port::{PortMapping, PortReference, Protocol};
pub use quantity::{Cpus, Memory, Timeout};
pub use wait::Wait;

use crate::label::{Label, Taint};
use crate::name::NameError;

/// What may be asked of a cluster; nothing of it by default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings {
    /// Ports of the host that lead into the cluster.
    pub ports: Vec<PortMapping>,
    /// What is asked of its nodes.
    pub node: NodeSettings,
    /// Feature gates of all components.
    pub feature_gates: Vec<FeatureGate>,
    /// What gives pods their network.
    pub cni: Option<Cni>,
    /// Where pods get their addresses from.
    pub pod_subnets: Option<Subnets>,
    /// Where Services get their addresses from.
    pub service_subnets: Option<Subnets>,
    /// Which addresses pods and Services have.
    pub ip_family: Option<IpFamily>,
    /// What the command waits for.
    pub wait: Option<Wait>,
    /// How long it may take in all.
    pub timeout: Option<Timeout>,
}

/// What may be asked of a node; nothing of it by default.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NodeSettings {
    /// Files and directories of the host that it sees.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub mounts: Vec<HostMount>,
    /// Processors that it may use.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpus: Option<Cpus>,
    /// Memory that it may use.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<Memory>,
    /// Its taints.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub taints: Vec<Taint>,
    /// Its labels.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<Label>,
    /// Whether it goes without the taints of its role.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub untainted: bool,
    /// Flags of its kubelet, by name without dashes.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub kubelet_flags: BTreeMap<String, String>,
}

/// Whether a feature of Kubernetes is on: `NAME=true`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeatureGate {
    /// Its name, as Kubernetes knows it.
    pub name: String,
    /// Whether it is on.
    pub enabled: bool,
}

impl FromStr for FeatureGate {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let parse = || {
            let (name, enabled) = text.split_once('=')?;
            let first = name.bytes().next()?;
            let is_name = first.is_ascii_uppercase() && name.bytes().all(|byte| byte.is_ascii_alphanumeric());
            let enabled = enabled.parse().ok()?;
            (is_name && name.len() <= 100).then(|| Self { name: name.into(), enabled })
        };
        parse().ok_or_else(|| NameError::new("feature gate", text, "is none such as ImageVolume=true"))
    }
}

impl fmt::Display for FeatureGate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}={}", self.name, self.enabled)
    }
}

impl Settings {
    /// These, and of `others` what these do not say.
    #[must_use]
    pub fn over(&self, others: &Self) -> Self {
        Self {
            ports: join(&self.ports, &others.ports, |port| (port.listen, port.host, port.protocol)),
            node: self.node.over(&others.node),
            feature_gates: join(&self.feature_gates, &others.feature_gates, |gate| gate.name.clone()),
            cni: self.cni.or(others.cni),
            pod_subnets: self.pod_subnets.clone().or_else(|| others.pod_subnets.clone()),
            service_subnets: self.service_subnets.clone().or_else(|| others.service_subnets.clone()),
            ip_family: self.ip_family.or(others.ip_family),
            wait: self.wait.or(others.wait),
            timeout: self.timeout.or(others.timeout),
        }
    }

    /// Which addresses pods and Services have: as is said, or else as the subnets are.
    pub fn family(&self) -> IpFamily {
        let subnets = self.pod_subnets.as_ref().or(self.service_subnets.as_ref());
        self.ip_family.or_else(|| subnets.map(Subnets::family)).unwrap_or_default()
    }

    /// What the command waits for: as is said, or else for cluster DNS, which without a CNI never comes.
    pub fn awaited(&self) -> Wait {
        let usual = if self.cni == Some(Cni::None) { Wait::None } else { Wait::default() };
        self.wait.unwrap_or(usual)
    }

    /// Feature gates by name.
    pub fn gates(&self) -> BTreeMap<String, bool> {
        self.feature_gates.iter().map(|gate| (gate.name.clone(), gate.enabled)).collect()
    }
}

impl NodeSettings {
    /// These, and of `others` what these do not say.
    #[must_use]
    pub fn over(&self, others: &Self) -> Self {
        // One that goes without the taints of its role has its own alone.
        let other_taints = if self.untainted { &[] } else { others.taints.as_slice() };
        Self {
            mounts: join(&self.mounts, &others.mounts, |mount| mount.node.clone()),
            cpus: self.cpus.or(others.cpus),
            memory: self.memory.or(others.memory),
            taints: join(&self.taints, other_taints, |taint| {
                let (key, effect) = taint.identity();
                (key.to_owned(), effect)
            }),
            labels: join(&self.labels, &others.labels, |label| label.pair().0.to_owned()),
            untainted: self.untainted || others.untainted,
            kubelet_flags: others.kubelet_flags.clone().into_iter().chain(self.kubelet_flags.clone()).collect(),
        }
    }

    /// The same without what is for nodes that take any pods.
    #[must_use]
    pub fn without_scheduling(&self) -> Self {
        Self { taints: Vec::new(), labels: Vec::new(), ..self.clone() }
    }
}

/// All of `first`, and those of `others` that no key of it has.
fn join<T: Clone, K: PartialEq>(first: &[T], others: &[T], key: impl Fn(&T) -> K) -> Vec<T> {
    let is_new = |other: &&T| !first.iter().any(|known| key(known) == key(other));
    first.iter().chain(others.iter().filter(is_new)).cloned().collect()
}

/// As options of a command line, which do not say all that files can.
impl fmt::Display for Settings {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let NodeSettings { mounts, cpus, memory, taints, labels, .. } = &self.node;
        options(formatter, "-p", &self.ports)?;
        options(formatter, "--mount", mounts)?;
        options(formatter, "--cpus", cpus)?;
        options(formatter, "--memory", memory)?;
        options(formatter, "--taint", taints)?;
        options(formatter, "--label", labels)?;
        options(formatter, "--feature-gate", &self.feature_gates)?;
        options(formatter, "--cni", &self.cni)?;
        options(formatter, "--pod-subnet", &self.pod_subnets)?;
        options(formatter, "--service-subnet", &self.service_subnets)?;
        options(formatter, "--ip-family", &self.ip_family)?;
        options(formatter, "--wait", &self.wait)?;
        options(formatter, "--timeout", &self.timeout)
    }
}

fn options<'a, T: fmt::Display + 'a>(
    formatter: &mut fmt::Formatter<'_>,
    name: &str,
    values: impl IntoIterator<Item = &'a T>,
) -> fmt::Result {
    values.into_iter().try_for_each(|value| write!(formatter, " {name} {value}"))
}

/// A text form that JSON and YAML have too.
macro_rules! text_in_files {
    ($($name:ident),*) => {$(
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    )*};
}
pub(crate) use text_in_files;
text_in_files!(FeatureGate);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_here_wins_and_the_rest_is_kept() {
        let settings = |ports: &[&str], labels: &[&str], gates: &[&str], cpus: Option<&str>| Settings {
            ports: ports.iter().map(|text| text.parse().unwrap()).collect(),
            node: NodeSettings {
                labels: labels.iter().map(|text| text.parse().unwrap()).collect(),
                cpus: cpus.map(|text| text.parse().unwrap()),
                ..NodeSettings::default()
            },
            feature_gates: gates.iter().map(|text| text.parse().unwrap()).collect(),
            ..Settings::default()
        };
        let line = settings(&["8080:80"], &["disk=fast"], &["A=true"], None);
        let file = settings(&["8080:81", "8080:81/udp"], &["disk=slow", "zone=a"], &["A=false", "B=true"], Some("2"));
        let both = settings(&["8080:80", "8080:81/udp"], &["disk=fast", "zone=a"], &["A=true", "B=true"], Some("2"));
        assert_eq!(line.over(&file), both);
        assert_eq!(Settings::default().over(&file), file);
    }

    #[test]
    fn without_a_cni_nothing_is_waited_for_unless_it_is_said() {
        let none = Settings { cni: Some(Cni::None), ..Settings::default() };
        assert_eq!((Settings::default().awaited(), none.awaited()), (Wait::Dns, Wait::None));
    }

    #[test]
    fn what_is_no_feature_gate_is_refused() {
        assert_eq!("ImageVolume=false".parse(), Ok(FeatureGate { name: "ImageVolume".into(), enabled: false }));
        for text in ["", "ImageVolume", "ImageVolume=yes", "imageVolume=true", "Image,Volume=true", "=true"] {
            assert!(text.parse::<FeatureGate>().is_err(), "{text}");
        }
    }
}
