//! `qbo` as its users and their scripts meet it: the real binary against a server that says what each test needs.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod interrupted;
mod kept;
mod offline;
mod open;
mod piped;
mod server;
mod shell;
mod terminal;

use std::process::{Output, Stdio};
use std::time::Duration;

use tempfile::TempDir;
use tokio::process::Command;
use tokio::time::timeout;

/// For everything that must happen at once; generous, since other tests run besides.
const LIMIT: Duration = Duration::from_secs(30);

/// A `qbo` with a home of its own, and nothing of the environment that could change what it does.
struct Qbo {
    home: TempDir,
    port: u16,
}

/// The end of a `qbo`.
#[derive(Debug)]
struct Ended {
    code: Option<i32>,
    output: String,
    errors: String,
}

impl Qbo {
    /// Its server is on this port.
    fn new(port: u16) -> Self {
        Self { home: tempfile::tempdir().unwrap(), port }
    }

    /// This program with its environment.
    fn program(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("HOME", self.home.path())
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("QBO_PORT", self.port.to_string())
            .env("TERM", "xterm")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }

    /// `qbo` with these words.
    fn command(&self, words: &str) -> Command {
        let mut command = self.program(env!("CARGO_BIN_EXE_qbo"));
        command.args(words.split(' '));
        command
    }

    /// Runs `qbo` with these words.
    async fn run(&self, words: &str) -> Ended {
        ended(self.command(words).output()).await
    }
}

/// Waits for an end.
async fn ended(output: impl Future<Output = std::io::Result<Output>>) -> Ended {
    let output = timeout(LIMIT, output).await.expect("qbo ends in time").unwrap();
    Ended {
        code: output.status.code(),
        output: String::from_utf8(output.stdout).unwrap(),
        errors: String::from_utf8(output.stderr).unwrap(),
    }
}
