//! Images that are added, by name or on the way to a cluster.

use qbo_api::message::{Payload, StepState};
use qbo_api::model::State;
use tokio_util::sync::CancellationToken;

use crate::driver::fake::FakeImage;
use crate::execute::fixture::Cloud;

#[tokio::test]
async fn an_image_of_our_own_is_built_and_any_other_is_pulled() {
    for (image, verb, name, version) in [
        ("qbo/node:v1.37.2", "build", "hub.docker.com/qbo/node:v1.37.2", "v1.37.2"),
        ("kindest/node:v1.36.0", "pull", "hub.docker.com/kindest/node:v1.36.0", "v1.36.0"),
    ] {
        let cloud = Cloud::new();
        cloud.engine.offer_image(FakeImage::node("kindest/node:v1.36.0", "v1.36.0"));
        let ended = cloud.succeed(&format!("add image {image}")).await;
        assert_eq!(ended.images(), [(name, true)]);
        assert_eq!(ended.lines(), [format!("{image} holds Kubernetes {version}")]);
        for state in [StepState::Started, StepState::Progress, StepState::Done] {
            let steps = ended.steps(state);
            assert_eq!((steps.len(), steps[0].object.as_str(), steps[0].step.as_str()), (1, image, verb), "{state:?}");
        }
    }
}

#[tokio::test]
async fn a_cluster_brings_its_image_along_once() {
    let cloud = Cloud::new();
    cloud.engine.offer_image(FakeImage::node("kindest/node:v1.36.0", "v1.36.0"));
    let ended = cloud.succeed("add cluster alex -i hub.docker.com/kindest/node:v1.36.0").await;
    assert!(ended.steps(StepState::Done).iter().any(|step| step.step == "pull"));
    let first = cloud.engine.calls().len();
    let ended = cloud.succeed("add cluster sam -i kindest/node:v1.36.0").await;
    assert!(ended.steps(StepState::Done).iter().all(|step| step.step != "pull"));
    let calls = cloud.engine.calls().split_off(first);
    assert!(!calls.iter().any(|call| call.contains("qbo-probe")), "its version is known by now: {calls:?}");
    assert!(ended.nodes().iter().all(|node| node.image == "kindest/node:v1.36.0"));
}

#[tokio::test]
async fn a_server_that_warmed_up_knows_its_image_before_the_first_cluster() {
    let cloud = Cloud::new();
    let before = cloud.everything();
    cloud.services.warm_up(&CancellationToken::new()).await;
    assert_eq!(cloud.everything(), before);
    let first = cloud.engine.calls().len();
    cloud.succeed("add cluster alex -n 3").await;
    cloud.succeed("add cluster sam -n 1").await;
    let calls = cloud.engine.calls().split_off(first);
    assert!(!calls.iter().any(|call| call.starts_with("create_probe")), "{calls:?}");

    let cloud = Cloud::new();
    cloud.engine.vanish();
    cloud.services.warm_up(&CancellationToken::new()).await;
    cloud.engine.revive();
    cloud.succeed("add cluster alex").await;
}

/// The session sends the echo and the final message; these are between them.
#[tokio::test]
async fn a_complete_cluster_is_told_with_its_nodes() {
    let cloud = Cloud::new();
    let ended = cloud.succeed("add cluster alex").await;
    assert_eq!(ended.clusters(), [("alex", State::Ready)]);
    let states: Vec<State> = ended.nodes().iter().map(|node| node.state).collect();
    assert_eq!(states, [[State::Creating; 3], [State::Ready; 3]].concat());
    let nodes = &ended.nodes()[3..];
    assert!(nodes[0].name.starts_with("control-") && nodes[1..].iter().all(|node| node.name.starts_with("node-")));
    assert!(
        nodes.iter().all(|node| node.cluster == "alex" && node.id.len() == 64 && node.name.ends_with(".localhost"))
    );
    let kinds = ended.messages.iter().rev().take(3).map(|message| match &message.payload {
        Payload::Output(_) => "output",
        Payload::Nodes(_) => "nodes",
        Payload::Clusters(_) => "clusters",
        _ => "other",
    });
    assert_eq!(kinds.collect::<Vec<_>>(), ["output", "nodes", "clusters"]);
}
