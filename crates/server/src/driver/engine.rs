//! What qbo needs of a container engine, in its own words.

use std::collections::HashMap;
use std::net::Ipv4Addr;

use async_trait::async_trait;
use ipnet::Ipv4Net;
use qbo_api::message::Code;

use super::Progress;
use crate::error::Failure;

/// Labels of a container, a network or an image.
pub type Labels = HashMap<String, String>;

/// A container engine. Every call is one request (or one stream) and returns in bounded time, but for
/// [`Engine::pull`] and [`Engine::execute`], whose callers bound them.
#[async_trait]
pub trait Engine: Send + Sync + 'static {
    /// Version and place of the engine.
    async fn info(&self) -> Result<EngineInfo, EngineError>;

    /// All networks of the engine; those of other servers without labels, since they mean nothing here.
    async fn networks(&self) -> Result<Vec<Network>, EngineError>;
    /// Makes a bridge network and returns its id.
    async fn create_network(&self, name: &str, subnet: Ipv4Net, labels: &Labels) -> Result<String, EngineError>;
    /// Removes a network; one that is not there is no error.
    async fn remove_network(&self, id: &str) -> Result<(), EngineError>;

    /// All containers of this server, running or not, that have this label.
    async fn containers(&self, label: &str) -> Result<Vec<Container>, EngineError>;
    /// Makes a node's container without starting it and returns its id.
    async fn create_container(&self, container: &NewContainer) -> Result<String, EngineError>;
    /// Makes a container that only waits, for looking into an image: without network and privileges, gone when it ends.
    async fn create_probe(&self, name: &str, image: &str) -> Result<String, EngineError>;
    /// Unpacks a tar archive at `/` of a container, running or not.
    async fn put_archive(&self, container: &str, tar: Vec<u8>) -> Result<(), EngineError>;
    /// Reads a file of a container, running or not; none where there is no such file.
    async fn read_file(&self, container: &str, path: &str) -> Result<Option<Vec<u8>>, EngineError>;
    /// Starts a container.
    async fn start_container(&self, container: &str) -> Result<(), EngineError>;
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
    /// Pulls an image; `progress` gets a line now and then.
    async fn pull(&self, name: &str, progress: Progress<'_>) -> Result<(), EngineError>;
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
    /// The host has no room left.
    #[error("no room left: {0}")]
    NoRoom(String),
    /// The registry does not give the image away, or does not answer.
    #[error("pull refused: {0}")]
    PullRefused(String),
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

    /// Reads the fault out of an engine's error answer.
    pub(super) fn of_answer(status: u16, message: String) -> Self {
        let lower = message.to_lowercase();
        if lower.contains("no space left on device") || lower.contains("disk quota exceeded") {
            Self::NoRoom(message)
        } else if lower.contains("pool overlaps") || lower.contains("overlaps with other") {
            Self::SubnetTaken(message)
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
