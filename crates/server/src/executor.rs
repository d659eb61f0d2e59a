//! What runs a permitted command, as the session sees it: the real one drives Docker and Kubernetes, tests bring
//! a small one of their own.

use std::sync::Arc;

use async_trait::async_trait;

use crate::access::Permitted;
use crate::error::Failure;
use crate::operations::Running;
use crate::report::Reporter;

/// Runs commands.
#[async_trait]
pub trait Executor: Send + Sync + 'static {
    /// Runs one to its end. Partial results and progress go to `reporter`; the session itself sends the echo
    /// before and the final message after. What was begun must be undone when `running`'s token is cancelled,
    /// and [`Failure::cancelled`] returned.
    async fn execute(
        self: Arc<Self>,
        permitted: Permitted,
        reporter: Reporter,
        running: Running,
    ) -> Result<(), Failure>;

    /// Whether commands can do anything just now, or why not; told in bounded time.
    async fn ready(&self) -> Result<(), Failure>;
}
