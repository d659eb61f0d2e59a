//! Names that people give, checked once where they enter and trusted from then on.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::model::{Client, Image, Named};

/// A cluster's name: `[a-z0-9]([a-z0-9_-]*[a-z0-9])?`, at most 64 characters, unique per user.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ClusterName(String);

/// The domain of a cluster's nodes: one or more DNS labels (RFC 1123), at most 128 characters.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Domain(String);

/// How a command names an existing cluster: by its name or by a prefix of its id (at least 8 hex digits).
/// Both are of the same alphabet, so which of them it is shows only where it is looked up.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ClusterReference(String);

/// How a command names an object, or all of a cluster: by the name (a node's also without its domain) or a prefix of the
/// id (at least 8 hex digits), of either.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ObjectReference(String);

/// How a command names a node: by its name, with or without its domain, or by a prefix of its id (at least 8 hex digits).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct NodeReference(String);

/// How a command names somebody: by the e-mail address.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct UserReference(String);

/// How a command names node images: by name (with its registry or without), by repository (a name without its tag), by its last
/// part, or by tag.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ImageSelector(String);

/// How a command names connections: by the user's e-mail address, or by a prefix (at least 8 hex digits) of the id of the connection
/// or of its mirror.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ClientReference(String);

/// How a command names another command: by a prefix of its id (at least 8 hex digits).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CommandReference(String);

/// Where a client writes files: a path of the client's host, which the server never sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalPath(String);

/// What is wrong with a name, in words for its giver.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{subject} '{value}' {problem}")]
pub struct NameError {
    subject: &'static str,
    value: String,
    problem: &'static str,
}

/// A node's name is `control-<8 hex>.<domain>`, and its kubelet tells it as a label, of whose value Kubernetes takes 63 characters
/// (<https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/>); Linux would take 64 (hostname(7)).
const DOMAIN_LIMIT: usize = 63 - "control-01234567.".len();

impl ClusterName {
    /// The longest name, in characters.
    pub const LIMIT: usize = 64;

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl ClusterReference {
    /// The reference as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it names the cluster of this name and id.
    pub fn matches(&self, name: &str, id: &str) -> bool {
        self.0 == name || (is_id_prefix(&self.0) && id.starts_with(&self.0))
    }
}

impl ObjectReference {
    /// The longest one: a name of Kubernetes is a DNS subdomain (RFC 1123) at most.
    pub const LIMIT: usize = 253;

    /// The reference as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it names this object or its cluster.
    pub fn matches(&self, object: &impl Named) -> bool {
        let (cluster, cluster_id) = object.cluster();
        self.0 == cluster || names(&self.0, object.name(), object.id()) || names(&self.0, cluster, cluster_id)
    }
}

impl NodeReference {
    /// The reference as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it names the node of this name and id.
    pub fn matches(&self, name: &str, id: &str) -> bool {
        names(&self.0, name, id)
    }
}

impl UserReference {
    /// The e-mail address.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl ImageSelector {
    /// The selector as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it names this image, perhaps with others.
    pub fn matches(&self, image: &Image) -> bool {
        let repository = image.name.rsplit_once(':').map_or(image.name.as_str(), |(repository, _)| repository);
        let is_written = |name: &str| {
            let bare = name.strip_prefix(&image.registry).and_then(|path| path.strip_prefix('/'));
            self.0 == name || bare == Some(&self.0)
        };
        is_written(&image.name) || is_written(repository) || self.0 == image.image || self.0 == image.tag
    }
}

impl ClientReference {
    /// The reference as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it names this connection, perhaps with others.
    pub fn matches(&self, client: &Client) -> bool {
        let ids = [client.wsi.as_str(), &client.mirror];
        self.0 == client.user || (is_id_prefix(&self.0) && ids.iter().any(|id| id.starts_with(&self.0)))
    }
}

fn names(reference: &str, name: &str, id: &str) -> bool {
    let short = name.split_once('.').map_or(name, |(short, _)| short);
    reference == name || reference == short || (is_id_prefix(reference) && id.starts_with(reference))
}

impl LocalPath {
    /// The path as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl CommandReference {
    /// Whether it names the command of this id.
    pub fn matches(&self, id: &str) -> bool {
        id.starts_with(&self.0)
    }
}

impl Domain {
    /// The domain as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for Domain {
    fn default() -> Self {
        Self("localhost".into())
    }
}

impl FromStr for ClusterName {
    type Err = NameError;

    fn from_str(value: &str) -> Result<Self, NameError> {
        check_cluster_word("cluster name", value)?;
        Ok(Self(value.into()))
    }
}

impl FromStr for ClusterReference {
    type Err = NameError;

    fn from_str(value: &str) -> Result<Self, NameError> {
        check_cluster_word("cluster", value)?;
        Ok(Self(value.into()))
    }
}

impl FromStr for ObjectReference {
    type Err = NameError;

    fn from_str(value: &str) -> Result<Self, NameError> {
        check_object_word("object", value)?;
        Ok(Self(value.into()))
    }
}

impl FromStr for NodeReference {
    type Err = NameError;

    fn from_str(value: &str) -> Result<Self, NameError> {
        check_object_word("node", value)?;
        Ok(Self(value.into()))
    }
}

impl FromStr for UserReference {
    type Err = NameError;

    fn from_str(value: &str) -> Result<Self, NameError> {
        let parts = value.split_once('@').filter(|(local, host)| !local.is_empty() && !host.is_empty());
        let graphic = value.bytes().all(|byte| byte.is_ascii_graphic());
        if parts.is_some() && graphic && value.len() <= 254 {
            return Ok(Self(value.into()));
        }
        Err(NameError::new("user", value, "is no e-mail address, as alex@example.com"))
    }
}

impl FromStr for ImageSelector {
    type Err = NameError;

    fn from_str(value: &str) -> Result<Self, NameError> {
        if (1..=ObjectReference::LIMIT).contains(&value.len()) && value.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Ok(Self(value.into()));
        }
        Err(NameError::new("image", value, "is no image, repository or tag, as kindest/node or v1.37.2"))
    }
}

impl FromStr for ClientReference {
    type Err = NameError;

    fn from_str(value: &str) -> Result<Self, NameError> {
        if is_id_prefix(value) || value.parse::<UserReference>().is_ok() {
            return Ok(Self(value.into()));
        }
        let problem = "is neither an e-mail address nor the first 8 digits or more of a connection's or a mirror's id";
        Err(NameError::new("client", value, problem))
    }
}

impl FromStr for CommandReference {
    type Err = NameError;

    fn from_str(value: &str) -> Result<Self, NameError> {
        if is_id_prefix(value) {
            return Ok(Self(value.into()));
        }
        Err(NameError::new("command id", value, "is not an id: write its first 8 hexadecimal digits or more"))
    }
}

impl FromStr for LocalPath {
    type Err = NameError;

    fn from_str(value: &str) -> Result<Self, NameError> {
        match value {
            "" => Err(NameError::new("path", value, "is empty")),
            value if value.contains('\0') => Err(NameError::new("path", value, "has a zero byte")),
            value => Ok(Self(value.into())),
        }
    }
}

impl FromStr for Domain {
    type Err = NameError;

    fn from_str(value: &str) -> Result<Self, NameError> {
        let problem = if value.is_empty() {
            Some("is empty")
        } else if value.len() > DOMAIN_LIMIT {
            Some(
                "is too long: with a node's own name before it, a label of Kubernetes has at most 63 characters, which leaves 46",
            )
        } else if !value.split('.').all(is_dns_label) {
            Some("is not a domain: labels of a-z, 0-9 and '-' joined by '.', as in 'dev.example.com'")
        } else {
            None
        };
        problem.map_or_else(|| Ok(Self(value.into())), |problem| Err(NameError::new("domain", value, problem)))
    }
}

impl NameError {
    pub(crate) fn new(subject: &'static str, value: &str, problem: &'static str) -> Self {
        // A hostile value is not sent back whole.
        let value = value.chars().take(80).collect();
        Self { subject, value, problem }
    }
}

fn check_cluster_word(subject: &'static str, value: &str) -> Result<(), NameError> {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_');
    let ends = |byte: Option<&u8>| byte.is_some_and(|byte| !matches!(byte, b'-' | b'_'));
    let bytes = value.as_bytes();
    let problem = if bytes.is_empty() {
        "is empty"
    } else if bytes.len() > ClusterName::LIMIT {
        "is too long: at most 64 characters"
    } else if !bytes.iter().copied().all(allowed) {
        "has a character that is not allowed: use a-z, 0-9, '-' and '_'"
    } else if !ends(bytes.first()) || !ends(bytes.last()) {
        "must begin and end with a letter or a digit"
    } else {
        return Ok(());
    };
    Err(NameError::new(subject, value, problem))
}

fn check_object_word(subject: &'static str, value: &str) -> Result<(), NameError> {
    let allowed =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_' | b'.' | b':');
    let problem = if value.is_empty() {
        "is empty"
    } else if value.len() > ObjectReference::LIMIT {
        "is too long: at most 253 characters"
    } else if !value.bytes().all(allowed) {
        "has a character that no name and no id has: write a name, or the first 8 digits of an id or more"
    } else {
        return Ok(());
    };
    Err(NameError::new(subject, value, problem))
}

fn is_id_prefix(value: &str) -> bool {
    (8..=64).contains(&value.len()) && value.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f' | b'-'))
}

pub(crate) fn is_dns_label(label: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    !label.is_empty()
        && label.len() <= 63
        && label.bytes().all(inner)
        && !label.starts_with('-')
        && !label.ends_with('-')
}

macro_rules! text_form {
    ($($name:ident),*) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(&self.0)
            }
        }
    )*};
}
macro_rules! string_conversions {
    ($($name:ident),*) => {$(
        impl TryFrom<String> for $name {
            type Error = NameError;
            fn try_from(value: String) -> Result<Self, NameError> {
                value.parse()
            }
        }
        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0
            }
        }
    )*};
}
text_form!(
    ClusterName,
    ClusterReference,
    ClientReference,
    ImageSelector,
    CommandReference,
    Domain,
    LocalPath,
    NodeReference,
    ObjectReference,
    UserReference
);
string_conversions!(ClusterName, Domain);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cluster_names() {
        for good in ["a", "alex", "a-b_c", "0", &"x".repeat(64)] {
            assert_eq!(good.parse::<ClusterName>().unwrap().as_str(), good);
        }
        for (bad, word) in [
            ("", "empty"),
            ("Alex", "not allowed"),
            ("a b", "not allowed"),
            ("-a", "begin and end"),
            ("a_", "begin and end"),
            (&"x".repeat(65), "too long"),
            ("é", "not allowed"),
        ] {
            let error = bad.parse::<ClusterName>().unwrap_err().to_string();
            assert!(error.contains(word), "{error}");
        }
    }

    #[test]
    fn a_reference_is_a_name_or_an_id_prefix() {
        let id = "43706dd0-1111-2222-3333-444444444444";
        let matches = |text: &str| text.parse::<ClusterReference>().unwrap().matches("alex", id);
        assert!(matches("alex"));
        assert!(matches("43706dd0"));
        assert!(matches(id));
        assert!(!matches("43706dd"), "seven digits are too few");
        assert!(!matches("ale"));
    }

    #[test]
    fn a_node_is_named_whole_short_or_by_its_id() {
        let id = "2b251a2c".repeat(8);
        let matches = |text: &str| text.parse::<NodeReference>().unwrap().matches("node-77aa88bb.dev.example", &id);
        for good in ["node-77aa88bb.dev.example", "node-77aa88bb", "2b251a2c", &id] {
            assert!(matches(good), "{good}");
        }
        for bad in ["node-77aa88bb.dev", "node-77aa", "2b251a2", "dev.example"] {
            assert!(!matches(bad), "{bad}");
        }
        assert!("node/1".parse::<NodeReference>().is_err());
    }

    #[test]
    fn an_object_is_named_itself_or_by_its_cluster() {
        let node = crate::model::Node {
            name: "node-77aa88bb.localhost".into(),
            id: "0123456789abcdef".into(),
            image: String::new(),
            cluster: "alex".into(),
            state: crate::model::State::Ready,
            address: String::new(),
            os: String::new(),
            kernel: String::new(),
            user: String::new(),
            cluster_id: "43706dd0-1111-2222-3333-444444444444".into(),
        };
        let matches = |text: &str| text.parse::<ObjectReference>().unwrap().matches(&node);
        assert!(["alex", "43706dd0", "node-77aa88bb", "01234567"].into_iter().all(matches));
        assert!(!["ale", "node-77aa88b", "localhost", "43706dd1"].into_iter().any(matches));
    }

    #[test]
    fn domains_leave_room_for_the_node_name() {
        assert!("dev.example.com".parse::<Domain>().is_ok());
        assert!("x".repeat(46).parse::<Domain>().is_ok());
        for bad in ["", ".", "a..b", "-a", "a-", "A", &"x".repeat(47)] {
            assert!(bad.parse::<Domain>().is_err(), "{bad}");
        }
    }
}
