//! Docker Engine where containers start anew and end, also those that cannot end by themselves.

use std::time::Duration;

use bollard::models::{ContainerUpdateBody, RestartPolicyNameEnum};
use bollard::query_parameters::{StopContainerOptionsBuilder, WaitContainerOptions};
use futures_util::StreamExt;

use super::{DockerEngine, body, failed, freezer};
use crate::driver::engine::{Engine, EngineError};

impl DockerEngine {
    pub(super) async fn resume(&self, container: &str) -> Result<(), EngineError> {
        self.set_restart_policy(container, body::COMES_BACK).await?;
        let docker = self.docker().await?;
        let found = docker.inspect_container(container, None).await;
        let found = found.map_err(|error| failed("docker GET /containers", container, error))?;
        // Docker starts none that somebody paused.
        if found.state.and_then(|state| state.paused) == Some(true) {
            let unpaused = docker.unpause_container(container).await;
            return unpaused.map_err(|error| failed("docker POST /containers/unpause", container, error));
        }
        if freezer::thawed(container).await {
            // One that was killed, and that Docker takes for one that runs; or it lives, and is not waited for.
            self.await_end(container, freezer::PATIENCE).await?;
        }
        self.start_container(container).await
    }

    pub(super) async fn release(&self, container: &str) -> Result<(), EngineError> {
        if !freezer::released(container).await {
            return Ok(());
        }
        self.await_end(container, freezer::END).await?;
        // Docker itself may have killed it, at its own start, and then takes its end for a stop on purpose.
        let found = self.docker().await?.inspect_container(container, None).await;
        let found = found.map_err(|error| failed("docker GET /containers", container, error))?;
        let policy = found.host_config.and_then(|config| config.restart_policy).and_then(|policy| policy.name);
        if policy == Some(body::COMES_BACK) { self.start_container(container).await } else { Ok(()) }
    }

    pub(super) async fn stop(&self, container: &str, grace: Duration) -> Result<(), EngineError> {
        self.set_restart_policy(container, body::STAYS_STOPPED).await?;
        let seconds = i32::try_from(grace.as_secs()).unwrap_or(i32::MAX);
        let options = StopContainerOptionsBuilder::new().t(seconds).build();
        let docker = self.docker().await?;
        let stopping = docker.stop_container(container, Some(options));
        let stopped = freezer::thawing(container, grace, stopping).await;
        stopped.map_err(|error| failed("docker POST /containers/stop", container, error))
    }

    /// Whether a container comes back when Docker starts anew.
    async fn set_restart_policy(&self, container: &str, policy: RestartPolicyNameEnum) -> Result<(), EngineError> {
        let update = ContainerUpdateBody {
            restart_policy: Some(body::restart_policy(policy)),
            ..ContainerUpdateBody::default()
        };
        let updated = self.docker().await?.update_container(container, update).await;
        updated.map_err(|error| failed("docker POST /containers/update", container, error))
    }

    /// Waits so long for the end of a container.
    async fn await_end(&self, container: &str, limit: Duration) -> Result<(), EngineError> {
        let docker = self.docker().await?;
        let mut ended = docker.wait_container(container, None::<WaitContainerOptions>);
        let _ = tokio::time::timeout(limit, ended.next()).await;
        Ok(())
    }
}
