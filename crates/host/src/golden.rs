//! Whole hosts, as files in `testdata/`, and what is to be said of each.

use crate::{Host, check};
use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::thread;

fn assert_golden(name: &str) {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata").join(name);
    let expected = fs::read_to_string(directory.join("expected.json")).unwrap();

    let sockets = tempfile::tempdir().unwrap();
    let socket = sockets.path().join("docker.sock");
    if directory.join("docker").exists() {
        answer(&socket, directory.join("docker"));
    }
    let mut checks = check(&Host::fake(&directory.join("root"), &socket));
    for check in &mut checks {
        check.found = check.found.replace(socket.to_str().unwrap(), "/var/run/docker.sock");
    }
    let actual = serde_json::to_string_pretty(&checks).unwrap();
    assert!(actual.trim() == expected.trim(), "{}/expected.json would now be:\n{actual}", directory.display());
}

/// A daemon that answers `/version` with the file `version.json`; it ends with the test's process.
fn answer(socket: &Path, answers: PathBuf) {
    let listener = UnixListener::bind(socket).unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut question = [0; 256];
            let length = stream.read(&mut question).unwrap();
            let path = str::from_utf8(&question[..length]).unwrap().split(' ').nth(1).unwrap();
            let body = fs::read_to_string(answers.join(format!("{}.json", &path[1..]))).unwrap();
            stream.write_all(format!("HTTP/1.0 200 OK\r\n\r\n{body}").as_bytes()).unwrap();
        }
    });
}

#[test]
fn a_small_virtual_machine_with_cgroup_v1_and_a_capability_less() {
    assert_golden("cgroup-v1");
}

#[test]
fn a_stock_debian_with_cgroup_v2() {
    assert_golden("cgroup-v2");
}

#[test]
fn a_host_without_docker_and_with_little_of_everything() {
    assert_golden("without-docker");
}
