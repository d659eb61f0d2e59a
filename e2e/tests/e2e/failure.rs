//! The host fails: its disk is full, its Docker dies. On a Docker of the test's own, since others' would suffer.

use std::process::{Command, Stdio};
use std::time::Duration;

use qbo_e2e::cli::{Ended, Running};
use qbo_e2e::docker::Docker;
use qbo_e2e::namespace::PrivateDocker;
use qbo_e2e::registry::archive;
use qbo_e2e::server::Options;
use qbo_e2e::wait;

use crate::scene::{ATTEMPTS, Scene, add, image, kubectl, probe};

/// Room for the image and some nodes.
const SIZE: &str = "8g";
/// Too little for a container's own directories.
const NOTHING: u64 = 64 << 10;
/// Enough to run, but less than a cluster asks for.
const LITTLE: u64 = 512 << 20;
/// Of a host that has nothing else.
const PORT: u16 = 8443;
/// Of the host's Docker.
const APP: &str = "qbo-e2e-app:1";
/// For a Docker that died to be missed.
const DYING: Duration = Duration::from_mins(2);
/// For a cluster to be Ready after Docker started.
const COMING_BACK: Duration = Duration::from_mins(5);

#[test]
fn a_full_disk_a_dying_docker_and_a_loss_of_power_leave_nothing_and_clusters_come_back() {
    let mut docker = PrivateDocker::start(SIZE);
    load_image(&docker.client());
    let options = Options { docker: Some(docker.host()), enter: docker.enter(), ..Options::default() };
    let mut scene = Scene::with(docker.client(), options);

    docker.leave(LITTLE);
    scene.server().refuses(&add("qbo-e2e-little"), 2, 507, "a cluster needs at least");
    docker.resize(SIZE);
    scene.assert_clean();

    a_disk_fills_up_while_a_cluster_is_made(&scene, &docker);

    let mut adding = Running::start(scene.server().qbo(&add("qbo-e2e-dying")));
    adding.await_step("container", "done");
    docker.kill();
    adding.end().assert_failed(2, 503, "Docker does not answer");
    docker.start_daemon();
    scene.await_clean();

    a_cluster_comes_back(&mut scene, &mut docker);
    docker_dies_while_a_cluster_changes(&scene, &mut docker);
    scene.end();
}

/// Docker says so of containers; where they were there before the disk was full, they fail in other ways, and it is tried again.
fn a_disk_fills_up_while_a_cluster_is_made(scene: &Scene, docker: &PrivateDocker) {
    for attempt in 1.. {
        let mut adding = Running::start(scene.server().qbo(&add("qbo-e2e-full --timeout 2m")));
        adding.await_step("network and certificates", "started");
        docker.leave(NOTHING);
        let ended = adding.end();
        docker.resize(SIZE);
        scene.await_clean();
        if ended.last()["code"] == 507 || attempt == ATTEMPTS {
            ended.assert_failed(2, 507, "disk is full");
            return;
        }
    }
}

/// While Docker is dead its clusters are known and nobody knows how they are; with Docker they come back by themselves, those of
/// several control planes too, nodes that are held back from their end too, and so they do with the whole machine.
fn a_cluster_comes_back(scene: &mut Scene, docker: &mut PrivateDocker) {
    let cluster = "qbo-e2e-back";
    scene.server().done(&add(&format!("{cluster} -n 4 --control-planes 3 -p 127.0.0.1:{PORT}:6443")));
    leads_in(scene, docker, cluster, &["create", "configmap", "kept"]);
    let nodes = scene.ready_rows("nodes", cluster);
    let container = nodes[0]["id"].as_str().expect("a text");
    let started =
        |docker: &PrivateDocker| docker.client().run(&["inspect", "--format", "{{.State.StartedAt}}", container]);
    let before = started(docker);
    // Killed with Docker, this one cannot end.
    scene.freeze_in(nodes[1]["name"].as_str().expect("a text"));
    docker.kill();
    scene.await_states(DYING, cluster, "unknown");
    assert_eq!(scene.cluster(cluster)["state"], "unknown");
    scene.server().refuses(&format!("stop cluster {cluster}"), 2, 503, "Docker does not answer");

    docker.start_daemon();
    scene.await_rows(COMING_BACK, "nodes", cluster, &nodes);
    assert_ne!(started(docker), before, "its containers began anew");
    leads_in(scene, docker, cluster, &["get", "configmap", "kept"]);

    docker.stop_daemon();
    scene.await_states(DYING, cluster, "unknown");
    docker.start_daemon();
    scene.await_rows(COMING_BACK, "nodes", cluster, &nodes);

    scene.lose_power(docker);
    scene.await_rows(COMING_BACK, "nodes", cluster, &nodes);
    leads_in(scene, docker, cluster, &["get", "configmap", "kept"]);
    docker_dies_while_a_cluster_stops(scene, docker, cluster);
    scene.server().done(&format!("delete cluster {cluster}"));
    scene.assert_clean();
}

/// Its user is told; whatever had stopped by then, the same command does it as soon as Docker is back.
fn docker_dies_while_a_cluster_stops(scene: &mut Scene, docker: &mut PrivateDocker, cluster: &str) {
    let line = format!("stop cluster {cluster}");
    let mut stopping = Running::start(scene.server().qbo(&line));
    stopping.await_step("stop", "done");
    docker.kill();
    is_told_unless_done(&stopping.end());
    scene.await_states(DYING, cluster, "unknown");
    docker.start_daemon();
    wait::until_ok("the cluster to be stopped", COMING_BACK, || {
        let ended = scene.server().run(&line);
        if ended.exit == 0 { Ok(()) } else { Err(ended.to_string()) }
    });
    scene.lose_power(docker);
    scene.await_states(COMING_BACK, cluster, "stopped");
    scene.done_soon(&format!("start cluster {cluster}"));
    scene.await_states(COMING_BACK, cluster, "ready");
}

/// Whoever changed the cluster is told. As soon as Docker is back it is as it was or as it was to be, and the same command
/// does the rest.
fn docker_dies_while_a_cluster_changes(scene: &Scene, docker: &mut PrivateDocker) {
    let cluster = "qbo-e2e-changing";
    scene.server().done(&add(&format!("{cluster} -n 1")));
    let before = scene.ready_rows("nodes", cluster);
    let add_node = format!("add node {cluster}");
    // The node that did not join goes.
    let is_as_before = || scene.await_rows(COMING_BACK, "nodes", cluster, &before);
    docker_dies(scene, docker, &add_node, ("container", "done"));
    is_as_before();
    docker_stops_while_a_node_joins(scene, docker, &add_node);
    is_as_before();
    scene.done_soon(&add_node);
    let names: Vec<String> = scene.states(cluster).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names.len(), 2);

    let program = std::fs::read(probe()).expect("the probe is there");
    scene.docker.load(APP, "amd64", &archive("probe", 0o755, &program));
    let load = format!("load image {APP} -c {cluster}");
    docker_dies(scene, docker, &load, ("load", "started"));
    scene.await_states(COMING_BACK, cluster, "ready");
    scene.done_soon(&load);

    let delete_node = format!("delete node {}", names[1]);
    docker_dies(scene, docker, &delete_node, ("drain", "done"));
    goes(scene, &delete_node);
    scene.await_states(COMING_BACK, cluster, "ready");
    assert_eq!(scene.states(cluster).len(), 1);

    scene.done_soon(&format!("stop cluster {cluster}"));
    let start = format!("start cluster {cluster}");
    docker_dies(scene, docker, &start, ("start", "done"));
    scene.done_soon(&start);
    is_as_before();

    let delete = format!("delete cluster {cluster}");
    docker_dies(scene, docker, &delete, ("delete", "started"));
    goes(scene, &delete);
    scene.docker.run(&["image", "rm", APP]);
    scene.assert_clean();
}

/// What a command deletes goes by it, where it has not gone already.
fn goes(scene: &Scene, line: &str) {
    wait::until_ok(line, COMING_BACK, || match scene.server().run(line) {
        ended if ended.exit == 0 || ended.last()["code"] == 404 => Ok(()),
        ended => Err(ended.to_string()),
    });
}

/// Docker dies as soon as a command has come so far, and is there again.
fn docker_dies(scene: &Scene, docker: &mut PrivateDocker, line: &str, (step, state): (&str, &str)) {
    let mut running = Running::start(scene.server().qbo(line));
    running.await_step(step, state);
    docker.kill();
    is_told_unless_done(&running.end());
    docker.start_daemon();
}

/// What was left of a command when Docker died may have been so little that it was done before.
fn is_told_unless_done(ended: &Ended) {
    if ended.exit != 0 {
        ended.assert_failed(2, 503, "Docker does not answer");
    }
}

/// Docker is stopped while a node joins, as for an update of it, and is there again. Containers end before Docker does, so
/// that its user is told of whichever is seen first.
fn docker_stops_while_a_node_joins(scene: &Scene, docker: &mut PrivateDocker, line: &str) {
    let mut running = Running::start(scene.server().qbo(line));
    running.await_step("container", "done");
    docker.stop_daemon();
    let ended = running.end();
    let (code, said) = (&ended.last()["code"], &ended.last()["output"][0]);
    let problem = said["problem"].as_str().unwrap_or_default();
    let is_told = match code.as_u64() {
        Some(502) => problem.contains("ended while it joined"),
        Some(503) => problem.contains("Docker does not answer"),
        _ => false,
    };
    assert!(ended.exit == 2 && is_told && said["cure"] != "", "{ended}");
    docker.start_daemon();
}

/// The port that leads into the cluster does, where its Docker is, as this command of kubectl shows.
fn leads_in(scene: &Scene, docker: &PrivateDocker, cluster: &str, words: &[&str]) {
    let (enter, server) = (docker.enter(), format!("--server=https://127.0.0.1:{PORT}"));
    wait::until_ok("the API server at a port", COMING_BACK, || {
        let mut command = Command::new(&enter[0]);
        command.args(&enter[1..]).arg(kubectl(&scene.docker)).arg("--kubeconfig").arg(scene.kubeconfig(cluster));
        let output = command.args([&server, "--request-timeout=5s"]).args(words).output().expect("nsenter starts");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        // What was asked for before may have been done without an answer.
        if output.status.success() || said.contains("already exists") { Ok(()) } else { Err(said) }
    });
}

fn load_image(docker: &Docker) {
    let mut save = Docker::default().command(&["save", image()]).stdout(Stdio::piped()).spawn().expect("docker starts");
    let archive = save.stdout.take().expect("its output is a pipe");
    let loaded = docker.command(&["load", "--quiet"]).stdin(archive).stdout(Stdio::null()).status();
    assert!(loaded.expect("docker starts").success());
    assert!(save.wait().expect("docker is our child").success(), "Docker does not hold {}", image());
}
