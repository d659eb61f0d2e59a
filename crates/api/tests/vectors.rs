//! Messages as others wrote them down: they are read as what they are, and written again without loss.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed, in its helpers too")]

use std::fs;
use std::path::{Path, PathBuf};

use qbo_api::grammar::parse;
use qbo_api::message::{Message, Output, Payload, Request};
use serde_json::Value;

fn vectors(directory: &str) -> Vec<(PathBuf, Value)> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors").join(directory);
    let mut vectors: Vec<_> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| !path.ends_with("requests.json"))
        .map(|path| {
            let value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
            (path, value)
        })
        .collect();
    vectors.sort_by(|(left, _), (right, _)| left.cmp(right));
    vectors
}

#[test]
fn every_message_is_read_and_written_without_loss() {
    for (path, mut value) in vectors("published").into_iter().chain(vectors("examples")) {
        let path = path.display();
        let message: Message = serde_json::from_value(value.clone()).unwrap_or_else(|error| panic!("{path}: {error}"));
        for rows in ["services", "networks"] {
            // The published ones have none, and so it is an empty one.
            if let Some(rows) = value.get_mut(rows) {
                rows[0].as_object_mut().unwrap().entry("cluster_id").or_insert_with(|| "".into());
            }
        }
        assert_eq!(serde_json::to_value(&message).unwrap(), value, "{path}");
        assert_eq!(message.envelope.status, message.envelope.code.reason(), "{path}");
    }
}

#[test]
fn output_is_told_apart() {
    for (path, value) in vectors("examples") {
        let name = path.file_stem().unwrap().to_str().unwrap();
        let Payload::Output(rows) = serde_json::from_value::<Message>(value).unwrap().payload else { continue };
        for row in rows {
            let expected = match row {
                Output::Kubeconfig { .. } => "output-kubeconfig",
                Output::Piece { .. } => "output-piece",
                Output::Step(_) => "output-step",
                Output::Check { .. } => "output-check",
                Output::Failure { .. } => "output-failure",
                Output::Message { .. } => "output",
            };
            assert_eq!(name.trim_end_matches("-started"), expected);
        }
    }
}

#[test]
fn every_published_request_is_a_command() {
    let text = include_str!("vectors/published/requests.json");
    let requests: Vec<Request> = serde_json::from_str(text).unwrap();
    assert!(!requests.is_empty());
    for request in requests {
        parse(&request.cmd).unwrap_or_else(|error| panic!("{}: {error}", request.cmd));
        assert!(!request.uuid.is_empty());
    }
}
