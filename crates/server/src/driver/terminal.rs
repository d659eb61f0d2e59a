//! What qbo needs of a container engine for terminals: programs on a terminal of their own in a running container, and the
//! containers of users' own shells.

use std::path::PathBuf;
use std::pin::Pin;

use async_trait::async_trait;
use qbo_api::terminal::Size;
use tokio::io::{AsyncRead, AsyncWrite};

use super::engine::{EngineError, Labels};

/// Runs programs on terminals.
#[async_trait]
pub trait TerminalEngine: Send + Sync + 'static {
    /// Starts a program on a terminal of its own.
    async fn attach(&self, program: &Program) -> Result<Attached, EngineError>;
    /// The window of a program has another size.
    async fn resize(&self, execution: &str, size: Size) -> Result<(), EngineError>;
    /// The exit code of a program that has ended; none where it goes on.
    async fn exit_code(&self, execution: &str) -> Result<Option<i64>, EngineError>;
    /// Makes the container of a user's shells, and starts it: without privileges, bounded, and on no cluster's network.
    async fn create_shell(&self, shell: &NewShell) -> Result<String, EngineError>;
}

/// A program to be started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// In which container.
    pub container: String,
    /// The program with its arguments.
    pub command: Vec<String>,
    /// Its environment besides the container's, as `NAME=value`.
    pub environment: Vec<String>,
    /// The size of its window.
    pub size: Size,
}

/// A program that was started. Its streams end when it does; dropped, they do not end it.
pub struct Attached {
    /// The engine's id of it.
    pub execution: String,
    /// What it writes.
    pub output: Pin<Box<dyn AsyncRead + Send>>,
    /// What it reads.
    pub input: Pin<Box<dyn AsyncWrite + Send>>,
}

/// The container of a user's shells, to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewShell {
    /// Its name.
    pub name: String,
    /// Its image.
    pub image: String,
    /// Its labels.
    pub labels: Labels,
    /// A directory of the host, which it finds at `/run/qbo` and may not change.
    pub directory: PathBuf,
}
