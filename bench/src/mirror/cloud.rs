//! What is measured: a server of our own with a cluster of two nodes, and the ways around the server to the same Docker
//! and the same API server.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;

use anyhow::Context as _;
use bollard::Docker;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, Patch, PatchParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Client, Config, ResourceExt as _};
use qbo_e2e::programs::Programs;
use qbo_e2e::server::{Options, Server};
use qbo_e2e::wait;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

/// The cluster's name.
pub(crate) const CLUSTER: &str = "bench-mirror";
/// Where no other network is expected.
const NETWORK_RANGE: &str = "10.223.0.0/16";
/// Connections that the server holds: more than there are subscribers.
const CONNECTIONS: &str = "11000";
/// For the server to know what there is.
const LIMIT: Duration = Duration::from_mins(3);
/// Requests to the API server at once.
const AT_ONCE: usize = 16;
/// The pod that changes.
pub(crate) const POD: &str = "changing";

pub(crate) struct Cloud {
    pub(crate) server: Server,
    pub(crate) programs: Programs,
    pub(crate) options: Options,
    pub(crate) runtime: Runtime,
    pub(crate) docker: Docker,
    pub(crate) client: Client,
    /// A node, and the other, which is the control plane.
    pub(crate) worker: String,
    pub(crate) control_plane: String,
    /// Changes that were made, for each is another one.
    made: std::cell::Cell<usize>,
}

/// Removes the cluster with Docker's own means where a measurement broke off.
pub(crate) struct LeftOvers;

impl Drop for LeftOvers {
    fn drop(&mut self) {
        let label = format!("label=io.qbo.cluster={CLUSTER}");
        for (list, remove) in [
            (&["ps", "--all", "--quiet", "--filter"][..], &["rm", "--force", "--volumes"][..]),
            (&["network", "ls", "--quiet", "--filter"], &["network", "rm"]),
        ] {
            let found = Command::new("docker").args(list).arg(&label).output().map(|output| output.stdout);
            let found = String::from_utf8_lossy(&found.unwrap_or_default()).into_owned();
            if !found.trim().is_empty() {
                // What it cannot do it says itself.
                let _ = Command::new("docker").args(remove).args(found.split_whitespace()).status();
            }
        }
    }
}

/// The memory of the server, in bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Memory {
    pub(crate) resident: u64,
    pub(crate) peak: u64,
}

impl Cloud {
    /// Makes a server and a cluster with this many pods.
    pub(crate) fn make(programs: &Programs, image: &str, pods: usize) -> anyhow::Result<Self> {
        let runtime = Runtime::new()?;
        let mut options = Options { network_range: NETWORK_RANGE.into(), ..Options::default() };
        options.arguments = ["--connections", CONNECTIONS].map(str::to_owned).into();
        let server = Server::start(programs, &options);
        server.done(&format!("add cluster {CLUSTER} -n 2 -i {image}"));
        let kubeconfig = server.home().join(format!(".qbo/{CLUSTER}.conf"));
        let kubeconfig = Kubeconfig::read_from(&kubeconfig).context("the cluster's kubeconfig")?;
        let nodes = rows(&server, "get nodes", "nodes");
        let name = |role: &str| {
            let mut names = nodes.iter().filter_map(|node| node["name"].as_str());
            names.find(|name| name.starts_with(role)).map(str::to_owned).with_context(|| format!("no {role}"))
        };
        let (worker, control_plane) = (name("node-")?, name("control-")?);
        let (docker, client) = runtime.block_on(async {
            let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?;
            let docker = Docker::connect_with_defaults()?.negotiate_version().await?;
            anyhow::Ok((docker, Client::try_from(config)?))
        })?;
        let (programs, made) = (programs.clone(), std::cell::Cell::new(0));
        let cloud = Self { server, programs, options, runtime, docker, client, worker, control_plane, made };
        cloud.create_pods(pods)?;
        Ok(cloud)
    }

    /// Ends the server without its cluster, and starts another, which is returned once it knows at least as many pods.
    pub(crate) fn restart(self, pods: u64) -> Self {
        let home = self.server.crash();
        let server = Server::start_in(&self.programs, &self.options, home);
        let cloud = Self { server, ..self };
        wait::until("a new server to know all pods", LIMIT, || (cloud.changed_pods() >= pods).then_some(()));
        cloud
    }

    /// Deletes the cluster.
    pub(crate) fn end(self) {
        self.server.done(&format!("delete cluster {CLUSTER}"));
    }

    /// Pods that nothing schedules, so that they change when they are told to and not otherwise.
    fn create_pods(&self, count: usize) -> anyhow::Result<()> {
        let names = (1..count).map(|number| format!("web-7d4b9c6f5-{number:05}")).chain([POD.to_owned()]);
        let api = self.pods();
        let create = stream::iter(names.map(anyhow::Ok)).try_for_each_concurrent(AT_ONCE, |name| {
            let api = api.clone();
            async move {
                let pod = json!({"metadata": {"name": name}, "spec": {
                    "schedulingGates": [{"name": "qbo.io/bench"}], "containers": [{"name": "web", "image": "web"}],
                }});
                create(&api, &serde_json::from_value(pod)?).await
            }
        });
        self.runtime.block_on(create)?;
        wait::until("the server to know all pods", LIMIT, || {
            let known = rows(&self.server, &format!("get pods {CLUSTER}"), "pods");
            (known.iter().filter(|pod| pod["namespace"] == "default").count() == count).then_some(())
        });
        Ok(())
    }

    pub(crate) fn pods(&self) -> Api<Pod> {
        Api::default_namespaced(self.client.clone())
    }

    /// A mark that no change has had.
    pub(crate) fn mark(&self) -> String {
        self.made.set(self.made.get() + 1);
        format!("Bench{:06}", self.made.get())
    }

    /// Changes the pod so often; returns once a watch has told of it all, with what each change can be known by.
    pub(crate) fn change_held(&self, changes: usize) -> anyhow::Result<Vec<String>> {
        let marks: Vec<String> = (0..changes).map(|_| self.mark()).collect();
        let api = self.pods();
        let config = watcher::Config::default().fields(&format!("metadata.name={POD}"));
        self.runtime.block_on(async {
            let mut seen = std::pin::pin!(watcher(api.clone(), config).applied_objects());
            // The watch begins with the pod as it is.
            seen.next().await.context("the watch begins")??;
            for mark in &marks {
                change(&api, mark).await?;
            }
            let last = marks.last().map(String::as_str);
            while seen.next().await.context("the watch goes on")??.status.and_then(|status| status.reason).as_deref()
                != last
            {}
            anyhow::Ok(())
        })?;
        Ok(marks)
    }

    /// The server's memory, as proc(5) tells it.
    pub(crate) fn memory(&self) -> anyhow::Result<Memory> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.server.pid()))?;
        let bytes = |key: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(key)).with_context(|| format!("no {key}"))?;
            let kibibytes: u64 = line.trim().trim_end_matches(" kB").parse()?;
            anyhow::Ok(kibibytes * 1024)
        };
        Ok(Memory { resident: bytes("VmRSS:")?, peak: bytes("VmHWM:")? })
    }

    /// How many rows of pods the server has told to have changed since its start.
    pub(crate) fn changed_pods(&self) -> u64 {
        let asked = || {
            let mut stream = TcpStream::connect(("127.0.0.1", self.server.port()))?;
            stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer).map(|_| answer)
        };
        // Where it does not answer it is asked again.
        let answer = asked().unwrap_or_default();
        let value = answer.lines().find_map(|line| line.strip_prefix("qbo_changes_total{kind=\"pods\"}"));
        value.and_then(|value| value.trim().parse().ok()).unwrap_or_default()
    }
}

/// Creates a pod; one that is refused because its service account is not there yet is asked for again.
pub(crate) async fn create(api: &Api<Pod>, pod: &Pod) -> anyhow::Result<()> {
    for _ in 0..100 {
        match api.create(&PostParams::default(), pod).await {
            Err(kube::Error::Api(status)) if status.code == 403 => {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            created => return created.map(drop).with_context(|| pod.name_any()),
        }
    }
    anyhow::bail!("no service account: {}", pod.name_any())
}

/// Changes what is shown of the pod.
pub(crate) async fn change(api: &Api<Pod>, mark: &str) -> anyhow::Result<()> {
    let patch = json!({"status": {"reason": mark}});
    api.patch_status(POD, &PatchParams::default(), &Patch::Merge(&patch)).await.map(drop).context("the pod is changed")
}

/// The rows that a command tells.
pub(crate) fn rows(server: &Server, command: &str, kind: &str) -> Vec<Value> {
    server.done(command).rows(kind).into_iter().cloned().collect()
}
