//! Control planes that come to a living cluster and leave it, with trouble at every call of the engine.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::time::Duration;

use qbo_api::message::Code;
use qbo_api::model::State;

use crate::cluster::{BALANCER, CONTROL_PLANE, LABEL_ROLE};
use crate::driver::engine::EngineFault;
use crate::driver::fake::{FakeContainer, Manner, Moment, Stage, Trouble};
use crate::execute::fixture::{Cloud, Ended, USER};
use crate::provision::{STATE_PATH, USER_KUBECONFIG_PATH};

const ADD: &str = "add node alex --control-plane -n 2";
const ADD_ONE: &str = "add node alex --control-plane";
const CONTROLLER_MANAGER: &str = "/etc/kubernetes/manifests/kube-controller-manager.yaml";
/// Between two looks at the fake cluster, of a clock that goes on by itself.
const TICK: Duration = Duration::from_millis(100);
const BALANCER_ADDRESS: &str = "198.18.0.2";

/// What of a cluster must be the same whatever went wrong.
#[derive(Debug, PartialEq, Eq)]
struct Shape {
    nodes: BTreeSet<String>,
    /// The addresses of etcd's members, with whether they still learn.
    members: Vec<(Ipv4Addr, bool)>,
    /// Nodes that the API server knows.
    known: BTreeSet<String>,
}

async fn with_cluster(words: &str) -> Cloud {
    let cloud = Cloud::new();
    cloud.succeed(&format!("add cluster alex {words}")).await;
    cloud
}

/// Nodes become Ready as soon as they run.
async fn become_ready(cloud: &Cloud) {
    loop {
        for node in cloud.services.live.glance(USER).nodes() {
            if cloud.engine.is_running(&node.id) {
                cloud.kubernetes.ready(&node.name);
            }
        }
        tokio::time::sleep(TICK).await;
    }
}

async fn run(cloud: &Cloud, line: &str) -> Ended {
    tokio::select! {
        ended = cloud.run(line) => ended,
        () = become_ready(cloud) => unreachable!("it never ends"),
    }
}

async fn succeed(cloud: &Cloud, line: &str) -> Ended {
    let ended = run(cloud, line).await;
    assert_eq!(ended.outcome, Ok(()), "{line}");
    ended
}

fn containers(cloud: &Cloud, role: &str) -> Vec<FakeContainer> {
    let containers = cloud.engine.held().containers.into_values();
    containers.filter(|found| found.container.labels.get(LABEL_ROLE).is_some_and(|has| has == role)).collect()
}

fn names(cloud: &Cloud) -> Vec<String> {
    cloud.services.live.glance(USER).nodes().into_iter().map(|node| node.name).collect()
}

fn shape(cloud: &Cloud) -> Shape {
    let held = cloud.engine.held();
    let nodes = held.containers.values().filter(|found| found.container.labels[LABEL_ROLE] != BALANCER);
    let known = cloud.kubernetes.applied().into_iter().filter(|name| name.starts_with("Node "));
    Shape {
        nodes: nodes.map(|found| found.container.name.clone()).collect(),
        members: held.members("alex").iter().map(|member| (member.address, member.is_learner)).collect(),
        known: known.collect(),
    }
}

fn text(found: &FakeContainer, path: &str) -> String {
    found.files.get(path).map(|bytes| String::from_utf8_lossy(bytes).into_owned()).unwrap_or_default()
}

/// Every control plane is a voting member, holds elections, is known to the balancer and complete; everybody uses the balancer.
fn assert_available(cloud: &Cloud, count: usize) {
    let control_planes = containers(cloud, CONTROL_PLANE);
    assert_eq!(control_planes.len(), count);
    let addresses: BTreeSet<Ipv4Addr> = control_planes.iter().map(|found| found.address).collect();
    let held = cloud.engine.held();
    let members: BTreeSet<Ipv4Addr> = held.members("alex").iter().map(|member| member.address).collect();
    assert_eq!(members, addresses);
    assert!(held.members("alex").iter().all(|member| !member.is_learner));
    let [balancer] = &containers(cloud, BALANCER)[..] else { panic!("one balancer") };
    let list: BTreeSet<String> = text(balancer, "/etc/qbo/balancer").lines().map(str::to_owned).collect();
    assert_eq!(list, addresses.iter().map(|address| format!("{address}:6443")).collect());
    let server = format!("server: https://{BALANCER_ADDRESS}:6443");
    for found in &control_planes {
        for electing in ["kube-controller-manager", "kube-scheduler"] {
            let pod = text(found, &format!("/etc/kubernetes/manifests/{electing}.yaml"));
            assert!(pod.contains("--leader-elect=true"), "{pod}");
        }
        assert!(found.files.contains_key("/etc/kubernetes/manifests/kube-apiserver.yaml"));
        assert_eq!(text(found, STATE_PATH), "ready");
        assert!(text(found, USER_KUBECONFIG_PATH).contains(&server));
    }
    for worker in containers(cloud, "worker") {
        assert!(text(&worker, "/etc/kubernetes/kubelet.conf").contains(&server));
    }
    assert!(std::fs::read_to_string(cloud.kubeconfig("alex")).unwrap().contains(&server));
}

/// The clean-up as at start and after commands, until there is nothing left for it to do.
async fn sweep(cloud: &Cloud) {
    cloud.answers("alex").await;
    for _ in 0..3 {
        cloud.sweep().await;
    }
}

#[tokio::test(start_paused = true)]
async fn etcds_of_either_family_grow_and_shrink() {
    let v6_first = "--pod-subnet fd00:1::/56,10.244.0.0/16 --service-subnet fd00:2::/112,10.96.0.0/16 --ip-family dual";
    for words in ["--ip-family ipv6", v6_first, "--ip-family dual"] {
        let cloud = with_cluster(&format!("-n 4 --control-planes 3 {words}")).await;
        succeed(&cloud, ADD).await;
        assert_available(&cloud, 5);
        let leaving: Vec<String> = names(&cloud).into_iter().filter(|name| name.starts_with("control-")).collect();
        succeed(&cloud, &format!("delete node {} {}", leaving[0], leaving[1])).await;
        assert_available(&cloud, 3);
        let before = shape(&cloud);
        cloud.kubernetes.go(Stage::Answer, Manner::Hangs);
        assert!(run(&cloud, ADD_ONE).await.outcome.is_err());
        assert_eq!(shape(&cloud), before, "{words}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_cluster_of_one_grows_to_three_and_further() {
    let cloud = with_cluster("-n 2").await;
    let ended = succeed(&cloud, ADD).await;
    assert_available(&cloud, 3);
    assert!(matches!(ended.lines()[..], [line] if line.contains("export kubeconfig alex")), "{:?}", ended.lines());
    let restarts = |cloud: &Cloud| {
        let [worker] = &containers(cloud, "worker")[..1] else { panic!("a worker") };
        let restart = format!("execute {} systemctl restart kubelet", worker.container.id);
        cloud.engine.calls().into_iter().filter(|call| *call == restart).count()
    };
    assert_eq!(restarts(&cloud), 1);
    let complete = cloud.everything();
    sweep(&cloud).await;
    assert_eq!(cloud.everything(), complete);

    let ended = succeed(&cloud, "add node alex --control-plane").await;
    assert_available(&cloud, 4);
    let words = "4 control planes outlive the loss of 1 of them";
    assert!(ended.lines().concat().contains(words), "{:?}", ended.lines());
    assert_eq!(restarts(&cloud), 1, "it uses the balancer already");
    succeed(&cloud, "add node alex").await;
    assert_available(&cloud, 4);
    let failure = cloud.fail("add node alex --control-plane -n 4").await;
    assert_eq!(failure.code, Code::UNPROCESSABLE);
    assert!(failure.problem.contains("4 control planes, and may have 7"), "{failure}");
    cloud.succeed("delete cluster alex").await;
    assert!(cloud.engine.held().containers.is_empty());
}

#[tokio::test(start_paused = true)]
async fn no_second_controller_runs_before_the_first_holds_elections() {
    let cloud = with_cluster("-n 1").await;
    cloud.kubernetes.go(Stage::Election, Manner::Hangs);
    let lone = async {
        loop {
            let controllers = containers(&cloud, CONTROL_PLANE).into_iter();
            let controllers = controllers.filter(|found| !text(found, CONTROLLER_MANAGER).is_empty());
            assert_eq!(controllers.count(), 1);
            tokio::time::sleep(TICK).await;
        }
    };
    let ended = tokio::select! {
        ended = run(&cloud, "add node alex --control-plane") => ended,
        () = lone => unreachable!("it never ends"),
    };
    assert_eq!(ended.outcome.unwrap_err().code, Code::TIMEOUT);
    assert!(cloud.engine.calls().iter().any(|call| call.contains("member promote")), "all else went on");
    assert_eq!(shape(&cloud).members.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_control_plane_that_ends_while_it_joins_is_not_waited_for() {
    let (calls, first) = calls_of(ADD_ONE).await;
    let promote = calls.iter().position(|call| call.contains("member promote")).unwrap();
    // Its etcd, its API server, or the one that is to hold elections meanwhile.
    for (stage, is_new) in [(None, true), (Some(Stage::Answer), true), (Some(Stage::Election), false)] {
        let cloud = with_cluster("-n 2").await;
        let before = shape(&cloud);
        if let Some(stage) = stage {
            cloud.kubernetes.go(stage, Manner::Hangs);
        }
        let (old, engine) = (names(&cloud)[0].clone(), std::sync::Arc::clone(&cloud.engine));
        let end = move || {
            let held = engine.held();
            let mut control_planes =
                held.containers.iter().filter(|(_, found)| found.container.labels[LABEL_ROLE] == CONTROL_PLANE);
            let (id, _) = control_planes.find(|(_, found)| (found.container.name == old) != is_new).unwrap();
            engine.halt_container(id);
        };
        cloud.engine.trouble(first + promote, Trouble::Meanwhile(Box::new(end)));
        let began = tokio::time::Instant::now();
        let failure = run(&cloud, ADD_ONE).await.outcome.unwrap_err();
        assert_eq!(failure.code, Code::BAD_GATEWAY, "{failure}");
        assert!(failure.problem.contains("ended while"), "{failure}");
        if is_new {
            assert!(began.elapsed() < Duration::from_secs(40), "{failure}");
            sweep(&cloud).await;
            assert_eq!(shape(&cloud), before);
            if let Some(stage) = stage {
                cloud.kubernetes.recover(stage);
            }
            succeed(&cloud, ADD_ONE).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_member_whose_node_somebody_removed_is_forgotten() {
    let cloud = with_cluster("-n 3 --control-planes 3").await;
    let gone = containers(&cloud, CONTROL_PLANE).pop().unwrap();
    cloud.engine.drop_container(&gone.container.id);
    assert_eq!(shape(&cloud).members.len(), 3);
    succeed(&cloud, "add node alex --control-plane").await;
    assert_available(&cloud, 3);
}

/// The calls of an add that goes well, and the index of the first.
async fn calls_of(add: &str) -> (Vec<String>, usize) {
    let cloud = with_cluster("-n 2").await;
    let first = cloud.engine.calls().len();
    succeed(&cloud, add).await;
    (cloud.engine.calls().split_off(first), first)
}

/// Whether the call that completes the first of the new control planes is behind.
fn is_complete(cloud: &Cloud) -> bool {
    let joined = containers(cloud, CONTROL_PLANE).into_iter().filter(|found| text(found, STATE_PATH) == "ready");
    joined.count() == 3
}

#[tokio::test(start_paused = true)]
async fn whatever_call_fails_no_control_plane_and_no_member_is_left() {
    let (calls, first) = calls_of(ADD_ONE).await;
    for (index, call) in calls.iter().enumerate() {
        for trouble in [
            Trouble::Fails(EngineFault::Refused { status: 500, message: "device is busy".into() }),
            Trouble::FailsAfterwards(EngineFault::TimedOut),
        ] {
            let at = format!("call {index}, {call}");
            let cloud = with_cluster("-n 2").await;
            let before = shape(&cloud);
            cloud.engine.trouble(first + index, trouble);
            let ended = run(&cloud, ADD_ONE).await;
            assert!(cloud.is_idle(), "{at}");
            if ended.outcome.is_ok() {
                assert_available(&cloud, 2);
                continue;
            }
            sweep(&cloud).await;
            assert_eq!(shape(&cloud), before, "{at}");
            succeed(&cloud, ADD_ONE).await;
            assert_available(&cloud, 2);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn whenever_it_is_cancelled_no_control_plane_and_no_member_is_left() {
    let (calls, first) = calls_of(ADD).await;
    for (index, call) in calls.iter().enumerate() {
        let at = format!("cancelled at call {index}, {call}");
        let cloud = with_cluster("-n 2").await;
        let before = shape(&cloud);
        let begun = cloud.begin(ADD);
        let token = begun.token();
        cloud.engine.trouble(first + index, Trouble::Meanwhile(Box::new(move || token.cancel())));
        let ended = tokio::select! {
            ended = begun.run() => ended,
            () = become_ready(&cloud) => unreachable!("it never ends"),
        };
        if ended.outcome.is_ok() {
            assert_available(&cloud, 3);
            continue;
        }
        assert_eq!(ended.outcome.unwrap_err().code, Code::CANCELLED, "{at}");
        assert_eq!(shape(&cloud), before, "{at}");
    }
}

#[tokio::test(start_paused = true)]
async fn whenever_the_server_is_killed_its_next_start_finishes_or_takes_back() {
    let (calls, first) = calls_of(ADD).await;
    for (index, call) in calls.iter().enumerate() {
        for moment in [Moment::Never, Moment::AtOnce, Moment::Late] {
            let at = format!("killed at call {index}, {call}, carried out: {moment:?}");
            let mut cloud = with_cluster("-n 2").await;
            let before = shape(&cloud);
            cloud.engine.trouble(first + index, Trouble::Hangs(moment));
            tokio::select! {
                // Some calls are given up after a while, and what was made is taken back.
                _ = run(&cloud, ADD) => {}
                () = cloud.engine.hung() => {}
            }
            cloud.restart();
            sweep(&cloud).await;
            cloud.engine.catch_up();
            sweep(&cloud).await;
            if is_complete(&cloud) {
                assert_available(&cloud, 3);
                continue;
            }
            let mut after = shape(&cloud);
            // Of two that were being marked, the one that was marked stays.
            if containers(&cloud, CONTROL_PLANE).len() == 2 {
                assert_available(&cloud, 2);
                continue;
            }
            // A member of which etcd learnt after its node was gone has no vote, and is forgotten when another comes.
            after.members.retain(|(_, is_learner)| moment != Moment::Late || !is_learner);
            assert_eq!((&after.nodes, &after.members), (&before.nodes, &before.members), "{at}");
            succeed(&cloud, ADD).await;
            assert_available(&cloud, 3);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_cluster_whose_server_was_killed_while_it_marked_it_is_marked_wholly_or_gone() {
    let add = "add cluster alex -n 4 --control-planes 3";
    let cloud = Cloud::new();
    succeed(&cloud, add).await;
    let calls = cloud.engine.calls();
    let mut complete = 0;
    for index in calls.len() - 6..calls.len() {
        for moment in [Moment::Never, Moment::AtOnce, Moment::Late] {
            let mut cloud = Cloud::new();
            cloud.engine.trouble(index, Trouble::Hangs(moment));
            tokio::select! {
                _ = run(&cloud, add) => {}
                () = cloud.engine.hung() => {}
            }
            cloud.restart();
            cloud.sweep().await;
            cloud.engine.catch_up();
            cloud.sweep().await;
            if !cloud.engine.held().containers.is_empty() {
                assert_available(&cloud, 3);
                complete += 1;
            }
        }
    }
    assert!(complete > 6, "{calls:?}");
}

#[tokio::test(start_paused = true)]
async fn too_few_control_planes_are_not_started() {
    let cloud = with_cluster("-n 4 --control-planes 3").await;
    let names = names(&cloud);
    cloud.succeed("stop cluster alex").await;
    let failure = cloud.fail(&format!("start node {}", names[0])).await;
    assert_eq!(failure.code, Code::CONFLICT, "{failure}");
    assert!(failure.problem.contains("of the 3 control planes of cluster 'alex' 1 would run"), "{failure}");
    cloud.succeed(&format!("start node {} {}", names[0], names[1])).await;
    cloud.succeed(&format!("start node {}", names[3])).await;
}

#[tokio::test(start_paused = true)]
async fn the_first_control_plane_leaves_and_the_others_go_on() {
    let cloud = with_cluster("-n 2").await;
    succeed(&cloud, ADD).await;
    let first = names(&cloud)[0].clone();
    let before = shape(&cloud);
    cloud.succeed(&format!("delete node {first}")).await;
    assert_available(&cloud, 2);
    assert!(before.nodes.contains(&first) && !shape(&cloud).nodes.contains(&first));
    assert!(!cloud.kubernetes.applied().contains(&format!("Node {first}")));
    let second = names(&cloud)[0].clone();
    cloud.succeed(&format!("delete node {second}")).await;
    assert_available(&cloud, 1);
    let last = names(&cloud)[0].clone();
    assert_eq!(cloud.fail(&format!("delete node {last}")).await.code, Code::CONFLICT);
    // The balancer stays, and is of use again.
    succeed(&cloud, ADD).await;
    assert_available(&cloud, 3);
    let (one, two) = (names(&cloud)[0].clone(), names(&cloud)[1].clone());
    cloud.succeed(&format!("delete node {one} {two} --force")).await;
    assert_available(&cloud, 1);
}

#[tokio::test(start_paused = true)]
async fn a_removal_that_would_cost_the_majority_is_refused() {
    let cloud = with_cluster("-n 3 --control-planes 3").await;
    let names = names(&cloud);
    cloud.succeed(&format!("stop node {}", names[2])).await;
    let before = cloud.everything();
    let failure = cloud.fail(&format!("delete node {} --force", names[0])).await;
    assert_eq!(failure.code, Code::CONFLICT);
    assert!(failure.problem.contains("not more than half run"), "{failure}");
    assert!(failure.cure.contains(&names[2]), "{}", failure.cure);
    assert_eq!(cloud.everything(), before);
    // Together with the one that is stopped, which goes first, it may.
    cloud.succeed(&format!("delete node {} {} --force", names[0], names[2])).await;
    assert_available(&cloud, 1);
}

#[tokio::test(start_paused = true)]
async fn whenever_the_server_is_killed_its_next_start_finishes_the_removal() {
    let prepared = async || {
        let cloud = with_cluster("-n 3 --control-planes 3").await;
        let line = format!("delete node {}", names(&cloud)[0]);
        let first = cloud.engine.calls().len();
        (cloud, line, first)
    };
    let (cloud, line, first) = prepared().await;
    cloud.succeed(&line).await;
    let calls = cloud.engine.calls().split_off(first);
    for (index, call) in calls.iter().enumerate() {
        for moment in [Moment::Never, Moment::AtOnce, Moment::Late] {
            let at = format!("killed at call {index}, {call}, carried out: {moment:?}");
            let (mut cloud, line, first) = prepared().await;
            let before = shape(&cloud);
            cloud.engine.trouble(first + index, Trouble::Hangs(moment));
            tokio::select! {
                _ = cloud.run(&line) => {}
                () = cloud.engine.hung() => {}
            }
            cloud.restart();
            sweep(&cloud).await;
            cloud.engine.catch_up();
            sweep(&cloud).await;
            let after = shape(&cloud);
            if after.nodes == before.nodes {
                assert_eq!(after.members, before.members, "{at}");
                assert_available(&cloud, 3);
            } else {
                assert_available(&cloud, 2);
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_cluster_stops_and_starts_with_what_stands_in_front_of_it() {
    let cloud = with_cluster("-n 3 --control-planes 3").await;
    let before = cloud.everything();
    cloud.succeed("stop cluster alex").await;
    assert!(cloud.engine.held().containers.values().all(|found| !found.container.running));
    cloud.succeed("start cluster alex").await;
    assert_eq!(cloud.everything(), before);
    assert_eq!(cloud.succeed("get cluster").await.clusters(), [("alex", State::Ready)]);
    cloud.succeed("stop cluster alex").await;
    cloud.succeed("start node -A").await;
    assert_eq!(cloud.everything(), before);
}
