//! `stop node`: all of the named exist and are free, or nothing is changed.

use qbo_api::command::{Nodes, Selection};

use super::power::{Power, Target, turn};
use super::{Services, able};
use crate::error::Failure;
use crate::operations::Running;
use crate::report::Reporter;

pub(super) async fn run(
    services: &Services,
    user: &str,
    stop: &Nodes,
    reporter: &Reporter,
    running: &Running,
) -> Result<(), Failure> {
    let (mut targets, all) = (Vec::new(), stop.selection == Selection::All);
    for (cluster, nodes) in services.select_nodes(user, &stop.selection).await? {
        let target = Target::some(services, cluster, nodes, (Power::Off, all), reporter).await;
        targets.extend(able(target, all, reporter)?);
    }
    turn(services, targets, Power::Off, reporter, running).await
}
