//! Logs that the server exports, written into a directory of the user's choice. The server names files below it; what would
//! lie elsewhere is not written.

use std::collections::HashSet;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Component, Path, PathBuf};

use qbo_api::command::{ExportLogs, Selection};

use crate::failure::Failure;

/// Where logs are written where nobody says where.
const DEFAULT: &str = "qbo-logs";

/// A directory that is written into.
#[derive(Debug)]
pub(crate) struct Directory {
    path: PathBuf,
    begun: HashSet<PathBuf>,
}

impl Directory {
    /// The directory of a command, which must hold nothing yet of the clusters it names.
    pub(crate) fn prepare(export: &ExportLogs) -> Result<Self, Failure> {
        let path = PathBuf::from(export.directory.as_ref().map_or(DEFAULT, |path| path.as_str()));
        if let Selection::Named(clusters) = &export.selection {
            for cluster in clusters {
                let own = path.join(cluster.as_str());
                if own.exists() {
                    return Err(taken(&own));
                }
            }
        }
        let directory = DirBuilder::new().recursive(true).mode(0o700).create(&path);
        directory.map_err(|error| failed(&path, &error))?;
        Ok(Self { path, begun: HashSet::new() })
    }

    /// Where it is, for people.
    pub(crate) fn shown(&self) -> String {
        fs::canonicalize(&self.path).unwrap_or_else(|_| self.path.clone()).display().to_string()
    }

    /// How many files were written.
    pub(crate) fn files(&self) -> usize {
        self.begun.len()
    }

    /// Writes what follows in a file.
    pub(crate) fn write(&mut self, file: &str, text: &str) -> Result<(), Failure> {
        let relative = Path::new(file);
        let below = relative.components().all(|component| matches!(component, Component::Normal(_)));
        if file.is_empty() || !below {
            return Err(Failure::host(format!("the server names a file '{file}', which is none of a log"), ""));
        }
        let path = self.path.join(relative);
        let first = !self.begun.contains(relative);
        if let Some(directory) = path.parent().filter(|_| first) {
            let made = DirBuilder::new().recursive(true).mode(0o700).create(directory);
            made.map_err(|error| failed(directory, &error))?;
        }
        let opened = OpenOptions::new().append(true).create_new(first).mode(0o600).open(&path);
        let written = opened.and_then(|mut opened| opened.write_all(text.as_bytes()));
        written.map_err(|error| match error.kind() {
            ErrorKind::AlreadyExists => taken(&path),
            _ => failed(&path, &error),
        })?;
        if first {
            self.begun.insert(relative.to_owned());
        }
        Ok(())
    }
}

fn taken(path: &Path) -> Failure {
    Failure::user(format!("{} is there already", path.display()), "remove it, or name another directory: -d DIRECTORY")
}

fn failed(path: &Path, error: &std::io::Error) -> Failure {
    Failure::user(format!("{} cannot be written: {error}", path.display()), "name another directory: -d DIRECTORY")
}

#[cfg(test)]
mod tests {
    use qbo_api::command::Command;
    use qbo_api::grammar::parse_words;

    use super::*;

    fn prepare(path: &Path) -> Result<Directory, Failure> {
        match parse_words(&["export", "logs", "alex", "-d", path.to_str().unwrap()]).unwrap() {
            Command::ExportLogs(export) => Directory::prepare(&export),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn pieces_follow_each_other() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("my logs");
        let mut directory = prepare(&path).unwrap();
        for (file, text) in [("alex/a.log", "one "), ("alex/nodes/b.log", "b"), ("alex/a.log", "two")] {
            directory.write(file, text).unwrap();
        }
        assert_eq!(fs::read_to_string(path.join("alex/a.log")).unwrap(), "one two");
        assert_eq!(directory.files(), 2);
        assert!(prepare(&path).unwrap_err().problem.ends_with("alex is there already"));
    }

    #[test]
    fn nothing_lies_elsewhere() {
        let parent = tempfile::tempdir().unwrap();
        let mut directory = prepare(&parent.path().join("logs")).unwrap();
        for file in ["", "../a", "/etc/a", "alex/../../a", "./a"] {
            assert!(directory.write(file, "x").is_err(), "{file}");
        }
        assert_eq!(fs::read_dir(parent.path().join("logs")).unwrap().count(), 0);
        fs::create_dir(parent.path().join("logs/alex")).unwrap();
        fs::write(parent.path().join("logs/alex/a"), "old").unwrap();
        assert!(directory.write("alex/a", "x").unwrap_err().problem.ends_with("is there already"));
        assert_eq!(fs::read_to_string(parent.path().join("logs/alex/a")).unwrap(), "old");
    }
}
