//! What the server is told at its start: its command line, and `api.json` in the state directory.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use clap::Parser;
use ipnet::{Ipv4Net, Ipv6Net};
use qbo_api::image::ImageReference;
use serde::Deserialize;
use tracing_subscriber::filter::Targets;

const DEFAULT_DOCKER: &str = "unix:///var/run/docker.sock";
const DOCKER_HUB: &str = "hub.docker.com";

/// The keys of `api.json`; others are ignored, and named in the log.
const FILE_KEYS: [&str; 9] = [
    "docker_runtime",
    "registry_type",
    "registry_hostname",
    "registry_auth",
    "registry_user",
    "registry_repo",
    "registry_token",
    "registry_login",
    "registry_insecure",
];

/// The private ranges (RFC 1918, section 3).
const PRIVATE: [Ipv4Net; 3] = [
    Ipv4Net::new_assert(Ipv4Addr::new(10, 0, 0, 0), 8),
    Ipv4Net::new_assert(Ipv4Addr::new(172, 16, 0, 0), 12),
    Ipv4Net::new_assert(Ipv4Addr::new(192, 168, 0, 0), 16),
];

/// The qbo API server: turns this host and its Docker into a Kubernetes cloud.
#[derive(Debug, Clone, Parser)]
#[command(name = "qbo-api", version, about, args_override_self = true)]
pub struct Arguments {
    /// Where to listen for clients
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:9601")]
    pub listen: SocketAddr,

    /// Listen on an address that is not loopback, though there is neither TLS nor a login: whoever reaches it
    /// is in effect root on this host
    #[arg(long)]
    pub insecure: bool,

    /// How many clients may be connected at once; each takes an open file
    #[arg(long, value_name = "NUMBER", default_value_t = 512, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub connections: u32,

    /// Docker's socket
    #[arg(long, value_name = "unix://PATH", env = "DOCKER_HOST", default_value = DEFAULT_DOCKER, value_parser = docker)]
    pub docker: String,

    /// The private range of addresses that clusters get their networks from, a /24 each
    #[arg(long, value_name = "ADDRESS/PREFIX", default_value = "10.201.0.0/16", value_parser = network_range)]
    pub network_range: Ipv4Net,

    /// The range of unique local addresses that clusters with IPv6 get their networks from, a /64 each
    #[arg(long, value_name = "ADDRESS/PREFIX", default_value = "fdc9:b0a1:7e52::/48", value_parser = network_range_v6)]
    pub network_range_v6: Ipv6Net,

    /// The image of nodes where a command names none [default: the newest of the registry, or one built here]
    #[arg(long)]
    pub image: Option<ImageReference>,

    /// The program that builds node images
    #[arg(long, value_name = "PATH", default_value = "/usr/local/share/qbo/images/node/build")]
    pub image_builder: PathBuf,

    /// The program that stands in front of the API servers of clusters with several control planes
    #[arg(long, value_name = "PATH", default_value = "/usr/local/lib/qbo/qbo-balancer")]
    pub balancer: PathBuf,

    /// Where api.json is read and kubeconfigs are written [default: $HOME/.qbo]
    #[arg(long, value_name = "PATH")]
    pub state_directory: Option<PathBuf>,

    /// What to log to standard error, as `info` or `warn,qbo_server=debug`
    #[arg(long, value_name = "FILTER", env = "RUST_LOG", default_value = "info", value_parser = log_filter)]
    pub log: Targets,

    /// How to log
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub log_format: LogFormat,
}

/// The form of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// A line for people.
    Text,
    /// A JSON object a line.
    Json,
}

/// The server's configuration, checked.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where to listen.
    pub listen: SocketAddr,
    /// How many clients may be connected at once.
    pub connections: u32,
    /// Docker's socket, as `unix:///var/run/docker.sock`.
    pub docker: String,
    /// Private; every /24 of it can become a cluster's network.
    pub network_range: Ipv4Net,
    /// Unique local; every /64 of it can become a cluster's network.
    pub network_range_v6: Ipv6Net,
    /// The image of nodes where a command names none; none where that is to be found out.
    pub image: Option<ImageReference>,
    /// The program that builds node images.
    pub image_builder: PathBuf,
    /// The program that stands in front of several API servers.
    pub balancer: PathBuf,
    /// Holds `api.json` and kubeconfigs.
    pub state_directory: PathBuf,
    /// What runs node containers.
    pub runtime: Runtime,
    /// Where node images are listed.
    pub registry: Registry,
    /// Keys of `api.json` that mean nothing here.
    pub unknown_keys: Vec<String>,
}

/// The OCI runtime of node containers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Runtime {
    /// Docker's own.
    #[default]
    Runc,
    /// NVIDIA's, for nodes with GPUs.
    Nvidia,
}

/// A registry of node images.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registry {
    /// Whose API it has.
    pub kind: RegistryKind,
    /// Its host, with a port where that is not HTTPS's own.
    pub hostname: String,
    /// The host of its token endpoint, where that is known beforehand.
    pub auth: String,
    /// The first component of its images' names.
    pub user: String,
    /// What stands between user and image; mostly empty.
    pub repository: String,
    /// Who it lets in with which token; none where everybody.
    pub credentials: Option<Credentials>,
    /// Whether it speaks plain HTTP though it is not on loopback, as one of Docker's `insecure-registries`.
    pub insecure: bool,
}

/// What a registry wants to see before it answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credentials {
    /// A user's name, or that of a deploy token.
    pub login: String,
    /// A token, or a password.
    pub token: Secret,
}

/// The API of a registry.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RegistryKind {
    /// Docker Hub.
    #[default]
    Docker,
    /// GitLab.
    Gitlab,
    /// Any other: that of the OCI's distribution specification.
    Oci,
}

/// A text that stays out of logs.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

/// Why the server cannot start as it is told to.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// Neither `$HOME` nor passwd(5) knows one.
    #[error("there is no home directory for kubeconfigs; set HOME, or start with --state-directory PATH")]
    NoHome,
    /// The listener would let anybody in.
    #[error(
        "not listening on {0}: there is neither TLS nor a login, so whoever reaches it is in effect root on this host; \
         listen on a loopback address, or start with --insecure"
    )]
    Open(SocketAddr),
    /// `api.json` is there but cannot be read.
    #[error("'{0}' cannot be read: {1}")]
    Unreadable(PathBuf, #[source] io::Error),
    /// `api.json` is not what it should be.
    #[error("'{0}' is not right: {1}")]
    Broken(PathBuf, #[source] serde_json::Error),
    /// The registry that `api.json` names cannot be one.
    #[error("'{0}' is not right: {1}")]
    NoRegistry(PathBuf, String),
}

/// `api.json`, with the defaults of what it leaves out.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct File {
    docker_runtime: Runtime,
    registry_type: RegistryKind,
    registry_hostname: Option<String>,
    registry_auth: Option<String>,
    registry_user: Option<String>,
    registry_repo: String,
    registry_token: Secret,
    registry_login: Option<String>,
    registry_insecure: bool,
}

impl Config {
    /// Who this server is among those that share a Docker: its state directory, which [`crate::instance`] grants to one.
    pub fn server(&self) -> String {
        let directory = self.state_directory.canonicalize();
        directory.as_ref().unwrap_or(&self.state_directory).display().to_string()
    }

    /// Reads `api.json` and joins it with the command line.
    pub fn load(arguments: Arguments) -> Result<Self, ConfigError> {
        if !arguments.insecure && !arguments.listen.ip().to_canonical().is_loopback() {
            return Err(ConfigError::Open(arguments.listen));
        }
        let home = || std::env::home_dir().filter(|home| !home.as_os_str().is_empty());
        let state_directory =
            arguments.state_directory.or_else(|| Some(home()?.join(".qbo"))).ok_or(ConfigError::NoHome)?;
        let path = state_directory.join("api.json");
        let (file, unknown_keys) = read_file(&path)?;
        let runtime = file.docker_runtime;
        let registry = file.registry().map_err(|problem| ConfigError::NoRegistry(path, problem))?;
        Ok(Self {
            listen: arguments.listen,
            connections: arguments.connections,
            docker: arguments.docker,
            network_range: arguments.network_range,
            network_range_v6: arguments.network_range_v6,
            image: arguments.image,
            image_builder: arguments.image_builder,
            balancer: arguments.balancer,
            state_directory,
            runtime,
            registry,
            unknown_keys,
        })
    }
}

impl Registry {
    /// The repository of its node images, as `kindest/node`.
    pub fn node_repository(&self) -> String {
        let components = [&self.user, &self.repository, "node"];
        components.iter().filter(|component| !component.is_empty()).copied().collect::<Vec<_>>().join("/")
    }
}

impl Secret {
    /// Keeps a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(if self.0.is_empty() { "none" } else { "***" })
    }
}

impl File {
    /// The registry it names, or what is wrong with it.
    fn registry(self) -> Result<Registry, String> {
        let kind = self.registry_type;
        let hostname = match (self.registry_hostname, kind) {
            (Some(hostname), _) => hostname,
            (None, RegistryKind::Docker) => DOCKER_HUB.into(),
            (None, RegistryKind::Gitlab) => {
                return Err("registry_type gitlab needs registry_hostname, as registry.gitlab.com".into());
            }
            (None, RegistryKind::Oci) => {
                return Err("registry_type oci needs registry_hostname, as registry.example.com:5000".into());
            }
        };
        let auth = match (self.registry_auth, kind) {
            (Some(auth), _) => auth,
            (None, RegistryKind::Gitlab) => {
                return Err("registry_type gitlab needs registry_auth, GitLab's own host, as gitlab.com".into());
            }
            // Docker Hub's is its own, and others tell it themselves.
            (None, RegistryKind::Docker | RegistryKind::Oci) => hostname.clone(),
        };
        let user = match (self.registry_user, kind) {
            (Some(user), _) => user,
            (None, RegistryKind::Docker) => "kindest".into(),
            (None, RegistryKind::Gitlab | RegistryKind::Oci) => String::new(),
        };
        let login = self.registry_login.unwrap_or_else(|| user.clone());
        let credentials = match self.registry_token {
            token if token.0.is_empty() => None,
            _ if login.is_empty() => {
                return Err("registry_token needs registry_user, or registry_login where another name logs in".into());
            }
            token => Some(Credentials { login, token }),
        };
        let (repository, insecure) = (self.registry_repo, self.registry_insecure);
        let hostname = host("registry_hostname", &hostname)?;
        let registry =
            Registry { kind, auth: host("registry_auth", &auth)?, hostname, user, repository, credentials, insecure };
        match format!("{}/{}", registry.hostname, registry.node_repository()).parse::<ImageReference>() {
            Ok(_) => Ok(registry),
            Err(error) => Err(format!("registry_user and registry_repo make no repository of images: {error}")),
        }
    }
}

/// A registry's host as images have it before their names, all names of Docker Hub being one; an error where no image
/// could have it.
fn host(key: &str, host: &str) -> Result<String, String> {
    let wrong = || format!("{key} '{host}' is not a host alone, as registry.gitlab.com or localhost:5000");
    if host.contains(['/', '@']) {
        return Err(wrong());
    }
    let image: ImageReference = format!("{host}/node").parse().map_err(|_| wrong())?;
    // What is no host is taken for a user's name.
    if image.registry() != host && image.engine_name().starts_with(&format!("{host}/")) {
        return Err(wrong());
    }
    Ok(image.registry().into())
}

fn read_file(path: &Path) -> Result<(File, Vec<String>), ConfigError> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok((File::default(), Vec::new())),
        Err(error) => return Err(ConfigError::Unreadable(path.into(), error)),
    };
    let broken = |error| ConfigError::Broken(path.into(), error);
    let file = serde_json::from_str(&text).map_err(broken)?;
    // Read a second time: one struct that also collects what it does not know loses the place of errors.
    let keys: BTreeMap<String, serde_json::Value> = serde_json::from_str(&text).map_err(broken)?;
    Ok((file, keys.into_keys().filter(|key| !FILE_KEYS.contains(&key.as_str())).collect()))
}

/// An empty value is none, as the docker command has it for `DOCKER_HOST`.
fn docker(value: &str) -> Result<String, String> {
    let value = if value.is_empty() { DEFAULT_DOCKER } else { value };
    match value.strip_prefix("unix://") {
        Some(path) if path.starts_with('/') => Ok(value.into()),
        _ => Err(format!("only a socket of this host can be used, as {DEFAULT_DOCKER}")),
    }
}

/// An empty value is none here as well, and no reason to say nothing.
fn log_filter(value: &str) -> Result<Targets, String> {
    let value = if value.is_empty() { "info" } else { value };
    value.parse().map_err(|_| "write it as info, or as warn,qbo_server=debug".into())
}

fn network_range(value: &str) -> Result<Ipv4Net, String> {
    let range: Ipv4Net = value.parse().map_err(|_| "write it as 10.201.0.0/16")?;
    if !PRIVATE.iter().any(|private| private.contains(&range)) {
        return Err("it is not private; take a range of 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16".into());
    }
    if range.prefix_len() > 24 {
        return Err("it is too small: each cluster needs a /24 of its own".into());
    }
    if range != range.trunc() {
        return Err(format!("it has bits behind its prefix; did you mean {}?", range.trunc()));
    }
    Ok(range)
}

/// Unique local addresses (RFC 4193).
fn network_range_v6(value: &str) -> Result<Ipv6Net, String> {
    let range: Ipv6Net = value.parse().map_err(|_| "write it as fdc9:b0a1:7e52::/48")?;
    if range.addr().segments()[0] & 0xfe00 != 0xfc00 {
        return Err("it is not unique local; take a range of fd00::/8".into());
    }
    if !(48..=64).contains(&range.prefix_len()) {
        return Err("it is none of the sizes /48 to /64: each cluster needs a /64 of its own".into());
    }
    if range != range.trunc() {
        return Err(format!("it has bits behind its prefix; did you mean {}?", range.trunc()));
    }
    Ok(range)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(words: &[&str], file: Option<&str>) -> Result<Config, String> {
        let directory = tempfile::tempdir().unwrap();
        if let Some(text) = file {
            std::fs::write(directory.path().join("api.json"), text).unwrap();
        }
        // What the environment may say is said here.
        let state = directory.path().to_str().unwrap();
        let first = ["qbo-api", "--docker", "", "--log", "off", "--state-directory", state];
        let arguments = Arguments::try_parse_from(first.iter().chain(words)).map_err(|error| error.to_string())?;
        Config::load(arguments).map_err(|error| error.to_string())
    }

    #[test]
    fn without_words_and_file_everything_has_its_default() {
        let config = load(&[], None).unwrap();
        assert_eq!(config.listen.to_string(), "127.0.0.1:9601");
        assert_eq!(config.listen.port(), qbo_api::DEFAULT_PORT);
        assert_eq!(config.connections, 512);
        assert_eq!(config.docker, "unix:///var/run/docker.sock");
        assert_eq!(config.network_range.to_string(), "10.201.0.0/16");
        assert_eq!((config.runtime, config.registry.kind), (Runtime::Runc, RegistryKind::Docker));
        let registry = &config.registry;
        assert_eq!((registry.hostname.as_str(), registry.auth.as_str()), ("hub.docker.com", "hub.docker.com"));
        assert_eq!((registry.node_repository().as_str(), &registry.credentials), ("kindest/node", &None));
        assert_eq!(config.image, None);
        assert!(config.unknown_keys.is_empty());
    }

    #[test]
    fn an_open_listener_is_refused_unless_it_is_asked_for() {
        for open in ["0.0.0.0:9601", "192.0.2.1:9601", "[::]:9601"] {
            assert!(load(&["--listen", open], None).unwrap_err().contains("--insecure"));
            assert!(load(&["--listen", open, "--insecure"], None).is_ok());
        }
        for loopback in ["127.0.0.2:1", "[::1]:9601", "[::ffff:127.0.0.1]:9601"] {
            assert!(load(&["--listen", loopback], None).is_ok(), "{loopback}");
        }
    }

    #[test]
    fn bad_words_are_explained() {
        for (words, says) in [
            (["--network-range", "10.201.0.0"], "as 10.201.0.0/16"),
            (["--network-range", "10.201.3.0/16"], "did you mean 10.201.0.0/16?"),
            (["--network-range", "10.201.3.0/25"], "too small"),
            (["--network-range", "10.0.0.0/7"], "not private"),
            (["--network-range", "8.8.0.0/16"], "not private"),
            (["--docker", "tcp://127.0.0.1:2375"], "only a socket"),
            (["--docker", "unix://docker.sock"], "only a socket"),
            (["--image", "a:b:c"], "tag"),
            (["--listen", "localhost"], "invalid socket address"),
            (["--connections", "0"], "not in 1..=1000000"),
            (["--log", "qbo=loud"], "write it as info"),
        ] {
            let text = load(&words, None).unwrap_err();
            assert!(text.contains(says), "{words:?}: {text}");
        }
    }

    #[test]
    fn the_file_is_read_and_its_unknown_keys_are_told() {
        let text = r#"{ "docker_runtime": "nvidia", "registry_type": "gitlab", "registry_hostname": "registry.gitlab.com",
                        "registry_auth": "git.gitlab.com", "registry_user": "alex", "registry_repo": "cloud/images",
                        "registry_token": "hidden", "more": 1 }"#;
        let config = load(&[], Some(text)).unwrap();
        assert_eq!((config.runtime, config.registry.kind), (Runtime::Nvidia, RegistryKind::Gitlab));
        assert_eq!(config.registry.node_repository(), "alex/cloud/images/node");
        let credentials = config.registry.credentials.as_ref().unwrap();
        assert_eq!((credentials.login.as_str(), credentials.token.reveal()), ("alex", "hidden"));
        assert_eq!(config.unknown_keys, ["more"]);
        assert!(!format!("{config:?}").contains("hidden"));
    }

    #[test]
    fn registries_have_what_their_type_needs() {
        let registry = |text: &str| load(&[], Some(text)).map(|config| config.registry);
        let private = registry(r#"{"registry_type": "oci", "registry_hostname": "localhost:5000"}"#).unwrap();
        assert_eq!((private.hostname.as_str(), private.node_repository().as_str()), ("localhost:5000", "node"));
        let hub = registry(
            r#"{"registry_hostname": "docker.io", "registry_user": "team", "registry_token": "x",
                               "registry_login": "alex"}"#,
        );
        let hub = hub.unwrap();
        assert_eq!((hub.hostname.as_str(), hub.node_repository().as_str()), ("hub.docker.com", "team/node"));
        assert_eq!(hub.credentials.unwrap().login, "alex");
        for (text, says) in [
            (r#"{"registry_type": "gitlab"}"#, "api.json' is not right: registry_type gitlab needs registry_hostname"),
            (r#"{"registry_type": "gitlab", "registry_hostname": "a.b"}"#, "needs registry_auth"),
            (r#"{"registry_type": "oci"}"#, "registry_type oci needs registry_hostname"),
            (r#"{"registry_hostname": "https://a.b"}"#, "registry_hostname 'https://a.b' is not a host alone"),
            (r#"{"registry_hostname": "gitlab"}"#, "registry_hostname 'gitlab' is not a host alone"),
            (r#"{"registry_auth": "gitlab"}"#, "registry_auth 'gitlab' is not a host alone"),
            (r#"{"registry_auth": "git lab.com"}"#, "registry_auth 'git lab.com' is not a host alone"),
            (r#"{"registry_user": "Alex"}"#, "registry_user and registry_repo make no repository of images"),
            (
                r#"{"registry_type": "oci", "registry_hostname": "a.b", "registry_token": "x"}"#,
                "registry_token needs registry_user",
            ),
        ] {
            let error = registry(text).unwrap_err();
            assert!(error.contains(says), "{text}: {error}");
        }
    }

    #[test]
    fn a_broken_file_is_named_with_the_place_of_the_error() {
        for (text, says) in [
            ("{\n  \"registry_user\": kindest\n}", "api.json' is not right: expected value at line 2 column 20"),
            ("{\n  \"docker_runtime\": \"crun\"\n}", "unknown variant `crun`, expected `runc` or `nvidia` at line 2"),
            ("{\"registry_user\": 1}", "invalid type: integer `1`, expected a string at line 1"),
            ("", "EOF while parsing a value at line 1"),
        ] {
            let error = load(&[], Some(text)).unwrap_err();
            assert!(error.contains(says), "{error}");
        }
    }
}
