//! Terminals by Docker's executions.
//!
//! The stream of one is read here and not by bollard, which looks for the frames of a stream without a terminal in it, and
//! takes a program's output for such where that begins with the bytes 0, 1 or 2.

use std::io;

use async_trait::async_trait;
use bollard::exec::{CreateExecOptions, ResizeExecOptions};
use bollard::models::{ContainerCreateBody, HostConfig, ResourcesUlimits};
use bollard::query_parameters::CreateContainerOptionsBuilder;
use qbo_api::terminal::Size;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::time::timeout;

use super::{DockerEngine, TIMEOUT, failed};
use crate::driver::engine::{EngineError, EngineFault};
use crate::driver::terminal::{Attached, NewShell, Program, TerminalEngine};

/// The keys after which Docker would let go of a program. They cannot be none, and Docker's own begin with Ctrl-P, which is
/// then held back until another key; nobody types these.
const DETACH_KEYS: &str = "ctrl-^,ctrl-^,ctrl-@,ctrl-_,ctrl-^";

/// The longest head of an answer.
const HEAD_LIMIT: u64 = 16 * 1024;

/// What a user's shells may use together.
const MEMORY: i64 = 1024 * 1024 * 1024;
const PROCESSES: i64 = 512;
const NANO_PROCESSORS: i64 = 2_000_000_000;
const OPEN_FILES: i64 = 4096;

#[async_trait]
impl TerminalEngine for DockerEngine {
    async fn attach(&self, program: &Program) -> Result<Attached, EngineError> {
        let docker = self.docker().await?;
        let options = CreateExecOptions {
            attach_stdin: Some(true),
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            tty: Some(true),
            detach_keys: Some(DETACH_KEYS.into()),
            env: Some(program.environment.clone()),
            cmd: Some(program.command.clone()),
            ..CreateExecOptions::default()
        };
        let container = &program.container;
        let created = docker.create_exec(container, options).await;
        let execution = created.map_err(|error| failed("docker POST /containers/exec", container, error))?.id;
        let operation = "docker POST /exec/start";
        let fault = |cause| EngineError { operation, subject: container.clone(), cause };
        let stream = match timeout(TIMEOUT, self.start(&execution)).await {
            Ok(started) => started.map_err(|error| fault(EngineFault::Unreachable(error.to_string())))?,
            Err(_) => return Err(fault(EngineFault::TimedOut)),
        };
        let stream = stream.map_err(fault)?;
        // Docker takes a size beforehand only from API 1.42 on; a program that has ended by now needs none.
        if let Err(error) = self.resize(&execution, program.size).await {
            tracing::debug!(%error, "a terminal keeps its first size");
        }
        let (output, input) = tokio::io::split(stream);
        Ok(Attached { execution, output: Box::pin(output), input: Box::pin(input) })
    }

    async fn resize(&self, execution: &str, size: Size) -> Result<(), EngineError> {
        let options = ResizeExecOptions { height: size.rows, width: size.columns };
        let resized = self.docker().await?.resize_exec(execution, options).await;
        resized.map_err(|error| failed("docker POST /exec/resize", execution, error))
    }

    async fn exit_code(&self, execution: &str) -> Result<Option<i64>, EngineError> {
        let inspected = self.docker().await?.inspect_exec(execution).await;
        let inspected = inspected.map_err(|error| failed("docker GET /exec/json", execution, error))?;
        Ok(if inspected.running == Some(true) { None } else { inspected.exit_code })
    }

    async fn create_shell(&self, shell: &NewShell) -> Result<String, EngineError> {
        let docker = self.docker().await?;
        let options = CreateContainerOptionsBuilder::new().name(&shell.name).build();
        let body = ContainerCreateBody {
            hostname: Some("qbo".into()),
            image: Some(shell.image.clone()),
            labels: Some(self.own(&shell.labels)),
            host_config: Some(HostConfig {
                binds: Some(vec![format!("{}:/run/qbo:ro", shell.directory.display())]),
                cap_drop: Some(vec!["ALL".into()]),
                security_opt: Some(vec!["no-new-privileges".into()]),
                memory: Some(MEMORY),
                memory_swap: Some(MEMORY),
                nano_cpus: Some(NANO_PROCESSORS),
                pids_limit: Some(PROCESSES),
                ulimits: Some(vec![ResourcesUlimits {
                    name: Some("nofile".into()),
                    soft: Some(OPEN_FILES),
                    hard: Some(OPEN_FILES),
                }]),
                ..HostConfig::default()
            }),
            ..ContainerCreateBody::default()
        };
        let created = docker.create_container(Some(options), body).await;
        let id = created.map_err(|error| failed("docker POST /containers/create", &shell.name, error))?.id;
        let started = docker.start_container(&id, None).await;
        started.map_err(|error| failed("docker POST /containers/start", &shell.name, error))?;
        Ok(id)
    }
}

impl DockerEngine {
    /// Starts an execution, and returns its raw stream, or what Docker says instead.
    async fn start(&self, execution: &str) -> io::Result<Result<UnixStream, EngineFault>> {
        let path = self.host.strip_prefix("unix://").unwrap_or(&self.host);
        let mut stream = UnixStream::connect(path).await?;
        let body = r#"{"Detach":false,"Tty":true}"#;
        let request = format!(
            "POST /exec/{execution}/start HTTP/1.1\r\nHost: docker\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).await?;
        // One byte at a time: what follows the head is the program's.
        let mut head = BufReader::with_capacity(1, (&mut stream).take(HEAD_LIMIT)).lines();
        let status_line = head.next_line().await?.unwrap_or_default();
        let mut length = 0;
        while let Some(line) = head.next_line().await?
            && !line.is_empty()
        {
            let (name, value) = line.split_once(':').unwrap_or_default();
            if name.eq_ignore_ascii_case("content-length") {
                length = value.trim().parse().unwrap_or_default();
            }
        }
        let status: u16 = status_line.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_default();
        if matches!(status, 101 | 200) {
            return Ok(Ok(stream));
        }
        let mut answer = Vec::new();
        stream.take(HEAD_LIMIT.min(length)).read_to_end(&mut answer).await?;
        let answer: serde_json::Value = serde_json::from_slice(&answer).unwrap_or_default();
        let message = answer["message"].as_str().unwrap_or(&status_line).to_owned();
        Ok(Err(EngineFault::of_answer(status, message)))
    }
}
