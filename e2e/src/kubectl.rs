//! Kubernetes through its own client, as the node image holds it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::docker::Docker;
use crate::wait;

/// For pods to do what they are for, on a busy machine.
const LIMIT: Duration = Duration::from_mins(3);
/// For an API server to answer at all, on a busy machine.
const ANSWERING: Duration = Duration::from_mins(1);
/// What is said of one that did not.
const UNANSWERED: &[&str] = &[
    "connection refused",
    "was refused",
    "connection reset",
    "connection lost",
    "EOF",
    "TLS handshake timeout",
    "i/o timeout",
    "deadline exceeded",
    "(ServiceUnavailable)",
    "etcdserver: ",
];

/// The client, for one cluster.
#[derive(Debug, Clone)]
pub struct Kubectl {
    program: PathBuf,
    kubeconfig: PathBuf,
}

impl Kubectl {
    /// Takes the client out of the image. Another test may do the same, or run it from there already: it comes in one piece.
    pub fn fetch(docker: &Docker, image: &str, directory: &Path) -> PathBuf {
        let (program, own) = (directory.join("kubectl"), tempfile::tempdir_in(directory).expect("a directory is made"));
        let copy = own.path().join("kubectl");
        let container = docker.run(&["create", image]);
        let copied = docker.attempt(&[
            "cp",
            "--follow-link",
            &format!("{container}:/usr/bin/kubectl"),
            copy.to_str().expect("a path of UTF-8"),
        ]);
        docker.run(&["rm", "--volumes", &container]);
        copied.expect("the node image holds kubectl");
        std::fs::rename(&copy, &program).expect("it is moved");
        program
    }

    /// The client with this kubeconfig.
    pub fn new(program: &Path, kubeconfig: &Path) -> Self {
        Self { program: program.into(), kubeconfig: kubeconfig.into() }
    }

    /// What a command prints; it must succeed, and is repeated until it is answered.
    #[track_caller]
    pub fn run(&self, words: &[&str]) -> String {
        let what = format!("kubectl {}", words.join(" "));
        let mut is_repeated = false;
        let answered = wait::until_ok(&what, ANSWERING, || match self.attempt(words) {
            Err(said) if UNANSWERED.iter().any(|sign| said.contains(sign)) => {
                is_repeated = true;
                Err(said)
            }
            // What was asked for before may have been done without an answer.
            Err(said) if is_repeated && words[0] == "create" && said.contains("(AlreadyExists)") => Ok(Ok(said)),
            Err(said) if is_repeated && words[0] == "delete" && said.contains("(NotFound)") => Ok(Ok(said)),
            answered => Ok(answered),
        });
        answered.unwrap_or_else(|said| panic!("{what}: {said}"))
    }

    /// What a command prints, or what it says on standard error.
    pub fn attempt(&self, words: &[&str]) -> Result<String, String> {
        let mut command = Command::new(&self.program);
        command.arg("--kubeconfig").arg(&self.kubeconfig).args(["--request-timeout", "30s"]).args(words);
        let output = command.stdin(Stdio::null()).output().expect("kubectl starts");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
    }

    /// An object, or a list of them.
    #[track_caller]
    pub fn get(&self, words: &[&str]) -> Value {
        let text = self.run(&[&["get", "--output", "json"], words].concat());
        serde_json::from_str(&text).expect("kubectl prints JSON")
    }

    /// The same, where the API server answers.
    fn look(&self, words: &[&str]) -> Option<Value> {
        let text = self.attempt(&[&["get", "--output", "json"], words].concat()).ok()?;
        Some(serde_json::from_str(&text).expect("kubectl prints JSON"))
    }

    /// Creates what a manifest says.
    #[track_caller]
    pub fn create(&self, manifest: &str) {
        let file = tempfile::NamedTempFile::new().expect("a temporary file");
        std::fs::write(file.path(), manifest).expect("a temporary file is written");
        self.run(&["create", "--filename", file.path().to_str().expect("a path of UTF-8")]);
    }

    /// Waits until a pod has ended well, and returns what it printed.
    #[track_caller]
    pub fn await_output(&self, pod: &str) -> String {
        let phase = wait::until(&format!("pod {pod} to end"), LIMIT, || {
            let phase = self.look(&["pod", pod])?["status"]["phase"].as_str().unwrap_or_default().to_owned();
            ["Succeeded", "Failed"].contains(&phase.as_str()).then_some(phase)
        });
        let output = self.run(&["logs", pod]);
        assert!(
            phase == "Succeeded",
            "pod {pod} has failed, says '{output}' and is\n{}",
            self.run(&["describe", "pod", pod])
        );
        output
    }

    /// Waits until all nodes are Ready, and returns their names.
    #[track_caller]
    pub fn await_ready(&self, count: usize) -> Vec<String> {
        wait::until(&format!("{count} nodes to be Ready"), LIMIT, || {
            let nodes = self.look(&["nodes"])?;
            let nodes = nodes["items"].as_array().expect("a list");
            let ready = nodes.iter().filter(|node| is_ready(node));
            let names: Vec<String> = ready.map(|node| name(node).to_owned()).collect();
            (names.len() == count).then_some(names)
        })
    }

    /// The addresses of all nodes by name, as each of them says.
    #[track_caller]
    pub fn addresses(&self) -> BTreeMap<String, String> {
        let nodes = self.get(&["nodes"]);
        let of_node =
            |node: &Value| (name(node).to_owned(), internal_address(node).as_str().unwrap_or_default().into());
        nodes["items"].as_array().expect("a list").iter().map(of_node).collect()
    }

    /// An image that every node holds, whatever its version: for pods that bring what they run.
    #[track_caller]
    pub fn any_image(&self) -> String {
        wait::until("a node to tell that it holds pause", LIMIT, || {
            let nodes = self.look(&["nodes"])?;
            let images = nodes["items"][0]["status"]["images"].as_array()?.iter();
            let mut names = images.filter_map(|image| image["names"].as_array()).flatten().filter_map(Value::as_str);
            names.find(|name| name.starts_with("registry.k8s.io/pause:")).map(str::to_owned)
        })
    }
}

/// A node's address on its cluster's network.
pub fn internal_address(node: &Value) -> &Value {
    let addresses = node["status"]["addresses"].as_array().expect("a node has addresses");
    &addresses.iter().find(|address| address["type"] == "InternalIP").expect("an internal one")["address"]
}

/// The name of an object.
pub fn name(object: &Value) -> &str {
    object["metadata"]["name"].as_str().expect("every object has a name")
}

/// Whether a node or a pod is Ready.
pub fn is_ready(object: &Value) -> bool {
    let conditions = object["status"]["conditions"].as_array();
    conditions.is_some_and(|conditions| {
        conditions.iter().any(|condition| condition["type"] == "Ready" && condition["status"] == "True")
    })
}
