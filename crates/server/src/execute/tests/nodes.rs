//! Nodes that come, go, stop and start.

use std::collections::BTreeSet;
use std::time::Duration;

use qbo_api::message::{Code, StepState};
use qbo_api::model::State;
use tokio::time::Instant;

use crate::driver::engine::EngineFault;
use crate::driver::fake::{Manner, Moment, Stage, Trouble};
use crate::execute::fixture::{Cloud, Ended, USER};
use crate::operations::Business;

/// A host with a cluster, and the short names of its nodes, the control plane first.
async fn with_cluster(nodes: usize) -> (Cloud, Vec<String>) {
    let cloud = Cloud::new();
    cloud.succeed(&format!("add cluster alex -n {nodes}")).await;
    let names = short_names(&cloud);
    (cloud, names)
}

fn short_names(cloud: &Cloud) -> Vec<String> {
    let nodes = cloud.services.live.glance(USER).nodes();
    nodes.iter().map(|node| node.name.split('.').next().unwrap().to_owned()).collect()
}

/// The new nodes of the fake cluster become Ready as soon as they run.
async fn become_ready(cloud: &Cloud) {
    let live = &cloud.services.live;
    loop {
        let nodes = live.glance(USER).nodes();
        for node in nodes.iter().filter(|node| cloud.engine.is_running(&node.id)) {
            cloud.kubernetes.ready(&node.name);
        }
        tokio::task::yield_now().await;
    }
}

/// Runs a command while the nodes that run become Ready.
pub(super) async fn succeed(cloud: &Cloud, line: &str) -> Ended {
    tokio::select! {
        ended = cloud.succeed(line) => ended,
        () = become_ready(cloud) => unreachable!("it never ends"),
    }
}

#[tokio::test(start_paused = true)]
async fn nodes_come_with_addresses_and_pod_subnets_of_their_own() {
    let (cloud, _) = with_cluster(2).await;
    succeed(&cloud, "add node alex -n 2").await;
    let held = cloud.engine.held();
    let mut addresses: Vec<_> = held.containers.values().map(|found| found.address).collect();
    let label = |found: &crate::driver::fake::FakeContainer| found.container.labels["io.qbo.pod-subnets"].clone();
    let mut pod_subnets: Vec<_> = held.containers.values().map(label).collect();
    addresses.sort_unstable();
    addresses.dedup();
    pod_subnets.sort_unstable();
    assert_eq!((addresses.len(), pod_subnets.len()), (4, 4));
    assert_eq!(pod_subnets, ["10.244.0.0/24", "10.244.1.0/24", "10.244.2.0/24", "10.244.3.0/24"]);
    assert_eq!(short_names(&cloud).len(), 4);
    let applied = cloud.kubernetes.applied();
    assert_eq!(applied.iter().filter(|name| name.starts_with("Node ")).count(), 4, "{applied:?}");
    cloud.sweep().await;
    assert_eq!(cloud.engine.held().containers.len(), 4, "they bear the mark");
    cloud.succeed("delete cluster alex").await;
    assert!(cloud.engine.held().containers.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_cluster_that_is_changed_as_soon_as_the_server_began_is_followed() {
    let (mut cloud, _) = with_cluster(2).await;
    cloud.restart();
    let claim = cloud.services.operations.claim((USER, "alex"), Business::default(), "add node alex");
    cloud.answers("alex").await;
    drop(claim);
}

#[tokio::test(start_paused = true)]
async fn an_add_that_fails_leaves_the_cluster_as_it_was() {
    let troubles = ["create_container", "put_archive", "start_container"];
    for call in troubles {
        let (cloud, _) = with_cluster(2).await;
        let (before, applied) = (cloud.everything(), cloud.kubernetes.applied());
        cloud.engine.trouble_with(call, Trouble::Fails(EngineFault::NoRoom("no space left on device".into())));
        let failure = cloud.fail("add node alex -n 2").await;
        assert_eq!(failure.code, Code::NO_ROOM, "{call}");
        assert_eq!((cloud.everything(), cloud.kubernetes.applied()), (before, applied), "{call}");
        assert!(cloud.is_idle());
    }
}

#[tokio::test(start_paused = true)]
async fn an_add_that_is_cancelled_or_whose_node_never_is_ready_leaves_the_cluster_as_it_was() {
    let (cloud, _) = with_cluster(2).await;
    let before = cloud.everything();
    assert_eq!(cloud.fail("add node alex").await.code, Code::TIMEOUT);
    assert_eq!(cloud.everything(), before);
    let begun = cloud.begin("add node alex");
    let token = begun.token();
    let cancel = async {
        cloud
            .services
            .live
            .wait("the node", Duration::from_mins(1), || {
                (cloud.services.live.glance(USER).nodes().len() == 3).then_some(())
            })
            .await
            .unwrap();
        token.cancel();
    };
    let (ended, ()) = tokio::join!(begun.run(), cancel);
    assert_eq!(ended.outcome.unwrap_err().code, Code::CANCELLED);
    assert_eq!(cloud.everything(), before);
}

#[tokio::test(start_paused = true)]
async fn a_node_that_ends_while_it_joins_is_not_waited_for() {
    let (cloud, _) = with_cluster(2).await;
    let before = cloud.everything();
    let ending = async { cloud.engine.halt_container(&joining_node(&cloud).await) };
    let began = Instant::now();
    let (failure, ()) = tokio::join!(cloud.fail("add node alex"), ending);
    assert_eq!(failure.code, Code::BAD_GATEWAY, "{failure}");
    assert!(failure.problem.ends_with("ended while it joined"), "{failure}");
    assert!(began.elapsed() < Duration::from_mins(1));
    assert_eq!(cloud.everything(), before);
}

/// Nothing tells of nodes any more where Docker is gone. One that is away for a moment only is waited for.
#[tokio::test(start_paused = true)]
async fn nobody_waits_for_nodes_of_a_docker_that_is_gone() {
    let (cloud, _) = with_cluster(2).await;
    let before = cloud.everything();
    let dying = async {
        joining_node(&cloud).await;
        cloud.engine.vanish();
        tokio::time::sleep(Duration::from_secs(2)).await;
        cloud.engine.revive();
        cloud.services.live.engine_known().await;
        tokio::time::sleep(Duration::from_secs(10)).await;
        cloud.engine.vanish();
    };
    let began = Instant::now();
    let (failure, ()) = tokio::join!(cloud.fail("add node alex"), dying);
    assert_eq!(failure.code, Code::UNAVAILABLE, "{failure}");
    let lasted = began.elapsed();
    assert!(Duration::from_secs(12) < lasted && lasted < Duration::from_mins(1), "{lasted:?}");
    cloud.engine.revive();
    cloud.services.live.engine_known().await;
    cloud.sweep().await;
    assert_eq!(cloud.everything(), before);

    cloud.succeed("stop cluster alex").await;
    cloud.kubernetes.go(Stage::Watch, Manner::Hangs);
    let dying = async {
        let starts = || cloud.services.live.glance(USER).nodes().iter().all(|node| node.state == State::Starting);
        cloud.services.live.wait("nodes to start", Duration::from_mins(1), || starts().then_some(())).await.unwrap();
        cloud.engine.vanish();
    };
    let (failure, ()) = tokio::join!(cloud.fail("start cluster alex"), dying);
    assert_eq!(failure.code, Code::UNAVAILABLE, "{failure}");
}

/// Waits until a node that joins runs.
async fn joining_node(cloud: &Cloud) -> String {
    let runs = || {
        let mut nodes = cloud.services.live.glance(USER).nodes().into_iter();
        let new = nodes.find(|node| node.state == State::Creating)?.id;
        cloud.engine.is_running(&new).then_some(new)
    };
    cloud.services.live.wait("the node to run", Duration::from_mins(1), runs).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_kill_in_the_middle_is_cleaned_up_at_the_next_start() {
    for call in ["create_container", "put_archive", "start_container"] {
        for moment in [Moment::Never, Moment::AtOnce] {
            let (mut cloud, _) = with_cluster(2).await;
            let (before, applied) = (cloud.everything(), cloud.kubernetes.applied());
            cloud.engine.trouble_with(call, Trouble::Hangs(moment));
            cloud.cut_off("add node alex").await;
            cloud.answers("alex").await;
            cloud.sweep().await;
            let after = cloud.everything();
            assert_eq!(after, before, "{call} {moment:?}");
            if !(call == "create_container" && moment == Moment::Never) {
                assert_eq!(cloud.kubernetes.applied(), applied, "{call} {moment:?}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_node_is_drained_and_goes_with_its_node() {
    let (cloud, names) = with_cluster(3).await;
    let ended = cloud.succeed(&format!("delete node {}", names[1])).await;
    let done: Vec<_> = ended.steps(StepState::Done).iter().map(|step| step.step.clone()).collect();
    assert_eq!(done, ["drain", "delete"]);
    assert_eq!(short_names(&cloud), [names[0].clone(), names[2].clone()]);
    assert!(!cloud.kubernetes.applied().iter().any(|name| name.contains(&names[1])));
    let forced = cloud.succeed(&format!("delete node {} --force", names[2])).await;
    assert_eq!(forced.steps(StepState::Done).len(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_nodes_became_is_told_in_rows() {
    let (cloud, _) = with_cluster(1).await;
    let told = |ended: &Ended| ended.nodes().iter().map(|node| (node.name.clone(), node.state)).collect::<Vec<_>>();
    let added = succeed(&cloud, "add node alex -n 2").await;
    let new: Vec<String> = told(&added).into_iter().map(|(name, _)| name).collect();
    let all = |state| new.iter().map(|name| (name.clone(), state)).collect::<Vec<_>>();
    assert_eq!((told(&added), new.len()), (all(State::Ready), 2));
    let names = new.join(" ");
    assert_eq!(told(&cloud.succeed(&format!("stop node {names}")).await), all(State::Stopped));
    assert_eq!(told(&cloud.succeed(&format!("start node {names}")).await), all(State::Ready));
    let stopped = cloud.succeed("stop cluster alex").await;
    assert_eq!((stopped.clusters(), stopped.nodes().len()), (vec![("alex", State::Stopped)], 3));
    cloud.succeed("start cluster alex").await;
    let mut deleted = told(&cloud.succeed(&format!("delete node {names}")).await);
    deleted.sort_by(|one, other| one.0.cmp(&other.0));
    assert_eq!(deleted, all(State::Deleting));
}

#[tokio::test(start_paused = true)]
async fn pods_of_a_node_that_does_not_run_are_not_waited_for() {
    let (cloud, names) = with_cluster(2).await;
    cloud.succeed(&format!("stop node {}", names[1])).await;
    cloud.kubernetes.go(Stage::Drain, Manner::Hangs);
    let ended = cloud.succeed(&format!("delete node {}", names[1])).await;
    assert_eq!(ended.steps(StepState::Done).len(), 1, "it is deleted, not drained");
    assert_eq!(short_names(&cloud), [names[0].clone()]);
}

#[tokio::test(start_paused = true)]
async fn nodes_without_a_cni_are_not_waited_for_until_they_have_one() {
    let cloud = Cloud::new();
    let added = cloud.succeed("add cluster alex -n 1 --cni none -d without-network").await;
    let told = added.nodes().last().unwrap().state;
    assert!(matches!(told, State::NotReady | State::Unknown), "it is told as it is, not as {told}");
    let node = cloud.services.live.glance(USER).nodes()[0].name.clone();
    cloud.kubernetes.unready(&node);
    cloud.becomes("alex", State::NotReady).await;
    cloud.succeed("stop cluster alex").await;
    let started = cloud.succeed("start cluster alex").await;
    assert!(matches!(started.lines()[..], [line] if line.contains("without a CNI")), "{:?}", started.lines());
}

#[tokio::test(start_paused = true)]
async fn a_node_whose_pods_do_not_leave_stays() {
    let (cloud, names) = with_cluster(2).await;
    let before = cloud.everything();
    cloud.kubernetes.go(Stage::Drain, Manner::Hangs);
    let failure = cloud.fail(&format!("delete node {} --timeout 90s", names[1])).await;
    assert_eq!(failure.code, Code::TIMEOUT);
    assert!(failure.problem.contains("after 1m30s"), "{}", failure.problem);
    assert!(failure.cure.contains("kubectl get pdb") && failure.cure.contains("--force"), "{}", failure.cure);
    assert_eq!(cloud.everything(), before);
    assert!(cloud.kubernetes.cordoned().is_empty());
    // What somebody has cordoned stays so.
    let node = format!("{}.localhost", names[1]);
    cloud.kubernetes.cordon(&node);
    cloud.fail(&format!("delete node {} --timeout 90s", names[1])).await;
    assert!(cloud.kubernetes.cordoned().contains(&node));
}

#[tokio::test(start_paused = true)]
async fn a_deletion_is_cancelled_until_the_node_goes() {
    let (cloud, names) = with_cluster(2).await;
    let before = cloud.everything();
    let line = format!("delete node {}", names[1]);
    cloud.kubernetes.go(Stage::Drain, Manner::Hangs);
    let begun = cloud.begin(&line);
    let cancel = format!("cancel command {}", begun.id());
    let (ended, _) = tokio::join!(begun.run(), async {
        cloud.kubernetes.hung().await;
        cloud.succeed(&cancel).await
    });
    assert_eq!(ended.outcome.unwrap_err().code, Code::CANCELLED);
    assert_eq!(cloud.everything(), before);
    assert!(cloud.kubernetes.cordoned().is_empty());

    cloud.kubernetes.recover(Stage::Drain);
    cloud.engine.trouble_with("stop_container", Trouble::Hangs(Moment::Never));
    let begun = cloud.begin(&line);
    let cancel = format!("cancel command {}", begun.id());
    tokio::select! {
        ended = begun.run() => panic!("{ended:?}"),
        () = async {
            cloud.engine.hung().await;
            let failure = cloud.fail(&cancel).await;
            assert!(failure.code == Code::CONFLICT && failure.problem.contains("too late"), "{failure}");
        } => {}
    }
}

#[tokio::test(start_paused = true)]
async fn an_api_server_that_hangs_is_not_taken_for_pods_that_stay() {
    let (cloud, names) = with_cluster(2).await;
    let before = cloud.everything();
    let hangs = [Stage::Cordon, Stage::Drain, Stage::Watch];
    for stage in hangs {
        cloud.kubernetes.go(stage, Manner::Hangs);
    }
    let began = Instant::now();
    let line = format!("delete node {} --timeout 10m", names[1]);
    let failure = cloud.fail(&line).await;
    assert_eq!(failure.code, Code::UNAVAILABLE, "{failure}");
    assert!(failure.problem.contains("'alex' does not answer"), "{failure}");
    assert!(began.elapsed() < Duration::from_mins(1));
    assert_eq!(cloud.everything(), before);
    for stage in hangs {
        cloud.kubernetes.recover(stage);
    }
    cloud.answers("alex").await;
    cloud.succeed(&line).await;
}

#[tokio::test(start_paused = true)]
async fn the_last_control_plane_stays_and_a_deletion_that_was_killed_is_finished() {
    let (mut cloud, names) = with_cluster(2).await;
    let failure = cloud.fail(&format!("delete node {} {}", names[0], names[1])).await;
    assert_eq!(failure.code, Code::CONFLICT);
    assert!(failure.cure.contains("qbo delete cluster alex"), "{}", failure.cure);
    cloud.engine.trouble_with("stop_container", Trouble::Hangs(Moment::Never));
    let line = format!("delete node {}", names[1]);
    cloud.cut_off(&line).await;
    cloud.answers("alex").await;
    cloud.sweep().await;
    assert_eq!(cloud.engine.held().containers.len(), 1);
    assert!(!cloud.kubernetes.applied().iter().any(|name| name.contains(&names[1])));
}

#[tokio::test(start_paused = true)]
async fn a_node_whose_deletion_was_cut_off_while_it_was_drained_has_pods_again() {
    let (mut cloud, names) = with_cluster(2).await;
    let (before, line) = (cloud.everything(), format!("delete node {}", names[1]));
    cloud.kubernetes.go(Stage::Drain, Manner::Hangs);
    tokio::select! {
        ended = cloud.run(&line) => panic!("{ended:?}"),
        () = cloud.kubernetes.hung() => {}
    }
    assert_eq!(cloud.kubernetes.cordoned().len(), 1);
    // One that somebody cordoned stays so.
    let other = format!("{}.localhost", names[0]);
    cloud.kubernetes.cordon(&other);
    cloud.restart();
    cloud.answers("alex").await;
    cloud.sweep().await;
    assert_eq!(cloud.kubernetes.cordoned(), BTreeSet::from([other.clone()]));
    assert_eq!(cloud.everything(), before);

    // Nor does it stay so where the engine fails once the pods have left.
    cloud.kubernetes.recover(Stage::Drain);
    cloud
        .engine
        .trouble_with("put_archive", Trouble::Fails(EngineFault::Refused { status: 500, message: "no".into() }));
    cloud.fail(&line).await;
    assert_eq!(cloud.kubernetes.cordoned(), BTreeSet::from([other]));
    cloud.succeed(&line).await;
}

#[tokio::test(start_paused = true)]
async fn clusters_stop_and_start_and_twice_is_once() {
    let (cloud, _) = with_cluster(2).await;
    let before = cloud.everything();
    for _ in 0..2 {
        cloud.succeed("stop cluster alex").await;
        assert_eq!(cloud.succeed("get cluster").await.clusters(), [("alex", State::Stopped)]);
    }
    for _ in 0..2 {
        cloud.succeed("start cluster -A").await;
        assert_eq!(cloud.succeed("get cluster").await.clusters(), [("alex", State::Ready)]);
    }
    assert_eq!(cloud.everything(), before);
}

#[tokio::test(start_paused = true)]
async fn what_ended_by_itself_is_stopped_too_so_that_it_stays_so() {
    let (cloud, _) = with_cluster(2).await;
    let ended = cloud.services.live.glance(USER).nodes()[1].id.clone();
    cloud.engine.halt_container(&ended);
    cloud.becomes("alex", State::NotReady).await;
    cloud.succeed("stop cluster alex").await;
    assert!(cloud.engine.calls().contains(&format!("stop_container {ended}")));
}

#[tokio::test(start_paused = true)]
async fn nodes_stop_and_start_by_name_and_by_id() {
    let (cloud, names) = with_cluster(3).await;
    let id = cloud.services.live.glance(USER).nodes()[2].id.clone();
    cloud.succeed(&format!("stop node {} {}", names[1], &id[..8])).await;
    let states = |cloud: &Cloud| -> Vec<State> {
        cloud.services.live.glance(USER).nodes().iter().map(|node| node.state).collect()
    };
    assert_eq!(states(&cloud), [State::Ready, State::Stopped, State::Stopped]);
    cloud.succeed("start node -A").await;
    assert_eq!(states(&cloud), [State::Ready; 3]);
    cloud.succeed(&format!("stop node {}", names[0])).await;
    let failure = cloud.fail(&format!("start node {}", names[1])).await;
    assert!(failure.problem.contains("control plane of cluster 'alex' is stopped"), "{failure}");
}

#[tokio::test(start_paused = true)]
async fn all_that_can_be_stopped_and_started_is() {
    let (cloud, _) = with_cluster(1).await;
    cloud.kubernetes.go(Stage::Apply, Manner::Fails);
    cloud.fail("add cluster bad -n 2 --retain").await;
    cloud.kubernetes.recover(Stage::Apply);
    assert_eq!(cloud.succeed("stop cluster -A").await.clusters().len(), 2, "what is kept can be stopped");
    let started = cloud.succeed("start cluster -A").await;
    assert_eq!(started.clusters(), [("alex", State::Ready)]);
    assert!(started.lines()[0].starts_with("left alone: cluster 'bad' is not complete"), "{:?}", started.lines());
    assert_eq!(cloud.succeed("start cluster bad").await.clusters(), [("bad", State::Error)], "for looking at it");
    let claim = cloud.services.operations.claim((USER, "bad"), Business::default(), "qbo delete node").unwrap();
    let stopped = cloud.succeed("stop cluster -A").await;
    assert_eq!(stopped.clusters(), [("alex", State::Stopped)]);
    assert!(stopped.lines()[0].starts_with("left alone: cluster 'bad' is being changed"), "{:?}", stopped.lines());
    assert_eq!(cloud.fail("start cluster alex bad").await.code, Code::CONFLICT);
    assert_eq!(cloud.succeed("get cluster alex").await.clusters(), [("alex", State::Stopped)]);
    drop(claim);
}

#[tokio::test(start_paused = true)]
async fn a_stop_that_is_cancelled_starts_what_it_stopped() {
    let (cloud, _) = with_cluster(2).await;
    let before = cloud.everything();
    let begun = cloud.begin("stop cluster alex");
    begun.token().cancel();
    assert_eq!(begun.run().await.outcome.unwrap_err().code, Code::CANCELLED);
    assert_eq!(cloud.everything(), before);
}

#[tokio::test(start_paused = true)]
async fn of_two_who_change_a_cluster_at_once_one_wins_and_the_other_is_told() {
    let (cloud, names) = with_cluster(2).await;
    cloud.kubernetes.go(Stage::Drain, Manner::Hangs);
    let line = format!("delete node {}", names[1]);
    let losing = async {
        cloud.kubernetes.hung().await;
        let start = format!("start node {}", names[1]);
        for line in ["stop cluster alex", "delete cluster -A", "add node alex", &start] {
            let failure = cloud.fail(line).await;
            assert_eq!(failure.code, Code::CONFLICT, "{line}");
            let problem = format!("{}.localhost is deleting) by 'qbo delete node {}'", names[1], names[1]);
            assert!(failure.problem.contains(&problem), "{failure}");
        }
    };
    tokio::select! {
        ended = cloud.run(&line) => panic!("{ended:?}"),
        () = losing => {}
    }
}
