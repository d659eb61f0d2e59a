//! `get images`

use std::collections::HashSet;

use qbo_api::command::GetImages;
use qbo_api::message::Payload;

use super::Services;
use super::get::tell;
use crate::access::User;
use crate::error::Failure;
use crate::report::Reporter;

pub(super) async fn run(services: &Services, user: &User, get: &GetImages, reporter: &Reporter) -> Result<(), Failure> {
    // Asked before the view is taken, which nobody may hold for long.
    let remote = if get.all { Some(services.images.remote().await) } else { None };
    let view = services.live.view(&user.email).await?;
    let mut images = view.images();
    if let Some(remote) = remote {
        match remote {
            Ok((remote, remark)) => {
                let local: HashSet<String> = images.iter().map(|image| image.name.clone()).collect();
                images.extend(remote.into_iter().filter(|image| !local.contains(&image.name)));
                if let Some(remark) = remark {
                    reporter.line(remark);
                }
            }
            // What this host holds is worth telling without the registry.
            Err(failure) => reporter.line(failure.line()),
        }
    }
    tell(reporter, &view, Payload::Images(images));
    Ok(())
}
