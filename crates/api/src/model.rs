//! The objects that messages carry, field by field as the protocol names them.

use serde::{Deserialize, Serialize};

/// Versions: the CLI sends its own first, the server the rest.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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
    /// Ports of the host that lead into it, as `127.0.0.1:8080:30080/tcp`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ports: Vec<String>,
}

/// A node: a container that is a Kubernetes node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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

/// A pod.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Pod {
    /// Its name.
    pub name: String,
    /// Its uid.
    pub id: String,
    /// Its namespace.
    pub namespace: String,
    /// Its address; empty before it has one.
    pub address: String,
    /// As `kubectl get pods` prints it: the phase, or the reason why a container does not run.
    pub status: String,
    /// How many of its containers are ready.
    pub ready: u32,
    /// How many of its containers have started.
    pub started: u32,
    /// The node it is on; empty before it is scheduled.
    pub node: String,
    /// That node's state; empty before it is scheduled.
    pub node_status: String,
    /// The name of its cluster.
    pub cluster: String,
    /// Whose it is.
    pub user: String,
    /// The id of its cluster.
    pub cluster_id: String,
    /// Its labels, each as `app=web`; absent where it has none.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub labels: Vec<String>,
}

/// A port of a Service, or a Service without ports.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Service {
    /// Its name.
    pub name: String,
    /// Its uid.
    pub id: String,
    /// Its namespace.
    pub namespace: String,
    /// Its address in the cluster; `None` for a headless one.
    pub address: String,
    /// Its address outside the cluster; empty where it has none.
    pub external_address: String,
    /// As `ClusterIP`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The port's name; empty where it has none.
    pub port_name: String,
    /// The port.
    pub port_number: u16,
    /// The port of the pods; 0 where they name it.
    pub target_port: u16,
    /// The port of every node; 0 where there is none.
    pub node_port: u16,
    /// As `TCP`.
    pub protocol: String,
    /// The name of its cluster.
    pub cluster: String,
    /// Whose it is.
    pub user: String,
    /// The id of its cluster.
    #[serde(default)]
    pub cluster_id: String,
    /// The labels of the pods it leads to, each as `app=web`; absent where it names none.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub selector: Vec<String>,
}

/// A network: a cluster's own, or one of the host's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Network {
    /// Its name: the cluster's, or the host's interface.
    pub name: String,
    /// Docker's id, or the number of the interface.
    pub id: String,
    /// As `10.201.0.0/24`; with IPv6 the range of that follows, after a comma. Of the host, the address with its prefix.
    pub subnet: String,
    /// `ready`, or of the host the state of the interface.
    pub state: String,
    /// Whose it is; empty for one of the host's.
    pub user: String,
    /// The id of its cluster; empty for one of the host's.
    #[serde(default)]
    pub cluster_id: String,
}

/// A connection to the server, in one of its mirrors.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Client {
    /// Since when, in seconds since the epoch.
    pub timestamp: i64,
    /// Who it is.
    pub user: String,
    /// The mirror.
    pub mirror: String,
    /// 1: it may send commands.
    pub control: u8,
    /// Its address.
    pub address: String,
    /// What it calls itself.
    pub agent: String,
    /// The line of its latest command; empty before the first.
    pub command: String,
    /// The id of that command; empty before the first.
    pub command_id: String,
    /// The server's process.
    pub process_id: u32,
    /// The id of the task that ran its latest command.
    pub thread_id: i64,
    /// The connection's id.
    pub wsi: String,
    /// 1: it came over HTTP/2.
    pub wss_over_h2: u8,
    /// The API's host.
    pub host: String,
}

/// An image nodes are made from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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

/// A registry that the nodes of a user's clusters know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Registry {
    /// As names of images begin with it: `localhost:5000`.
    pub name: String,
    /// Where it is found: `http://127.0.0.1:5000`.
    pub address: String,
    /// Whether that is the loopback of the API's host, so that nodes reach it through the API.
    pub host: bool,
    /// Whose it is.
    pub user: String,
}

/// What a node or a pod uses just now, as the kernel counts it (control groups).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Usage {
    /// What it is the usage of.
    pub kind: UsageKind,
    /// The object's name.
    pub name: String,
    /// The object's id.
    pub id: String,
    /// The pod's namespace; empty for a node.
    pub namespace: String,
    /// The node's name; of a pod, the one it is on.
    pub node: String,
    /// Cores, on average since the sample before: 1.5 is one and a half.
    pub cpu: f64,
    /// Bytes, without those of file caches that the kernel can take back at any time (Kubernetes' "working set").
    pub memory: u64,
    /// The name of its cluster.
    pub cluster: String,
    /// Whose it is.
    pub user: String,
    /// The id of its cluster.
    pub cluster_id: String,
}

/// What a usage is the usage of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum UsageKind {
    /// A node, with all that runs on it.
    Node,
    /// A pod.
    Pod,
}

/// The state of a cluster or a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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
    /// Gone.
    Deleted,
}

/// What a reference is compared with ([`crate::name::ObjectReference`]).
pub trait Named {
    /// The object's name.
    fn name(&self) -> &str;
    /// The object's id.
    fn id(&self) -> &str;
    /// The name and the id of the cluster it is part of; of a cluster, its own.
    fn cluster(&self) -> (&str, &str);
}

macro_rules! named {
    ($($row:ty: $cluster:ident, $cluster_id:ident;)*) => {$(
        impl Named for $row {
            fn name(&self) -> &str {
                &self.name
            }
            fn id(&self) -> &str {
                &self.id
            }
            fn cluster(&self) -> (&str, &str) {
                (&self.$cluster, &self.$cluster_id)
            }
        }
    )*};
}
named! {
    Cluster: name, id;
    Node: cluster, cluster_id;
    Pod: cluster, cluster_id;
    Service: cluster, cluster_id;
    Network: name, cluster_id;
    Usage: cluster, cluster_id;
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
            Self::Deleted => "deleted",
        })
    }
}
