//! A kubeconfig as a tree whose keys keep their order, so that what is not ours comes out as it went in.

use std::fmt;
use std::net::Ipv4Addr;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::Value;

/// A kubeconfig.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Document {
    fields: Vec<(String, Node)>,
}

/// Why a text is no kubeconfig.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Problem(String);

#[derive(Debug, Clone, PartialEq)]
enum Node {
    Leaf(Value),
    List(Vec<Node>),
    Map(Vec<(String, Node)>),
}

/// The lists of a kubeconfig, by key, each of named entries.
const LISTS: [&str; 3] = ["clusters", "contexts", "users"];

const CURRENT: &str = "current-context";

impl Document {
    /// Reads a kubeconfig; an empty text is an empty one.
    pub(super) fn read(text: &str) -> Result<Self, Problem> {
        let empty = || Self {
            fields: vec![
                ("apiVersion".into(), Node::text("v1")),
                ("kind".into(), Node::text("Config")),
                ("preferences".into(), Node::Map(Vec::new())),
            ],
        };
        // Of comments alone there is no document.
        if text.lines().all(|line| line.trim().is_empty() || line.trim_start().starts_with('#')) {
            return Ok(empty());
        }
        let node: Node = serde_saphyr::from_str(text).map_err(|error| Problem(format!("no valid YAML: {error}")))?;
        let fields = match node {
            Node::Map(fields) => fields,
            Node::Leaf(Value::Null) => return Ok(empty()),
            Node::Leaf(_) | Node::List(_) => return Err(Problem("no kubeconfig: it is no map".into())),
        };
        for list in LISTS {
            let value = fields.iter().find(|(key, _)| key == list).map(|(_, value)| value);
            if !matches!(value, None | Some(Node::List(_) | Node::Leaf(Value::Null))) {
                return Err(Problem(format!("'{list}' is no list")));
            }
        }
        Ok(Self { fields })
    }

    /// Takes in all that another one holds, in place of what has the same name; its current context becomes ours.
    pub(super) fn merge(&mut self, other: &Self) -> Result<String, Problem> {
        let context = other.field(CURRENT).and_then(Node::as_str).map(str::to_owned);
        let context = context.ok_or_else(|| Problem("what is to be merged has no current context".into()))?;
        for list in LISTS {
            for entry in other.entries(list) {
                let name = entry.name().unwrap_or_default();
                let own = self.entries_mut(list);
                match own.iter_mut().find(|known| known.name() == Some(name)) {
                    Some(known) => *known = entry.clone(),
                    None => own.push(entry.clone()),
                }
            }
        }
        self.set(CURRENT, Node::text(&context));
        Ok(context)
    }

    /// Takes out the entries of this name, if they are of the cluster at this address; tells whether they were.
    pub(super) fn forget(&mut self, name: &str, server: &str) -> bool {
        let is_ours = |entry: &&Node| entry.name() == Some(name);
        let known = self.entries("clusters").iter().find(is_ours);
        let known = known.and_then(|entry| entry.get("cluster")?.get("server")?.as_str());
        if !known.is_some_and(|known| is_of_one_cluster(known, server)) {
            return false;
        }
        for list in LISTS {
            self.entries_mut(list).retain(|entry| entry.name() != Some(name));
        }
        if self.field(CURRENT).and_then(Node::as_str) == Some(name) {
            self.set(CURRENT, Node::text(""));
        }
        true
    }

    /// The whole as YAML.
    pub(super) fn text(&self) -> Result<String, Problem> {
        // Certificates are long words: a folded scalar would not fold them, only be harder to read.
        let options = serde_saphyr::ser_options! { folded_wrap_chars: usize::MAX };
        let mut text = String::new();
        let written = serde_saphyr::to_fmt_writer_with_options(&mut text, &Node::Map(self.fields.clone()), options);
        written.map(|()| text).map_err(|error| Problem(error.to_string()))
    }

    fn field(&self, key: &str) -> Option<&Node> {
        self.fields.iter().find(|(known, _)| known == key).map(|(_, value)| value)
    }

    fn set(&mut self, key: &str, value: Node) {
        match self.fields.iter_mut().find(|(known, _)| known == key) {
            Some((_, known)) => *known = value,
            None => self.fields.push((key.into(), value)),
        }
    }

    fn entries(&self, list: &str) -> &[Node] {
        match self.field(list) {
            Some(Node::List(entries)) => entries,
            _ => &[],
        }
    }

    fn entries_mut(&mut self, list: &str) -> &mut Vec<Node> {
        let place = self.fields.iter().position(|(key, _)| key == list).unwrap_or_else(|| {
            self.fields.push((list.into(), Node::List(Vec::new())));
            self.fields.len() - 1
        });
        let value = &mut self.fields[place].1;
        if !matches!(value, Node::List(_)) {
            *value = Node::List(Vec::new());
        }
        match value {
            Node::List(entries) => entries,
            Node::Leaf(_) | Node::Map(_) => unreachable!("it was made a list"),
        }
    }
}

impl Node {
    fn text(text: &str) -> Self {
        Self::Leaf(text.into())
    }

    fn get(&self, key: &str) -> Option<&Self> {
        match self {
            Self::Map(fields) => fields.iter().find(|(known, _)| known == key).map(|(_, value)| value),
            Self::Leaf(_) | Self::List(_) => None,
        }
    }

    fn as_str(&self) -> Option<&str> {
        match self {
            Self::Leaf(value) => value.as_str(),
            Self::List(_) | Self::Map(_) => None,
        }
    }

    fn name(&self) -> Option<&str> {
        self.get("name")?.as_str()
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl Serialize for Node {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Leaf(value) => value.serialize(serializer),
            Self::List(items) => items.serialize(serializer),
            Self::Map(fields) => {
                let mut map = serializer.serialize_map(Some(fields.len()))?;
                for (key, value) in fields {
                    map.serialize_entry(key, value)?;
                }
                map.end()
            }
        }
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("YAML")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Leaf(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Node, E> {
        Ok(Node::Leaf(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Node, E> {
        Ok(Node::Leaf(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Node, E> {
        Ok(Node::Leaf(value.into()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Node, E> {
        Ok(Node::text(value))
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Leaf(Value::Null))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Node, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = sequence.next_element()? {
            items.push(item);
        }
        Ok(Node::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Node, A::Error> {
        let mut fields = Vec::new();
        while let Some(entry) = access.next_entry()? {
            fields.push(entry);
        }
        Ok(Node::Map(fields))
    }
}

/// Whether both addresses lead into one cluster, whose network is a /24 of its own: where a balancer comes in front of its API servers, it
/// has another one there from then on.
fn is_of_one_cluster(one: &str, other: &str) -> bool {
    let network = |server: &str| {
        let (host, _) = server.strip_prefix("https://")?.rsplit_once(':')?;
        let [first, second, third, _] = host.parse::<Ipv4Addr>().ok()?.octets();
        Some([first, second, third])
    };
    one == other || network(one).is_some_and(|one| network(other) == Some(one))
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: &str = "\
apiVersion: v1
kind: Config
preferences: {}
clusters:
- name: work
  cluster:
    server: https://10.0.0.1:6443
    certificate-authority-data: LS0tLS1CRUdJTiBDRVJU
    insecure-skip-tls-verify: false
contexts:
- name: work
  context:
    user: work
    cluster: work
    namespace: \"012\"
users:
- name: work
  user:
    exec:
      apiVersion: client.authentication.k8s.io/v1
      command: aws
      args:
      - --region
      - \"yes\"
      env: null
current-context: work
";

    fn qbo(server: &str) -> Document {
        Document::read(&format!(
            "apiVersion: v1\nkind: Config\nclusters:\n- cluster:\n    server: {server}\n  name: qbo-alex\ncontexts:\n- context:\n    \
             cluster: qbo-alex\n    user: qbo-alex\n  name: qbo-alex\nusers:\n- name: qbo-alex\n  user:\n    token: t\ncurrent-context: qbo-alex\n"
        ))
        .unwrap()
    }

    #[test]
    fn what_is_not_ours_stays_as_it_is() {
        let mut own = Document::read(OWN).unwrap();
        assert_eq!(own.text().unwrap(), OWN);
        assert_eq!(own.merge(&qbo("https://10.201.0.10:6443")).unwrap(), "qbo-alex");
        let merged = own.text().unwrap();
        for line in OWN.lines().filter(|line| !line.starts_with(CURRENT)) {
            assert!(merged.contains(line), "{line}\n{merged}");
        }
        assert!(merged.contains("current-context: qbo-alex"), "{merged}");
        assert!(own.forget("qbo-alex", "https://10.201.0.10:6443"));
        assert_eq!(own.text().unwrap(), OWN.replace("current-context: work", "current-context: \"\""));
    }

    #[test]
    fn merging_again_changes_nothing_and_a_new_cluster_of_the_name_takes_its_place() {
        let mut own = Document::read("").unwrap();
        own.merge(&qbo("https://10.201.0.10:6443")).unwrap();
        let once = own.text().unwrap();
        own.merge(&qbo("https://10.201.0.10:6443")).unwrap();
        assert_eq!(own.text().unwrap(), once);
        own.merge(&qbo("https://10.201.9.10:6443")).unwrap();
        assert_eq!(own.entries("clusters").len(), 1);
        assert!(!own.forget("qbo-alex", "https://10.201.0.10:6443"), "that of another cluster stays");
        assert!(own.forget("qbo-alex", "https://10.201.9.10:6443"));
        assert!(own.entries("users").is_empty());
    }

    #[test]
    fn another_current_context_stays() {
        let mut own = Document::read(OWN).unwrap();
        own.merge(&qbo("s")).unwrap();
        own.set(CURRENT, Node::text("work"));
        assert!(own.forget("qbo-alex", "s"));
        assert_eq!(own.text().unwrap(), OWN);
    }

    #[test]
    fn a_cluster_that_has_grown_is_the_same_one() {
        let mut own = Document::read(OWN).unwrap();
        own.merge(&qbo("https://10.201.7.10:6443")).unwrap();
        assert!(!own.forget("qbo-alex", "https://10.201.8.2:6443"));
        assert!(own.forget("qbo-alex", "https://10.201.7.2:6443"));
    }

    #[test]
    fn what_is_no_kubeconfig_is_refused() {
        for (text, says) in [
            ("clusters: [", "no valid YAML"),
            ("a: 1\na: 2\n", "no valid YAML"),
            ("- a\n", "it is no map"),
            ("hello", "it is no map"),
            ("clusters: {}\n", "'clusters' is no list"),
        ] {
            let problem = Document::read(text).unwrap_err().to_string();
            assert!(problem.contains(says), "{text}: {problem}");
        }
        for empty in ["", "\n# nothing\n", "---\n"] {
            assert!(Document::read(empty).unwrap().entries("users").is_empty(), "{empty}");
        }
    }
}
