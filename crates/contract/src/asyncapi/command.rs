//! The commands, a message for each verb, from the table that is parsed by.

use std::fmt::Write as _;

use qbo_api::grammar::{FORMS, Form, Opt, VerbName};

use crate::node::{Node, map};
use crate::schema::to_type;

/// Where the forms of a verb are told to programs.
pub(crate) const FORMS_KEY: &str = "x-forms";

/// A verb's message.
pub(super) fn message(verb: &VerbName) -> (String, Node) {
    let name = verb.names[0];
    let forms: Vec<&Form> = FORMS.iter().filter(|form| form.verb == name).collect();
    let line = map([("type", "string".into()), ("pattern", format!("^\\s*({})(\\s|$)", verb.names.join("|")).into())]);
    let payload = vec![to_type("Request"), map([("properties", map([("cmd", line)]))])];
    let message = map([
        ("name", name.into()),
        ("title", name.into()),
        ("summary", format!("{}.", verb.about).into()),
        ("description", description(&forms).into()),
        ("payload", map([("allOf", Node::List(payload))])),
        ("examples", forms.iter().flat_map(|form| examples(form)).collect()),
        (FORMS_KEY, forms.iter().map(|form| told(form, verb)).collect()),
    ]);
    (format!("command-{name}"), message)
}

/// For readers of tools that do not know the forms.
fn description(forms: &[&Form]) -> String {
    let mut text = String::new();
    for form in forms {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "- `{}`: {}", form.usage(), form.about);
    }
    text.trim_end().to_owned()
}

fn examples(form: &Form) -> impl Iterator<Item = Node> {
    form.examples.iter().map(|line| {
        let payload = map([("cmd", (*line).into()), ("uuid", "".into())]);
        map([("name", (*line).into()), ("summary", form.about.into()), ("payload", payload)])
    })
}

fn told(form: &Form, verb: &VerbName) -> Node {
    let words = |names: &[&str]| names.iter().map(|name| Node::from(*name)).collect();
    map([
        ("usage", form.usage().into()),
        ("about", form.about.into()),
        ("verbs", words(verb.names)),
        ("subjects", form.subject.map_or(Node::List(Vec::new()), |subject| words(subject.names))),
        ("options", form.options.iter().map(option).collect()),
        ("examples", words(form.examples)),
    ])
}

fn option(option: &Opt) -> Node {
    let text = |text: Option<String>| text.map(Node::from);
    let entries = [
        ("short", text(option.short.map(String::from))),
        ("long", text(Some(option.long.to_owned()))),
        ("value", text(option.value.map(str::to_owned))),
        ("about", text(Some(option.about.to_owned()))),
    ];
    entries.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))).collect()
}
