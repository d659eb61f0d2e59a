//! The API server of a cluster that comes up: asked again at a steady pace until it answers as it should.

use std::time::Duration;

use anyhow::Context as _;
use bollard::Docker;
use futures_util::StreamExt as _;
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::api::{Api, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::runtime::{WatchStreamExt as _, reflector, watcher};
use kube::{Client, Config};
use serde_json::json;

use crate::observe::{PROBE_DIRECTORY, read_file};

/// Between two attempts at something that is not there yet.
const PACE: Duration = Duration::from_millis(50);
/// Where kubeadm keeps an administrator's credentials, and qbo as well.
const ADMINISTRATOR: &str = "/etc/kubernetes/admin.conf";
/// The name that is asked for.
const NAME: &str = "kubernetes.default.svc.cluster.local";
const PROBE: &str = "probe";

/// A cluster's API server.
pub(crate) struct Cluster {
    client: Client,
}

impl Cluster {
    /// The API server of this control plane, as soon as its credentials are there; it may not answer yet.
    pub(crate) async fn connect(docker: &Docker, control_plane: &str) -> anyhow::Result<Self> {
        let kubeconfig = loop {
            match read_file(docker, control_plane, ADMINISTRATOR).await? {
                // One that is being written is not whole.
                Some(file) if Kubeconfig::from_yaml(&String::from_utf8_lossy(&file)).is_ok() => break file,
                _ => tokio::time::sleep(PACE).await,
            }
        };
        let inspected = docker.inspect_container(control_plane, None).await?;
        let networks = inspected.network_settings.and_then(|settings| settings.networks).unwrap_or_default();
        let address = networks.into_values().find_map(|network| network.ip_address);
        let address = address.context("the control plane has no address")?;
        let kubeconfig = Kubeconfig::from_yaml(&String::from_utf8_lossy(&kubeconfig))?;
        let mut config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?;
        config.cluster_url = format!("https://{address}:6443").parse()?;
        config.connect_timeout = Some(Duration::from_secs(1));
        Ok(Self { client: Client::try_from(config)? })
    }

    /// Waits until as many nodes are Ready at once.
    pub(crate) async fn await_nodes(&self, count: usize) {
        let api = Api::<Node>::all(self.client.clone());
        let (nodes, writer) = reflector::store();
        let mut events = std::pin::pin!(reflector(writer, watcher(api, watcher::Config::default())));
        while nodes.state().iter().filter(|node| is_ready(node)).count() < count {
            // The watch begins anew after an error, and must not do so in a busy loop.
            if events.next().await.is_none_or(|event| event.is_err()) {
                tokio::time::sleep(PACE).await;
            }
        }
    }

    /// Asks cluster DNS from a pod, from the first moment that a pod can run: when it began and when it was answered.
    pub(crate) async fn ask_dns(&self) -> anyhow::Result<(f64, f64)> {
        let probe = probe(&self.await_image().await)?;
        let pods = Api::<Pod>::default_namespaced(self.client.clone());
        // Refused until the pod's service account is there.
        while let Err(error) = pods.create(&PostParams::default(), &probe).await {
            if matches!(&error, kube::Error::Api(status) if status.code == 409) {
                break;
            }
            tokio::time::sleep(PACE).await;
        }
        let config = watcher::Config::default().fields(&format!("metadata.name={PROBE}"));
        let mut events = std::pin::pin!(watcher(pods, config).applied_objects());
        loop {
            match events.next().await {
                Some(Ok(pod)) => {
                    if let Some(message) = last_words(&pod)? {
                        let (began, answered) = message.split_once(' ').context("two times")?;
                        return Ok((began.parse()?, answered.parse()?));
                    }
                }
                _ => tokio::time::sleep(PACE).await,
            }
        }
    }

    /// The image that every node has pods from, whatever its version: known with the first node.
    async fn await_image(&self) -> String {
        let nodes = Api::<Node>::all(self.client.clone());
        let mut events = std::pin::pin!(watcher(nodes, watcher::Config::default()).applied_objects());
        loop {
            match events.next().await {
                Some(Ok(node)) => {
                    let images = node.status.and_then(|status| status.images).unwrap_or_default();
                    let mut names = images.into_iter().flat_map(|image| image.names.unwrap_or_default());
                    if let Some(name) = names.find(|name| name.starts_with("registry.k8s.io/pause:")) {
                        return name;
                    }
                }
                _ => tokio::time::sleep(PACE).await,
            }
        }
    }
}

/// A pod for any node: what runs is on the node, so that the image matters little.
fn probe(image: &str) -> serde_json::Result<Pod> {
    serde_json::from_value(json!({
        "metadata": {"name": PROBE},
        "spec": {
            "automountServiceAccountToken": false,
            "containers": [{
                "name": PROBE,
                "image": image,
                "imagePullPolicy": "Never",
                "command": ["/probe/probe", "first-answer", NAME],
                "volumeMounts": [{"name": PROBE, "mountPath": "/probe"}],
            }],
            "restartPolicy": "Never",
            "tolerations": [{"operator": "Exists"}],
            "volumes": [{"name": PROBE, "hostPath": {"path": PROBE_DIRECTORY}}],
        },
    }))
}

/// The message of a probe that ended well; none while it runs.
fn last_words(pod: &Pod) -> anyhow::Result<Option<String>> {
    let container = pod.status.as_ref().and_then(|status| status.container_statuses.as_ref()?.first());
    let Some(ended) = container.and_then(|container| container.state.as_ref()?.terminated.as_ref()) else {
        return Ok(None);
    };
    let message = ended.message.clone().unwrap_or_default();
    anyhow::ensure!(ended.exit_code == 0, "the probe ended with {}: {message}", ended.exit_code);
    Ok(Some(message))
}

fn is_ready(node: &Node) -> bool {
    let conditions = node.status.as_ref().and_then(|status| status.conditions.as_deref()).unwrap_or_default();
    conditions.iter().any(|condition| condition.type_ == "Ready" && condition.status == "True")
}
