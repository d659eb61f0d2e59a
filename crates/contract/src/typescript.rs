//! The types for TypeScript: interfaces and unions of literals, nothing that runs.

use std::fmt::Write as _;

use anyhow::{Context, bail};

use crate::COMMAND;
use crate::node::Node;
use crate::schema::{Schemas, referred};

/// What follows the types: how they make a message.
const MESSAGE: &str = "\
/** The key of the rows of a message. */
export type Kind = keyof Rows;

/** The rows of a message: exactly one key, with an array. */
export type Payload = {
  [Key in Kind]: Record<Key, Rows[Key][]> & Partial<Record<Exclude<Kind, Key>, never>>;
}[Kind];

/** What the server sends. */
export type Message = Envelope & Payload;
";

/// The whole file.
pub(crate) fn print(schemas: &Schemas) -> anyhow::Result<String> {
    let mut text = format!("// Made by `{COMMAND}` from the types of crates/api: change those.\n");
    for (name, schema) in &schemas.types {
        text.push('\n');
        declare(&mut text, name, schema).with_context(|| name.clone())?;
    }
    text.push_str("\n/** The rows of each kind, by their key. */\nexport interface Rows {\n");
    for (key, about, payload) in &schemas.payloads {
        let rows = payload.at(&["properties", key, "items"]).with_context(|| format!("'{key}' is no array"))?;
        comment(&mut text, 1, about);
        // Writing to a String cannot fail.
        let _ = writeln!(text, "  {key}: {};", expression(rows, 1)?);
    }
    text.push_str("}\n\n");
    text.push_str(MESSAGE);
    Ok(text)
}

fn declare(text: &mut String, name: &str, schema: &Node) -> anyhow::Result<()> {
    comment(text, 0, schema.text("description"));
    if schema.get("properties").is_some() {
        let _ = writeln!(text, "export interface {name} {}", expression(schema, 0)?);
        return Ok(());
    }
    let Some(choices) = schema.get("oneOf").or_else(|| schema.get("anyOf")) else {
        let _ = writeln!(text, "export type {name} = {};", expression(schema, 0)?);
        return Ok(());
    };
    let _ = write!(text, "export type {name} =");
    for choice in choices.items() {
        text.push('\n');
        comment(text, 1, choice.text("description"));
        let _ = write!(text, "  | {}", expression(choice, 1)?);
    }
    text.push_str(";\n");
    Ok(())
}

/// The type that a schema is, written at some depth.
fn expression(schema: &Node, depth: usize) -> anyhow::Result<String> {
    if let Some(name) = referred(schema) {
        return Ok(name.to_owned());
    }
    if let Some(value) = schema.get("const") {
        return literal(value);
    }
    if let Some(values) = schema.get("enum") {
        return joined(values.items(), " | ", literal);
    }
    if let Some(all) = schema.get("allOf") {
        return joined(all.items(), " & ", |part| expression(part, depth));
    }
    Ok(match schema.text("type") {
        "string" => "string".into(),
        "integer" | "number" => "number".into(),
        "boolean" => "boolean".into(),
        "array" => format!("{}[]", expression(schema.get("items").context("an array of what?")?, depth)?),
        "object" => object(schema, depth)?,
        _ => bail!("no type of TypeScript is known for {}", schema.to_json()?),
    })
}

fn object(schema: &Node, depth: usize) -> anyhow::Result<String> {
    let required = schema.get("required").map(Node::items).unwrap_or_default();
    let mut text = "{\n".to_owned();
    for (name, property) in schema.get("properties").map(Node::entries).unwrap_or_default() {
        comment(&mut text, depth + 1, property.text("description"));
        let absent = if required.contains(&Node::from(name.as_str())) { "" } else { "?" };
        let _ = writeln!(text, "{}{name}{absent}: {};", indent(depth + 1), expression(property, depth + 1)?);
    }
    let _ = write!(text, "{}}}", indent(depth));
    Ok(text)
}

fn literal(value: &Node) -> anyhow::Result<String> {
    // JSON's are TypeScript's.
    Ok(serde_json::to_string(value)?)
}

fn joined(parts: &[Node], with: &str, print: impl Fn(&Node) -> anyhow::Result<String>) -> anyhow::Result<String> {
    Ok(parts.iter().map(print).collect::<anyhow::Result<Vec<_>>>()?.join(with))
}

fn comment(text: &mut String, depth: usize, about: &str) {
    if !about.is_empty() {
        let _ = writeln!(text, "{}/** {} */", indent(depth), about.replace("*/", "*\\/"));
    }
}

fn indent(depth: usize) -> String {
    "  ".repeat(depth)
}
