//! The API servers of clusters: objects applied, and all that is shown of them watched ([`watch`]).

mod drain;
mod watch;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use futures_util::{FutureExt, StreamExt, TryStreamExt, stream};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::Node;
use k8s_openapi::api::rbac::v1::ClusterRole;
use kube::api::{Api, DeleteParams, DynamicObject, Patch, PatchParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::core::{ApiResource, GroupVersionKind, TypeMeta};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Client, Config};
use qbo_api::message::Code;
use serde_json::{Value, json};

use super::Progress;
use crate::error::Failure;
pub use watch::{Observation, PodStatus, Seen, ServicePort, ServiceStatus};

/// Who applies, as managed fields name it.
const FIELD_MANAGER: &str = "qbo";

/// Objects applied at once: enough to keep a starting API server busy, not enough to starve its own components.
const APPLIED_AT_ONCE: usize = 8;

/// How long between two questions whether an API server answers: it cannot be watched before it does.
const ANSWER_INTERVAL: Duration = Duration::from_millis(50);

/// How long an API server may take to answer the least of questions.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);

/// Connects to the API servers of clusters.
#[async_trait]
pub trait Kubernetes: Send + Sync + 'static {
    /// A client of the cluster that this kubeconfig (YAML) describes. Nothing is sent yet.
    async fn connect(&self, kubeconfig: &str) -> Result<Arc<dyn ApiServer>, KubernetesError>;
}

/// One cluster's API server. Calls that wait do so without end; their callers bound them.
#[async_trait]
pub trait ApiServer: Send + Sync {
    /// Waits until the API server serves. It says that it is ready only after it has written its own roles, which
    /// whoever needs none of them does not wait for.
    async fn await_answer(&self);
    /// Whether the API server serves just now.
    async fn answers(&self) -> bool;
    /// All that is shown of the cluster's objects: first as it is, then as it changes. After an [`Observation::Trouble`]
    /// nothing that was observed can be relied on; whoever wants to go on watches anew.
    fn watch(&self) -> BoxStream<'static, Observation>;
    /// Brings objects into the cluster (server-side apply): namespaces first, then all else at once.
    async fn apply(&self, objects: &[Value]) -> Result<(), KubernetesError>;
    /// What is at a path, as `/api/v1/nodes?limit=250`.
    async fn get(&self, path: &str) -> Result<Value, KubernetesError>;
    /// Removes an object; one that is not there is no error.
    async fn remove(&self, object: &Value) -> Result<(), KubernetesError>;
    /// Waits until all these nodes are Ready, and tells of each.
    async fn await_nodes(&self, names: &BTreeSet<String>, ready: Progress<'_>);
    /// Waits until a deployment is available.
    async fn await_deployment(&self, namespace: &str, name: &str);
    /// Waits until the API server has made the role that people have (its hook `rbac/bootstrap-roles`): before, nobody but the
    /// group `system:masters` may do anything.
    async fn await_roles(&self);
    /// Waits until somebody holds a lease: who holds elections has begun to work.
    async fn await_lease(&self, namespace: &str, name: &str);
    /// Whether pods may be scheduled to a node; not where there is none of this name.
    async fn is_schedulable(&self, node: &str) -> Result<bool, KubernetesError>;
    /// Keeps pods away from a node that is to go, and has the node say so ([`NodeStatus::draining`]).
    async fn cordon(&self, node: &str) -> Result<(), KubernetesError>;
    /// Lets pods be scheduled again to a node that was to go; one that somebody else cordoned stays as it is, and one that is not there is
    /// no error.
    async fn uncordon(&self, node: &str) -> Result<(), KubernetesError>;
    /// Has all pods leave a node, those aside that belong to it, as far as disruption budgets allow; waits until they
    /// have. `waiting` is told which have not, and why, whenever that changes.
    async fn drain(&self, node: &str, waiting: Progress<'_>) -> Result<(), KubernetesError>;
    /// Removes a Node; one that is not there is no error.
    async fn delete_node(&self, node: &str) -> Result<(), KubernetesError>;
}

/// A node as Kubernetes sees it: only what is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeStatus {
    /// Its name.
    pub name: String,
    /// Whether it is Ready.
    pub ready: bool,
    /// Whether its network alone keeps it from that: no CNI was brought to it.
    pub lacks_network: bool,
    /// Whether qbo keeps pods away from it because it is to go.
    pub draining: bool,
    /// The image's operating system, as `Debian GNU/Linux 13 (trixie)`.
    pub os: String,
    /// The kernel's release.
    pub kernel: String,
    /// When its kubelet last told how it is, in seconds since the epoch: what an API server says of a node may be from
    /// before that node was started.
    pub heard: i64,
}

/// A call of an API server that failed.
#[derive(Debug, thiserror::Error)]
#[error("kubernetes {operation} {subject}: {cause}")]
pub struct KubernetesError {
    /// The call.
    pub operation: &'static str,
    /// What it was about.
    pub subject: String,
    /// Why it failed.
    pub cause: String,
}

impl From<KubernetesError> for Failure {
    fn from(error: KubernetesError) -> Self {
        Self::new(Code::BAD_GATEWAY, error.to_string(), "")
    }
}

/// The real thing, by kube-rs.
#[derive(Debug, Clone, Copy, Default)]
pub struct KubeDriver;

#[async_trait]
impl Kubernetes for KubeDriver {
    async fn connect(&self, kubeconfig: &str) -> Result<Arc<dyn ApiServer>, KubernetesError> {
        let failed = |cause: String| KubernetesError { operation: "connect", subject: String::new(), cause };
        let kubeconfig = Kubeconfig::from_yaml(kubeconfig).map_err(|error| failed(error.to_string()))?;
        let options = KubeConfigOptions::default();
        let config = Config::from_custom_kubeconfig(kubeconfig, &options).await;
        let mut config = config.map_err(|error| failed(error.to_string()))?;
        config.connect_timeout = Some(Duration::from_secs(2));
        // It is on a network of this host, whatever proxy the environment has for what is not.
        config.proxy_url = None;
        let client = Client::try_from(config.clone()).map_err(|error| failed(error.to_string()))?;
        config.default_retry = false;
        let once = Client::try_from(config).map_err(|error| failed(error.to_string()))?;
        Ok(Arc::new(KubeApiServer { client, once }))
    }
}

struct KubeApiServer {
    client: Client,
    /// Asks once, where "not now" is an answer of its own: the other asks again by itself, for many minutes.
    once: Client,
}

#[async_trait]
impl ApiServer for KubeApiServer {
    async fn await_answer(&self) {
        let mut interval = tokio::time::interval(ANSWER_INTERVAL);
        interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        interval.tick().await;
        // A connection into a starting node may hang.
        while !tokio::time::timeout(ANSWER_LIMIT, self.answers()).await.unwrap_or(false) {
            interval.tick().await;
        }
    }

    async fn answers(&self) -> bool {
        let request = http::Request::get("/version").body(Vec::new()).expect("a constant request is valid");
        let answer = self.once.request_text(request).await;
        answer.inspect_err(|error| tracing::trace!(%error, "the API server is not ready")).is_ok()
    }

    fn watch(&self) -> BoxStream<'static, Observation> {
        watch::all(&self.client)
    }

    async fn apply(&self, objects: &[Value]) -> Result<(), KubernetesError> {
        let (namespaces, rest): (Vec<&Value>, Vec<&Value>) =
            objects.iter().partition(|object| object["kind"] == "Namespace");
        for group in [namespaces, rest] {
            let mut applications: Vec<BoxFuture<'_, _>> = Vec::new();
            for object in group {
                applications.push(self.apply_one(object).boxed());
            }
            stream::iter(applications).buffer_unordered(APPLIED_AT_ONCE).try_collect::<()>().await?;
        }
        Ok(())
    }

    async fn get(&self, path: &str) -> Result<Value, KubernetesError> {
        let failed = |cause: String| KubernetesError { operation: "get", subject: path.into(), cause };
        let request = http::Request::get(path).body(Vec::new()).map_err(|error| failed(error.to_string()))?;
        self.once.request(request).await.map_err(|error| failed(error.to_string()))
    }

    async fn remove(&self, object: &Value) -> Result<(), KubernetesError> {
        let (api, name) = self.api_of("delete", object)?;
        match api.delete(&name, &DeleteParams::background()).await {
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
            deleted => deleted.map(drop).map_err(|error| failed("delete", &name, &error)),
        }
    }

    async fn await_nodes(&self, names: &BTreeSet<String>, ready: Progress<'_>) {
        let nodes = Api::<Node>::all(self.client.clone());
        let events = watcher(nodes, watcher::Config::default()).default_backoff().applied_objects();
        let mut events = std::pin::pin!(events);
        let mut missing = names.clone();
        while !missing.is_empty() {
            match events.next().await {
                Some(Ok(node)) => {
                    let status = node_status(&node);
                    if status.ready && missing.remove(&status.name) {
                        ready(&status.name);
                    }
                }
                Some(Err(error)) => tracing::debug!(%error, "the watch of nodes broke; it is taken up again"),
                None => return,
            }
        }
    }

    async fn await_deployment(&self, namespace: &str, name: &str) {
        let deployments = Api::<Deployment>::namespaced(self.client.clone(), namespace);
        let config = watcher::Config::default().fields(&format!("metadata.name={name}"));
        let events = watcher(deployments, config).default_backoff().applied_objects();
        let mut events = std::pin::pin!(events);
        while let Some(event) = events.next().await {
            match event {
                Ok(deployment) if is_available(&deployment) => return,
                Ok(_) => {}
                Err(error) => tracing::debug!(%error, "the watch of a deployment broke; it is taken up again"),
            }
        }
    }

    async fn await_roles(&self) {
        let roles = Api::<ClusterRole>::all(self.client.clone());
        let config = watcher::Config::default().fields("metadata.name=cluster-admin");
        let mut events = std::pin::pin!(watcher(roles, config).default_backoff().applied_objects());
        while let Some(event) = events.next().await {
            match event {
                Ok(_) => return,
                Err(error) => tracing::debug!(%error, "the watch of a role broke; it is taken up again"),
            }
        }
    }

    async fn await_lease(&self, namespace: &str, name: &str) {
        let leases = Api::<Lease>::namespaced(self.client.clone(), namespace);
        let config = watcher::Config::default().fields(&format!("metadata.name={name}"));
        let events = watcher(leases, config).default_backoff().applied_objects();
        let mut events = std::pin::pin!(events);
        let is_held = |lease: &Lease| {
            let holder = lease.spec.as_ref().and_then(|spec| spec.holder_identity.as_deref());
            holder.is_some_and(|holder| !holder.is_empty())
        };
        while let Some(event) = events.next().await {
            match event {
                Ok(lease) if is_held(&lease) => return,
                Ok(_) => {}
                Err(error) => tracing::debug!(%error, "the watch of a lease broke; it is taken up again"),
            }
        }
    }

    async fn is_schedulable(&self, node: &str) -> Result<bool, KubernetesError> {
        let found = Api::<Node>::all(self.client.clone()).get_opt(node).await;
        let found = found.map_err(|error| failed("get node", node, &error))?;
        Ok(found.is_some_and(|found| found.spec.and_then(|spec| spec.unschedulable) != Some(true)))
    }

    async fn cordon(&self, node: &str) -> Result<(), KubernetesError> {
        let patch = json!({"metadata": {"annotations": {DRAINING: "true"}}, "spec": {"unschedulable": true}});
        let nodes = Api::<Node>::all(self.client.clone());
        let done = nodes.patch(node, &PatchParams::default(), &Patch::Merge(patch)).await;
        done.map(drop).map_err(|error| failed("cordon", node, &error))
    }

    async fn uncordon(&self, node: &str) -> Result<(), KubernetesError> {
        let nodes = Api::<Node>::all(self.client.clone());
        let found = nodes.get_opt(node).await.map_err(|error| failed("get node", node, &error))?;
        if !found.is_some_and(|found| is_draining(&found)) {
            return Ok(());
        }
        let patch = json!({"metadata": {"annotations": {DRAINING: null}}, "spec": {"unschedulable": null}});
        match nodes.patch(node, &PatchParams::default(), &Patch::Merge(patch)).await {
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
            done => done.map(drop).map_err(|error| failed("uncordon", node, &error)),
        }
    }

    async fn drain(&self, node: &str, waiting: Progress<'_>) -> Result<(), KubernetesError> {
        drain::run(&self.once, node, waiting).await
    }

    async fn delete_node(&self, node: &str) -> Result<(), KubernetesError> {
        let deleted = Api::<Node>::all(self.client.clone()).delete(node, &DeleteParams::background()).await;
        match deleted {
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
            deleted => deleted.map(drop).map_err(|error| failed("delete node", node, &error)),
        }
    }
}

fn failed(operation: &'static str, subject: &str, error: &kube::Error) -> KubernetesError {
    KubernetesError { operation, subject: subject.into(), cause: error.to_string() }
}

impl KubeApiServer {
    async fn apply_one(&self, object: &Value) -> Result<(), KubernetesError> {
        let (api, name) = self.api_of("apply", object)?;
        let parameters = PatchParams::apply(FIELD_MANAGER).force();
        let kind = object["kind"].as_str().unwrap_or_default();
        let applied = api.patch(&name, &parameters, &Patch::Apply(object)).await;
        applied.map(drop).map_err(|error| failed("apply", &format!("{kind} {name}"), &error))
    }

    /// Where objects like this one are, and its name there.
    fn api_of(&self, operation: &'static str, object: &Value) -> Result<(Api<DynamicObject>, String), KubernetesError> {
        let text = |field: &str| object["metadata"][field].as_str().unwrap_or_default();
        let (kind, name, namespace) = (object["kind"].as_str().unwrap_or_default(), text("name"), text("namespace"));
        let types =
            TypeMeta { api_version: object["apiVersion"].as_str().unwrap_or_default().into(), kind: kind.into() };
        let version = GroupVersionKind::try_from(&types).map_err(|error| KubernetesError {
            operation,
            subject: format!("{kind} {name}"),
            cause: error.to_string(),
        })?;
        let resource = ApiResource::from_gvk(&version);
        let api = if namespace.is_empty() {
            Api::all_with(self.client.clone(), &resource)
        } else {
            Api::namespaced_with(self.client.clone(), namespace, &resource)
        };
        Ok((api, name.to_owned()))
    }
}

/// How a kubelet says that a network alone is missing (`ReadyCondition` in `k8s.io/kubernetes/pkg/kubelet/nodestatus`); several
/// troubles it puts in brackets.
const NO_NETWORK: &str = "container runtime network not ready";

/// The annotation of a Node that pods leave because it is to go.
const DRAINING: &str = "qbo.io/draining";

fn is_draining(node: &Node) -> bool {
    node.metadata.annotations.as_ref().is_some_and(|annotations| annotations.contains_key(DRAINING))
}

fn node_status(node: &Node) -> NodeStatus {
    let status = node.status.as_ref();
    let information = status.and_then(|status| status.node_info.as_ref());
    let conditions = status.and_then(|status| status.conditions.as_deref()).unwrap_or_default();
    let condition = conditions.iter().find(|condition| condition.type_ == "Ready");
    let heard = condition.and_then(|condition| condition.last_heartbeat_time.as_ref());
    NodeStatus {
        name: node.metadata.name.clone().unwrap_or_default(),
        ready: condition.is_some_and(|condition| condition.status == "True"),
        lacks_network: condition.is_some_and(|condition| {
            condition.status == "False"
                && condition.message.as_deref().is_some_and(|message| message.starts_with(NO_NETWORK))
        }),
        draining: is_draining(node),
        heard: heard.map(|time| time.0.as_second()).unwrap_or_default(),
        os: information.map(|information| information.os_image.clone()).unwrap_or_default(),
        kernel: information.map(|information| information.kernel_version.clone()).unwrap_or_default(),
    }
}

/// Whether as many replicas are available as the deployment's own strategy asks for; of cluster DNS one of two.
fn is_available(deployment: &Deployment) -> bool {
    let conditions = deployment.status.as_ref().and_then(|status| status.conditions.as_deref()).unwrap_or_default();
    conditions.iter().any(|condition| condition.type_ == "Available" && condition.status == "True")
}
