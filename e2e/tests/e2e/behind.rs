//! What `docker` and `kubectl` do behind qbo's back is told to whoever follows, and `get` knows it as well.

use std::time::Duration;

use qbo_e2e::cli::Running;
use qbo_e2e::socket::Socket;
use qbo_e2e::wait;
use serde_json::Value;

use crate::scene::{Scene, add, image};
use crate::workload::Workload;

const CLUSTER: &str = "qbo-e2e-behind";
/// For a change to be told, on a busy machine.
const SOON: Duration = Duration::from_mins(2);
/// Another name of the image of the tests.
const IMAGE: &str = "qbo-e2e/node:behind";
/// A mirror that somebody names.
const MIRROR: &str = "5d1f2ab0-8e52-4c0e-9c55-0a4d2b6f7e11";
/// For a node that starts to be Ready.
const STARTED: Duration = Duration::from_mins(2);
/// For an API server that hangs to be found out, and for one that answers again.
const HANGING: Duration = Duration::from_mins(2);

#[test]
fn what_happens_behind_qbos_back_is_seen() {
    let mut scene = Scene::new();
    scene.server().done(&add(&format!("{CLUSTER} -n 2")));
    let kubectl = scene.kubectl(CLUSTER);
    let names: Vec<String> = scene.states(CLUSTER).into_iter().map(|(name, _)| name).collect();
    let [control_plane, worker] = names.as_slice() else { panic!("{names:?}") };
    let workload = Workload::new(&kubectl, &scene.docker, &names);

    // By the first digits of an id, by name, and by those of a mirror that somebody is in.
    let id = scene.cluster(CLUSTER)["id"].as_str().expect("a text")[..8].to_owned();
    let mut nodes = Follower::start(&scene, "nodes", &id);
    let mut clusters = Follower::start(&scene, "clusters", CLUSTER);
    let mut member = Socket::open(scene.server().port());
    assert_eq!(member.ask(&format!("join mirror {MIRROR}")).last().expect("an answer")["code"], 200);
    let mut services = Follower::start(&scene, "services", &MIRROR[..8]);
    let is = |node: &str, state: &str| {
        let (node, state) = (node.to_owned(), state.to_owned());
        move |row: &Value| row["name"] == *node && row["state"] == *state
    };
    scene.docker.run(&["kill", worker]);
    let told = nodes.sees(SOON, "put", is(worker, "stopped"));
    scene.await_rows(SOON, "nodes", worker, &[told]);
    scene.docker.run(&["start", worker]);
    let told = nodes.sees(STARTED, "put", is(worker, "ready"));
    scene.await_rows(SOON, "nodes", worker, &[told]);

    // What Docker pauses it does not start, and qbo does.
    scene.docker.run(&["pause", worker]);
    nodes.sees(SOON, "put", is(worker, "stopped"));
    scene.server().done(&format!("start node {worker}"));
    assert_eq!(scene.docker.run(&["inspect", "--format", "{{.State.Status}}", worker]), "running");

    let mut images = Follower::start(&scene, "images", "");
    scene.docker.run(&["tag", image(), IMAGE]);
    let told = images.sees(SOON, "put", |row| row["tag"] == "behind");
    assert!(scene.rows("images", "").contains(&told));
    scene.docker.run(&["rmi", IMAGE]);
    images.sees(SOON, "delete", |row| row["name"] == told["name"]);
    assert!(!scene.rows("images", "").contains(&told));

    let mut pods = Follower::start(&scene, "pods", CLUSTER);
    let mut same_pods = Follower::start(&scene, "pods", &id);
    workload.start_idle("behind", worker);
    let told = pods.sees(STARTED, "put", |row| row["name"] == "behind" && row["status"] == "Running");
    assert_eq!((&told["ready"], &told["node"], &told["node_status"]), (&1.into(), &worker[..].into(), &"ready".into()));
    assert!(scene.rows("pods", CLUSTER).contains(&told));
    same_pods.sees(SOON, "put", |row| *row == told);
    let mut usage = Follower::start(&scene, "usage", CLUSTER);
    let uses = |row: &Value| row["memory"].as_u64() > Some(0) && row["cluster"] == CLUSTER;
    usage.sees(SOON, "snapshot", |row| row["id"] == told["id"] && row["node"] == *worker && uses(row));
    // Of a static pod the kernel knows another uid than the API server.
    let etcd = format!("etcd-{}", control_plane.split('.').next().unwrap_or_default());
    let works = |row: &Value| uses(row) && row["cpu"].as_f64() > Some(0.0);
    usage.sees(SOON, "snapshot", |row| {
        row["kind"] == "pod" && row["name"].as_str().is_some_and(|name| name.starts_with(&etcd)) && works(row)
    });
    usage.sees(SOON, "snapshot", |row| row["kind"] == "node" && row["name"] == *control_plane && works(row));
    kubectl.run(&["delete", "pod", "behind", "--grace-period=0", "--force"]);
    for pods in [&mut pods, &mut same_pods] {
        pods.sees(SOON, "delete", |row| row["id"] == told["id"]);
    }
    assert!(scene.rows("pods", CLUSTER).iter().all(|row| row["id"] != told["id"]));

    kubectl.run(&["create", "service", "clusterip", "behind", "--tcp=80:8080"]);
    let told = services.sees(SOON, "put", |row| row["name"] == "behind");
    assert!(scene.rows("services", CLUSTER).contains(&told));

    let signal = |signal: &str| scene.docker.run(&["exec", control_plane, "pkill", signal, "-x", "kube-apiserver"]);
    signal("-STOP");
    nodes.sees(HANGING, "put", is(worker, "unknown"));
    pods.sees(SOON, "put", |row| row["namespace"] == "kube-system" && row["status"] == "Unknown");
    clusters.sees(SOON, "put", |row| row["state"] == "unknown");
    assert_eq!(scene.cluster(CLUSTER)["state"], "unknown");
    scene.server().refuses(&format!("add node {CLUSTER}"), 1, 409, "does not answer");
    signal("-CONT");
    nodes.sees(HANGING, "put", is(worker, "ready"));
    scene.await_states(SOON, CLUSTER, "ready");
    // All watches break; what changed until they are there again is told then.
    signal("-KILL");
    wait::until_ok("an API server to be there again", STARTED, || {
        kubectl.attempt(&["delete", "service", "behind", "--ignore-not-found"])
    });
    services.sees(HANGING, "delete", |row| row["name"] == "behind");
    scene.await_states(HANGING, CLUSTER, "ready");

    let before = known(&scene);
    assert!(before.iter().all(|rows| !rows.is_empty()), "{before:?}");
    let sequence = sequence(&scene);
    scene.crash_server();
    wait::until_ok("a new server to know what the killed one knew", STARTED, || match known(&scene) {
        rows if rows == before => Ok(()),
        rows => Err(format!("{before:?} but {rows:?}")),
    });
    assert!(self::sequence(&scene) > sequence, "what is told now is later than what was told before");

    let network = scene.rows("networks", CLUSTER);
    let mut networks = Follower::start(&scene, "networks", CLUSTER);
    // What somebody connected to the cluster's network, as people do with registries, is theirs, and does not keep the network.
    let guest = ["run", "--detach", "--rm", "--network", CLUSTER, "--entrypoint", "sleep", image(), "infinity"];
    let guest = scene.docker.run(&guest);
    scene.server().done(&format!("delete cluster {CLUSTER}"));
    networks.sees(SOON, "delete", |row| row["id"] == network[0]["id"]);
    assert_eq!(scene.docker.run(&["inspect", "--format", "{{.State.Running}}", &guest]), "true");
    scene.docker.run(&["rm", "--force", &guest]);
    scene.assert_clean();
    scene.end();
}

/// What is known of the cluster's objects, but for what goes on by itself.
fn known(scene: &Scene) -> [Vec<Value>; 3] {
    let ids = |key| scene.rows(key, CLUSTER).into_iter().map(|row| row["id"].clone()).collect();
    [scene.rows("nodes", CLUSTER), ids("pods"), ids("services")]
}

/// How far the history of all that is known is.
fn sequence(scene: &Scene) -> u64 {
    let got = scene.server().done("get nodes -A");
    got.messages.iter().find_map(|message| message["sequence"].as_u64()).expect("rows tell when they were so")
}

/// A `get … -w`.
struct Follower {
    key: &'static str,
    running: Running,
}

impl Follower {
    /// Follows from here on.
    fn start(scene: &Scene, key: &'static str, what: &str) -> Self {
        let mut running = Running::start(scene.server().qbo(&format!("get {key} -w {what}")));
        running.await_message("its list", |message| message["code"] == 200);
        Self { key, running }
    }

    /// Waits until it is told that this became of such a row, and returns the row.
    #[track_caller]
    fn sees(&mut self, limit: Duration, change: &str, is_it: impl Fn(&Value) -> bool) -> Value {
        self.running.await_change(limit, (change, self.key), "a change of a row", is_it)
    }
}
