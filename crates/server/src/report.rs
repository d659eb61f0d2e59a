//! What a running command says: every message it sends is made here, from one envelope.

use std::borrow::Cow;
use std::panic::Location;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use qbo_api::message::{Change, Code, Envelope, Message, Output, Payload, Step, StepState, Subcommand, Verb};
use uuid::Uuid;

use crate::access::User;
use crate::error::Failure;
use crate::mirror::Mirrors;

/// Name and version of the server, as messages name their producer.
pub const AGENT: &str = concat!("qbo-api/", env!("CARGO_PKG_VERSION"));

/// Who sent a command, and from where.
#[derive(Debug, Clone)]
pub struct Origin {
    /// The user it runs as.
    pub user: User,
    /// The mirror its messages go to.
    pub mirror: Uuid,
    /// The client's address.
    pub peer: String,
    /// The connection's id.
    pub wsi: String,
    /// The listener it came in on.
    pub vhost: String,
    /// This host's name.
    pub host: String,
}

/// The voice of one command. Clones speak for the same command.
#[derive(Debug, Clone)]
pub struct Reporter {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    mirrors: Arc<Mirrors>,
    origin: Origin,
    command_id: Uuid,
    command_line: String,
    kind: (Verb, Subcommand),
    started: Instant,
    thread_id: i64,
}

/// A step that began; it is reported again when it ends, as failed where it is just dropped: its work was cut off
/// by a cancel, by another step's failure, or by a panic.
#[derive(Debug)]
pub struct RunningStep {
    reporter: Reporter,
    object: String,
    node: String,
    step: Cow<'static, str>,
    started: Instant,
    began_at: &'static Location<'static>,
    ended: bool,
}

impl Reporter {
    /// The voice of a new command; `line` is normalised and without `qbo`.
    pub fn new(mirrors: Arc<Mirrors>, origin: Origin, kind: (Verb, Subcommand), line: &str, thread_id: i64) -> Self {
        let inner = Inner {
            mirrors,
            origin,
            command_id: Uuid::new_v4(),
            command_line: format!("qbo {line}"),
            kind,
            started: Instant::now(),
            thread_id,
        };
        Self { inner: Arc::new(inner) }
    }

    /// The command's id.
    pub fn command_id(&self) -> Uuid {
        self.inner.command_id
    }

    /// The command's line, with `qbo` in front.
    pub fn command_line(&self) -> &str {
        &self.inner.command_line
    }

    /// The id of the task that runs it.
    pub(crate) fn thread_id(&self) -> i64 {
        self.inner.thread_id
    }

    /// Whom the command runs as.
    pub fn user(&self) -> &str {
        &self.inner.origin.user.email
    }

    /// The name of this host.
    pub fn host(&self) -> &str {
        &self.inner.origin.host
    }

    /// Time since the command was accepted.
    pub fn elapsed(&self) -> Duration {
        self.inner.started.elapsed()
    }

    /// The echo of the accepted command: the first message.
    #[track_caller]
    pub(crate) fn accepted(&self) {
        let input = qbo_api::message::Input { message: self.inner.command_line.clone() };
        self.send(Code::ACCEPTED, Payload::Input(vec![input]), "", Location::caller());
    }

    /// A partial result.
    #[track_caller]
    pub fn rows(&self, payload: Payload) {
        self.send(Code::CREATED, payload, "", Location::caller());
    }

    /// A partial result of many, sent once whoever listens has taken most of those before it, or does not; false where
    /// nobody listens any more.
    pub(crate) async fn rows_once_taken(&self, payload: Payload) -> bool {
        let inner = &*self.inner;
        if !inner.mirrors.taken(&inner.origin.user, inner.origin.mirror).await {
            return false;
        }
        self.rows(payload);
        true
    }

    /// Partial results that together are a list of what is known, as it was at this point of its history.
    #[track_caller]
    pub(crate) fn list_at(&self, sequence: u64, payloads: Vec<Payload>) {
        let source = Location::caller();
        let message = |payload| self.message(Some(sequence), Code::CREATED, payload, "", source);
        let list: Vec<Message> = payloads.into_iter().map(message).collect();
        self.inner.mirrors.publish_list(&self.inner.origin.user, self.inner.origin.mirror, &list);
    }

    /// A line for people.
    #[track_caller]
    pub fn line(&self, message: impl Into<String>) {
        let output = Output::Message { message: message.into() };
        self.send(Code::CREATED, Payload::Output(vec![output]), "", Location::caller());
    }

    /// A step begins; `callback` says what is waited for, in words of the backend.
    #[track_caller]
    pub fn step(&self, object: &str, node: &str, step: impl Into<Cow<'static, str>>, callback: &str) -> RunningStep {
        let running = RunningStep {
            reporter: self.clone(),
            object: object.into(),
            node: node.into(),
            step: step.into(),
            started: Instant::now(),
            began_at: Location::caller(),
            ended: false,
        };
        running.report(StepState::Started, "", callback, Location::caller());
        running
    }

    /// The command is done: the final message.
    #[track_caller]
    pub(crate) fn done(&self) {
        let Inner { thread_id, .. } = *self.inner;
        let message = format!("thread {thread_id} terminated in {:.6}s", self.elapsed().as_secs_f64());
        self.send(Code::OK, Payload::Output(vec![Output::Message { message }]), "", Location::caller());
    }

    /// The command failed: the final message.
    #[track_caller]
    pub(crate) fn failed(&self, failure: &Failure) {
        let output =
            Output::Failure { message: failure.line(), problem: failure.problem.clone(), cure: failure.cure.clone() };
        self.send(failure.code, Payload::Output(vec![output]), "", Location::caller());
    }

    fn send(&self, code: Code, payload: Payload, callback: &str, source: &Location<'_>) {
        let message = self.message(None, code, payload, callback, source);
        self.inner.mirrors.publish(&self.inner.origin.user, self.inner.origin.mirror, &message);
    }

    fn message(
        &self,
        sequence: Option<u64>,
        code: Code,
        payload: Payload,
        callback: &str,
        source: &Location<'_>,
    ) -> Message {
        let inner = &*self.inner;
        let done = code == Code::OK;
        let (command, subcommand) = if done { (Verb::Done, Subcommand::Done) } else { inner.kind };
        let apicommand = match (done, callback) {
            (true, _) => "APICMD_DONE",
            (false, "") => "APICMD_NONE",
            (false, callback) => callback,
        };
        let envelope = Envelope {
            timestamp: format!("{:.6}", Timestamp::now()),
            status: code.reason().into(),
            code,
            command_id: inner.command_id,
            command_line: inner.command_line.clone(),
            command,
            subcommand,
            apicommand: apicommand.into(),
            callback: callback.into(),
            uuid: inner.origin.mirror,
            user: inner.origin.user.email.clone(),
            agent: AGENT.into(),
            peer: inner.origin.peer.clone(),
            host: inner.origin.host.clone(),
            source: format!("{}:{}", source.file(), source.line()),
            wsi: inner.origin.wsi.clone(),
            thread_id: inner.thread_id,
            vhost: inner.origin.vhost.clone(),
            sequence,
            change: None,
        };
        Message { envelope, payload }
    }
}

/// A message that no command asked for: what became of a user's objects, told in that user's own mirror.
#[track_caller]
pub(crate) fn changed(
    host: &str,
    owner: &User,
    (sequence, change): (u64, Change),
    payload: Payload,
    callback: &str,
) -> Message {
    let source = Location::caller();
    let envelope = Envelope {
        timestamp: format!("{:.6}", Timestamp::now()),
        status: Code::CREATED.reason().into(),
        code: Code::CREATED,
        command_id: Uuid::nil(),
        command_line: String::new(),
        command: Verb::None,
        subcommand: subcommand(&payload),
        apicommand: if callback.is_empty() { "APICMD_NONE".into() } else { callback.into() },
        callback: callback.into(),
        uuid: owner.mirror(),
        user: owner.email.clone(),
        agent: AGENT.into(),
        peer: String::new(),
        host: host.into(),
        source: format!("{}:{}", source.file(), source.line()),
        wsi: String::new(),
        thread_id: 0,
        vhost: String::new(),
        sequence: Some(sequence),
        change: Some(change),
    };
    Message { envelope, payload }
}

fn subcommand(payload: &Payload) -> Subcommand {
    match payload {
        Payload::Clusters(_) => Subcommand::Cluster,
        Payload::Nodes(_) => Subcommand::Node,
        Payload::Pods(_) => Subcommand::Pod,
        Payload::Services(_) => Subcommand::Service,
        Payload::Networks(_) => Subcommand::Network,
        Payload::Images(_) => Subcommand::Image,
        Payload::Registries(_) => Subcommand::Registry,
        Payload::Clients(_) => Subcommand::Client,
        Payload::Usage(_) => Subcommand::Usage,
        Payload::Version(_) | Payload::Output(_) | Payload::Input(_) => Subcommand::None,
    }
}

impl RunningStep {
    /// The step ends as this tells.
    #[track_caller]
    pub fn conclude<T>(self, outcome: Result<T, Failure>) -> Result<T, Failure> {
        match &outcome {
            Ok(_) => self.done(),
            Err(failure) => self.failed(&failure.problem),
        }
        outcome
    }

    /// How far the step is.
    #[track_caller]
    pub fn progress(&self, detail: &str) {
        self.report(StepState::Progress, detail, "", Location::caller());
    }

    /// The step is done.
    #[track_caller]
    pub fn done(self) {
        self.end(StepState::Done, "", Location::caller());
    }

    /// The step failed.
    #[track_caller]
    pub fn failed(self, reason: &str) {
        self.end(StepState::Failed, reason, Location::caller());
    }

    /// What the step did was undone.
    #[track_caller]
    pub fn undone(self) {
        self.end(StepState::Undone, "", Location::caller());
    }

    fn end(mut self, state: StepState, detail: &str, source: &Location<'_>) {
        self.ended = true;
        self.report(state, detail, "", source);
    }

    fn report(&self, state: StepState, detail: &str, callback: &str, source: &Location<'_>) {
        let duration = self.started.elapsed().as_secs_f64();
        let elapsed = self.reporter.elapsed().as_secs_f64();
        let place = if self.node.is_empty() { &self.object } else { &self.node };
        let what = match state {
            StepState::Started => "…".to_owned(),
            StepState::Progress => format!(": {detail}"),
            StepState::Done => format!(": done in {duration:.1} s"),
            StepState::Failed => format!(": failed after {duration:.1} s: {detail}"),
            StepState::Undone => ": undone".to_owned(),
        };
        let step = Step {
            message: format!("{elapsed:6.1} s  {place}  {}{what}", self.step),
            object: self.object.clone(),
            node: self.node.clone(),
            step: self.step.clone().into_owned(),
            state,
            detail: detail.into(),
            elapsed,
            duration,
        };
        self.reporter.send(Code::CREATED, Payload::Output(vec![Output::Step(step)]), callback, source);
    }
}

impl Drop for RunningStep {
    fn drop(&mut self) {
        if !self.ended {
            self.report(StepState::Failed, "interrupted", "", self.began_at);
        }
    }
}

#[cfg(test)]
impl Origin {
    /// Somebody in a mirror.
    pub(crate) fn example(mirror: Uuid) -> Self {
        Self {
            user: User { email: "alex@example.com".into() },
            mirror,
            peer: "127.0.0.1:50000".into(),
            wsi: "wsi".into(),
            vhost: "127.0.0.1:9601".into(),
            host: "cloud".into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use qbo_api::command::Command;

    /// What is said in a mirror while `speak` runs.
    fn heard(speak: impl FnOnce(&Reporter)) -> Vec<Message> {
        let (mirrors, mirror) = (Arc::new(Mirrors::default()), Uuid::from_u128(1));
        let origin = Origin::example(mirror);
        let mut feed = mirrors.feed(&origin.user);
        feed.join(mirror).unwrap();
        speak(&Reporter::new(mirrors, origin, Command::TestHost.kind(), "test host", 7));
        std::iter::from_fn(|| feed.waiting()).map(|text| serde_json::from_str(&text).unwrap()).collect()
    }

    fn step(message: &Message) -> &Step {
        match &message.payload {
            Payload::Output(output) => match output.as_slice() {
                [Output::Step(step)] => step,
                other => panic!("{other:?}"),
            },
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_command_is_echoed_and_ends_with_one_final_message() {
        let messages = heard(|reporter| {
            reporter.accepted();
            reporter.done();
        });
        let [accepted, done] = messages.as_slice() else { panic!("{messages:?}") };
        let envelope = &accepted.envelope;
        assert_eq!((envelope.code, envelope.status.as_str()), (Code::ACCEPTED, "Accepted"));
        assert_eq!((envelope.command, envelope.subcommand), (Verb::Test, Subcommand::Host));
        assert_eq!((envelope.command_line.as_str(), envelope.thread_id), ("qbo test host", 7));
        assert!(envelope.source.starts_with(&format!("{}:", file!())), "{}", envelope.source);
        let fraction = envelope.timestamp.rsplit('.').next().unwrap();
        assert!(fraction.len() == "123456Z".len() && fraction.ends_with('Z'), "{}", envelope.timestamp);
        assert_eq!((done.envelope.command, done.envelope.subcommand), (Verb::Done, Subcommand::Done));
        assert_eq!((done.envelope.code, done.envelope.apicommand.as_str()), (Code::OK, "APICMD_DONE"));
        assert_eq!(done.envelope.command_id, envelope.command_id);
    }

    #[test]
    fn a_failure_names_problem_and_cure() {
        let failure = Failure::new(Code::CONFLICT, "it is taken", "take another");
        let messages = heard(|reporter| reporter.failed(&failure));
        assert_eq!(messages[0].envelope.code, Code::CONFLICT);
        assert_eq!(messages[0].envelope.command, Verb::Test, "only success is CMD_DONE");
        let (message, problem) = ("it is taken; take another".into(), "it is taken".into());
        let output = Output::Failure { message, problem, cure: "take another".into() };
        assert_eq!(messages[0].payload, Payload::Output(vec![output]));
    }

    #[test]
    fn a_step_is_reported_when_it_begins_and_when_it_ends() {
        let messages = heard(|reporter| {
            let running = reporter.step("alex", "node-1", "boot", "docker POST /containers/create");
            running.progress("half");
            running.done();
        });
        let states: Vec<_> = messages.iter().map(|message| step(message).state).collect();
        assert_eq!(states, [StepState::Started, StepState::Progress, StepState::Done]);
        assert_eq!(messages[0].envelope.apicommand, "docker POST /containers/create");
        assert_eq!(messages[0].envelope.callback, "docker POST /containers/create");
        assert!(step(&messages[0]).message.ends_with("s  node-1  boot…"), "{}", step(&messages[0]).message);
        assert_eq!(messages[2].envelope.callback, "");
    }

    #[test]
    fn a_step_that_is_cut_off_is_reported_as_failed() {
        let messages = heard(|reporter| drop(reporter.step("alex", "", "network", "")));
        let last = step(&messages[1]);
        assert_eq!((messages.len(), last.state), (2, StepState::Failed));
        assert!(last.message.ends_with("interrupted"), "{}", last.message);
    }
}
