//! The API servers of clusters: objects applied, nodes and deployments watched.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::BoxFuture;
use futures_util::{FutureExt, StreamExt, TryStreamExt, stream};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Node;
use kube::api::{Api, DynamicObject, ListParams, Patch, PatchParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::core::{ApiResource, GroupVersionKind, TypeMeta};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Client, Config};
use qbo_api::message::Code;
use serde_json::Value;

use super::Progress;
use crate::error::Failure;

/// Who applies, as managed fields name it.
const FIELD_MANAGER: &str = "qbo";

/// Objects applied at once: enough to keep a starting API server busy, not enough to starve its own components.
const APPLIED_AT_ONCE: usize = 8;

/// How long between two questions whether an API server answers: it cannot be watched before it does.
const ANSWER_INTERVAL: Duration = Duration::from_millis(50);

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
    /// Brings objects into the cluster (server-side apply): namespaces first, then all else at once.
    async fn apply(&self, objects: &[Value]) -> Result<(), KubernetesError>;
    /// All nodes as they are now.
    async fn nodes(&self) -> Result<Vec<NodeStatus>, KubernetesError>;
    /// Waits until all these nodes are Ready, and tells of each.
    async fn await_nodes(&self, names: &BTreeSet<String>, ready: Progress<'_>);
    /// Waits until all replicas of a deployment are available.
    async fn await_deployment(&self, namespace: &str, name: &str);
}

/// A node as Kubernetes sees it: only what is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeStatus {
    /// Its name.
    pub name: String,
    /// Whether it is Ready.
    pub ready: bool,
    /// The image's operating system, as `Debian GNU/Linux 13 (trixie)`.
    pub os: String,
    /// The kernel's release.
    pub kernel: String,
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
        let client = Client::try_from(config).map_err(|error| failed(error.to_string()))?;
        Ok(Arc::new(KubeApiServer { client }))
    }
}

struct KubeApiServer {
    client: Client,
}

#[async_trait]
impl ApiServer for KubeApiServer {
    async fn await_answer(&self) {
        let mut interval = tokio::time::interval(ANSWER_INTERVAL);
        interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            interval.tick().await;
            let request = http::Request::get("/version").body(Vec::new()).expect("a constant request is valid");
            match tokio::time::timeout(Duration::from_secs(5), self.client.request_text(request)).await {
                Ok(Ok(_)) => return,
                Ok(Err(error)) => tracing::trace!(%error, "the API server is not ready"),
                Err(_) => tracing::trace!("the API server does not answer"),
            }
        }
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

    async fn nodes(&self) -> Result<Vec<NodeStatus>, KubernetesError> {
        let listed = Api::<Node>::all(self.client.clone()).list(&ListParams::default()).await;
        let failed = |error: kube::Error| KubernetesError {
            operation: "list nodes",
            subject: String::new(),
            cause: error.to_string(),
        };
        Ok(listed.map_err(failed)?.items.iter().map(node_status).collect())
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
}

impl KubeApiServer {
    async fn apply_one(&self, object: &Value) -> Result<(), KubernetesError> {
        let text = |field: &str| object["metadata"][field].as_str().unwrap_or_default();
        let (kind, name, namespace) = (object["kind"].as_str().unwrap_or_default(), text("name"), text("namespace"));
        let failed = |cause: String| KubernetesError { operation: "apply", subject: format!("{kind} {name}"), cause };
        let types =
            TypeMeta { api_version: object["apiVersion"].as_str().unwrap_or_default().into(), kind: kind.into() };
        let version = GroupVersionKind::try_from(&types).map_err(|error| failed(error.to_string()))?;
        let resource = ApiResource::from_gvk(&version);
        let api: Api<DynamicObject> = if namespace.is_empty() {
            Api::all_with(self.client.clone(), &resource)
        } else {
            Api::namespaced_with(self.client.clone(), namespace, &resource)
        };
        let parameters = PatchParams::apply(FIELD_MANAGER).force();
        api.patch(name, &parameters, &Patch::Apply(object)).await.map(drop).map_err(|error| failed(error.to_string()))
    }
}

fn node_status(node: &Node) -> NodeStatus {
    let status = node.status.as_ref();
    let information = status.and_then(|status| status.node_info.as_ref());
    let conditions = status.and_then(|status| status.conditions.as_deref()).unwrap_or_default();
    NodeStatus {
        name: node.metadata.name.clone().unwrap_or_default(),
        ready: conditions.iter().any(|condition| condition.type_ == "Ready" && condition.status == "True"),
        os: information.map(|information| information.os_image.clone()).unwrap_or_default(),
        kernel: information.map(|information| information.kernel_version.clone()).unwrap_or_default(),
    }
}

fn is_available(deployment: &Deployment) -> bool {
    let wanted = deployment.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1);
    deployment.status.as_ref().and_then(|status| status.available_replicas).unwrap_or(0) >= wanted
}
