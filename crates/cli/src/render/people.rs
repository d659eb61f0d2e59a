//! For people: tables of objects, long work as it goes, findings with their cures, and what to do next.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, Write};
use std::path::Path;
use std::time::Instant;

use qbo_api::command::{AddCluster, Command, Selection};
use qbo_api::message::{Change, Output, Payload, Verb};
use qbo_api::model::{State, Version};

use super::screen::{self, Screen};
use super::steps::{Steps, seconds};
use super::style::{Colour, Paint};
use super::table::Table;
use super::{Printer, checks};
use crate::failure::note;

/// Prints for people.
#[derive(Debug)]
pub(crate) struct People<W> {
    command: Command,
    screen: Screen<W>,
    paint: Paint,
    wide: bool,
    table: Table,
    steps: Steps,
    started: Instant,
    /// Whether the table is out, and what changes is told.
    following: bool,
    /// Whether something has changed since the table was drawn.
    outdated: bool,
    /// The clusters and the nodes that a command which changes something has told of, as it did last.
    clusters: BTreeMap<String, State>,
    nodes: BTreeMap<String, State>,
}

impl<W: Write> People<W> {
    /// A printer for the messages of this command.
    pub(crate) fn new(command: &Command, screen: Screen<W>, paint: Paint, wide: bool) -> Self {
        let several = match command {
            Command::AddCluster(add) => add.names.len() > 1,
            Command::AddImage(add) => add.images.len() > 1,
            Command::DeleteCluster(clusters) | Command::StartCluster(clusters) | Command::StopCluster(clusters) => {
                match &clusters.selection {
                    Selection::All => true,
                    Selection::Named(clusters) => clusters.len() > 1,
                }
            }
            Command::AddNode(add) => add.clusters.len() > 1,
            Command::LoadImage(load) => load.images.len() > 1,
            Command::AddRegistry(_) | Command::DeleteRegistry(_) | Command::ExportLogs(_) => true,
            _ => false,
        };
        Self {
            command: command.clone(),
            screen,
            paint,
            wide,
            table: Table::default(),
            steps: Steps::new(several, paint),
            started: Instant::now(),
            following: false,
            outdated: false,
            clusters: BTreeMap::new(),
            nodes: BTreeMap::new(),
        }
    }

    fn output(&mut self, row: &Output) -> io::Result<()> {
        let now = Instant::now();
        let lines: Vec<String> = match row {
            Output::Kubeconfig { kubeconfig } => vec![kubeconfig.trim_end().to_owned()],
            // What nobody kept: text as it is.
            Output::Piece { text, .. } => text.lines().map(str::to_owned).collect(),
            Output::Step(step) => self.steps.take(step, now).into_iter().collect(),
            Output::Check { message, level, cure, .. } => checks::lines(self.paint, level, message, cure.as_deref()),
            Output::Failure { problem, cure, .. } => {
                let problem = format!("{} {problem}", self.paint.paint(Colour::Red, "error:"));
                std::iter::once(problem).chain(cure.lines().map(|line| format!("  {line}"))).collect()
            }
            Output::Message { message } => vec![message.clone()],
        };
        self.screen.draw(&lines, &self.picture(now))
    }

    fn picture(&self, now: Instant) -> Vec<String> {
        if !self.screen.is_live() {
            return Vec::new();
        }
        if self.command.is_watch() {
            let (columns, rows) = screen::size();
            // One line is for the cursor. A line that wraps would be two when the picture is replaced, and the last column is filled
            // only to wrap.
            let room = (columns - 1, rows.saturating_sub(1).max(2));
            return self.table.fitting(self.paint, self.wide, room);
        }
        self.steps.picture(now, screen::size())
    }

    fn summary(&self, home: Option<&Path>) -> Vec<String> {
        let time = self.paint.paint(Colour::Dim, &format!("({})", seconds(self.started.elapsed().as_secs_f64())));
        let list = |names: Vec<String>| names.join(", ");
        // Not all is waited for where that was not wished, or nobody has brought a CNI.
        let mut told = self.clusters.values().chain(self.nodes.values());
        let ready = if told.all(|state| *state == State::Ready) { "Ready" } else { "Running" };
        match &self.command {
            Command::AddCluster(add) => {
                let names = add.names.iter().map(|name| self.paint.paint(Colour::Bold, name.as_str())).collect();
                let mut lines = vec![format!("{ready}: {} {time}", list(names)), String::new()];
                lines.extend(next_steps(add, home));
                lines
            }
            Command::AddImage(add) => {
                vec![format!("Here: {} {time}", list(add.images.iter().map(ToString::to_string).collect()))]
            }
            Command::AddRegistry(add) => {
                vec![format!("Known: {} {time}", list(add.registries.iter().map(ToString::to_string).collect()))]
            }
            Command::DeleteRegistry(delete) => {
                vec![format!("Forgotten: {} {time}", list(delete.registries.iter().map(ToString::to_string).collect()))]
            }
            Command::LoadImage(load) => {
                vec![format!("Loaded: {} {time}", list(load.images.iter().map(ToString::to_string).collect()))]
            }
            Command::DeleteCluster(clusters) => {
                vec![format!("Deleted: {} {time}", chosen(&clusters.selection, &self.clusters))]
            }
            Command::StartCluster(clusters) => {
                vec![format!("{ready}: {} {time}", chosen(&clusters.selection, &self.clusters))]
            }
            Command::StopCluster(clusters) => {
                vec![format!("Stopped: {} {time}", chosen(&clusters.selection, &self.clusters))]
            }
            Command::AddNode(add) => {
                let clusters = list(add.clusters.iter().map(ToString::to_string).collect());
                vec![format!("{ready}: {} more in {clusters} {time}", add.nodes.get())]
            }
            Command::DeleteNode(delete) => {
                vec![format!("Deleted: {} {time}", list(delete.nodes.iter().map(ToString::to_string).collect()))]
            }
            Command::StartNode(nodes) => vec![format!("{ready}: {} {time}", chosen(&nodes.selection, &self.nodes))],
            Command::StopNode(nodes) => vec![format!("Stopped: {} {time}", chosen(&nodes.selection, &self.nodes))],
            // With the command its connection ends, and with that its being in mirrors.
            Command::JoinMirror(join) => {
                let mirror = join.mirrors.first().map(ToString::to_string).unwrap_or_default();
                vec![format!(
                    "Joined, and left with this connection; where somebody stays in it: qbo get nodes -w {mirror}"
                )]
            }
            Command::LeaveMirror(_) | Command::AdmitUser(_) => vec!["Done".into()],
            _ => Vec::new(),
        }
    }
}

impl<W: Write> Printer for People<W> {
    fn payload(&mut self, payload: &Payload) -> io::Result<()> {
        let listing = self.command.kind().0 == Verb::Get;
        match payload {
            Payload::Version(rows) => {
                self.screen.draw(&rows.iter().flat_map(versions).collect::<Vec<_>>(), &[])?;
            }
            Payload::Output(rows) => rows.iter().try_for_each(|row| self.output(row))?,
            rows if listing => self.table.list(rows),
            // Beside an `add` or a `delete` these are changes of state, which the steps tell already.
            Payload::Clusters(rows) => self.clusters.extend(rows.iter().map(|row| (row.name.clone(), row.state))),
            Payload::Nodes(rows) => self.nodes.extend(rows.iter().map(|row| (row.name.clone(), row.state))),
            _ => {}
        }
        Ok(())
    }

    fn changed(&mut self, change: Change, rows: &Payload, _text: &str) -> io::Result<()> {
        match change {
            Change::Snapshot => {
                self.table = Table::default();
                self.table.put(rows);
            }
            Change::Put => self.table.put(rows),
            Change::Delete => self.table.remove(rows),
        }
        if !self.following {
            return Ok(());
        }
        if self.screen.is_live() {
            self.outdated = true;
            return Ok(());
        }
        // Where nothing can be drawn anew, what changed is told below; what is gone, so that it is not taken for what is there.
        let mut told = Table::default();
        told.list(rows);
        let sign = if change == Change::Delete { "-" } else { "" };
        let told = told.lines(self.paint, self.wide).into_iter().skip(1).map(|line| format!("{sign}{line}"));
        let told: Vec<String> = told.collect();
        self.screen.draw(&told, &[])
    }

    fn follow(&mut self) -> io::Result<()> {
        self.following = true;
        if self.screen.is_live() {
            return self.tick();
        }
        self.screen.draw(&self.table.lines(self.paint, self.wide), &[])
    }

    fn end(&mut self, success: bool) -> io::Result<()> {
        let mut lines = self.table.lines(self.paint, self.wide);
        if success {
            if lines.is_empty() {
                tell_empty(&self.command);
            }
            let home = std::env::var_os("HOME");
            lines.extend(self.summary(home.as_deref().map(Path::new)));
        }
        self.screen.draw(&lines, &[])
    }

    fn is_live(&self) -> bool {
        self.screen.is_live() && (self.outdated || !self.steps.is_empty())
    }

    fn tick(&mut self) -> io::Result<()> {
        self.outdated = false;
        self.screen.draw(&[], &self.picture(Instant::now()))
    }

    fn pause(&mut self) -> io::Result<()> {
        self.screen.draw(&[], &[])
    }
}

/// What was named; of all, those that were told of.
fn chosen<T: ToString>(selection: &Selection<T>, told: &BTreeMap<String, State>) -> String {
    match selection {
        Selection::All if told.is_empty() => "nothing".into(),
        Selection::All => told.keys().map(String::as_str).collect::<Vec<_>>().join(", "),
        Selection::Named(names) => names.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
    }
}

fn versions(version: &Version) -> Vec<String> {
    let Version { qbo_cli, docker_api, docker_version, qbo_api, host } = version;
    let row = |name: &str, version: &Option<String>, aside: String| {
        version.as_ref().map(|version| format!("{name:<8} {version}{aside}"))
    };
    let aside = |label: &str, value: &Option<String>| {
        value.as_ref().map_or_else(String::new, |value| format!(" ({label} {value})"))
    };
    [
        row("qbo", qbo_cli, String::new()),
        row("qbo-api", qbo_api, aside("on", host)),
        row("Docker", docker_version, aside("API", docker_api)),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// How a new cluster is used. The server writes a kubeconfig where it runs and for its own user, who need not be the one here.
fn next_steps(add: &AddCluster, home: Option<&Path>) -> Vec<String> {
    let Some(name) = add.names.first() else { return Vec::new() };
    let kubeconfig = if home.is_some_and(|home| home.join(format!(".qbo/{name}.conf")).is_file()) {
        format!("  export KUBECONFIG=~/.qbo/{name}.conf")
    } else {
        format!("  qbo export kubeconfig {name}")
    };
    let mut nodes = "  qbo get nodes".to_owned();
    for name in &add.names {
        // Writing to a String cannot fail.
        let _ = write!(nodes, " {name}");
    }
    vec![kubeconfig, "  kubectl get nodes".into(), nodes]
}

/// An empty list is an answer too; beside the output, which stays empty for scripts.
fn tell_empty(command: &Command) {
    match command {
        Command::GetCluster(get) if get.kubeconfig => {}
        Command::GetCluster(_) => note("There are no clusters; make one with: qbo add cluster NAME"),
        Command::GetNodes(_) => note("There are no nodes; make a cluster with: qbo add cluster NAME"),
        Command::GetPods(_) => note("There are no pods"),
        Command::GetServices(_) => note("There are no services"),
        Command::GetUsage(_) => {
            note("Nothing runs; start or make a cluster: qbo start cluster NAME, qbo add cluster NAME");
        }
        Command::GetNetworks(_) => note("There are no networks; make a cluster with: qbo add cluster NAME"),
        Command::GetRegistries(_) => note("No registry was added; add one with: qbo add registry HOST:PORT"),
        Command::GetImages(_) => note("There are no node images here; get one with: qbo add image IMAGE"),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use qbo_api::grammar::parse;
    use qbo_api::message::{Step, StepState};

    use super::*;
    use crate::render::table::samples;

    fn people(line: &str) -> People<Vec<u8>> {
        People::new(&parse(line).unwrap(), Screen::new(Vec::new(), false), Paint(false), false)
    }

    #[test]
    fn a_list_is_printed_at_its_end() {
        let mut people = people("get cluster");
        people.payload(&Payload::Clusters(samples::clusters()[..1].to_vec())).unwrap();
        people.payload(&Payload::Clusters(samples::clusters()[1..].to_vec())).unwrap();
        assert_eq!(people.screen.text(), "");
        people.end(true).unwrap();
        assert_eq!(people.screen.text().lines().count(), 3);
    }

    #[test]
    fn what_changes_is_told_below_where_nothing_can_be_drawn_anew() {
        let mut people = people("get cluster -w");
        people.payload(&Payload::Clusters(samples::clusters())).unwrap();
        people.follow().unwrap();
        people.changed(Change::Put, &Payload::Clusters(samples::clusters()[1..].to_vec()), "").unwrap();
        let text = people.screen.text();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!((lines.len(), lines[3]), (4, "prod   creating   -         control-99aa88bb.localhost"));
        people.changed(Change::Delete, &Payload::Clusters(samples::clusters()[1..].to_vec()), "").unwrap();
        assert_eq!(
            people.screen.text().lines().last(),
            Some("-prod   creating   -         control-99aa88bb.localhost")
        );
    }

    #[test]
    fn changes_are_drawn_together_with_the_next_picture() {
        let screen = Screen::new(Vec::new(), true);
        let mut people = People::new(&parse("get cluster -w").unwrap(), screen, Paint(false), false);
        people.payload(&Payload::Clusters(samples::clusters())).unwrap();
        people.follow().unwrap();
        assert!(!people.is_live(), "nothing has changed");
        let first = people.screen.text();
        let mut changed = samples::clusters();
        for state in [State::Stopping, State::Stopped] {
            changed[0].state = state;
            people.changed(Change::Put, &Payload::Clusters(changed.clone()), "").unwrap();
        }
        assert_eq!(people.screen.text(), first);
        assert!(people.is_live());
        people.tick().unwrap();
        let text = people.screen.text();
        assert!(text.contains("stopped") && !text.contains("stopping") && !people.is_live(), "{text}");
    }

    #[test]
    fn a_kubeconfig_is_printed_plain() {
        let mut people = people("get cluster -k alex");
        let rows = vec![Output::Kubeconfig { kubeconfig: "apiVersion: v1\nkind: Config\n".into() }];
        people.payload(&Payload::Output(rows)).unwrap();
        people.end(true).unwrap();
        assert_eq!(people.screen.text(), "apiVersion: v1\nkind: Config\n");
    }

    #[test]
    fn an_add_tells_its_steps_and_what_comes_next() {
        let mut people = people("add cluster alex");
        let step = |state| {
            Output::Step(Step {
                message: "   0.1 s  alex  network: done".into(),
                object: "alex".into(),
                node: String::new(),
                step: "network".into(),
                state,
                detail: String::new(),
                elapsed: 0.1,
                duration: 0.1,
            })
        };
        people.payload(&Payload::Output(vec![step(StepState::Started), step(StepState::Done)])).unwrap();
        people.payload(&Payload::Clusters(samples::clusters()[..1].to_vec())).unwrap();
        people.end(true).unwrap();
        let text = people.screen.text();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines[0], "   0.1s ✓ alex              network                                     0.1s");
        assert_eq!(lines[1], "Ready: alex (0.0s)");
        assert_eq!(lines.last(), Some(&"  qbo get nodes alex"));
    }

    #[test]
    fn what_is_not_ready_is_not_said_to_be() {
        for (nodes, word) in [(&samples::nodes()[..1], "Ready"), (&samples::nodes()[..], "Running")] {
            let mut people = people("start cluster alex");
            let mut before = nodes.to_vec();
            for node in &mut before {
                node.state = State::Starting;
            }
            people.payload(&Payload::Nodes(before)).unwrap();
            people.payload(&Payload::Nodes(nodes.to_vec())).unwrap();
            people.end(true).unwrap();
            assert_eq!(people.screen.text(), format!("{word}: alex (0.0s)\n"));
        }
    }

    #[test]
    fn of_all_those_are_named_that_were_told_of() {
        for (rows, said) in [(1, "Ready: alex"), (0, "Ready: nothing")] {
            let mut people = people("start cluster -A");
            people.payload(&Payload::Clusters(samples::clusters()[..rows].to_vec())).unwrap();
            people.end(true).unwrap();
            assert_eq!(people.screen.text(), format!("{said} (0.0s)\n"));
        }
    }

    #[test]
    fn the_next_step_needs_a_kubeconfig_of_this_user() {
        let Command::AddCluster(add) = parse("add cluster alex dev").unwrap() else { unreachable!() };
        let home = tempfile::tempdir().unwrap();
        assert_eq!(
            next_steps(&add, Some(home.path())),
            ["  qbo export kubeconfig alex", "  kubectl get nodes", "  qbo get nodes alex dev"]
        );
        std::fs::create_dir(home.path().join(".qbo")).unwrap();
        std::fs::write(home.path().join(".qbo/alex.conf"), "").unwrap();
        assert_eq!(next_steps(&add, Some(home.path()))[0], "  export KUBECONFIG=~/.qbo/alex.conf");
    }

    #[test]
    fn versions_are_lines() {
        let mut people = people("version");
        let text = |value: &str| Some(value.to_owned());
        let own = Version { qbo_cli: text("0.1.0"), ..Version::default() };
        let server = Version {
            docker_api: text("1.41"),
            docker_version: text("20.10.24"),
            qbo_api: text("0.1.0"),
            host: text("nemo"),
            ..Version::default()
        };
        people.payload(&Payload::Version(vec![own])).unwrap();
        people.payload(&Payload::Version(vec![server])).unwrap();
        assert_eq!(people.screen.text(), "qbo      0.1.0\nqbo-api  0.1.0 (on nemo)\nDocker   20.10.24 (API 1.41)\n");
    }

    #[test]
    fn the_failure_of_one_of_several_is_told_among_the_lines() {
        let mut people = people("add cluster alex dev");
        let failure = Output::Failure { message: "p; c".into(), problem: "p".into(), cure: "c".into() };
        people.payload(&Payload::Output(vec![failure])).unwrap();
        people.end(false).unwrap();
        assert_eq!(people.screen.text(), "error: p\n  c\n");
    }
}
