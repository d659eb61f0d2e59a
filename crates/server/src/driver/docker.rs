//! Docker Engine over its HTTP API on a Unix socket. No `docker` process is ever started.

mod body;
mod freezer;
mod observe;
mod power;
mod terminal;
mod transfer;

use std::collections::HashMap;
use std::io::Read;
use std::net::Ipv4Addr;
use std::time::Duration;

use async_trait::async_trait;
use bollard::Docker;
use bollard::auth::DockerCredentials;
use bollard::container::LogOutput;
use bollard::errors::Error;
use bollard::exec::{CreateExecOptions, StartExecOptions, StartExecResults};
use bollard::models::{ContainerSummaryStateEnum, Ipam, IpamConfig, NetworkCreateRequest, NetworkDisconnectRequest};
use bollard::query_parameters::{
    CreateContainerOptionsBuilder, CreateImageOptionsBuilder, DownloadFromContainerOptionsBuilder,
    ListContainersOptionsBuilder, LogsOptionsBuilder, RemoveContainerOptionsBuilder, RemoveImageOptions,
    TagImageOptionsBuilder, UploadToContainerOptionsBuilder,
};
use futures_util::{StreamExt, TryStreamExt};
use http::HeaderValue;
use ipnet::IpNet;
use qbo_api::image::ImageReference;
use qbo_api::settings::PortMapping;
use qbo_bootstrap::Resources;
use tokio::sync::OnceCell;

use crate::address::{ClusterNetwork, USUAL_MTU, guests};
use crate::cluster::{LABEL_PROBE, LABEL_SERVER};
use crate::config::{self, Runtime};

use super::Progress;
use super::engine::{
    Container, Engine, EngineError, EngineFault, EngineInfo, Executed, Labels, LocalImage, Network, NewContainer,
};

/// The longest a request may take. Removing a container of a busy node takes Docker some seconds.
const TIMEOUT: Duration = Duration::from_mins(2);

/// Carries credentials of a registry to the engine.
const REGISTRY_AUTH: &str = "x-registry-auth";

/// Docker Hub, as the engine has it in credentials and as images have it.
const HUB_CREDENTIALS: &str = "https://index.docker.io/v1/";
const HUB: &str = "hub.docker.com";

/// The largest file read out of a container.
const FILE_LIMIT: usize = 4 * 1024 * 1024;

/// A Docker Engine, connected on first use.
#[derive(Debug)]
pub struct DockerEngine {
    host: String,
    runtime: Runtime,
    /// Marks all that is made here: another server on the same engine must not clean up what this one is making.
    server: String,
    /// Whose images are pulled with credentials, where there are any.
    registry: Option<config::Registry>,
    connection: OnceCell<Docker>,
}

/// By which a network of Docker's driver `bridge` tells the largest packet it carries.
const OPTION_MTU: &str = "com.docker.network.driver.mtu";

impl DockerEngine {
    /// The engine at `host`, as `unix:///var/run/docker.sock`, for the server of this identity: what others made with
    /// qbo's labels is foreign here. Nothing is sent yet.
    pub fn new(host: impl Into<String>, runtime: Runtime, server: impl Into<String>) -> Self {
        Self { host: host.into(), runtime, server: server.into(), registry: None, connection: OnceCell::new() }
    }

    /// The same, which pulls images of this registry with its credentials.
    #[must_use]
    pub fn with_registry(self, registry: config::Registry) -> Self {
        Self { registry: Some(registry), ..self }
    }

    /// What the engine shows the registry of an image; nothing where that is not the configured one.
    fn credentials(&self, image: &str) -> Option<DockerCredentials> {
        let registry = self.registry.as_ref()?;
        let credentials = registry.credentials.as_ref()?;
        let image: ImageReference = image.parse().ok()?;
        (image.registry() == registry.hostname).then(|| DockerCredentials {
            username: Some(credentials.login.clone()),
            password: Some(credentials.token.reveal().into()),
            serveraddress: Some(if registry.hostname == HUB {
                HUB_CREDENTIALS.into()
            } else {
                registry.hostname.clone()
            }),
            ..DockerCredentials::default()
        })
    }

    fn own(&self, labels: &Labels) -> Labels {
        let mut labels = labels.clone();
        labels.insert(LABEL_SERVER.into(), self.server.clone());
        labels
    }

    fn own_or_none(&self, labels: Labels) -> Labels {
        if labels.get(LABEL_SERVER) == Some(&self.server) { labels } else { Labels::new() }
    }

    fn own_network(&self, network: bollard::models::Network) -> Network {
        let configs = network.ipam.and_then(|ipam| ipam.config).unwrap_or_default();
        Network {
            id: network.id.unwrap_or_default(),
            name: network.name.unwrap_or_default(),
            subnets: body::subnets(&configs)
                .filter_map(|subnet| if let IpNet::V4(subnet) = subnet { Some(subnet) } else { None })
                .collect(),
            subnets_v6: body::subnets(&configs)
                .filter_map(|subnet| if let IpNet::V6(subnet) = subnet { Some(subnet) } else { None })
                .collect(),
            mtu: network.options.and_then(|options| options.get(OPTION_MTU)?.parse().ok()).unwrap_or(USUAL_MTU),
            labels: self.own_or_none(network.labels.unwrap_or_default()),
        }
    }

    /// Takes all containers off a network, as far as possible. They stay, on their other networks.
    async fn disconnect_all(&self, network: &str) -> Result<(), EngineError> {
        let docker = self.docker().await?;
        let found = match docker.inspect_network(network, None).await {
            Err(Error::DockerResponseServerError { status_code: 404, .. }) => return Ok(()),
            found => found.map_err(|error| failed("docker GET /networks", network, error))?,
        };
        // By name: those that a dying Docker left have no id.
        for container in found.containers.unwrap_or_default().into_values().filter_map(|endpoint| endpoint.name) {
            tracing::info!(network, container, "disconnecting what somebody connected to a cluster's network");
            let request = NetworkDisconnectRequest { container, force: Some(true) };
            if let Err(error) = docker.disconnect_network(network, request).await {
                tracing::debug!(%error, network, "it may have gone meanwhile");
            }
        }
        Ok(())
    }

    /// The connection, with the API's version agreed upon.
    async fn docker(&self) -> Result<&Docker, EngineError> {
        let connect = async || {
            let docker = Docker::connect_with_host(&self.host)?.with_timeout(TIMEOUT);
            let docker = docker.with_request_modifier(readable_credentials);
            docker.negotiate_version().await
        };
        self.connection.get_or_try_init(connect).await.map_err(|error| failed("docker GET /version", &self.host, error))
    }
}

#[async_trait]
impl Engine for DockerEngine {
    async fn ping(&self) -> Result<(), EngineError> {
        let answered = self.docker().await?.ping().await;
        answered.map(drop).map_err(|error| failed("docker GET /_ping", &self.host, error))
    }

    async fn info(&self) -> Result<EngineInfo, EngineError> {
        let docker = self.docker().await?;
        let failed = |error| failed("docker GET /info", &self.host, error);
        let (version, info) = tokio::try_join!(docker.version(), docker.info()).map_err(failed)?;
        Ok(EngineInfo {
            version: version.version.unwrap_or_default(),
            api_version: version.api_version.unwrap_or_default(),
            root_directory: info.docker_root_dir.unwrap_or_default(),
            host: Resources {
                cpu_millis: info.ncpu.and_then(|count| u64::try_from(count).ok()).unwrap_or_default() * 1000,
                memory: info.mem_total.and_then(|bytes| u64::try_from(bytes).ok()).unwrap_or_default(),
            },
        })
    }

    async fn networks(&self) -> Result<Vec<Network>, EngineError> {
        let listed = self.docker().await?.list_networks(None).await;
        let networks = listed.map_err(|error| failed("docker GET /networks", "", error))?;
        Ok(networks.into_iter().map(|network| self.own_network(network)).collect())
    }

    async fn create_network(
        &self,
        name: &str,
        network: ClusterNetwork,
        labels: &Labels,
    ) -> Result<String, EngineError> {
        let subnets = [Some(IpNet::V4(network.v4)), network.v6.map(IpNet::V6)].into_iter().flatten();
        let config = subnets.map(|subnet| IpamConfig {
            subnet: Some(subnet.to_string()),
            ip_range: guests(subnet).map(|range| range.to_string()),
            gateway: body::gateway(subnet).map(|address| address.to_string()),
            ..IpamConfig::default()
        });
        let request = NetworkCreateRequest {
            name: name.into(),
            driver: Some("bridge".into()),
            ipam: Some(Ipam { config: Some(config.collect()), ..Ipam::default() }),
            enable_ipv6: Some(network.v6.is_some()),
            options: (network.mtu != USUAL_MTU)
                .then(|| HashMap::from([(OPTION_MTU.to_owned(), network.mtu.to_string())])),
            labels: Some(self.own(labels)),
            ..NetworkCreateRequest::default()
        };
        let created = self.docker().await?.create_network(request).await;
        Ok(created.map_err(|error| failed("docker POST /networks/create", name, error))?.id)
    }

    async fn remove_network(&self, id: &str) -> Result<(), EngineError> {
        let docker = self.docker().await?;
        let removed = match docker.remove_network(id).await {
            Err(Error::DockerResponseServerError { status_code: 403, .. }) => {
                self.disconnect_all(id).await?;
                docker.remove_network(id).await
            }
            removed => removed,
        };
        absent_is_fine(removed, "docker DELETE /networks", id)
    }

    async fn containers(&self, label: &str) -> Result<Vec<Container>, EngineError> {
        let own = format!("{LABEL_SERVER}={}", self.server);
        let filters = HashMap::from([("label", vec![label, &own])]);
        let options = ListContainersOptionsBuilder::new().all(true).filters(&filters).build();
        let listed = self.docker().await?.list_containers(Some(options)).await;
        let containers = listed.map_err(|error| failed("docker GET /containers/json", label, error))?;
        let name = |names: Option<Vec<String>>| {
            names.unwrap_or_default().first().map(|name| name.trim_start_matches('/').to_owned()).unwrap_or_default()
        };
        let container = |container: bollard::models::ContainerSummary| Container {
            id: container.id.unwrap_or_default(),
            name: name(container.names),
            image: container.image.unwrap_or_default(),
            running: container.state == Some(ContainerSummaryStateEnum::RUNNING),
            started: 0,
            process: 0,
            labels: container.labels.unwrap_or_default(),
        };
        Ok(containers.into_iter().map(container).collect())
    }

    async fn create_container(&self, container: &NewContainer) -> Result<String, EngineError> {
        let options = CreateContainerOptionsBuilder::new().name(&container.name).build();
        let mut body = body::node(container, self.runtime);
        body.labels = Some(self.own(&container.labels));
        let created = self.docker().await?.create_container(Some(options), body).await;
        Ok(created.map_err(|error| failed("docker POST /containers/create", &container.name, error))?.id)
    }

    async fn create_balancer(&self, container: &NewContainer, program: &str) -> Result<String, EngineError> {
        let options = CreateContainerOptionsBuilder::new().name(&container.name).build();
        let mut body = body::balancer(container, program);
        body.labels = Some(self.own(&container.labels));
        let created = self.docker().await?.create_container(Some(options), body).await;
        Ok(created.map_err(|error| failed("docker POST /containers/create", &container.name, error))?.id)
    }

    async fn create_port(
        &self,
        container: &NewContainer,
        port: &PortMapping,
        target: Ipv4Addr,
    ) -> Result<String, EngineError> {
        let options = CreateContainerOptionsBuilder::new().name(&container.name).build();
        let mut body = body::port(container, port, target);
        body.labels = Some(self.own(&container.labels));
        let created = self.docker().await?.create_container(Some(options), body).await;
        Ok(created.map_err(|error| failed("docker POST /containers/create", &container.name, error))?.id)
    }

    async fn refuses_ipv6(&self) -> Option<String> {
        let read = |path: &'static str| tokio::fs::read_to_string(path);
        if read("/proc/net/if_inet6").await.is_err() {
            return Some("the host's kernel has no IPv6".into());
        }
        let disabled = read("/proc/sys/net/ipv6/conf/all/disable_ipv6").await;
        disabled.is_ok_and(|text| text.trim() == "1").then(|| "IPv6 is turned off on the host".into())
    }

    async fn create_probe(&self, name: &str, image: &str) -> Result<String, EngineError> {
        let options = CreateContainerOptionsBuilder::new().name(name).build();
        let mut body = body::probe(image);
        body.labels = Some(self.own(&Labels::from([(LABEL_PROBE.into(), String::new())])));
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

    async fn resume_container(&self, container: &str) -> Result<(), EngineError> {
        self.resume(container).await
    }

    async fn is_held_back(&self, container: &str) -> bool {
        freezer::holds_back(container).await
    }

    async fn release_container(&self, container: &str) -> Result<(), EngineError> {
        self.release(container).await
    }

    async fn stop_container(&self, container: &str, grace: Duration) -> Result<(), EngineError> {
        self.stop(container, grace).await
    }

    async fn remove_container(&self, container: &str) -> Result<(), EngineError> {
        let options = RemoveContainerOptionsBuilder::new().force(true).v(true).build();
        let removing = self.docker().await?.remove_container(container, Some(options));
        let removed = freezer::thawing(container, Duration::ZERO, removing).await;
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
        let mut lines = std::pin::pin!(docker.create_image(Some(options), None, self.credentials(name)));
        while let Some(line) = lines.next().await {
            let line = line.map_err(|error| {
                let error = failed(operation, name, error);
                EngineError { cause: error.cause.of_pull(), ..error }
            })?;
            if let Some(status) = line.status {
                progress(&line.id.map_or(status.clone(), |id| format!("{id}: {status}")));
            }
        }
        Ok(())
    }

    async fn tag_image(&self, id: &str, name: &ImageReference) -> Result<(), EngineError> {
        let name = name.engine_name();
        // A ':' before the last '/' belongs to the registry's port.
        let (repository, tag) = name.rsplit_once(':').filter(|(_, tag)| !tag.contains('/')).unwrap_or((&name, ""));
        let options = TagImageOptionsBuilder::new().repo(repository).tag(tag).build();
        let tagged = self.docker().await?.tag_image(id, Some(options)).await;
        tagged.map_err(|error| failed("docker POST /images/tag", &name, error))
    }

    async fn remove_image(&self, name: &str) -> Result<(), EngineError> {
        let removed = self.docker().await?.remove_image(name, None::<RemoveImageOptions>, None).await;
        absent_is_fine(removed.map(drop), "docker DELETE /images", name)
    }
}

/// bollard writes credentials in base64 as usual, while Docker reads its alphabet for URLs, and goes on without
/// credentials where it cannot (<https://docs.docker.com/reference/api/engine/#section/Authentication>). The two differ
/// in two characters.
fn readable_credentials<B>(mut request: http::Request<B>) -> http::Request<B> {
    if let Some(value) = request.headers_mut().get_mut(REGISTRY_AUTH) {
        let letter = |byte: &u8| match byte {
            b'+' => b'-',
            b'/' => b'_',
            other => *other,
        };
        let letters: Vec<u8> = value.as_bytes().iter().map(letter).collect();
        if let Ok(mut letters) = HeaderValue::from_bytes(&letters) {
            letters.set_sensitive(true);
            *value = letters;
        }
    }
    request
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
    use std::sync::{Arc, Mutex};

    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE;
    use serde_json::{Map, Value, json};

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

    /// An engine that takes every image and writes down with whose credentials, as Docker reads them.
    async fn credentials_of_pulls(registry: config::Registry, images: &[&str]) -> Vec<Option<Value>> {
        let directory = tempfile::tempdir().unwrap();
        let socket = directory.path().join("docker.sock");
        let listener = tokio::net::UnixListener::bind(&socket).unwrap();
        let seen = Arc::<Mutex<Vec<_>>>::default();
        let written = Arc::clone(&seen);
        let answer = move |request: axum::extract::Request| async move {
            if request.uri().path().ends_with("/images/create") {
                let header = request.headers().get(REGISTRY_AUTH).cloned();
                written.lock().unwrap().push(header);
                return "{\"status\":\"Pull complete\"}\n".to_owned();
            }
            r#"{"ApiVersion":"1.41","Version":"20.10.24"}"#.to_owned()
        };
        let router = axum::Router::new().fallback(answer);
        let serving = tokio::spawn(async move { axum::serve(listener, router).await });
        let host = format!("unix://{}", socket.display());
        let engine = DockerEngine::new(host, Runtime::Runc, "test").with_registry(registry);
        for image in images {
            engine.pull(image, &|_| ()).await.unwrap();
        }
        serving.abort();
        let decoded = |header: &HeaderValue| URL_SAFE.decode(header).unwrap();
        let read = |header: &HeaderValue| serde_json::from_slice(&decoded(header)).unwrap();
        let seen = seen.lock().unwrap();
        seen.iter().map(|header| header.as_ref().map(read)).collect()
    }

    fn registry(hostname: &str, credentials: Option<(&str, &str)>) -> config::Registry {
        let credentials = credentials
            .map(|(login, token)| config::Credentials { login: login.into(), token: config::Secret::new(token) });
        let (kind, repository) = (config::RegistryKind::Oci, String::new());
        let (hostname, auth) = (hostname.to_owned(), String::new());
        config::Registry { kind, hostname, auth, user: "alex".into(), repository, credentials, insecure: false }
    }

    #[tokio::test]
    async fn credentials_go_to_the_registry_they_are_for() {
        let images = ["localhost:5000/alex/node:v1", "localhost:5001/alex/node:v1", "kindest/node:v1.36.0"];
        // These make every letter that the two alphabets of base64 do not share.
        let token = "~~~~????>>>>";
        let shown = |host: &str| json!({"username": "alex", "password": token, "serveraddress": host});
        let told = |seen: Vec<Option<Value>>| {
            let known = |value: Value| {
                let fields = value.as_object().unwrap().iter().filter(|(_, value)| !value.is_null());
                fields.map(|(key, value)| (key.clone(), value.clone())).collect::<Map<_, _>>().into()
            };
            seen.into_iter().map(|value| value.map(known)).collect::<Vec<Option<Value>>>()
        };
        let private = registry("localhost:5000", Some(("alex", token)));
        assert!(!format!("{private:?}").contains(token));
        assert_eq!(told(credentials_of_pulls(private, &images).await), [Some(shown("localhost:5000")), None, None]);
        let hub = registry("hub.docker.com", Some(("alex", token)));
        let expected = [None, None, Some(shown("https://index.docker.io/v1/"))];
        assert_eq!(told(credentials_of_pulls(hub, &images).await), expected);
        let open = registry("localhost:5000", None);
        assert_eq!(credentials_of_pulls(open, &images).await, [None, None, None]);
    }

    #[test]
    fn a_pull_that_is_denied_is_told_apart() {
        let fault = |message: &str| EngineFault::of_answer(500, message.into()).of_pull();
        for denied in [
            "Get \"http://localhost:5000/v2/node/manifests/v1\": unauthorized: authentication required",
            "pull access denied for alex/node, repository does not exist or may require 'docker login': denied",
            "Get \"https://a.b/v2/\": no basic auth credentials",
        ] {
            assert!(matches!(fault(denied), EngineFault::PullDenied(_)), "{denied}");
        }
        assert!(matches!(fault("manifest for a/node:v1 not found: manifest unknown"), EngineFault::PullRefused(_)));
        assert!(matches!(fault("write /x: no space left on device"), EngineFault::NoRoom(_)));
    }

    #[tokio::test]
    async fn an_absent_engine_is_said_to_be_unreachable() {
        let engine = DockerEngine::new("unix:///nonexistent/docker.sock", Runtime::Runc, "test");
        assert!(engine.info().await.unwrap_err().cause.is_absence());
    }
}
