//! YAML in and out: what the files of a node are written in, and what kubeadm prints.

use serde_json::Value;

/// The value as one YAML document, keys sorted the way kubeadm's own files have them.
pub(crate) fn print(value: &Value) -> String {
    let mut value = value.clone();
    // Another crate of the build may turn on `serde_json/preserve_order`; the bytes must not depend on that.
    value.sort_all_objects();
    // Certificates are long words: a folded scalar would not fold them, only be harder to read.
    let options = serde_saphyr::ser_options! { folded_wrap_chars: usize::MAX };
    let mut text = String::new();
    serde_saphyr::to_fmt_writer_with_options(&mut text, &value, options).expect("JSON values have a YAML form");
    text
}

/// The values as documents of one YAML stream.
pub(crate) fn print_all(values: &[Value]) -> String {
    values.iter().map(print).collect::<Vec<_>>().join("---\n")
}

/// The documents of a YAML stream; empty ones are left out.
pub(crate) fn parse_all(text: &str) -> Result<Vec<Value>, serde_saphyr::Error> {
    let mut values: Vec<Value> = serde_saphyr::from_multiple(text)?;
    values.retain(|value| !value.is_null());
    Ok(values)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn keeps_strings_that_look_like_something_else() {
        // YAML 1.1, which Go's parsers follow, has more words for true, and numbers with colons and leading zeros.
        let value = json!({"a": "true", "b": "yes", "c": "0x1f", "d": "1e3", "e": "012", "f": "10:30", "g": "", "h": "null", "i": "0%"});
        assert_eq!(parse_all(&print(&value)).unwrap(), std::slice::from_ref(&value));
        for line in print(&value).lines().take(8) {
            assert!(line.ends_with(['"', '\'']), "{line}");
        }
    }

    #[test]
    fn keeps_text_of_several_lines() {
        let value = json!({"Corefile": ".:53 {\n    errors\n}\n", "long": "word ".repeat(40)});
        assert_eq!(parse_all(&print(&value)).unwrap(), [value]);
    }

    #[test]
    fn sorts_keys_and_leaves_out_empty_documents() {
        let values = [json!({"b": 1, "a": [{"d": 2, "c": 3}]}), json!({"e": 4})];
        assert_eq!(print_all(&values), "a:\n- c: 3\n  d: 2\nb: 1\n---\ne: 4\n");
        assert_eq!(parse_all(&format!("---\n{}---\n---\n", print_all(&values))).unwrap(), values);
    }
}
