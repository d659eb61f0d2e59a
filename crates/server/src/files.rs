//! Open files: each connection takes one, and a process may have fewer than its administrator allows it to have.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Files beside those of connections: the engine, API servers, registries, the image builder.
const BESIDE: u64 = 256;

/// Why so many connections cannot be.
#[derive(Debug, thiserror::Error)]
pub enum FilesError {
    /// The administrator allows fewer files.
    #[error(
        "{connections} connections take {needed} open files, and this process may have {allowed}; raise that (ulimit -Hn, \
         or LimitNOFILE of its service), or start with fewer --connections"
    )]
    TooFew {
        /// Connections there are to be.
        connections: u32,
        /// Files they take, with all others.
        needed: u64,
        /// Files there may be.
        allowed: u64,
    },
    /// The kernel refuses.
    #[error("the limit of open files cannot be raised: {0}")]
    Refused(#[from] rustix::io::Errno),
}

/// Sees to it that as many connections can be open at once.
pub fn provide(connections: u32) -> Result<(), FilesError> {
    let limit = getrlimit(Resource::Nofile);
    match enough(limit, connections)? {
        Some(limit) => Ok(setrlimit(Resource::Nofile, limit)?),
        None => Ok(()),
    }
}

/// The limit that is needed; none where the present one is enough. `None` in a limit is no limit.
fn enough(limit: Rlimit, connections: u32) -> Result<Option<Rlimit>, FilesError> {
    let needed = u64::from(connections) + BESIDE;
    match (limit.current, limit.maximum) {
        (None, _) => Ok(None),
        (Some(current), _) if current >= needed => Ok(None),
        (Some(_), Some(allowed)) if allowed < needed => Err(FilesError::TooFew { connections, needed, allowed }),
        (Some(_), maximum) => Ok(Some(Rlimit { current: Some(needed), maximum })),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(current: u64, maximum: Option<u64>) -> Rlimit {
        Rlimit { current: Some(current), maximum }
    }

    #[test]
    fn the_limit_is_raised_as_far_as_it_must_be() {
        assert_eq!(enough(limit(1024, Some(4096)), 512).unwrap(), None);
        assert_eq!(enough(Rlimit { current: None, maximum: None }, 10_000).unwrap(), None);
        assert_eq!(enough(limit(1024, Some(20_000)), 10_000).unwrap(), Some(limit(10_256, Some(20_000))));
        assert_eq!(enough(limit(1024, None), 10_000).unwrap(), Some(limit(10_256, None)));
    }

    #[test]
    fn what_cannot_be_is_refused_with_what_would_be_right() {
        let refused = enough(limit(1024, Some(4096)), 10_000).unwrap_err().to_string();
        assert!(
            refused.starts_with("10000 connections take 10256 open files, and this process may have 4096;"),
            "{refused}"
        );
        assert!(refused.contains("LimitNOFILE") && refused.ends_with("fewer --connections"), "{refused}");
    }
}
