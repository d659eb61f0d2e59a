//! `start cluster`: all of the named exist and are free, or nothing is changed.

use qbo_api::command::Clusters;

use super::Services;
use super::power::{Power, turn_clusters};
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
    turn_clusters(services, user, start, Power::On, reporter, running).await
}
