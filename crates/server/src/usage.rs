//! What nodes and pods use: sampled while somebody wants to be told, and when somebody asks. It is the one thing that is
//! not followed but measured, for a processor tells nobody that it works.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use qbo_api::message::Code;
use qbo_api::model::{Usage as Row, UsageKind};
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::driver::meter::{Counters, Meter, MeterError, Reading};
use crate::error::Failure;
use crate::execute::Services;
use crate::live::{Live, Metered};

/// Time between two samples while somebody wants to be told.
const INTERVAL: Duration = Duration::from_secs(2);

/// Time between the two samples that somebody's question takes: what a processor did is a difference.
const QUESTION: Duration = Duration::from_millis(500);

/// The latest samples.
pub(crate) struct Usage {
    meter: Arc<dyn Meter>,
    /// By user. The lock is held while a sample is taken: who asks meanwhile gets the same.
    samples: Mutex<HashMap<String, Sample>>,
}

struct Sample {
    taken: Instant,
    /// By the object's id.
    counters: HashMap<String, Counters>,
    /// Of objects that were in the sample before too; none where there was none.
    rows: Option<Vec<Row>>,
}

/// Tells those who want it what their nodes and pods use, until `stop` is cancelled.
pub async fn run(services: &Services, stop: &CancellationToken) {
    let (live, usage) = (&services.live, &services.usage);
    let tell = async {
        loop {
            let users = live.mirrors().users_wanting_usage();
            if users.is_empty() {
                usage.samples.lock().await.clear();
                live.mirrors().usage_wanted().await;
                continue;
            }
            for user in users {
                match usage.rows(live, &user.email).await {
                    Ok(rows) => live.used(&user, rows),
                    // Who asked was told the same.
                    Err(failure) => tracing::debug!(%failure, user = user.email, "what is used is not known"),
                }
            }
            sleep(INTERVAL).await;
        }
    };
    stop.run_until_cancelled(tell).await;
}

impl Usage {
    pub(crate) fn new(meter: Arc<dyn Meter>) -> Self {
        Self { meter, samples: Mutex::default() }
    }

    /// What all nodes and pods of a user use: each node with its pods behind it, by namespace and name.
    pub(crate) async fn rows(&self, live: &Live, user: &str) -> Result<Vec<Row>, Failure> {
        let mut samples = self.samples.lock().await;
        loop {
            let before = samples.get(user).filter(|sample| sample.taken.elapsed() < INTERVAL * 2);
            if let Some(Sample { taken, rows: Some(rows), .. }) = before
                && taken.elapsed() < INTERVAL / 2
            {
                return Ok(rows.clone());
            }
            let sample = self.sample(live, user, before).await?;
            let is_first = sample.rows.is_none();
            samples.insert(user.into(), sample);
            if is_first {
                sleep(QUESTION).await;
            }
        }
    }

    async fn sample(&self, live: &Live, user: &str, before: Option<&Sample>) -> Result<Sample, Failure> {
        let nodes = live.view(user).await?.metered();
        let readings = join_all(nodes.iter().map(|node| self.meter.read(&node.row.id, node.process))).await;
        let taken = Instant::now();
        let (mut counters, mut rows) = (HashMap::new(), Vec::new());
        for (node, reading) in nodes.iter().zip(readings) {
            // It ended meanwhile.
            let Some(reading) = reading.map_err(|error| failed(&error))? else { continue };
            for (row, now) in measured(node, &reading) {
                if let Some((before, earlier)) = before.and_then(|before| Some((before, before.counters.get(&row.id)?)))
                {
                    let cpu = cores(now.cpu.saturating_sub(earlier.cpu), taken - before.taken);
                    rows.push(Row { cpu, ..row.clone() });
                }
                counters.insert(row.id, now);
            }
        }
        Ok(Sample { taken, counters, rows: before.map(|_| rows) })
    }
}

/// The rows of a node and its pods, still without what their processors did, and what was counted of each.
fn measured(node: &Metered, reading: &Reading) -> Vec<(Row, Counters)> {
    let own = &node.row;
    let row = |counters: Counters| Row {
        kind: UsageKind::Node,
        name: own.name.clone(),
        id: own.id.clone(),
        namespace: String::new(),
        node: own.name.clone(),
        cpu: 0.0,
        memory: counters.memory,
        cluster: own.cluster.clone(),
        user: own.user.clone(),
        cluster_id: own.cluster_id.clone(),
    };
    // A group may be there a moment before its pod is known, and a moment longer.
    let pods = reading.pods.iter().filter_map(|(uid, counters)| Some((node.pods.get(uid)?, counters)));
    let mut pods: Vec<(Row, Counters)> = pods
        .map(|(pod, counters)| {
            let (id, name, namespace) = (pod.id.clone(), pod.name.clone(), pod.namespace.clone());
            (Row { kind: UsageKind::Pod, name, id, namespace, ..row(*counters) }, *counters)
        })
        .collect();
    pods.sort_by(|(left, _), (right, _)| (&left.namespace, &left.name).cmp(&(&right.namespace, &right.name)));
    std::iter::once((row(reading.container), reading.container)).chain(pods).collect()
}

/// Cores on average, to the thousandth.
fn cores(worked: Duration, passed: Duration) -> f64 {
    let cores = worked.as_secs_f64() / passed.as_secs_f64().max(f64::MIN_POSITIVE);
    (cores * 1000.0).round() / 1000.0
}

fn failed(error: &MeterError) -> Failure {
    let cure = match error {
        MeterError::Elsewhere { .. } => "does Docker run on another host? Start qbo-api on that one",
        MeterError::Unreadable(..) => "",
    };
    Failure::new(Code::UNAVAILABLE, format!("what is used cannot be read: {error}"), cure)
}
