//! What is stopped half-way: by its user, by the end of the CLI, by the end of the server.

use std::time::Duration;

use qbo_e2e::cli::Running;
use qbo_e2e::wait;

use crate::scene::{Scene, add};

/// How often a server is started to be ended while it looks into its image.
const ATTEMPTS: usize = 5;

#[test]
fn a_cancelled_add_leaves_nothing() {
    let scene = Scene::new();
    let mut adding = Running::start(scene.server().qbo(&add("qbo-e2e-cancelled")));
    let message = adding.await_step("nodes started", "done");
    let id = message["command_id"].as_str().expect("a message names its command");
    scene.server().done(&format!("cancel command {id}"));
    adding.end().assert_failed(1, 499, "cancelled");
    scene.assert_clean();

    let mut adding = Running::start(scene.server().qbo(&add("qbo-e2e-interrupted -n 1")));
    adding.await_step("nodes started", "started");
    adding.interrupt();
    adding.end().assert_failed(1, 499, "cancelled");
    scene.assert_clean();
    scene.end();
}

#[test]
fn an_add_that_the_servers_end_cut_off_is_cleaned_up() {
    let mut scene = Scene::new();
    for (step, state) in [("nodes started", "started"), ("API server answers", "done")] {
        let mut adding = Running::start(scene.server().qbo(&add("qbo-e2e-cut-off -n 2")));
        adding.await_step(step, state);
        scene.crash_server();
        let ended = adding.end();
        assert_eq!(ended.exit, 2, "{ended}");
        assert!(ended.errors.contains("connection to the API server"), "{ended}");
        scene.await_clean();
    }
    scene.end();
}

#[test]
fn a_server_that_is_asked_to_end_undoes_what_it_does() {
    // It takes no longer than a second or two, and may be over before it is seen.
    let is_looking = |scene: &Scene| {
        let seen = || if scene.probes().is_empty() { Err(String::new()) } else { Ok(()) };
        wait::within(Duration::from_secs(20), seen).is_ok()
    };
    let scene = (0..ATTEMPTS).map(|_| Scene::new()).find(is_looking).expect("a server looks into its image");
    scene.end();

    let scene = Scene::new();
    let mut adding = Running::start(scene.server().qbo(&add("qbo-e2e-ended -n 2")));
    adding.await_step("nodes started", "started");
    scene.end();
    let ended = adding.end();
    assert_ne!(ended.exit, 0, "{ended}");
}

#[test]
fn an_add_goes_on_without_the_cli_and_a_delete_without_the_server() {
    let mut scene = Scene::new();
    let cluster = "qbo-e2e-alone";
    let mut adding = Running::start(scene.server().qbo(&add(&format!("{cluster} -n 1"))));
    adding.await_step("nodes started", "started");
    adding.kill();
    wait::until("the add to go on to its end", Duration::from_mins(3), || {
        let listed = scene.server().run(&format!("get cluster {cluster}"));
        (listed.exit == 0 && listed.rows("clusters")[0]["state"] == "ready").then_some(())
    });
    assert_eq!(scene.kubectl(cluster).await_ready(1), scene.nodes(cluster));

    let delete = Running::start(scene.server().qbo(&format!("delete cluster {cluster}")));
    // Until something is gone, a server that ends may not have begun at all.
    wait::until("the node to end", Duration::from_mins(1), || {
        let running = ["ps", "--quiet", "--filter", "label=io.qbo.cluster=qbo-e2e-alone"];
        scene.docker.run(&running).is_empty().then_some(())
    });
    scene.crash_server();
    drop(delete);
    scene.await_clean();
    scene.end();
}
