//! `start node`: all of the named exist and are free, or nothing is changed.

use qbo_api::command::{Nodes, Selection};

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
    let mut targets = Vec::new();
    for (cluster, nodes) in services.select_nodes(user, &start.selection).await? {
        targets.push(Target::some(services, cluster, nodes, Power::On, reporter).await?);
    }
    turn(services, targets, start.selection == Selection::All, Power::On, reporter, running).await
}
