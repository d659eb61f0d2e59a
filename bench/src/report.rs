//! Medians, ratios, and where qbo's time goes, as Markdown.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use qbo_api::message::{Message, Output, Payload, StepState};
use qbo_bench::document::cores;
use qbo_bench::statistics::median;

use crate::contender::Contender;
use crate::observe::Times;

/// What is measured, as the table calls it.
const MEASURES: [(&str, Measure); 6] = [
    ("command returns", |times| Some(times.returned)),
    ("all nodes Ready", |times| Some(times.ready)),
    ("DNS answers a pod", |times| Some(times.answered)),
    // kind's first pod may ask before its last node is Ready.
    ("all Ready, and DNS answers", |times| Some(times.ready.max(times.answered))),
    ("one more worker Ready", |times| times.joined),
    ("deleted", |times| Some(times.deleted)),
];

/// One of the times, where that was measured.
type Measure = fn(&Times) -> Option<Duration>;

/// All that was measured.
#[derive(Default)]
pub(crate) struct Report {
    times: BTreeMap<(usize, Contender), Vec<Times>>,
    steps: BTreeMap<usize, Vec<Steps>>,
}

/// The steps of one cluster in the order they began, each with the seconds of its beginning and its end.
#[derive(Default)]
pub(crate) struct Steps(Vec<(String, f64, f64)>);

impl Steps {
    /// The steps that qbo's messages tell of; where a step is done on several nodes it lasts until the last has done it.
    pub(crate) fn of_messages(lines: &str) -> Self {
        let mut steps = Self::default();
        for message in lines.lines().filter_map(|line| serde_json::from_str::<Message>(line).ok()) {
            let Payload::Output(rows) = message.payload else { continue };
            for row in rows {
                if let Output::Step(step) = row
                    && step.state == StepState::Done
                {
                    let name = if step.node.is_empty() { step.step } else { format!("– {} of each node", step.step) };
                    steps.add(name, step.elapsed - step.duration, step.elapsed);
                }
            }
        }
        steps.0.sort_by(|left, right| left.1.total_cmp(&right.1));
        steps
    }

    fn add(&mut self, name: String, began: f64, ended: f64) {
        match self.0.iter_mut().find(|(known, ..)| *known == name) {
            Some((_, first, last)) => (*first, *last) = (first.min(began), last.max(ended)),
            None => self.0.push((name, began, ended)),
        }
    }
}

impl Report {
    pub(crate) fn add(&mut self, contender: Contender, nodes: usize, times: Times, steps: Steps) {
        self.times.entry((nodes, contender)).or_default().push(times);
        if contender == Contender::Qbo {
            self.steps.entry(nodes).or_default().push(steps);
        }
    }

    /// The tables.
    pub(crate) fn markdown(&self, sizes: &[usize]) -> String {
        let rounds = self.times.values().map(Vec::len).max().unwrap_or(0);
        let mut text = format!("Medians of {rounds} rounds, seconds; machine: {} cores.\n\n", cores());
        text.push_str("| nodes | | qbo | kind | qbo / kind |\n|---|---|---|---|---|\n");
        for &nodes in sizes {
            for (name, pick) in MEASURES {
                let median = |contender| {
                    let picked = self.times.get(&(nodes, contender))?.iter().filter_map(pick);
                    median(picked.map(|time| time.as_secs_f64()))
                };
                let (qbo, kind) = (median(Contender::Qbo), median(Contender::Kind));
                let ratio = qbo.zip(kind).map(|(qbo, kind)| format!("{:.2}", qbo / kind));
                let cell = |seconds: Option<f64>| seconds.map_or("–".into(), |seconds| format!("{seconds:.1}"));
                let ratio = ratio.unwrap_or_else(|| "–".into());
                // Writing to a String cannot fail.
                let _ = writeln!(text, "| {nodes} | {name} | {} | {} | {ratio} |", cell(qbo), cell(kind));
            }
        }
        for (nodes, rounds) in self.steps.iter().filter(|(_, rounds)| !rounds.is_empty()) {
            let _ =
                writeln!(text, "\n### Where qbo's time goes, {nodes} {}\n", if *nodes == 1 { "node" } else { "nodes" });
            text.push_str("| step | begins | lasts |\n|---|---|---|\n");
            for (name, ..) in &rounds[0].0 {
                let of_step = || rounds.iter().filter_map(|steps| steps.0.iter().find(|(other, ..)| other == name));
                let begins = median(of_step().map(|(_, began, _)| *began)).unwrap_or_default();
                let lasts = median(of_step().map(|(_, began, ended)| ended - began)).unwrap_or_default();
                let _ = writeln!(text, "| {name} | {begins:.1} | {lasts:.1} |");
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_of_several_nodes_lasts_from_the_first_to_the_last() {
        let mut steps = Steps::default();
        steps.add("ready".into(), 1.0, 3.0);
        steps.add("ready".into(), 0.5, 2.0);
        assert_eq!(steps.0, [("ready".to_owned(), 0.5, 3.0)]);
    }
}
