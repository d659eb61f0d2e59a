//! The host as the checks see it: files below a root, a Docker socket, and free space.

use rustix::fs::statvfs;
use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Where Docker listens unless told otherwise.
const DOCKER_SOCKET: &str = "/var/run/docker.sock";

/// A host to look at.
#[derive(Debug)]
pub struct Host {
    root: PathBuf,
    pub(crate) docker: PathBuf,
    pub(crate) free_space: fn(&Path) -> io::Result<u64>,
}

impl Host {
    /// The host this process runs on, with the Docker daemon that `DOCKER_HOST` names if it is a local one.
    pub fn this() -> Self {
        let named = env::var("DOCKER_HOST").unwrap_or_default();
        let docker = named.strip_prefix("unix://").unwrap_or(DOCKER_SOCKET).into();
        Self { root: "/".into(), docker, free_space }
    }

    /// A host made of files, for tests.
    #[cfg(test)]
    pub(crate) fn fake(root: &Path, docker: &Path) -> Self {
        Self { root: root.into(), docker: docker.into(), free_space: |_| Ok(40 << 30) }
    }

    /// The text of a file, which may be absent on this kernel.
    pub(crate) fn read(&self, path: &str) -> Option<String> {
        fs::read_to_string(self.path(path)).ok()
    }

    /// The number a file holds.
    pub(crate) fn number(&self, path: &str) -> Option<u64> {
        self.read(path)?.trim().parse().ok()
    }

    pub(crate) fn exists(&self, path: &str) -> bool {
        self.path(path).exists()
    }

    /// Where `path`, an absolute one, lies.
    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }

    /// The directory under `/proc` of the Docker daemon, or of this process where no daemon is known.
    ///
    /// Containers inherit limits and capabilities from the daemon, which need not have those of the one who asks.
    pub(crate) fn daemon(&self) -> String {
        self.number("/run/docker.pid")
            .map(|id| format!("/proc/{id}"))
            .filter(|process| self.read(&format!("{process}/comm")).is_some_and(|name| name.trim() == "dockerd"))
            .unwrap_or_else(|| "/proc/self".into())
    }
}

/// Bytes that users without privileges may still write where `path` is, or will be.
pub fn free_space(path: &Path) -> io::Result<u64> {
    let existing = path.ancestors().find(|path| path.exists()).unwrap_or(Path::new("/"));
    let status = statvfs(existing)?;
    Ok(status.f_bavail * status.f_frsize)
}
