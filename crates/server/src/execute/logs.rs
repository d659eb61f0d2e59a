//! `logs`

use qbo_api::command::Logs;
use qbo_api::message::{Output, Payload};

use crate::journal::Journal;
use crate::report::Reporter;

/// Lines in one message.
const CHUNK: usize = 200;

pub(super) fn run(journal: &Journal, logs: &Logs, reporter: &Reporter) {
    for lines in journal.last(logs.lines.into()).chunks(CHUNK) {
        let lines = lines.iter().map(|line| Output::Message { message: line.clone() });
        reporter.rows(Payload::Output(lines.collect()));
    }
}
