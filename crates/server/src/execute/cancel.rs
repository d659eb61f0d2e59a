//! `cancel command`

use qbo_api::command::Cancel;
use qbo_api::message::Code;

use super::Services;
use crate::error::Failure;
use crate::operations::Cancelled;
use crate::report::Reporter;

pub(super) fn run(services: &Services, user: &str, cancel: &Cancel, reporter: &Reporter) -> Result<(), Failure> {
    let (mut missing, mut late) = (Vec::new(), Vec::new());
    for command in &cancel.commands {
        match services.operations.cancel(user, command) {
            Cancelled::Stopping => {}
            Cancelled::Unknown => missing.push(command.to_string()),
            Cancelled::TooLate => late.push(command.to_string()),
        }
    }
    if !late.is_empty() {
        let problem = format!("it is too late to cancel {}: what it deletes is half gone", late.join(", "));
        return Err(Failure::new(Code::CONFLICT, problem, "let it end"));
    }
    if !missing.is_empty() {
        let problem = format!("no command {} is running", missing.join(", "));
        return Err(Failure::new(Code::NOT_FOUND, problem, "its id is the command_id of its messages"));
    }
    reporter.line("cancelled; what was made is being undone");
    Ok(())
}
