//! Is this host fit for clusters, and if not, what cures it: the content of `qbo test host`.
//!
//! Everything is read from files below a root and asked of the Docker daemon; nothing is changed, no
//! kernel module is loaded. [`check`] gathers the judgements of [`kernel`], [`cgroup`], [`capability`],
//! [`limit`], [`docker`] and [`resource`], in the order in which a person would cure them. The crate stands
//! beside the way of a command: the server answers with it, and the CLI does where no server runs.

mod capability;
mod cgroup;
mod docker;
mod host;
mod kernel;
mod limit;
mod resource;

#[cfg(test)]
mod golden;

pub use host::{Host, free_space};
use serde::Serialize;

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// As it should be.
    Good,
    /// Clusters work, but not all of their features, or not many at once.
    Warning,
    /// No cluster can be made.
    Bad,
}

/// One judgement of the host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What was looked at.
    pub name: &'static str,
    /// How it stands.
    pub level: Level,
    /// What was found.
    pub found: String,
    /// What to do about it, where something is to be done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cure: Option<String>,
}

impl Check {
    fn good(name: &'static str, found: impl Into<String>) -> Self {
        Self { name, level: Level::Good, found: found.into(), cure: None }
    }

    fn warning(name: &'static str, found: impl Into<String>, cure: impl Into<String>) -> Self {
        Self { name, level: Level::Warning, found: found.into(), cure: Some(cure.into()) }
    }

    fn bad(name: &'static str, found: impl Into<String>, cure: impl Into<String>) -> Self {
        Self { name, level: Level::Bad, found: found.into(), cure: Some(cure.into()) }
    }
}

/// Looks at everything a cluster needs of `host`.
///
/// Blocks for the time the Docker daemon takes to answer, at most ten seconds for each of two questions.
pub fn check(host: &Host) -> Vec<Check> {
    let docker = docker::ask(&host.docker);
    let facts = docker.as_ref().ok();

    let mut checks = vec![kernel::version(host)];
    checks.extend(kernel::features(host));
    checks.push(cgroup::check(host));
    checks.push(capability::check(host, facts));
    checks.extend(limit::check(host));
    checks.extend(docker::check(&docker, &host.docker));
    checks.push(limit::forwarding(host, facts.is_some()));
    checks.extend(resource::check(host, facts.map(|facts| facts.root.as_path())));
    checks
}
