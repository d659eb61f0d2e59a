//! `test host` where no server runs: the host is checked right here, with the same checks.

use qbo_api::message::{Output, Payload};
use qbo_host::{Check, Host, Level};

use crate::failure::{Exit, Failure};
use crate::render::Printer;

/// Checks this host.
pub(crate) fn test_host(mut printer: Box<dyn Printer>) -> Result<Exit, Failure> {
    let checks = qbo_host::check(&Host::this());
    let bad = checks.iter().filter(|check| check.level == Level::Bad).count();
    printer.payload(&Payload::Output(checks.into_iter().map(output).collect()))?;
    printer.end(bad == 0)?;
    if bad == 0 {
        return Ok(Exit::Success);
    }
    let problem =
        format!("this host cannot carry clusters: {bad} of its checks {}", if bad == 1 { "is bad" } else { "are bad" });
    Err(Failure::host(problem, "each names its cure; when done, run 'qbo test host' again"))
}

fn output(check: Check) -> Output {
    let level = match check.level {
        Level::Good => "good",
        Level::Warning => "warning",
        Level::Bad => "bad",
    };
    Output::Check {
        message: format!("{}: {}", check.name, check.found),
        check: check.name.into(),
        level: level.into(),
        cure: check.cure,
    }
}
