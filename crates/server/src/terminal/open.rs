//! From what is asked for to a running program: names become a container and a command line in it.

use std::sync::Arc;

use async_trait::async_trait;
use qbo_api::message::Code;
use qbo_api::model::{Node, Pod, State};
use qbo_api::terminal::{OpenRequest, Size, TAIL, TerminalKind};
use serde::Deserialize;
use uuid::Uuid;

use super::shell::{Shells, Stay};
use super::{Control, Programs, Started};
use crate::access::Opening;
use crate::cluster::absent;
use crate::driver::engine::{Engine, EngineError};
use crate::driver::terminal::{Attached, Program, TerminalEngine};
use crate::error::Failure;
use crate::live::Live;

/// Bears the session's id in the environment of all that is started for it, and so tells what ends with it.
const MARK: &str = "QBO_SESSION";

/// Ends all programs that bear a mark: first as a terminal does that goes away, then for good.
const END: &str = r#"
marked() {
    for process in /proc/[0-9]*; do
        grep -qs "$1" "$process/environ" && kill "-$2" "${process#/proc/}"
    done
}
marked "$1" HUP
sleep 1
marked "$1" KILL
true
"#;

/// A shell in a container of any image.
const ANY_SHELL: &str = "command -v bash >/dev/null && exec bash; exec sh";

/// The lines of a terminal within another one, which would end them a second time.
const PASSED_ON: &str = "stty -onlcr; export CONTAINERD_SUPPRESS_DEPRECATION_WARNINGS=1; exec \"$@\"";

/// The runtime's output unchanged: it is a log, and the terminal it is written to is not the reader's.
const RAW: &str = "stty raw; exec \"$@\"";

/// A pod's container as `crictl ps -o json` tells of it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
struct PodContainer {
    id: String,
    metadata: PodContainerMetadata,
    /// In nanoseconds since the epoch, as a text.
    created_at: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct PodContainerMetadata {
    name: String,
}

#[derive(Debug, Deserialize)]
struct PodContainers {
    #[serde(default)]
    containers: Vec<PodContainer>,
}

/// Starts programs in the containers that the engine holds.
pub struct Opener {
    engine: Arc<dyn Engine>,
    terminals: Arc<dyn TerminalEngine>,
    live: Arc<Live>,
    shells: Arc<Shells>,
}

/// A program in a container.
struct Running {
    engine: Arc<dyn Engine>,
    terminals: Arc<dyn TerminalEngine>,
    container: String,
    execution: String,
    mark: String,
    /// In the container of the user's shells, where it is one of those.
    stay: Option<Stay>,
}

/// What is to be started, and where.
struct Target {
    title: String,
    container: String,
    command: Vec<String>,
    stay: Option<Stay>,
}

impl Opener {
    /// Over these drivers.
    pub fn new(
        engine: Arc<dyn Engine>,
        terminals: Arc<dyn TerminalEngine>,
        live: Arc<Live>,
        shells: Arc<Shells>,
    ) -> Self {
        Self { engine, terminals, live, shells }
    }

    async fn find(&self, opening: &Opening, mark: &str) -> Result<Target, Failure> {
        let (user, request) = (opening.user(), opening.request());
        match request.kind {
            TerminalKind::Shell => {
                let stay = self.shells.enter(user).await?;
                let (container, command) = (stay.container().to_owned(), words(&["bash"]));
                Ok(Target { title: "shell".into(), container, command, stay: Some(stay) })
            }
            TerminalKind::Node => {
                let node = self.node(&user.email, needed(request.node.as_deref(), "node")?).await?;
                Ok(Target {
                    title: short(&node.name).into(),
                    container: node.id,
                    command: words(&["bash"]),
                    stay: None,
                })
            }
            TerminalKind::Pod => {
                let (pod, node) = self.pod(&user.email, request).await?;
                let container = self.container(&node, &pod, request, &[]).await?;
                let exec_id = format!("qbo-{}", Uuid::new_v4().simple());
                let shell = format!("export TERM=xterm-256color {mark}; {ANY_SHELL}");
                let task = ["ctr", "-n", "k8s.io", "tasks", "exec", "--tty", "--exec-id", &exec_id, &container.id];
                let command = words(&[&["sh", "-c", PASSED_ON, "sh"], &task[..], &["sh", "-c", &shell]].concat());
                Ok(Target { title: title(&pod, &container), container: node.id, command, stay: None })
            }
            TerminalKind::Logs => {
                let (pod, node) = self.pod(&user.email, request).await?;
                let container = self.container(&node, &pod, request, &["--all"]).await?;
                let tail = request.tail.unwrap_or(TAIL).to_string();
                let follow: &[&str] = if request.follow.unwrap_or(true) { &["--follow"] } else { &[] };
                let logs = [&["crictl", "logs", "--tail", &tail][..], follow, &[&container.id]].concat();
                let command = words(&[&["sh", "-c", RAW, "sh"], &logs[..]].concat());
                Ok(Target { title: title(&pod, &container), container: node.id, command, stay: None })
            }
        }
    }

    async fn node(&self, user: &str, reference: &str) -> Result<Node, Failure> {
        let nodes = self.live.view(user).await?.nodes();
        let matching =
            |node: &&Node| node.name == reference || short(&node.name) == reference || is_prefix(reference, &node.id);
        let Some(node) = nodes.iter().find(matching) else {
            return Err(absent("node", reference, nodes.iter().map(|node| short(&node.name))));
        };
        refuse_stopped(node)?;
        Ok(node.clone())
    }

    /// The pod that a request means, with its node.
    async fn pod(&self, user: &str, request: &OpenRequest) -> Result<(Pod, Node), Failure> {
        let reference = needed(request.pod.as_deref(), "pod")?;
        let (pods, nodes) = {
            let view = self.live.view(user).await?;
            (view.pods(), view.nodes())
        };
        let is_of = |wanted: &Option<String>, name: &str| wanted.as_ref().is_none_or(|wanted| wanted == name);
        let among = |pod: &&Pod| is_of(&request.cluster, &pod.cluster) && is_of(&request.namespace, &pod.namespace);
        let matching = |pod: &&Pod| pod.name == reference || is_prefix(reference, &pod.id);
        let found: Vec<&Pod> = pods.iter().filter(among).filter(matching).collect();
        let pod = match found.as_slice() {
            [pod] => *pod,
            [] => return Err(absent("pod", reference, pods.iter().filter(among).map(|pod| pod.name.as_str()))),
            several => {
                let places: Vec<String> =
                    several.iter().map(|pod| format!("{} in {}", pod.namespace, pod.cluster)).collect();
                let problem = format!("there are several pods '{reference}': {}", places.join(", "));
                return Err(Failure::new(Code::CONFLICT, problem, "name its namespace, and its cluster"));
            }
        };
        let node = nodes.into_iter().find(|node| node.cluster_id == pod.cluster_id && node.name == pod.node);
        let nowhere = || {
            let problem = format!("pod '{}' is on no node yet: {}", pod.name, pod.status);
            Failure::new(Code::CONFLICT, problem, format!("look with: qbo get pods {}", pod.cluster))
        };
        let node = node.ok_or_else(nowhere)?;
        refuse_stopped(&node)?;
        Ok((pod.clone(), node))
    }

    /// The container of a pod that a request means, as the node's runtime knows it.
    async fn container(
        &self,
        node: &Node,
        pod: &Pod,
        request: &OpenRequest,
        which: &[&str],
    ) -> Result<PodContainer, Failure> {
        let name = format!("io.kubernetes.pod.name={}", pod.name);
        let namespace = format!("io.kubernetes.pod.namespace={}", pod.namespace);
        let list = ["crictl", "ps", "--output", "json", "--label", &name, "--label", &namespace];
        let listed = self.engine.execute(&node.id, &[&list[..], which].concat()).await.map_err(not_running)?;
        let failed = |reason: &str| {
            let problem = format!("the containers of pod '{}' cannot be listed: {}", pod.name, reason.trim());
            Failure::new(Code::BAD_GATEWAY, problem, "")
        };
        if listed.code != 0 {
            return Err(failed(&listed.errors));
        }
        let containers: PodContainers =
            serde_json::from_str(&listed.output).map_err(|error| failed(&error.to_string()))?;
        let cluster = pod.cluster_id.parse().ok();
        let default = cluster.and_then(|cluster| self.live.default_container(cluster, &pod.id));
        choose(containers.containers, request.container.as_deref(), default.as_deref()).map_err(|names| {
            let problem = match &request.container {
                Some(container) => format!("pod '{}' has no container '{container}' here", pod.name),
                None => format!("pod '{}' has no container that runs: {}", pod.name, pod.status),
            };
            let cure = if names.is_empty() { String::new() } else { format!("there is: {}", names.join(", ")) };
            Failure::new(Code::NOT_FOUND, problem, cure)
        })
    }
}

#[async_trait]
impl Programs for Opener {
    async fn start(&self, opening: &Opening, session: Uuid) -> Result<Started, Failure> {
        let mark = format!("{MARK}={session}");
        let target = self.find(opening, &mark).await?;
        let program = Program {
            container: target.container,
            command: target.command,
            environment: vec![mark.clone(), "TERM=xterm-256color".into()],
            size: opening.request().size(),
        };
        let Attached { execution, output, input } = self.terminals.attach(&program).await.map_err(not_running)?;
        let control = Running {
            engine: Arc::clone(&self.engine),
            terminals: Arc::clone(&self.terminals),
            container: program.container,
            execution,
            mark,
            stay: target.stay,
        };
        Ok(Started { title: target.title, output, input, control: Box::new(control) })
    }
}

#[async_trait]
impl Control for Running {
    async fn resize(&self, size: Size) -> Result<(), Failure> {
        Ok(self.terminals.resize(&self.execution, size).await?)
    }

    async fn exit_code(&self) -> Result<i64, Failure> {
        // The stream may end a moment before the engine knows the code; nobody is told when it does.
        let mut pause = tokio::time::interval(EXIT_INTERVAL);
        loop {
            pause.tick().await;
            if let Some(code) = self.terminals.exit_code(&self.execution).await? {
                return Ok(code);
            }
        }
    }

    async fn end(&self) {
        let command = ["sh", "-c", END, "sh", &self.mark];
        let ended = self.engine.execute(&self.container, &command);
        // A container that is gone took all with it.
        if let Ok(Err(error)) = tokio::time::timeout(END_LIMIT, ended).await {
            tracing::debug!(%error, "the programs of a terminal are left to themselves");
        }
        if let Some(stay) = &self.stay {
            stay.leave().await;
        }
    }
}

/// Between two questions for the code of a program whose stream has ended.
const EXIT_INTERVAL: std::time::Duration = std::time::Duration::from_millis(50);

/// How long the end of all that was started may take.
const END_LIMIT: std::time::Duration = std::time::Duration::from_secs(10);

/// The container that is meant: where none is named the pod's default one, or while that is not there the first that was
/// made; the last of several of one name. Else the names there are.
fn choose(
    mut containers: Vec<PodContainer>,
    wanted: Option<&str>,
    default: Option<&str>,
) -> Result<PodContainer, Vec<String>> {
    containers.sort_by_key(|container| container.created_at.parse::<u64>().unwrap_or_default());
    let last = |name: &str| containers.iter().rfind(|container| container.metadata.name == name);
    let found = match wanted {
        Some(name) => last(name),
        None => default.and_then(last).or_else(|| last(&containers.first()?.metadata.name)),
    };
    found.cloned().ok_or_else(|| {
        let mut names: Vec<String> = containers.into_iter().map(|container| container.metadata.name).collect();
        names.dedup();
        names
    })
}

/// Nothing is opened on a node that does not run.
fn refuse_stopped(node: &Node) -> Result<(), Failure> {
    if node.state != State::Stopped {
        return Ok(());
    }
    let problem = format!("node '{}' is stopped", node.name);
    Err(Failure::new(Code::CONFLICT, problem, format!("qbo start node {}", short(&node.name))))
}

fn not_running(error: EngineError) -> Failure {
    let failure = Failure::from(error);
    // Docker's own words, where there is nothing to attach to.
    if failure.problem.contains("is not running") {
        return Failure { code: Code::CONFLICT, ..failure };
    }
    failure
}

fn needed<'a>(value: Option<&'a str>, name: &str) -> Result<&'a str, Failure> {
    value.filter(|value| !value.is_empty()).ok_or_else(|| {
        Failure::new(Code::BAD_REQUEST, format!("it is not said which {name}"), format!("name it: \"{name}\": \"…\""))
    })
}

fn title(pod: &Pod, container: &PodContainer) -> String {
    let container = &container.metadata.name;
    if pod.name.starts_with(container.as_str()) { pod.name.clone() } else { format!("{}/{container}", pod.name) }
}

fn short(name: &str) -> &str {
    name.split('.').next().unwrap_or(name)
}

/// Whether a reference is the beginning of an id, and long enough to be.
fn is_prefix(reference: &str, id: &str) -> bool {
    reference.len() >= 8 && id.starts_with(reference)
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn container(name: &str, created: u64) -> PodContainer {
        let metadata = PodContainerMetadata { name: name.into() };
        PodContainer { id: format!("{name}{created}"), metadata, created_at: created.to_string() }
    }

    #[test]
    fn the_default_container_is_meant_else_the_first_and_the_last_of_its_name() {
        let containers = || vec![container("side", 30), container("web", 20), container("web", 10)];
        assert_eq!(choose(containers(), None, None).unwrap().id, "web20");
        assert_eq!(choose(containers(), None, Some("side")).unwrap().id, "side30");
        assert_eq!(choose(containers(), None, Some("late")).unwrap().id, "web20");
        assert_eq!(choose(containers(), Some("side"), Some("web")).unwrap().id, "side30");
        assert_eq!(choose(containers(), Some("db"), Some("web")).unwrap_err(), ["web", "side"]);
        assert_eq!(choose(Vec::new(), None, Some("web")).unwrap_err(), Vec::<String>::new());
    }

    #[test]
    fn the_runtimes_list_is_read() {
        let text = r#"{"containers": [{"id": "ab", "podSandboxId": "x", "metadata": {"name": "web", "attempt": 0},
                       "createdAt": "1700000000000000000", "labels": {}}]}"#;
        let read: PodContainers = serde_json::from_str(text).unwrap();
        assert_eq!((read.containers[0].id.as_str(), read.containers[0].metadata.name.as_str()), ("ab", "web"));
        assert!(serde_json::from_str::<PodContainers>("{}").unwrap().containers.is_empty());
    }
}
