//! Labels and taints of nodes, in the form and within the limits of Kubernetes.
//!
//! Source: `k8s.io/apimachinery/pkg/util/validation` and, for what a kubelet may say of itself, `k8s.io/kubernetes/pkg/kubelet/apis`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

const NAME_LIMIT: usize = 63;
const PREFIX_LIMIT: usize = 253;

/// A label of a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Label {
    key: String,
    value: String,
}

/// A taint of a node: it keeps pods off that do not tolerate it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Taint {
    key: String,
    value: String,
    effect: Effect,
}

/// What a taint does to pods that do not tolerate it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Effect {
    NoSchedule,
    PreferNoSchedule,
    NoExecute,
}

/// A text that is no label or no taint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LabelError {
    /// It has another form.
    #[error("'{text}' is no label such as disk=fast")]
    Label {
        /// The text as it was given.
        text: String,
    },
    /// It has another form.
    #[error(
        "'{text}' is no taint such as disk=slow:NoSchedule; the effect is NoSchedule, PreferNoSchedule or NoExecute"
    )]
    Taint {
        /// The text as it was given.
        text: String,
    },
    /// A key that Kubernetes refuses.
    #[error(
        "'{key}' is no key of a label: up to {NAME_LIMIT} letters, digits, '-', '_' and '.', between letters or digits, \
         may follow a domain and '/'"
    )]
    Key {
        /// The key.
        key: String,
    },
    /// A value that Kubernetes refuses.
    #[error(
        "'{value}' is no value of a label: nothing, or up to {NAME_LIMIT} letters, digits, '-', '_' and '.', between \
         letters or digits"
    )]
    Value {
        /// The value.
        value: String,
    },
}

impl Label {
    /// The label of this key and value.
    pub fn new(key: &str, value: &str) -> Result<Self, LabelError> {
        check(key, value)?;
        Ok(Self { key: key.to_owned(), value: value.to_owned() })
    }

    /// Key and value.
    pub fn pair(&self) -> (&str, &str) {
        (&self.key, &self.value)
    }

    /// Whether a kubelet may say it of its own node; it does not start with others, which are for administrators to set.
    pub fn is_for_kubelet(&self) -> bool {
        let Some((domain, _)) = self.key.split_once('/') else { return true };
        let is_in = |parent: &str| domain == parent || domain.ends_with(&format!(".{parent}"));
        let is_kubernetes = is_in("kubernetes.io") || is_in("k8s.io");
        !is_kubernetes || is_in("kubelet.kubernetes.io") || is_in("node.kubernetes.io")
    }
}

impl Taint {
    /// One that only keeps pods from being scheduled, without a value.
    pub fn no_schedule(key: &str) -> Self {
        Self { key: key.to_owned(), value: String::new(), effect: Effect::NoSchedule }
    }

    /// What tells it from others of a node, which has one of each.
    pub fn identity(&self) -> (&str, &'static str) {
        (&self.key, self.effect.as_str())
    }

    /// As a field of Nodes and configurations.
    pub fn to_json(&self) -> Value {
        let mut taint = json!({"key": self.key, "effect": self.effect.as_str()});
        if !self.value.is_empty() {
            taint["value"] = json!(self.value);
        }
        taint
    }
}

impl Effect {
    const ALL: [Self; 3] = [Self::NoSchedule, Self::PreferNoSchedule, Self::NoExecute];

    fn as_str(self) -> &'static str {
        match self {
            Self::NoSchedule => "NoSchedule",
            Self::PreferNoSchedule => "PreferNoSchedule",
            Self::NoExecute => "NoExecute",
        }
    }
}

impl FromStr for Label {
    type Err = LabelError;

    /// `key=value`, where the value may be empty.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (key, value) = text.split_once('=').ok_or_else(|| LabelError::Label { text: text.to_owned() })?;
        Self::new(key, value)
    }
}

impl FromStr for Taint {
    type Err = LabelError;

    /// `key=value:Effect` or `key:Effect`, as `kubectl taint` takes them.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parse = || {
            let (taint, effect) = text.rsplit_once(':')?;
            let effect = Effect::ALL.into_iter().find(|known| known.as_str() == effect)?;
            Some((taint.split_once('=').unwrap_or((taint, "")), effect))
        };
        let ((key, value), effect) = parse().ok_or_else(|| LabelError::Taint { text: text.to_owned() })?;
        check(key, value)?;
        Ok(Self { key: key.to_owned(), value: value.to_owned(), effect })
    }
}

/// As `kubectl label` takes it.
impl fmt::Display for Label {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}={}", self.key, self.value)
    }
}

impl TryFrom<String> for Label {
    type Error = LabelError;

    fn try_from(text: String) -> Result<Self, LabelError> {
        text.parse()
    }
}

impl From<Label> for String {
    fn from(label: Label) -> Self {
        label.to_string()
    }
}

impl TryFrom<String> for Taint {
    type Error = LabelError;

    fn try_from(text: String) -> Result<Self, LabelError> {
        text.parse()
    }
}

impl From<Taint> for String {
    fn from(taint: Taint) -> Self {
        taint.to_string()
    }
}

/// As `kubectl taint` and the kubelet's flags take it.
impl fmt::Display for Taint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}={}:{}", self.key, self.value, self.effect.as_str())
    }
}

fn check(key: &str, value: &str) -> Result<(), LabelError> {
    let (prefix, name) = key.split_once('/').map_or((None, key), |(prefix, name)| (Some(prefix), name));
    if !is_name(name) || prefix.is_some_and(|prefix| !is_domain(prefix)) {
        return Err(LabelError::Key { key: key.to_owned() });
    }
    if !value.is_empty() && !is_name(value) {
        return Err(LabelError::Value { value: value.to_owned() });
    }
    Ok(())
}

fn is_name(text: &str) -> bool {
    let is_edge = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric());
    text.len() <= NAME_LIMIT
        && is_edge(text.bytes().next())
        && is_edge(text.bytes().last())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
}

fn is_domain(text: &str) -> bool {
    let is_part = |part: &str| {
        !part.is_empty()
            && !part.starts_with('-')
            && !part.ends_with('-')
            && part.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
    };
    text.len() <= PREFIX_LIMIT && text.split('.').all(is_part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_read() {
        for (text, pair) in [
            ("disk=fast", ("disk", "fast")),
            ("example.com/Disk_1.x=", ("example.com/Disk_1.x", "")),
            ("node-role.kubernetes.io/gpu=", ("node-role.kubernetes.io/gpu", "")),
        ] {
            assert_eq!(text.parse::<Label>().unwrap().pair(), pair);
        }
    }

    #[test]
    fn taints_are_read_and_printed() {
        for (text, printed, json) in [
            (
                "disk=slow:NoSchedule",
                "disk=slow:NoSchedule",
                json!({"key": "disk", "value": "slow", "effect": "NoSchedule"}),
            ),
            (
                "a.example/gpu:NoExecute",
                "a.example/gpu=:NoExecute",
                json!({"key": "a.example/gpu", "effect": "NoExecute"}),
            ),
            ("old:PreferNoSchedule", "old=:PreferNoSchedule", json!({"key": "old", "effect": "PreferNoSchedule"})),
        ] {
            let taint: Taint = text.parse().unwrap();
            assert_eq!((taint.to_string().as_str(), taint.to_json()), (printed, json));
        }
    }

    #[test]
    fn what_kubernetes_refuses_is_refused() {
        let long = "a".repeat(64);
        for (text, problem) in [
            ("disk", "'disk' is no label"),
            ("=fast", "'' is no key"),
            ("-disk=fast", "'-disk' is no key"),
            ("disk.=fast", "'disk.' is no key"),
            ("a/b/c=fast", "'a/b/c' is no key"),
            ("Example.com/disk=fast", "'Example.com/disk' is no key"),
            ("example..com/disk=fast", "'example..com/disk' is no key"),
            ("/disk=fast", "'/disk' is no key"),
            ("disk=very fast", "'very fast' is no value"),
            ("disk=\"", "'\"' is no value"),
            (&format!("{long}=a"), "' is no key"),
            (&format!("a={long}"), "' is no value"),
        ] {
            let error = text.parse::<Label>().unwrap_err().to_string();
            assert!(error.contains(problem), "{text}: {error}");
        }
        for (text, problem) in [
            ("disk=slow", "'disk=slow' is no taint"),
            ("disk:Never", "'disk:Never' is no taint"),
            ("di sk:NoSchedule", "'di sk' is no key"),
        ] {
            let error = text.parse::<Taint>().unwrap_err().to_string();
            assert!(error.contains(problem), "{text}: {error}");
        }
    }

    #[test]
    fn kubelets_do_not_say_what_is_for_administrators() {
        for (key, own) in [
            ("disk", true),
            ("example.com/disk", true),
            ("notkubernetes.io/disk", true),
            ("node.kubernetes.io/disk", true),
            ("sub.kubelet.kubernetes.io/disk", true),
            ("node-role.kubernetes.io/gpu", false),
            ("kubernetes.io/disk", false),
            ("k8s.io/disk", false),
            ("node-restriction.kubernetes.io/disk", false),
        ] {
            assert_eq!(Label::new(key, "").unwrap().is_for_kubelet(), own, "{key}");
        }
    }
}
