//! `get registries`

use qbo_api::message::Payload;

use super::Services;
use super::get::tell;
use crate::access::User;
use crate::error::Failure;
use crate::report::Reporter;

pub(super) async fn run(services: &Services, user: &User, reporter: &Reporter) -> Result<(), Failure> {
    // What cannot be read is told rather than an empty list.
    services.registries.rows(&user.email).await?;
    let view = services.live.glance(&user.email);
    tell(reporter, &view, Payload::Registries(view.registries()));
    Ok(())
}
