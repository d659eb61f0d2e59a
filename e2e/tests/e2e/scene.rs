//! Where a test takes place: a Docker, and a qbo-api of its own. At the end nothing may be left of it.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use qbo_e2e::cli::Running;
use qbo_e2e::docker::{Docker, Inventory};
use qbo_e2e::kubectl::Kubectl;
use qbo_e2e::namespace::PrivateDocker;
use qbo_e2e::programs::{self, Programs};
use qbo_e2e::server::{Options, Server};
use qbo_e2e::wait;
use serde_json::Value;

/// For what a server does on its own.
const CLEANING: Duration = Duration::from_mins(4);
/// For a watch that broke to be there again.
const KNOWING: Duration = Duration::from_mins(3);
/// How often something is tried that must come in time, and may come late on a busy machine.
pub(crate) const ATTEMPTS: usize = 3;
/// The last of a node's log that is shown where a test fails.
const LOG_LINES: &str = "30";

/// Docker, a server, and what was there before.
pub(crate) struct Scene {
    pub(crate) docker: Docker,
    /// None while it is down.
    server: Option<Server>,
    options: Options,
    before: Inventory,
    /// That of all that its server makes.
    label: String,
    /// With which other servers looked into images then, or left when they crashed.
    probes_before: Vec<String>,
}

impl Scene {
    /// A server on this machine's Docker.
    pub(crate) fn new() -> Self {
        Self::with(Docker::default(), Options::default())
    }

    /// A server as wished for; `docker` is the one it is told of.
    pub(crate) fn with(docker: Docker, options: Options) -> Self {
        assert!(
            docker.attempt(&["image", "inspect", image()]).is_ok(),
            "Docker does not hold {}: make it with images/node/build, or name another: QBO_NODE_IMAGE",
            image()
        );
        let options = Options { image: Some(image().into()), ..options };
        let (before, probes_before) = (docker.inventory(), docker.probes());
        let server = Server::start(programs(), &options);
        let home = server.home().canonicalize().expect("the home directory is there");
        let label = format!("label=io.qbo.server={}", home.join(".qbo").display());
        Self { docker, server: Some(server), options, before, label, probes_before }
    }

    pub(crate) fn server(&self) -> &Server {
        self.server.as_ref().expect("the server runs")
    }

    /// Kills the server, and starts it again on the same home directory.
    pub(crate) fn crash_server(&mut self) {
        let home = self.server.take().expect("the server runs").crash();
        self.server = Some(Server::start_in(programs(), &self.options, home));
    }

    /// The machine that Docker and the server are on loses its power and gets it again; the server is there
    /// before Docker, and finds it.
    pub(crate) fn lose_power(&mut self, docker: &mut PrivateDocker) {
        docker.lose_power();
        docker.power_on();
        self.options.enter = docker.enter();
        self.crash_server();
        docker.start_daemon();
        wait::until_ok("the server to find Docker", CLEANING, || {
            let ended = self.server().run("get cluster -A");
            if ended.exit == 0 { Ok(()) } else { Err(ended.to_string()) }
        });
    }

    /// kubectl with the kubeconfig that qbo wrote for a cluster.
    pub(crate) fn kubectl(&self, cluster: &str) -> Kubectl {
        Kubectl::new(kubectl(&self.docker), &self.kubeconfig(cluster))
    }

    /// Where qbo writes a cluster's kubeconfig.
    pub(crate) fn kubeconfig(&self, cluster: &str) -> PathBuf {
        self.server().home().join(".qbo").join(format!("{cluster}.conf"))
    }

    /// The row of a cluster.
    #[track_caller]
    pub(crate) fn cluster(&self, cluster: &str) -> Value {
        let got = self.server().done(&format!("get cluster {cluster}"));
        got.rows("clusters")[0].clone()
    }

    /// The rows of a cluster under this key of `get`.
    #[track_caller]
    pub(crate) fn rows(&self, key: &str, cluster: &str) -> Vec<Value> {
        let got = self.server().done(&format!("get {key} {cluster}"));
        got.rows(key).into_iter().cloned().collect()
    }

    /// The same once they are known: a watch that breaks on a busy machine makes nodes unknown for a moment, and their cluster.
    #[track_caller]
    pub(crate) fn known_rows(&self, key: &str, cluster: &str) -> Vec<Value> {
        let is_known = |rows: &[Value]| rows.iter().all(|row| row["state"] != "unknown");
        self.await_in_rows(KNOWING, (key, cluster), "to be known", is_known)
    }

    /// The same once all of them are Ready, as whoever compares with them later takes them to be.
    #[track_caller]
    pub(crate) fn ready_rows(&self, key: &str, cluster: &str) -> Vec<Value> {
        let are_ready = |rows: &[Value]| rows.iter().all(|row| row["state"] == "ready");
        self.await_in_rows(KNOWING, (key, cluster), "to be ready", are_ready)
    }

    /// The state of a cluster, once it is known.
    #[track_caller]
    pub(crate) fn known_state(&self, cluster: &str) -> Value {
        self.known_rows("clusters", cluster)[0]["state"].clone()
    }

    /// The names and states of a cluster's nodes, the control planes' first.
    #[track_caller]
    pub(crate) fn states(&self, cluster: &str) -> Vec<(String, String)> {
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        self.rows("nodes", cluster).iter().map(|row| (text(&row["name"]), text(&row["state"]))).collect()
    }

    /// Waits until all nodes of a cluster are said to be in this state.
    #[track_caller]
    pub(crate) fn await_states(&self, limit: Duration, cluster: &str, state: &str) {
        let are_in_it = |rows: &[Value]| rows.iter().all(|row| row["state"] == state);
        self.await_in_rows(limit, ("nodes", cluster), &format!("to be {state}"), are_in_it);
    }

    /// Waits until the rows of a cluster under this key of `get` are these.
    #[track_caller]
    pub(crate) fn await_rows(&self, limit: Duration, key: &str, cluster: &str, rows: &[Value]) {
        self.await_in_rows(limit, (key, cluster), &format!("to be {rows:?}"), |found| found == rows);
    }

    /// Waits until the rows of a cluster under this key of `get` are told, there are some, and they are like this.
    #[track_caller]
    fn await_in_rows(
        &self,
        limit: Duration,
        (key, cluster): (&str, &str),
        what: &str,
        are_they: impl Fn(&[Value]) -> bool,
    ) -> Vec<Value> {
        wait::until_ok(&format!("{key} of {cluster} {what}"), limit, || {
            let got = self.server().run(&format!("get {key} {cluster}"));
            let rows: Vec<Value> = got.rows(key).into_iter().cloned().collect();
            if got.exit == 0 && !rows.is_empty() && are_they(&rows) { Ok(rows) } else { Err(got.to_string()) }
        })
    }

    /// Runs a command for something that is to be done, as soon as nobody else is at it and Docker is known to be there: whoever
    /// cleans up holds the cluster somewhat longer than what is cleaned up is there.
    #[track_caller]
    pub(crate) fn done_soon(&self, line: &str) {
        wait::until_ok(line, CLEANING, || match self.server().run(line) {
            ended if [409, 503].map(Value::from).contains(&ended.last()["code"]) => Err(ended.to_string()),
            ended => {
                ended.assert_done();
                Ok(())
            }
        });
    }

    /// Runs an `add node` whose node is killed while it joins: whoever runs it is told. A node that was Ready before goes again.
    #[track_caller]
    pub(crate) fn kill_while_it_joins(&self, line: &str) {
        for attempt in 1.. {
            let mut joining = Running::start(self.server().qbo(line));
            let message = joining.await_step("container", "done");
            let node = message["output"][0]["node"].as_str().expect("a step tells its node");
            self.docker.run(&["kill", node]);
            let ended = joining.end();
            if ended.exit != 0 || attempt == ATTEMPTS {
                ended.assert_failed(2, 502, "ended while it joined");
                return;
            }
            self.server().done(&format!("start node {node}"));
            self.server().done(&format!("delete node {node}"));
        }
    }

    /// The containers of a cluster.
    pub(crate) fn nodes(&self, cluster: &str) -> Vec<String> {
        self.docker.labelled(&format!("io.qbo.cluster={cluster}"))
    }

    /// Leaves a process of a pod as a runc does that is killed in the middle of its work: with version 1 of cgroups no signal ends it.
    pub(crate) fn freeze_in(&self, node: &str) {
        let find = "find /sys/fs/cgroup -path '*cri-containerd*' -name freezer.state | head -n 1 | xargs -r -I STATE sh -c 'echo FROZEN > STATE'";
        self.docker.run(&["exec", node, "sh", "-c", find]);
    }

    /// Docker holds what it held before, and `~/.qbo` nothing but the server's lock and configuration.
    #[track_caller]
    pub(crate) fn assert_clean(&self) {
        assert_eq!(self.left_overs(), "");
    }

    /// The same, as soon as the server has done what it does on its own.
    #[track_caller]
    pub(crate) fn await_clean(&self) {
        wait::until_ok("the server to clean up", CLEANING, || match self.left_overs() + &self.probes().concat() {
            left if left.is_empty() => Ok(()),
            left => Err(left),
        });
    }

    /// Ends the server. Whatever it was doing, nothing is left of it.
    #[track_caller]
    pub(crate) fn end(mut self) {
        let server = self.server.take().expect("the server runs");
        assert!(server.end().success(), "the server ends well when it is asked to");
        assert_eq!(self.probes(), Vec::<String>::new(), "the server has ended in the middle of something");
        assert_eq!(self.docker.inventory().difference(&self.before), "");
    }

    /// The containers with which the server looks into images just now.
    pub(crate) fn probes(&self) -> Vec<String> {
        let mut probes = self.docker.probes();
        probes.retain(|probe| !self.probes_before.contains(probe));
        probes
    }

    /// Those of the server's own containers that a filter names, one a line.
    pub(crate) fn own_containers(&self, filter: &str) -> String {
        self.docker.run(&["ps", "--all", "--quiet", "--filter", &self.label, "--filter", filter])
    }

    /// What Docker and `~/.qbo` hold and did not before, or the other way round.
    fn left_overs(&self) -> String {
        let files =
            self.state_directory().into_iter().filter(|name| !["api.json", "api.lock"].contains(&name.as_str()));
        let files: Vec<String> = files.map(|name| format!("\n  more: ~/.qbo/{name}")).collect();
        self.docker.inventory().difference(&self.before) + &files.concat()
    }

    fn state_directory(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.server().home().join(".qbo")).expect("the state directory is there");
        let mut names: Vec<String> =
            entries.map(|entry| entry.expect("it can be read").file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    /// Says what there is to say of a failed test, and removes what its server made.
    #[expect(clippy::print_stderr, reason = "a failed test says why")]
    fn tell_and_remove(&self) {
        let log = self.server.as_ref().map(Server::log).unwrap_or_default();
        let tail: Vec<&str> = log.lines().rev().take(40).collect();
        eprintln!("the end of qbo-api's log:");
        tail.iter().rev().for_each(|line| eprintln!("  {line}"));
        let own = ["--filter", &self.label];
        let list = |words: &[&str]| self.docker.attempt(&[words, &own].concat()).unwrap_or_default();
        for container in list(&["ps", "--all", "--format", "{{.Names}}"]).lines() {
            let journal = ["exec", container, "journalctl", "--no-pager", "--lines", LOG_LINES];
            let journal = self.docker.attempt(&journal).unwrap_or_else(|error| error);
            eprintln!("the end of the journal of {container}:\n{journal}");
            let _ = self.docker.attempt(&["rm", "--force", "--volumes", container]);
        }
        for network in list(&["network", "ls", "--format", "{{.Name}}"]).lines() {
            let _ = self.docker.attempt(&["network", "rm", network]);
        }
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.tell_and_remove();
        }
    }
}

/// An `add cluster` with these words, of the image of the tests.
pub(crate) fn add(words: &str) -> String {
    format!("add cluster {words} -i {}", image())
}

/// The node image of the tests.
pub(crate) fn image() -> &'static str {
    static IMAGE: OnceLock<String> = OnceLock::new();
    IMAGE.get_or_init(|| std::env::var("QBO_NODE_IMAGE").unwrap_or_else(|_| "qbo/node:v1.37.2".into()))
}

/// What runs inside pods.
pub(crate) fn probe() -> &'static Path {
    static PROBE: OnceLock<PathBuf> = OnceLock::new();
    PROBE.get_or_init(programs::probe)
}

/// The node image's kubectl, by way of the scene's Docker: with a private one beside them, other tests look at what the host's holds.
pub(crate) fn kubectl(docker: &Docker) -> &'static Path {
    static KUBECTL: OnceLock<PathBuf> = OnceLock::new();
    KUBECTL.get_or_init(|| Kubectl::fetch(docker, image(), Path::new(env!("CARGO_TARGET_TMPDIR"))))
}

fn programs() -> &'static Programs {
    static PROGRAMS: OnceLock<Programs> = OnceLock::new();
    PROGRAMS.get_or_init(|| Programs::find("dev"))
}
