//! What the server tells Prometheus (<https://prometheus.io/docs/instrumenting/exposition_formats/>) at `/metrics`.

use std::time::Duration;

use metrics::{Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use qbo_api::message::{Code, Payload, Subcommand, Verb};
use serde::Serialize;
use tokio_util::sync::CancellationToken;

const CONNECTIONS: &str = "qbo_connections";
const COMMANDS_RUNNING: &str = "qbo_commands_running";
const COMMANDS: &str = "qbo_commands_total";
const COMMAND_SECONDS: &str = "qbo_command_duration_seconds";
const CHANGES: &str = "qbo_changes_total";
const SNAPSHOTS: &str = "qbo_snapshots_total";

/// From a list out of memory to a cluster that takes its time.
const SECONDS: [f64; 10] = [0.0005, 0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10.0, 30.0, 120.0];

/// How often what was recorded is summed up: each single duration is kept until then.
const UPKEEP: Duration = Duration::from_secs(5);

/// Begins to count. What was counted is rendered by the handle.
pub fn install() -> Result<PrometheusHandle, BuildError> {
    let builder = PrometheusBuilder::new().set_buckets_for_metric(Matcher::Full(COMMAND_SECONDS.into()), &SECONDS)?;
    let handle = builder.install_recorder()?;
    describe_gauge!(CONNECTIONS, "Connections that are open");
    describe_gauge!(COMMANDS_RUNNING, "Commands that run");
    describe_counter!(COMMANDS, "Commands that have ended, by what they were and the code they ended with");
    describe_histogram!(COMMAND_SECONDS, Unit::Seconds, "How long commands took");
    describe_counter!(CHANGES, "Rows that changed and were told, by their kind");
    describe_counter!(SNAPSHOTS, "Connections that did not keep up and were told everything anew");
    Ok(handle)
}

/// Keeps what was counted small, also where nobody fetches it, until `stop` is cancelled.
pub async fn keep_up(handle: &PrometheusHandle, stop: &CancellationToken) {
    let mut turn = tokio::time::interval(UPKEEP);
    while stop.run_until_cancelled(turn.tick()).await.is_some() {
        handle.run_upkeep();
    }
}

/// How much goes on just now.
pub(crate) fn load(connections: usize, commands: usize) {
    gauge!(CONNECTIONS).set(u32::try_from(connections).unwrap_or(u32::MAX));
    gauge!(COMMANDS_RUNNING).set(u32::try_from(commands).unwrap_or(u32::MAX));
}

/// A command has ended.
pub(crate) fn ended((verb, object): (Verb, Subcommand), code: Code, duration: Duration) {
    let (verb, object) = (name(&verb), name(&object));
    counter!(COMMANDS, "command" => verb.clone(), "object" => object.clone(), "code" => code.0.to_string())
        .increment(1);
    histogram!(COMMAND_SECONDS, "command" => verb, "object" => object).record(duration.as_secs_f64());
}

/// Rows changed.
pub(crate) fn changed(payload: &Payload) {
    let (kind, rows) = match payload {
        Payload::Clusters(rows) => ("clusters", rows.len()),
        Payload::Nodes(rows) => ("nodes", rows.len()),
        Payload::Pods(rows) => ("pods", rows.len()),
        Payload::Services(rows) => ("services", rows.len()),
        Payload::Networks(rows) => ("networks", rows.len()),
        Payload::Images(rows) => ("images", rows.len()),
        Payload::Registries(rows) => ("registries", rows.len()),
        Payload::Clients(rows) => ("clients", rows.len()),
        Payload::Usage(_) | Payload::Version(_) | Payload::Output(_) | Payload::Input(_) => return,
    };
    counter!(CHANGES, "kind" => kind).increment(rows as u64);
}

/// A connection was told everything anew.
pub(crate) fn snapshot() {
    counter!(SNAPSHOTS).increment(1);
}

/// As messages name it.
fn name(value: &impl Serialize) -> String {
    let text = serde_json::to_value(value).ok().and_then(|value| value.as_str().map(str::to_owned));
    text.unwrap_or_default()
}
