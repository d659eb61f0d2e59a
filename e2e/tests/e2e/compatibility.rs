//! The node image is compatible with kindest/node, not only similar: kind, as Debian has it, makes clusters of it.

use std::path::Path;
use std::process::{Command, Stdio};

use qbo_e2e::docker::Docker;
use qbo_e2e::kubectl::Kubectl;
use qbo_e2e::programs;

use crate::scene::{image, kubectl};
use crate::workload::Workload;

const CLUSTER: &str = "qbo-e2e-kind";

#[test]
fn kind_makes_and_deletes_a_cluster_of_the_image() {
    let docker = Docker::default();
    let before = docker.inventory();
    let directory = tempfile::tempdir().expect("a temporary directory");
    let kind = Kind { program: programs::kind(), kubeconfig: directory.path().join("kubeconfig") };
    kind.run(&["create", "cluster", "--image", image(), "--wait", "3m", "--retain"]);
    let kubectl = Kubectl::new(kubectl(&docker), &kind.kubeconfig);
    let nodes = docker.labelled(&format!("io.x-k8s.kind.cluster={CLUSTER}"));
    assert_eq!(kubectl.await_ready(1), nodes);
    let workload = Workload::new(&kubectl, &docker, &nodes);
    workload.dns_answers(&nodes[0]);
    workload.claim_keeps_data();
    drop(kind);
    assert_eq!(docker.inventory(), before, "Docker is not as before");
}

/// kind, and at the end nothing of it.
struct Kind {
    program: std::path::PathBuf,
    kubeconfig: std::path::PathBuf,
}

impl Kind {
    #[track_caller]
    fn run(&self, words: &[&str]) {
        let output = self.command(words).output().expect("kind starts");
        assert!(output.status.success(), "kind {words:?}: {}", String::from_utf8_lossy(&output.stderr));
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(Path::new(&self.program));
        command.args(words).args(["--name", CLUSTER, "--kubeconfig"]).arg(&self.kubeconfig).stdin(Stdio::null());
        // Its network is of our own: one that is there already is neither used nor removed.
        command.env("KIND_EXPERIMENTAL_DOCKER_NETWORK", CLUSTER);
        command
    }
}

impl Drop for Kind {
    fn drop(&mut self) {
        self.run(&["delete", "cluster"]);
        Docker::default().run(&["network", "rm", CLUSTER]);
    }
}
