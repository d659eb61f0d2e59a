//! Docker Engine where much is moved.

use std::pin::{Pin, pin};
use std::time::Duration;

use async_trait::async_trait;
use bollard::container::LogOutput;
use bollard::errors::Error;
use bollard::exec::{CreateExecOptions, StartExecOptions, StartExecResults};
use futures_util::future::{Either, select};
use futures_util::stream::BoxStream;
use futures_util::{StreamExt, TryStreamExt};
use serde_json::Value;
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio_util::bytes::Bytes;

use super::{DockerEngine, failed};
use crate::driver::engine::{EngineError, EngineFault, Executed};
use crate::driver::transfer::{HeldImage, Transfer};

/// How long Docker may take until an archive begins: it writes all layers to its own disk before.
const ARCHIVE_LIMIT: Duration = Duration::from_mins(10);

/// The most that is kept of what a program with an input writes.
const OUTPUT_LIMIT: usize = 64 * 1024;

#[async_trait]
impl Transfer for DockerEngine {
    async fn architecture(&self) -> Result<String, EngineError> {
        let version = self.docker().await?.version().await;
        Ok(version.map_err(|error| failed("docker GET /version", "", error))?.arch.unwrap_or_default())
    }

    async fn held(&self, name: &str) -> Result<Option<HeldImage>, EngineError> {
        match self.docker().await?.inspect_image(name).await {
            Ok(image) => Ok(Some(HeldImage {
                id: image.id.unwrap_or_default(),
                architecture: image.architecture.unwrap_or_default(),
                size: image.size.and_then(|size| size.try_into().ok()).unwrap_or_default(),
            })),
            Err(Error::DockerResponseServerError { status_code: 404, .. }) => Ok(None),
            Err(error) => Err(failed("docker GET /images/json", name, error)),
        }
    }

    async fn save(&self, name: &str) -> Result<BoxStream<'static, Result<Bytes, EngineError>>, EngineError> {
        let docker = self.docker().await?.clone().with_timeout(ARCHIVE_LIMIT);
        let subject = name.to_owned();
        let chunks = docker.export_images(&[name]);
        Ok(chunks.map_err(move |error| failed("docker GET /images/get", &subject, error)).boxed())
    }

    async fn feed(
        &self,
        container: &str,
        command: &[&str],
        input: BoxStream<'static, Bytes>,
    ) -> Result<Executed, EngineError> {
        let docker = self.docker().await?;
        let failed = |error| failed("docker POST /containers/exec", container, error);
        let options = CreateExecOptions {
            attach_stdin: Some(true),
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            cmd: Some(command.to_vec()),
            ..CreateExecOptions::default()
        };
        let exec = docker.create_exec(container, options).await.map_err(failed)?.id;
        let started = docker.start_exec(&exec, None::<StartExecOptions>).await.map_err(failed)?;
        let StartExecResults::Attached { output: mut chunks, input: sink } = started else {
            let cause = EngineFault::Refused { status: 500, message: "it did not attach".into() };
            return Err(EngineError { operation: "docker POST /containers/exec", subject: container.into(), cause });
        };
        let read = async {
            let (mut output, mut errors) = (Vec::new(), Vec::new());
            while let Some(chunk) = chunks.try_next().await.map_err(failed)? {
                let (kept, chunk) = match chunk {
                    LogOutput::StdErr { message } => (&mut errors, message),
                    chunk => (&mut output, chunk.into_bytes()),
                };
                kept.extend_from_slice(&chunk[..chunk.len().min(OUTPUT_LIMIT.saturating_sub(kept.len()))]);
            }
            Ok::<_, EngineError>((output, errors))
        };
        let read = pin!(read);
        // A program that ends before its input does has said why.
        let (output, errors) = match select(read, pin!(write(sink, input))).await {
            Either::Left((read, _)) => read?,
            Either::Right(((), read)) => read.await?,
        };
        let code = docker.inspect_exec(&exec).await.map_err(failed)?.exit_code.unwrap_or(-1);
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Ok(Executed { code, output: text(output), errors: text(errors) })
    }

    async fn inspect(&self, container: &str) -> Result<Value, EngineError> {
        let operation = "docker GET /containers/json";
        let told = self.docker().await?.inspect_container(container, None).await;
        let told = told.map_err(|error| failed(operation, container, error))?;
        serde_json::to_value(told).map_err(|error| failed(operation, container, Error::from(error)))
    }
}

/// Writes the input, and says that it has ended. Where the program does not take it any more its output tells why.
async fn write(mut sink: Pin<Box<dyn AsyncWrite + Send>>, mut input: BoxStream<'static, Bytes>) {
    while let Some(chunk) = input.next().await {
        if let Err(error) = sink.write_all(&chunk).await {
            tracing::debug!(%error, "a program does not take its input");
            return;
        }
    }
    if let Err(error) = sink.shutdown().await {
        tracing::debug!(%error, "a program is not told the end of its input");
    }
}
