//! Who is measured: the commands that make and delete a cluster of the same size from the same image.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use bollard::Docker;
use bollard::errors::Error;
use clap::ValueEnum;
use qbo_e2e::server::Server;
use tempfile::TempDir;
use tokio::process::Command;

/// The cluster's name.
const CLUSTER: &str = "qbo-bench";
/// kind's network. Of our own, so that one that is there already is neither used nor removed.
const KIND_NETWORK: &str = "qbo-bench-kind";

/// What makes clusters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Contender {
    /// This product.
    Qbo,
    /// Its peer, <https://kind.sigs.k8s.io>.
    Kind,
}

/// The programs, and what they need.
pub(crate) struct Tools<'a> {
    server: &'a Server,
    kind: PathBuf,
    image: String,
    directory: TempDir,
}

/// A command that ended well.
pub(crate) struct Ran {
    pub(crate) elapsed: Duration,
    pub(crate) output: String,
}

impl Contender {
    /// The label by which its containers are known.
    pub(crate) fn label(self) -> String {
        match self {
            Self::Qbo => format!("io.qbo.cluster={CLUSTER}"),
            Self::Kind => format!("io.x-k8s.kind.cluster={CLUSTER}"),
        }
    }

    /// The label whose value `control-plane` tells the control plane.
    pub(crate) fn role_label(self) -> &'static str {
        match self {
            Self::Qbo => "io.qbo.role",
            Self::Kind => "io.x-k8s.kind.role",
        }
    }
}

impl std::fmt::Display for Contender {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Qbo => "qbo",
            Self::Kind => "kind",
        })
    }
}

impl<'a> Tools<'a> {
    pub(crate) fn new(server: &'a Server, kind: PathBuf, image: String) -> std::io::Result<Self> {
        Ok(Self { server, kind, image, directory: tempfile::tempdir()? })
    }

    /// The command that makes a cluster.
    pub(crate) fn create(&self, contender: Contender, nodes: usize) -> std::io::Result<Command> {
        match contender {
            Contender::Qbo => {
                Ok(self.server.qbo(&format!("add cluster {CLUSTER} -n {nodes} -i {}", self.image)).into())
            }
            Contender::Kind => {
                let config = self.kind_config(nodes)?;
                let mut command = self.kind("create");
                command.args(["--image", &self.image, "--config"]).arg(config);
                Ok(command)
            }
        }
    }

    /// The command that brings one more node into it, where there is one.
    pub(crate) fn join(&self, contender: Contender) -> Option<Command> {
        (contender == Contender::Qbo).then(|| self.server.qbo(&format!("add node {CLUSTER}")).into())
    }

    /// The command that deletes it.
    pub(crate) fn delete(&self, contender: Contender) -> Command {
        match contender {
            Contender::Qbo => self.server.qbo(&format!("delete cluster {CLUSTER}")).into(),
            Contender::Kind => self.kind("delete"),
        }
    }

    /// Removes what kind leaves behind.
    pub(crate) async fn clean_up(&self, docker: &Docker) -> anyhow::Result<()> {
        match docker.remove_network(KIND_NETWORK).await {
            Err(Error::DockerResponseServerError { status_code: 404, .. }) => Ok(()),
            removed => removed.context("kind's network cannot be removed"),
        }
    }

    fn kind(&self, verb: &str) -> Command {
        let mut command = Command::new(&self.kind);
        command.args([verb, "cluster", "--name", CLUSTER, "--kubeconfig"]).arg(self.path("kubeconfig"));
        command.env("KIND_EXPERIMENTAL_DOCKER_NETWORK", KIND_NETWORK);
        command
    }

    fn kind_config(&self, nodes: usize) -> std::io::Result<PathBuf> {
        let mut text = "kind: Cluster\napiVersion: kind.x-k8s.io/v1alpha4\nnodes:\n- role: control-plane\n".to_owned();
        for _ in 1..nodes {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "- role: worker");
        }
        let path = self.path("kind.yaml");
        std::fs::write(&path, text)?;
        Ok(path)
    }

    fn path(&self, name: &str) -> PathBuf {
        Path::join(self.directory.path(), name)
    }
}

/// Runs a command to its end.
pub(crate) async fn run(mut command: Command, began: Instant) -> anyhow::Result<Ran> {
    command.stdin(Stdio::null()).kill_on_drop(true);
    let output = command.output().await.with_context(|| format!("{command:?}"))?;
    let elapsed = began.elapsed();
    let errors = String::from_utf8_lossy(&output.stderr);
    anyhow::ensure!(output.status.success(), "{command:?} ended with {}:\n{errors}", output.status);
    Ok(Ran { elapsed, output: String::from_utf8_lossy(&output.stdout).into_owned() })
}
