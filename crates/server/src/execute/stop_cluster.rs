//! `stop cluster`: all of the named exist and are free, or nothing is changed.

use qbo_api::command::{Clusters, Selection};

use super::Services;
use super::power::{Power, Target, turn};
use crate::error::Failure;
use crate::operations::Running;
use crate::report::Reporter;

pub(super) async fn run(
    services: &Services,
    user: &str,
    stop: &Clusters,
    reporter: &Reporter,
    running: &Running,
) -> Result<(), Failure> {
    let mut targets = Vec::new();
    for cluster in services.select(user, &stop.selection).await? {
        targets.push(Target::whole(services, cluster, Power::Off, reporter).await?);
    }
    turn(services, targets, stop.selection == Selection::All, Power::Off, reporter, running).await
}
