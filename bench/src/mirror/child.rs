//! This program's own processes: the parts of a measurement that must not share one.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use anyhow::Context as _;
use rustix::process::{Resource, getrlimit, setrlimit};
use rustix::time::{ClockId, clock_gettime};

/// A process that is spoken with by lines; it ends when its standard input does.
pub(crate) struct Helper {
    process: Child,
    input: Option<ChildStdin>,
    lines: Receiver<String>,
}

impl Helper {
    /// Starts this program with other words.
    pub(crate) fn start(words: &[&str]) -> anyhow::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        let mut process = command.args(words).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let output = BufReader::new(process.stdout.take().context("its output is a pipe")?);
        let (send, lines) = mpsc::channel();
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                if send.send(line).is_err() {
                    break;
                }
            }
        });
        Ok(Self { input: process.stdin.take(), process, lines })
    }

    pub(crate) fn tell(&mut self, line: &str) -> anyhow::Result<()> {
        let input = self.input.as_mut().context("its input is open")?;
        Ok(writeln!(input, "{line}")?)
    }

    /// Its next line, which must begin like this; what follows is returned.
    pub(crate) fn hear(&self, begin: &str, limit: Duration) -> anyhow::Result<String> {
        let line = self.lines.recv_timeout(limit).with_context(|| format!("a helper does not say '{begin}'"))?;
        let rest = line.strip_prefix(begin).with_context(|| format!("a helper says '{line}', not '{begin}'"))?;
        Ok(rest.trim().to_owned())
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        self.input = None;
        // One that does not notice has nothing to lose.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The time in nanoseconds, which all processes of the machine have in common.
pub(crate) fn now() -> i64 {
    let time = clock_gettime(ClockId::Monotonic);
    time.tv_sec * 1_000_000_000 + time.tv_nsec
}

/// Lets this process have as many open files as it may.
pub(crate) fn raise_file_limit() -> std::io::Result<()> {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    Ok(setrlimit(Resource::Nofile, limit)?)
}
