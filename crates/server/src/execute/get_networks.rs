//! `get networks`: those of clusters, or with `-H` those of the host.

use qbo_api::command::GetNetworks;
use qbo_api::message::Payload;

use super::Services;
use super::get::{Chosen, tell};
use crate::access::User;
use crate::error::Failure;
use crate::report::Reporter;

pub(super) async fn run(
    services: &Services,
    user: &User,
    get: &GetNetworks,
    reporter: &Reporter,
) -> Result<(), Failure> {
    if get.host {
        reporter.rows(Payload::Networks(services.host_networks.list().await?));
        return Ok(());
    }
    let chosen = Chosen::of(services, user, &get.selection, get.watch);
    let view = services.live.view(&user.email).await?;
    let rows = chosen.rows(view.networks(), &view.cluster_rows(), "cluster")?;
    tell(reporter, &view, Payload::Networks(rows));
    Ok(())
}
