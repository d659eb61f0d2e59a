//! `add image`: build qbo's own image, or pull any other.

use qbo_api::command::AddImage;
use qbo_api::image::ImageReference;
use qbo_api::message::{Code, Payload};
use qbo_bootstrap::KubernetesVersion;

use super::Services;
use crate::driver::engine::{EngineError, LocalImage};
use crate::error::Failure;
use crate::image::own_version;
use crate::operations::Running;
use crate::report::Reporter;
use crate::terminal::shell;

pub(super) async fn run(
    services: &Services,
    add: &AddImage,
    reporter: &Reporter,
    running: &Running,
) -> Result<(), Failure> {
    for image in &add.images {
        let name = image.engine_name();
        if name == shell::IMAGE {
            build_shell(services, &name, reporter, running).await?;
            continue;
        }
        // Also where this host holds it: a build looks itself whether anything changed, and a tag may have moved.
        let (_, version) = fetch_node_image(services, image, reporter, running).await?;
        reporter.line(format!("{name} holds Kubernetes {version}"));
    }
    let rows = services.images.local().await?;
    let added = rows.into_iter().filter(|row| add.images.iter().any(|image| image.full_name() == row.name));
    reporter.rows(Payload::Images(added.collect()));
    Ok(())
}

async fn build_shell(services: &Services, name: &str, reporter: &Reporter, running: &Running) -> Result<(), Failure> {
    let step = reporter.step(name, "", "build", "images/shell/build");
    let progress = |line: &str| step.progress(line);
    let outcome = tokio::select! {
        outcome = services.builder.build_shell(&progress) => outcome,
        () = running.token().cancelled() => Err(Failure::cancelled()),
    };
    match &outcome {
        Ok(()) => step.done(),
        Err(failure) => step.failed(&failure.problem),
    }
    outcome
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
    Ok(fetch_node_image(services, image, reporter, running).await?.0)
}

/// Fetches an image, and looks whether there is Kubernetes in it; where there is none, Docker holds afterwards what it
/// held before.
async fn fetch_node_image(
    services: &Services,
    image: &ImageReference,
    reporter: &Reporter,
    running: &Running,
) -> Result<(LocalImage, KubernetesVersion), Failure> {
    let name = image.engine_name();
    let before = services.engine.image(&name).await?;
    fetch(services, image, reporter, running).await?;
    let local = held(services, &name).await?;
    let version = services.images.kubernetes(&name, &local).await;
    if version.as_ref().is_err_and(|failure| failure.code == Code::UNPROCESSABLE) {
        match give_back(services, image, &local, before).await {
            Ok(true) => reporter.line(format!("{name} was removed from Docker again")),
            Ok(false) => {}
            // Why it is of no use matters more.
            Err(error) => tracing::warn!(%error, "an image without Kubernetes stays in Docker"),
        }
    }
    Ok((local, version?))
}

/// Takes back what fetching an image brought, and tells whether there was anything.
async fn give_back(
    services: &Services,
    image: &ImageReference,
    local: &LocalImage,
    before: Option<LocalImage>,
) -> Result<bool, EngineError> {
    match before {
        Some(before) if before.id == local.id => return Ok(false),
        // The name had moved on.
        Some(before) => {
            services.engine.tag_image(&before.id, image).await?;
            if local.names.len() <= 1 {
                services.engine.remove_image(&local.id).await?;
            }
        }
        None => services.engine.remove_image(&image.engine_name()).await?,
    }
    Ok(true)
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
