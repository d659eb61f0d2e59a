//! `add image`: build qbo's own image, or pull any other.

use qbo_api::command::AddImage;
use qbo_api::image::ImageReference;
use qbo_api::message::{Code, Payload};

use super::Services;
use crate::driver::engine::LocalImage;
use crate::error::Failure;
use crate::image::own_version;
use crate::operations::Running;
use crate::report::Reporter;

pub(super) async fn run(
    services: &Services,
    add: &AddImage,
    reporter: &Reporter,
    running: &Running,
) -> Result<(), Failure> {
    for image in &add.images {
        let name = image.engine_name();
        // Also where this host holds it: a build looks itself whether anything changed, and a tag may have moved.
        fetch(services, image, reporter, running).await?;
        let local = held(services, &name).await?;
        let version = services.images.kubernetes(&name, &local).await?;
        reporter.line(format!("{name} holds Kubernetes {version}"));
    }
    let rows = services.images.local().await?;
    let added = rows.into_iter().filter(|row| add.images.iter().any(|image| image.full_name() == row.name));
    reporter.rows(Payload::Images(added.collect()));
    Ok(())
}

/// An image this host holds, pulled or built where it does not.
pub(super) async fn ensure(
    services: &Services,
    image: &ImageReference,
    reporter: &Reporter,
    running: &Running,
) -> Result<LocalImage, Failure> {
    let name = image.engine_name();
    if let Some(local) = services.engine.image(&name).await? {
        return Ok(local);
    }
    fetch(services, image, reporter, running).await?;
    held(services, &name).await
}

async fn held(services: &Services, name: &str) -> Result<LocalImage, Failure> {
    let missing = || Failure::new(Code::NOT_FOUND, format!("Docker does not hold '{name}' after it was added"), "");
    services.engine.image(name).await?.ok_or_else(missing)
}

async fn fetch(
    services: &Services,
    image: &ImageReference,
    reporter: &Reporter,
    running: &Running,
) -> Result<(), Failure> {
    let name = image.engine_name();
    let version = own_version(image);
    let (verb, callback) = match version {
        Some(_) => ("build", "images/node/build"),
        None => ("pull", "docker POST /images/create"),
    };
    let step = reporter.step(&name, "", verb, callback);
    let progress = |line: &str| step.progress(line);
    let fetch = async {
        match version {
            Some(version) => services.builder.build(version, &progress).await,
            None => Ok(services.engine.pull(&name, &progress).await?),
        }
    };
    let outcome = tokio::select! {
        outcome = fetch => outcome,
        () = running.token().cancelled() => Err(Failure::cancelled()),
    };
    match &outcome {
        Ok(()) => step.done(),
        Err(failure) => step.failed(&failure.problem),
    }
    outcome
}
