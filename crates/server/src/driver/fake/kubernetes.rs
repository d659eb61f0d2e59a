//! API servers without clusters: every stage passes at once, unless it is told to fail or to hang.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use serde_json::Value;
use tokio::sync::Notify;

use crate::driver::Progress;
use crate::driver::kubernetes::{ApiServer, Kubernetes, KubernetesError, NodeStatus};

/// What is asked of a cluster, in the order in which an add does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Stage {
    Connect,
    Answer,
    Apply,
    Ready,
    Dns,
    Nodes,
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

#[derive(Default)]
struct Shared {
    manners: Mutex<HashMap<Stage, Manner>>,
    /// Objects applied so far, as `kind name`.
    applied: Mutex<Vec<String>>,
    /// Nodes by name, with whether they are Ready.
    nodes: Mutex<HashMap<String, bool>>,
    hung: Notify,
}

struct FakeApiServer {
    shared: Arc<Shared>,
}

impl FakeKubernetes {
    /// From now on a stage goes like this.
    pub(crate) fn go(&self, stage: Stage, manner: Manner) {
        self.shared.manners.lock().unwrap().insert(stage, manner);
    }

    /// Waits until a stage hangs.
    pub(crate) async fn hung(&self) {
        self.shared.hung.notified().await;
    }

    /// Objects applied so far, as `kind name`.
    pub(crate) fn applied(&self) -> Vec<String> {
        self.shared.applied.lock().unwrap().clone()
    }

    /// A node is no longer Ready.
    pub(crate) fn unready(&self, name: &str) {
        self.shared.nodes.lock().unwrap().insert(name.into(), false);
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

    async fn nodes(&self) -> Result<Vec<NodeStatus>, KubernetesError> {
        self.shared.pass(Stage::Nodes).await?;
        let status = |(name, ready): (&String, &bool)| NodeStatus {
            name: name.clone(),
            ready: *ready,
            os: "Debian GNU/Linux 13 (trixie)".into(),
            kernel: "6.12.0".into(),
        };
        Ok(self.shared.nodes.lock().unwrap().iter().map(status).collect())
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
}

impl Shared {
    async fn pass(&self, stage: Stage) -> Result<(), KubernetesError> {
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
        ready(name);
    }
}
