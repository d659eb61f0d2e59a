//! Docker Engine over its HTTP API on a Unix socket. No `docker` process is ever started.

use std::collections::HashMap;
use std::io::Read;
use std::time::Duration;

use async_trait::async_trait;
use bollard::Docker;
use bollard::container::LogOutput;
use bollard::errors::Error;
use bollard::exec::{CreateExecOptions, StartExecOptions, StartExecResults};
use bollard::models::{
    ContainerCreateBody, ContainerSummaryStateEnum, EndpointIpamConfig, EndpointSettings, HostConfig,
    HostConfigCgroupnsModeEnum, Ipam, IpamConfig, NetworkCreateRequest, NetworkingConfig, RestartPolicy,
    RestartPolicyNameEnum,
};
use bollard::query_parameters::{
    CreateContainerOptionsBuilder, CreateImageOptionsBuilder, DownloadFromContainerOptionsBuilder,
    ListContainersOptionsBuilder, LogsOptionsBuilder, RemoveContainerOptionsBuilder, UploadToContainerOptionsBuilder,
};
use futures_util::{StreamExt, TryStreamExt};
use ipnet::Ipv4Net;
use tokio::sync::OnceCell;

use crate::cluster::{LABEL_PROBE, LABEL_SERVER};
use crate::config::Runtime;

use super::Progress;
use super::engine::{
    Container, Engine, EngineError, EngineFault, EngineInfo, Executed, Labels, LocalImage, Network, NewContainer,
};

/// The longest a request may take. Removing a container of a busy node takes Docker some seconds.
const TIMEOUT: Duration = Duration::from_mins(2);

/// What a probe does: it waits to be asked, and goes by itself where nobody removes it.
const PROBE_COMMAND: &str = "exec sleep 600";

/// The largest file read out of a container.
const FILE_LIMIT: usize = 4 * 1024 * 1024;

/// A Docker Engine, connected on first use.
#[derive(Debug)]
pub struct DockerEngine {
    host: String,
    runtime: Runtime,
    /// Marks all that is made here: another server on the same engine must not clean up what this one is making.
    server: String,
    connection: OnceCell<Docker>,
}

impl DockerEngine {
    /// The engine at `host`, as `unix:///var/run/docker.sock`, for the server of this identity: what others made with
    /// qbo's labels is foreign here. Nothing is sent yet.
    pub fn new(host: impl Into<String>, runtime: Runtime, server: impl Into<String>) -> Self {
        Self { host: host.into(), runtime, server: server.into(), connection: OnceCell::new() }
    }

    fn own(&self, labels: &Labels) -> Labels {
        let mut labels = labels.clone();
        labels.insert(LABEL_SERVER.into(), self.server.clone());
        labels
    }

    fn own_or_none(&self, labels: Labels) -> Labels {
        if labels.get(LABEL_SERVER) == Some(&self.server) { labels } else { Labels::new() }
    }

    /// The connection, with the API's version agreed upon.
    async fn docker(&self) -> Result<&Docker, EngineError> {
        let connect = async || {
            let docker = Docker::connect_with_host(&self.host)?.with_timeout(TIMEOUT);
            docker.negotiate_version().await
        };
        self.connection.get_or_try_init(connect).await.map_err(|error| failed("docker GET /version", &self.host, error))
    }
}

#[async_trait]
impl Engine for DockerEngine {
    async fn info(&self) -> Result<EngineInfo, EngineError> {
        let docker = self.docker().await?;
        let failed = |error| failed("docker GET /info", &self.host, error);
        let (version, info) = tokio::try_join!(docker.version(), docker.info()).map_err(failed)?;
        Ok(EngineInfo {
            version: version.version.unwrap_or_default(),
            api_version: version.api_version.unwrap_or_default(),
            root_directory: info.docker_root_dir.unwrap_or_default(),
        })
    }

    async fn networks(&self) -> Result<Vec<Network>, EngineError> {
        let listed = self.docker().await?.list_networks(None).await;
        let networks = listed.map_err(|error| failed("docker GET /networks", "", error))?;
        let subnets = |ipam: Option<Ipam>| {
            let configs = ipam.and_then(|ipam| ipam.config).unwrap_or_default();
            configs.into_iter().filter_map(|config| config.subnet?.parse().ok()).collect()
        };
        let network = |network: bollard::models::Network| Network {
            id: network.id.unwrap_or_default(),
            name: network.name.unwrap_or_default(),
            subnets: subnets(network.ipam),
            labels: self.own_or_none(network.labels.unwrap_or_default()),
        };
        Ok(networks.into_iter().map(network).collect())
    }

    async fn create_network(&self, name: &str, subnet: Ipv4Net, labels: &Labels) -> Result<String, EngineError> {
        let gateway = subnet.hosts().next().map(|address| address.to_string());
        let config = IpamConfig { subnet: Some(subnet.to_string()), gateway, ..IpamConfig::default() };
        let request = NetworkCreateRequest {
            name: name.into(),
            driver: Some("bridge".into()),
            ipam: Some(Ipam { config: Some(vec![config]), ..Ipam::default() }),
            labels: Some(self.own(labels)),
            ..NetworkCreateRequest::default()
        };
        let created = self.docker().await?.create_network(request).await;
        Ok(created.map_err(|error| failed("docker POST /networks/create", name, error))?.id)
    }

    async fn remove_network(&self, id: &str) -> Result<(), EngineError> {
        absent_is_fine(self.docker().await?.remove_network(id).await, "docker DELETE /networks", id)
    }

    async fn containers(&self, label: &str) -> Result<Vec<Container>, EngineError> {
        let own = format!("{LABEL_SERVER}={}", self.server);
        let filters = HashMap::from([("label", vec![label, &own])]);
        let options = ListContainersOptionsBuilder::new().all(true).filters(&filters).build();
        let listed = self.docker().await?.list_containers(Some(options)).await;
        let containers = listed.map_err(|error| failed("docker GET /containers/json", label, error))?;
        let container = |container: bollard::models::ContainerSummary| Container {
            id: container.id.unwrap_or_default(),
            name: container
                .names
                .unwrap_or_default()
                .first()
                .map(|name| name.trim_start_matches('/').to_owned())
                .unwrap_or_default(),
            image: container.image.unwrap_or_default(),
            running: container.state == Some(ContainerSummaryStateEnum::RUNNING),
            labels: container.labels.unwrap_or_default(),
        };
        Ok(containers.into_iter().map(container).collect())
    }

    async fn create_container(&self, container: &NewContainer) -> Result<String, EngineError> {
        let options = CreateContainerOptionsBuilder::new().name(&container.name).build();
        let mut body = body(container, self.runtime);
        body.labels = Some(self.own(&container.labels));
        let created = self.docker().await?.create_container(Some(options), body).await;
        Ok(created.map_err(|error| failed("docker POST /containers/create", &container.name, error))?.id)
    }

    async fn create_probe(&self, name: &str, image: &str) -> Result<String, EngineError> {
        let options = CreateContainerOptionsBuilder::new().name(name).build();
        let body = ContainerCreateBody {
            image: Some(image.into()),
            entrypoint: Some(["/bin/sh", "-c", PROBE_COMMAND].map(str::to_owned).to_vec()),
            labels: Some(self.own(&Labels::from([(LABEL_PROBE.into(), String::new())]))),
            host_config: Some(HostConfig {
                network_mode: Some("none".into()),
                auto_remove: Some(true),
                ..HostConfig::default()
            }),
            ..ContainerCreateBody::default()
        };
        let created = self.docker().await?.create_container(Some(options), body).await;
        Ok(created.map_err(|error| failed("docker POST /containers/create", name, error))?.id)
    }

    async fn put_archive(&self, container: &str, tar: Vec<u8>) -> Result<(), EngineError> {
        let options = UploadToContainerOptionsBuilder::new().path("/").build();
        let archive = bollard::body_full(tar.into());
        let put = self.docker().await?.upload_to_container(container, Some(options), archive).await;
        put.map_err(|error| failed("docker PUT /containers/archive", container, error))
    }

    async fn read_file(&self, container: &str, path: &str) -> Result<Option<Vec<u8>>, EngineError> {
        let operation = "docker GET /containers/archive";
        let options = DownloadFromContainerOptionsBuilder::new().path(path).build();
        let mut chunks = std::pin::pin!(self.docker().await?.download_from_container(container, Some(options)));
        let mut archive = Vec::new();
        while let Some(chunk) = chunks.next().await {
            match chunk {
                Ok(chunk) => archive.extend_from_slice(&chunk),
                Err(Error::DockerResponseServerError { status_code: 404, .. }) => return Ok(None),
                Err(error) => return Err(failed(operation, path, error)),
            }
            if archive.len() > FILE_LIMIT {
                let message = format!("larger than {FILE_LIMIT} bytes");
                let cause = EngineFault::Refused { status: 413, message };
                return Err(EngineError { operation, subject: path.into(), cause });
            }
        }
        only_file(&archive).map_err(|error| failed(operation, path, error.into()))
    }

    async fn start_container(&self, container: &str) -> Result<(), EngineError> {
        let started = self.docker().await?.start_container(container, None).await;
        started.map_err(|error| failed("docker POST /containers/start", container, error))
    }

    async fn remove_container(&self, container: &str) -> Result<(), EngineError> {
        let options = RemoveContainerOptionsBuilder::new().force(true).v(true).build();
        let removed = self.docker().await?.remove_container(container, Some(options)).await;
        absent_is_fine(removed, "docker DELETE /containers", container)
    }

    async fn execute(&self, container: &str, command: &[&str]) -> Result<Executed, EngineError> {
        let docker = self.docker().await?;
        let failed = |error| failed("docker POST /containers/exec", container, error);
        let options = CreateExecOptions {
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            cmd: Some(command.to_vec()),
            ..CreateExecOptions::default()
        };
        let exec = docker.create_exec(container, options).await.map_err(failed)?.id;
        let started = docker.start_exec(&exec, None::<StartExecOptions>).await.map_err(failed)?;
        let (mut output, mut errors) = (Vec::new(), Vec::new());
        if let StartExecResults::Attached { output: mut chunks, .. } = started {
            while let Some(chunk) = chunks.try_next().await.map_err(failed)? {
                match chunk {
                    LogOutput::StdErr { message } => errors.extend_from_slice(&message),
                    chunk => output.extend_from_slice(&chunk.into_bytes()),
                }
            }
        }
        let code = docker.inspect_exec(&exec).await.map_err(failed)?.exit_code.unwrap_or(-1);
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Ok(Executed { code, output: text(output), errors: text(errors) })
    }

    async fn logs(&self, container: &str, lines: usize) -> Result<String, EngineError> {
        let options = LogsOptionsBuilder::new().stdout(true).stderr(true).tail(&lines.to_string()).build();
        let chunks = self.docker().await?.logs(container, Some(options));
        let logs: Vec<LogOutput> =
            chunks.try_collect().await.map_err(|error| failed("docker GET /containers/logs", container, error))?;
        Ok(logs.into_iter().map(|chunk| String::from_utf8_lossy(&chunk.into_bytes()).into_owned()).collect())
    }

    async fn image(&self, name: &str) -> Result<Option<LocalImage>, EngineError> {
        match self.docker().await?.inspect_image(name).await {
            Ok(image) => Ok(Some(LocalImage {
                id: image.id.unwrap_or_default(),
                names: image.repo_tags.unwrap_or_default(),
                labels: image.config.and_then(|config| config.labels).unwrap_or_default(),
            })),
            Err(Error::DockerResponseServerError { status_code: 404, .. }) => Ok(None),
            Err(error) => Err(failed("docker GET /images/json", name, error)),
        }
    }

    async fn images(&self) -> Result<Vec<LocalImage>, EngineError> {
        let listed = self.docker().await?.list_images(None::<bollard::query_parameters::ListImagesOptions>).await;
        let images = listed.map_err(|error| failed("docker GET /images/json", "", error))?;
        let image = |image: bollard::models::ImageSummary| LocalImage {
            id: image.id,
            names: image.repo_tags,
            labels: image.labels,
        };
        Ok(images.into_iter().map(image).filter(|image| !image.names.is_empty()).collect())
    }

    async fn pull(&self, name: &str, progress: Progress<'_>) -> Result<(), EngineError> {
        let operation = "docker POST /images/create";
        let options = CreateImageOptionsBuilder::new().from_image(name).build();
        let docker = self.docker().await?;
        let mut lines = std::pin::pin!(docker.create_image(Some(options), None, None));
        while let Some(line) = lines.next().await {
            let line = line.map_err(|error| match failed(operation, name, error) {
                EngineError {
                    cause: EngineFault::Refused { message, .. } | EngineFault::NotFound(message), ..
                } => EngineError { operation, subject: name.into(), cause: EngineFault::PullRefused(message) },
                error => error,
            })?;
            if let Some(status) = line.status {
                progress(&line.id.map_or(status.clone(), |id| format!("{id}: {status}")));
            }
        }
        Ok(())
    }
}

/// What all nodes have in common; the same as the peer `kind` gives its nodes, whose images these are.
fn body(container: &NewContainer, runtime: Runtime) -> ContainerCreateBody {
    let endpoint = EndpointSettings {
        ipam_config: Some(EndpointIpamConfig {
            ipv4_address: Some(container.address.to_string()),
            ..EndpointIpamConfig::default()
        }),
        ..EndpointSettings::default()
    };
    let unconfined = ["seccomp=unconfined", "apparmor=unconfined", "label=disable"];
    ContainerCreateBody {
        hostname: Some(container.name.clone()),
        image: Some(container.image.clone()),
        // systemd's output goes to the console, as Docker's log.
        tty: Some(true),
        env: Some(container.environment.clone()),
        // An anonymous volume: what pods write stays off the container's overlay, and goes with the container.
        volumes: Some(vec!["/var".into()]),
        host_config: Some(HostConfig {
            privileged: Some(true),
            security_opt: Some(unconfined.map(str::to_owned).to_vec()),
            cgroupns_mode: Some(HostConfigCgroupnsModeEnum::PRIVATE),
            userns_mode: Some("host".into()),
            init: Some(false),
            // Docker's default runtime may be a wrapper of runc that the host needs, so runc is not named.
            runtime: (runtime == Runtime::Nvidia).then(|| "nvidia".into()),
            network_mode: Some(container.network.clone()),
            // The image's start looks this name up, and a host whose DNS does not answer would hold it up.
            extra_hosts: Some(vec!["host.docker.internal:host-gateway".into()]),
            binds: Some(vec!["/lib/modules:/lib/modules:ro".into()]),
            tmpfs: Some(HashMap::from([("/tmp".into(), String::new()), ("/run".into(), String::new())])),
            // Nodes come back with Docker, but for those that were stopped on purpose.
            restart_policy: Some(RestartPolicy {
                name: Some(RestartPolicyNameEnum::UNLESS_STOPPED),
                maximum_retry_count: None,
            }),
            ..HostConfig::default()
        }),
        networking_config: Some(NetworkingConfig {
            endpoints_config: Some(HashMap::from([(container.network.clone(), endpoint)])),
        }),
        ..ContainerCreateBody::default()
    }
}

/// The contents of the one regular file in a tar archive; none where there is none.
fn only_file(archive: &[u8]) -> std::io::Result<Option<Vec<u8>>> {
    let mut archive = tar::Archive::new(archive);
    for entry in archive.entries()? {
        let mut entry = entry?;
        if entry.header().entry_type().is_file() {
            let mut contents = Vec::new();
            entry.read_to_end(&mut contents)?;
            return Ok(Some(contents));
        }
    }
    Ok(None)
}

fn absent_is_fine(result: Result<(), Error>, operation: &'static str, subject: &str) -> Result<(), EngineError> {
    match result {
        Err(Error::DockerResponseServerError { status_code: 404, .. }) => Ok(()),
        // Somebody else's removal, or that of a container that removes itself, came before ours.
        Err(Error::DockerResponseServerError { status_code: 409, message })
            if message.contains("is already in progress") =>
        {
            Ok(())
        }
        result => result.map_err(|error| failed(operation, subject, error)),
    }
}

fn failed(operation: &'static str, subject: &str, error: Error) -> EngineError {
    let cause = match error {
        Error::DockerResponseServerError { status_code, message } => EngineFault::of_answer(status_code, message),
        Error::DockerStreamError { error } => EngineFault::of_answer(500, error),
        Error::RequestTimeoutError => EngineFault::TimedOut,
        error => {
            let message = chain(&error);
            if message.contains("ermission denied") {
                EngineFault::Forbidden(message)
            } else {
                EngineFault::Unreachable(message)
            }
        }
    };
    EngineError { operation, subject: subject.into(), cause }
}

/// An error with its causes: the outermost alone says only that something failed.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_as_faults() {
        let fault = |status, message: &str| EngineFault::of_answer(status, message.into());
        assert!(matches!(fault(500, "write /x: no space left on device"), EngineFault::NoRoom(_)));
        assert!(matches!(
            fault(403, "Pool overlaps with other one on this address space"),
            EngineFault::SubnetTaken(_)
        ));
        assert!(matches!(
            fault(409, "Conflict. The container name \"/a\" is already in use"),
            EngineFault::NameTaken(_)
        ));
        assert!(matches!(fault(404, "No such image"), EngineFault::NotFound(_)));
        assert!(matches!(fault(500, "x"), EngineFault::Refused { status: 500, .. }));
    }

    #[test]
    fn a_file_is_read_out_of_its_archive() {
        let mut builder = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_gnu();
        header.set_size(3);
        header.set_cksum();
        builder.append_data(&mut header, "version", &b"abc"[..]).unwrap();
        assert_eq!(only_file(&builder.into_inner().unwrap()).unwrap().unwrap(), b"abc");
        assert_eq!(only_file(&[0; 1024]).unwrap(), None);
    }

    #[tokio::test]
    async fn an_absent_engine_is_said_to_be_unreachable() {
        let engine = DockerEngine::new("unix:///nonexistent/docker.sock", Runtime::Runc, "test");
        assert!(engine.info().await.unwrap_err().cause.is_absence());
    }
}
