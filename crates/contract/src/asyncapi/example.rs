//! The examples of messages, which `qbo-api` tests with.

use std::fs;
use std::path::Path;

use anyhow::{Context, ensure};

use crate::node::{Node, map};

/// The examples with these rows.
pub(super) fn messages(key: &str) -> anyhow::Result<Vec<Node>> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../api/tests/vectors/examples");
    let mut examples = Vec::new();
    for entry in fs::read_dir(&directory).with_context(|| directory.display().to_string())? {
        let path = entry?.path();
        let name = path.file_stem().and_then(|name| name.to_str()).context("a name in UTF-8")?.to_owned();
        if name.split('-').next() == Some(key) {
            let read = || -> anyhow::Result<Node> { Ok(serde_json::from_str(&fs::read_to_string(&path)?)?) };
            let payload = read().with_context(|| path.display().to_string())?;
            ensure!(payload.get(key).is_some(), "{} has no '{key}'", path.display());
            let summary = name.replace('-', ", ");
            examples.push((name, summary, payload));
        }
    }
    examples.sort_by(|(left, ..), (right, ..)| left.cmp(right));
    let example = |(name, summary, payload): (String, String, Node)| {
        map([("name", name.into()), ("summary", summary.into()), ("payload", payload)])
    };
    Ok(examples.into_iter().map(example).collect())
}
