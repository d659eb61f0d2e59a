//! What qbo needs of a container engine, in its own words.

use std::collections::HashMap;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::stream::BoxStream;
use ipnet::{Ipv4Net, Ipv6Net};
use qbo_api::components::SearchDomain;
use qbo_api::image::ImageReference;
use qbo_api::message::Code;
use qbo_api::settings::{HostMount, PortMapping};
use qbo_bootstrap::Resources;

use super::Progress;
use crate::address::ClusterNetwork;
use crate::error::Failure;

/// Labels of a container, a network or an image.
pub type Labels = HashMap<String, String>;

/// A container engine. Every call is one request (or one stream) and returns in bounded time, but for
/// [`Engine::pull`] and [`Engine::execute`], whose callers bound them.
#[async_trait]
pub trait Engine: Send + Sync + 'static {
    /// Asks the engine the least there is to ask: whether it answers.
    async fn ping(&self) -> Result<(), EngineError>;
    /// Version and place of the engine.
    async fn info(&self) -> Result<EngineInfo, EngineError>;

    /// All networks of the engine; those of other servers without labels, since they mean nothing here.
    async fn networks(&self) -> Result<Vec<Network>, EngineError>;
    /// Makes a bridge network, with IPv6 where a subnet of that is given, and returns its id. Whoever connects to it and names no
    /// address gets one that no cluster gives away.
    async fn create_network(&self, name: &str, network: ClusterNetwork, labels: &Labels)
    -> Result<String, EngineError>;
    /// Removes a network, and what somebody else connected to it from it; one that is not there is no error.
    async fn remove_network(&self, id: &str) -> Result<(), EngineError>;

    /// All containers of this server, running or not, that have this label.
    async fn containers(&self, label: &str) -> Result<Vec<Container>, EngineError>;
    /// Makes a node's container without starting it and returns its id.
    async fn create_container(&self, container: &NewContainer) -> Result<String, EngineError>;
    /// Makes the container of a cluster's balancer without starting it and returns its id: of a node's image, with this
    /// program in place of its own, and without a node's privileges.
    async fn create_balancer(&self, container: &NewContainer, program: &str) -> Result<String, EngineError>;
    /// Makes the container of a port of the host without starting it and returns its id: of a node's image, it passes on what
    /// comes in there to a port of this address. The port is taken only at its start.
    async fn create_port(
        &self,
        container: &NewContainer,
        port: &PortMapping,
        target: Ipv4Addr,
    ) -> Result<String, EngineError>;
    /// Why the host's containers cannot have IPv6; none where they can.
    async fn refuses_ipv6(&self) -> Option<String>;
    /// Makes a container that only waits, for looking into an image: without network and privileges, gone when it ends.
    async fn create_probe(&self, name: &str, image: &str) -> Result<String, EngineError>;
    /// Unpacks a tar archive at `/` of a container, running or not.
    async fn put_archive(&self, container: &str, tar: Vec<u8>) -> Result<(), EngineError>;
    /// Reads a file of a container, running or not; none where there is no such file.
    async fn read_file(&self, container: &str, path: &str) -> Result<Option<Vec<u8>>, EngineError>;
    /// Starts a container that was just made.
    async fn start_container(&self, container: &str) -> Result<(), EngineError>;
    /// Starts a container that was stopped: from now on it comes back when the engine starts anew. One that runs is no
    /// error.
    async fn resume_container(&self, container: &str) -> Result<(), EngineError>;
    /// Whether processes of a container were killed and are held back from their end, and it with them.
    async fn is_held_back(&self, container: &str) -> bool;
    /// Lets such a container end, and starts it anew unless it was to stay stopped; does nothing to any other.
    async fn release_container(&self, container: &str) -> Result<(), EngineError>;
    /// Asks a container to end, and ends it after `grace`; one that does not run is no error. It stays stopped also when
    /// the engine starts anew.
    async fn stop_container(&self, container: &str, grace: Duration) -> Result<(), EngineError>;
    /// Ends and removes a container with its anonymous volumes; one that is not there is no error.
    async fn remove_container(&self, container: &str) -> Result<(), EngineError>;
    /// Runs a program in a running container to its end.
    async fn execute(&self, container: &str, command: &[&str]) -> Result<Executed, EngineError>;
    /// The last lines a container wrote.
    async fn logs(&self, container: &str, lines: usize) -> Result<String, EngineError>;

    /// An image this host holds; none where it holds none of that name.
    async fn image(&self, name: &str) -> Result<Option<LocalImage>, EngineError>;
    /// All images with a name that this host holds.
    async fn images(&self) -> Result<Vec<LocalImage>, EngineError>;
    /// Pulls an image, with the credentials of the configured registry where it is of that one; `progress` gets a line
    /// now and then.
    async fn pull(&self, name: &str, progress: Progress<'_>) -> Result<(), EngineError>;
    /// Gives a name to an image this host holds, taking it from the image that had it.
    async fn tag_image(&self, id: &str, name: &ImageReference) -> Result<(), EngineError>;
    /// Takes a name from an image, and the image itself from this host where it was the last; one that is not there is
    /// no error.
    async fn remove_image(&self, name: &str) -> Result<(), EngineError>;
}

/// A container engine for who follows what happens in it, and changes nothing. All that it tells of is this server's own,
/// images aside.
#[async_trait]
pub trait Observe: Send + Sync + 'static {
    /// What happens from now on, and perhaps what happened a moment ago: so whoever lists objects after the first wait for
    /// an event misses nothing. Ends where the engine does.
    fn events(&self) -> BoxStream<'static, Result<EngineEvent, EngineError>>;
    /// All containers that have this label; a list does not tell since when they run.
    async fn containers(&self, label: &str) -> Result<Vec<Container>, EngineError>;
    /// All networks.
    async fn networks(&self) -> Result<Vec<Network>, EngineError>;
    /// All images with a name.
    async fn images(&self) -> Result<Vec<LocalImage>, EngineError>;
    /// A container by its id; none where there is none.
    async fn container(&self, id: &str) -> Result<Option<Container>, EngineError>;
    /// A network by its id; none where there is none.
    async fn network(&self, id: &str) -> Result<Option<Network>, EngineError>;
    /// A file of a container, running or not; none where there is no such file.
    async fn file(&self, container: &str, path: &str) -> Result<Option<Vec<u8>>, EngineError>;
}

/// Version and place of an engine.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EngineInfo {
    /// As `20.10.24`.
    pub version: String,
    /// Of its API, as `1.41`.
    pub api_version: String,
    /// Where it keeps images and containers.
    pub root_directory: String,
    /// What its host has.
    pub host: Resources,
}

/// Something that happened in an engine, to be looked at anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EngineEvent {
    /// The container of this id was made, started, ended or removed.
    Container(String),
    /// The container of this id runs from a moment on, or does not, and is otherwise as before or to be looked at anew.
    ContainerRuns {
        /// The engine's id.
        id: String,
        /// Whether it runs.
        runs: bool,
        /// Since when, by the clock of the host, which is the engine's.
        since: jiff::Timestamp,
    },
    /// The network of this id was made or removed.
    Network(String),
    /// An image came, went, or got another name.
    Image,
}

/// A network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Network {
    /// The engine's id.
    pub id: String,
    /// Its name; the engine does not keep names unique.
    pub name: String,
    /// Its IPv4 subnets.
    pub subnets: Vec<Ipv4Net>,
    /// Its IPv6 subnets.
    pub subnets_v6: Vec<Ipv6Net>,
    /// Its largest packet in bytes.
    pub mtu: u16,
    /// Its labels.
    pub labels: Labels,
}

/// A container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Container {
    /// The engine's id: 64 hex digits.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The image as it was named when the container was made.
    pub image: String,
    /// Whether it runs.
    pub running: bool,
    /// When it was started last, in seconds since the epoch; 0 where that is not known, as of a list.
    pub started: i64,
    /// The id of its first process, on the engine's host; 0 where it does not run, or that is not known, as of a list.
    pub process: u32,
    /// Its labels.
    pub labels: Labels,
}

/// A node's container to be made. All that nodes have in common (privileges, temporary file systems, the volume of
/// `/var`, the restart policy) the driver knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewContainer {
    /// Its name, which is also its hostname.
    pub name: String,
    /// The image.
    pub image: String,
    /// The network's name.
    pub network: String,
    /// Its fixed address on that network.
    pub address: Ipv4Addr,
    /// Its labels.
    pub labels: Labels,
    /// Its environment, as `NAME=value`.
    pub environment: Vec<String>,
    /// What only some have.
    pub extras: Extras,
}

/// What only some containers have.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Extras {
    /// A fixed address of IPv6.
    pub address_v6: Option<Ipv6Addr>,
    /// Files and directories of the host.
    pub mounts: Vec<HostMount>,
    /// What it may use at most; zero is no limit.
    pub limit: Resources,
    /// Domains in which it looks for names that are not whole; none is those of the host.
    pub dns_search: Option<Vec<SearchDomain>>,
}

/// An image this host holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalImage {
    /// The engine's id.
    pub id: String,
    /// All its names, with tags.
    pub names: Vec<String>,
    /// Its labels.
    pub labels: Labels,
}

/// A program that has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Executed {
    /// Its exit code.
    pub code: i64,
    /// What it wrote to standard output.
    pub output: String,
    /// What it wrote to standard error.
    pub errors: String,
}

/// A call of the engine that failed.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{operation} {subject}: {cause}")]
pub struct EngineError {
    /// The call, as `docker POST /containers/create`.
    pub operation: &'static str,
    /// What it was about.
    pub subject: String,
    /// Why it failed.
    pub cause: EngineFault,
}

/// Why a call of the engine failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EngineFault {
    /// What it names is not there.
    #[error("not found: {0}")]
    NotFound(String),
    /// A name is taken.
    #[error("name is taken: {0}")]
    NameTaken(String),
    /// The address range overlaps with one in use.
    #[error("address range is in use: {0}")]
    SubnetTaken(String),
    /// A port of the host is taken.
    #[error("port is taken: {0}")]
    PortTaken(String),
    /// The host's kernel does not speak the protocol of a port.
    #[error("protocol is not there: {0}")]
    NoProtocol(String),
    /// The host has no such address to listen on.
    #[error("address is not there: {0}")]
    NoAddress(String),
    /// Something of the host that is to be mounted is not there.
    #[error("cannot be mounted: {0}")]
    NoMount(String),
    /// Mounts below something of the host that is to be mounted cannot propagate.
    #[error("cannot propagate: {0}")]
    NotShared(String),
    /// The host has no room left.
    #[error("no room left: {0}")]
    NoRoom(String),
    /// The registry does not give the image away, or does not answer.
    #[error("pull refused: {0}")]
    PullRefused(String),
    /// The registry does not give the image to this login, or not without one.
    #[error("pull denied: {0}")]
    PullDenied(String),
    /// The engine does not answer.
    #[error("Docker does not answer: {0}")]
    Unreachable(String),
    /// It did not answer in time.
    #[error("Docker did not answer in time")]
    TimedOut,
    /// This user may not talk to it.
    #[error("Docker's socket refuses us: {0}")]
    Forbidden(String),
    /// Another answer that is no success.
    #[error("Docker answered {status}: {message}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// The engine's words.
        message: String,
    },
}

impl EngineFault {
    /// Whether the engine cannot be talked to, so that nothing can be undone now either.
    pub fn is_absence(&self) -> bool {
        matches!(self, Self::Unreachable(_) | Self::TimedOut | Self::Forbidden(_))
    }

    /// What the engine says of a registry that it pulls from.
    pub(super) fn of_pull(self) -> Self {
        match self {
            Self::Refused { message, .. } | Self::NotFound(message) => {
                let lower = message.to_lowercase();
                let is_denial = ["unauthorized", "denied", "no basic auth credentials", "authentication required"];
                if is_denial.iter().any(|words| lower.contains(words)) {
                    Self::PullDenied(message)
                } else {
                    Self::PullRefused(message)
                }
            }
            other => other,
        }
    }

    /// Reads the fault out of an engine's error answer.
    pub(crate) fn of_answer(status: u16, message: String) -> Self {
        let lower = message.to_lowercase();
        if lower.contains("no space left on device") || lower.contains("disk quota exceeded") {
            Self::NoRoom(message)
        } else if lower.contains("pool overlaps") || lower.contains("overlaps with other") {
            Self::SubnetTaken(message)
        } else if lower.contains("port is already allocated")
            || lower.contains("address already in use") && lower.contains("listen")
        {
            Self::PortTaken(message)
        } else if lower.contains("protocol not supported") {
            Self::NoProtocol(message)
        } else if lower.contains("cannot assign requested address") {
            Self::NoAddress(message)
        } else if lower.contains("bind source path does not exist") {
            Self::NoMount(message)
        } else if lower.contains("but it is not a shared") {
            Self::NotShared(message)
        } else if status == 409 && lower.contains("already in use") || lower.contains("already exists") {
            Self::NameTaken(message)
        } else if status == 404 {
            Self::NotFound(message)
        } else {
            Self::Refused { status, message }
        }
    }
}

impl From<EngineError> for Failure {
    fn from(error: EngineError) -> Self {
        tracing::warn!(%error, "the engine failed");
        let EngineError { operation, subject, cause } = error;
        match cause {
            EngineFault::NotFound(message) => Self::new(Code::NOT_FOUND, message, ""),
            EngineFault::NameTaken(message) => Self::new(
                Code::CONFLICT,
                format!("'{subject}' is taken by something qbo did not make: {message}"),
                format!(
                    "rename or remove it: docker ps -a --filter name={subject}, docker network ls --filter name={subject}"
                ),
            ),
            EngineFault::SubnetTaken(message) => Self::new(
                Code::CONFLICT,
                format!("the address range {subject} is in use on this host: {message}"),
                "give qbo-api another range: --network-range",
            ),
            EngineFault::PortTaken(message) => Self::new(
                Code::CONFLICT,
                format!("a port of the host is taken by something else: {message}"),
                "take another port, or see who has it: ss -tulpn",
            ),
            EngineFault::NoProtocol(message) => Self::new(
                Code::UNPROCESSABLE,
                format!("the host's kernel lacks the protocol of a port: {message}"),
                "load its module (modprobe sctp), or take tcp or udp",
            ),
            EngineFault::NoAddress(message) => Self::new(
                Code::UNPROCESSABLE,
                format!("the host has no such address: {message}"),
                "see which it has: qbo get net -H",
            ),
            EngineFault::NoMount(message) => Self::new(
                Code::UNPROCESSABLE,
                format!("what is to be mounted is not there: {message}"),
                "make it on the host of the API server first, or name another: --mount HOST:NODE",
            ),
            EngineFault::NotShared(message) => Self::new(
                Code::UNPROCESSABLE,
                format!("mounts of the host cannot propagate: {message}"),
                "share that mount first (mount --make-rshared), or leave out rslave and rshared",
            ),
            EngineFault::NoRoom(message) => Self::new(
                Code::NO_ROOM,
                format!("the host's disk is full: {message}"),
                "free space under Docker's root directory: docker system df, docker system prune",
            ),
            EngineFault::PullRefused(message) => Self::new(
                Code::BAD_GATEWAY,
                format!("image '{subject}' cannot be pulled: {message}"),
                "check the name (qbo get images -A), or build one here: qbo add image qbo/node:v1.37.2",
            ),
            EngineFault::PullDenied(message) => Self::new(
                Code::BAD_GATEWAY,
                format!("image '{subject}' cannot be pulled: {message}"),
                "check its name (qbo get images -A); where it is private, registry_hostname, registry_user and \
                 registry_token in api.json",
            ),
            EngineFault::Unreachable(message) => Self::new(
                Code::UNAVAILABLE,
                format!("Docker does not answer ({operation}): {message}"),
                "start it: systemctl start docker; then look at: qbo test host",
            ),
            EngineFault::TimedOut => Self::new(
                Code::TIMEOUT,
                format!("Docker did not answer in time: {operation} {subject}"),
                "look at Docker's log: journalctl -u docker",
            ),
            EngineFault::Forbidden(message) => Self::new(
                Code::UNAVAILABLE,
                format!("this user may not talk to Docker: {message}"),
                "run qbo-api as root, or as a member of the group docker: usermod -aG docker <user>",
            ),
            EngineFault::Refused { status, message } => Self::new(
                Code::BAD_GATEWAY,
                format!("Docker answered {status} to {operation} {subject}: {message}"),
                "",
            ),
        }
    }
}
