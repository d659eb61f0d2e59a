//! What goes wrong with calls of the fake engine, and the log of those calls.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::Notify;

use crate::driver::engine::EngineFault;

use super::held::Held;

/// What goes wrong with one call.
pub(crate) enum Trouble {
    /// It is answered with an error and not carried out.
    Fails(EngineFault),
    /// It is carried out, and answered with an error all the same.
    FailsAfterwards(EngineFault),
    /// The engine is gone from here on, until it is revived; this call is carried out, or not any more.
    Vanishes(Moment),
    /// It is never answered.
    Hangs(Moment),
    /// It is carried out, and answered only when somebody says so.
    Waits(Arc<Notify>),
    /// Something else happens when it begins; the call itself goes well.
    Meanwhile(Box<dyn FnOnce() + Send>),
}

/// When a call without an answer is carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moment {
    /// Never.
    Never,
    /// As every other call.
    AtOnce,
    /// When [`super::FakeEngine::catch_up`] says so: after whoever made it has gone.
    Late,
}

/// An effect that is still to come.
pub(super) type Effect = Box<dyn FnOnce(&mut Held) + Send>;

/// The calls so far, and what goes wrong with those to come.
#[derive(Default)]
pub(super) struct Ledger {
    /// Each call as `operation subject`.
    pub(super) calls: Vec<String>,
    /// How often whoever follows the engine looked at something.
    pub(super) looks: usize,
    /// By the index of the call.
    pub(super) troubles: HashMap<usize, Trouble>,
    /// By the beginning of the call.
    pub(super) named: Vec<(String, Trouble)>,
    /// The engine does not answer.
    pub(super) gone: bool,
    /// Effects of calls whose [`Moment`] is late.
    pub(super) late: Vec<Effect>,
}

impl Ledger {
    /// Counts a look; tells whether the engine is there to be looked at.
    pub(super) fn look(&mut self) -> bool {
        self.looks += 1;
        !self.gone
    }

    /// Writes a call down and tells what goes wrong with it.
    pub(super) fn begin(&mut self, operation: &str, subject: &str) -> Option<Trouble> {
        let call = format!("{operation} {subject}");
        let named = self.named.iter().position(|(name, _)| call.starts_with(name));
        let named = named.map(|index| self.named.remove(index).1);
        let trouble = self.troubles.remove(&self.calls.len()).or(named);
        self.calls.push(call);
        match trouble {
            _ if self.gone => Some(Trouble::Fails(absent())),
            Some(Trouble::Vanishes(moment)) => {
                self.gone = true;
                Some(Trouble::Vanishes(moment))
            }
            trouble => trouble,
        }
    }
}

pub(super) fn absent() -> EngineFault {
    EngineFault::Unreachable("connection refused".into())
}
