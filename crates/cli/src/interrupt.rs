//! Ctrl-C while clusters are made or deleted: the first asks, the second leaves. Without a terminal nobody can be
//! asked, and the first cancels.

use std::future::pending;
use std::io::{self, IsTerminal};

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;

/// What the user wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wish {
    /// Nothing yet: put the question, then listen on.
    Ask,
    /// The command is to be cancelled.
    Cancel,
    /// The question was answered with no.
    GoOn,
    /// The command is to go on, or to be undone, without us.
    Leave,
}

#[derive(Debug)]
enum State {
    /// No Ctrl-C so far, or it was taken back.
    Watching,
    /// The question is on the screen, and the answer comes here.
    Asking(oneshot::Receiver<bool>),
    /// The wish to cancel was passed on.
    Cancelling,
}

/// Listens for Ctrl-C and for the answer.
#[derive(Debug)]
pub(crate) struct Interrupts {
    /// None where Ctrl-C simply ends the process.
    signals: Option<Signal>,
    /// Whether somebody is there to be asked.
    terminal: bool,
    state: State,
}

impl Interrupts {
    /// For commands that are safe to leave at any time.
    pub(crate) fn unheard() -> Self {
        Self { signals: None, terminal: false, state: State::Watching }
    }

    /// For commands that change something; from here on Ctrl-C does not end the process.
    pub(crate) fn listen() -> io::Result<Self> {
        let terminal = io::stdin().is_terminal() && io::stderr().is_terminal();
        Ok(Self { signals: Some(signal(SignalKind::interrupt())?), terminal, state: State::Watching })
    }

    /// Whether the question is on the screen.
    pub(crate) fn asking(&self) -> bool {
        matches!(self.state, State::Asking(_))
    }

    /// Takes the question back, since the command has ended.
    pub(crate) fn withdraw(&mut self) {
        self.state = State::Watching;
    }

    /// The next wish. Safe to drop and call again.
    pub(crate) async fn next(&mut self) -> Wish {
        let Some(signals) = &mut self.signals else { return pending().await };
        let wish = match &mut self.state {
            State::Watching => {
                signals.recv().await;
                if self.terminal { Wish::Ask } else { Wish::Cancel }
            }
            State::Asking(answer) => tokio::select! {
                _ = signals.recv() => Wish::Leave,
                yes = answer => if yes.unwrap_or(false) { Wish::Cancel } else { Wish::GoOn },
            },
            State::Cancelling => {
                signals.recv().await;
                Wish::Leave
            }
        };
        self.state = match wish {
            Wish::Ask => State::Asking(read_answer()),
            Wish::Cancel | Wish::Leave => State::Cancelling,
            Wish::GoOn => State::Watching,
        };
        wish
    }
}

/// Reads a line; whatever is not a yes is a no.
fn read_answer() -> oneshot::Receiver<bool> {
    let (sender, receiver) = oneshot::channel();
    // Reading a terminal blocks. A thread of the runtime would hold up the end of the process; this one does not.
    std::thread::spawn(move || {
        let mut line = String::new();
        let yes = io::stdin().read_line(&mut line).is_ok() && line.trim_start().starts_with(['y', 'Y']);
        // The question may be withdrawn by now.
        let _ = sender.send(yes);
    });
    receiver
}
