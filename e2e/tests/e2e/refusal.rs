//! What cannot be done is refused with a code and words of its own, and changes nothing.

use std::process::{Command, Stdio};

use qbo_e2e::docker::Docker;
use qbo_e2e::server::Options;
use qbo_e2e::socket::Socket;

use crate::scene::{Scene, add, image};

#[test]
fn wrong_lines_are_refused_by_the_cli_and_by_the_server() {
    let scene = Scene::new();
    for (line, words) in [
        ("add cluster qbo-e2e-none -n 0", "1 to 240"),
        ("add cluster qbo-e2e-none -n 1000", "1 to 240"),
        ("add cluster Qbo", "'Qbo'"),
        ("add clutser qbo-e2e-none", "did you mean"),
        ("frobnicate", "'frobnicate'"),
        ("delete cluster", "cluster"),
    ] {
        let refused = scene.server().run(line);
        assert_eq!((refused.exit, refused.messages.len()), (1, 0), "{refused}");
        assert!(refused.errors.contains(words), "{refused}");

        let mut socket = Socket::open(scene.server().port());
        let messages = socket.ask(line);
        let [message] = messages.as_slice() else { panic!("{line}: {messages:?}") };
        assert_eq!(message["code"], 400, "{line}");
        let said = message["output"][0]["message"].as_str().unwrap_or_default();
        assert!(said.contains(words), "{line}: {said}");
    }
    scene.assert_clean();
    scene.end();
}

#[test]
fn images_that_cannot_be_used_are_refused() {
    let scene = Scene::new();
    let add = "add cluster qbo-e2e-image -n 1 -i";
    // A name that never resolves (RFC 2606, section 2).
    scene.server().refuses(&format!("{add} registry.invalid/nobody/node:v1"), 2, 502, "cannot be pulled");
    scene.assert_clean();

    let image = EmptyImage::make(&scene.docker);
    let before = scene.docker.inventory();
    scene.server().refuses(&format!("{add} {}", EmptyImage::NAME), 1, 422, "no Kubernetes in it");
    assert_eq!(scene.docker.inventory(), before);
    drop(image);
    scene.assert_clean();
    scene.end();
}

#[test]
fn names_that_are_taken_or_unknown_are_refused() {
    let scene = Scene::new();
    let foreign = Network::make(&scene.docker, &["qbo-e2e-foreign"]);
    let before = scene.docker.inventory();
    scene.server().refuses(&add("qbo-e2e-foreign -n 1"), 1, 409, "qbo-e2e-foreign");
    assert_eq!(scene.docker.inventory(), before);
    drop(foreign);
    for (line, kind) in [
        ("delete cluster qbo-e2e-none", "cluster"),
        ("start cluster qbo-e2e-none", "cluster"),
        ("add node qbo-e2e-none", "cluster"),
        ("get cluster qbo-e2e-none", "cluster"),
        ("get nodes qbo-e2e-none", "cluster or node"),
        ("delete node node-01234567", "node"),
        ("stop node node-01234567", "node"),
    ] {
        let name = line.rsplit(' ').next().unwrap_or_default();
        scene.server().refuses(line, 1, 404, &format!("there is no {kind} '{name}'"));
    }
    scene.assert_clean();
    scene.end();
}

#[test]
fn a_range_without_a_free_network_is_told() {
    let range = "10.223.0.0/24".to_owned();
    let docker = Docker::default();
    let taken = Network::make(&docker, &["--subnet", &range, "qbo-e2e-taken"]);
    let scene = Scene::with(Docker::default(), Options { network_range: range, ..Options::default() });
    scene.server().refuses(&add("qbo-e2e-exhausted -n 1"), 2, 507, "no /24 is left");
    scene.assert_clean();
    scene.end();
    drop(taken);
}

#[test]
fn a_missing_docker_is_told() {
    let options = Options { docker: Some("unix:///nonexistent/docker.sock".into()), ..Options::default() };
    let scene = Scene::with(Docker::default(), options);
    for line in [format!("add cluster qbo-e2e-none -i {}", image()), "get cluster -A".into(), "version".into()] {
        scene.server().refuses(&line, 2, 503, "Docker does not answer");
    }
    let (status, said) = scene.server().http("/readyz");
    assert!(status == 503 && said.contains("Docker does not answer"), "{status} {said}");
    assert_eq!(scene.server().http("/healthz").0, 200, "the server itself is well");
    scene.assert_clean();
    scene.end();
}

/// A network that is not qbo's, while it lives.
struct Network<'a>(&'a Docker, String);

impl<'a> Network<'a> {
    fn make(docker: &'a Docker, words: &[&str]) -> Self {
        Self(docker, docker.run(&[&["network", "create"], words].concat()))
    }
}

impl Drop for Network<'_> {
    fn drop(&mut self) {
        self.0.run(&["network", "rm", &self.1]);
    }
}

/// An image that is no node's, while it lives.
struct EmptyImage<'a>(&'a Docker);

impl<'a> EmptyImage<'a> {
    const NAME: &'static str = "qbo-e2e/empty:v1";

    fn make(docker: &'a Docker) -> Self {
        let archive = Command::new("tar").args(["--create", "--files-from=/dev/null"]).stdout(Stdio::piped()).spawn();
        let archive = archive.expect("tar starts").stdout.take().expect("its output is a pipe");
        let import = docker.command(&["import", "-", Self::NAME]).stdin(archive).stdout(Stdio::null()).status();
        assert!(import.expect("docker starts").success());
        Self(docker)
    }
}

impl Drop for EmptyImage<'_> {
    fn drop(&mut self) {
        self.0.run(&["image", "rm", Self::NAME]);
    }
}
