//! Execution: a permitted command becomes calls to the drivers, and what they yield becomes messages. One file per
//! command, under the same name as in the grammar.

mod add_cluster;
mod add_image;
mod cancel;
mod delete_cluster;
#[cfg(test)]
pub(crate) mod fixture;
mod get_cluster;
mod get_images;
mod get_nodes;
mod test_host;
#[cfg(test)]
mod tests;
mod version;

use std::collections::HashSet;
use std::sync::Arc;

use async_trait::async_trait;
use qbo_api::command::{Command, Selection};
use tokio_util::sync::CancellationToken;

use crate::access::Permitted;
use crate::address::Addresses;
use crate::cluster::{Found, find_all, select};
use crate::config::Config;
use crate::driver::builder::{Builder, ScriptBuilder};
use crate::driver::docker::DockerEngine;
use crate::driver::engine::Engine;
use crate::driver::kubernetes::{KubeDriver, Kubernetes};
use crate::driver::registry::{DockerHub, Registry};
use crate::error::Failure;
use crate::executor::Executor;
use crate::image::Images;
use crate::operations::{Operations, Running};
use crate::provision::Kubeconfigs;
use crate::recovery::LeftOvers;
use crate::report::Reporter;

/// All that commands work with.
pub struct Services {
    pub(crate) engine: Arc<dyn Engine>,
    pub(crate) kubernetes: Arc<dyn Kubernetes>,
    pub(crate) builder: Arc<dyn Builder>,
    pub(crate) images: Images,
    pub(crate) operations: Arc<Operations>,
    pub(crate) addresses: Arc<Addresses>,
    pub(crate) kubeconfigs: Kubeconfigs,
    pub(crate) left_overs: Arc<LeftOvers>,
}

/// The outward drivers.
#[derive(Clone)]
pub struct Drivers {
    /// The container engine.
    pub engine: Arc<dyn Engine>,
    /// The way to API servers.
    pub kubernetes: Arc<dyn Kubernetes>,
    /// The builder of node images.
    pub builder: Arc<dyn Builder>,
    /// The registry of node images.
    pub registry: Arc<dyn Registry>,
}

impl Drivers {
    /// The real ones; nothing is connected yet.
    pub fn connect(config: &Config) -> Result<Self, reqwest::Error> {
        Ok(Self {
            engine: Arc::new(DockerEngine::new(&config.docker, config.runtime, config.server())),
            kubernetes: Arc::new(KubeDriver),
            builder: Arc::new(ScriptBuilder::new(&config.image_builder)),
            registry: Arc::new(DockerHub::new(&config.registry.hostname, &config.registry.user)?),
        })
    }
}

impl Services {
    /// Services over these drivers.
    pub fn new(config: &Config, drivers: Drivers, operations: Arc<Operations>) -> Self {
        let Drivers { engine, kubernetes, builder, registry } = drivers;
        let left_overs = Arc::<LeftOvers>::default();
        Self {
            images: Images::new(Arc::clone(&engine), registry, config.image.clone(), Arc::clone(&left_overs)),
            engine,
            kubernetes,
            builder,
            operations,
            addresses: Arc::new(Addresses::new(config.network_range)),
            kubeconfigs: Kubeconfigs::new(&config.state_directory),
            left_overs,
        }
    }

    /// Does beforehand what the first cluster would wait for, until `stop` is cancelled.
    pub async fn warm_up(&self, stop: &CancellationToken) {
        if let Err(failure) = self.images.warm_up(stop).await {
            tracing::debug!(%failure, "the default image is not looked into beforehand");
        }
    }

    /// The user's clusters that a selection names; every name must be there.
    async fn select(&self, user: &str, selection: &Selection) -> Result<Vec<Found>, Failure> {
        let clusters = find_all(&*self.engine).await?;
        match selection {
            Selection::All => Ok(clusters.into_iter().filter(|cluster| cluster.identity.user == user).collect()),
            Selection::Named(references) => {
                let named = references.iter().map(|reference| select(&clusters, user, reference).cloned());
                let mut named: Vec<Found> = named.collect::<Result<_, Failure>>()?;
                // One can be named by its name and by its id.
                let mut seen = HashSet::new();
                named.retain(|cluster| seen.insert(cluster.identity.id));
                Ok(named)
            }
        }
    }
}

/// What became of several clusters: a failure names all that failed, where there were others.
fn together(outcomes: Vec<(String, Result<(), Failure>)>) -> Result<(), Failure> {
    let alone = outcomes.len() == 1;
    let failed: Vec<(String, Failure)> =
        outcomes.into_iter().filter_map(|(name, outcome)| Some((name, outcome.err()?))).collect();
    match failed.as_slice() {
        [] => Ok(()),
        [(_, failure)] if alone => Err(failure.clone()),
        [(_, first), ..] => {
            let told: Vec<String> =
                failed.iter().map(|(name, failure)| format!("{name}: {}", failure.problem)).collect();
            Err(Failure { problem: told.join("; "), ..first.clone() })
        }
    }
}

/// Calls the clean-up where a command panics: it undid nothing. Made before the command claims anything, and so dropped
/// after all claims are given back.
struct RungOnPanic<'a>(&'a LeftOvers);

impl Drop for RungOnPanic<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.ring();
        }
    }
}

#[async_trait]
impl Executor for Services {
    async fn execute(
        self: Arc<Self>,
        permitted: Permitted,
        reporter: Reporter,
        running: Running,
    ) -> Result<(), Failure> {
        let _panic = RungOnPanic(&self.left_overs);
        let user = &permitted.user().email;
        match permitted.command() {
            Command::Version => version::run(&self, &reporter).await,
            Command::AddCluster(add) => add_cluster::run(&self, user, add, &reporter, &running).await,
            Command::AddImage(add) => add_image::run(&self, add, &reporter, &running).await,
            Command::GetCluster(get) => get_cluster::run(&self, user, get, &reporter).await,
            Command::GetNodes(get) => get_nodes::run(&self, user, get, &reporter).await,
            Command::GetImages(get) => get_images::run(&self, get, &reporter).await,
            Command::DeleteCluster(delete) => delete_cluster::run(&self, user, delete, &reporter, &running).await,
            Command::TestHost => test_host::run(&reporter).await,
            Command::Cancel(cancel) => cancel::run(&self, user, cancel, &reporter),
        }
    }
}
