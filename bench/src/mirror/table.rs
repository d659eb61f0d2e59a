//! What was measured, as Markdown.

use std::fmt::Write as _;

use crate::answer::Answer;
use crate::event::Event;
use crate::fanout::FanOut;
use crate::memory::Memories;

/// All that was measured.
#[derive(Default)]
pub(crate) struct Results {
    pub(crate) answers: Vec<Answer>,
    pub(crate) events: Vec<Event>,
    pub(crate) fan_outs: Vec<FanOut>,
    pub(crate) memories: Option<Memories>,
}

impl Results {
    /// The tables of all parts that were measured, by the part's name. Writing to a String cannot fail.
    pub(crate) fn tables(&self) -> Vec<(&'static str, String)> {
        type Write = fn(&Results, &mut String);
        let parts: [(&str, Write); 4] = [
            ("get", Self::write_answers),
            ("events", Self::write_events),
            ("fan-out", Self::write_fan_outs),
            ("memory", Self::write_memories),
        ];
        let written = parts.map(|(name, write)| {
            let mut text = String::new();
            write(self, &mut text);
            (name, text)
        });
        written.into_iter().filter(|(_, text)| !text.is_empty()).collect()
    }

    fn write_answers(&self, text: &mut String) {
        if self.answers.is_empty() {
            return;
        }
        text.push_str("Milliseconds; goal: p50 at most 0.3.\n\n");
        text.push_str("| command | rows | bytes | p50 | p99 | bare p50 | bare p99 | p50 / bare |\n");
        text.push_str("|---|---|---|---|---|---|---|---|\n");
        for answer in &self.answers {
            let ((p50, p99), (bare50, bare99)) =
                (Answer::percentiles(&answer.server), Answer::percentiles(&answer.peer));
            let Answer { command, rows, bytes, .. } = answer;
            let _ = writeln!(
                text,
                "| `{command}` | {rows} | {bytes} | {:.3} | {:.3} | {:.3} | {:.3} | {:.1} |",
                p50 * 1e3,
                p99 * 1e3,
                bare50 * 1e3,
                bare99 * 1e3,
                p50 / bare50,
            );
        }
    }

    fn write_events(&self, text: &mut String) {
        if self.events.is_empty() {
            return;
        }
        text.push_str("Milliseconds, p50 and p99; goal: p99 at most 10 since it was done.\n\n");
        text.push_str(
            "| action | actions | subscriber told | since it was done | peer hears | added by the server |\n|---|---|---|---|---|---|\n",
        );
        for event in &self.events {
            let cell = |times: &[f64]| {
                let (p50, p99) = Answer::percentiles(times);
                format!("{:.1}, {:.1}", p50 * 1e3, p99 * 1e3)
            };
            let (told, done) = (cell(&event.told), cell(&event.done));
            let (peer, added) = (cell(&event.peer), cell(&event.added));
            let _ = writeln!(text, "| {} | {} | {told} | {done} | {peer} | {added} |", event.action, event.told.len());
        }
    }

    fn write_fan_outs(&self, text: &mut String) {
        if self.fan_outs.is_empty() {
            return;
        }
        text.push_str("Medians; goal: at least 0.60 of the raw writer's throughput.\n\n");
        text.push_str(
            "| subscribers | changes | bytes to each | ms | messages/s | raw ms | of raw | raw joined ms | of raw joined |\n",
        );
        text.push_str("|---|---|---|---|---|---|---|---|---|\n");
        for fan_out in &self.fan_outs {
            let FanOut { subscribers, changes, bytes, server, raw, raw_joined, .. } = fan_out;
            let messages = u32::try_from(subscribers * changes).map_or(f64::INFINITY, f64::from);
            let _ = writeln!(
                text,
                "| {subscribers} | {changes} | {bytes} | {:.1} | {:.0} | {:.1} | {:.2} | {:.1} | {:.2} |",
                server * 1e3,
                messages / server,
                raw * 1e3,
                raw / server,
                raw_joined * 1e3,
                raw_joined / server,
            );
        }
        if let Some(last) = self.fan_outs.last() {
            let (kibibytes, count) = (last.connection / 1024, last.subscribers);
            let _ = writeln!(text, "\nResident memory of the server for each of {count} connections: {kibibytes} KiB.");
        }
    }

    fn write_memories(&self, text: &mut String) {
        let Some(Memories { pods, moments }) = &self.memories else { return };
        let _ = writeln!(
            text,
            "MiB of qbo-api with {pods} pods; goal: at most 150. \
             The peak is that of the process so far.\n",
        );
        text.push_str("| moment | resident | peak |\n|---|---|---|\n");
        for (moment, memory) in moments {
            let _ = writeln!(text, "| {moment} | {} | {} |", memory.resident >> 20, memory.peak >> 20);
        }
    }
}
