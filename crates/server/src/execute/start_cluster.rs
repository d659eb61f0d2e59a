//! `start cluster`: all of the named exist and are free, or nothing is changed.

use qbo_api::command::Clusters;

use super::Services;
use super::power::{Power, Target, turn};
use crate::error::Failure;
use crate::operations::Running;
use crate::report::Reporter;

pub(super) async fn run(
    services: &Services,
    user: &str,
    start: &Clusters,
    reporter: &Reporter,
    running: &Running,
) -> Result<(), Failure> {
    let clusters = services.select(user, &start.selection).await?.into_iter();
    let targets: Result<_, Failure> =
        clusters.map(|cluster| Target::whole(services, cluster, Power::On, reporter)).collect();
    turn(services, targets?, Power::On, reporter, running).await
}
