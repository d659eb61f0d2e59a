//! Having pods leave a node, as `kubectl drain` does: by evictions, which respect disruption budgets
//! (<https://kubernetes.io/docs/concepts/scheduling-eviction/api-eviction/>).

use std::collections::BTreeSet;
use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, EvictParams, ListParams};
use kube::{Client, ResourceExt};

use super::{KubernetesError, failed};
use crate::driver::Progress;

/// By this annotation a pod is that of a file on the node, which nobody but the kubelet removes.
const MIRROR: &str = "kubernetes.io/config.mirror";

/// Between two rounds. What keeps a pod is a budget, and nothing tells when one has room again.
const ROUND: Duration = Duration::from_millis(500);

/// Evicts all pods, round by round, until none is left.
pub(super) async fn run(client: &Client, node: &str, waiting: Progress<'_>) -> Result<(), KubernetesError> {
    let parameters = ListParams::default().fields(&format!("spec.nodeName={node}"));
    let mut told = String::new();
    loop {
        let listed = Api::<Pod>::all(client.clone()).list(&parameters).await;
        let pods = listed.map_err(|error| failed("list pods", node, &error))?;
        let mut left = BTreeSet::new();
        for pod in pods.items.iter().filter(|pod| leaves(pod)) {
            let name = format!("{}/{}", pod.namespace().unwrap_or_default(), pod.name_any());
            // One that is on its way needs no second push.
            let kept = if pod.metadata.deletion_timestamp.is_some() { None } else { evict(client, pod).await? };
            left.insert(kept.map_or_else(|| name.clone(), |reason| format!("{name} ({reason})")));
        }
        if left.is_empty() {
            return Ok(());
        }
        let line = left.into_iter().collect::<Vec<_>>().join(", ");
        if line != told {
            waiting(&line);
            told = line;
        }
        tokio::time::sleep(ROUND).await;
    }
}

/// Whether a pod is one that must go somewhere else: it belongs neither to the node itself nor to a `DaemonSet`, which
/// would only make it anew.
fn leaves(pod: &Pod) -> bool {
    let is_daemon =
        pod.owner_references().iter().any(|owner| owner.kind == "DaemonSet" && owner.controller == Some(true));
    !is_daemon && !pod.annotations().contains_key(MIRROR)
}

/// Asks for an eviction; tells why it is refused for now.
async fn evict(client: &Client, pod: &Pod) -> Result<Option<String>, KubernetesError> {
    let name = pod.name_any();
    let pods = Api::<Pod>::namespaced(client.clone(), &pod.namespace().unwrap_or_default());
    match pods.evict(&name, &EvictParams::default()).await {
        Ok(_) => Ok(None),
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(None),
        Err(kube::Error::Api(status)) if status.code == 429 => Ok(Some(status.message.clone())),
        Err(error) => Err(failed("evict", &name, &error)),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use axum::http::{Method, Request, StatusCode};
    use axum::response::IntoResponse;
    use serde_json::{Value, json};
    use tokio::sync::Notify;

    use super::*;
    use crate::driver::kubernetes::{KubeDriver, Kubernetes};

    /// An API server with one pod, which a budget keeps.
    async fn keeping() -> std::net::SocketAddr {
        let answer = |request: Request<axum::body::Body>| async move {
            if request.method() == Method::POST {
                let status = json!({
                    "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "code": 429,
                    "reason": "TooManyRequests", "message": "it would violate the pod's disruption budget.",
                });
                return (StatusCode::TOO_MANY_REQUESTS, [("retry-after", "100")], status.to_string()).into_response();
            }
            let pod = json!({"metadata": {"name": "web", "namespace": "default"}});
            json!({"kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": [pod]}).to_string().into_response()
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, axum::Router::new().fallback(answer)).await });
        address
    }

    fn kubeconfig(address: std::net::SocketAddr) -> Value {
        json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "c",
            "clusters": [{"name": "c", "cluster": {"server": format!("http://{address}")}}],
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
            "users": [{"name": "u", "user": {}}],
        })
    }

    #[tokio::test]
    async fn what_keeps_a_pod_is_told_at_once() {
        let api_server = KubeDriver.connect(&kubeconfig(keeping().await).to_string()).await.unwrap();
        let told = Arc::new(Notify::new());
        let waiting = |line: &str| {
            assert_eq!(line, "default/web (it would violate the pod's disruption budget.)");
            told.notify_one();
        };
        tokio::select! {
            drained = api_server.drain("node", &waiting) => panic!("{drained:?}"),
            () = told.notified() => {}
            // Less than the server asks to be left alone for.
            () = tokio::time::sleep(Duration::from_mins(1)) => panic!("nothing is told"),
        }
    }

    #[test]
    fn pods_of_the_node_itself_and_of_daemon_sets_stay() {
        let pod = |metadata| -> Pod { serde_json::from_value(json!({"metadata": metadata})).unwrap() };
        let owner =
            |kind| json!([{"apiVersion": "apps/v1", "kind": kind, "name": "x", "uid": "u", "controller": true}]);
        assert!(leaves(&pod(json!({"name": "web"}))));
        assert!(leaves(&pod(json!({"name": "web", "ownerReferences": owner("ReplicaSet")}))));
        assert!(!leaves(&pod(json!({"name": "kindnet", "ownerReferences": owner("DaemonSet")}))));
        assert!(!leaves(&pod(json!({"name": "etcd", "annotations": {MIRROR: "x"}}))));
    }
}
