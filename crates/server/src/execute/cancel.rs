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
    let (is_late, is_missing) = (!late.is_empty(), !missing.is_empty());
    let late = is_late.then(|| format!("it is too late to cancel {}, which goes to its end", late.join(", ")));
    let missing = is_missing.then(|| format!("no command {} is running", missing.join(", ")));
    let problem = late.into_iter().chain(missing).collect::<Vec<_>>().join("; ");
    if is_late {
        return Err(Failure::new(Code::CONFLICT, problem, "let it end"));
    }
    if is_missing {
        return Err(Failure::new(Code::NOT_FOUND, problem, "its id is the command_id of its messages"));
    }
    reporter.line("cancelled; what was made is being undone");
    Ok(())
}
