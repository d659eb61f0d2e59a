//! Waiting for what is known to change, and giving that up where it is in vain.

use std::time::Duration;

use qbo_api::message::Code;
use qbo_api::model::State;
use uuid::Uuid;

use super::{EngineView, Live, LiveCluster};
use crate::cluster::Identity;
use crate::error::Failure;

/// How long a `get` right after the start waits for the API servers of the user's clusters: without them it can only say "unknown".
const MEETING_LIMIT: Duration = Duration::from_secs(3);

/// How long the engine may be away until it is not waited for: one that is only busy is back sooner, with all as it was.
const ABSENCE_LIMIT: Duration = Duration::from_secs(5);

/// How long a node must lack a network alone until it is not waited for: one that was brought before it stopped is soon back.
const NETWORK_LIMIT: Duration = Duration::from_secs(10);

/// How long an API server may be away until it is not waited for.
const RESTART_LIMIT: Duration = Duration::from_secs(20);

impl Live {
    /// Waits a moment for the API servers of the user's clusters that were not heard of yet.
    pub(crate) async fn meet(&self, user: &str) {
        let met = || {
            let inner = self.lock();
            let mut own = inner.clusters.values().filter(|cluster| cluster.identity.user == user);
            (inner.begun && !own.any(LiveCluster::is_about_to_answer)).then_some(())
        };
        if let Err(failure) = self.wait("API servers to answer", MEETING_LIMIT, met).await {
            tracing::debug!(%failure, "they are taken for unknown");
        }
    }

    /// Waits until something is known. `look` must not wait for anything itself.
    pub(crate) async fn wait<T>(
        &self,
        what: &str,
        limit: Duration,
        look: impl Fn() -> Option<T> + Send,
    ) -> Result<T, Failure> {
        tokio::time::timeout(limit, self.until(look)).await.map_err(|_| {
            let problem = format!("waited {} s in vain for {what}", limit.as_secs());
            Failure::new(Code::TIMEOUT, problem, "")
        })
    }

    async fn until<T>(&self, look: impl Fn() -> Option<T> + Send) -> T {
        let mut moved = self.moved.subscribe();
        loop {
            moved.mark_unchanged();
            if let Some(found) = look() {
                return found;
            }
            // The sender is a field of ours.
            let _ = moved.changed().await;
        }
    }

    /// Waits until an API server answers that did not, or did since this was last waited for.
    pub(crate) async fn reached(&self) {
        self.reached.notified().await;
    }

    /// Waits this long for a node of a cluster to be Ready, unless that is in vain: `ended` makes a failure of its end. Where the
    /// cluster's user is to bring the CNI, and has not so that any node is Ready, it may lack a network; returns whether it does.
    pub(crate) async fn node_ready(
        &self,
        cluster: Uuid,
        (node, has_cni): (&str, bool),
        limit: Duration,
        ended: impl FnOnce(&str) -> Failure + Send,
    ) -> Result<bool, Failure> {
        let is_ready = || (self.node_state(cluster, node) == Some(State::Ready)).then_some(false);
        let lacks_network = || {
            let inner = self.lock();
            let cluster = inner.clusters.get(&cluster)?;
            let none_is_ready = cluster.nodes().all(|node| node.state != State::Ready);
            (none_is_ready && cluster.lacks_network(node)).then_some(true)
        };
        let what = format!("node '{node}' to be Ready");
        tokio::select! {
            waited = self.wait(&what, limit, is_ready) => waited,
            lacks = self.stays(NETWORK_LIMIT, lacks_network), if !has_cni => Ok(lacks),
            failure = self.in_vain(cluster, |name| name == node, ended) => Err(failure),
        }
    }

    /// Waits until it is in vain to wait for these nodes of a cluster, and tells why: one has ended, of which `ended` makes a failure, or
    /// the engine does not answer any more.
    pub(crate) async fn in_vain(
        &self,
        cluster: Uuid,
        is_meant: impl Fn(&str) -> bool + Send + Sync,
        ended: impl FnOnce(&str) -> Failure + Send,
    ) -> Failure {
        let ended_node = || self.lock().clusters.get(&cluster)?.ended_node(&is_meant).map(str::to_owned);
        tokio::select! {
            node = self.until(ended_node) => ended(&node),
            absence = self.engine_gone() => absence,
        }
    }

    /// Waits until the engine has been away for longer than a moment.
    async fn engine_gone(&self) -> Failure {
        self.stays(ABSENCE_LIMIT, || self.engine_absence()).await
    }

    /// Waits until the API server of a cluster has been away for longer than one takes to start anew.
    pub(crate) async fn api_server_gone(&self, identity: &Identity) -> Failure {
        let absence = || {
            let problem = format!("the API server of cluster '{}' does not answer", identity.name);
            let cure = format!("see how it is: qbo get nodes {}", identity.name);
            self.api_server(identity.id).is_none().then(|| Failure::new(Code::UNAVAILABLE, problem, cure))
        };
        self.stays(RESTART_LIMIT, absence).await
    }

    /// Waits until something is so, and stays so for this long.
    async fn stays<T>(&self, limit: Duration, look: impl Fn() -> Option<T> + Send + Sync) -> T {
        loop {
            let found = self.until(&look).await;
            let other = self.until(|| look().is_none().then_some(()));
            if tokio::time::timeout(limit, other).await.is_err() {
                return found;
            }
        }
    }

    /// Waits until the engine answers.
    pub(crate) async fn engine_known(&self) {
        self.until(|| matches!(self.lock().engine, EngineView::Known).then_some(())).await;
    }
}
