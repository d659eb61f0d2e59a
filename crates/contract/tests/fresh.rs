//! The documents that are kept are those that the code makes.

use std::collections::BTreeSet;
use std::fs;

use qbo_contract::{COMMAND, directory, files};

#[test]
fn the_documents_are_what_the_types_say() {
    for (name, made) in files().expect("the documents can be made") {
        let kept = fs::read_to_string(directory().join(name)).unwrap_or_default();
        let differs = kept.lines().zip(made.lines()).position(|(kept, made)| kept != made);
        let line = differs.unwrap_or_else(|| kept.lines().count().min(made.lines().count())) + 1;
        assert!(
            kept == made,
            "generated/{name} is stale from line {line} on: run `{COMMAND}` and commit what it writes"
        );
    }
}

#[test]
fn nothing_else_is_among_them() {
    let made: BTreeSet<String> = files().expect("documents").into_iter().map(|(name, _)| name.to_owned()).collect();
    let entries = fs::read_dir(directory()).expect("the directory of documents");
    let kept: BTreeSet<String> =
        entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
    assert_eq!(kept, made);
}
