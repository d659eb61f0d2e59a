//! Images that are added, by name or on the way to a cluster.

use qbo_api::message::{Code, Payload, StepState};
use qbo_api::model::State;
use tokio_util::sync::CancellationToken;

use crate::driver::engine::EngineFault;
use crate::driver::fake::{FakeImage, Trouble};
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

/// What the engine holds of images: names, and ids.
fn held(cloud: &Cloud) -> Vec<(Vec<String>, String)> {
    let images = cloud.engine.held().images;
    images.iter().map(|image| (image.names().to_vec(), image.id().to_owned())).collect()
}

#[tokio::test]
async fn an_image_without_kubernetes_is_removed_again_if_it_was_pulled_for_nothing_else() {
    let name = "localhost:5000/alex/node:v1";
    for line in ["add image", "add cluster alex -i"] {
        let cloud = Cloud::new();
        let before = held(&cloud);
        cloud.engine.offer_image(FakeImage::other(name));
        let ended = cloud.run(&format!("{line} {name}")).await;
        let failure = ended.outcome.as_ref().unwrap_err();
        assert_eq!(failure.code, Code::UNPROCESSABLE);
        assert!(failure.problem.starts_with(&format!("image '{name}' has no Kubernetes in it")), "{failure:?}");
        assert_eq!(ended.lines(), [format!("{name} was removed from Docker again")]);
        assert_eq!(held(&cloud), before, "{line}");
    }

    // Held before: it is not the command's.
    let cloud = Cloud::new();
    let image = FakeImage::other(name);
    cloud.engine.hold_image(image.clone());
    cloud.engine.offer_image(image);
    let before = held(&cloud);
    assert_eq!(cloud.fail(&format!("add image {name}")).await.code, Code::UNPROCESSABLE);
    assert_eq!(held(&cloud), before);
}

#[tokio::test]
async fn an_image_whose_name_moved_to_one_without_kubernetes_keeps_its_name() {
    let name = "localhost:5000/alex/node:v1.36.0";
    let cloud = Cloud::new();
    cloud.engine.hold_image(FakeImage::node(name, "v1.36.0"));
    let before = held(&cloud);
    cloud.engine.offer_image(FakeImage::other(name));
    assert_eq!(cloud.fail(&format!("add image {name}")).await.code, Code::UNPROCESSABLE);
    assert_eq!(held(&cloud), before);
}

#[tokio::test]
async fn an_image_that_cannot_be_removed_again_is_refused_with_the_same_words() {
    let name = "localhost:5000/alex/node:v1";
    let cloud = Cloud::new();
    cloud.engine.offer_image(FakeImage::other(name));
    let fault = EngineFault::Refused { status: 409, message: "a container is using it".into() };
    cloud.engine.trouble_with("remove_image", Trouble::Fails(fault));
    let ended = cloud.run(&format!("add image {name}")).await;
    assert_eq!(ended.outcome.as_ref().unwrap_err().code, Code::UNPROCESSABLE);
    assert_eq!(ended.lines(), Vec::<&str>::new());
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
