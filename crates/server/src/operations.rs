//! What is running: commands that can be cancelled, and clusters that are busy.
//!
//! A cluster is changed by one command at a time; who comes second gets a clear answer instead of a queue.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use qbo_api::command::Command;
use qbo_api::message::Code;
use qbo_api::model::State;
use qbo_api::name::CommandReference;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::access::Permitted;
use crate::error::Failure;

/// Commands a user may have running at once, cancels aside: those must get through when all else is full.
const COMMANDS_PER_USER: usize = 64;

/// All that runs.
#[derive(Debug, Default)]
pub struct Operations {
    inner: Mutex<Inner>,
    /// The parent of every command's token.
    root: CancellationToken,
}

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
}

#[derive(Debug)]
struct BusyCluster {
    state: State,
    command_line: String,
}

/// A running command; it is no longer listed once this is dropped.
#[derive(Debug)]
pub struct Running {
    operations: Arc<Operations>,
    command: Uuid,
    token: CancellationToken,
}

/// The right to change one cluster; given back when dropped.
#[derive(Debug)]
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
        inner.commands.insert(command, RunningCommand { user: user.clone(), counts, token: token.clone() });
        Ok(Running { operations: Arc::clone(self), command, token })
    }

    /// Claims a cluster for a command that brings it into `state`.
    pub fn claim(
        self: &Arc<Self>,
        (user, cluster): (&str, &str),
        state: State,
        command_line: &str,
    ) -> Result<Claim, Failure> {
        let mut inner = self.lock();
        let key = (user.to_owned(), cluster.to_owned());
        if let Some(busy) = inner.clusters.get(&key) {
            let problem = format!("cluster '{cluster}' is being changed ({}) by '{}'", busy.state, busy.command_line);
            return Err(Failure::new(Code::CONFLICT, problem, "wait until that is done, or cancel it"));
        }
        inner.clusters.insert(key.clone(), BusyCluster { state, command_line: command_line.into() });
        Ok(Claim { operations: Arc::clone(self), key })
    }

    /// What a cluster is becoming, where a command is changing it.
    pub fn state(&self, user: &str, cluster: &str) -> Option<State> {
        self.lock().clusters.get(&(user.to_owned(), cluster.to_owned())).map(|busy| busy.state)
    }

    /// Clusters of a user that are being made, with or without anything of theirs in Docker yet.
    pub fn creating(&self, user: &str) -> Vec<String> {
        let inner = self.lock();
        let of_user = inner.clusters.iter().filter(|((owner, _), _)| owner == user);
        of_user.filter(|(_, busy)| busy.state == State::Creating).map(|((_, name), _)| name.clone()).collect()
    }

    /// Cancels a user's command; false where none of that id runs.
    pub fn cancel(&self, user: &str, reference: &CommandReference) -> bool {
        let inner = self.lock();
        let mut found = false;
        for (id, running) in &inner.commands {
            if running.user == user && reference.matches(&id.to_string()) {
                running.token.cancel();
                found = true;
            }
        }
        found
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

impl Running {
    /// Cancelled when the command shall stop.
    pub fn token(&self) -> &CancellationToken {
        &self.token
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.operations.lock().commands.remove(&self.command);
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.operations.lock().clusters.remove(&self.key);
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
        assert!(!operations.cancel("sam", &reference(1)));
        assert!(!running.token().is_cancelled());
        assert!(operations.cancel("alex", &reference(1)));
        assert!(running.token().is_cancelled());
        drop(running);
        assert!(!operations.cancel("alex", &reference(1)));
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
        assert_eq!(operations.state("alex", "dev"), Some(State::Creating));
        assert_eq!(operations.creating("alex"), ["dev"]);
        drop(first);
        assert_eq!((operations.state("alex", "dev"), operations.creating("alex").len()), (None, 0));
        let _deleting = claim("alex", State::Deleting).unwrap();
        assert_eq!(operations.creating("alex").len(), 0, "nothing is being made");
    }
}
