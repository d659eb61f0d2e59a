//! Looking at a cluster while it comes up, in the same way whoever makes it: its containers by Docker's events, its
//! nodes by a watch on its API server, its DNS by a pod that asks from its first moment on.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use bollard::Docker;
use bollard::query_parameters::{EventsOptionsBuilder, UploadToContainerOptionsBuilder};
use futures_util::{StreamExt as _, TryStreamExt as _};

use crate::cluster::Cluster;
use crate::contender::Contender;

/// Where nodes hold the probe.
pub(crate) const PROBE_DIRECTORY: &str = "/opt/qbo-probe";

/// What looks.
pub(crate) struct Observer {
    pub(crate) docker: Docker,
    /// The program that runs in a pod.
    pub(crate) probe: Vec<u8>,
}

/// What was seen, since the command's start.
pub(crate) struct Seen {
    /// All nodes were Ready.
    pub(crate) ready: Duration,
    /// The probe began to ask.
    pub(crate) probe_started: Duration,
    /// It was answered.
    pub(crate) answered: Duration,
}

/// All times of one cluster, since the start of the command.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Times {
    pub(crate) returned: Duration,
    pub(crate) ready: Duration,
    pub(crate) probe_started: Duration,
    pub(crate) answered: Duration,
    /// Of the command that brings one more node, which returns when that is Ready; kind has none.
    pub(crate) joined: Option<Duration>,
    /// Of the command that deletes it.
    pub(crate) deleted: Duration,
}

impl Observer {
    /// Watches a cluster that is being made until its nodes are Ready and its DNS has answered.
    pub(crate) async fn observe(&self, contender: Contender, nodes: usize, began: Instant) -> anyhow::Result<Seen> {
        let epoch = SystemTime::now() - began.elapsed();
        let control_plane = self.await_containers(contender, nodes, epoch).await?;
        let cluster = Cluster::connect(&self.docker, &control_plane).await?;
        let ready = async {
            cluster.await_nodes(nodes).await;
            anyhow::Ok(began.elapsed())
        };
        let (ready, (started, answered)) = tokio::try_join!(ready, cluster.ask_dns())?;
        let since = |unix: f64| {
            let began = epoch.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
            Duration::try_from_secs_f64(unix - began).context("the pod's clock is behind")
        };
        Ok(Seen { ready, probe_started: since(started)?, answered: since(answered)? })
    }

    /// Puts the probe into every container as soon as it runs, and returns the control plane's id.
    async fn await_containers(&self, contender: Contender, nodes: usize, since: SystemTime) -> anyhow::Result<String> {
        let since = since.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
        let filters = HashMap::from([("event", vec!["start".to_owned()]), ("label", vec![contender.label()])]);
        let options = EventsOptionsBuilder::new().since(&format!("{since:.6}")).filters(&filters).build();
        let mut events = std::pin::pin!(self.docker.events(Some(options)));
        let (mut seen, mut control_plane) = (BTreeSet::new(), None);
        while seen.len() < nodes {
            let event = events.next().await.context("Docker's events ended")??;
            let actor = event.actor.unwrap_or_default();
            let container = actor.id.unwrap_or_default();
            if !seen.insert(container.clone()) {
                continue;
            }
            let role = actor.attributes.unwrap_or_default().remove(contender.role_label());
            if role.as_deref() == Some("control-plane") {
                control_plane = Some(container.clone());
            }
            self.put_probe(&container).await?;
        }
        control_plane.context("no container is the control plane")
    }

    async fn put_probe(&self, container: &str) -> anyhow::Result<()> {
        let mut header = tar::Header::new_gnu();
        header.set_mode(0o755);
        header.set_size(self.probe.len() as u64);
        let mut archive = tar::Builder::new(Vec::new());
        let path = format!("{}/probe", PROBE_DIRECTORY.trim_start_matches('/'));
        archive.append_data(&mut header, path, self.probe.as_slice())?;
        let archive = bollard::body_full(archive.into_inner()?.into());
        let options = UploadToContainerOptionsBuilder::new().path("/").build();
        self.docker
            .upload_to_container(container, Some(options), archive)
            .await
            .context("putting the probe into a node")
    }
}

/// A file of a container; none while it is not there.
pub(crate) async fn read_file(docker: &Docker, container: &str, path: &str) -> anyhow::Result<Option<Vec<u8>>> {
    use bollard::query_parameters::DownloadFromContainerOptionsBuilder;
    use std::io::Read as _;
    let options = DownloadFromContainerOptionsBuilder::new().path(path).build();
    let chunks: Result<Vec<_>, _> = docker.download_from_container(container, Some(options)).try_collect().await;
    let archive = match chunks {
        Err(bollard::errors::Error::DockerResponseServerError { status_code: 404, .. }) => return Ok(None),
        chunks => chunks?.concat(),
    };
    let mut archive = tar::Archive::new(archive.as_slice());
    let mut file = archive.entries()?.next().context("an archive without a file")??;
    let mut contents = Vec::new();
    file.read_to_end(&mut contents)?;
    Ok(Some(contents))
}

impl fmt::Display for Times {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { returned, ready, probe_started, answered, joined, deleted } = *self;
        let joined =
            joined.map(|joined| format!("one more Ready in {:.1} s, ", joined.as_secs_f64())).unwrap_or_default();
        write!(
            formatter,
            "returned {:.1} s, nodes Ready {:.1} s, DNS answered {:.1} s (asked from {:.1} s on), {joined}deleted in {:.1} s",
            returned.as_secs_f64(),
            ready.as_secs_f64(),
            answered.as_secs_f64(),
            probe_started.as_secs_f64(),
            deleted.as_secs_f64(),
        )
    }
}
