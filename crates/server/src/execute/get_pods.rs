//! `get pods`

use qbo_api::command::Get;
use qbo_api::message::Payload;

use super::Services;
use super::get::{Chosen, tell};
use crate::access::User;
use crate::error::Failure;
use crate::report::Reporter;

pub(super) async fn run(services: &Services, user: &User, get: &Get, reporter: &Reporter) -> Result<(), Failure> {
    let chosen = Chosen::of(services, user, &get.selection, get.watch);
    let view = services.live.view(&user.email).await?;
    let rows = chosen.rows(view.pods(), &view.cluster_rows(), "cluster or pod")?;
    tell(reporter, &view, Payload::Pods(rows));
    Ok(())
}
