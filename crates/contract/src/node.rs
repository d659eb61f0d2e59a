//! A tree like that of JSON whose keys keep their order: documents are for people too.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::Value;

/// A value of a document.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Node {
    /// Text, a number, a truth value or null.
    Leaf(Value),
    /// A list.
    List(Vec<Node>),
    /// Keys with values, in order.
    Map(Vec<(String, Node)>),
}

/// A map of these.
pub(crate) fn map<const COUNT: usize>(entries: [(&str, Node); COUNT]) -> Node {
    Node::Map(entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
}

/// `{"$ref": …}`
pub(crate) fn reference(target: impl fmt::Display) -> Node {
    map([("$ref", format!("#/{target}").into())])
}

impl Node {
    /// The value of a key; none where there is no such key, or no map.
    pub(crate) fn get(&self, key: &str) -> Option<&Node> {
        self.entries().iter().find(|(name, _)| name == key).map(|(_, value)| value)
    }

    /// The value at the end of keys.
    pub(crate) fn at(&self, keys: &[&str]) -> Option<&Node> {
        keys.iter().try_fold(self, |node, key| node.get(key))
    }

    /// All keys with their values; none where it is no map.
    pub(crate) fn entries(&self) -> &[(String, Node)] {
        match self {
            Self::Map(entries) => entries,
            Self::Leaf(_) | Self::List(_) => &[],
        }
    }

    /// What is in a list; nothing where it is none.
    pub(crate) fn items(&self) -> &[Node] {
        match self {
            Self::List(items) => items,
            Self::Leaf(_) | Self::Map(_) => &[],
        }
    }

    /// Text.
    pub(crate) fn as_str(&self) -> Option<&str> {
        match self {
            Self::Leaf(value) => value.as_str(),
            Self::List(_) | Self::Map(_) => None,
        }
    }

    /// The text of a key; empty where there is none.
    pub(crate) fn text(&self, key: &str) -> &str {
        self.get(key).and_then(Self::as_str).unwrap_or_default()
    }

    /// The whole as YAML.
    pub(crate) fn to_yaml(&self) -> anyhow::Result<String> {
        let options = serde_saphyr::ser_options! { folded_wrap_chars: 110 };
        let mut text = String::new();
        serde_saphyr::to_fmt_writer_with_options(&mut text, self, options)?;
        Ok(text)
    }

    /// The whole as JSON, with a line for each key.
    pub(crate) fn to_json(&self) -> anyhow::Result<String> {
        Ok(serde_json::to_string_pretty(self)? + "\n")
    }
}

impl From<&str> for Node {
    fn from(text: &str) -> Self {
        Self::Leaf(text.into())
    }
}

impl From<String> for Node {
    fn from(text: String) -> Self {
        Self::Leaf(text.into())
    }
}

impl FromIterator<Node> for Node {
    fn from_iter<Items: IntoIterator<Item = Node>>(items: Items) -> Self {
        Self::List(items.into_iter().collect())
    }
}

impl FromIterator<(String, Node)> for Node {
    fn from_iter<Entries: IntoIterator<Item = (String, Node)>>(entries: Entries) -> Self {
        Self::Map(entries.into_iter().collect())
    }
}

impl Serialize for Node {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Leaf(value) => value.serialize(serializer),
            Self::List(items) => items.serialize(serializer),
            Self::Map(entries) => {
                let mut map = serializer.serialize_map(Some(entries.len()))?;
                for (key, value) in entries {
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
        formatter.write_str("JSON")
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
        Ok(value.into())
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
        let mut entries = Vec::new();
        while let Some(entry) = access.next_entry()? {
            entries.push(entry);
        }
        Ok(Node::Map(entries))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_of_keys_survives() {
        let text = r#"{"b":[1,-2,0.5,null,true],"a":{"d":"e","c":{}}}"#;
        let node: Node = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&node).unwrap(), text);
        assert_eq!(node.at(&["a", "d"]).and_then(Node::as_str), Some("e"));
        assert!(node.to_yaml().unwrap().starts_with("b:\n- 1\n- -2\n- 0.5\n"));
    }
}
