//! The host fails: its disk is full, its Docker dies. On a Docker of the test's own, since others' would suffer.

use std::process::Stdio;

use qbo_e2e::cli::Running;
use qbo_e2e::docker::Docker;
use qbo_e2e::namespace::PrivateDocker;
use qbo_e2e::server::Options;

use crate::scene::{Scene, add, image};

/// Room for the image and some nodes.
const SIZE: &str = "8g";
/// Too little for a container's own directories.
const NOTHING: u64 = 64 << 10;
/// Enough to run, but less than a cluster asks for.
const LITTLE: u64 = 512 << 20;

#[test]
fn a_full_disk_and_a_dying_docker_leave_nothing() {
    let mut docker = PrivateDocker::start(SIZE);
    load_image(&docker.client());
    let options = Options { docker: Some(docker.host()), enter: docker.enter(), ..Options::default() };
    let scene = Scene::with(docker.client(), options);

    docker.resize(&(docker.used() + LITTLE).to_string());
    scene.server().refuses(&add("qbo-e2e-little"), 2, 507, "a cluster needs at least");
    docker.resize(SIZE);
    scene.assert_clean();

    let mut adding = Running::start(scene.server().qbo(&add("qbo-e2e-full")));
    adding.await_step("network and certificates", "started");
    docker.resize(&(docker.used() + NOTHING).to_string());
    adding.end().assert_failed(2, 507, "disk is full");
    docker.resize(SIZE);
    scene.await_clean();

    let mut adding = Running::start(scene.server().qbo(&add("qbo-e2e-dying")));
    adding.await_step("container", "done");
    docker.kill();
    adding.end().assert_failed(2, 503, "Docker does not answer");
    docker.start_daemon();
    scene.await_clean();
    scene.end();
}

fn load_image(docker: &Docker) {
    let mut save = Docker::default().command(&["save", image()]).stdout(Stdio::piped()).spawn().expect("docker starts");
    let archive = save.stdout.take().expect("its output is a pipe");
    let loaded = docker.command(&["load", "--quiet"]).stdin(archive).stdout(Stdio::null()).status();
    assert!(loaded.expect("docker starts").success());
    assert!(save.wait().expect("docker is our child").success(), "Docker does not hold {}", image());
}
