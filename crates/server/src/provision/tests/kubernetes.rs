//! Adds whose cluster fails or never gets anywhere.

use std::time::Duration;

use qbo_api::message::Code;
use tokio::time::Instant;

use super::{ADD, calls_of_an_add};
use crate::driver::engine::Executed;
use crate::driver::fake::{FakeImage, Manner, Moment, Stage, Trouble};
use crate::error::Failure;
use crate::execute::fixture::{Cloud, IMAGE, USER};

/// Stages at which an add asks something of the cluster.
const STAGES: [Stage; 5] = [Stage::Connect, Stage::Answer, Stage::Apply, Stage::Ready, Stage::Dns];

#[tokio::test]
async fn a_cluster_that_refuses_something_leaves_nothing() {
    for stage in [Stage::Connect, Stage::Apply] {
        let cloud = Cloud::new();
        let before = cloud.everything();
        cloud.kubernetes.go(stage, Manner::Fails);
        let failure = cloud.fail(ADD).await;
        assert_eq!(failure.code, Code::BAD_GATEWAY, "{failure}");
        assert_eq!(failure.problem, format!("kubernetes ask {stage:?}: connection reset by peer"));
        assert_eq!(cloud.everything(), before, "{stage:?}");
        assert!(cloud.is_idle(), "{stage:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_waited_for_in_vain_is_named() {
    for (stage, seconds, words) in [
        (Stage::Answer, 300, "cluster 'alex': waited 300 s in vain for the API server to answer"),
        (Stage::Apply, 120, "cluster 'alex': waited 120 s in vain for the cluster's objects to be applied"),
        (Stage::Ready, 300, "cluster 'alex': waited 300 s in vain for all nodes to be Ready (not Ready: node-"),
        (Stage::Dns, 300, "cluster 'alex': waited 300 s in vain for cluster DNS to be available"),
    ] {
        let cloud = Cloud::new();
        let before = cloud.everything();
        cloud.kubernetes.go(stage, Manner::Hangs);
        let began = Instant::now();
        let failure = cloud.fail(ADD).await;
        assert_eq!(began.elapsed().as_secs(), seconds, "{stage:?}");
        assert_eq!(failure.code, Code::TIMEOUT, "{failure}");
        assert!(failure.problem.starts_with(words), "{failure}");
        assert!(failure.cure.contains("--retain"), "{}", failure.cure);
        assert_eq!(cloud.everything(), before, "{stage:?}");
        assert!(cloud.is_idle(), "{stage:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_node_that_ends_is_not_waited_for() {
    for stage in STAGES.into_iter().filter(|stage| *stage != Stage::Connect) {
        let cloud = Cloud::new();
        let before = cloud.everything();
        cloud.kubernetes.go(stage, Manner::Hangs);
        let began = Instant::now();
        let ending = async {
            cloud.kubernetes.hung().await;
            let nodes = cloud.services.live.glance(USER).nodes();
            cloud.engine.halt_container(&nodes[1].id);
            nodes[1].name.clone()
        };
        let (failure, node) = tokio::join!(cloud.fail(ADD), ending);
        assert_eq!(failure.code, Code::BAD_GATEWAY, "{failure}");
        assert_eq!(failure.problem, format!("node '{node}' ended while cluster 'alex' was made"));
        assert!(began.elapsed() < Duration::from_secs(1), "{stage:?}");
        assert_eq!(cloud.everything(), before, "{stage:?}");
        assert!(cloud.is_idle(), "{stage:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_cancel_does_not_wait_for_what_is_waited_for() {
    for stage in STAGES.into_iter().filter(|stage| *stage != Stage::Connect) {
        let cloud = Cloud::new();
        let before = cloud.everything();
        cloud.kubernetes.go(stage, Manner::Hangs);
        let (command, began) = (cloud.begin(ADD), Instant::now());
        let token = command.token();
        let cancel = async {
            cloud.kubernetes.hung().await;
            token.cancel();
        };
        let (ended, ()) = tokio::join!(command.run(), cancel);
        assert_eq!(ended.outcome, Err(Failure::cancelled()), "{stage:?}");
        assert_eq!(began.elapsed(), Duration::ZERO, "{stage:?}");
        assert_eq!(cloud.everything(), before, "{stage:?}");
    }
}

#[tokio::test]
async fn a_server_killed_while_it_waits_leaves_nothing_at_its_next_start() {
    for stage in STAGES {
        let mut cloud = Cloud::new();
        let before = cloud.everything();
        cloud.kubernetes.go(stage, Manner::Hangs);
        tokio::select! {
            ended = cloud.run(ADD) => panic!("{stage:?}: {ended:?}"),
            () = cloud.kubernetes.hung() => {}
        }
        cloud.restart();
        cloud.sweep().await;
        assert_eq!(cloud.everything(), before, "{stage:?}");
    }
}

/// The programs of the image's kubeadm that an add runs.
async fn kubeadm_calls() -> Vec<usize> {
    let calls = calls_of_an_add().await;
    let executes = calls.iter().enumerate().filter(|(_, call)| call.starts_with("execute"));
    executes.map(|(index, _)| index).collect()
}

#[tokio::test]
async fn a_kubeadm_that_fails_is_told_in_its_own_words() {
    let cloud = Cloud::new();
    let before = cloud.everything();
    let errors = "one\ntwo\nthree\nfour\nfive\nerror: unknown flag\n".to_owned();
    cloud.engine.execute_as(Executed { code: 1, output: String::new(), errors });
    let failure = cloud.fail(ADD).await;
    assert_eq!(failure.code, Code::UNPROCESSABLE, "{failure}");
    assert!(failure.problem.contains("kubeadm init phase"), "{failure}");
    assert!(failure.problem.ends_with("ended with 1: two / three / four / five / error: unknown flag"), "{failure}");
    assert_eq!(cloud.everything(), before);
}

#[tokio::test(start_paused = true)]
async fn a_kubeadm_that_never_ends_is_given_up() {
    for call in kubeadm_calls().await {
        let cloud = Cloud::new();
        let before = cloud.everything();
        cloud.engine.trouble(call, Trouble::Hangs(Moment::AtOnce));
        let failure = cloud.fail(ADD).await;
        assert_eq!(failure.code, Code::TIMEOUT, "{failure}");
        assert!(failure.problem.starts_with("waited 120 s in vain for 'kubeadm init phase"), "{failure}");
        assert_eq!(cloud.everything(), before);
    }
}

#[tokio::test(start_paused = true)]
async fn a_cancel_does_not_wait_for_kubeadm() {
    for call in kubeadm_calls().await {
        let cloud = Cloud::new();
        let before = cloud.everything();
        cloud.engine.trouble(call, Trouble::Hangs(Moment::AtOnce));
        let (command, began) = (cloud.begin(ADD), Instant::now());
        let token = command.token();
        let cancel = async {
            cloud.engine.hung().await;
            token.cancel();
        };
        let (ended, ()) = tokio::join!(command.run(), cancel);
        assert_eq!((ended.outcome, began.elapsed()), (Err(Failure::cancelled()), Duration::ZERO));
        assert_eq!(cloud.everything(), before);
    }
}

#[tokio::test]
async fn an_old_kubeadm_applies_its_addons_itself() {
    for (mode, phase) in [("iptables", "addon all"), ("none", "addon coredns")] {
        let cloud = Cloud::new();
        cloud.engine.hold_image(FakeImage::node("kindest/node:v1.24.17", "v1.24.17"));
        let file = format!("apiVersion: qbo.io/v1\nkind: Cluster\nname: alex\nkubeProxyMode: {mode}\n");
        cloud.succeed_with("add cluster -i kindest/node:v1.24.17 -f cluster.yaml", &file).await;
        let calls = cloud.engine.calls();
        let addons: Vec<&String> = calls.iter().filter(|call| call.contains("phase addon")).collect();
        assert!(addons.len() == 1 && addons[0].contains(phase), "{addons:?}");
        assert!(!addons[0].contains("--print-manifest"), "{addons:?}");
    }
}

#[tokio::test]
async fn an_image_without_manifests_is_refused_and_leaves_nothing() {
    for path in ["/kind/manifests/default-cni.yaml", "/kind/manifests/default-storage.yaml"] {
        let cloud = Cloud::new();
        cloud.engine.hold_image(FakeImage::node(IMAGE, "v1.37.0").without_file(path));
        let before = cloud.everything();
        let failure = cloud.fail(ADD).await;
        assert_eq!((failure.code, failure.problem), (Code::UNPROCESSABLE, format!("image '{IMAGE}' has no {path}")));
        assert_eq!(cloud.everything(), before);
    }
}
