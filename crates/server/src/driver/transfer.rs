//! What qbo needs of a container engine where much is moved: images as archives, programs with an input, and all that the
//! engine tells of a container.

use async_trait::async_trait;
use futures_util::stream::BoxStream;
use serde_json::Value;
use tokio_util::bytes::Bytes;

use super::engine::{EngineError, Executed};

/// A container engine that images are taken out of. Nothing here is held whole in memory, nor written to a file.
#[async_trait]
pub trait Transfer: Send + Sync + 'static {
    /// The processor architecture of the engine's host, as images name it: `amd64`.
    async fn architecture(&self) -> Result<String, EngineError>;
    /// An image this host holds; none where it holds none of that name.
    async fn held(&self, name: &str) -> Result<Option<HeldImage>, EngineError>;
    /// An archive of the image of this name, as `docker save` writes it. It goes on only as it is read.
    async fn save(&self, name: &str) -> Result<BoxStream<'static, Result<Bytes, EngineError>>, EngineError>;
    /// Runs a program in a running container with this as its standard input, to its end. An input that ends early is for
    /// the program to notice.
    async fn feed(
        &self,
        container: &str,
        command: &[&str],
        input: BoxStream<'static, Bytes>,
    ) -> Result<Executed, EngineError>;
    /// All that the engine tells of a container.
    async fn inspect(&self, container: &str) -> Result<Value, EngineError>;
}

/// An image that can be taken out of an engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldImage {
    /// Its id: the digest of its configuration, or, where Docker keeps images in a containerd, that of its manifest or index of
    /// manifests.
    pub id: String,
    /// As `amd64`; empty where it does not tell.
    pub architecture: String,
    /// How many bytes it has unpacked, about as many as in an archive.
    pub size: u64,
}
