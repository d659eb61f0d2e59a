//! Drivers without an outside, for the tests of everything above them: they answer as the real ones do, and fail,
//! hang or vanish where they are told to.

mod engine;
mod etcd;
mod held;
mod kubernetes;
mod meter;
mod terminal;
mod transfer;
mod trouble;

use std::sync::{Arc, Mutex};

use async_trait::async_trait;

use super::Progress;
use super::builder::Builder;
use super::registry::{Listing, Registry};
use crate::error::Failure;

pub(crate) use engine::FakeEngine;
pub(crate) use held::{FakeContainer, FakeImage, Held};
pub(crate) use kubernetes::{FakeKubernetes, Manner, Stage};
pub(crate) use meter::FakeMeter;
pub(crate) use trouble::{Moment, Trouble};

/// Builds images at once, into the engine.
pub(crate) struct FakeBuilder {
    engine: Arc<FakeEngine>,
    failure: Mutex<Option<Failure>>,
}

/// A registry with the tags it is given; without any it does not answer.
pub(crate) struct FakeRegistry {
    host: &'static str,
    repository: &'static str,
    tags: Mutex<Vec<String>>,
    remark: Mutex<Option<String>>,
}

impl FakeBuilder {
    pub(crate) fn new(engine: &Arc<FakeEngine>) -> Self {
        Self { engine: Arc::clone(engine), failure: Mutex::default() }
    }

    /// From now on builds fail.
    pub(crate) fn fail(&self, failure: Failure) {
        *self.failure.lock().unwrap() = Some(failure);
    }
}

#[async_trait]
impl Builder for FakeBuilder {
    async fn build(&self, version: &str, progress: Progress<'_>) -> Result<(), Failure> {
        progress("base");
        if let Some(failure) = &*self.failure.lock().unwrap() {
            return Err(failure.clone());
        }
        self.engine.hold_image(
            FakeImage::node(&format!("qbo/node:{version}"), version).with_label("io.qbo.kubernetes", version),
        );
        Ok(())
    }

    async fn build_shell(&self, progress: Progress<'_>) -> Result<(), Failure> {
        progress("base");
        self.engine.hold_image(FakeImage::other("qbo/shell:latest"));
        Ok(())
    }
}

/// Upstream's.
impl Default for FakeRegistry {
    fn default() -> Self {
        Self::at("hub.docker.com", "kindest/node")
    }
}

impl FakeRegistry {
    /// One with node images in another place.
    pub(crate) fn at(host: &'static str, repository: &'static str) -> Self {
        Self { host, repository, tags: Mutex::default(), remark: Mutex::default() }
    }

    /// From now on the registry answers, with these tags.
    pub(crate) fn answer(&self, tags: &[&str]) {
        *self.tags.lock().unwrap() = tags.iter().map(ToString::to_string).collect();
    }

    /// From now on this is to be said about its tags.
    pub(crate) fn remark(&self, remark: &str) {
        *self.remark.lock().unwrap() = Some(remark.into());
    }
}

#[async_trait]
impl Registry for FakeRegistry {
    async fn answers(&self) -> bool {
        !self.tags.lock().unwrap().is_empty()
    }

    async fn tags(&self) -> Result<Listing, Failure> {
        let tags = self.tags.lock().unwrap().clone();
        let absent = || Failure::new(qbo_api::message::Code::BAD_GATEWAY, "the registry does not answer", "");
        if tags.is_empty() { Err(absent()) } else { Ok(Listing { tags, remark: self.remark.lock().unwrap().clone() }) }
    }

    fn repository(&self) -> (&str, &str) {
        (self.host, self.repository)
    }
}
