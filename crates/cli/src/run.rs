//! One command from its line to its final message.

use std::io::{self, Write};
use std::time::Duration;

use qbo_api::command::{AddPort, Command, DeletePort};
use qbo_api::message::{Code, Message, Output, Payload, Subcommand, Verb};
use qbo_api::model::Version;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};
use uuid::Uuid;

use crate::config::Config;
use crate::connect::{ConnectError, Connection, Head, Received};
use crate::failure::{Exit, Failure, note};
use crate::follow;
use crate::interrupt::{Interrupts, Wish};
use crate::keep::{self, Keeper};
use crate::local;
use crate::render::{Look, Printer};
use crate::terminal;

/// For the echo of a command, which the server sends before it begins.
const ACCEPTANCE: Duration = Duration::from_secs(10);
/// Between two pictures of a live view.
const FRAME: Duration = Duration::from_millis(100);

/// Runs a command and prints what comes back.
pub(crate) fn run(command: &Command, file: Option<&str>, look: Look) -> Result<Exit, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::host(format!("cannot start: {error}"), ""))?;
    match command.opening() {
        Some(request) => runtime.block_on(terminal::run(request)),
        None => runtime.block_on(execute(command, file, look.printer(command))),
    }
}

async fn execute(command: &Command, file: Option<&str>, mut printer: Box<dyn Printer>) -> Result<Exit, Failure> {
    if *command == Command::Version {
        let own = Version { qbo_cli: Some(env!("CARGO_PKG_VERSION").into()), ..Version::default() };
        printer.payload(&Payload::Version(vec![own]))?;
    }
    let keeper = Keeper::of(command)?;
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
    Session {
        command,
        file,
        connection,
        printer,
        interrupts,
        id: None,
        mirror: Uuid::nil(),
        keeper,
        cancel: Cancel::No,
        listed: false,
    }
    .run()
    .await
}

/// A command under way.
struct Session<'a> {
    command: &'a Command,
    /// What goes beside its line.
    file: Option<&'a str>,
    connection: Connection,
    printer: Box<dyn Printer>,
    interrupts: Interrupts,
    keeper: Keeper,
    /// The command's id, from its first message on.
    id: Option<Uuid>,
    /// The mirror in which it runs, which is the one that a watch names where it names one.
    mirror: Uuid,
    cancel: Cancel,
    /// Whether the list has come that a watch goes on from.
    listed: bool,
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
        // Logs are much, and nobody else's: they are told in a mirror that is this connection's alone.
        let mirror = matches!(self.command, Command::ExportLogs(_)).then(Uuid::new_v4);
        self.connection.send(&keep::line(self.command), mirror, self.file).await?;
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
                        Owner::Other if self.command.is_watch() => held.push(received),
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
                    if Some(received.head.command_id) != self.id {
                        self.changed(&received)?;
                        continue;
                    }
                    self.listed |= received.head.sequence.is_some();
                    if !self.keeper.take(&received)? {
                        self.printer.received(&received.text, received.head.code)?;
                    }
                    if received.head.code == Code::OK && self.command.is_watch() {
                        self.printer.follow()?;
                    } else if received.head.code.is_final() {
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
            self.mirror = head.uuid;
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

    /// Tells of a change, where that is what the command is about. What changed before the list was made is in the list.
    fn changed(&mut self, received: &Received) -> Result<(), Failure> {
        if !self.listed {
            return Ok(());
        }
        let Ok(message) = serde_json::from_str::<Message>(&received.text) else { return Ok(()) };
        let Some(change) = message.envelope.change else { return Ok(()) };
        if let Some(rows) = follow::rows(self.command, self.mirror, &message) {
            let text = if rows == message.payload {
                received.text.to_string()
            } else {
                serde_json::to_string(&Message { payload: rows.clone(), ..message }).map_err(io::Error::from)?
            };
            self.printer.changed(change, &rows, &text)?;
        }
        Ok(())
    }

    async fn send_cancel(&mut self) -> Result<(), Failure> {
        if let (Cancel::Wanted, Some(id)) = (self.cancel, self.id) {
            self.cancel = Cancel::Sent;
            self.printer.pause()?;
            note(&format!("Cancelling '{}' …", short(self.command)));
            self.connection.send(&format!("cancel command {id}"), None, None).await?;
        }
        Ok(())
    }

    fn leave(&mut self) -> Exit {
        // Only the picture is at stake, and we are going.
        let _ = self.printer.pause();
        let state = if self.cancel == Cancel::Sent { "left while it is cancelled" } else { "left running" };
        note(&format!("\n'{}' is {state}; follow it with: qbo {}", short(self.command), follow_up(self.command)));
        self.keeper.end(false);
        Exit::Interrupted
    }

    async fn end(mut self, last: &Received) -> Result<Exit, Failure> {
        let code = last.head.code;
        self.printer.end(!code.is_failure())?;
        self.connection.close().await;
        self.keeper.end(!code.is_failure());
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
        self.keeper.end(false);
        let mut failure = Failure::from(error);
        if changes(self.command) {
            failure.cure =
                format!("'{}' may go on there; look with: qbo {}", short(self.command), follow_up(self.command));
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

/// Whether a command changes something that takes its time, so that leaving it needs a thought.
fn changes(command: &Command) -> bool {
    matches!(
        command.kind(),
        (Verb::Add | Verb::Delete | Verb::Start | Verb::Stop | Verb::Load, _) | (Verb::Export, Subcommand::Logs)
    )
}

/// The command as people call it: what is made, without how.
fn short(command: &Command) -> String {
    match command {
        Command::AddCluster(add) => add.names.iter().fold("add cluster".into(), |line, name| format!("{line} {name}")),
        other => other.to_string(),
    }
}

/// The command that shows how far another one is.
fn follow_up(command: &Command) -> String {
    match command {
        Command::AddCluster(add) => add.names.iter().fold("get cluster".into(), |line, name| format!("{line} {name}")),
        Command::DeleteCluster(clusters) | Command::StartCluster(clusters) | Command::StopCluster(clusters) => {
            format!("get cluster{}", clusters.selection)
        }
        Command::AddNode(add) => add.clusters.iter().fold("get nodes".into(), |line, name| format!("{line} {name}")),
        Command::AddPort(AddPort { cluster, .. }) | Command::DeletePort(DeletePort { cluster, .. }) => {
            format!("get cluster {cluster} -o wide")
        }
        Command::DeleteNode(_) | Command::StartNode(_) | Command::StopNode(_) => "get nodes -A".into(),
        Command::AddImage(_) => "get images".into(),
        Command::AddRegistry(_) | Command::DeleteRegistry(_) => "get registries".into(),
        Command::LoadImage(_) | Command::ExportLogs(_) => "get clients".into(),
        other => other.to_string(),
    }
}
