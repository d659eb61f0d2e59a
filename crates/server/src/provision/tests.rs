//! Making and deleting clusters over fake drivers: how it goes well, and that whatever goes wrong leaves nothing.

mod delete;
mod engine;
mod kubernetes;
mod retain;

use qbo_api::message::StepState;

use super::finish::STATE_PATH;
use crate::cluster::{LABEL_ROLE, WORKER};
use crate::execute::fixture::{Cloud, Everything, IMAGE};

const ADD: &str = "add cluster alex";
const ADD_RETAIN: &str = "add cluster alex --retain";
const DELETE: &str = "delete cluster alex";

/// The calls of an add that goes well.
async fn calls_of_an_add() -> Vec<String> {
    let cloud = Cloud::new();
    cloud.succeed(ADD).await;
    cloud.engine.calls()
}

/// The index of the call that marks a cluster as complete. What follows only looks.
fn completing(calls: &[String]) -> usize {
    calls.iter().rposition(|call| call.starts_with("put_archive")).unwrap()
}

/// What a cluster's control plane bears, where there is one.
fn mark(everything: &Everything) -> Option<String> {
    let mut marks = everything.held.containers.values().filter_map(|container| container.files.get(STATE_PATH));
    marks.next().map(|mark| String::from_utf8(mark.clone()).unwrap())
}

#[tokio::test]
async fn an_add_makes_a_cluster_of_three() {
    let cloud = Cloud::new();
    let before = cloud.everything();
    let ended = cloud.succeed(ADD).await;
    let after = cloud.everything();
    assert_eq!(after.held.networks.len(), before.held.networks.len() + 1);
    let containers: Vec<_> = after.held.containers.values().collect();
    assert_eq!(containers.len(), 3);
    for container in &containers {
        assert!(container.container.running);
        assert_eq!(container.network, "alex");
        assert!(container.files.contains_key("/kind/kubeadm.conf") || container.container.labels[LABEL_ROLE] == WORKER);
    }
    let mut addresses: Vec<String> = containers.iter().map(|container| container.address.to_string()).collect();
    addresses.sort();
    assert_eq!(addresses, ["198.18.0.10", "198.18.0.11", "198.18.0.12"]);
    let workers = containers.iter().filter(|container| container.container.labels[LABEL_ROLE] == WORKER);
    assert_eq!(workers.count(), 2);
    assert_eq!(mark(&after).unwrap(), "ready");
    let applied = cloud.kubernetes.applied();
    for object in ["DaemonSet kindnet", "StorageClass standard", "DaemonSet kube-proxy", "Deployment coredns"] {
        assert!(applied.iter().any(|applied| applied == object), "{object} is not in {applied:?}");
    }
    let kubeconfig = cloud.kubeconfig("alex");
    assert!(std::fs::read_to_string(&kubeconfig).unwrap().contains("server: https://198.18.0.10:6443"));
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&kubeconfig.metadata().unwrap().permissions()) & 0o777, 0o600);
    assert_eq!(ended.lines(), [format!("kubeconfig: {}", kubeconfig.display())]);
    assert!(cloud.is_idle());
}

#[tokio::test]
async fn the_steps_are_told_in_order_with_object_node_and_time() {
    let cloud = Cloud::new();
    let ended = cloud.succeed(ADD).await;
    let whole = |state| {
        ended
            .steps(state)
            .into_iter()
            .filter(|step| step.node.is_empty())
            .map(|step| step.step.as_str())
            .collect::<Vec<_>>()
    };
    let of_image = std::iter::once("manifests of the image");
    // No port of the host was asked for.
    let of_cluster = super::STEPS.into_iter().filter(|step| *step != super::Step::Ports);
    let steps: Vec<&str> = of_image.chain(of_cluster.map(super::Step::name)).collect();
    assert_eq!(whole(StepState::Started), steps);
    assert_eq!(whole(StepState::Done), steps);
    for (step, times) in [("container", 3), ("ready", 3)] {
        for state in [StepState::Started, StepState::Done] {
            let mut nodes: Vec<&str> =
                ended.steps(state).iter().filter(|told| told.step == step).map(|told| told.node.as_str()).collect();
            nodes.sort_unstable();
            nodes.dedup();
            assert_eq!(nodes.len(), times, "{step} {state:?}: {nodes:?}");
        }
    }
    let done = ended.steps(StepState::Done);
    assert_eq!(done[0].object, IMAGE);
    assert!(done[1..].iter().all(|step| step.object == "alex"));
    assert!(done.iter().all(|step| step.elapsed >= step.duration && step.duration >= 0.0));
    assert!(done.is_sorted_by(|left, right| left.elapsed <= right.elapsed));
    assert_eq!(ended.steps(StepState::Failed), Vec::<&qbo_api::message::Step>::new());
}
