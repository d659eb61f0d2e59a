//! What a registry answered last. Whoever asks while somebody else does waits for that answer; where a registry does not
//! answer, the list it gave before is served, and said to be old.

use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::{Listing, Registry};
use crate::error::Failure;

/// How long a list is believed.
pub(super) const LIFETIME: Duration = Duration::from_mins(5);
/// How long a failure is, so that a registry that is away holds up one command and not each.
pub(super) const FAILURE_LIFETIME: Duration = Duration::from_secs(10);

/// A registry that is asked only now and then.
pub(super) struct Cached<R> {
    registry: R,
    /// Held while the registry is asked. Whoever asks may be cancelled: the next one in the row asks then.
    last: Mutex<Last>,
}

#[derive(Default)]
struct Last {
    listing: Option<(Listing, Instant)>,
    /// Since that listing.
    failure: Option<(Failure, Instant)>,
}

impl<R> Cached<R> {
    pub(super) fn new(registry: R) -> Self {
        Self { registry, last: Mutex::default() }
    }
}

impl Last {
    /// What can be answered without asking.
    fn answer(&self) -> Option<Result<Listing, Failure>> {
        if let Some((listing, at)) = &self.listing
            && at.elapsed() < LIFETIME
        {
            return Some(Ok(listing.clone()));
        }
        let (failure, at) = self.failure.as_ref()?;
        (at.elapsed() < FAILURE_LIFETIME).then(|| self.despite(failure))
    }

    /// The older list with a remark, where there is one.
    fn despite(&self, failure: &Failure) -> Result<Listing, Failure> {
        let (listing, at) = self.listing.as_ref().ok_or_else(|| failure.clone())?;
        let remark = format!("this list is {} minutes old: {}", at.elapsed().as_secs() / 60, failure.line());
        Ok(Listing { remark: Some(remark), ..listing.clone() })
    }
}

#[async_trait]
impl<R: Registry> Registry for Cached<R> {
    async fn answers(&self) -> bool {
        self.registry.answers().await
    }

    async fn tags(&self) -> Result<Listing, Failure> {
        let mut last = self.last.lock().await;
        if let Some(answer) = last.answer() {
            return answer;
        }
        match self.registry.tags().await {
            Ok(listing) => {
                *last = Last { listing: Some((listing.clone(), Instant::now())), failure: None };
                Ok(listing)
            }
            Err(failure) => {
                tracing::warn!(%failure, "the registry's tags cannot be listed");
                let answer = last.despite(&failure);
                last.failure = Some((failure, Instant::now()));
                answer
            }
        }
    }

    fn repository(&self) -> (&str, &str) {
        self.registry.repository()
    }
}
