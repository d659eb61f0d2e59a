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
    let mut problems = Vec::new();
    if !late.is_empty() {
        problems.push(format!("it is too late to cancel {}, which goes to its end", late.join(", ")));
    }
    if !missing.is_empty() {
        problems.push(format!("no command {} is running", missing.join(", ")));
    }
    let (code, cure) = match (late.is_empty(), missing.is_empty()) {
        (true, true) => {
            reporter.line("cancelled; what was made is being undone");
            return Ok(());
        }
        (false, _) => (Code::CONFLICT, "let it end"),
        (true, false) => (Code::NOT_FOUND, "its id is the command_id of its messages"),
    };
    Err(Failure::new(code, problems.join("; "), cure))
}
