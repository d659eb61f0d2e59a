//! What an engine in memory holds, and how that changes.

use std::collections::BTreeMap;
use std::fmt;
use std::io::Read;
use std::net::Ipv4Addr;

use ipnet::Ipv4Net;
use qbo_api::settings::PortMapping;
use qbo_bootstrap::CONTAINERD_CONFIGURATION;
use serde_json::json;

use super::etcd::FakeMember;
use crate::address::ClusterNetwork;
use crate::driver::engine::{Container, EngineFault, Executed, Extras, Labels, LocalImage, Network, NewContainer};

/// Where a node's container runtime keeps images here: a file of the image's name with its id.
pub(super) const NODE_IMAGES: &str = "/images/";

/// All that an engine holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Held {
    /// By id.
    pub(crate) networks: BTreeMap<String, Network>,
    /// By id.
    pub(crate) containers: BTreeMap<String, FakeContainer>,
    /// The members of each cluster's etcd, by the cluster's network.
    pub(super) etcd: BTreeMap<String, Vec<FakeMember>>,
    /// Images this host holds, and those that a pull brings.
    pub(crate) images: Vec<FakeImage>,
    pub(super) pullable: Vec<FakeImage>,
}

/// A container with what was put into it.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct FakeContainer {
    pub(crate) container: Container,
    pub(crate) network: String,
    pub(crate) address: Ipv4Addr,
    pub(crate) environment: Vec<String>,
    pub(crate) extras: Extras,
    /// The port of the host that it takes while it runs, and where that leads.
    pub(crate) port: Option<(PortMapping, Ipv4Addr)>,
    /// By path, those of the image included.
    pub(crate) files: BTreeMap<String, Vec<u8>>,
    /// Whether it was killed and cannot end.
    pub(crate) held_back: bool,
}

/// An image with the files that are looked at.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct FakeImage {
    pub(super) image: LocalImage,
    files: BTreeMap<String, Vec<u8>>,
}

impl Held {
    pub(super) fn create_network(
        &mut self,
        name: &str,
        ClusterNetwork { v4: subnet, v6, mtu }: ClusterNetwork,
        labels: &Labels,
    ) -> Result<String, EngineFault> {
        if self.networks.values().any(|network| network.name == name) {
            return Err(EngineFault::NameTaken(format!("network with name {name} already exists")));
        }
        let overlaps = |other: &Ipv4Net| other.contains(&subnet) || subnet.contains(other);
        if self.networks.values().flat_map(|network| &network.subnets).any(overlaps) {
            return Err(EngineFault::SubnetTaken("Pool overlaps with other one on this address space".into()));
        }
        let network = Network {
            id: id(),
            name: name.into(),
            subnets: vec![subnet],
            subnets_v6: v6.into_iter().collect(),
            mtu,
            labels: labels.clone(),
        };
        let id = network.id.clone();
        self.networks.insert(id.clone(), network);
        Ok(id)
    }

    pub(super) fn remove_network(&mut self, id: &str) -> Result<(), EngineFault> {
        let Some(name) = self.networks.get(id).map(|network| network.name.clone()) else { return Ok(()) };
        if self.containers.values().any(|container| container.network == name && container.container.running) {
            return Err(refused(403, format!("error while removing network: network {name} has active endpoints")));
        }
        self.networks.remove(id);
        self.etcd.remove(&name);
        Ok(())
    }

    pub(super) fn create_container(&mut self, new: &NewContainer) -> Result<String, EngineFault> {
        let NewContainer { name, image, .. } = new;
        if self.containers.values().any(|container| container.container.name == *name) {
            let message = format!("Conflict. The container name \"/{name}\" is already in use");
            return Err(EngineFault::NameTaken(message));
        }
        let no_image = || EngineFault::NotFound(format!("No such image: {image}"));
        let image = self.image(image).ok_or_else(no_image)?;
        let container = Container {
            id: id(),
            name: name.clone(),
            image: new.image.clone(),
            running: false,
            started: 0,
            process: 1,
            labels: new.labels.clone(),
        };
        let id = container.id.clone();
        let container = FakeContainer {
            container,
            network: new.network.clone(),
            address: new.address,
            environment: new.environment.clone(),
            extras: new.extras.clone(),
            port: None,
            files: image.files.clone(),
            held_back: false,
        };
        self.containers.insert(id.clone(), container);
        Ok(id)
    }

    /// Only at start Docker joins a container to its network.
    pub(super) fn start_container(&mut self, id: &str) -> Result<(), EngineFault> {
        let (network, address) = self.container(id).map(|container| (container.network.clone(), container.address))?;
        if !self.networks.values().any(|found| found.name == network) {
            return Err(EngineFault::NotFound(format!("network {network} not found")));
        }
        let mut running = self.containers.values().filter(|container| container.container.running);
        let is_taken = |other: &FakeContainer| other.network == network && other.address == address;
        if !address.is_unspecified() && running.any(is_taken) {
            return Err(refused(403, "Address already in use".into()));
        }
        if let Some((port, _)) = self.container(id)?.port {
            let mut running = self.containers.values().filter(|container| container.container.running);
            if running.any(|other| other.port.is_some_and(|(other, _)| other.is_in_the_way_of(&port))) {
                return Err(EngineFault::PortTaken(format!("Bind for 0.0.0.0:{} failed", port.host)));
            }
        }
        let started = &mut self.container(id)?.container;
        (started.running, started.started) = (true, 1);
        self.found_etcd(id);
        Ok(())
    }

    pub(super) fn pull(&mut self, name: &str) -> Result<(), EngineFault> {
        let offered = self.pullable.iter().find(|image| image.image.names.iter().any(|known| known == name)).cloned();
        let refused = || {
            let repository = name.split(':').next().unwrap_or_default();
            EngineFault::PullRefused(format!("pull access denied for {repository}, repository does not exist"))
        };
        self.hold_image(offered.ok_or_else(refused)?);
        Ok(())
    }

    /// Names are an image's until another one gets them; without any it stays, as a nameless one.
    pub(super) fn hold_image(&mut self, image: FakeImage) {
        for held in &mut self.images {
            held.image.names.retain(|name| !image.image.names.contains(name));
        }
        self.images.retain(|held| held.image.id != image.image.id);
        self.images.push(image);
    }

    pub(super) fn tag_image(&mut self, id: &str, name: &str) -> Result<(), EngineFault> {
        let known = self.images.iter().find(|held| held.image.id == id);
        let mut image = known.cloned().ok_or_else(|| EngineFault::NotFound(format!("No such image: {id}")))?;
        image.image.names.push(name.into());
        self.hold_image(image);
        Ok(())
    }

    pub(super) fn remove_image(&mut self, name: &str) -> Result<(), EngineFault> {
        if let Some(user) = self.containers.values().find(|container| container.container.image == name) {
            let message = format!("conflict: container {} is using its referenced image", user.container.id);
            return Err(refused(409, message));
        }
        self.images.retain_mut(|held| {
            let is_meant = held.image.id == name || held.image.names.iter().any(|known| known == name);
            held.image.names.retain(|known| known != name);
            !is_meant || held.image.id != name && !held.image.names.is_empty()
        });
        Ok(())
    }

    /// By id or name, as Docker takes them.
    pub(super) fn container(&mut self, key: &str) -> Result<&mut FakeContainer, EngineFault> {
        let missing = || EngineFault::NotFound(format!("No such container: {key}"));
        let found = self.containers.iter_mut().find(|(id, found)| *id == key || found.container.name == key);
        found.map(|(_, found)| found).ok_or_else(missing)
    }

    pub(super) fn image(&self, name: &str) -> Option<&FakeImage> {
        self.images.iter().find(|image| image.image.names.iter().any(|known| known == name))
    }
}

impl FakeContainer {
    /// What its container runtime answers, where it is asked something.
    pub(super) fn runtime_answer(&mut self, command: &str) -> Option<Executed> {
        let output = match command.split(' ').collect::<Vec<_>>().as_slice() {
            ["crictl", "images", ..] => {
                let files = self.files.iter().filter_map(|(path, id)| Some((path.strip_prefix(NODE_IMAGES)?, id)));
                // Of an image that a manifest's digest names it knows only that of its configuration.
                let id = |id| String::from_utf8_lossy(id).replace("manifest", "configuration");
                let images = files.map(|(name, found)| json!({"id": id(found), "repoTags": [name]}));
                json!({"images": images.collect::<Vec<_>>()}).to_string()
            }
            ["ctr", .., "images", "ls"] => {
                let files = self.files.iter().filter_map(|(path, id)| Some((path.strip_prefix(NODE_IMAGES)?, id)));
                let line =
                    |(name, id): (&str, &Vec<u8>)| format!("{name} a/type {} 1 MiB\n", String::from_utf8_lossy(id));
                std::iter::once("REF TYPE DIGEST SIZE\n".to_owned()).chain(files.map(line)).collect()
            }
            ["ctr", .., "tag", "--force", from, to] => {
                let id = self.files.get(&format!("{NODE_IMAGES}{from}")).cloned()?;
                self.files.insert(format!("{NODE_IMAGES}{to}"), id);
                String::new()
            }
            _ => return None,
        };
        Some(Executed { code: 0, output, errors: String::new() })
    }

    /// The images of its container runtime, by name.
    pub(crate) fn images(&self) -> Vec<&str> {
        self.files.keys().filter_map(|path| path.strip_prefix(NODE_IMAGES)).collect()
    }
}

impl FakeImage {
    /// A node image of this Kubernetes version, as kind's.
    pub(crate) fn node(name: &str, version: &str) -> Self {
        Self::other(name)
            .with_file("/kind/version", version)
            .with_file(CONTAINERD_CONFIGURATION, "version = 3\n[debug]\nlevel = \"info\"\n")
            .with_file(
                "/kind/manifests/default-cni.yaml",
                "apiVersion: apps/v1\nkind: DaemonSet\nmetadata:\n  name: kindnet\n",
            )
            .with_file(
                "/kind/manifests/default-storage.yaml",
                "apiVersion: storage.k8s.io/v1\nkind: StorageClass\nmetadata:\n  name: standard\n",
            )
    }

    /// An image of something else.
    pub(crate) fn other(name: &str) -> Self {
        let image = LocalImage { id: id(), names: vec![name.into()], labels: Labels::new() };
        Self { image, files: BTreeMap::new() }
    }

    /// Its names.
    pub(crate) fn names(&self) -> &[String] {
        &self.image.names
    }

    /// The engine's id.
    pub(crate) fn id(&self) -> &str {
        &self.image.id
    }

    /// A label's value.
    pub(crate) fn label(&self, name: &str) -> Option<&str> {
        self.image.labels.get(name).map(String::as_str)
    }

    /// The same as an engine knows it that keeps images in a containerd.
    pub(crate) fn of_containerd(mut self) -> Self {
        self.image.id = format!("manifest-{}", self.image.id);
        self
    }

    /// The same with a file.
    pub(crate) fn with_file(mut self, path: &str, text: &str) -> Self {
        self.files.insert(path.into(), text.into());
        self
    }

    /// The same without a file.
    pub(crate) fn without_file(mut self, path: &str) -> Self {
        self.files.remove(path);
        self
    }

    /// The same with a label.
    pub(crate) fn with_label(mut self, name: &str, value: &str) -> Self {
        self.image.labels.insert(name.into(), value.into());
        self
    }
}

/// Without the contents of its files.
impl fmt::Debug for FakeContainer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Container { name, running, .. } = &self.container;
        let state = if *running { "running" } else { "created" };
        write!(formatter, "{name} ({state}, {} files)", self.files.len())
    }
}

impl fmt::Debug for FakeImage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.image.names.join(", "))
    }
}

pub(super) fn refused(status: u16, message: String) -> EngineFault {
    EngineFault::Refused { status, message }
}

/// 64 hex digits, as Docker's ids.
pub(super) fn id() -> String {
    let half = || uuid::Uuid::new_v4().simple();
    format!("{}{}", half(), half())
}

/// The regular files of a tar archive, by absolute path.
pub(super) fn unpack(archive: &[u8]) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in tar::Archive::new(archive).entries().unwrap() {
        let mut entry = entry.unwrap();
        if entry.header().entry_type().is_file() {
            let path = format!("/{}", entry.path().unwrap().display());
            let mut contents = Vec::new();
            entry.read_to_end(&mut contents).unwrap();
            files.insert(path, contents);
        }
    }
    files
}
