//! Follows the engine: its events, and a list of everything after each gap.

use std::time::Duration;

use futures_util::future::{BoxFuture, join_all, try_join_all};
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use tokio_util::sync::CancellationToken;

use super::Live;
use crate::cluster::{Found, Identity, LABEL_CLUSTER_ID};
use crate::driver::engine::{Container, EngineError, EngineEvent, EngineFault};
use crate::execute::Services;
use crate::provision::{Mark, STATE_PATH, USER_KUBECONFIG_PATH};

/// The shortest and the longest time between two attempts to reach the engine.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// How long one look may take. Docker tells nothing of a container while that is being started.
const LOOK_LIMIT: Duration = Duration::from_secs(20);

/// The shortest and the longest time between two attempts to read a cluster.
const READ_AGAIN: (Duration, Duration) = (Duration::from_secs(1), Duration::from_mins(1));

/// Follows the engine until `stop` is cancelled.
pub async fn run(services: &Services, stop: &CancellationToken) {
    stop.run_until_cancelled(async {
        let mut pause = BACKOFF.0;
        loop {
            let (followed, error) = once(services).await;
            tracing::debug!(%error, "Docker's events ended and are taken up anew");
            services.live.engine_lost(error);
            pause = if followed { BACKOFF.0 } else { (pause * 2).min(BACKOFF.1) };
            tokio::time::sleep(pause).await;
        }
    })
    .await;
}

/// Follows until something breaks; tells whether it began at all.
async fn once(services: &Services) -> (bool, EngineError) {
    let mut events = services.observer.events();
    // The events are asked for before everything is listed, so that nothing falls between.
    let mut listed = std::pin::pin!(list(services));
    let mut early = Vec::new();
    let mut later: FuturesUnordered<BoxFuture<'_, ()>> = FuturesUnordered::new();
    let mut followed = false;
    loop {
        tokio::select! {
            biased;
            outcome = &mut listed, if !followed => match outcome {
                Ok(failed) => {
                    later.extend(failed.into_iter().map(|found| read_again(services, found).boxed()));
                    followed = true;
                }
                Err(error) => return (false, error),
            },
            Some(()) = later.next() => {}
            event = events.next() => match event {
                Some(Ok(event)) => early.push(event),
                Some(Err(error)) => return (followed, error),
                None => return (followed, ended()),
            },
        }
        if followed {
            for event in early.drain(..) {
                let container = match &event {
                    EngineEvent::Container(id) | EngineEvent::ContainerRuns { id, .. } => Some(id.clone()),
                    EngineEvent::Network(_) | EngineEvent::Image => None,
                };
                match (look(services, event).await, container) {
                    (Ok(()), _) => {}
                    // Docker tells nothing of a container that it is busy with, and all of the others.
                    (Err(EngineError { cause: EngineFault::TimedOut, .. }), Some(id)) => {
                        later.push(look_again(services, id).boxed());
                    }
                    (Err(error), _) => return (true, error),
                }
            }
        }
    }
}

fn ended() -> EngineError {
    let cause = EngineFault::Unreachable("it closed the connection".into());
    EngineError { operation: "docker GET /events", subject: String::new(), cause }
}

/// Lists everything; returns the clusters that could not be read.
async fn list(services: &Services) -> Result<Vec<Found>, EngineError> {
    settle(services).await?;
    look_at_images(services).await?;
    let read = services.live.unread().into_iter().map(async |found| (!read(services, &found).await).then_some(found));
    let failed = join_all(read).await.into_iter().flatten().filter(|found| is_unread(services, found)).collect();
    services.live.begun();
    // Something interrupted may be among what was listed.
    services.left_overs.ring();
    Ok(failed)
}

/// What the engine answers, if it does in time: others wait for their turn to look.
async fn in_time<T>(answer: impl Future<Output = Result<T, EngineError>>) -> Result<T, EngineError> {
    let late = || EngineError { operation: "docker GET", subject: String::new(), cause: EngineFault::TimedOut };
    tokio::time::timeout(LOOK_LIMIT, answer).await.unwrap_or_else(|_| Err(late()))
}

/// Looks at everything that the engine holds: after a gap, and so that whoever changed something finds it changed.
pub(crate) async fn settle(services: &Services) -> Result<(), EngineError> {
    let observer = &*services.observer;
    let _turn = services.live.look.lock().await;
    let listed = async { tokio::try_join!(observer.containers(LABEL_CLUSTER_ID), observer.networks()) };
    let (containers, networks) = in_time(listed).await?;
    // A list does not tell since when a container runs.
    let whole = containers.iter().map(async |listed| match services.live.recall(listed) {
        Some(known) => Ok(Some(known)),
        None => match in_time(observer.container(&listed.id)).await {
            // Docker is busy with it, and tells when that is over.
            Err(EngineError { cause: EngineFault::TimedOut, .. }) => Ok(Some(listed.clone())),
            found => found,
        },
    });
    let containers: Vec<Container> = try_join_all(whole).await?.into_iter().flatten().collect();
    services.live.listed(containers, networks);
    Ok(())
}

/// Looks at one container, so that whoever changed it finds it changed.
pub(crate) async fn look_at(services: &Services, container: &str) -> Result<(), EngineError> {
    let _turn = services.live.look.lock().await;
    match in_time(services.observer.container(container)).await? {
        Some(container) => services.live.container_seen(container),
        None => services.live.container_gone(container),
    }
    Ok(())
}

/// Something happened to an object: whatever it was, the object is as it is now.
async fn look(services: &Services, event: EngineEvent) -> Result<(), EngineError> {
    let live = &services.live;
    match event {
        EngineEvent::Container(id) => look_at(services, &id).await?,
        EngineEvent::ContainerRuns { id, runs, since } => {
            // To look takes the engine's time, milliseconds: what it said already is told before.
            live.container_runs(&id, runs, since);
            look_at(services, &id).await?;
        }
        EngineEvent::Network(id) => {
            let _turn = live.look.lock().await;
            match in_time(services.observer.network(&id)).await? {
                Some(network) => live.network_seen(network),
                None => live.network_gone(&id),
            }
        }
        EngineEvent::Image => look_at_images(services).await?,
    }
    Ok(())
}

async fn look_at_images(services: &Services) -> Result<(), EngineError> {
    let images = services.observer.images().await?;
    services.live.images_seen(services.images.rows(&images));
    Ok(())
}

/// Reads from a cluster's control planes how far it is, and follows its API server where it is complete; tells whether all of them could
/// be read.
async fn read(services: &Services, found: &Found) -> bool {
    let mut is_read = true;
    for node in found.control_planes() {
        if let Err(error) = read_control_plane(services, found, &node.container.id).await {
            tracing::debug!(%error, node = node.container.name, "it cannot be read");
            is_read = false;
        }
    }
    is_read
}

/// Looks at a container of which Docker told nothing, until it does; any other trouble ends the events, too.
async fn look_again(services: &Services, container: String) {
    loop {
        tokio::time::sleep(READ_AGAIN.0).await;
        match look_at(services, &container).await {
            Err(EngineError { cause: EngineFault::TimedOut, .. }) => {}
            Ok(()) | Err(_) => return,
        }
    }
}

/// Whether nobody knows yet how far a cluster is: one of several control planes tells enough.
fn is_unread(services: &Services, found: &Found) -> bool {
    services.live.unread().iter().any(|other| other.identity.id == found.identity.id)
}

/// Reads a cluster that could not be read, as often as it takes.
async fn read_again(services: &Services, found: Found) {
    let mut pause = READ_AGAIN.0;
    loop {
        tokio::time::sleep(pause).await;
        if !is_unread(services, &found) || read(services, &found).await {
            return;
        }
        pause = (pause * 2).min(READ_AGAIN.1);
    }
}

async fn read_control_plane(services: &Services, found: &Found, container: &str) -> Result<(), EngineError> {
    let mark = services.observer.file(container, STATE_PATH).await?;
    let kubeconfig = services.observer.file(container, USER_KUBECONFIG_PATH).await?;
    match mark.as_deref().and_then(Mark::of) {
        None | Some(Mark::Leaving) => return Ok(()),
        Some(mark) => services.live.marked(&found.identity, mark),
    }
    if let Some(kubeconfig) = kubeconfig {
        connect(services, &found.identity, &kubeconfig).await;
    }
    Ok(())
}

async fn connect(services: &Services, identity: &Identity, kubeconfig: &[u8]) {
    match services.kubernetes.connect(&String::from_utf8_lossy(kubeconfig)).await {
        Ok(api_server) => services.live.follow(identity, api_server),
        Err(error) => tracing::warn!(%error, cluster = identity.name, "its kubeconfig is of no use"),
    }
}

impl Live {
    /// Clusters whose control plane was not read yet.
    fn unread(&self) -> Vec<Found> {
        let inner = self.lock();
        let clusters = inner.clusters.values().filter(|cluster| cluster.is_unread());
        clusters.map(|cluster| cluster.found().clone()).collect()
    }
}
