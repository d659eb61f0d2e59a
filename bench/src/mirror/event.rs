//! How soon a subscriber is told of what somebody does with Docker or with Kubernetes, behind the server's back.
//!
//! Counted from before the request is sent, as `docker pause` or `kubectl patch` would send it. Most of that time is
//! Docker's or the API server's own, in which nothing has happened yet: so it is counted too from when the action was done, by
//! the time that Docker's event bears, or when the API server has answered. And a peer listens beside the server to what the
//! server listens to (Docker's events, a watch), and does nothing with it. What the server adds is from what the peer hears to
//! what the subscriber does.

use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use bollard::Docker;
use bollard::query_parameters::EventsOptionsBuilder;
use futures_util::StreamExt as _;
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::runtime::{WatchStreamExt as _, watcher};
use qbo_api::message::{Message, Payload};
use qbo_api::model::State;
use tokio::runtime::Handle;

use crate::cloud::{self, Cloud};
use crate::say;
use crate::socket::Socket;

/// For something to be told.
const LIMIT: Duration = Duration::from_secs(30);

/// Something was told: when, and what.
type Told = (Instant, String);

/// The same of Docker, with when it was done.
type Heard = (Instant, String, Instant);

/// What was measured of one kind of action, in seconds.
#[derive(Default)]
pub(crate) struct Event {
    pub(crate) action: &'static str,
    /// From the action to the subscriber's message.
    pub(crate) told: Vec<f64>,
    /// From when the action was done to the subscriber's message, which may be there before whoever acts is answered.
    pub(crate) done: Vec<f64>,
    /// From the action to what the peer hears.
    pub(crate) peer: Vec<f64>,
    /// From what the peer hears to the subscriber's message; the peer may hear later.
    pub(crate) added: Vec<f64>,
}

impl Event {
    fn add(&mut self, (began, done): (Instant, Instant), peer: Instant, told: Instant) {
        self.told.push((told - began).as_secs_f64());
        self.done.push(told.saturating_duration_since(done).as_secs_f64());
        self.peer.push((peer - began).as_secs_f64());
        self.added.push(told.saturating_duration_since(peer).as_secs_f64());
    }

    fn conclude(self) -> anyhow::Result<Self> {
        let milli = |times: &[f64]| {
            let (p50, p99) = crate::answer::Answer::percentiles(times);
            format!("p50 {:.1} ms, p99 {:.1} ms", p50 * 1e3, p99 * 1e3)
        };
        let (told, done) = (milli(&self.told), milli(&self.done));
        let (peer, added) = (milli(&self.peer), milli(&self.added));
        say(&format!("{}: told {told}; since it was done {done}; the peer hears {peer}; added {added}", self.action))?;
        Ok(self)
    }
}

/// Pauses a node and lets it go on, so often.
pub(crate) fn docker(cloud: &Cloud, times: usize) -> anyhow::Result<Event> {
    let node = cloud.worker.clone();
    let told = subscribe(cloud, move |message| match &message.payload {
        Payload::Nodes(rows) => {
            let row = rows.iter().find(|row| row.name == node)?;
            Some(if row.state == State::Stopped { "pause" } else { "unpause" }.to_owned())
        }
        _ => None,
    })?;
    let heard = hear_docker(cloud.runtime.handle(), cloud.docker.clone(), &cloud.worker);
    let mut event = Event { action: "docker pause and unpause of a node", ..Event::default() };
    for _ in 0..times {
        for action in ["pause", "unpause"] {
            let began = Instant::now();
            cloud.runtime.block_on(async {
                match action {
                    "pause" => cloud.docker.pause_container(&cloud.worker).await,
                    _ => cloud.docker.unpause_container(&cloud.worker).await,
                }
            })?;
            let (peer, done) = loop {
                let (at, said, done) =
                    heard.recv_timeout(LIMIT).with_context(|| format!("Docker tells of no {action}"))?;
                if said == action && at >= began {
                    break (at, done);
                }
            };
            event.add((began, done), peer, until(&told, began, action)?);
        }
    }
    event.conclude()
}

/// Changes a pod so often.
pub(crate) fn kubernetes(cloud: &Cloud, times: usize) -> anyhow::Result<Event> {
    let told = subscribe(cloud, |message| match &message.payload {
        Payload::Pods(rows) => rows.iter().find(|row| row.name == cloud::POD).map(|row| row.status.clone()),
        _ => None,
    })?;
    let heard = hear_kubernetes(cloud.runtime.handle(), cloud.pods());
    heard.recv_timeout(LIMIT).context("the peer's watch begins")?;
    let mut event = Event { action: "kubectl patch of a pod's status", ..Event::default() };
    let api = cloud.pods();
    for _ in 0..times {
        let mark = cloud.mark();
        let began = Instant::now();
        cloud.runtime.block_on(cloud::change(&api, &mark))?;
        let done = Instant::now();
        event.add((began, done), until(&heard, began, &mark)?, until(&told, began, &mark)?);
    }
    event.conclude()
}

/// When this was told after an action.
fn until(told: &Receiver<Told>, began: Instant, what: &str) -> anyhow::Result<Instant> {
    loop {
        let (at, said) = told.recv_timeout(LIMIT).with_context(|| format!("nobody tells of {what}"))?;
        if said == what && at >= began {
            return Ok(at);
        }
    }
}

/// What a subscriber of the server is told, as far as `pick` finds something in it. Ends with whoever listens.
fn subscribe(
    cloud: &Cloud,
    pick: impl Fn(&Message) -> Option<String> + Send + 'static,
) -> anyhow::Result<Receiver<Told>> {
    let mut socket = Socket::open(cloud.server.port())?;
    let (send, told) = mpsc::channel();
    std::thread::spawn(move || {
        while let Ok((at, text)) = socket.next() {
            let picked = serde_json::from_str(&text).ok().and_then(|message| pick(&message));
            if picked.is_some_and(|what| send.send((at, what)).is_err()) {
                break;
            }
        }
    });
    Ok(told)
}

fn hear_docker(runtime: &Handle, docker: Docker, container: &str) -> Receiver<Heard> {
    let filters = std::collections::HashMap::from([("container", vec![container.to_owned()])]);
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let options = EventsOptionsBuilder::new().since(&since.to_string()).filters(&filters).build();
    let (send, told) = mpsc::channel();
    runtime.spawn(async move {
        let mut events = std::pin::pin!(docker.events(Some(options)));
        while let Some(Ok(event)) = events.next().await {
            let (at, now) = (Instant::now(), SystemTime::now());
            let stamp = u64::try_from(event.time_nano.unwrap_or_default()).unwrap_or_default();
            let age = now.duration_since(UNIX_EPOCH + Duration::from_nanos(stamp)).unwrap_or_default();
            let done = at.checked_sub(age).unwrap_or(at);
            if send.send((at, event.action.unwrap_or_default(), done)).is_err() {
                break;
            }
        }
    });
    told
}

fn hear_kubernetes(runtime: &Handle, pods: Api<Pod>) -> Receiver<Told> {
    let (send, told) = mpsc::channel();
    runtime.spawn(async move {
        let config = watcher::Config::default().fields(&format!("metadata.name={}", cloud::POD));
        let mut pods = std::pin::pin!(watcher(pods, config).applied_objects());
        while let Some(Ok(pod)) = pods.next().await {
            let at = Instant::now();
            if send.send((at, pod.status.and_then(|status| status.reason).unwrap_or_default())).is_err() {
                break;
            }
        }
    });
    told
}
