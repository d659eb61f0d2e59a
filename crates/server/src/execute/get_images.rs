//! `get images`

use std::collections::HashSet;

use qbo_api::command::{GetImages, Selection};
use qbo_api::message::{Code, Payload};
use qbo_api::name::ImageSelector;

use super::Services;
use super::get::{keep_named, name_a_mirror, tell};
use crate::access::User;
use crate::error::Failure;
use crate::image::sort;
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
                sort(&mut images);
                if let Some(remark) = remark {
                    reporter.line(remark);
                }
            }
            // What this host holds is worth telling without the registry.
            Err(failure) => reporter.line(failure.line()),
        }
    }
    if let Selection::Named(selectors) = &get.selection
        && !(get.watch && name_a_mirror(services, user, selectors.iter().map(ImageSelector::as_str)))
    {
        keep_named(&mut images, selectors, ImageSelector::matches, |selector| {
            let cure = "see which there are: qbo get images -A";
            Failure::new(Code::NOT_FOUND, format!("there is no node image '{selector}'"), cure)
        })?;
    }
    tell(reporter, &view, Payload::Images(images));
    Ok(())
}
