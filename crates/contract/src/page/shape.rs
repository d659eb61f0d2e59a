//! Schemas as tables of fields and lists of values.

use super::html::{Html, text};
use super::markdown;
use crate::node::Node;
use crate::schema::referred;

/// What a type is: its fields, its values, or the objects it is one of.
pub(super) fn definition(html: &mut Html, schema: &Node) {
    let choices = schema.get("oneOf").or_else(|| schema.get("anyOf")).map(Node::items).unwrap_or_default();
    if choices.is_empty() {
        fields(html, schema);
    } else if choices.iter().all(|choice| choice.get("const").is_some()) {
        html.raw("<dl class=\"values\">\n");
        for choice in choices {
            html.element("dt", "", kind(choice)).element("dd", "", markdown::inline(choice.text("description")));
        }
        html.raw("</dl>\n");
    } else {
        html.element("p", "", "One of:");
        for choice in choices {
            html.raw("<section>\n").element("p", "", markdown::inline(choice.text("description")));
            if choice.get("properties").is_some() {
                fields(html, choice);
            } else {
                html.element("p", "", kind(choice));
            }
            html.raw("</section>\n");
        }
    }
}

/// A table of an object's fields.
pub(super) fn fields(html: &mut Html, schema: &Node) {
    let required = schema.get("required").map(Node::items).unwrap_or_default();
    html.raw("<dl class=\"fields\">\n");
    for (name, property) in schema.get("properties").map(Node::entries).unwrap_or_default() {
        let absent = if required.contains(&Node::from(name.as_str())) { "" } else { " <em>may be absent</em>" };
        html.element("dt", "", format!("<code>{}</code> <span>{}</span>{absent}", text(name), kind(property)));
        html.element("dd", "", markdown::inline(property.text("description")));
    }
    html.raw("</dl>\n");
}

/// A type in a few words.
fn kind(schema: &Node) -> String {
    if let Some(name) = referred(schema) {
        return format!("<a href=\"#{0}\">{0}</a>", text(name));
    }
    let values = |values: &[Node]| {
        let value = |value: &Node| format!("<code>{}</code>", text(&shown(value)));
        values.iter().map(value).collect::<Vec<_>>().join(", ")
    };
    if let Some(value) = schema.get("const") {
        return values(std::slice::from_ref(value));
    }
    if let Some(of) = schema.get("enum") {
        return values(of.items());
    }
    if let Some(all) = schema.get("allOf") {
        return all.items().iter().map(kind).collect::<Vec<_>>().join(" ");
    }
    match schema.text("type") {
        "array" => format!("array of {}", schema.get("items").map(kind).unwrap_or_default()),
        "string" if !schema.text("format").is_empty() => text(schema.text("format")),
        other => text(other),
    }
}

fn shown(value: &Node) -> String {
    match value {
        Node::Leaf(serde_json::Value::String(text)) => text.clone(),
        Node::Leaf(other) => other.to_string(),
        Node::List(_) | Node::Map(_) => String::new(),
    }
}
