//! What a clean-up removes, and what it leaves alone.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::cluster::{CONTROL_PLANE, LABEL_ROLE};
use crate::driver::engine::{EngineFault, NewContainer};
use crate::driver::fake::{FakeImage, Manner, Moment, Stage, Trouble};
use crate::execute::fixture::{Cloud, Everything};

const ADD: &str = "add cluster alex";

fn refused() -> EngineFault {
    EngineFault::Refused { status: 500, message: "device is busy".into() }
}

/// Makes a cluster, ends the server half-way through another, and starts it again.
async fn with_left_over() -> (Cloud, Everything) {
    let mut cloud = Cloud::new();
    cloud.succeed("add cluster complete").await;
    let before = cloud.everything();
    cloud.kubernetes.go(Stage::Ready, Manner::Hangs);
    tokio::select! {
        ended = cloud.run(ADD) => panic!("{ended:?}"),
        () = cloud.kubernetes.hung() => {}
    }
    cloud.restart();
    assert_ne!(cloud.everything(), before);
    (cloud, before)
}

/// Waits until the host is like that.
async fn become_like(cloud: &Cloud, wanted: &Everything) {
    let becoming = async {
        while cloud.everything() != *wanted {
            cloud.engine.carried_out().await;
        }
    };
    timeout(Duration::from_hours(1), becoming).await.expect("the clean-up removes everything in the end");
}

#[tokio::test]
async fn only_what_was_interrupted_is_removed() {
    let (cloud, before) = with_left_over().await;
    cloud.sweep().await;
    assert_eq!(cloud.everything(), before);
    cloud.sweep().await;
    assert_eq!(cloud.everything(), before);
}

/// What somebody made or removed behind qbo's back is theirs.
#[tokio::test]
async fn what_others_did_is_left_alone() {
    let cloud = Cloud::new();
    cloud.succeed(ADD).await;
    let containers = cloud.engine.held().containers;
    let is_control_plane = |id: &&String| containers[*id].container.labels[LABEL_ROLE] == CONTROL_PLANE;
    cloud.engine.drop_container(containers.keys().find(is_control_plane).unwrap());
    cloud.engine.hold_network("other", "198.19.0.0/24");
    cloud.engine.hold_image(FakeImage::other("nginx:1.27"));
    cloud.engine.hold_container(&NewContainer {
        name: "other".into(),
        image: "nginx:1.27".into(),
        network: "other".into(),
        address: [198, 19, 0, 2].into(),
        labels: crate::driver::engine::Labels::new(),
        extras: crate::driver::engine::Extras::default(),
        environment: Vec::new(),
    });
    let before = cloud.everything();
    cloud.sweep().await;
    assert_eq!(cloud.everything(), before);
}

/// A clean-up that listed a cluster half-made and comes to it when it is complete.
#[tokio::test]
async fn a_cluster_that_was_completed_meanwhile_stays() {
    let cloud = Cloud::new();
    let (add_goes_on, sweep_goes_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    // The network is there, and no node is told of yet.
    cloud.engine.trouble_with("create_network", Trouble::Waits(Arc::clone(&add_goes_on)));
    let add = async {
        cloud.succeed(ADD).await;
        sweep_goes_on.notify_one();
        cloud.everything()
    };
    let sweep = async {
        cloud.engine.hung().await;
        cloud.engine.trouble_with("networks", Trouble::Waits(Arc::clone(&sweep_goes_on)));
        let release = async {
            cloud.engine.hung().await;
            add_goes_on.notify_one();
        };
        tokio::join!(cloud.sweep(), release);
    };
    let (complete, ()) = tokio::join!(add, sweep);
    assert_eq!(cloud.everything(), complete);
}

#[tokio::test]
async fn a_busy_cluster_is_left_to_its_command() {
    let cloud = Cloud::new();
    cloud.kubernetes.go(Stage::Ready, Manner::Hangs);
    let begun = cloud.begin(ADD);
    let token = begun.token();
    let sweep = async {
        cloud.kubernetes.hung().await;
        let busy = cloud.everything();
        cloud.sweep().await;
        assert_eq!(cloud.everything(), busy);
        token.cancel();
    };
    let (ended, ()) = tokio::join!(begun.run(), sweep);
    assert!(ended.outcome.is_err());
}

#[tokio::test]
async fn a_probe_is_removed_unless_somebody_looks_at_it() {
    let mut cloud = Cloud::new();
    let before = cloud.everything();
    let answer = Arc::new(Notify::new());
    cloud.engine.trouble_with("read_file", Trouble::Waits(Arc::clone(&answer)));
    let sweep = async {
        cloud.engine.hung().await;
        let probing = cloud.everything();
        cloud.sweep().await;
        assert_eq!(cloud.everything(), probing);
        answer.notify_one();
    };
    tokio::join!(cloud.succeed(ADD), sweep);
    cloud.succeed("delete cluster alex").await;
    assert_eq!(cloud.everything(), before);

    cloud.restart();
    cloud.engine.trouble_with("read_file", Trouble::Hangs(Moment::Never));
    tokio::select! {
        ended = cloud.run(ADD) => panic!("{ended:?}"),
        () = cloud.engine.hung() => {}
    }
    assert_ne!(cloud.everything(), before);
    cloud.restart();
    cloud.sweep().await;
    assert_eq!(cloud.everything(), before);
}

#[tokio::test]
async fn what_cannot_be_removed_does_not_hold_up_the_rest() {
    let mut cloud = Cloud::new();
    let before = cloud.everything();
    cloud.kubernetes.go(Stage::Ready, Manner::Hangs);
    let both = async {
        cloud.kubernetes.hung().await;
        cloud.kubernetes.hung().await;
    };
    tokio::select! {
        ended = cloud.run("add cluster first second") => panic!("{ended:?}"),
        () = both => {}
    }
    cloud.restart();
    cloud.engine.trouble_with("remove_container", Trouble::Fails(refused()));
    assert_eq!(sweep(&cloud.services).await.unwrap_err().cause, refused());
    let held = cloud.engine.held();
    let left: Vec<&str> = held
        .networks
        .values()
        .map(|network| network.name.as_str())
        .filter(|name| ["first", "second"].contains(name))
        .collect();
    assert_eq!(left, ["first"]);
    cloud.sweep().await;
    assert_eq!(cloud.everything(), before);
}

#[tokio::test(start_paused = true)]
async fn while_the_engine_is_gone_attempts_become_rare_and_go_on() {
    let (cloud, before) = with_left_over().await;
    cloud.engine.vanish();
    let began = Instant::now();
    let stop = CancellationToken::new();
    let task = tokio::spawn(run(Arc::clone(&cloud.services), stop.clone()));
    let first = cloud.engine.calls().len();
    while cloud.engine.calls().len() < first + 20 {
        cloud.engine.carried_out().await;
    }
    // Two calls an attempt: of nine pauses, the first six double from 0.25 s on, the others are of 10 s.
    assert_eq!(began.elapsed().as_secs(), 45);
    cloud.engine.revive();
    become_like(&cloud, &before).await;
    stop.cancel();
    task.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_command_that_leaves_something_calls_for_a_clean_up() {
    let cloud = Cloud::new();
    let before = cloud.everything();
    let stop = CancellationToken::new();
    let task = tokio::spawn(run(Arc::clone(&cloud.services), stop.clone()));
    cloud.kubernetes.go(Stage::Apply, Manner::Fails);
    for call in ["remove_container", "remove_network"] {
        cloud.engine.trouble_with(call, Trouble::Fails(refused()));
        cloud.fail(ADD).await;
        become_like(&cloud, &before).await;
    }
    cloud.engine.trouble_with("remove_container qbo-probe", Trouble::Fails(refused()));
    cloud.engine.hold_image(FakeImage::other("nginx:1.27"));
    let before = cloud.everything();
    cloud.fail("add cluster alex -i nginx:1.27").await;
    become_like(&cloud, &before).await;
    stop.cancel();
    task.await.unwrap();
}

#[tokio::test]
async fn nodes_that_were_killed_and_cannot_end_are_let_go_unless_a_command_is_about_them() {
    let cloud = Cloud::new();
    cloud.succeed("add cluster alex -n 2").await;
    cloud.succeed("add cluster other -n 1").await;
    let before = cloud.everything();
    for id in cloud.engine.held().containers.into_keys() {
        cloud.engine.hold_back(&id);
    }
    let answer = Arc::new(Notify::new());
    cloud.engine.trouble_with("stop_container", Trouble::Waits(Arc::clone(&answer)));
    let sweep = async {
        cloud.engine.hung().await;
        cloud.sweep().await;
        let held_back = cloud.engine.held().containers.into_values().filter(|found| found.held_back);
        assert_eq!(held_back.map(|found| found.network).collect::<Vec<_>>(), ["other"]);
        answer.notify_one();
    };
    tokio::join!(cloud.succeed("stop cluster other"), sweep);
    cloud.succeed("start cluster other").await;
    cloud.sweep().await;
    assert_eq!(cloud.everything(), before);
}

/// The engine ends nodes when it starts, and whether they ended is seen only later.
#[tokio::test(start_paused = true)]
async fn after_each_ring_it_is_looked_several_times() {
    let cloud = Cloud::new();
    let stop = CancellationToken::new();
    let task = tokio::spawn(run(Arc::clone(&cloud.services), stop.clone()));
    let looks = || cloud.engine.calls().iter().filter(|call| call.ends_with(LABEL_PROBE)).count();
    let mut looked = Vec::new();
    for _ in 0..3 {
        tokio::time::sleep(Duration::from_hours(1)).await;
        looked.push(looks());
        cloud.services.left_overs.ring();
    }
    assert_eq!((looked[1] - looked[0], looked[2] - looked[1]), (1 + LATER.len(), 1 + LATER.len()));
    stop.cancel();
    task.await.unwrap();
}
