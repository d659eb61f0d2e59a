//! What is running: commands that can be cancelled, and clusters that are busy.
//!
//! A cluster is changed by one command at a time; who comes second gets a clear answer instead of a queue.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use qbo_api::command::Command;
use qbo_api::message::Code;
use qbo_api::model::State;
use qbo_api::name::CommandReference;
use qbo_api::settings::Timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use uuid::Uuid;

use crate::access::Permitted;
use crate::error::Failure;

/// Commands a user may have running at once, cancels aside: those must get through when all else is full.
const COMMANDS_PER_USER: usize = 64;

/// All that runs.
#[derive(Default)]
pub struct Operations {
    inner: Mutex<Inner>,
    /// The parent of every command's token.
    root: CancellationToken,
    /// Told whose cluster became busy or free.
    listener: OnceLock<Listener>,
}

/// Who is told of a cluster, by user and name, that its business changed.
type Listener = Box<dyn Fn(&str, &str) + Send + Sync>;

#[derive(Debug, Default)]
struct Inner {
    commands: HashMap<Uuid, RunningCommand>,
    clusters: HashMap<(String, String), BusyCluster>,
}

#[derive(Debug)]
struct RunningCommand {
    user: String,
    counts: bool,
    token: CancellationToken,
    /// Whether a cancel comes too late.
    is_past_return: bool,
}

/// What became of a wish to cancel commands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cancelled {
    /// They stop.
    Stopping,
    /// None of that id runs.
    Unknown,
    /// What it does cannot be undone any more; others of that id stop.
    TooLate,
}

#[derive(Debug)]
struct BusyCluster {
    business: Business,
    command_line: String,
}

/// What a command is making of a cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Business {
    /// What it brings the whole cluster into; none where only nodes change.
    pub state: Option<State>,
    /// What it brings nodes into, by name.
    pub nodes: HashMap<String, State>,
    /// The id of a cluster that is being made.
    pub id: Option<Uuid>,
}

impl From<State> for Business {
    fn from(state: State) -> Self {
        Self { state: Some(state), ..Self::default() }
    }
}

/// A running command; it is no longer listed once this is dropped.
pub struct Running {
    operations: Arc<Operations>,
    command: Uuid,
    token: CancellationToken,
    expiry: Expiry,
    /// What waits for the time to be up.
    clock: OnceLock<AbortOnDropHandle<()>>,
}

/// Whether a command is to stop because it took longer than it may.
#[derive(Debug, Clone, Default)]
pub struct Expiry(Arc<OnceLock<Timeout>>);

/// The right to change one cluster; given back when dropped.
pub struct Claim {
    operations: Arc<Operations>,
    key: (String, String),
}

impl Operations {
    /// Lists a command as running; refuses it once [`Operations::cancel_all`] was called.
    pub fn begin(self: &Arc<Self>, permitted: &Permitted, command: Uuid) -> Result<Running, Failure> {
        let user = &permitted.user().email;
        let mut inner = self.lock();
        if self.root.is_cancelled() {
            return Err(Failure::new(Code::UNAVAILABLE, "the server is stopping", "try again when it is back"));
        }
        let counts = !matches!(permitted.command(), Command::Cancel(_));
        let running = inner.commands.values().filter(|running| running.counts && running.user == *user).count();
        if counts && running >= COMMANDS_PER_USER {
            let problem = format!("{user} has {COMMANDS_PER_USER} commands running already");
            return Err(Failure::new(Code::TOO_MANY, problem, "wait for one of them, or cancel one"));
        }
        let token = self.root.child_token();
        inner.commands.insert(
            command,
            RunningCommand { user: user.clone(), counts, token: token.clone(), is_past_return: false },
        );
        let (expiry, clock) = (Expiry::default(), OnceLock::new());
        Ok(Running { operations: Arc::clone(self), command, token, expiry, clock })
    }

    /// From now on tells `listener` of every cluster that becomes busy or free. It is called without any lock held; only
    /// the first is told.
    pub fn listen(&self, listener: impl Fn(&str, &str) + Send + Sync + 'static) {
        let _ = self.listener.set(Box::new(listener));
    }

    /// Claims a cluster for a command.
    pub fn claim(
        self: &Arc<Self>,
        (user, cluster): (&str, &str),
        business: impl Into<Business>,
        command_line: &str,
    ) -> Result<Claim, Failure> {
        let mut inner = self.lock();
        let key = (user.to_owned(), cluster.to_owned());
        if let Some(busy) = inner.clusters.get(&key) {
            let problem =
                format!("cluster '{cluster}' is being changed ({}) by '{}'", busy.business, busy.command_line);
            return Err(Failure::new(Code::CONFLICT, problem, "wait until that is done, or cancel it"));
        }
        let busy = BusyCluster { business: business.into(), command_line: command_line.into() };
        inner.clusters.insert(key.clone(), busy);
        drop(inner);
        let claim = Claim { operations: Arc::clone(self), key };
        claim.tell();
        Ok(claim)
    }

    /// What is made of a cluster just now; none where no command changes it.
    pub fn business(&self, user: &str, cluster: &str) -> Option<Business> {
        self.lock().clusters.get(&(user.to_owned(), cluster.to_owned())).map(|busy| busy.business.clone())
    }

    /// Cancels a user's command.
    pub fn cancel(&self, user: &str, reference: &CommandReference) -> Cancelled {
        let inner = self.lock();
        let mut outcome = Cancelled::Unknown;
        for (id, running) in &inner.commands {
            if running.user != user || !reference.matches(&id.to_string()) {
                continue;
            }
            if running.is_past_return {
                outcome = Cancelled::TooLate;
                continue;
            }
            running.token.cancel();
            if outcome == Cancelled::Unknown {
                outcome = Cancelled::Stopping;
            }
        }
        outcome
    }

    /// Cancels every command there is and refuses those to come: the server stops.
    pub fn cancel_all(&self) {
        self.root.cancel();
    }

    /// Whether no command runs and no cluster is claimed.
    #[cfg(test)]
    pub(crate) fn is_idle(&self) -> bool {
        let inner = self.lock();
        inner.commands.is_empty() && inner.clusters.is_empty()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The parts of a command that could still be taken back. Once none of them can any more, a cancel of it comes too late.
#[derive(Debug)]
pub struct Returnable<'a> {
    left: AtomicUsize,
    running: &'a Running,
}

impl<'a> Returnable<'a> {
    /// So many parts of a command.
    pub fn new(parts: usize, running: &'a Running) -> Self {
        Self { left: AtomicUsize::new(parts), running }
    }

    /// One of them cannot be taken back any more, or was.
    pub fn pass(&self) {
        if self.left.fetch_sub(1, Ordering::Relaxed) == 1 {
            // Refused where the command was cancelled before.
            let _ = self.running.pass_return();
        }
    }
}

impl Running {
    /// Cancelled when the command shall stop.
    pub fn token(&self) -> &CancellationToken {
        &self.token
    }

    /// From now on the command goes to its end, unless somebody has cancelled it before.
    pub fn pass_return(&self) -> Result<(), Failure> {
        let mut inner = self.operations.lock();
        if self.token.is_cancelled() {
            return Err(Failure::cancelled());
        }
        if let Some(running) = inner.commands.get_mut(&self.command) {
            running.is_past_return = true;
        }
        Ok(())
    }

    /// From now on the command may take so long.
    pub fn expire_after(&self, limit: Timeout) {
        let (token, expiry) = (self.token.clone(), self.expiry.clone());
        let clock = tokio::spawn(async move {
            tokio::time::sleep(limit.get()).await;
            // The first reason counts: somebody may have cancelled it before.
            if !token.is_cancelled() {
                let _ = expiry.0.set(limit);
                token.cancel();
            }
        });
        let _ = self.clock.set(AbortOnDropHandle::new(clock));
    }

    /// Whether the time is up.
    pub fn expiry(&self) -> &Expiry {
        &self.expiry
    }
}

impl Expiry {
    /// Why a command stops that is told to.
    pub fn failure(&self) -> Failure {
        let Some(limit) = self.0.get() else { return Failure::cancelled() };
        Failure::new(Code::TIMEOUT, format!("it was not done within {limit}"), "give it more time: --timeout")
    }

    /// The same failure, unless it only says that the command was told to stop.
    pub fn explain(&self, failure: Failure) -> Failure {
        if failure.code == Code::CANCELLED { self.failure() } else { failure }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.operations.lock().commands.remove(&self.command);
    }
}

impl Claim {
    /// Goes on with something else.
    pub fn becomes(&self, business: impl Into<Business>) {
        if let Some(busy) = self.operations.lock().clusters.get_mut(&self.key) {
            busy.business = business.into();
        }
        self.tell();
    }

    fn tell(&self) {
        if let Some(listener) = self.operations.listener.get() {
            listener(&self.key.0, &self.key.1);
        }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.operations.lock().clusters.remove(&self.key);
        self.tell();
    }
}

impl fmt::Display for Business {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.state, self.nodes.iter().next()) {
            (Some(state), _) => state.fmt(formatter),
            (None, Some((node, state))) if self.nodes.len() == 1 => write!(formatter, "{node} is {state}"),
            (None, Some((_, state))) => write!(formatter, "{} nodes are {state}", self.nodes.len()),
            (None, None) => formatter.write_str("its nodes are"),
        }
    }
}

impl fmt::Debug for Operations {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Operations").field("inner", &self.inner).finish_non_exhaustive()
    }
}

impl fmt::Debug for Claim {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Claim").field("key", &self.key).finish_non_exhaustive()
    }
}

impl fmt::Debug for Running {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Running").field("command", &self.command).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::{User, permit};

    fn begin(operations: &Arc<Operations>, user: &str, line: &str, id: u128) -> Result<Running, Failure> {
        let command = qbo_api::grammar::parse(line).unwrap();
        operations.begin(&permit(&User { email: user.into() }, command)?, Uuid::from_u128(id))
    }

    fn reference(id: u128) -> CommandReference {
        Uuid::from_u128(id).to_string().parse().unwrap()
    }

    #[test]
    fn a_user_cancels_own_commands_only_and_while_they_run() {
        let operations = Arc::new(Operations::default());
        let running = begin(&operations, "alex", "version", 1).unwrap();
        assert_eq!(operations.cancel("sam", &reference(1)), Cancelled::Unknown);
        assert!(!running.token().is_cancelled());
        assert_eq!(operations.cancel("alex", &reference(1)), Cancelled::Stopping);
        assert!(running.token().is_cancelled());
        assert_eq!(running.pass_return().unwrap_err().code, Code::CANCELLED);
        drop(running);
        assert_eq!(operations.cancel("alex", &reference(1)), Cancelled::Unknown);
    }

    #[test]
    fn a_cancel_may_come_too_late() {
        let operations = Arc::new(Operations::default());
        let running = begin(&operations, "alex", "delete cluster dev", 1).unwrap();
        running.pass_return().unwrap();
        assert_eq!(operations.cancel("alex", &reference(1)), Cancelled::TooLate);
        assert!(!running.token().is_cancelled());
    }

    #[test]
    fn commands_are_bounded_per_user_and_a_cancel_still_gets_through() {
        let operations = Arc::new(Operations::default());
        let limit = COMMANDS_PER_USER as u128;
        let mut running: Vec<_> = (0..limit).map(|id| begin(&operations, "alex", "version", id).unwrap()).collect();
        assert_eq!(begin(&operations, "alex", "version", limit).unwrap_err().code, Code::TOO_MANY);
        assert!(begin(&operations, "sam", "version", limit).is_ok());
        running.push(begin(&operations, "alex", "cancel command 00000000", limit).unwrap());
        running.remove(0);
        assert!(begin(&operations, "alex", "version", limit + 1).is_ok());
    }

    #[test]
    fn a_server_that_stops_cancels_all_and_begins_nothing() {
        let operations = Arc::new(Operations::default());
        let running = begin(&operations, "alex", "version", 1).unwrap();
        operations.cancel_all();
        assert!(running.token().is_cancelled());
        assert_eq!(begin(&operations, "alex", "version", 2).unwrap_err().code, Code::UNAVAILABLE);
    }

    #[test]
    fn a_cluster_is_changed_by_one_command_at_a_time() {
        let operations = Arc::new(Operations::default());
        let claim = |user, state| operations.claim((user, "dev"), state, "qbo add cluster dev");
        let first = claim("alex", State::Creating).unwrap();
        let refused = claim("alex", State::Deleting).unwrap_err();
        assert_eq!(refused.code, Code::CONFLICT);
        assert_eq!(refused.problem, "cluster 'dev' is being changed (creating) by 'qbo add cluster dev'");
        assert!(claim("sam", State::Creating).is_ok(), "names are each user's own");
        assert_eq!(operations.business("alex", "dev"), Some(State::Creating.into()));
        drop(first);
        assert_eq!(operations.business("alex", "dev"), None);
    }

    #[test]
    fn who_listens_is_told_of_every_cluster_that_becomes_busy_or_free() {
        let operations = Arc::new(Operations::default());
        let told = Arc::new(Mutex::new(Vec::new()));
        let listener = {
            let (operations, told) = (Arc::downgrade(&operations), Arc::clone(&told));
            move |user: &str, cluster: &str| {
                let business = operations.upgrade().unwrap().business(user, cluster);
                told.lock().unwrap().push(business.map(|business| business.to_string()));
            }
        };
        operations.listen(listener);
        let nodes = HashMap::from([("node-1".to_owned(), State::Stopping)]);
        let claim =
            operations.claim(("alex", "dev"), Business { nodes, ..Business::default() }, "qbo stop node").unwrap();
        claim.becomes(State::Deleting);
        drop(claim);
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(*told.lock().unwrap(), [text("node-1 is stopping"), text("deleting"), None]);
    }
}
