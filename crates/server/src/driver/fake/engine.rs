//! An engine in memory. Names and addresses are as unique, and absent things as absent, as Docker has them.

use std::collections::BTreeMap;
use std::fmt;
use std::io::Read;
use std::net::Ipv4Addr;
use std::sync::{Mutex, MutexGuard};

use async_trait::async_trait;
use ipnet::Ipv4Net;
use tokio::sync::Notify;

use crate::cluster::LABEL_PROBE;
use crate::kubeadm::STATIC_POD_FILES;

use super::trouble::{Ledger, Moment, Trouble, absent};
use crate::driver::Progress;
use crate::driver::engine::{
    Container, Engine, EngineError, EngineFault, EngineInfo, Executed, Labels, LocalImage, Network, NewContainer,
};

/// What `kubeadm init phase addon all --print-manifest` prints, as far as anybody looks at it.
const ADDONS: &str = "apiVersion: apps/v1\nkind: DaemonSet\nmetadata:\n  name: kube-proxy\n---\n\
                      apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: coredns\n";

/// A Docker Engine in memory, with Docker's own networks and no image.
pub(crate) struct FakeEngine {
    held: Mutex<Held>,
    ledger: Mutex<Ledger>,
    /// What the next executions answer; kubeadm's usual answer where this is none.
    executed: Mutex<Option<Executed>>,
    root_directory: Mutex<String>,
    hung: Notify,
    carried_out: Notify,
}

/// All that an engine holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Held {
    /// By id.
    pub(crate) networks: BTreeMap<String, Network>,
    /// By id.
    pub(crate) containers: BTreeMap<String, FakeContainer>,
    /// Images this host holds, and those that a pull brings.
    pub(crate) images: Vec<FakeImage>,
    pullable: Vec<FakeImage>,
}

/// A container with what was put into it.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct FakeContainer {
    pub(crate) container: Container,
    pub(crate) network: String,
    pub(crate) address: Ipv4Addr,
    pub(crate) environment: Vec<String>,
    /// By path, those of the image included.
    pub(crate) files: BTreeMap<String, Vec<u8>>,
}

/// An image with the files that are looked at.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct FakeImage {
    image: LocalImage,
    files: BTreeMap<String, Vec<u8>>,
}

impl Default for FakeEngine {
    fn default() -> Self {
        let network = |name: &str| Network { id: id(), name: name.into(), subnets: Vec::new(), labels: Labels::new() };
        let networks = ["bridge", "host", "none"].map(network);
        let held = Held {
            networks: networks.into_iter().map(|network| (network.id.clone(), network)).collect(),
            containers: BTreeMap::new(),
            images: Vec::new(),
            pullable: Vec::new(),
        };
        Self {
            held: Mutex::new(held),
            ledger: Mutex::default(),
            executed: Mutex::default(),
            root_directory: Mutex::new("/".into()),
            hung: Notify::new(),
            carried_out: Notify::new(),
        }
    }
}

impl FakeEngine {
    /// All that the engine holds now.
    pub(crate) fn held(&self) -> Held {
        self.lock().clone()
    }

    /// Each call so far, as `operation subject`.
    pub(crate) fn calls(&self) -> Vec<String> {
        self.ledger.lock().unwrap().calls.clone()
    }

    /// Something goes wrong with the call of this index, counted from the engine's first.
    pub(crate) fn trouble(&self, call: usize, trouble: Trouble) {
        self.ledger.lock().unwrap().troubles.insert(call, trouble);
    }

    /// Something goes wrong with the first call from now on that begins like this.
    pub(crate) fn trouble_with(&self, call: &str, trouble: Trouble) {
        self.ledger.lock().unwrap().named.push((call.into(), trouble));
    }

    /// The engine does not answer any more.
    pub(crate) fn vanish(&self) {
        self.ledger.lock().unwrap().gone = true;
    }

    /// The engine answers again.
    pub(crate) fn revive(&self) {
        self.ledger.lock().unwrap().gone = false;
    }

    /// Waits until a call hangs.
    pub(crate) async fn hung(&self) {
        self.hung.notified().await;
    }

    /// Waits until a call is carried out, unless one was since this was last waited for.
    pub(crate) async fn carried_out(&self) {
        self.carried_out.notified().await;
    }

    /// Carries out what is late.
    pub(crate) fn catch_up(&self) {
        let late = std::mem::take(&mut self.ledger.lock().unwrap().late);
        let mut held = self.lock();
        for effect in late {
            effect(&mut held);
        }
    }

    /// From now on every program ends like this.
    pub(crate) fn execute_as(&self, executed: Executed) {
        *self.executed.lock().unwrap() = Some(executed);
    }

    /// Where the engine says that it keeps its data.
    pub(crate) fn keep_data_in(&self, directory: &str) {
        *self.root_directory.lock().unwrap() = directory.into();
    }

    /// Gives this host an image.
    pub(crate) fn hold_image(&self, image: FakeImage) {
        self.lock().hold_image(image);
    }

    /// Takes all images from this host.
    pub(crate) fn drop_images(&self) {
        self.lock().images.clear();
    }

    /// Gives the registry an image.
    pub(crate) fn offer_image(&self, image: FakeImage) {
        self.lock().pullable.push(image);
    }

    /// Makes a container behind everybody's back, as `docker run` does.
    pub(crate) fn hold_container(&self, new: &NewContainer) -> String {
        let mut held = self.lock();
        let id = held.create_container(new).unwrap();
        held.container(&id).unwrap().container.running = true;
        id
    }

    /// Makes a network behind everybody's back, as `docker network create` does.
    pub(crate) fn hold_network(&self, name: &str, subnet: &str) -> String {
        self.lock().create_network(name, subnet.parse().unwrap(), &Labels::new()).unwrap()
    }

    /// Removes a container behind everybody's back, as `docker rm -f` does.
    pub(crate) fn drop_container(&self, id: &str) {
        assert!(self.lock().containers.remove(id).is_some(), "there is no container {id}");
    }

    /// Stops a container behind everybody's back, as `docker stop` does.
    pub(crate) fn stop_container(&self, id: &str) {
        self.lock().container(id).unwrap().container.running = false;
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap()
    }

    /// Makes a call: to let others in between, it takes a turn before it is carried out and one before it is answered.
    async fn call<T: Send + 'static>(
        &self,
        operation: &'static str,
        subject: &str,
        effect: impl FnOnce(&mut Held) -> Result<T, EngineFault> + Send + 'static,
    ) -> Result<T, EngineError> {
        let trouble = self.ledger.lock().unwrap().begin(operation, subject);
        tokio::task::yield_now().await;
        let outcome = match trouble {
            None => self.carry_out(effect),
            Some(Trouble::Meanwhile(happen)) => {
                happen();
                self.carry_out(effect)
            }
            Some(Trouble::Fails(fault)) => Err(fault),
            Some(Trouble::FailsAfterwards(fault)) => self.carry_out(effect).and(Err(fault)),
            Some(Trouble::Vanishes(moment)) => {
                self.carry_out_at(moment, effect);
                Err(absent())
            }
            Some(Trouble::Hangs(moment)) => {
                self.carry_out_at(moment, effect);
                self.hung.notify_one();
                std::future::pending().await
            }
            Some(Trouble::Waits(answer)) => {
                let outcome = self.carry_out(effect);
                self.hung.notify_one();
                answer.notified().await;
                outcome
            }
        };
        self.carried_out.notify_one();
        tokio::task::yield_now().await;
        outcome.map_err(|cause| EngineError { operation, subject: subject.into(), cause })
    }

    fn carry_out<T>(&self, effect: impl FnOnce(&mut Held) -> Result<T, EngineFault>) -> Result<T, EngineFault> {
        effect(&mut self.lock())
    }

    fn carry_out_at<T>(
        &self,
        moment: Moment,
        effect: impl FnOnce(&mut Held) -> Result<T, EngineFault> + Send + 'static,
    ) {
        match moment {
            Moment::Never => {}
            Moment::AtOnce => drop(self.carry_out(effect)),
            Moment::Late => self.ledger.lock().unwrap().late.push(Box::new(|held| drop(effect(held)))),
        }
    }
}

#[async_trait]
impl Engine for FakeEngine {
    async fn info(&self) -> Result<EngineInfo, EngineError> {
        let root_directory = self.root_directory.lock().unwrap().clone();
        let info = EngineInfo { version: "20.10.24".into(), api_version: "1.41".into(), root_directory };
        self.call("info", "", |_| Ok(info)).await
    }

    async fn networks(&self) -> Result<Vec<Network>, EngineError> {
        self.call("networks", "", |held| Ok(held.networks.values().cloned().collect())).await
    }

    async fn create_network(&self, name: &str, subnet: Ipv4Net, labels: &Labels) -> Result<String, EngineError> {
        let (owned, labels) = (name.to_owned(), labels.clone());
        self.call("create_network", name, move |held| held.create_network(&owned, subnet, &labels)).await
    }

    async fn remove_network(&self, id: &str) -> Result<(), EngineError> {
        let owned = id.to_owned();
        self.call("remove_network", id, move |held| held.remove_network(&owned)).await
    }

    async fn containers(&self, label: &str) -> Result<Vec<Container>, EngineError> {
        let owned = label.to_owned();
        let list = move |held: &mut Held| {
            let all = held.containers.values().map(|container| &container.container);
            Ok(all.filter(|container| container.labels.contains_key(&owned)).cloned().collect())
        };
        self.call("containers", label, list).await
    }

    async fn create_container(&self, container: &NewContainer) -> Result<String, EngineError> {
        let owned = container.clone();
        self.call("create_container", &container.name, move |held| held.create_container(&owned)).await
    }

    async fn create_probe(&self, name: &str, image: &str) -> Result<String, EngineError> {
        let probe = NewContainer {
            name: name.into(),
            image: image.into(),
            network: "none".into(),
            address: Ipv4Addr::UNSPECIFIED,
            labels: Labels::from([(LABEL_PROBE.into(), String::new())]),
            environment: Vec::new(),
        };
        self.call("create_probe", name, move |held| held.create_container(&probe)).await
    }

    async fn put_archive(&self, container: &str, tar: Vec<u8>) -> Result<(), EngineError> {
        let owned = container.to_owned();
        self.call("put_archive", container, move |held| {
            held.container(&owned)?.files.extend(unpack(&tar));
            Ok(())
        })
        .await
    }

    async fn read_file(&self, container: &str, path: &str) -> Result<Option<Vec<u8>>, EngineError> {
        let (owned, path) = (container.to_owned(), path.to_owned());
        let subject = format!("{container} {path}");
        // Neither a container nor a file that is absent is an error.
        let read =
            move |held: &mut Held| Ok(held.container(&owned).ok().and_then(|found| found.files.get(&path).cloned()));
        self.call("read_file", &subject, read).await
    }

    async fn start_container(&self, container: &str) -> Result<(), EngineError> {
        let owned = container.to_owned();
        self.call("start_container", container, move |held| held.start_container(&owned)).await
    }

    async fn remove_container(&self, container: &str) -> Result<(), EngineError> {
        let owned = container.to_owned();
        self.call("remove_container", container, move |held| {
            held.containers.retain(|id, found| *id != owned && found.container.name != owned);
            Ok(())
        })
        .await
    }

    async fn execute(&self, container: &str, command: &[&str]) -> Result<Executed, EngineError> {
        let (owned, command) = (container.to_owned(), command.join(" "));
        let output = if command.contains("--print-manifest") { ADDONS.to_owned() } else { String::new() };
        let usual = Executed { code: 0, output, errors: String::new() };
        let executed = self.executed.lock().unwrap().clone().unwrap_or(usual);
        let subject = format!("{container} {command}");
        let run = move |held: &mut Held| {
            let found = held.container(&owned)?;
            if !found.container.running {
                return Err(refused(409, format!("container {owned} is not running")));
            }
            if executed.code == 0 && command.contains("init phase control-plane") {
                let pods = STATIC_POD_FILES.map(|name| format!("/etc/kubernetes/manifests/{name}"));
                found.files.extend(pods.map(|path| (path, b"kind: Pod\n".to_vec())));
            }
            Ok(executed)
        };
        self.call("execute", &subject, run).await
    }

    async fn logs(&self, container: &str, _lines: usize) -> Result<String, EngineError> {
        let owned = container.to_owned();
        self.call("logs", container, move |held| held.container(&owned).map(|_| "systemd booted\n".to_owned())).await
    }

    async fn image(&self, name: &str) -> Result<Option<LocalImage>, EngineError> {
        let owned = name.to_owned();
        self.call("image", name, move |held| Ok(held.image(&owned).map(|image| image.image.clone()))).await
    }

    async fn images(&self) -> Result<Vec<LocalImage>, EngineError> {
        self.call("images", "", |held| Ok(held.images.iter().map(|image| image.image.clone()).collect())).await
    }

    async fn pull(&self, name: &str, progress: Progress<'_>) -> Result<(), EngineError> {
        progress("Pulling fs layer");
        let owned = name.to_owned();
        self.call("pull", name, move |held| held.pull(&owned)).await
    }
}

impl Held {
    fn create_network(&mut self, name: &str, subnet: Ipv4Net, labels: &Labels) -> Result<String, EngineFault> {
        if self.networks.values().any(|network| network.name == name) {
            return Err(EngineFault::NameTaken(format!("network with name {name} already exists")));
        }
        let overlaps = |other: &Ipv4Net| other.contains(&subnet) || subnet.contains(other);
        if self.networks.values().flat_map(|network| &network.subnets).any(overlaps) {
            return Err(EngineFault::SubnetTaken("Pool overlaps with other one on this address space".into()));
        }
        let network = Network { id: id(), name: name.into(), subnets: vec![subnet], labels: labels.clone() };
        let id = network.id.clone();
        self.networks.insert(id.clone(), network);
        Ok(id)
    }

    fn remove_network(&mut self, id: &str) -> Result<(), EngineFault> {
        let Some(name) = self.networks.get(id).map(|network| network.name.clone()) else { return Ok(()) };
        if self.containers.values().any(|container| container.network == name && container.container.running) {
            return Err(refused(403, format!("error while removing network: network {name} has active endpoints")));
        }
        self.networks.remove(id);
        Ok(())
    }

    fn create_container(&mut self, new: &NewContainer) -> Result<String, EngineFault> {
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
            labels: new.labels.clone(),
        };
        let id = container.id.clone();
        let container = FakeContainer {
            container,
            network: new.network.clone(),
            address: new.address,
            environment: new.environment.clone(),
            files: image.files.clone(),
        };
        self.containers.insert(id.clone(), container);
        Ok(id)
    }

    /// Only at start Docker joins a container to its network.
    fn start_container(&mut self, id: &str) -> Result<(), EngineFault> {
        let (network, address) = self.container(id).map(|container| (container.network.clone(), container.address))?;
        if !self.networks.values().any(|found| found.name == network) {
            return Err(EngineFault::NotFound(format!("network {network} not found")));
        }
        let mut running = self.containers.values().filter(|container| container.container.running);
        let is_taken = |other: &FakeContainer| other.network == network && other.address == address;
        if !address.is_unspecified() && running.any(is_taken) {
            return Err(refused(403, "Address already in use".into()));
        }
        self.container(id)?.container.running = true;
        Ok(())
    }

    fn pull(&mut self, name: &str) -> Result<(), EngineFault> {
        let offered = self.pullable.iter().find(|image| image.image.names.iter().any(|known| known == name)).cloned();
        let refused = || {
            let repository = name.split(':').next().unwrap_or_default();
            EngineFault::PullRefused(format!("pull access denied for {repository}, repository does not exist"))
        };
        self.hold_image(offered.ok_or_else(refused)?);
        Ok(())
    }

    fn hold_image(&mut self, image: FakeImage) {
        self.images.retain(|held| held.image.names != image.image.names);
        self.images.push(image);
    }

    /// By id or name, as Docker takes them.
    fn container(&mut self, key: &str) -> Result<&mut FakeContainer, EngineFault> {
        let missing = || EngineFault::NotFound(format!("No such container: {key}"));
        let found = self.containers.iter_mut().find(|(id, found)| *id == key || found.container.name == key);
        found.map(|(_, found)| found).ok_or_else(missing)
    }

    fn image(&self, name: &str) -> Option<&FakeImage> {
        self.images.iter().find(|image| image.image.names.iter().any(|known| known == name))
    }
}

impl FakeImage {
    /// A node image of this Kubernetes version, as kind's.
    pub(crate) fn node(name: &str, version: &str) -> Self {
        Self::other(name)
            .with_file("/kind/version", version)
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

fn refused(status: u16, message: String) -> EngineFault {
    EngineFault::Refused { status, message }
}

/// 64 hex digits, as Docker's ids.
fn id() -> String {
    let half = || uuid::Uuid::new_v4().simple();
    format!("{}{}", half(), half())
}

/// The regular files of a tar archive, by absolute path.
fn unpack(archive: &[u8]) -> BTreeMap<String, Vec<u8>> {
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
