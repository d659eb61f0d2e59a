//! Taking capabilities out of `config.json` (a container) or `process.json` (a process in one).
//!
//! Formats: <https://github.com/opencontainers/runtime-spec/blob/main/config.md#linux-process>. The former
//! holds the latter under `process`.

use serde_json::Value;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

const SETS: [&str; 5] = ["bounding", "effective", "permitted", "inheritable", "ambient"];

/// Rewrites `file` without the capabilities `missing`, at once or not at all.
///
/// A file that names none of them is left untouched; so is one that cannot be read or understood, since
/// runc, which reads it next, explains that better.
pub(crate) fn remove_capabilities(file: &Path, missing: &[&str]) -> io::Result<()> {
    let Ok(text) = fs::read_to_string(file) else {
        return Ok(());
    };
    // Spares parsing, which takes most of the time, for the common unprivileged process.
    if !missing.iter().any(|name| text.contains(name)) {
        return Ok(());
    }
    let Ok(mut document) = serde_json::from_str::<Value>(&text) else {
        return Ok(());
    };
    if !remove(&mut document, missing) {
        return Ok(());
    }
    replace(file, &serde_json::to_vec(&document)?)
}

/// Whether anything was removed.
fn remove(document: &mut Value, missing: &[&str]) -> bool {
    let process = match document.get_mut("process") {
        Some(process) => process,
        None => document,
    };
    let Some(capabilities) = process.get_mut("capabilities") else {
        return false;
    };
    let mut removed = false;
    for set in SETS {
        if let Some(Value::Array(names)) = capabilities.get_mut(set) {
            let before = names.len();
            names.retain(|name| !name.as_str().is_some_and(|name| missing.contains(&name)));
            removed |= names.len() != before;
        }
    }
    removed
}

/// A reader sees the old file or the new one, never a part.
fn replace(file: &Path, content: &[u8]) -> io::Result<()> {
    let mut name = file.file_name().unwrap_or_default().to_owned();
    name.push(format!(".qbo-runc-{}", std::process::id()));
    let new = file.with_file_name(name);

    let written = write_new(&new, content, fs::metadata(file)?.permissions()).and_then(|()| fs::rename(&new, file));
    if written.is_err() {
        // The failure that led here is the one to tell.
        let _ = fs::remove_file(&new);
    }
    written
}

fn write_new(new: &Path, content: &[u8], permissions: fs::Permissions) -> io::Result<()> {
    // An environment with secrets may be in it: nobody reads along before the permissions are right.
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(new)?;
    file.write_all(content)?;
    file.set_permissions(permissions)
}

#[cfg(test)]
mod tests {
    use super::remove_capabilities;
    use serde_json::{Value, json};
    use std::fs;
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    use std::path::PathBuf;

    const MISSING: &[&str] = &["CAP_SYS_RESOURCE"];

    /// A directory of the test's own, gone with it.
    struct Directory(PathBuf);

    impl Directory {
        fn new(test: &str) -> Self {
            let path = std::env::temp_dir().join(format!("qbo-runc-{}-{test}", std::process::id()));
            fs::create_dir_all(&path).unwrap();
            Self(path)
        }

        fn file(&self, content: &str) -> PathBuf {
            let file = self.0.join("config.json");
            fs::write(&file, content).unwrap();
            file
        }
    }

    impl Drop for Directory {
        fn drop(&mut self) {
            fs::remove_dir_all(&self.0).unwrap();
        }
    }

    fn read(file: &PathBuf) -> Value {
        serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap()
    }

    #[test]
    fn a_container_loses_them_in_every_set_and_nothing_else() {
        let directory = Directory::new("container");
        let all = json!(["CAP_CHOWN", "CAP_SYS_RESOURCE", "CAP_KILL"]);
        let some = json!(["CAP_CHOWN", "CAP_KILL"]);
        let document = |set: &Value| {
            json!({
                "ociVersion": "1.0.2",
                "annotations": {"why": "CAP_SYS_RESOURCE"},
                "process": {
                    "args": ["/sbin/init"],
                    "capabilities": {
                        "bounding": set, "effective": set, "permitted": set,
                        "inheritable": set, "ambient": set,
                    },
                    "rlimits": [{"type": "RLIMIT_NOFILE", "hard": u64::MAX, "soft": -1}],
                },
            })
        };
        let file = directory.file(&document(&all).to_string());
        remove_capabilities(&file, MISSING).unwrap();
        assert_eq!(read(&file), document(&some));
    }

    #[test]
    fn a_process_loses_them_too() {
        let directory = Directory::new("process");
        let file =
            directory.file(&json!({"args": ["ls"], "capabilities": {"bounding": ["CAP_SYS_RESOURCE"]}}).to_string());
        remove_capabilities(&file, MISSING).unwrap();
        assert_eq!(read(&file), json!({"args": ["ls"], "capabilities": {"bounding": []}}));
    }

    #[test]
    fn permissions_stay_and_nothing_is_left_beside() {
        let directory = Directory::new("permissions");
        let file = directory.file(r#"{"capabilities":{"effective":["CAP_SYS_RESOURCE"]}}"#);
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
        remove_capabilities(&file, MISSING).unwrap();
        assert_eq!(fs::metadata(&file).unwrap().mode() & 0o7777, 0o640);
        assert_eq!(fs::read_dir(&directory.0).unwrap().count(), 1);
    }

    #[test]
    fn a_file_without_them_is_left_untouched() {
        let directory = Directory::new("untouched");
        for text in [
            r#"{ "process": {"capabilities": {"bounding": ["CAP_CHOWN"]}} }"#,
            r#"{ "process": {"args": ["echo", "CAP_SYS_RESOURCE"]} }"#,
            r#"{ "capabilities": "CAP_SYS_RESOURCE" }"#,
            r#"{ "capabilities": {"bounding": ["CAP_SYS_RESOURCE"]"#,
            "CAP_SYS_RESOURCE",
            "",
        ] {
            let file = directory.file(text);
            let inode = fs::metadata(&file).unwrap().ino();
            remove_capabilities(&file, MISSING).unwrap();
            assert_eq!(fs::read_to_string(&file).unwrap(), text);
            assert_eq!(fs::metadata(&file).unwrap().ino(), inode, "{text}");
        }
    }

    #[test]
    fn a_file_that_is_not_there_is_for_runc_to_tell() {
        let directory = Directory::new("absent");
        assert!(remove_capabilities(&directory.0.join("config.json"), MISSING).is_ok());
    }
}
