//! Registries of node images: which tags there are. Pulls are Docker's own business; it is given the same credentials.
//!
//! [`connect`] chooses by `registry_type`: [`docker_hub`] asks the API of Docker Hub's site, [`oci`] any registry of the
//! distribution specification, and [`gitlab`] is such a one whose token endpoint is known beforehand. All speak through
//! [`client`], which bounds what they send and take, get tokens by [`token`], and are asked through [`cache`].

mod cache;
mod client;
mod docker_hub;
mod error;
mod gitlab;
mod oci;
#[cfg(test)]
mod tests;
mod token;

use std::cmp::Ordering;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use qbo_bootstrap::KubernetesVersion;

use self::cache::Cached;
use self::client::Client;
use self::docker_hub::DockerHub;
use self::error::{Fault, RegistryError};
use self::oci::OciRegistry;
use crate::config::{self, RegistryKind};
use crate::error::Failure;

/// The longest that reading all pages of a list may take.
const LISTING: Duration = Duration::from_secs(30);

/// Tags asked for in one page, the most that Docker Hub gives, and how many are taken in all; a registry may give more
/// or fewer in a page than it is asked for.
const PAGE: usize = 100;
const PAGES: usize = 100;
const TAGS: usize = 10_000;

/// A registry that lists its tags.
#[async_trait]
pub trait Registry: Send + Sync + 'static {
    /// Whether it answers at all, in bounded time.
    async fn answers(&self) -> bool;
    /// All tags of its node repository.
    async fn tags(&self) -> Result<Listing, Failure>;
    /// Its host, and the repository as `kindest/node`.
    fn repository(&self) -> (&str, &str);
}

/// The tags of a repository.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listing {
    /// Newest version first, then those that are no versions, by name.
    pub tags: Vec<String>,
    /// What is to be said about them: that they are not all, or not of now.
    pub remark: Option<String>,
}

/// The registry that the configuration names; nothing is sent yet.
pub fn connect(config: &config::Registry) -> Result<Arc<dyn Registry>, reqwest::Error> {
    let client = Client::new(config)?;
    Ok(match config.kind {
        RegistryKind::Docker => Arc::new(Cached::new(DockerHub::new(client, config))),
        RegistryKind::Gitlab => Arc::new(Cached::new(gitlab::registry(client, config))),
        RegistryKind::Oci => Arc::new(Cached::new(OciRegistry::new(client, config))),
    })
}

/// The order of tags: newest version first, what is no version last and by name.
pub fn newest_first(left: &str, right: &str) -> Ordering {
    let version = |tag: &str| tag.parse::<KubernetesVersion>().ok();
    version(right).cmp(&version(left)).then_with(|| left.cmp(right))
}

/// Whether a registry answers at an address, as `http://localhost:5000`; one that wants to know who asks does too.
pub async fn reach(address: &str) -> Result<(), Failure> {
    client::reach(address).await.map_err(|fault| {
        let failure = Failure::from(fault.of(format!("the registry at {address}")));
        Failure {
            cure: "does it run there, and speak this protocol? curl it: ".to_owned() + address + "/v2/",
            ..failure
        }
    })
}

impl Listing {
    /// What was read, in order and each once: pages shift while somebody pushes. `complete` is whether nothing was left
    /// unread.
    fn new(mut tags: Vec<String>, complete: bool) -> Self {
        let complete = complete && tags.len() <= TAGS;
        tags.truncate(TAGS);
        tags.sort_by(|left, right| newest_first(left, right));
        tags.dedup();
        let remark = (!complete).then(|| format!("the registry has more tags than the {} that were read", tags.len()));
        Self { tags, remark }
    }
}

/// Bounds the time of a whole list.
async fn in_time(
    registry: &str,
    listing: impl Future<Output = Result<Listing, RegistryError>>,
) -> Result<Listing, Failure> {
    let listed = tokio::time::timeout(LISTING, listing).await;
    let late = |_| {
        let fault = Fault::TimedOut { what: "all pages of its list", limit: LISTING };
        Err(fault.of(format!("the registry {registry}")))
    };
    Ok(listed.unwrap_or_else(late)?)
}
