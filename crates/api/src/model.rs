//! The objects that messages carry, field by field as the protocol names them.

use serde::{Deserialize, Serialize};

/// Versions: the CLI sends its own first, the server the rest.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Version {
    /// Of the CLI.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub qbo_cli: Option<String>,
    /// Of Docker Engine's API, as `1.41`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub docker_api: Option<String>,
    /// Of Docker Engine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub docker_version: Option<String>,
    /// Of the server.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub qbo_api: Option<String>,
    /// The host the server runs on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
}

/// A cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cluster {
    /// The address of its API server, as `https://10.201.0.2:6443`.
    pub address: String,
    /// The name of its control plane node.
    pub control_plane: String,
    /// A uuid.
    pub id: String,
    /// Its name, unique per user.
    pub name: String,
    /// What it is doing.
    pub state: State,
    /// Whose it is.
    pub user: String,
}

/// A node: a container that is a Kubernetes node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    /// The full name, which is also the container's and the Kubernetes Node's.
    pub name: String,
    /// The Docker container's id.
    pub id: String,
    /// The image it was made from.
    pub image: String,
    /// The name of its cluster.
    pub cluster: String,
    /// What it is doing.
    pub state: State,
    /// Its address on the cluster's network.
    pub address: String,
    /// The operating system of the image, as Kubernetes reports it.
    pub os: String,
    /// The host's kernel.
    pub kernel: String,
    /// Whose it is.
    pub user: String,
    /// The id of its cluster.
    pub cluster_id: String,
}

/// An image nodes are made from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Image {
    /// As `hub.docker.com/kindest/node:v1.27.2`.
    pub name: String,
    /// The registry's host.
    pub registry: String,
    /// The first path component.
    pub user: String,
    /// What stands between user and image.
    pub repository: String,
    /// The last path component.
    pub image: String,
    /// The tag.
    pub tag: String,
    /// Whether this host holds it.
    pub local: bool,
}

/// The state of a cluster or a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Being made.
    Creating,
    /// Running, and Kubernetes says Ready.
    Ready,
    /// Running, but Kubernetes says it is not Ready.
    NotReady,
    /// Being started.
    Starting,
    /// Being stopped.
    Stopping,
    /// Not running.
    Stopped,
    /// Being removed.
    Deleting,
    /// Failed and kept for looking.
    Error,
    /// Running, but its API server does not answer.
    Unknown,
}

impl std::fmt::Display for State {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Creating => "creating",
            Self::Ready => "ready",
            Self::NotReady => "not_ready",
            Self::Starting => "starting",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
            Self::Deleting => "deleting",
            Self::Error => "error",
            Self::Unknown => "unknown",
        })
    }
}
