//! What the schemas accept and refuse: messages others wrote, all that the types can say, and what they cannot.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed, in its helpers too")]

mod samples;

use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use boon::{Compiler, Draft, SchemaIndex, Schemas};
use qbo_api::grammar::FORMS;
use qbo_api::message::Code;
use serde_json::{Value, json};

/// The AsyncAPI document.
static DOCUMENT: LazyLock<Value> = LazyLock::new(|| serde_saphyr::from_str(&generated("asyncapi.yaml")).unwrap());

/// What makes a message wrong.
type Break = fn(&mut Value);

/// A schema, ready to validate by.
struct Schema {
    schemas: Schemas,
    index: SchemaIndex,
}

impl Schema {
    /// The schema in `document` at a JSON pointer.
    fn new(document: Value, pointer: &str) -> Self {
        let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
        compiler.set_default_draft(Draft::V7);
        compiler.enable_format_assertions();
        compiler.add_resource("http://qbo/document", document).unwrap();
        let index = compiler.compile(&format!("http://qbo/document#{pointer}"), &mut schemas).unwrap();
        Self { schemas, index }
    }

    fn of_file(name: &str) -> Self {
        Self::new(serde_json::from_str(&generated(name)).unwrap(), "")
    }

    /// The payload of a message of the AsyncAPI document.
    fn of_message(name: &str) -> Self {
        Self::new(DOCUMENT.clone(), &format!("/components/messages/{name}/payload"))
    }

    fn accepts(&self, value: &Value) -> bool {
        self.schemas.validate(value, self.index).is_ok()
    }

    #[track_caller]
    fn assert_accepts(&self, value: &Value, what: &str) {
        if let Err(error) = self.schemas.validate(value, self.index) {
            panic!("{what}: {error:#}\n{value:#}");
        }
    }
}

fn generated(name: &str) -> String {
    fs::read_to_string(qbo_contract::directory().join(name)).unwrap()
}

fn vectors(directory: &str) -> Vec<(String, Value)> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../api/tests/vectors").join(directory);
    let read = |entry: fs::DirEntry| {
        let name = entry.path().file_stem().unwrap().to_string_lossy().into_owned();
        (name, serde_json::from_str(&fs::read_to_string(entry.path()).unwrap()).unwrap())
    };
    fs::read_dir(directory).unwrap().map(|entry| read(entry.unwrap())).collect()
}

#[test]
fn messages_that_others_wrote_are_valid_as_what_they_are_and_nothing_else() {
    let whole = Schema::of_file("message.schema.json");
    let kinds: Vec<(&str, Schema)> =
        samples::KINDS.iter().map(|kind| (*kind, Schema::of_message(&format!("message-{kind}")))).collect();
    let messages = [vectors("published"), vectors("examples")].concat();
    assert!(messages.len() > samples::KINDS.len());
    for (name, message) in messages.iter().filter(|(name, _)| name != "requests") {
        whole.assert_accepts(message, name);
        for (kind, schema) in &kinds {
            assert_eq!(schema.accepts(message), name.split('-').next() == Some(*kind), "{name} as {kind}");
        }
    }
}

#[test]
fn all_that_the_types_can_say_is_valid() {
    let whole = Schema::of_file("message.schema.json");
    for message in samples::messages() {
        let value = serde_json::to_value(&message).unwrap();
        whole.assert_accepts(&value, "a message");
        let kind = samples::kind(&message.payload);
        Schema::of_message(&format!("message-{kind}")).assert_accepts(&value, kind);
    }
}

#[test]
fn every_message_of_the_document_has_examples_that_are_valid() {
    for (name, message) in DOCUMENT["components"]["messages"].as_object().unwrap() {
        let examples = message["examples"].as_array().unwrap();
        assert!(!examples.is_empty(), "{name}");
        let schema = Schema::of_message(name);
        for example in examples {
            schema.assert_accepts(&example["payload"], name);
        }
    }
}

#[test]
fn what_is_no_message_is_refused() {
    let whole = Schema::of_file("message.schema.json");
    let message = || serde_json::to_value(samples::messages().swap_remove(0)).unwrap();
    whole.assert_accepts(&message(), "before anything is done to it");
    let wrong: [(&str, Break); 11] = [
        ("two payloads", |message| message["nodes"] = json!([])),
        ("no payload", |message| drop(message.as_object_mut().unwrap().remove("version"))),
        ("a payload that is no array", |message| message["version"] = json!({})),
        ("rows that are no objects", |message| message["version"] = json!(["0.1.0"])),
        ("no command_id", |message| drop(message.as_object_mut().unwrap().remove("command_id"))),
        ("a command_id that is no uuid", |message| message["command_id"] = json!("7")),
        ("an unknown code", |message| message["code"] = json!(418)),
        ("a code in words", |message| message["code"] = json!("200")),
        ("an unknown verb", |message| message["command"] = json!("CMD_BREW")),
        ("an unknown change", |message| message["change"] = json!("moved")),
        ("a time in seconds", |message| message["timestamp"] = json!("1709294401")),
    ];
    for (what, break_it) in wrong {
        let mut message = message();
        break_it(&mut message);
        assert!(!whole.accepts(&message), "{what}");
    }
}

#[test]
fn every_code_is_known() {
    let whole = Schema::of_file("message.schema.json");
    let mut message = samples::messages().swap_remove(0);
    for (code, _) in Code::ALL {
        message.envelope.code = *code;
        whole.assert_accepts(&serde_json::to_value(&message).unwrap(), code.reason());
    }
}

#[test]
fn requests_are_valid_as_those_of_their_verb() {
    let whole = Schema::of_file("request.schema.json");
    let (_, published) = vectors("published").into_iter().find(|(name, _)| name == "requests").unwrap();
    let examples = FORMS.iter().flat_map(|form| form.examples).map(|line| json!({ "cmd": line, "uuid": "" }));
    for request in published.as_array().unwrap().iter().cloned().chain(examples) {
        let verb = request["cmd"].as_str().unwrap().split(' ').next().unwrap();
        whole.assert_accepts(&request, verb);
        Schema::of_message(&format!("command-{verb}")).assert_accepts(&request, verb);
        let other = if verb == "get" { "add" } else { "get" };
        assert!(!Schema::of_message(&format!("command-{other}")).accepts(&request), "{request}");
    }
    assert!(whole.accepts(&json!({ "cmd": "version" })), "a mirror need not be named");
    assert!(!whole.accepts(&json!({ "uuid": "" })), "a line is needed");
    let alias = Schema::of_message("command-delete");
    assert!(alias.accepts(&json!({ "cmd": "del node node-2b251a2c" })));
    assert!(!alias.accepts(&json!({ "cmd": "deletes cluster alex" })));
}
