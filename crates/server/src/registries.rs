//! Registries that the nodes of clusters know besides those of the internet: what people wished for, kept in a file of the
//! state directory, since Docker knows nothing of it. Every node gets it before it starts, and those that live when it
//! changes ([`bring`]). One on this host's loopback is reached by nodes at the gateway of their network, where the server
//! listens and passes on ([`forward`]).

mod forward;

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures_util::future::join_all;
use ipnet::Ipv4Net;
use qbo_api::message::Code;
use qbo_api::model::Registry as Row;
use qbo_api::registry::{RegistryAddress, RegistryName};
use qbo_bootstrap::{ClusterPlan, LocalRegistry, Registry, local_registry_object, registry_files, tar};
use serde::{Deserialize, Serialize};
use tokio::sync::{Mutex, MutexGuard, watch};
use tokio_util::sync::CancellationToken;

use crate::cluster::{Found, FoundNode, find_all};
use crate::driver::engine::EngineFault;
use crate::error::Failure;
use crate::execute::Services;
use forward::{Forward, Forwards};

const FILE: &str = "registries.json";

/// How many registries a user may have: each is a file in every node.
const LIMIT: usize = 64;

/// How long a container runtime may take to read its configuration anew.
const RELOAD_LIMIT: Duration = Duration::from_secs(30);

/// containerd reads a registry's file at the next pull, but before 2.0 only where it was told to when it started.
const RELOAD: &str =
    "grep -q config_path /etc/containerd/config.toml || { systemctl daemon-reload; systemctl restart containerd; }";

/// The registries of all users.
#[derive(Debug)]
pub struct Registries {
    path: PathBuf,
    /// None before the file was read.
    known: Mutex<Option<Known>>,
    /// Counts changes.
    revision: watch::Sender<u64>,
}

/// What the file holds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Known {
    registries: Vec<Entry>,
    /// Those that nodes may still know though they shall not; their address says nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    forgotten: Vec<Entry>,
    /// Whether nodes may know something else.
    #[serde(default)]
    unsettled: bool,
}

/// A registry of a user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Entry {
    user: String,
    name: String,
    address: String,
}

/// What became of a node that was told.
pub type Told = (FoundNode, Result<(), Failure>);

impl Registries {
    /// Those in this directory. It is read when they are first asked for.
    pub fn new(directory: &Path) -> Self {
        Self { path: directory.join(FILE), known: Mutex::default(), revision: watch::Sender::new(0) }
    }

    /// Grows with every change.
    pub fn revision(&self) -> u64 {
        *self.revision.borrow()
    }

    /// A user's, by name.
    pub async fn rows(&self, user: &str) -> Result<Vec<Row>, Failure> {
        let known = self.read().await?;
        let own = known.iter().flat_map(|known| &known.registries).filter(|entry| entry.user == user);
        Ok(own.map(Entry::row).collect())
    }

    /// Everybody's.
    async fn all(&self) -> Result<Vec<Row>, Failure> {
        let known = self.read().await?;
        Ok(known.iter().flat_map(|known| &known.registries).map(Entry::row).collect())
    }

    /// A user's are these too from now on.
    pub async fn add(&self, user: &str, added: &[(RegistryName, RegistryAddress)]) -> Result<(), Failure> {
        self.change(|known| {
            for (name, address) in added {
                let (user, name) = (user.to_owned(), name.to_string());
                known.forgotten.retain(|entry| !entry.is(&user, &name));
                known.registries.retain(|entry| !entry.is(&user, &name));
                known.registries.push(Entry { user, name, address: address.to_string() });
            }
            known.registries.sort_by(|left, right| (&left.user, &left.name).cmp(&(&right.user, &right.name)));
            let count = known.registries.iter().filter(|entry| entry.user == user).count();
            if count > LIMIT {
                let problem = format!("{count} registries are too many: a user may have {LIMIT}");
                return Err(Failure::new(Code::UNPROCESSABLE, problem, "delete some: qbo get registries"));
            }
            Ok(())
        })
        .await
    }

    /// A user's are these no more; all of them must be known.
    pub async fn forget(&self, user: &str, names: &[RegistryName]) -> Result<(), Failure> {
        self.change(|known| {
            for name in names {
                let place = known.registries.iter().position(|entry| entry.is(user, name.as_str()));
                let place =
                    place.ok_or_else(|| absent(name, known.registries.iter().filter(|one| one.user == user)))?;
                let entry = known.registries.remove(place);
                known.forgotten.push(entry);
            }
            Ok(())
        })
        .await
    }

    /// All nodes know what was known at this revision; nothing more is to be told where that is still so.
    pub async fn settled(&self, revision: u64) -> Result<(), Failure> {
        let mut known = self.read().await?;
        if self.revision() != revision {
            return Ok(());
        }
        let settled = known.as_ref().map(|known| Known {
            registries: known.registries.clone(),
            forgotten: Vec::new(),
            unsettled: false,
        });
        if let Some(settled) = settled.filter(|settled| known.as_ref() != Some(settled)) {
            self.write(&settled).await?;
            *known = Some(settled);
        }
        Ok(())
    }

    /// What the nodes of a cluster that is to be, or to grow, know from the start.
    pub async fn plan(&self, user: &str, subnet: Ipv4Net, plan: &mut ClusterPlan) -> Result<(), Failure> {
        let rows = self.rows(user).await?;
        plan.options.registries = rows.iter().map(|row| told(row, subnet)).collect::<Result<_, _>>()?;
        plan.options.local_registry = local(&rows, subnet);
        Ok(())
    }

    /// Whether nodes may know something else than they shall.
    async fn is_unsettled(&self) -> Result<bool, Failure> {
        Ok(self.read().await?.as_ref().is_some_and(|known| known.unsettled))
    }

    /// What a node that lives is to be told, what it is to forget included.
    async fn files(&self, user: &str, subnet: Ipv4Net) -> Result<Vec<qbo_bootstrap::NodeFile>, Failure> {
        let mut registries = Vec::new();
        for row in self.rows(user).await? {
            registries.push(told(&row, subnet)?);
        }
        for entry in self.read().await?.iter().flat_map(|known| &known.forgotten).filter(|entry| entry.user == user) {
            // Without a mirror a registry is found under its name, as if nothing were said of it.
            registries.push(Registry::new(&entry.name, &[]).map_err(|error| broken(&self.path, &error))?);
        }
        Ok(registry_files(&registries))
    }

    async fn change(&self, change: impl FnOnce(&mut Known) -> Result<(), Failure>) -> Result<(), Failure> {
        let mut known = self.read().await?;
        let mut changed = known.clone().unwrap_or_default();
        change(&mut changed)?;
        changed.unsettled = true;
        self.write(&changed).await?;
        *known = Some(changed);
        self.revision.send_modify(|revision| *revision += 1);
        Ok(())
    }

    async fn read(&self) -> Result<MutexGuard<'_, Option<Known>>, Failure> {
        let mut known = self.known.lock().await;
        if known.is_none() {
            *known = Some(match tokio::fs::read(&self.path).await {
                Ok(text) => serde_json::from_slice(&text).map_err(|error| broken(&self.path, &error))?,
                Err(error) if error.kind() == ErrorKind::NotFound => Known::default(),
                Err(error) => return Err(broken(&self.path, &error)),
            });
        }
        Ok(known)
    }

    /// Writes the file at once or not at all; where it would say nothing there is none.
    async fn write(&self, known: &Known) -> Result<(), Failure> {
        let path = self.path.clone();
        let text = (*known != Known::default()).then(|| serde_json::to_string_pretty(known)).transpose();
        let text = text.map_err(|error| broken(&self.path, &error))?;
        let write = move || -> std::io::Result<()> {
            use std::io::Write as _;
            let Some(text) = text else {
                return match std::fs::remove_file(&path) {
                    Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
                    _ => Ok(()),
                };
            };
            let mut file = tempfile::NamedTempFile::new_in(path.parent().unwrap_or(Path::new(".")))?;
            file.write_all(text.as_bytes())?;
            file.as_file().sync_all()?;
            file.persist(&path)?;
            Ok(())
        };
        let written = tokio::task::spawn_blocking(write).await.map_err(|error| broken(&self.path, &error))?;
        written.map_err(|error| {
            let code = if error.kind() == ErrorKind::StorageFull { Code::NO_ROOM } else { Code::INTERNAL };
            let problem = format!("{} cannot be written: {error}", self.path.display());
            Failure::new(code, problem, "give qbo-api a directory it may write to: --state-directory")
        })
    }
}

impl Entry {
    fn is(&self, user: &str, name: &str) -> bool {
        self.user == user && self.name == name
    }

    fn row(&self) -> Row {
        let (name, address, user) = (self.name.clone(), self.address.clone(), self.user.clone());
        Row { host: on_host(&address).is_some(), name, address, user }
    }
}

/// Host and port of an address on this host's loopback, which no node reaches; none of any other.
pub fn on_host(address: &str) -> Option<(&str, u16)> {
    let (scheme, rest) = address.split_once("://")?;
    let (host, port) = rest.split_once(':').map_or((rest, None), |(host, port)| (host, port.parse().ok()));
    let is_loopback = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    is_loopback.then_some((host, port.unwrap_or(if scheme == "https" { 443 } else { 80 })))
}

/// The address of this host on a cluster's network.
fn gateway(subnet: Ipv4Net) -> Ipv4Addr {
    subnet.hosts().next().unwrap_or(subnet.network())
}

/// How the nodes on a network reach a registry.
fn told(row: &Row, subnet: Ipv4Net) -> Result<Registry, Failure> {
    let mirror = match on_host(&row.address) {
        Some((_, port)) => format!("http://{}:{port}", gateway(subnet)),
        None => row.address.clone(),
    };
    Registry::new(&row.name, &[&mirror])
        .map_err(|error| Failure::new(Code::UNPROCESSABLE, error.to_string(), "delete it: qbo delete registry"))
}

/// The registry that people push to: the first on this host.
fn local(rows: &[Row], subnet: Ipv4Net) -> Option<LocalRegistry> {
    let (row, port) = rows.iter().find_map(|row| Some((row, on_host(&row.address)?.1)))?;
    let host_from_cluster_network = Some(format!("{}:{port}", gateway(subnet)));
    Some(LocalRegistry { host: row.name.clone(), host_from_container_runtime: None, host_from_cluster_network })
}

fn absent<'a>(name: &RegistryName, known: impl Iterator<Item = &'a Entry>) -> Failure {
    let names: Vec<&str> = known.map(|entry| entry.name.as_str()).collect();
    let cure = match names.as_slice() {
        [] => format!("there is none; add one: qbo add registry {name}"),
        names => format!("there is: {}", names.join(", ")),
    };
    Failure::new(Code::NOT_FOUND, format!("no registry '{name}' was added"), cure)
}

fn broken(path: &Path, error: &dyn std::error::Error) -> Failure {
    let problem = format!("{} cannot be used: {error}", path.display());
    Failure::new(Code::INTERNAL, problem, "repair it, or remove it and add the registries anew")
}

/// Has all nodes of a cluster know what is known now, those that are stopped as well; and who asks its API server for the
/// host's registry (KEP-1755).
pub(crate) async fn bring(services: &Services, cluster: &Found) -> Result<Vec<Told>, Failure> {
    let identity = &cluster.identity;
    let Some(subnet) = cluster.networks.first().and_then(|network| network.subnets.first().copied()) else {
        return Ok(Vec::new());
    };
    let files = services.registries.files(&identity.user, subnet).await?;
    let archive = tar(&files);
    let nodes = cluster.nodes.iter().filter(|_| !files.is_empty()).map(async |node| {
        let outcome = tell_node(services, node, archive.clone()).await;
        (node.clone(), outcome)
    });
    let told = join_all(nodes).await;
    let rows = services.registries.rows(&identity.user).await?;
    hosting(services, cluster, local(&rows, subnet)).await;
    Ok(told)
}

/// Tells a cluster that was stopped of the host's registry, which may have been added meanwhile.
pub(crate) async fn remind(services: &Services, cluster: &Found) {
    let subnet = cluster.networks.first().and_then(|network| network.subnets.first().copied());
    if let (Some(subnet), Ok(rows)) = (subnet, services.registries.rows(&cluster.identity.user).await)
        && let Some(local) = local(&rows, subnet)
    {
        hosting(services, cluster, Some(local)).await;
    }
}

/// Tells those who ask a cluster's API server of the host's registry, or that there is none.
async fn hosting(services: &Services, cluster: &Found, local: Option<LocalRegistry>) {
    let Some(api_server) = services.live.api_server(cluster.identity.id) else { return };
    let spoken = async {
        match local {
            Some(local) => api_server.apply(&[local_registry_object(&local)]).await,
            None => api_server.remove(&local_registry_object(&LocalRegistry::default())).await,
        }
    };
    let cluster = &cluster.identity.name;
    match tokio::time::timeout(RELOAD_LIMIT, spoken).await {
        Ok(Ok(())) => {}
        // It is there for tools; images are pulled without it.
        Ok(Err(error)) => tracing::warn!(%error, cluster, "its tools are not told of the registry"),
        Err(_) => tracing::warn!(cluster, "its API server takes no ConfigMap just now"),
    }
}

async fn tell_node(services: &Services, node: &FoundNode, archive: Vec<u8>) -> Result<(), Failure> {
    let (engine, id) = (&services.engine, &node.container.id);
    match engine.put_archive(id, archive).await {
        // Gone meanwhile.
        Err(error) if matches!(error.cause, EngineFault::NotFound(_)) => return Ok(()),
        outcome => outcome?,
    }
    if !node.container.running {
        return Ok(());
    }
    let reloaded = tokio::time::timeout(RELOAD_LIMIT, engine.execute(id, &["sh", "-c", RELOAD])).await;
    let name = &node.container.name;
    let cure = format!("look at: docker exec {name} journalctl -u containerd");
    match reloaded {
        Ok(executed) if executed.as_ref().is_ok_and(|executed| executed.code != 0) => {
            let problem = format!("containerd of node '{name}' did not start anew");
            Err(Failure::new(Code::BAD_GATEWAY, problem, cure))
        }
        Ok(executed) => Ok(executed.map(drop)?),
        Err(_) => Err(Failure::new(Code::TIMEOUT, format!("containerd of node '{name}' does not answer"), cure)),
    }
}

/// Passes on what is meant for registries of this host, until `stop` is cancelled; and first has nodes know what an abrupt
/// end kept from them.
pub async fn run(services: &Services, stop: &CancellationToken) {
    let follow = async {
        let (mut moved, mut revision) = (services.live.moves(), services.registries.revision.subscribe());
        let mut forwards = Forwards::default();
        match services.registries.all().await {
            Ok(rows) => services.live.registries_seen(&rows),
            Err(failure) => tracing::error!(%failure, "registries are unknown"),
        }
        loop {
            if let Ok(rows) = services.registries.all().await {
                forwards.be(wished(&rows, &services.live.cluster_networks()));
            }
            tokio::select! {
                _ = moved.changed() => {}
                _ = revision.changed() => {}
            }
        }
    };
    let settle = async {
        if let Err(failure) = settle(services).await {
            tracing::warn!(%failure, "nodes may not know all registries; add one again to tell them");
        }
        std::future::pending::<()>().await;
    };
    stop.run_until_cancelled(async { tokio::join!(follow, settle) }).await;
}

/// Tells all nodes, where a change may not have come to all of them.
async fn settle(services: &Services) -> Result<(), Failure> {
    if !services.registries.is_unsettled().await? {
        return Ok(());
    }
    services.live.engine_known().await;
    let revision = services.registries.revision();
    for cluster in find_all(&*services.engine).await? {
        let told = bring(services, &cluster).await?;
        told.into_iter().try_for_each(|(_, outcome)| outcome)?;
    }
    services.registries.settled(revision).await
}

/// Where is to be listened, and for whom.
fn wished(rows: &[Row], networks: &[(String, Ipv4Net)]) -> Vec<Forward> {
    let on_network = |(user, subnet): &(String, Ipv4Net)| {
        let own = rows.iter().filter(|row| row.user == *user).filter_map(|row| on_host(&row.address));
        own.map(|(host, port)| Forward {
            listen: (gateway(*subnet), port).into(),
            subnet: *subnet,
            target: (host.to_owned(), port),
        })
        .collect::<Vec<_>>()
    };
    networks.iter().flat_map(on_network).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn added(name: &str, address: &str) -> (RegistryName, RegistryAddress) {
        (name.parse().unwrap(), address.parse().unwrap())
    }

    fn names(rows: &[Row]) -> Vec<(&str, bool)> {
        rows.iter().map(|row| (row.name.as_str(), row.host)).collect()
    }

    #[tokio::test]
    async fn what_is_known_survives_and_an_empty_file_goes() {
        let directory = tempfile::tempdir().unwrap();
        let registries = Registries::new(directory.path());
        let wished = [added("localhost:5000", "http://localhost:5000"), added("docker.io", "http://10.0.0.7:5000")];
        registries.add("alex", &wished).await.unwrap();
        registries.add("sam", &wished[..1]).await.unwrap();
        registries.add("alex", &wished).await.unwrap();

        let registries = Registries::new(directory.path());
        assert!(registries.is_unsettled().await.unwrap());
        assert_eq!(names(&registries.rows("alex").await.unwrap()), [("docker.io", false), ("localhost:5000", true)]);
        assert_eq!(names(&registries.rows("sam").await.unwrap()), [("localhost:5000", true)]);
        let failure = registries.forget("sam", &[wished[1].0.clone()]).await.unwrap_err();
        assert_eq!((failure.code, failure.cure.as_str()), (Code::NOT_FOUND, "there is: localhost:5000"));

        registries.forget("sam", &[wished[0].0.clone()]).await.unwrap();
        registries.forget("alex", &[wished[0].0.clone(), wished[1].0.clone()]).await.unwrap();
        let files = registries.files("alex", "10.201.3.0/24".parse().unwrap()).await.unwrap();
        assert!(files.iter().any(|file| file.path == "/etc/containerd/certs.d/localhost:5000/hosts.toml"));
        registries.settled(registries.revision() - 1).await.unwrap();
        assert!(registries.is_unsettled().await.unwrap(), "something changed since");
        registries.settled(registries.revision()).await.unwrap();
        assert!(!registries.is_unsettled().await.unwrap());
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
    }

    #[tokio::test]
    async fn a_file_that_cannot_be_read_is_told_and_left_as_it_is() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join(FILE), "{").unwrap();
        let registries = Registries::new(directory.path());
        let failure = registries.add("alex", &[added("a.b", "http://a.b")]).await.unwrap_err();
        assert_eq!(failure.code, Code::INTERNAL);
        assert!(failure.problem.contains(FILE), "{failure}");
        assert_eq!(std::fs::read_to_string(directory.path().join(FILE)).unwrap(), "{");
    }

    #[tokio::test]
    async fn a_user_has_so_many() {
        let directory = tempfile::tempdir().unwrap();
        let registries = Registries::new(directory.path());
        let many: Vec<_> = (1..=LIMIT + 1).map(|port| added(&format!("a.b:{port}"), "http://a.b")).collect();
        assert_eq!(registries.add("alex", &many).await.unwrap_err().code, Code::UNPROCESSABLE);
        registries.add("alex", &many[1..]).await.unwrap();
    }

    #[test]
    fn what_is_on_this_host_is_reached_at_the_gateway() {
        let row = |address: &str| Row {
            name: "localhost:5000".into(),
            address: address.into(),
            host: on_host(address).is_some(),
            user: "alex".into(),
        };
        let subnet: Ipv4Net = "10.201.3.0/24".parse().unwrap();
        let here = row("http://localhost:5001");
        assert_eq!(told(&here, subnet), Ok(Registry::new("localhost:5000", &["http://10.201.3.1:5001"]).unwrap()));
        let there = row("https://10.0.0.7");
        assert_eq!(told(&there, subnet), Ok(Registry::new("localhost:5000", &["https://10.0.0.7"]).unwrap()));
        assert_eq!(local(std::slice::from_ref(&there), subnet), None);
        let hosting = local(&[there, here.clone()], subnet).unwrap();
        assert_eq!(hosting.host_from_cluster_network.as_deref(), Some("10.201.3.1:5001"));
        let networks = [("alex".to_owned(), subnet), ("sam".to_owned(), "10.201.4.0/24".parse().unwrap())];
        let forwards = wished(&[here], &networks);
        let [forward] = forwards.as_slice() else { panic!("{forwards:?}") };
        assert_eq!((forward.listen.to_string().as_str(), forward.target.1), ("10.201.3.1:5001", 5001));
        assert_eq!(on_host("http://127.0.0.2"), Some(("127.0.0.2", 80)));
    }
}
