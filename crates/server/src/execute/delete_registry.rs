//! `delete registry`: all of the named are known, or none is forgotten.

use qbo_api::command::DeleteRegistry;

use super::Services;
use super::add_registry::tell_nodes;
use crate::error::Failure;
use crate::operations::Running;
use crate::report::Reporter;

pub(super) async fn run(
    services: &Services,
    user: &str,
    delete: &DeleteRegistry,
    reporter: &Reporter,
    running: &Running,
) -> Result<(), Failure> {
    running.pass_return()?;
    services.registries.forget(user, &delete.registries).await?;
    services.live.registries_seen_of(user, services.registries.rows(user).await?);
    tell_nodes(services, user, reporter).await
}
