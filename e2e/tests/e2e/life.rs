//! A cluster's life: made, used, restarted, deleted.

use std::os::unix::fs::PermissionsExt as _;

use qbo_e2e::cli::Running;
use qbo_e2e::kubectl::{Kubectl, internal_address, is_ready};
use qbo_e2e::socket::Socket;
use serde_json::Value;

use crate::scene::{Scene, add, image};
use crate::workload::Workload;

const CLUSTER: &str = "qbo-e2e-alex";

#[test]
fn a_cluster_is_made_used_restarted_and_deleted() {
    let scene = Scene::new();
    let mut onlooker = Socket::open(scene.server().port());
    let onlooker = std::thread::spawn(move || onlooker.hear(|_| true));
    let added = scene.server().done(&add(CLUSTER));
    messages_tell_every_step(&added.messages);
    let seen = onlooker.join().expect("the onlooker hears of the end");
    assert_eq!(seen, added.messages, "whoever is connected sees the same, live");
    let kubectl = scene.kubectl(CLUSTER);
    kubeconfig_is_for_its_owner_alone(&scene);
    let nodes = kubectl_and_qbo_see_the_same(&scene, &kubectl);
    a_taken_name_is_refused(&scene);

    let workload = Workload::new(&kubectl, &scene.docker, &nodes);
    workload.deploy_web();
    workload.web_answers("new", &nodes, &nodes[1..]);
    workload.claim_keeps_data();

    restart(&scene, &kubectl, &workload, &nodes);
    workload.web_answers("restarted", &nodes, &nodes[1..]);
    workload.claim_still_keeps_data("reader-restarted");

    scene.server().done(&format!("delete cluster {CLUSTER}"));
    scene.assert_clean();
    scene.end();
}

#[test]
fn two_clusters_of_different_families_live_side_by_side() {
    let scene = Scene::new();
    let [left, right] = ["qbo-e2e-left", "qbo-e2e-right"];
    let lines = [format!("{left} -n 1"), format!("{right} -n 1 --ip-family ipv6")];
    let adding = lines.map(|words| Running::start(scene.server().qbo(&add(&words))));
    for adding in adding {
        adding.end().assert_done();
    }
    for (cluster, is_v6) in [(left, false), (right, true)] {
        let nodes = scene.nodes(cluster);
        let kubectl = scene.kubectl(cluster);
        assert_eq!(kubectl.await_ready(1), nodes);
        let addresses = Workload::new(&kubectl, &scene.docker, &nodes).dns_tells("resolve", &nodes[0], "kubernetes");
        assert_eq!(addresses.iter().map(|address| address.contains(':')).collect::<Vec<_>>(), [is_v6]);
    }
    assert_ne!(subnet(&scene, left), subnet(&scene, right));

    scene.server().done(&format!("delete cluster {left}"));
    assert_eq!(scene.nodes(left), Vec::<String>::new());
    assert!(!scene.kubeconfig(left).exists());
    assert_eq!(scene.known_state(right), "ready");
    assert_eq!(scene.kubectl(right).await_ready(1), scene.nodes(right));

    // Members of an etcd with addresses of IPv6 come and go like others.
    let first = scene.nodes(right);
    scene.server().done(&format!("add node {right} --control-plane"));
    let both = scene.kubectl(right).await_ready(2);
    let new = both.iter().find(|node| !first.contains(node)).expect("another node");
    scene.server().done(&format!("delete node {new}"));
    assert_eq!(scene.kubectl(right).await_ready(1), first);

    scene.server().done(&format!("delete cluster {right}"));
    scene.assert_clean();
    scene.end();
}

/// The echo, then steps with what, where and when, then one final message.
fn messages_tell_every_step(messages: &[Value]) {
    let [first, between @ .., last] = messages else { panic!("{messages:?}") };
    assert_eq!(first["code"], 202);
    assert_eq!(first["input"][0]["message"], format!("qbo add cluster {CLUSTER} -i {} -n 3", image()));
    assert_eq!(
        (&last["code"], &last["command"], &last["subcommand"], &last["apicommand"]),
        (&200.into(), &"CMD_DONE".into(), &"SUBCMD_DONE".into(), &"APICMD_DONE".into())
    );
    assert!(between.iter().all(|message| message["code"] == 201));
    assert!(messages.iter().all(|message| message["command_id"] == first["command_id"]));

    let steps: Vec<&Value> = between
        .iter()
        .filter_map(|message| message["output"].as_array())
        .flatten()
        .filter(|row| row["step"].is_string())
        .collect();
    let mut elapsed = 0.0;
    for step in &steps {
        // Also the image is looked at, before anything is made of it.
        assert!(step["object"] == CLUSTER || step["object"] == image(), "{step}");
        let now = step["elapsed"].as_f64().expect("a step tells the time");
        assert!(now >= elapsed, "time goes on: {step}");
        elapsed = now;
    }
    let with_state = |state: &str| {
        let of_state = steps.iter().filter(|step| step["state"] == state);
        let mut names: Vec<(&str, &str)> = of_state.map(|step| (text(&step["step"]), text(&step["node"]))).collect();
        names.sort_unstable();
        names
    };
    assert_eq!(with_state("started"), with_state("done"), "every step that begins is done");
    let of_nodes = with_state("done").into_iter().filter(|(step, node)| *step == "ready" && !node.is_empty());
    assert_eq!(of_nodes.count(), 3, "every node is told of when it is Ready");
}

fn kubeconfig_is_for_its_owner_alone(scene: &Scene) {
    let file = scene.kubeconfig(CLUSTER);
    let mode = std::fs::metadata(&file).expect("the kubeconfig is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let printed = scene.server().done(&format!("get cluster {CLUSTER} -k"));
    let written = std::fs::read_to_string(file).expect("the kubeconfig is read");
    assert_eq!(printed.rows("output")[0]["kubeconfig"], written);
}

/// Three nodes, Ready, under the same names and addresses; returns the names, the control plane's first.
fn kubectl_and_qbo_see_the_same(scene: &Scene, kubectl: &Kubectl) -> Vec<String> {
    let by_kubectl = kubectl.get(&["nodes"]);
    let by_kubectl = by_kubectl["items"].as_array().expect("a list");
    assert!(by_kubectl.iter().all(is_ready), "{by_kubectl:?}");
    let rows = scene.known_rows("nodes", CLUSTER);
    assert!(rows.iter().all(|row| row["state"] == "ready"));
    let pair = |name: &Value, address: &Value| (text(name).to_owned(), text(address).to_owned());
    let mut seen: Vec<_> =
        by_kubectl.iter().map(|node| pair(&node["metadata"]["name"], internal_address(node))).collect();
    let mut told: Vec<_> = rows.iter().map(|row| pair(&row["name"], &row["address"])).collect();
    let names: Vec<String> = told.iter().map(|(name, _)| name.clone()).collect();
    seen.sort();
    told.sort();
    assert_eq!(seen, told);
    assert_eq!(names.len(), 3);
    assert!(names[0].starts_with("control-") && names[1..].iter().all(|name| name.starts_with("node-")), "{names:?}");
    names
}

fn a_taken_name_is_refused(scene: &Scene) {
    let before = scene.docker.inventory();
    scene.server().refuses(&add(CLUSTER), 1, 409, "already");
    assert_eq!(scene.docker.inventory(), before);
}

/// As after a restart of Docker: all containers end and begin anew.
fn restart(scene: &Scene, kubectl: &Kubectl, workload: &Workload<'_>, nodes: &[String]) {
    let before = kubectl.addresses();
    let names: Vec<&str> = nodes.iter().map(String::as_str).collect();
    scene.docker.run(&[&["restart", "--time", "1"], names.as_slice()].concat());
    let since = scene.docker.run(&["inspect", "--format", "{{.State.StartedAt}}", &nodes[0]]);
    workload.await_signs_of_life(nodes, &since);
    kubectl.await_ready(nodes.len());
    assert_eq!(kubectl.addresses(), before);
}

fn subnet(scene: &Scene, network: &str) -> String {
    scene.docker.run(&["network", "inspect", "--format", "{{(index .IPAM.Config 0).Subnet}}", network])
}

fn text(value: &Value) -> &str {
    value.as_str().expect("a text")
}
