//! One command from its line to its final message.

use std::io::{self, Write};
use std::time::Duration;

use qbo_api::command::Command;
use qbo_api::message::{Message, Output, Payload};
use qbo_api::model::Version;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};
use uuid::Uuid;

use crate::config::Config;
use crate::connect::{ConnectError, Connection, Head, Received};
use crate::failure::{Exit, Failure, note};
use crate::interrupt::{Interrupts, Wish};
use crate::local;
use crate::render::{Look, Printer};

/// For the echo of a command, which the server sends before it begins.
const ACCEPTANCE: Duration = Duration::from_secs(10);
/// Between two pictures of a live view.
const FRAME: Duration = Duration::from_millis(100);

/// Runs a command and prints what comes back.
pub(crate) fn run(command: &Command, look: Look) -> Result<Exit, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::host(format!("cannot start: {error}"), ""))?;
    runtime.block_on(execute(command, look.printer(command)))
}

async fn execute(command: &Command, mut printer: Box<dyn Printer>) -> Result<Exit, Failure> {
    if *command == Command::Version {
        let own = Version { qbo_cli: Some(env!("CARGO_PKG_VERSION").into()), ..Version::default() };
        printer.payload(&Payload::Version(vec![own]))?;
    }
    let config = Config::load()?;
    let connection = match Connection::open(&config).await {
        Err(ConnectError::Refused { address, local: true, .. }) if *command == Command::TestHost => {
            note(&format!("No API server answers at {address}: checking this host without it."));
            return local::test_host(printer);
        }
        opened => opened?,
    };
    // From here on the server works on it, whatever becomes of us.
    let interrupts = if changes(command) {
        Interrupts::listen().map_err(|error| Failure::host(format!("cannot listen for Ctrl-C: {error}"), ""))?
    } else {
        Interrupts::unheard()
    };
    Session { command, connection, printer, interrupts, id: None, cancel: Cancel::No }.run().await
}

/// A command under way.
struct Session<'a> {
    command: &'a Command,
    connection: Connection,
    printer: Box<dyn Printer>,
    interrupts: Interrupts,
    /// The command's id, from its first message on.
    id: Option<Uuid>,
    cancel: Cancel,
}

/// Whether the command is to be cancelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cancel {
    No,
    /// As soon as its id is known.
    Wanted,
    Sent,
}

/// Whose a message is: all connections of a mirror receive those of all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Owner {
    /// The command's.
    Command,
    /// That of the cancel we sent after it.
    Cancel,
    /// Somebody else's.
    Other,
}

impl Session<'_> {
    async fn run(mut self) -> Result<Exit, Failure> {
        self.connection.send(&self.command.to_string()).await?;
        let accepted_by = Instant::now() + ACCEPTANCE;
        let mut frames = interval(FRAME);
        frames.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // What arrives while a question is on the screen.
        let mut held: Vec<Received> = Vec::new();
        loop {
            tokio::select! {
                received = self.connection.receive() => {
                    let received = received.map_err(|error| self.lost(error))?;
                    match self.owner(&received.head) {
                        Owner::Command => held.push(received),
                        Owner::Cancel => self.tell_refused_cancel(&received)?,
                        Owner::Other => {}
                    }
                }
                wish = self.interrupts.next() => match wish {
                    Wish::Ask => self.ask()?,
                    Wish::Cancel => self.cancel = self.cancel.max_wanted(),
                    Wish::GoOn => {}
                    Wish::Leave => return Ok(self.leave()),
                },
                _ = frames.tick(), if self.printer.is_live() && !self.interrupts.asking() => self.printer.tick()?,
                () = sleep_until(accepted_by), if self.id.is_none() => return Err(self.not_accepted()),
            }
            self.send_cancel().await?;
            if self.interrupts.asking() && held.last().is_some_and(|last| last.head.code.is_final()) {
                self.interrupts.withdraw();
                note("");
            }
            if !self.interrupts.asking() {
                for received in held.drain(..) {
                    self.printer.received(&received.text, received.head.code)?;
                    if received.head.code.is_final() {
                        return self.end(&received).await;
                    }
                }
            }
        }
    }

    fn owner(&mut self, head: &Head) -> Owner {
        let sent_here = head.wsi == self.connection.wsi();
        if sent_here && self.id.is_none() {
            self.id = Some(head.command_id);
        }
        match (self.id == Some(head.command_id), sent_here) {
            (true, _) => Owner::Command,
            (false, true) => Owner::Cancel,
            (false, false) => Owner::Other,
        }
    }

    fn ask(&mut self) -> Result<(), Failure> {
        self.printer.pause()?;
        // It begins over the ^C of the terminal, and ends in a blank: the answer stands behind it.
        let question = format!("\rCancel '{}'? [y/N]  (Ctrl-C again leaves it running) ", short(self.command));
        let _ = io::stderr().write_all(question.as_bytes());
        Ok(())
    }

    async fn send_cancel(&mut self) -> Result<(), Failure> {
        if let (Cancel::Wanted, Some(id)) = (self.cancel, self.id) {
            self.cancel = Cancel::Sent;
            self.printer.pause()?;
            note(&format!("Cancelling '{}' …", short(self.command)));
            self.connection.send(&format!("cancel command {id}")).await?;
        }
        Ok(())
    }

    fn leave(&mut self) -> Exit {
        // Only the picture is at stake, and we are going.
        let _ = self.printer.pause();
        let state = if self.cancel == Cancel::Sent { "left while it is cancelled" } else { "left running" };
        note(&format!("\n'{}' is {state}; follow it with: qbo {}", short(self.command), follow(self.command)));
        Exit::Interrupted
    }

    async fn end(mut self, last: &Received) -> Result<Exit, Failure> {
        let code = last.head.code;
        self.printer.end(!code.is_failure())?;
        self.connection.close().await;
        if !code.is_failure() {
            return Ok(Exit::Success);
        }
        let rows = match serde_json::from_str::<Message>(&last.text).map(|message| message.payload) {
            Ok(Payload::Output(rows)) => rows,
            _ => Vec::new(),
        };
        Err(match rows.first() {
            Some(Output::Failure { problem, cure, .. }) => Failure::answered(code, problem, cure),
            Some(Output::Message { message }) => Failure::answered(code, message, ""),
            _ => Failure::answered(code, &format!("'{}' failed: {}", short(self.command), code.reason()), ""),
        })
    }

    fn lost(&mut self, error: ConnectError) -> Failure {
        // Only the picture is at stake, and the failure matters more.
        let _ = self.printer.pause();
        let mut failure = Failure::from(error);
        if changes(self.command) {
            failure.cure =
                format!("'{}' may go on there; look with: qbo {}", short(self.command), follow(self.command));
        }
        failure
    }

    /// A cancel that works is told by the command it ends; one that does not would pass unseen.
    fn tell_refused_cancel(&mut self, received: &Received) -> Result<(), Failure> {
        if received.head.code.is_failure()
            && let Ok(Message { payload: Payload::Output(rows), .. }) = serde_json::from_str(&received.text)
            && let Some(Output::Failure { message, .. } | Output::Message { message }) = rows.first()
        {
            self.printer.pause()?;
            note(&format!("It cannot be cancelled: {message}"));
        }
        Ok(())
    }

    fn not_accepted(&self) -> Failure {
        let problem = format!(
            "the API server at {} did not accept the command in {} s",
            self.connection.address(),
            ACCEPTANCE.as_secs()
        );
        Failure::host(problem, "look into the log of qbo-api")
    }
}

impl Cancel {
    /// Wanted, unless it is already under way.
    fn max_wanted(self) -> Self {
        if self == Self::No { Self::Wanted } else { self }
    }
}

/// Whether a command changes something, so that leaving it needs a thought.
fn changes(command: &Command) -> bool {
    match command {
        Command::AddCluster(_) | Command::AddImage(_) | Command::DeleteCluster(_) => true,
        Command::Version
        | Command::GetCluster(_)
        | Command::GetNodes(_)
        | Command::GetImages(_)
        | Command::TestHost
        | Command::Cancel(_) => false,
    }
}

/// The command as people call it: what is made, without how.
fn short(command: &Command) -> String {
    match command {
        Command::AddCluster(add) => add.names.iter().fold("add cluster".into(), |line, name| format!("{line} {name}")),
        other => other.to_string(),
    }
}

/// The command that shows how far another one is.
fn follow(command: &Command) -> String {
    match command {
        Command::AddCluster(add) => add.names.iter().fold("get cluster".into(), |line, name| format!("{line} {name}")),
        Command::DeleteCluster(delete) => format!("get cluster{}", delete.selection),
        Command::AddImage(_) => "get images".into(),
        other => other.to_string(),
    }
}
