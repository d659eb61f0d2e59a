//! For programs: every message as received, one a line.

use std::io::{self, Write};

use qbo_api::message::{Change, Code, Payload};

use super::Printer;

/// Prints messages as they came, so that nothing is lost of what a newer server says.
#[derive(Debug)]
pub(crate) struct Json;

impl Printer for Json {
    fn payload(&mut self, payload: &Payload) -> io::Result<()> {
        line(&serde_json::to_string(payload)?)
    }

    fn changed(&mut self, _change: Change, _rows: &Payload, text: &str) -> io::Result<()> {
        line(text)
    }

    fn received(&mut self, text: &str, _code: Code) -> io::Result<()> {
        line(text)
    }
}

/// A line at once, so that a reader on the other side of a pipe sees it while the command runs.
pub(crate) fn line(text: &str) -> io::Result<()> {
    let mut output = io::stdout().lock();
    writeln!(output, "{text}")?;
    output.flush()
}
