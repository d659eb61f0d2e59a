//! What the making of a cluster waits for.

use std::fmt;
use std::str::FromStr;

use super::text_in_files;
use crate::name::NameError;

/// What the making of a cluster waits for before it is done; each waits for those before it too.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Wait {
    /// The API server answers and has been given all that belongs into a cluster.
    None,
    /// All nodes are Ready.
    Nodes,
    /// Cluster DNS answers: whatever is applied works.
    #[default]
    Dns,
}

impl FromStr for Wait {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        match text {
            "none" => Ok(Self::None),
            "nodes" => Ok(Self::Nodes),
            "dns" => Ok(Self::Dns),
            _ => Err(NameError::new("wait", text, "is none of none, nodes and dns; how long: --timeout 5m")),
        }
    }
}

impl fmt::Display for Wait {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::None => "none",
            Self::Nodes => "nodes",
            Self::Dns => "dns",
        })
    }
}

text_in_files!(Wait);
