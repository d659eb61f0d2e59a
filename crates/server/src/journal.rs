//! The last lines of the server's own log, for `qbo logs`: bounded, and there whatever becomes of standard error.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

/// Lines that are kept.
pub const LIMIT: usize = 2000;

/// The longest line that is kept whole, in bytes.
const LINE_LIMIT: usize = 4096;

/// Keeps the last lines of the log. Clones keep the same.
#[derive(Debug, Clone, Default)]
pub struct Journal {
    lines: Arc<Mutex<VecDeque<String>>>,
}

impl Journal {
    /// The last so many lines, the oldest first.
    pub fn last(&self, count: usize) -> Vec<String> {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.iter().skip(lines.len().saturating_sub(count)).cloned().collect()
    }

    fn keep(&self, mut line: String) {
        if line.len() > LINE_LIMIT {
            line.truncate(line.floor_char_boundary(LINE_LIMIT));
            line.push('…');
        }
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() >= LIMIT {
            lines.pop_front();
        }
        lines.push_back(line);
    }
}

/// What a span says of what happens in it, as a command's line.
struct Said(String);

impl<S: Subscriber + for<'span> LookupSpan<'span>> Layer<S> for Journal {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let mut said = Line(String::new());
        attributes.record(&mut said);
        span.extensions_mut().insert(Said(said.0));
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let metadata = event.metadata();
        let mut line = Line(format!("{:.6} {:>5} {}:", Timestamp::now(), metadata.level(), metadata.target()));
        event.record(&mut line);
        for span in context.event_scope(event).into_iter().flatten() {
            let extensions = span.extensions();
            let said = extensions.get::<Said>().map_or("", |said| said.0.as_str());
            // Writing to a String cannot fail.
            let _ = write!(line.0, " ({}{said})", span.name());
        }
        self.keep(line.0);
    }
}

/// A line that fields are written to: the message as it is, others with their name.
struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        // Writing to a String cannot fail.
        let _ = if field.name() == "message" {
            write!(self.0, " {value:?}")
        } else {
            write!(self.0, " {}={value:?}", field.name())
        };
    }
}

#[cfg(test)]
mod tests {
    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;

    #[test]
    fn the_last_lines_are_kept_with_their_fields() {
        let journal = Journal::default();
        let subscriber = tracing_subscriber::registry().with(journal.clone());
        tracing::subscriber::with_default(subscriber, || {
            for number in 0..=LIMIT {
                tracing::info!(number, "hello");
            }
            tracing::info_span!("command", line = "qbo get nodes alex").in_scope(|| tracing::info!("done"));
            tracing::warn!("{}", "é".repeat(LINE_LIMIT));
        });
        let lines = journal.last(usize::MAX);
        assert_eq!(lines.len(), LIMIT);
        assert!(lines[0].ends_with(&format!("INFO {}: hello number=3", module_path!())), "{}", lines[0]);
        assert!(lines[LIMIT - 2].ends_with(": done (command line=\"qbo get nodes alex\")"), "{}", lines[LIMIT - 2]);
        assert!(lines[LIMIT - 1].len() < LINE_LIMIT + 4 && lines[LIMIT - 1].ends_with('…'));
        assert_eq!(journal.last(1), lines[LIMIT - 1..]);
    }
}
