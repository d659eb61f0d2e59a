//! `get images`

use std::collections::HashSet;

use qbo_api::command::GetImages;
use qbo_api::message::Payload;

use super::Services;
use crate::error::Failure;
use crate::report::Reporter;

pub(super) async fn run(services: &Services, get: &GetImages, reporter: &Reporter) -> Result<(), Failure> {
    let mut images = services.images.local().await?;
    if get.all {
        match services.images.remote().await {
            Ok(remote) => {
                let local: HashSet<String> = images.iter().map(|image| image.name.clone()).collect();
                images.extend(remote.into_iter().filter(|image| !local.contains(&image.name)));
            }
            // What this host holds is worth telling without the registry.
            Err(failure) => reporter.line(failure.line()),
        }
    }
    reporter.rows(Payload::Images(images));
    Ok(())
}
