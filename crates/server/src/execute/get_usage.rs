//! `get usage`

use qbo_api::command::Get;
use qbo_api::message::Payload;

use super::Services;
use super::get::{Chosen, tell};
use crate::access::User;
use crate::error::Failure;
use crate::report::Reporter;

pub(super) async fn run(services: &Services, user: &User, get: &Get, reporter: &Reporter) -> Result<(), Failure> {
    let chosen = Chosen::of(services, user, &get.selection, get.watch);
    // Taken before the view is, which nobody may hold for long.
    let rows = services.usage.rows(&services.live, &user.email).await?;
    let view = services.live.view(&user.email).await?;
    let rows = chosen.rows(rows, &view.cluster_rows(), "cluster, node or pod")?;
    tell(reporter, &view, Payload::Usage(rows));
    Ok(())
}
