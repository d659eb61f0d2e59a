//! The server's memory with many pods on simulated nodes: kwok (<https://kwok.sigs.k8s.io>) makes them run, on the real
//! API server.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::Context as _;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::ResourceExt as _;
use kube::api::{Api, PostParams};
use kube::runtime::{WatchStreamExt as _, watcher};
use qbo_e2e::{programs, wait};
use serde_json::json;

use crate::cloud::{self, CLUSTER, Cloud, Memory, create};
use crate::say;

/// As many pods as a real node has.
const PODS_PER_NODE: usize = 100;
/// For all pods to run.
const LIMIT: Duration = Duration::from_mins(6);
/// Requests at once.
const AT_ONCE: usize = 32;
const LABEL: &str = "qbo.io/bench=kwok";

/// What was measured, at one moment after the other.
pub(crate) struct Memories {
    pub(crate) pods: usize,
    pub(crate) moments: Vec<(&'static str, Memory)>,
}

/// kwok, as long as this is kept.
struct Kwok(Child);

impl Drop for Kwok {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Measures with so many pods, and returns the cloud with another server.
pub(crate) fn measure(cloud: Cloud, pods: usize) -> anyhow::Result<(Cloud, Memories)> {
    let program = build()?;
    let cloud = cloud.restart(1);
    let mut moments = vec![("before", cloud.memory()?)];
    let note = |moments: &mut Vec<(&'static str, Memory)>, cloud: &Cloud, what: &'static str| {
        let memory = cloud.memory()?;
        say(&format!("{what}: {} MB resident, {} MB at most", memory.resident >> 20, memory.peak >> 20))?;
        moments.push((what, memory));
        anyhow::Ok(())
    };
    let kwok = Kwok::start(&program, &cloud.server.home().join(format!(".qbo/{CLUSTER}.conf")))?;
    cloud.runtime.block_on(run_pods(&cloud, pods))?;
    let all = u64::try_from(pods)?;
    wait::until("the server to have told of all pods", LIMIT, || (cloud.changed_pods() >= all).then_some(()));
    note(&mut moments, &cloud, "all pods were made while it watched")?;

    let before = cloud.changed_pods();
    cloud.end_api_server()?;
    // Once as unknown, once as known again.
    wait::until("the API server's objects to be told anew", LIMIT, || {
        (cloud.changed_pods() >= before + 2 * all).then_some(())
    });
    note(&mut moments, &cloud, "the API server was lost, and all was listed anew")?;

    let cloud = cloud.restart(all);
    note(&mut moments, &cloud, "a new server has listed all pods")?;
    let told = cloud::rows(&cloud.server, &format!("get pods {CLUSTER}"), "pods");
    anyhow::ensure!(told.len() >= pods, "{} pods are told of {pods}", told.len());
    drop(told);
    note(&mut moments, &cloud, "`get pods` has told all of them")?;
    drop(kwok);
    Ok((cloud, Memories { pods, moments }))
}

/// Builds kwok, as its go.mod pins it, where it is not built yet.
fn build() -> anyhow::Result<PathBuf> {
    let script = programs::repository().join("bench/mirror/kwok/build");
    let output = Command::new(&script).stderr(Stdio::inherit()).output().context("kwok's build starts")?;
    anyhow::ensure!(output.status.success(), "{} failed", script.display());
    Ok(PathBuf::from(String::from_utf8(output.stdout)?.trim()))
}

impl Kwok {
    /// Starts it for a cluster, with its own stages of nodes and pods that are ready at once.
    fn start(directory: &Path, kubeconfig: &Path) -> anyhow::Result<Self> {
        let mut command = Command::new(directory.join("kwok"));
        command.arg("--kubeconfig").arg(kubeconfig).args(["--manage-nodes-with-label-selector", LABEL]);
        for entry in std::fs::read_dir(directory.join("stages"))? {
            command.arg("--config").arg(entry?.path());
        }
        // Away from what may be the home of another.
        command.env("HOME", directory).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Ok(Self(command.spawn().context("kwok starts")?))
    }
}

/// Makes nodes and pods on them, and waits until all pods run.
async fn run_pods(cloud: &Cloud, count: usize) -> anyhow::Result<()> {
    let nodes = Api::<Node>::all(cloud.client.clone());
    let (key, value) = LABEL.split_once('=').context("a label")?;
    let node = |number: usize| format!("simulated-{number:03}");
    for number in 0..count.div_ceil(PODS_PER_NODE) {
        let object = json!({"metadata": {"name": node(number), "labels": {key: value}}, "spec": {
            "taints": [{"key": "qbo.io/bench", "value": "kwok", "effect": "NoSchedule"}],
        }});
        nodes.create(&PostParams::default(), &serde_json::from_value(object)?).await?;
    }
    let api = cloud.pods();
    let creating = stream::iter((0..count).map(anyhow::Ok)).try_for_each_concurrent(AT_ONCE, |number| {
        let (api, node) = (api.clone(), node(number / PODS_PER_NODE));
        async move { create(&api, &pod(number, &node)?).await }
    });
    let config = watcher::Config::default().labels(LABEL);
    let running = async {
        let mut running = HashSet::new();
        let mut pods = std::pin::pin!(watcher(api.clone(), config).default_backoff().applied_objects());
        while running.len() < count {
            let pod = pods.next().await.context("the watch goes on")??;
            if pod.status.as_ref().and_then(|status| status.phase.as_deref()) == Some("Running") {
                running.insert(pod.name_any());
            }
        }
        anyhow::Ok(())
    };
    let both = async { tokio::try_join!(creating, running) };
    tokio::time::timeout(LIMIT, both).await.context("not all pods run in time")??;
    Ok(())
}

/// A pod as a Deployment's: with the fields that pods mostly have.
fn pod(number: usize, node: &str) -> serde_json::Result<Pod> {
    let (key, value) = LABEL.split_once('=').unwrap_or_default();
    let name = format!("shop-frontend-6c8f7d9b54-{number:05}");
    serde_json::from_value(json!({
        "metadata": {"name": name, "labels": {key: value, "app": "shop", "tier": "frontend", "pod-template-hash": "6c8f7d9b54"}},
        "spec": {
            "nodeName": node,
            "tolerations": [{"operator": "Exists"}],
            "containers": [{
                "name": "frontend",
                "image": "registry.example.com/shop/frontend:v1.4.2",
                "env": [{"name": "STAGE", "value": "production"}, {"name": "REGION", "value": "eu"}],
                "ports": [{"name": "http", "containerPort": 8080}],
                "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}},
                "readinessProbe": {"httpGet": {"path": "/healthz", "port": "http"}},
            }],
        },
    }))
}

impl Cloud {
    /// Ends the API server's process; its kubelet starts another.
    fn end_api_server(&self) -> anyhow::Result<()> {
        let command = ["exec", &self.control_plane, "pkill", "-KILL", "kube-apiserver"];
        let status = Command::new("docker").args(command).status().context("docker")?;
        anyhow::ensure!(status.success(), "the API server's process is not found");
        Ok(())
    }
}
