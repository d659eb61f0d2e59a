//! The CLI as programs use it: a message of JSON a line, and an exit code.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// The longest a command may take; making a cluster does on a busy machine.
const LIMIT: Duration = Duration::from_mins(10);

/// A command under way.
#[derive(Debug)]
pub struct Running {
    line: String,
    process: Child,
    incoming: Receiver<Value>,
    errors: Option<JoinHandle<String>>,
    messages: Vec<Value>,
    deadline: Instant,
}

/// A command that has ended.
#[derive(Debug)]
pub struct Ended {
    line: String,
    /// All messages.
    pub messages: Vec<Value>,
    /// How the CLI ended.
    pub exit: i32,
    /// What it said on standard error.
    pub errors: String,
}

impl Running {
    /// Starts the CLI.
    pub fn start(mut command: Command) -> Self {
        let line = format!("{command:?}");
        let mut process = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("qbo starts");
        let output = BufReader::new(process.stdout.take().expect("its standard output is a pipe"));
        let mut errors = process.stderr.take().expect("its standard error is a pipe");
        let (sender, incoming) = mpsc::channel();
        std::thread::spawn(move || {
            let messages = output.lines().map_while(Result::ok).map(|line| {
                serde_json::from_str(&line).unwrap_or_else(|error| panic!("not a message: {error}: {line}"))
            });
            // Nobody listens any more once the test has what it waited for.
            messages.map_while(|message: Value| sender.send(message).ok()).for_each(drop);
        });
        let errors = std::thread::spawn(move || {
            let mut text = String::new();
            // What was said before it broke is what there is to show.
            let _ = errors.read_to_string(&mut text);
            text
        });
        let deadline = Instant::now() + LIMIT;
        Self { line, process, incoming, errors: Some(errors), messages: Vec::new(), deadline }
    }

    /// Waits for a message.
    #[track_caller]
    pub fn await_message(&mut self, what: &str, is_it: impl Fn(&Value) -> bool) -> Value {
        self.await_until(self.deadline, what, is_it)
    }

    /// Waits for a change of a row under this key of which a watch tells, past others, this long at most; returns the row.
    #[track_caller]
    pub fn await_change(
        &mut self,
        limit: Duration,
        (change, key): (&str, &str),
        what: &str,
        is_it: impl Fn(&Value) -> bool,
    ) -> Value {
        let told = |message: &Value| {
            let rows = rows(std::slice::from_ref(message), key);
            rows.filter(|_| message["change"] == change).find(|row| is_it(row)).cloned()
        };
        let message = self.await_until(Instant::now() + limit, what, |message| told(message).is_some());
        told(&message).expect("it has such a row")
    }

    /// Waits for the message that a step is in this state.
    #[track_caller]
    pub fn await_step(&mut self, step: &str, state: &str) -> Value {
        let is_it = |message: &Value| {
            rows(std::slice::from_ref(message), "output").any(|row| row["step"] == step && row["state"] == state)
        };
        self.await_message(&format!("'{step}' {state}"), is_it)
    }

    /// Waits for the end.
    #[track_caller]
    pub fn end(mut self) -> Ended {
        while self.next(self.deadline, "its end").is_some() {}
        let status = self.process.wait().expect("qbo is our child");
        Ended {
            line: std::mem::take(&mut self.line),
            messages: std::mem::take(&mut self.messages),
            exit: status.code().unwrap_or(-1),
            errors: self.errors.take().and_then(|errors| errors.join().ok()).unwrap_or_default(),
        }
    }

    /// Presses Ctrl-C.
    pub fn interrupt(&self) {
        kill_process(Pid::from_child(&self.process), Signal::INT).expect("qbo runs");
    }

    /// Ends the CLI in the middle of the command.
    pub fn kill(mut self) {
        self.process.kill().expect("qbo runs");
    }

    #[track_caller]
    fn await_until(&mut self, deadline: Instant, what: &str, is_it: impl Fn(&Value) -> bool) -> Value {
        loop {
            match self.next(deadline, what) {
                Some(message) if is_it(&message) => return message,
                Some(_) => {}
                None => panic!("{} ended without {what}{}", self.line, tail(&self.messages)),
            }
        }
    }

    #[track_caller]
    fn next(&mut self, deadline: Instant, what: &str) -> Option<Value> {
        match self.incoming.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(message) => {
                self.messages.push(message.clone());
                Some(message)
            }
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => {
                panic!("{}: waited in vain for {what}{}", self.line, tail(&self.messages))
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It has ended, unless a test failed meanwhile.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Ended {
    /// All rows under this key.
    pub fn rows<'a>(&'a self, key: &'a str) -> Vec<&'a Value> {
        rows(&self.messages, key).collect()
    }

    /// The last message.
    #[track_caller]
    pub fn last(&self) -> &Value {
        self.messages.last().unwrap_or_else(|| panic!("no message\n{self}"))
    }

    /// The command was carried out.
    #[track_caller]
    pub fn assert_done(&self) {
        assert_eq!(self.exit, 0, "{self}");
        assert_eq!(self.last()["code"], 200, "{self}");
    }

    /// It was not: the server said so with this code, and these words.
    #[track_caller]
    pub fn assert_failed(&self, exit: i32, code: u16, words: &str) {
        assert_eq!(self.exit, exit, "{self}");
        assert_eq!(self.last()["code"], code, "{self}");
        let said = self.last()["output"][0]["message"].as_str().unwrap_or_default();
        assert!(said.contains(words), "expected '{words}'\n{self}");
    }
}

impl std::fmt::Display for Ended {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}\nexit code {}{}\n{}", self.line, self.exit, tail(&self.messages), self.errors)
    }
}

fn rows<'a>(messages: &'a [Value], key: &'a str) -> impl Iterator<Item = &'a Value> {
    messages.iter().filter_map(move |message| message[key].as_array()).flatten()
}

/// The last messages on a line each.
fn tail(messages: &[Value]) -> String {
    let short = |message: &Value| {
        let payload = message.as_object().into_iter().flatten().find(|(_, value)| value.is_array());
        let (key, rows) = payload.map(|(key, rows)| (key.as_str(), rows.to_string())).unwrap_or_default();
        format!("\n  {} {key} {rows}", message["code"])
    };
    messages.iter().rev().take(20).rev().map(short).collect()
}
