//! One server to a state directory: two would write each other's kubeconfigs.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// The right to a state directory, until it is dropped or the process ends, however it does.
#[derive(Debug)]
pub struct Instance {
    _lock: File,
}

/// Why a state directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum InstanceError {
    /// Another server uses it.
    #[error("another qbo-api uses '{0}'; stop that one, or start this with another --state-directory")]
    Taken(PathBuf),
    /// It cannot be made or written.
    #[error("the state directory '{0}' cannot be used: {1}")]
    Unusable(PathBuf, #[source] io::Error),
}

impl Instance {
    /// Makes the directory where it is missing, for its owner alone, and claims it.
    pub fn claim(directory: &Path) -> Result<Self, InstanceError> {
        let unusable = |error| InstanceError::Unusable(directory.into(), error);
        DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(unusable)?;
        let path = directory.join("api.lock");
        let lock = OpenOptions::new().create(true).truncate(false).write(true).open(path).map_err(unusable)?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(InstanceError::Taken(directory.into())),
            Err(TryLockError::Error(error)) => Err(unusable(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_server_at_a_time() {
        let parent = tempfile::tempdir().unwrap();
        let directory = parent.path().join("a/b");
        let first = Instance::claim(&directory).unwrap();
        assert!(matches!(Instance::claim(&directory), Err(InstanceError::Taken(_))));
        drop(first);
        assert!(Instance::claim(&directory).is_ok());
        let file = directory.join("api.lock");
        assert!(matches!(Instance::claim(&file), Err(InstanceError::Unusable(..))));
    }
}
