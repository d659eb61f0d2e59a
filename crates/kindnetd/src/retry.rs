//! Trying again with growing pauses, for the watch and for reconciling alike.

use std::future;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};
use tracing::{info, warn};

/// A control plane that starts is there within seconds: the first attempts follow each other fast.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// When to try again what failed, and what was said about it.
#[derive(Debug)]
pub(crate) struct Retry {
    /// What is tried, as the log names it.
    what: &'static str,
    pause: Duration,
    due: Option<Instant>,
    reported: Vec<String>,
}

impl Retry {
    pub(crate) fn new(what: &'static str) -> Self {
        Self { what, pause: FIRST_PAUSE, due: None, reported: Vec::new() }
    }

    /// Waits for the end of the pause; returns at once where nothing failed.
    pub(crate) async fn pause(&self) {
        if let Some(due) = self.due {
            sleep_until(due).await;
        }
    }

    /// Waits for the next attempt; for ever where nothing failed.
    pub(crate) async fn due(&self) {
        if self.due.is_none() {
            future::pending::<()>().await;
        }
        self.pause().await;
    }

    /// Takes the errors of an attempt. One that was there the last time is not told again.
    pub(crate) fn failed(&mut self, errors: Vec<String>) {
        for error in errors.iter().filter(|error| !self.reported.contains(error)) {
            warn!("{}: {error}; trying again", self.what);
        }
        self.reported = errors;
        self.due = Some(Instant::now() + self.pause);
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
    }

    /// Forgets the failures.
    pub(crate) fn succeeded(&mut self) {
        if self.due.is_some() {
            info!("{}: works again", self.what);
            *self = Self::new(self.what);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest_until_success() {
        let mut retry = Retry::new("a test");
        let fail = |retry: &mut Retry| {
            let earliest = Instant::now() + retry.pause;
            let pause = retry.pause.as_millis();
            retry.failed(vec!["no".to_owned()]);
            assert!(retry.due >= Some(earliest));
            pause
        };
        let pauses: Vec<u128> = (0..9).map(|_| fail(&mut retry)).collect();
        assert_eq!(pauses, [100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000]);

        retry.succeeded();
        assert_eq!(fail(&mut retry), 100);
    }

    #[test]
    fn nothing_is_due_where_nothing_failed() {
        let mut retry = Retry::new("a test");
        assert_eq!(retry.pause().now_or_never(), Some(()));
        assert_eq!(retry.due().now_or_never(), None);
        retry.failed(vec!["no".to_owned()]);
        retry.succeeded();
        assert_eq!(retry.pause().now_or_never(), Some(()));
        assert_eq!(retry.due().now_or_never(), None);
    }
}
