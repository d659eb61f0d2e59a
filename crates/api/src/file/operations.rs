//! JSON patches (RFC 6902), read as merge patches (RFC 7396), which is what everything else knows.
//!
//! An operation on a field is a merge patch of that field alone. One that depends on what is there (`test`, `move`, `copy`, a place in a
//! list) is refused: what it would meet is qbo's, and not that of `kind`, which such a patch was written for.

use json_patch::{AddOperation, Patch, PatchOperation, RemoveOperation, ReplaceOperation};
use serde_json::{Value, json};

use super::FileError;

/// Lists that are merged entry by entry, so that one can be added without knowing the others.
const MERGED: [&str; 3] = ["certSANs", "extraArgs", "kubeletExtraArgs"];

/// The merge patches that do, in this order, what the operations of a JSON patch say; it is written in YAML or JSON.
pub(super) fn merge_patches(place: &str, text: &str) -> Result<Vec<Value>, FileError> {
    let cure = "write a list of operations, as: [{op: replace, path: /maxPods, value: 50}]";
    let read: Vec<Value> = serde_saphyr::from_str(text).map_err(|error| {
        let message = error.without_snippet().to_string();
        FileError::at(place, message.lines().next().unwrap_or_default(), cure)
    })?;
    let Patch(operations) = serde_json::from_value(read.into()).map_err(|error| FileError::at(place, error, cure))?;
    let mut patches = Vec::new();
    for operation in operations {
        let (path, value) = match operation {
            PatchOperation::Add(AddOperation { path, value })
            | PatchOperation::Replace(ReplaceOperation { path, value }) => (path, value),
            PatchOperation::Remove(RemoveOperation { path }) => (path, Value::Null),
            other => {
                let problem = format!("'{other}' depends on what is there");
                return Err(FileError::at(place, problem, "add, replace and remove are possible"));
            }
        };
        let mut fields: Vec<String> = path.tokens().map(|token| token.decoded().into_owned()).collect();
        let is_merged = |list: Option<&String>| list.is_some_and(|list| MERGED.contains(&list.as_str()));
        let value = if fields.last().is_some_and(|last| last == "-") && is_merged(fields.iter().nth_back(1)) {
            fields.pop();
            json!([value])
        } else {
            value
        };
        if fields.is_empty() || fields.iter().any(|field| field == "-" || field.parse::<usize>().is_ok()) {
            let problem = format!("'{path}' depends on what is there");
            return Err(FileError::at(place, problem, "name a field, and write a list whole"));
        }
        let at = |value: Value| fields.iter().rev().fold(value, |value, field| json!({ field: value }));
        if value.is_object() {
            // It takes the place of what was there, of which a merge alone would leave the other fields.
            patches.push(at(Value::Null));
        }
        patches.push(at(value));
    }
    Ok(patches)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_on_fields_are_merges_of_them() {
        let text = "\
- {op: add, path: /apiServer/certSANs/-, value: api.example.com}
- {op: replace, path: /plugins/a.b~1c/x, value: {d: 1}}
- {op: remove, path: /maxPods}
";
        let expected = [
            json!({"apiServer": {"certSANs": ["api.example.com"]}}),
            json!({"plugins": {"a.b/c": {"x": null}}}),
            json!({"plugins": {"a.b/c": {"x": {"d": 1}}}}),
            json!({"maxPods": null}),
        ];
        assert_eq!(merge_patches("p", text).unwrap(), expected);
        assert_eq!(merge_patches("p", r#"[{"op": "add", "path": "/a", "value": [1]}]"#).unwrap(), [json!({"a": [1]})]);
        assert_eq!(merge_patches("p", "[]").unwrap(), [json!(null); 0]);
    }

    #[test]
    fn what_depends_on_what_is_there_is_refused() {
        for (text, says) in [
            ("[{op: test, path: /a, value: 1}]", "p: '"),
            ("[{op: move, path: /a, from: /b}]", "depends on what is there; add, replace and remove"),
            ("[{op: add, path: /a/0, value: 1}]", "p: '/a/0' depends"),
            ("[{op: add, path: /clusterDNS/-, value: 1}]", "p: '/clusterDNS/-' depends"),
            ("[{op: replace, path: '', value: {}}]", "p: '' depends"),
            ("[{op: increase, path: /a}]", "unknown variant `increase`"),
            ("[{op: add, path: /a}]", "missing field `value`"),
            ("[{op: add, path: a, value: 1}]", "p: "),
            ("op: add", "write a list of operations"),
        ] {
            let error = merge_patches("p", text).unwrap_err().to_string();
            assert!(error.contains(says), "{text}: {error}");
        }
    }
}
