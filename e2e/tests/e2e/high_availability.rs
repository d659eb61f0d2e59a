//! A cluster of one control plane grows to three, and lives on without the first of them.

use std::net::TcpListener;
use std::time::Duration;

use qbo_e2e::kubectl::Kubectl;
use qbo_e2e::wait;

use crate::scene::{Scene, add};
use crate::workload::Workload;

const CLUSTER: &str = "qbo-e2e-available";
/// For whoever talked to the control plane that is gone to talk to another.
const TURNING: Duration = Duration::from_mins(3);
/// etcdctl in the container of etcd on a node.
const MEMBERS: &str = "crictl exec $(crictl ps --quiet --name '^etcd$' | head -n 1) etcdctl \
                       --cacert=/etc/kubernetes/pki/etcd/ca.crt --cert=/etc/kubernetes/pki/etcd/server.crt \
                       --key=/etc/kubernetes/pki/etcd/server.key member list";

#[test]
fn a_cluster_grows_to_three_control_planes_and_outlives_the_first() {
    let scene = Scene::new();
    scene.server().done(&add(&format!("{CLUSTER} -n 2")));
    let kubectl = scene.kubectl(CLUSTER);
    let [first, worker] = &names(&scene)[..] else { panic!("two nodes") };
    one_that_is_killed_while_it_joins_leaves_no_member(&scene, first);

    let added = scene.server().done(&format!("add node {CLUSTER} --control-plane -n 2"));
    let member = |row: &&&serde_json::Value| row["step"] == "etcd in step" && row["state"] == "done";
    assert_eq!(added.rows("output").iter().filter(member).count(), 2, "{added}");
    let names = names(&scene);
    let [_, second, third, _] = &names[..] else { panic!("{names:?}") };
    assert!(names[..3].iter().all(|name| name.starts_with("control-")) && names[0] == *first, "{names:?}");
    assert_members(&scene, second, &[first, second, third]);
    everybody_uses_the_balancer(&scene, &kubectl, worker);
    assert_eq!(scene.known_state(CLUSTER), "ready");
    assert_eq!(kubectl.await_ready(4).len(), 4);
    let port = free_port();
    scene.server().done(&format!("add port {CLUSTER} 127.0.0.1:{port}:6443"));
    leads_in(&kubectl, port);

    scene.docker.run(&["stop", "--time", "1", first]);
    wait::until_ok("the others to go on", TURNING, || {
        match kubectl.attempt(&["create", "configmap", "kept", "--from-literal=by=two"]) {
            // What was asked for before may have been done without an answer.
            Err(said) if said.contains("already exists") => Ok(said),
            created => created,
        }
    });
    let workload = Workload::new(&kubectl, &scene.docker, &names[1..]);
    workload.dns_answers(worker);
    wait::until_ok("the first to be missed", TURNING, || match scene.states(CLUSTER).as_slice() {
        [(_, stopped), others @ ..] if stopped == "stopped" && others.iter().all(|(_, state)| state == "ready") => {
            Ok(())
        }
        states => Err(format!("{states:?}")),
    });
    let lonely = format!("delete node {second} --force");
    scene.server().refuses(&lonely, 1, 409, "not more than half run");
    scene.server().done(&format!("delete node {first} --force"));
    assert_members(&scene, second, &[second, third]);
    assert_eq!(kubectl.await_ready(3).len(), 3);
    assert_eq!(scene.known_state(CLUSTER), "ready");
    // It leads to the balancer, and so did not go with the first.
    leads_in(&kubectl, port);

    scene.server().done(&format!("stop cluster {CLUSTER}"));
    assert_eq!(scene.docker.run(&["ps", "--quiet", "--filter", &format!("label=io.qbo.cluster={CLUSTER}")]), "");
    scene.server().done(&format!("start cluster {CLUSTER}"));
    assert_eq!(scene.known_state(CLUSTER), "ready");
    leads_in(&kubectl, port);

    scene.server().done(&format!("delete node {second}"));
    assert_members(&scene, third, &[third]);
    assert_eq!(kubectl.get(&["configmap", "kept"])["data"]["by"], "two");
    scene.server().done(&format!("delete cluster {CLUSTER}"));
    scene.assert_clean();
    scene.end();
}

fn one_that_is_killed_while_it_joins_leaves_no_member(scene: &Scene, first: &String) {
    let before = names(scene);
    scene.kill_while_it_joins(&format!("add node {CLUSTER} --control-plane"));
    assert_eq!(names(scene), before);
    assert_members(scene, first, &[first]);
    assert_eq!(scene.known_state(CLUSTER), "ready");
}

/// A port of the host leads to an API server.
fn leads_in(kubectl: &Kubectl, port: u16) {
    let through = format!("--server=https://127.0.0.1:{port}");
    wait::until_ok("an API server at the host's port", TURNING, || kubectl.attempt(&[&through, "get", "nodes"]));
}

/// A port of the host that nobody listens on.
fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("there is a free port");
    listener.local_addr().expect("it has one").port()
}

fn names(scene: &Scene) -> Vec<String> {
    scene.states(CLUSTER).into_iter().map(|(name, _)| name).collect()
}

/// etcd has these members, all with a vote.
fn assert_members(scene: &Scene, through: &str, nodes: &[&String]) {
    let list = || scene.docker.attempt(&["exec", through, "sh", "-c", MEMBERS]);
    let listed = wait::until_ok("etcd to tell its members", TURNING, list);
    let mut members: Vec<(&str, &str)> = listed
        .lines()
        .map(|line| {
            let fields: Vec<&str> = line.split(", ").collect();
            (fields[2], fields[5].trim())
        })
        .collect();
    let mut nodes: Vec<(&str, &str)> = nodes.iter().map(|node| (node.as_str(), "false")).collect();
    members.sort_unstable();
    nodes.sort_unstable();
    assert_eq!(members, nodes, "{listed}");
}

/// People, workers and the pods that connect to the API server itself.
fn everybody_uses_the_balancer(scene: &Scene, kubectl: &Kubectl, worker: &str) {
    let balancer = scene.docker.labelled("io.qbo.role=balancer").concat();
    let address = scene.cluster(CLUSTER)["address"].as_str().expect("a text").to_owned();
    assert_eq!(address, format!("https://{}:6443", scene.docker.address(&balancer, CLUSTER)));
    let kubeconfig = std::fs::read_to_string(scene.kubeconfig(CLUSTER)).expect("the kubeconfig is read");
    assert!(kubeconfig.contains(&address), "{kubeconfig}");
    let kubelet = scene.docker.run(&["exec", worker, "cat", "/etc/kubernetes/kubelet.conf"]);
    assert!(kubelet.contains(&address), "{kubelet}");
    for (namespace, name) in [("kube-system", "kube-proxy"), ("kube-public", "cluster-info")] {
        let object = kubectl.get(&["configmap", name, "--namespace", namespace]);
        assert!(object["data"].to_string().contains(&address), "{object}");
    }
}
