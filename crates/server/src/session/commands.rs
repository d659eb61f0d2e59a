//! Running commands: each in a task of its own, whatever becomes of the connection that sent it.

use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use qbo_api::command::Command;
use qbo_api::message::{Code, Subcommand, Verb};
use tokio::time::timeout;
use tokio_util::task::TaskTracker;
use tracing::{Instrument as _, Span};
use uuid::Uuid;

use super::request::Refused;
use crate::access::{Permitted, permit};
use crate::error::Failure;
use crate::executor::Executor;
use crate::metrics;
use crate::mirror::Mirrors;
use crate::operations::{Operations, Running};
use crate::report::{Origin, Reporter};

/// What is needed to run commands.
pub(super) struct Commands {
    executor: Arc<dyn Executor>,
    mirrors: Arc<Mirrors>,
    operations: Arc<Operations>,
    tasks: TaskTracker,
    /// The id of the latest task.
    thread: AtomicI64,
}

impl Commands {
    pub(super) fn new(executor: Arc<dyn Executor>, mirrors: Arc<Mirrors>, operations: Arc<Operations>) -> Self {
        let (tasks, thread) = (TaskTracker::new(), AtomicI64::new(0));
        Self { executor, mirrors, operations, tasks, thread }
    }

    /// Whether commands can do anything just now, or why not.
    pub(super) async fn ready(&self) -> Result<(), Failure> {
        self.executor.ready().await
    }

    /// Starts a command; it is echoed or refused when this returns, and goes on by itself. Tells its id and its task.
    pub(super) fn start(&self, origin: Origin, command: Command) -> (Uuid, i64) {
        // From here on a stop waits for this command; once one began, `begin` refuses.
        let task = self.tasks.token();
        let user = origin.user.clone();
        let kind = command.kind();
        let reporter = self.reporter(origin, kind, &command.to_string());
        let started = (reporter.command_id(), reporter.thread_id());
        let begun = permit(&user, command).and_then(|permitted| {
            let running = self.operations.begin(&permitted, reporter.command_id())?;
            Ok((permitted, running))
        });
        match begun {
            Ok((permitted, running)) => {
                reporter.accepted();
                let executor = Arc::clone(&self.executor);
                tokio::spawn(async move {
                    conduct(executor, permitted, reporter, running).await;
                    drop(task);
                });
            }
            Err(failure) => conclude(&reporter, kind, Err(failure)),
        }
        started
    }

    /// Tells of a command that the connection itself has done.
    pub(super) fn conclude(&self, origin: Origin, command: &Command, outcome: Result<(), Failure>) -> (Uuid, i64) {
        let reporter = self.reporter(origin, command.kind(), &command.to_string());
        reporter.accepted();
        conclude(&reporter, command.kind(), outcome);
        (reporter.command_id(), reporter.thread_id())
    }

    /// Answers what is no command.
    pub(super) fn refuse(&self, origin: Origin, refused: Refused) {
        let kind = (Verb::None, Subcommand::None);
        conclude(&self.reporter(origin, kind, &refused.line), kind, Err(refused.failure));
    }

    /// How many run.
    pub(super) fn running(&self) -> usize {
        self.tasks.len()
    }

    /// Refuses new commands, cancels those that run and gives them `limit` to undo their work.
    pub(super) async fn stop(&self, limit: Duration) {
        self.operations.cancel_all();
        self.tasks.close();
        if timeout(limit, self.tasks.wait()).await.is_err() {
            let (running, seconds) = (self.running(), limit.as_secs_f64());
            tracing::error!("{running} cancelled commands did not end within {seconds} s and are left as they are");
        }
    }

    fn reporter(&self, origin: Origin, kind: (Verb, Subcommand), line: &str) -> Reporter {
        let thread = self.thread.fetch_add(1, Ordering::Relaxed) + 1;
        Reporter::new(Arc::clone(&self.mirrors), origin, kind, line, thread)
    }
}

/// Runs a command to its final message, also where the executor panics.
async fn conduct(executor: Arc<dyn Executor>, permitted: Permitted, reporter: Reporter, running: Running) {
    let (span, kind) = (span(&reporter), permitted.command().kind());
    tracing::info!(parent: &span, "started");
    let outcome = tokio::spawn(executor.execute(permitted, reporter.clone(), running).instrument(span.clone())).await;
    let _entered = span.entered();
    let outcome = outcome.unwrap_or_else(|error| {
        let panic = error.try_into_panic().map_or_else(|error| error.to_string(), |panic| panic_text(&*panic));
        tracing::error!(panic, "a command panicked");
        let problem = "the server failed while it ran this: a defect of qbo";
        Err(Failure::new(Code::INTERNAL, problem, "its log tells where; what the command made may be left"))
    });
    tell_end(&reporter, kind, outcome);
}

/// Ends a command that did not run.
fn conclude(reporter: &Reporter, kind: (Verb, Subcommand), outcome: Result<(), Failure>) {
    span(reporter).in_scope(|| tell_end(reporter, kind, outcome));
}

/// In which everything about a command is logged.
fn span(reporter: &Reporter) -> Span {
    let (command, user) = (reporter.command_line(), reporter.user());
    tracing::info_span!("command", id = %reporter.command_id(), user, command)
}

/// Counts, logs and at last says how a command ended.
fn tell_end(reporter: &Reporter, kind: (Verb, Subcommand), outcome: Result<(), Failure>) {
    let code = outcome.as_ref().err().map_or(Code::OK, |failure| failure.code);
    metrics::ended(kind, code, reporter.elapsed());
    let seconds = reporter.elapsed().as_secs_f64();
    match outcome {
        Ok(()) => {
            tracing::info!(seconds, "done");
            reporter.done();
        }
        Err(failure) => {
            tracing::warn!(seconds, code = code.0, "failed: {failure}");
            reporter.failed(&failure);
        }
    }
}

fn panic_text(panic: &(dyn Any + Send)) -> String {
    let literal = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    literal.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no text".into())
}
