//! Files that tell of a cluster what a line would be too long for: qbo's own form, and that of `kind`, as far as qbo can do what it says.
//!
//! A client reads the file and sends its text beside the line, for the server reads nothing of its clients' hosts. What such a file says
//! and qbo cannot do is refused with the place where it stands, never left out.

mod kind;
mod operations;
mod own;
mod patches;

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::command::{ControlPlaneCount, NodeCount};
use crate::components::Components;
use crate::image::ImageReference;
use crate::name::{ClusterName, Domain, NameError};
use crate::settings::{NodeSettings, Settings};
use crate::wanted::Member;

/// The largest file, in bytes: a request has room for it.
pub const FILE_LIMIT: usize = 32 * 1024;

/// How a file is called by its owner; `-` for standard input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileName(String);

/// What a file says of a cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClusterFile {
    /// Its name.
    pub name: Option<ClusterName>,
    /// Its node image.
    pub image: Option<ImageReference>,
    /// The domain of its nodes' names.
    pub domain: Option<Domain>,
    /// Keep what was made when the add fails.
    pub retain: bool,
    /// How many nodes, where they are not listed.
    pub nodes: Option<NodeCount>,
    /// How many of them are control planes.
    pub control_planes: Option<ControlPlaneCount>,
    /// Its nodes, where they are listed.
    pub members: Vec<Member>,
    /// What else is asked of it.
    pub settings: Settings,
    /// What more is asked of its first control plane.
    pub first: NodeSettings,
    /// What more is asked of its other nodes.
    pub rest: NodeSettings,
    /// What is asked of its components.
    pub components: Components,
}

/// A file that tells of no cluster, or of one that cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{problem}; {cure}")]
pub struct FileError {
    /// What is wrong, and where.
    pub problem: String,
    /// What would be right.
    pub cure: String,
}

/// What a file begins with.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Head {
    #[serde(default)]
    kind: String,
    #[serde(default)]
    api_version: String,
}

impl ClusterFile {
    /// The text of a file as others can read it: with relative paths of the host, which `kind` takes to be of the directory it runs in,
    /// made whole by this directory. Nothing else is changed, and a text without such paths not at all.
    pub fn located(text: String, directory: &Path) -> String {
        kind::located(&text, directory).unwrap_or(text)
    }

    /// Reads the text of a file.
    pub fn read(text: &str) -> Result<Self, FileError> {
        if text.len() > FILE_LIMIT {
            let problem = format!("the file has {} bytes", text.len());
            return Err(FileError::new(problem, format!("at most {FILE_LIMIT} are read")));
        }
        let Head { kind, api_version } = parse(text)?;
        match (kind.as_str(), api_version.as_str()) {
            ("Cluster", own::API_VERSION) => own::read(text),
            ("Cluster", kind::API_VERSION) => kind::read(text),
            _ => {
                let problem = format!("'{kind}' of '{api_version}' is no cluster");
                let cure = format!(
                    "begin with kind: Cluster and apiVersion: {}, or that of kind: {}",
                    own::API_VERSION,
                    kind::API_VERSION
                );
                Err(FileError::new(problem, cure))
            }
        }
    }
}

impl FileError {
    pub(crate) fn new(problem: impl Into<String>, cure: impl Into<String>) -> Self {
        Self { problem: problem.into(), cure: cure.into() }
    }

    /// A field that means something, but nothing that can be done here.
    fn at(path: &str, problem: impl fmt::Display, cure: impl Into<String>) -> Self {
        Self::new(format!("{path}: {problem}"), cure)
    }
}

/// Reads one document, strictly.
fn parse<T: DeserializeOwned>(text: &str) -> Result<T, FileError> {
    serde_saphyr::from_str(text).map_err(|error| {
        let place =
            error.location().map(|location| format!(" (line {}, column {})", location.line(), location.column()));
        let message = error.without_snippet().to_string();
        let first = message.lines().next().unwrap_or_default();
        // The library says the place behind its words, in words of its own.
        let words = first.rsplit_once(" at line ").map_or(first, |(words, _)| words).trim_end_matches(',');
        FileError::new(
            format!("{words}{}", place.unwrap_or_default()),
            "the fields are told by: qbo add cluster --help, README",
        )
    })
}

/// What control planes an etcd can have: their number as nodes are listed.
fn check_members(members: &[Member]) -> Result<(), FileError> {
    let control_planes = members.iter().filter(|member| member.control_plane).count();
    let count = |count: usize| u16::try_from(count).ok();
    if members.is_empty() || count(control_planes).and_then(ControlPlaneCount::new).is_some() {
        if count(members.len()).is_some_and(|count| count <= NodeCount::LIMIT) {
            return Ok(());
        }
        return Err(FileError::at(
            "nodes",
            format!("{} are too many", members.len()),
            format!("at most {}", NodeCount::LIMIT),
        ));
    }
    Err(FileError::at(
        "nodes",
        format!("{control_planes} control planes"),
        "1, 3, 5 or 7 are possible: etcd needs a majority",
    ))
}

impl FileName {
    /// As its owner wrote it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for FileName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        if text.is_empty() || text.len() > 4096 || text.contains('\0') {
            return Err(NameError::new("file", text, "is no name of a file"));
        }
        Ok(Self(text.into()))
    }
}

/// One word, whatever it is: only its owner can open it.
impl fmt::Display for FileName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plain = |character: char| if character.is_whitespace() || character.is_control() { '_' } else { character };
        formatter.write_str(&self.0.chars().map(plain).collect::<String>())
    }
}

#[cfg(test)]
mod tests;
