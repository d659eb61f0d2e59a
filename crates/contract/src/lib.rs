//! The contract of qbo as documents, all made from the types and the command table of `qbo-api`.
//!
//! `schema` (types → JSON Schemas) → [`asyncapi`] (the document: schemas, commands, prose) → [`page`] (the document for
//! people); [`typescript`] from the same schemas, [`grammar`] from the table. What comes out is kept in `generated/`, where the server takes it
//! from, and tests hold it against the code.

mod asyncapi;
mod grammar;
mod node;
mod page;
mod schema;
mod typescript;

use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::schema::Schemas;

/// The command that writes what [`files`] makes.
pub const COMMAND: &str = "cargo run --package qbo-contract";

/// Where the documents are kept.
pub fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("generated")
}

/// All documents: names in [`directory`], and what is in them.
pub fn files() -> anyhow::Result<Vec<(&'static str, String)>> {
    let schemas = Schemas::of_types().context("schemas of the types")?;
    let document = asyncapi::document(&schemas).context("the AsyncAPI document")?;
    let page = page::print(&document).context("the page")?;
    Ok(vec![
        ("asyncapi.yaml", document.to_yaml()?),
        ("docs.csp", page.policy),
        ("docs.html", page.html),
        ("grammar.ts", grammar::print().context("the command table for TypeScript")?),
        ("message.schema.json", schemas.message.to_json()?),
        ("qbo.ts", typescript::print(&schemas).context("the TypeScript types")?),
        ("request.schema.json", schemas.request.to_json()?),
        ("terminal-answer.schema.json", schemas.terminal_answer.to_json()?),
        ("terminal-request.schema.json", schemas.terminal_request.to_json()?),
    ])
}
