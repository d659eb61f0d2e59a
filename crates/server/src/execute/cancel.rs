//! `cancel command`

use qbo_api::command::Cancel;
use qbo_api::message::Code;

use super::Services;
use crate::error::Failure;
use crate::report::Reporter;

pub(super) fn run(services: &Services, user: &str, cancel: &Cancel, reporter: &Reporter) -> Result<(), Failure> {
    let missing: Vec<String> = cancel
        .commands
        .iter()
        .filter(|command| !services.operations.cancel(user, command))
        .map(ToString::to_string)
        .collect();
    if missing.is_empty() {
        reporter.line("cancelled; what was made is being undone");
        return Ok(());
    }
    let problem = format!("no command {} is running", missing.join(", "));
    Err(Failure::new(Code::NOT_FOUND, problem, "its id is the command_id of its messages"))
}
