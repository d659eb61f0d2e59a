//! `test host`

use qbo_api::message::{Code, Output, Payload};

use crate::error::Failure;
use crate::report::Reporter;

pub(super) async fn run(reporter: &Reporter) -> Result<(), Failure> {
    let checked = tokio::task::spawn_blocking(|| qbo_host::check(&qbo_host::Host::this())).await;
    let checks = checked.map_err(|error| Failure::new(Code::INTERNAL, error.to_string(), ""))?;
    let output = |check: &qbo_host::Check| Output::Check {
        message: format!("{}: {}", check.name, check.found),
        check: check.name.into(),
        level: level(check.level).into(),
        cure: check.cure.clone(),
    };
    reporter.rows(Payload::Output(checks.iter().map(output).collect()));
    let bad = checks.iter().filter(|check| check.level == qbo_host::Level::Bad).count();
    match bad {
        0 => Ok(()),
        bad => Err(Failure::new(
            Code::UNAVAILABLE,
            format!("{bad} findings are bad for clusters on this host"),
            "each says its cure",
        )),
    }
}

fn level(level: qbo_host::Level) -> &'static str {
    match level {
        qbo_host::Level::Good => "good",
        qbo_host::Level::Warning => "warning",
        qbo_host::Level::Bad => "bad",
    }
}
