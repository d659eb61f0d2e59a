//! `stop node`: all of the named exist and are free, or nothing is changed.

use qbo_api::command::Nodes;

use super::Services;
use super::power::{Power, turn_nodes};
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
    turn_nodes(services, user, stop, Power::Off, reporter, running).await
}
