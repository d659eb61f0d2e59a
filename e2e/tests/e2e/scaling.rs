//! Nodes and whole clusters that come, stop, start and go, while they are used.

use std::collections::BTreeSet;
use std::time::Duration;

use qbo_e2e::cli::{Ended, Running};
use qbo_e2e::kubectl::Kubectl;
use serde_json::Value;

use crate::scene::{Scene, add};
use crate::workload::Workload;

const CLUSTER: &str = "qbo-e2e-scaling";
/// For what becomes of nodes to be seen, on a busy machine.
const SEEING: Duration = Duration::from_mins(2);

#[test]
fn nodes_and_clusters_come_stop_start_and_go() {
    let scene = Scene::new();
    let added = scene.server().done(&add(&format!("{CLUSTER} -n 2 --wait nodes")));
    let steps: Vec<&Value> = added.rows("output").into_iter().map(|row| &row["step"]).collect();
    assert!(steps.contains(&&"nodes ready".into()) && !steps.contains(&&"cluster DNS available".into()), "{steps:?}");
    let kubectl = scene.kubectl(CLUSTER);
    assert_eq!(kubectl.await_ready(2).len(), 2);
    a_node_that_is_killed_while_it_joins_is_not_waited_for(&scene);
    let nodes = nodes_join(&scene, &kubectl);
    let workers = &nodes[1..];
    let workload = Workload::new(&kubectl, &scene.docker, &nodes);
    workload.deploy_web();
    assert_eq!(workload.scale_web(3), sorted(workers), "it spreads to all workers");
    workload.web_answers("joined", &nodes, workers);

    a_node_stops_and_starts(&scene, &kubectl, &nodes[3]);
    workload.web_runs(3);
    workload.web_answers("started", &nodes, workers);

    let gone = a_budget_delays_a_drain(&scene, &kubectl, &workload);
    let left: Vec<&String> = workers.iter().filter(|node| **node != gone).collect();
    force_waits_for_no_budget(&scene, &kubectl, left[0]);
    scene.server().refuses(&format!("delete node {}", nodes[0]), 1, 409, "nothing without a control plane");

    workload.claim_keeps_data();
    a_cluster_stops_and_starts(&scene, &kubectl);
    workload.claim_still_keeps_data("reader-started");
    a_node_that_cannot_end_is_started_anew(&scene, &nodes[0]);
    a_node_that_is_stopped_goes_with_its_pods(&scene, &kubectl, left[1]);
    scene.freeze_in(&nodes[0]);
    of_two_at_once_one_wins(&scene, &format!("delete cluster {CLUSTER}"));
    scene.assert_clean();
    scene.end();
}

/// The cluster is as it was, and the command can be repeated.
fn a_node_that_is_killed_while_it_joins_is_not_waited_for(scene: &Scene) {
    let before = scene.ready_rows("nodes", CLUSTER);
    scene.kill_while_it_joins(&format!("add node {CLUSTER}"));
    assert_eq!(scene.known_rows("nodes", CLUSTER), before);
}

/// Docker takes one for running that was killed and cannot end; a start brings it back.
fn a_node_that_cannot_end_is_started_anew(scene: &Scene, node: &str) {
    scene.freeze_in(node);
    let process = scene.docker.run(&["inspect", "--format", "{{.State.Pid}}", node]);
    let killed = std::process::Command::new("kill").args(["-KILL", &process]).status();
    assert!(killed.is_ok_and(|status| status.success()), "{node} runs");
    qbo_e2e::wait::until("the node to be missed", SEEING, || (scene.states(CLUSTER)[0].1 != "ready").then_some(()));
    scene.server().done(&format!("start node {node}"));
    assert_ne!(scene.docker.run(&["inspect", "--format", "{{.State.Pid}}", node]), process);
    scene.await_states(SEEING, CLUSTER, "ready");
}

/// The other is told that somebody else is at it, or that it is gone; or it comes later, and finds nothing to do.
fn of_two_at_once_one_wins(scene: &Scene, line: &str) {
    let both = [(); 2].map(|()| Running::start(scene.server().qbo(line))).map(Running::end);
    let verb = line.split(' ').next().unwrap_or_default();
    let does = |ended: &Ended| ended.rows("output").iter().any(|row| row["step"] == verb);
    let [lost, won] = if does(&both[0]) { [&both[1], &both[0]] } else { [&both[0], &both[1]] };
    won.assert_done();
    if lost.exit == 0 && !does(lost) {
        return;
    }
    assert!([404, 409].map(Value::from).contains(&lost.last()["code"]), "{lost}");
    assert_eq!(lost.exit, 1, "{lost}");
}

/// Two nodes join at once, seen by qbo and by kubectl alike; returns all names, the control plane's first.
fn nodes_join(scene: &Scene, kubectl: &Kubectl) -> Vec<String> {
    let added = scene.server().done(&format!("add node {CLUSTER} -n 2"));
    let ready = added.rows("output").into_iter().filter(|row| row["step"] == "ready" && row["state"] == "done").count();
    assert_eq!(ready, 2, "every node is told of when it is Ready: {added}");
    let told: Vec<&Value> = added.rows("nodes").into_iter().map(|row| &row["state"]).collect();
    assert_eq!(told, [&Value::from("ready"); 2]);
    let rows = scene.known_rows("nodes", CLUSTER);
    assert!(rows.iter().all(|row| row["state"] == "ready"), "{rows:?}");
    let names: Vec<String> = scene.states(CLUSTER).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names.len(), 4);
    assert_eq!(sorted(&kubectl.await_ready(4)), sorted(&names));
    names
}

/// It keeps its address, and is Ready once the command ends.
fn a_node_stops_and_starts(scene: &Scene, kubectl: &Kubectl, node: &str) {
    let (row, addresses) = (scene.ready_rows("nodes", node), kubectl.addresses());
    scene.server().done(&format!("stop node {node}"));
    assert_eq!(scene.rows("nodes", node)[0]["state"], "stopped");
    assert_eq!(scene.docker.run(&["inspect", "--format", "{{.State.Running}}", node]), "false");
    assert_eq!(scene.known_state(CLUSTER), "not_ready");

    scene.server().done(&format!("start node {node}"));
    assert_eq!(scene.known_rows("nodes", node), row, "all is as it was");
    assert_eq!(scene.docker.address(node, CLUSTER), row[0]["address"]);
    assert_eq!(kubectl.addresses(), addresses);
    assert_eq!(kubectl.await_ready(4).len(), 4);
}

/// The only pod of a Deployment keeps its node: as long as it was said, then the node stays; or until another runs elsewhere.
/// Returns the node that went.
fn a_budget_delays_a_drain(scene: &Scene, kubectl: &Kubectl, workload: &Workload<'_>) -> String {
    let node = workload.scale_web(1).concat();
    kubectl.run(&["create", "poddisruptionbudget", "web", "--selector=app=web", "--min-available=1"]);
    scene.server().refuses(&format!("delete node {node} --timeout 3s"), 2, 504, "after 3s there are still pods");
    assert_eq!(scene.known_rows("nodes", &node)[0]["state"], "ready");
    assert_eq!(kubectl.get(&["node", &node])["spec"]["unschedulable"], Value::Null);

    let mut leaving = Running::start(scene.server().qbo(&format!("delete node {node}")));
    leaving.await_message("the budget to be told of", |message| {
        let row = &message["output"][0];
        let detail = row["detail"].as_str().unwrap_or_default();
        row["step"] == "drain" && row["state"] == "progress" && detail.contains("disruption budget")
    });
    assert_eq!(scene.rows("nodes", &node)[0]["state"], "deleting");
    assert_eq!(kubectl.get(&["node", &node])["spec"]["unschedulable"], true);
    assert_eq!(workload.web_runs(1).concat(), node);

    kubectl.run(&["scale", "deployment/web", "--replicas=2"]);
    let left = leaving.end();
    left.assert_done();
    assert_gone(scene, kubectl, &node);
    assert!(!workload.web_runs(2).contains(&node), "its pod has moved");
    node
}

/// A budget that no pod may go by does not hold up who forces it.
fn force_waits_for_no_budget(scene: &Scene, kubectl: &Kubectl, node: &str) {
    kubectl.run(&["patch", "poddisruptionbudget", "web", "--patch", r#"{"spec": {"minAvailable": 2}}"#]);
    let short = node.split('.').next().unwrap_or_default();
    let forced = scene.server().done(&format!("delete node {short} --force"));
    assert!(forced.rows("output").iter().all(|row| row["step"] != "drain"), "{forced}");
    assert_gone(scene, kubectl, node);
}

/// Nothing ends the pods of a node that does not run, and no budget can keep them.
fn a_node_that_is_stopped_goes_with_its_pods(scene: &Scene, kubectl: &Kubectl, node: &str) {
    scene.server().done(&format!("stop node {node}"));
    let deleted = scene.server().done(&format!("delete node {node}"));
    assert!(deleted.rows("output").iter().all(|row| row["step"] != "drain"), "{deleted}");
    assert_gone(scene, kubectl, node);
}

fn assert_gone(scene: &Scene, kubectl: &Kubectl, node: &str) {
    assert!(!scene.nodes(CLUSTER).contains(&node.to_owned()), "its container is left");
    assert!(!kubectl.addresses().contains_key(node), "its Node is left");
    assert!(scene.states(CLUSTER).iter().all(|(name, _)| name != node), "its row is left");
}

/// All nodes keep their addresses and certificates, and are Ready once the command ends.
fn a_cluster_stops_and_starts(scene: &Scene, kubectl: &Kubectl) {
    let keys = ["clusters", "nodes"];
    let (told_before, addresses) = (keys.map(|key| scene.ready_rows(key, CLUSTER)), kubectl.addresses());
    let control_plane = scene.states(CLUSTER).swap_remove(0).0;
    let certificates = || {
        let words = "cat /etc/kubernetes/pki/*.crt /etc/kubernetes/pki/etcd/*.crt /var/lib/kubelet/pki/*";
        scene.docker.run(&["exec", &control_plane, "sh", "-c", words])
    };
    let before = certificates();
    of_two_at_once_one_wins(scene, &format!("stop cluster {CLUSTER}"));
    assert_eq!(scene.cluster(CLUSTER)["state"], "stopped");
    let states = scene.states(CLUSTER);
    assert!(states.iter().all(|(_, state)| state == "stopped"), "{states:?}");
    assert_eq!(scene.docker.run(&["ps", "--quiet", "--filter", &format!("label=io.qbo.cluster={CLUSTER}")]), "");
    let pods = || scene.rows("pods", CLUSTER);
    qbo_e2e::wait::until("pods to be unknown", SEEING, || {
        pods().iter().all(|pod| pod["status"] == "Unknown").then_some(())
    });
    scene.server().refuses(&format!("add node {CLUSTER}"), 1, 409, "does not answer");

    of_two_at_once_one_wins(scene, &format!("start cluster {CLUSTER}"));
    assert_eq!(keys.map(|key| scene.known_rows(key, CLUSTER)), told_before, "all is as it was");
    assert!(certificates() == before, "they are as they were");
    assert_eq!(kubectl.addresses(), addresses);
    assert_eq!(sorted(&kubectl.await_ready(2)), addresses.into_keys().collect::<Vec<_>>());
}

fn sorted(names: &[String]) -> Vec<String> {
    names.iter().cloned().collect::<BTreeSet<_>>().into_iter().collect()
}
