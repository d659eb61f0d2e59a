//! Follows the API server of a cluster: as long as the cluster is there, over every gap.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Live;
use crate::cluster::Identity;
use crate::driver::kubernetes::{ApiServer, Observation};

/// How long an API server may be away before its objects are called unknown: it may only be starting anew.
const GRACE: Duration = Duration::from_secs(1);

/// After this long without news the API server is asked for a sign of life: one that hangs keeps its connections.
const SILENCE: Duration = Duration::from_secs(10);

/// How long an API server may take to give that sign.
const SIGN_LIMIT: Duration = Duration::from_secs(5);

/// The shortest and the longest time between two attempts to reach an API server.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));

impl Live {
    /// Follows a cluster's API server from now on; whoever did so before ends. It ends with the cluster.
    pub(crate) fn follow(self: &Arc<Self>, identity: &Identity, api_server: Arc<dyn ApiServer>) {
        let token = CancellationToken::new();
        let runs = {
            let mut inner = self.lock();
            let Some(cluster) = inner.clusters.get_mut(&identity.id) else { return };
            cluster.follow(Arc::clone(&api_server), token.clone().drop_guard())
        };
        let (live, identity) = (Arc::downgrade(self), identity.clone());
        tokio::spawn(async move {
            let follow = async {
                let (mut pause, mut since) = (BACKOFF.0, None);
                while let Some(live) = live.upgrade() {
                    let began = Instant::now();
                    let has_listed = once(&live, &identity, &*api_server, runs.clone()).await;
                    if has_listed {
                        since = None;
                    }
                    if has_listed && began.elapsed() > GRACE {
                        pause = BACKOFF.0;
                        continue;
                    }
                    if !has_listed && since.get_or_insert_with(Instant::now).elapsed() > GRACE {
                        live.change(&identity, "kubernetes GET", super::LiveCluster::lost);
                    }
                    drop(live);
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(BACKOFF.1);
                }
            };
            token.run_until_cancelled(follow).await;
        });
    }
}

/// Follows until something breaks; false where that was before it had told of everything, as by an API server that answers
/// and lets nobody list.
async fn once(live: &Live, identity: &Identity, api_server: &dyn ApiServer, mut runs: watch::Receiver<bool>) -> bool {
    if tokio::time::timeout(GRACE, reach(api_server, &mut runs)).await.is_err() {
        live.change(identity, "kubernetes GET /version", super::LiveCluster::lost);
        reach(api_server, &mut runs).await;
    }
    live.change(identity, "", super::LiveCluster::watched_anew);
    let mut observations = api_server.watch();
    loop {
        match tokio::time::timeout(SILENCE, observations.next()).await {
            Ok(Some(Observation::Trouble(reason))) => {
                tracing::debug!(cluster = identity.name, reason, "a watch broke and is taken up anew");
                return live.has_listed(identity);
            }
            Ok(Some(observation)) => live.observed(identity, observation),
            Err(_) if answers(api_server).await => {}
            Ok(None) | Err(_) => return live.has_listed(identity),
        }
    }
}

/// Waits until the API server answers. It is not asked while no control plane runs.
async fn reach(api_server: &dyn ApiServer, runs: &mut watch::Receiver<bool>) {
    let mut pause = BACKOFF.0;
    loop {
        // An error: the cluster is gone, and with it whoever follows it.
        let _ = runs.wait_for(|runs| *runs).await;
        if answers(api_server).await {
            return;
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(BACKOFF.1);
    }
}

async fn answers(api_server: &dyn ApiServer) -> bool {
    tokio::time::timeout(SIGN_LIMIT, api_server.answers()).await.unwrap_or(false)
}
