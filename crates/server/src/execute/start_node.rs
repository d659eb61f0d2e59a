//! `start node`: all of the named exist and are free, or nothing is changed.

use qbo_api::command::Nodes;

use super::Services;
use super::power::{Power, Target, turn};
use crate::error::Failure;
use crate::operations::Running;
use crate::report::Reporter;

pub(super) async fn run(
    services: &Services,
    user: &str,
    start: &Nodes,
    reporter: &Reporter,
    running: &Running,
) -> Result<(), Failure> {
    let clusters = services.select_nodes(user, &start.selection).await?.into_iter();
    let targets: Result<_, Failure> =
        clusters.map(|(cluster, nodes)| Target::some(services, cluster, nodes, Power::On, reporter)).collect();
    turn(services, targets?, Power::On, reporter, running).await
}
