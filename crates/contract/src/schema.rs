//! From types to JSON Schemas, in the dialect that AsyncAPI builds on (draft 07).
//!
//! What a reader must accept is told, not what this server sends: rows of other servers may lack what has a default.

use anyhow::{Context, ensure};
use qbo_api::message::{Envelope, Message, Payload, Request};
use qbo_api::terminal::{TerminalAnswer, TerminalRequest};
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value};

use crate::node::{Node, map, reference};

/// The keys of a schema, in the order they are read best.
const KEYS: &[&str] = &[
    "$schema",
    "$ref",
    "title",
    "description",
    "type",
    "format",
    "const",
    "enum",
    "minimum",
    "maximum",
    "default",
    "items",
    "required",
    "properties",
    "allOf",
    "anyOf",
    "oneOf",
    "definitions",
];

/// The schemas of the types.
#[derive(Debug)]
pub(crate) struct Schemas {
    /// All types that messages and requests are made of, by name; they refer to each other below [`Schemas::PLACE`].
    pub(crate) types: Vec<(String, Node)>,
    /// The payloads: their key, what they are, and the schema of an object with that key.
    pub(crate) payloads: Vec<(String, String, Node)>,
    /// Of a request, whole.
    pub(crate) request: Node,
    /// Of a message, whole.
    pub(crate) message: Node,
    /// Of what a client says of a terminal, whole.
    pub(crate) terminal_request: Node,
    /// Of what the server says of a terminal, whole.
    pub(crate) terminal_answer: Node,
}

impl Schemas {
    /// Where types refer to each other.
    pub(crate) const PLACE: &str = "components/schemas";

    pub(crate) fn of_types() -> anyhow::Result<Self> {
        let place = format!("/{}", Self::PLACE).into();
        let mut generator =
            SchemaSettings::draft07().with(|settings| settings.definitions_path = place).into_generator();
        generator.subschema_for::<Envelope>();
        generator.subschema_for::<Payload>();
        generator.subschema_for::<Request>();
        generator.subschema_for::<TerminalRequest>();
        generator.subschema_for::<TerminalAnswer>();
        let mut types: Vec<(String, Node)> = Vec::new();
        let mut payloads = Vec::new();
        for (name, schema) in generator.take_definitions(true) {
            let schema = read(&schema)?;
            if name == "Payload" {
                payloads = variants(&schema)?;
            } else {
                types.push((name, schema));
            }
        }
        types.sort_by(|(left, _), (right, _)| left.cmp(right));
        ensure!(!payloads.is_empty(), "there is no payload");
        Ok(Self {
            types,
            payloads,
            request: whole::<Request>()?,
            message: whole::<Message>()?,
            terminal_request: whole::<TerminalRequest>()?,
            terminal_answer: whole::<TerminalAnswer>()?,
        })
    }
}

/// The last word of what a schema refers to.
pub(crate) fn referred(schema: &Node) -> Option<&str> {
    schema.get("$ref").and_then(Node::as_str)?.rsplit('/').next()
}

fn whole<Type: JsonSchema>() -> anyhow::Result<Node> {
    let schema = SchemaSettings::draft07().into_generator().into_root_schema_for::<Type>();
    read(schema.as_value())
}

fn variants(payload: &Node) -> anyhow::Result<Vec<(String, String, Node)>> {
    let variant = |variant: &Node| {
        let key = variant.get("required").and_then(|required| required.items().first());
        let key = key.and_then(Node::as_str).context("a payload has one key")?.to_owned();
        let properties = variant.get("properties").context("a payload is an object")?.clone();
        let open = map([
            ("type", "object".into()),
            ("required", [Node::from(key.as_str())].into_iter().collect()),
            ("properties", properties),
        ]);
        Ok((key, variant.text("description").to_owned(), open))
    };
    payload.get("oneOf").context("a payload is one of several")?.items().iter().map(variant).collect()
}

/// A schema with its keys in order, its properties as they are declared, and prose for readers of the wire.
fn read(schema: &Value) -> anyhow::Result<Node> {
    Ok(match schema {
        Value::Object(schema) => {
            let mut entries = Vec::new();
            for (key, value) in ordered(schema, |key| KEYS.iter().position(|known| *known == key)) {
                entries.push((key.clone(), keyword(key, value, schema)?));
            }
            without_null(entries)
        }
        Value::Array(items) => items.iter().map(read).collect::<anyhow::Result<_>>()?,
        leaf => Node::Leaf(leaf.clone()),
    })
}

fn keyword(key: &str, value: &Value, schema: &Map<String, Value>) -> anyhow::Result<Node> {
    Ok(match (key, value) {
        ("description", Value::String(text)) => prose(text)?.into(),
        ("properties", Value::Object(properties)) => {
            let required = schema.get("required").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
            let declared = |name: &str| required.iter().position(|other| other == name);
            let property = |(name, value): (&String, &Value)| Ok((name.clone(), read(value)?));
            ordered(properties, declared).map(property).collect::<anyhow::Result<_>>()?
        }
        ("definitions", Value::Object(definitions)) => {
            let definition = |(name, value): (&String, &Value)| Ok((name.clone(), read(value)?));
            ordered(definitions, |_| None).map(definition).collect::<anyhow::Result<_>>()?
        }
        _ => read(value)?,
    })
}

/// Entries by rank, those without one last and by name.
fn ordered(
    entries: &Map<String, Value>,
    rank: impl Fn(&str) -> Option<usize>,
) -> impl Iterator<Item = (&String, &Value)> {
    let mut entries: Vec<_> = entries.iter().collect();
    entries.sort_by_key(|(key, _)| (rank(key).unwrap_or(usize::MAX), *key));
    entries.into_iter()
}

/// What may be absent is so, and never null, on the wire; serde would accept both.
fn without_null(mut entries: Vec<(String, Node)>) -> Node {
    let null = Node::from("null");
    entries.retain(|(key, value)| key != "default" || *value != Node::Leaf(Value::Null));
    for (key, value) in &mut entries {
        match (key.as_str(), &*value) {
            ("type", Node::List(types)) if types.contains(&null) => {
                let [one] = types.iter().filter(|kind| **kind != null).collect::<Vec<_>>()[..] else { continue };
                *value = one.clone();
            }
            ("anyOf", Node::List(choices)) if choices.iter().any(|choice| choice.get("type") == Some(&null)) => {
                *value = choices.iter().filter(|choice| choice.get("type") != Some(&null)).cloned().collect();
                "allOf".clone_into(key);
            }
            _ => {}
        }
    }
    Node::Map(entries)
}

/// A comment as one paragraph for readers who do not know the types' names in Rust.
fn prose(comment: &str) -> anyhow::Result<String> {
    let text = comment.split_whitespace().collect::<Vec<_>>().join(" ");
    ensure!(!text.contains("[`") && !text.contains("::"), "'{text}' speaks of Rust, and its readers do not");
    Ok(text)
}

/// A reference to a type.
pub(crate) fn to_type(name: &str) -> Node {
    reference(format_args!("{}/{name}", Schemas::PLACE))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn keys_and_properties_are_in_order_and_nothing_is_null() {
        let schema = json!({
            "type": "object",
            "properties": {
                "a": { "type": ["string", "null"], "default": null },
                "b": { "anyOf": [{ "$ref": "#/definitions/B" }, { "type": "null" }] },
                "y": { "type": "integer" },
                "x": { "description": "two\nlines", "type": ["integer", "string"] },
            },
            "required": ["y", "x"],
            "description": "d",
        });
        let expected = r##"{"description":"d","type":"object","required":["y","x"],"properties":{"y":{"type":"integer"},"x":{"description":"two lines","type":["integer","string"]},"a":{"type":"string"},"b":{"allOf":[{"$ref":"#/definitions/B"}]}}}"##;
        assert_eq!(serde_json::to_string(&read(&schema).unwrap()).unwrap(), expected);
    }

    #[test]
    fn comments_that_speak_of_rust_are_refused() {
        assert!(read(&json!({ "description": "see [`Verb::Done`]" })).is_err());
    }
}
