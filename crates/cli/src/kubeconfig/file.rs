//! A kubeconfig on disk: locked as kubectl locks it, and written at once or not at all.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::failure::Failure;

/// How long another program may hold the lock, and how often it is looked at: the lock is a file that only is there or not.
const PATIENCE: Duration = Duration::from_secs(5);
const PACE: Duration = Duration::from_millis(20);

/// A kubeconfig that nobody else writes; given back when dropped.
#[derive(Debug)]
pub(super) struct Locked {
    path: PathBuf,
    lock: PathBuf,
}

impl Locked {
    /// Locks a kubeconfig, which need not be there yet; of a link, what it points to.
    pub(super) fn take(path: PathBuf) -> Result<Self, Failure> {
        let path = fs::canonicalize(&path).unwrap_or(path);
        let failed = |error: &io::Error| Failure::user(format!("{} cannot be written: {error}", path.display()), "");
        if let Some(directory) = path.parent() {
            DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(|error| failed(&error))?;
        }
        let mut lock = path.clone().into_os_string();
        lock.push(".lock");
        let lock = PathBuf::from(lock);
        let deadline = Instant::now() + PATIENCE;
        loop {
            match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&lock) {
                Ok(_) => return Ok(Self { path, lock }),
                Err(error) if error.kind() == ErrorKind::AlreadyExists && Instant::now() < deadline => {
                    std::thread::sleep(PACE);
                }
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                    let problem = format!("another program holds {}", lock.display());
                    return Err(Failure::user(problem, "where none does, it was left behind: remove it"));
                }
                Err(error) => return Err(failed(&error)),
            }
        }
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// What it says; nothing where it is not there.
    pub(super) fn read(&self) -> Result<String, Failure> {
        match fs::read_to_string(&self.path) {
            Ok(text) => Ok(text),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(String::new()),
            Err(error) => Err(Failure::user(
                format!("{} cannot be read: {error}", self.path.display()),
                "it is left as it is; name another: KUBECONFIG=…",
            )),
        }
    }

    /// Has it say something else, to its owner alone.
    pub(super) fn write(&self, text: &str) -> Result<(), Failure> {
        let mut beside = self.path.clone().into_os_string();
        // Nobody else has this name while the lock is held; what a killed one left is written over.
        beside.push(".qbo");
        let beside = PathBuf::from(beside);
        let write = || -> io::Result<()> {
            match fs::remove_file(&beside) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            fs::rename(&beside, &self.path)
        };
        write().map_err(|error| {
            // Nothing of it stays; what was there is as it was.
            let _ = fs::remove_file(&beside);
            Failure::user(format!("{} cannot be written: {error}", self.path.display()), "it is left as it was")
        })
    }
}

impl Drop for Locked {
    fn drop(&mut self) {
        // Whoever comes next says that it is there.
        let _ = fs::remove_file(&self.lock);
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn one_at_a_time_and_for_its_owner_alone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a/config");
        let locked = Locked::take(path.clone()).unwrap();
        assert!(directory.path().join("a/config.lock").exists());
        assert_eq!(locked.read().unwrap(), "");
        locked.write("hello").unwrap();
        locked.write("again").unwrap();
        drop(locked);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let names: Vec<_> =
            fs::read_dir(directory.path().join("a")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, ["config"]);
        assert_eq!(Locked::take(path).unwrap().read().unwrap(), "again");
    }

    #[test]
    fn a_link_stays_one() {
        let directory = tempfile::tempdir().unwrap();
        let (real, link) = (directory.path().join("real"), directory.path().join("config"));
        fs::write(&real, "old").unwrap();
        std::os::unix::fs::symlink(&real, &link).unwrap();
        Locked::take(link.clone()).unwrap().write("new").unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read_to_string(&real).unwrap(), "new");
    }

    #[test]
    fn a_lock_of_another_is_waited_for_and_then_told() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("config");
        let lock = directory.path().join("config.lock");
        fs::write(&lock, "").unwrap();
        let waiting = std::thread::spawn({
            let path = path.clone();
            move || Locked::take(path).map(drop)
        });
        fs::remove_file(&lock).unwrap();
        waiting.join().unwrap().unwrap();
    }
}
