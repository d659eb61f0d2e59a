//! `export logs`: what happened in clusters, as files that the client writes. They are told in pieces, and no faster than
//! the client takes them. No Secret is among them.

use std::time::Duration;

use futures_util::{StreamExt, stream};
use qbo_api::command::ExportLogs;
use qbo_api::message::{Code, Output, Payload};
use serde_json::Value;
use tokio::time::timeout;

use super::{Services, together};
use crate::cluster::Found;
use crate::driver::engine::Container;
use crate::driver::kubernetes::ApiServer;
use crate::error::Failure;
use crate::operations::Running;
use crate::report::{Reporter, RunningStep};

/// Text in one message.
const PIECE: usize = 32 * 1024;

/// Of a node's journal, and of a pod's log: their ends.
const JOURNAL_BYTES: usize = 4 << 20;
const POD_BYTES: usize = 1 << 20;

/// Files of pods' logs that are taken of a node.
const POD_FILES: usize = 500;

/// The last lines of a node's console.
const CONSOLE_LINES: usize = 2000;

/// Nodes that are asked at once: each holds one file in memory.
const AT_ONCE: usize = 4;

/// How long a node may take for one file, and an API server for one page.
const LIMIT: Duration = Duration::from_mins(1);

/// Objects in a page.
const PAGE: usize = 250;

/// Kinds of objects, by file and path. Secrets are not among them, nor `ConfigMaps`, which people misuse as such.
const OBJECTS: [(&str, &str); 8] = [
    ("nodes", "/api/v1/nodes"),
    ("pods", "/api/v1/pods"),
    ("events", "/api/v1/events"),
    ("services", "/api/v1/services"),
    ("deployments", "/apis/apps/v1/deployments"),
    ("daemonsets", "/apis/apps/v1/daemonsets"),
    ("replicasets", "/apis/apps/v1/replicasets"),
    ("statefulsets", "/apis/apps/v1/statefulsets"),
];

/// Stands for objects that nobody tells.
const ABSENT: &str = "the API server does not answer";

/// Stands for what is not told.
const LEFT_OUT: &str = "(left out by qbo)";

/// What is written into the directory of one cluster.
struct Export<'a> {
    services: &'a Services,
    cluster: &'a Found,
    reporter: &'a Reporter,
    running: &'a Running,
}

pub(super) async fn run(
    services: &Services,
    user: &str,
    export: &ExportLogs,
    reporter: &Reporter,
    running: &Running,
) -> Result<(), Failure> {
    let clusters = services.select(user, &export.selection).await?;
    let mut outcomes = Vec::new();
    for cluster in &clusters {
        let export = Export { services, cluster, reporter, running };
        let outcome = export.run().await;
        if outcome.as_ref().is_err_and(|failure| failure.code == Code::CANCELLED) {
            return outcome;
        }
        outcomes.push((cluster.identity.name.clone(), outcome));
    }
    together(outcomes)
}

impl Export<'_> {
    async fn run(&self) -> Result<(), Failure> {
        let name = &self.cluster.identity.name;
        let step = self.reporter.step(name, "", "objects", "kubernetes GET");
        let objects = ended(step, self.objects().await);
        if objects.as_ref().is_err_and(|failure| failure.code == Code::CANCELLED) {
            return objects;
        }
        let nodes = self.cluster.containers().map(async |container| {
            let step = self.reporter.step(name, &container.name, "logs", "docker POST /containers/exec");
            let outcome = self.container(container, &step).await;
            ended(step, outcome)
        });
        let nodes = stream::iter(nodes.collect::<Vec<_>>()).buffer_unordered(AT_ONCE).collect::<Vec<_>>().await;
        nodes.into_iter().collect::<Result<(), Failure>>()?;
        self.write("qbo.log", &self.own_log()).await?;
        objects
    }

    /// What the API server tells; where it does not answer that is told instead. A kind that cannot be had keeps no other
    /// back.
    async fn objects(&self) -> Result<(), Failure> {
        let api_server = || self.services.live.api_server(self.cluster.identity.id);
        if api_server().is_none() {
            return self.write("objects.txt", &format!("{ABSENT}\n")).await;
        }
        let mut missing = Vec::new();
        for (kind, path) in OBJECTS {
            // One that goes meanwhile is not waited for with every kind.
            let reason = match api_server() {
                Some(api_server) => self.kind(&*api_server, kind, path).await?,
                None => Some(ABSENT.into()),
            };
            if let Some(reason) = reason {
                self.write("objects.txt", &format!("{kind}: {reason}\n")).await?;
                missing.push(kind);
            }
        }
        if missing.is_empty() {
            return Ok(());
        }
        let name = &self.cluster.identity.name;
        let problem = format!("not all {} of cluster '{name}' could be had", missing.join(", "));
        let cure = format!("all else is exported; {name}/objects.txt tells why");
        Err(Failure::new(Code::BAD_GATEWAY, problem, cure))
    }

    /// The objects of a kind, as a list that is whole as a file even where not all of them can be had; why they cannot.
    async fn kind(&self, api_server: &dyn ApiServer, kind: &str, path: &str) -> Result<Option<String>, Failure> {
        let file = format!("{kind}.json");
        let (mut next, mut first) = (Some(String::new()), true);
        let mut reason = None;
        self.write(&file, "{\"apiVersion\": \"v1\", \"kind\": \"List\", \"items\": [\n").await?;
        while let Some(token) = next.take() {
            let query = format!("{path}?limit={PAGE}{token}");
            let page = match timeout(LIMIT, api_server.get(&query)).await {
                Ok(Ok(page)) => page,
                Ok(Err(error)) => {
                    reason = Some(error.to_string());
                    break;
                }
                Err(_) => {
                    reason = Some("no answer in time".into());
                    break;
                }
            };
            let token = page["metadata"]["continue"].as_str().filter(|token| !token.is_empty());
            next = token.map(|token| format!("&continue={token}"));
            let items = page["items"].as_array().into_iter().flatten();
            for item in items {
                let mut item = item.clone();
                leave_out_secrets(&mut item);
                let comma = if std::mem::take(&mut first) { "" } else { ",\n" };
                self.write(&file, &format!("{comma}{item:#}")).await?;
            }
        }
        self.write(&file, "\n]}\n").await?;
        Ok(reason)
    }

    /// What a container and its engine tell.
    async fn container(&self, container: &Container, step: &RunningStep) -> Result<(), Failure> {
        let services = self.services;
        let path = |file: &str| format!("nodes/{}/{file}", container.name);
        let inspected = services.transfer.inspect(&container.id).await;
        let told = |mut told: Value| {
            leave_out_proxies(&mut told);
            format!("{told:#}\n")
        };
        let inspected = inspected.map_or_else(|error| format!("{error}\n"), told);
        self.write(&path("docker.json"), &inspected).await?;
        let console = services.engine.logs(&container.id, CONSOLE_LINES).await;
        self.write(&path("console.log"), &console.unwrap_or_else(|error| format!("{error}\n"))).await?;
        if !container.running {
            return self.write(&path("journal.log"), "the node is stopped\n").await;
        }
        // What stands in front of nodes has neither systemd nor pods.
        if !self.cluster.nodes.iter().any(|node| node.container.id == container.id) {
            return Ok(());
        }
        for (file, unit) in [("journal.log", ""), ("kubelet.log", " -u kubelet"), ("containerd.log", " -u containerd")]
        {
            step.progress(file);
            let command = format!("journalctl --no-pager{unit} | tail -c {JOURNAL_BYTES}");
            self.program(container, &path(file), &["sh", "-c", &command]).await?;
        }
        self.program(container, &path("images.txt"), &["crictl", "images"]).await?;
        self.program(container, &path("containers.txt"), &["crictl", "ps", "--all"]).await?;
        let found = self.output(container, &["find", "/var/log/pods", "-type", "f", "-name", "*.log"]).await;
        let tail = POD_BYTES.to_string();
        for log in found.lines().filter(|line| line.starts_with("/var/log/pods/")).take(POD_FILES) {
            step.progress(log);
            let file = path(&format!("pods/{}", log.trim_start_matches("/var/log/pods/")));
            self.program(container, &file, &["tail", "-c", &tail, log]).await?;
        }
        Ok(())
    }

    /// Writes what a program says; what cannot be had is told in its place.
    async fn program(&self, container: &Container, file: &str, command: &[&str]) -> Result<(), Failure> {
        let text = self.output(container, command).await;
        self.write(file, &text).await
    }

    async fn output(&self, container: &Container, command: &[&str]) -> String {
        match timeout(LIMIT, self.services.engine.execute(&container.id, command)).await {
            Ok(Ok(executed)) if executed.code == 0 => executed.output,
            Ok(Ok(executed)) => format!("{}{}: {}\n", executed.output, command.join(" "), executed.errors.trim()),
            Ok(Err(error)) => format!("{error}\n"),
            Err(_) => format!("{}: no answer in time\n", command.join(" ")),
        }
    }

    /// The lines of the server's own log that are about the cluster.
    fn own_log(&self) -> String {
        let identity = &self.cluster.identity;
        let mut words = vec![identity.name.clone(), identity.id.to_string()];
        words.extend(self.cluster.containers().map(|container| container.name.clone()));
        let lines = self.services.journal.last(usize::MAX);
        let about = lines.into_iter().filter(|line| words.iter().any(|word| line.contains(word.as_str())));
        about.map(|line| line + "\n").collect()
    }

    /// Tells what follows in a file of the cluster's directory, once the client has room for it.
    async fn write(&self, file: &str, text: &str) -> Result<(), Failure> {
        let file = format!("{}/{file}", self.cluster.identity.name);
        let mut rest = text;
        loop {
            if self.running.token().is_cancelled() {
                return Err(Failure::cancelled());
            }
            let (piece, next) = rest.split_at(rest.floor_char_boundary(PIECE));
            let output = Output::Piece { file: file.clone(), text: piece.into() };
            if !self.reporter.rows_once_taken(Payload::Output(vec![output])).await {
                return Err(Failure::new(Code::CANCELLED, "nobody takes the logs any more", "export them again"));
            }
            rest = next;
            if rest.is_empty() {
                return Ok(());
            }
        }
    }
}

/// A step is told how it ended.
fn ended(step: RunningStep, outcome: Result<(), Failure>) -> Result<(), Failure> {
    match &outcome {
        Ok(()) => step.done(),
        Err(failure) => step.failed(&failure.problem),
    }
    outcome
}

/// Takes out where a container's proxies are, which may name who uses them and by what password.
fn leave_out_proxies(told: &mut Value) {
    let variables = told.pointer_mut("/Config/Env").and_then(Value::as_array_mut);
    for variable in variables.into_iter().flatten() {
        let name = variable.as_str().and_then(|text| text.split_once('=')).map(|(name, _)| name.to_owned());
        if let Some(name) = name.filter(|name| name.to_lowercase().ends_with("_proxy")) {
            *variable = format!("{name}={LEFT_OUT}").into();
        }
    }
}

/// Takes out what may be a secret: values of environment variables, and copies of the whole object.
fn leave_out_secrets(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.remove("managedFields");
            if let Some(Value::Object(annotations)) = fields.get_mut("annotations") {
                annotations.remove("kubectl.kubernetes.io/last-applied-configuration");
            }
            if let Some(Value::Array(variables)) = fields.get_mut("env") {
                for variable in variables.iter_mut().filter(|variable| variable["value"].is_string()) {
                    variable["value"] = LEFT_OUT.into();
                }
            }
            fields.values_mut().for_each(leave_out_secrets);
        }
        Value::Array(values) => values.iter_mut().for_each(leave_out_secrets),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    #[test]
    fn proxies_are_left_out() {
        let mut told =
            json!({"Config": {"Env": ["PATH=/bin", "https_proxy=http://alex:hunter2@proxy:1", "NO_PROXY=a"]}});
        super::leave_out_proxies(&mut told);
        let expected = ["PATH=/bin", "https_proxy=(left out by qbo)", "NO_PROXY=(left out by qbo)"];
        assert_eq!(told["Config"]["Env"], json!(expected));
        super::leave_out_proxies(&mut json!({}));
    }

    use super::*;

    #[test]
    fn what_may_be_a_secret_is_left_out() {
        let mut pod = json!({
            "metadata": {
                "name": "web",
                "managedFields": [{"manager": "kubectl"}],
                "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "PASSWORD", "a": "b"},
            },
            "spec": {"containers": [{"env": [
                {"name": "PASSWORD", "value": "hunter2"},
                {"name": "NODE", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}},
            ]}]},
        });
        leave_out_secrets(&mut pod);
        let text = pod.to_string();
        assert!(
            !text.contains("hunter2") && !text.contains("managedFields") && !text.contains("last-applied"),
            "{text}"
        );
        assert!(text.contains("spec.nodeName") && text.contains(LEFT_OUT) && text.contains("\"a\":\"b\""), "{text}");
    }
}
