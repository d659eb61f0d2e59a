//! An engine in memory. Names and addresses are as unique, and absent things as absent, as Docker has them.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use qbo_api::image::ImageReference;
use qbo_api::settings::PortMapping;
use qbo_bootstrap::Resources;
use tokio::sync::{Notify, broadcast};

use crate::address::{ClusterNetwork, USUAL_MTU};
use crate::cluster::LABEL_PROBE;
use crate::kubeadm::STATIC_POD_FILES;

use super::held::{FakeContainer, FakeImage, Held, id, refused, unpack};
use super::terminal::FakeProgram;
use super::trouble::{Ledger, Moment, Trouble, absent};
use crate::driver::Progress;
use crate::driver::engine::{
    Container, Engine, EngineError, EngineEvent, EngineFault, EngineInfo, Executed, Extras, Labels, LocalImage,
    Network, NewContainer, Observe,
};
use crate::driver::terminal::NewShell;

/// What `kubeadm init phase addon all --print-manifest` prints, as far as anybody looks at it.
const ADDONS: &str = "apiVersion: apps/v1\nkind: DaemonSet\nmetadata:\n  name: kube-proxy\n---\n\
                      apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: coredns\n";

/// What the host of the engine has.
const HOST: Resources = Resources { cpu_millis: 4000, memory: 16 << 30 };
/// What kubeadm writes for a static pod, as far as anybody looks at it.
const STATIC_POD: &[u8] = b"kind: Pod\nspec:\n  containers:\n  - command:\n    - program\n";

/// The end of what comes before the words of etcdctl.
const ETCDCTL: &str = "/healthcheck-client.key ";

/// A Docker Engine in memory, with Docker's own networks and no image.
pub(crate) struct FakeEngine {
    held: Mutex<Held>,
    ledger: Mutex<Ledger>,
    /// What the next executions answer; kubeadm's usual answer where this is none.
    executed: Mutex<Option<Executed>>,
    root_directory: Mutex<String>,
    no_ipv6: Mutex<Option<String>>,
    hung: Notify,
    carried_out: Notify,
    /// Whether nobody can read files of containers.
    unreadable: AtomicBool,
    /// What the answer to the next look at a container waits for.
    late_look: Mutex<Option<Arc<Notify>>>,
    cuts_archives: AtomicBool,
    /// None: the engine has gone, and whoever listens is told so.
    events: broadcast::Sender<Option<EngineEvent>>,
    /// Started on terminals.
    pub(super) programs: Mutex<Vec<FakeProgram>>,
}

impl Default for FakeEngine {
    fn default() -> Self {
        let network = |name: &str| {
            let (subnets, subnets_v6, labels) = (Vec::new(), Vec::new(), Labels::new());
            Network { id: id(), name: name.into(), subnets, subnets_v6, mtu: USUAL_MTU, labels }
        };
        let networks = ["bridge", "host", "none"].map(network);
        let held = Held {
            networks: networks.into_iter().map(|network| (network.id.clone(), network)).collect(),
            containers: BTreeMap::new(),
            etcd: BTreeMap::new(),
            images: Vec::new(),
            pullable: Vec::new(),
        };
        Self {
            held: Mutex::new(held),
            ledger: Mutex::default(),
            executed: Mutex::default(),
            root_directory: Mutex::new("/".into()),
            no_ipv6: Mutex::default(),
            hung: Notify::new(),
            carried_out: Notify::new(),
            unreadable: AtomicBool::new(false),
            late_look: Mutex::default(),
            cuts_archives: AtomicBool::new(false),
            events: broadcast::Sender::new(1024),
            programs: Mutex::default(),
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

    /// How often it was asked for something, also by whoever follows it.
    pub(crate) fn asked(&self) -> usize {
        let ledger = self.ledger.lock().unwrap();
        ledger.calls.len() + ledger.looks
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
        let _ = self.events.send(None);
    }

    /// The engine answers again.
    pub(crate) fn revive(&self) {
        self.ledger.lock().unwrap().gone = false;
    }

    /// From now on archives of images end in the middle, or do not any more.
    pub(crate) fn cut_archives(&self, cut: bool) {
        self.cuts_archives.store(cut, Ordering::Relaxed);
    }

    pub(super) fn cuts_archives(&self) -> bool {
        self.cuts_archives.load(Ordering::Relaxed)
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
        self.change(|held| late.into_iter().for_each(|effect| effect(held)));
    }

    /// From now on every program ends like this.
    pub(crate) fn execute_as(&self, executed: Executed) {
        *self.executed.lock().unwrap() = Some(executed);
    }

    /// Where the engine says that it keeps its data.
    pub(crate) fn keep_data_in(&self, directory: &str) {
        *self.root_directory.lock().unwrap() = directory.into();
    }

    /// From now on containers cannot have IPv6.
    pub(crate) fn refuse_ipv6(&self, why: &str) {
        *self.no_ipv6.lock().unwrap() = Some(why.into());
    }

    /// Gives this host an image.
    pub(crate) fn hold_image(&self, image: FakeImage) {
        self.change(|held| held.hold_image(image));
    }

    /// Takes all images from this host.
    pub(crate) fn drop_images(&self) {
        self.change(|held| held.images.clear());
    }

    /// Gives the registry an image.
    pub(crate) fn offer_image(&self, image: FakeImage) {
        self.lock().pullable.push(image);
    }

    /// Makes a container behind everybody's back, as `docker run` does.
    pub(crate) fn hold_container(&self, new: &NewContainer) -> String {
        self.change(|held| {
            let id = held.create_container(new).unwrap();
            held.container(&id).unwrap().container.running = true;
            id
        })
    }

    /// The largest packet that Docker was told of.
    pub(crate) fn carry(&self, mtu: u16) {
        self.change(|held| held.networks.values_mut().for_each(|network| network.mtu = mtu));
    }

    /// From now on nobody who looks can read files of containers, or everybody can.
    pub(crate) fn refuse_files(&self, refuse: bool) {
        self.unreadable.store(refuse, Ordering::Relaxed);
    }

    /// The next look at a container sees it as it is then, and is answered only when somebody says so.
    pub(crate) fn answer_late(&self, late: &Arc<Notify>) {
        *self.late_look.lock().unwrap() = Some(Arc::clone(late));
    }

    /// Makes a network behind everybody's back, as `docker network create` does.
    pub(crate) fn hold_network(&self, name: &str, subnet: &str) -> String {
        let network = ClusterNetwork { v4: subnet.parse().unwrap(), v6: None, mtu: USUAL_MTU };
        self.change(|held| held.create_network(name, network, &Labels::new()).unwrap())
    }

    /// Removes a container behind everybody's back, as `docker rm -f` does.
    pub(crate) fn drop_container(&self, id: &str) {
        assert!(self.change(|held| held.containers.remove(id)).is_some(), "there is no container {id}");
    }

    /// Stops a container behind everybody's back, as `docker stop` does.
    pub(crate) fn halt_container(&self, id: &str) {
        self.change(|held| held.container(id).unwrap().container.running = false);
    }

    /// Kills a container behind everybody's back, which then cannot end.
    pub(crate) fn hold_back(&self, id: &str) {
        self.change(|held| held.container(id).unwrap().held_back = true);
    }

    /// Whether a container runs.
    pub(crate) fn is_running(&self, id: &str) -> bool {
        self.lock().containers.get(id).is_some_and(|found| found.container.running)
    }

    /// Makes the container of a user's shells, and starts it.
    pub(super) async fn make_shell(&self, shell: &NewShell) -> Result<String, EngineError> {
        let container = NewContainer {
            name: shell.name.clone(),
            image: shell.image.clone(),
            network: "bridge".into(),
            address: Ipv4Addr::UNSPECIFIED,
            labels: shell.labels.clone(),
            environment: Vec::new(),
            extras: Extras::default(),
        };
        let make = move |held: &mut Held| {
            let id = held.create_container(&container)?;
            held.container(&id)?.container.running = true;
            Ok(id)
        };
        self.call("create_shell", &shell.name, make).await
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap()
    }

    /// Makes a call: to let others in between, it takes a turn before it is carried out and one before it is answered.
    pub(super) async fn call<T: Send + 'static>(
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
        self.change(effect)
    }

    /// Looks at something without a turn in the ledger: who follows the engine looks when it likes, and tests count calls.
    fn look<T>(&self, look: impl FnOnce(&Held) -> T) -> Result<T, EngineError> {
        if !self.ledger.lock().unwrap().look() {
            return Err(EngineError { operation: "look", subject: String::new(), cause: absent() });
        }
        Ok(look(&self.lock()))
    }

    /// Changes something and tells whoever listens what changed.
    fn change<T>(&self, effect: impl FnOnce(&mut Held) -> T) -> T {
        let mut held = self.lock();
        let before = held.clone();
        let outcome = effect(&mut held);
        let differs = |id: &&String| before.containers.get(*id) != held.containers.get(*id);
        let containers = before.containers.keys().chain(held.containers.keys()).filter(differs);
        let networks = before.networks.keys().chain(held.networks.keys());
        let networks = networks.filter(|id| before.networks.get(*id) != held.networks.get(*id));
        let events = containers.cloned().map(EngineEvent::Container).chain(networks.cloned().map(EngineEvent::Network));
        let images = (before.images != held.images).then_some(EngineEvent::Image);
        for event in events.chain(images) {
            // Nobody listens: nobody is told.
            let _ = self.events.send(Some(event));
        }
        outcome
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
    async fn ping(&self) -> Result<(), EngineError> {
        self.call("ping", "", |_| Ok(())).await
    }

    async fn info(&self) -> Result<EngineInfo, EngineError> {
        let root_directory = self.root_directory.lock().unwrap().clone();
        let info = EngineInfo { version: "20.10.24".into(), api_version: "1.41".into(), root_directory, host: HOST };
        self.call("info", "", |_| Ok(info)).await
    }

    async fn networks(&self) -> Result<Vec<Network>, EngineError> {
        self.call("networks", "", |held| Ok(held.networks.values().cloned().collect())).await
    }

    async fn create_network(
        &self,
        name: &str,
        network: ClusterNetwork,
        labels: &Labels,
    ) -> Result<String, EngineError> {
        let (owned, labels) = (name.to_owned(), labels.clone());
        self.call("create_network", name, move |held| held.create_network(&owned, network, &labels)).await
    }

    async fn create_port(
        &self,
        container: &NewContainer,
        port: &PortMapping,
        target: Ipv4Addr,
    ) -> Result<String, EngineError> {
        let (owned, port) = (container.clone(), *port);
        self.call("create_port", &container.name, move |held| {
            let id = held.create_container(&owned)?;
            held.container(&id)?.port = Some((port, target));
            Ok(id)
        })
        .await
    }

    async fn refuses_ipv6(&self) -> Option<String> {
        self.no_ipv6.lock().unwrap().clone()
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

    async fn create_balancer(&self, container: &NewContainer, _program: &str) -> Result<String, EngineError> {
        let owned = container.clone();
        self.call("create_balancer", &container.name, move |held| held.create_container(&owned)).await
    }

    async fn create_probe(&self, name: &str, image: &str) -> Result<String, EngineError> {
        let probe = NewContainer {
            name: name.into(),
            image: image.into(),
            network: "none".into(),
            address: Ipv4Addr::UNSPECIFIED,
            labels: Labels::from([(LABEL_PROBE.into(), String::new())]),
            environment: Vec::new(),
            extras: Extras::default(),
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

    async fn resume_container(&self, container: &str) -> Result<(), EngineError> {
        let owned = container.to_owned();
        self.call("resume_container", container, move |held| held.start_container(&owned)).await
    }

    async fn is_held_back(&self, container: &str) -> bool {
        self.look(|held| held.containers.get(container).is_some_and(|found| found.held_back)).unwrap_or_default()
    }

    async fn release_container(&self, container: &str) -> Result<(), EngineError> {
        let owned = container.to_owned();
        self.call("release_container", container, move |held| {
            held.container(&owned)?.held_back = false;
            Ok(())
        })
        .await
    }

    async fn stop_container(&self, container: &str, _grace: Duration) -> Result<(), EngineError> {
        let owned = container.to_owned();
        self.call("stop_container", container, move |held| {
            held.container(&owned)?.container.running = false;
            Ok(())
        })
        .await
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
                found.files.extend(pods.map(|path| (path, STATIC_POD.to_vec())));
            }
            if let Some(words) = command.split(ETCDCTL).nth(1) {
                let words: Vec<&str> = words.split(' ').collect();
                return Ok(held.etcdctl(&owned, &words));
            }
            Ok(found.runtime_answer(&command).unwrap_or(executed))
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
        let named = |image: &&FakeImage| !image.image.names.is_empty();
        let list =
            move |held: &mut Held| Ok(held.images.iter().filter(named).map(|image| image.image.clone()).collect());
        self.call("images", "", list).await
    }

    async fn pull(&self, name: &str, progress: Progress<'_>) -> Result<(), EngineError> {
        progress("Pulling fs layer");
        let owned = name.to_owned();
        self.call("pull", name, move |held| held.pull(&owned)).await
    }

    async fn tag_image(&self, id: &str, name: &ImageReference) -> Result<(), EngineError> {
        let (id, name) = (id.to_owned(), name.engine_name());
        let subject = name.clone();
        self.call("tag_image", &subject, move |held| held.tag_image(&id, &name)).await
    }

    async fn remove_image(&self, name: &str) -> Result<(), EngineError> {
        let owned = name.to_owned();
        self.call("remove_image", name, move |held| held.remove_image(&owned)).await
    }
}

#[async_trait]
impl Observe for FakeEngine {
    fn events(&self) -> BoxStream<'static, Result<EngineEvent, EngineError>> {
        let failed = || EngineError { operation: "events", subject: String::new(), cause: absent() };
        let gone = self.ledger.lock().unwrap().gone;
        let receiver = (!gone).then(|| self.events.subscribe());
        stream::unfold(receiver, move |receiver| async move {
            let Some(mut receiver) = receiver else { return Some((Err(failed()), None)) };
            match receiver.recv().await {
                Ok(Some(event)) => Some((Ok(event), Some(receiver))),
                Ok(None) | Err(_) => Some((Err(failed()), None)),
            }
        })
        .boxed()
    }

    async fn containers(&self, label: &str) -> Result<Vec<Container>, EngineError> {
        let labelled = |found: &&FakeContainer| found.container.labels.contains_key(label);
        self.look(|held| held.containers.values().filter(labelled).map(|found| found.container.clone()).collect())
    }

    async fn networks(&self) -> Result<Vec<Network>, EngineError> {
        self.look(|held| held.networks.values().filter(|network| !network.labels.is_empty()).cloned().collect())
    }

    async fn images(&self) -> Result<Vec<LocalImage>, EngineError> {
        self.look(|held| held.images.iter().map(|image| image.image.clone()).collect())
    }

    async fn container(&self, id: &str) -> Result<Option<Container>, EngineError> {
        let found = self.look(|held| held.containers.get(id).map(|found| found.container.clone()));
        let late = self.late_look.lock().unwrap().take();
        if let Some(late) = late {
            self.hung.notify_one();
            late.notified().await;
        }
        found
    }

    async fn network(&self, id: &str) -> Result<Option<Network>, EngineError> {
        self.look(|held| held.networks.get(id).cloned())
    }

    async fn file(&self, container: &str, path: &str) -> Result<Option<Vec<u8>>, EngineError> {
        if self.unreadable.load(Ordering::Relaxed) {
            return Err(EngineError { operation: "look", subject: path.into(), cause: EngineFault::TimedOut });
        }
        self.look(|held| held.containers.get(container).and_then(|found| found.files.get(path).cloned()))
    }
}
