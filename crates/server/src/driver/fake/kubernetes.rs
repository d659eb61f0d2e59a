//! API servers without clusters: every stage passes at once, unless it is told to fail or to hang.

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use serde_json::Value;
use tokio::sync::{Notify, broadcast};

use crate::driver::Progress;
use crate::driver::kubernetes::{
    ApiServer, Kubernetes, KubernetesError, NodeStatus, Observation, PodStatus, Seen, ServiceStatus,
};

/// What is asked of a cluster, in the order in which an add does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Stage {
    Connect,
    Answer,
    Apply,
    Ready,
    Dns,
    /// Holding elections.
    Election,
    /// Keeping pods away from a node, or letting them come.
    Cordon,
    /// Having pods leave.
    Drain,
    /// Removing a Node.
    Remove,
    /// Being asked for objects.
    Get,
    /// Being watched, and asked for a sign of life.
    Watch,
    /// Listing what there is, before it is watched.
    List,
}

/// How a stage goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    Fails,
    Hangs,
}

/// API servers of all clusters.
#[derive(Default)]
pub(crate) struct FakeKubernetes {
    shared: Arc<Shared>,
}

struct Shared {
    manners: Mutex<HashMap<Stage, Manner>>,
    /// Objects applied so far, as `kind name`.
    applied: Mutex<Vec<String>>,
    /// Nodes by name, with whether they are Ready.
    nodes: Mutex<HashMap<String, bool>>,
    pods: Mutex<Vec<PodStatus>>,
    /// Nodes that pods are kept away from.
    cordoned: Mutex<BTreeSet<String>>,
    /// Those of them that are to go.
    draining: Mutex<BTreeSet<String>>,
    /// The beginning of paths of which nothing is told.
    refused: Mutex<Option<String>>,
    /// How often something was asked for.
    asked: AtomicUsize,
    hung: Notify,
    observations: broadcast::Sender<Observation>,
}

impl Default for Shared {
    fn default() -> Self {
        Self {
            manners: Mutex::default(),
            applied: Mutex::default(),
            nodes: Mutex::default(),
            pods: Mutex::default(),
            cordoned: Mutex::default(),
            draining: Mutex::default(),
            refused: Mutex::default(),
            asked: AtomicUsize::default(),
            hung: Notify::new(),
            observations: broadcast::Sender::new(1024),
        }
    }
}

struct FakeApiServer {
    shared: Arc<Shared>,
}

impl FakeKubernetes {
    /// From now on a stage goes like this.
    pub(crate) fn go(&self, stage: Stage, manner: Manner) {
        self.shared.manners.lock().unwrap().insert(stage, manner);
        if matches!((stage, manner), (Stage::Watch | Stage::List, Manner::Fails)) {
            self.shared.tell(Observation::Trouble("connection reset by peer".into()));
        }
    }

    /// From now on a stage goes well again.
    pub(crate) fn recover(&self, stage: Stage) {
        self.shared.manners.lock().unwrap().remove(&stage);
    }

    /// From now on nothing is told of what is at paths that begin like this.
    pub(crate) fn refuse(&self, path: &str) {
        *self.shared.refused.lock().unwrap() = Some(path.into());
    }

    /// A pod is as this tells.
    pub(crate) fn put_pod(&self, pod: PodStatus) {
        let mut pods = self.shared.pods.lock().unwrap();
        pods.retain(|known| known.uid != pod.uid);
        pods.push(pod.clone());
        self.shared.tell(Observation::Pod(Seen::Put(pod)));
    }

    /// A pod is gone, if it was there.
    pub(crate) fn drop_pod(&self, uid: &str) {
        let mut pods = self.shared.pods.lock().unwrap();
        pods.retain(|known| known.uid != uid);
        self.shared.tell(Observation::Pod(Seen::Gone(uid.into())));
    }

    /// How often something was asked for, beyond a sign of life.
    pub(crate) fn asked(&self) -> usize {
        self.shared.asked.load(Ordering::Relaxed)
    }

    /// Waits until a stage hangs.
    pub(crate) async fn hung(&self) {
        self.shared.hung.notified().await;
    }

    /// Keeps pods away from a node, as `kubectl cordon` does.
    pub(crate) fn cordon(&self, node: &str) {
        self.shared.cordoned.lock().unwrap().insert(node.into());
    }

    /// The nodes that pods are kept away from.
    pub(crate) fn cordoned(&self) -> BTreeSet<String> {
        self.shared.cordoned.lock().unwrap().clone()
    }

    /// Objects applied so far, as `kind name`.
    pub(crate) fn applied(&self) -> Vec<String> {
        self.shared.applied.lock().unwrap().clone()
    }

    /// A node is Ready, if it was not.
    pub(crate) fn ready(&self, name: &str) {
        if self.shared.nodes.lock().unwrap().insert(name.into(), true) != Some(true) {
            self.shared.tell_node(name);
        }
    }

    /// A node is no longer Ready.
    pub(crate) fn unready(&self, name: &str) {
        self.shared.nodes.lock().unwrap().insert(name.into(), false);
        self.shared.tell_node(name);
    }
}

#[async_trait]
impl Kubernetes for FakeKubernetes {
    async fn connect(&self, _kubeconfig: &str) -> Result<Arc<dyn ApiServer>, KubernetesError> {
        self.shared.pass(Stage::Connect).await?;
        Ok(Arc::new(FakeApiServer { shared: Arc::clone(&self.shared) }))
    }
}

#[async_trait]
impl ApiServer for FakeApiServer {
    async fn await_answer(&self) {
        self.shared.wait(Stage::Answer).await;
    }

    async fn apply(&self, objects: &[Value]) -> Result<(), KubernetesError> {
        self.shared.pass(Stage::Apply).await?;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let names =
            objects.iter().map(|object| format!("{} {}", text(&object["kind"]), text(&object["metadata"]["name"])));
        self.shared.applied.lock().unwrap().extend(names);
        Ok(())
    }

    async fn get(&self, path: &str) -> Result<Value, KubernetesError> {
        self.shared.pass(Stage::Get).await?;
        if self.shared.refused.lock().unwrap().as_ref().is_some_and(|refused| path.starts_with(refused)) {
            let cause = "the provided continue parameter is too old".into();
            return Err(KubernetesError { operation: "GET", subject: path.into(), cause });
        }
        // A second page, where the first is asked for.
        let next = if path.contains("continue=") { "" } else { "more" };
        let env = serde_json::json!([{"name": "PASSWORD", "value": "hunter2"}]);
        Ok(serde_json::json!({"metadata": {"continue": next}, "items": [{"path": path, "env": env}]}))
    }

    async fn remove(&self, object: &Value) -> Result<(), KubernetesError> {
        self.shared.pass(Stage::Remove).await?;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let name = format!("{} {}", text(&object["kind"]), text(&object["metadata"]["name"]));
        self.shared.applied.lock().unwrap().retain(|applied| *applied != name);
        Ok(())
    }

    async fn answers(&self) -> bool {
        self.shared.pass(Stage::Watch).await.is_ok()
    }

    fn watch(&self) -> BoxStream<'static, Observation> {
        self.shared.asked.fetch_add(1, Ordering::Relaxed);
        if self.shared.manners.lock().unwrap().contains_key(&Stage::List) {
            return stream::iter([Observation::Trouble("nodes is forbidden".into())]).boxed();
        }
        let receiver = self.shared.observations.subscribe();
        let nodes = self.shared.nodes.lock().unwrap();
        let nodes = nodes.iter().map(|(name, ready)| Seen::Put(self.shared.status(name, *ready)));
        let nodes: Vec<_> = std::iter::once(Seen::Listing).chain(nodes).chain([Seen::Listed]).collect();
        let pods = self.shared.pods.lock().unwrap().clone().into_iter().map(Seen::Put);
        let pods: Vec<_> = std::iter::once(Seen::Listing).chain(pods).chain([Seen::Listed]).collect();
        let services: [Seen<ServiceStatus>; 2] = [Seen::Listing, Seen::Listed];
        let listed = nodes.into_iter().map(Observation::Node);
        let listed = listed.chain(pods.into_iter().map(Observation::Pod));
        let listed: Vec<_> = listed.chain(services.into_iter().map(Observation::Service)).collect();
        let live =
            stream::unfold(receiver, |mut receiver| async move { Some((receiver.recv().await.ok()?, receiver)) });
        stream::iter(listed).chain(live).boxed()
    }

    async fn await_nodes(&self, names: &BTreeSet<String>, ready: Progress<'_>) {
        let mut names = names.iter();
        // The first is Ready in any case, so that it shows which of them are not.
        for name in names.by_ref().take(1) {
            self.shared.make_ready(name, ready);
        }
        self.shared.wait(Stage::Ready).await;
        names.for_each(|name| self.shared.make_ready(name, ready));
    }

    async fn await_deployment(&self, _namespace: &str, _name: &str) {
        self.shared.wait(Stage::Dns).await;
    }

    async fn await_roles(&self) {}

    async fn await_lease(&self, _namespace: &str, _name: &str) {
        self.shared.wait(Stage::Election).await;
    }

    async fn is_schedulable(&self, node: &str) -> Result<bool, KubernetesError> {
        Ok(!self.shared.cordoned.lock().unwrap().contains(node))
    }

    async fn cordon(&self, node: &str) -> Result<(), KubernetesError> {
        self.shared.pass(Stage::Cordon).await?;
        self.shared.cordoned.lock().unwrap().insert(node.into());
        self.shared.draining.lock().unwrap().insert(node.into());
        self.shared.tell_node(node);
        Ok(())
    }

    async fn uncordon(&self, node: &str) -> Result<(), KubernetesError> {
        self.shared.pass(Stage::Cordon).await?;
        if self.shared.draining.lock().unwrap().remove(node) {
            self.shared.cordoned.lock().unwrap().remove(node);
            self.shared.tell_node(node);
        }
        Ok(())
    }

    async fn drain(&self, _node: &str, waiting: Progress<'_>) -> Result<(), KubernetesError> {
        waiting("default/web");
        self.shared.pass(Stage::Drain).await
    }

    async fn delete_node(&self, node: &str) -> Result<(), KubernetesError> {
        self.shared.pass(Stage::Remove).await?;
        self.shared.nodes.lock().unwrap().remove(node);
        self.shared.cordoned.lock().unwrap().remove(node);
        self.shared.draining.lock().unwrap().remove(node);
        self.shared.applied.lock().unwrap().retain(|name| *name != format!("Node {node}"));
        self.shared.tell(Observation::Node(Seen::Gone(node.into())));
        Ok(())
    }
}

impl Shared {
    async fn pass(&self, stage: Stage) -> Result<(), KubernetesError> {
        if stage != Stage::Watch {
            self.asked.fetch_add(1, Ordering::Relaxed);
        }
        let manner = self.manners.lock().unwrap().get(&stage).copied();
        tokio::task::yield_now().await;
        match manner {
            None => Ok(()),
            Some(Manner::Hangs) => {
                self.hung.notify_one();
                std::future::pending().await
            }
            Some(Manner::Fails) => {
                let cause = "connection reset by peer".into();
                Err(KubernetesError { operation: "ask", subject: format!("{stage:?}"), cause })
            }
        }
    }

    /// A stage that cannot fail.
    async fn wait(&self, stage: Stage) {
        self.pass(stage).await.expect("this stage passes or hangs");
    }

    fn make_ready(&self, name: &str, ready: Progress<'_>) {
        self.nodes.lock().unwrap().insert(name.into(), true);
        self.tell_node(name);
        ready(name);
    }

    fn tell(&self, observation: Observation) {
        // Nobody watches: nobody is told.
        let _ = self.observations.send(observation);
    }

    fn tell_node(&self, name: &str) {
        let ready = self.nodes.lock().unwrap().get(name).copied();
        if let Some(ready) = ready {
            self.tell(Observation::Node(Seen::Put(self.status(name, ready))));
        }
    }

    fn status(&self, name: &str, ready: bool) -> NodeStatus {
        NodeStatus {
            name: name.into(),
            ready,
            lacks_network: name.contains("without-network"),
            draining: self.draining.lock().unwrap().contains(name),
            os: "Debian GNU/Linux 13 (trixie)".into(),
            kernel: "6.12.0".into(),
            heard: i64::MAX,
        }
    }
}
