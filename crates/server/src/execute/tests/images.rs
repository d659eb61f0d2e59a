//! `load image`: what is moved, what is not, and what happens where it goes wrong.

use qbo_api::message::{Code, StepState};

use crate::driver::engine::EngineFault;
use crate::driver::fake::{FakeImage, Moment, Trouble};
use crate::execute::fixture::{Cloud, USER};

const APP: &str = "docker.io/library/app:1";

/// A cluster of two nodes, and an image that Docker holds.
async fn cloud() -> Cloud {
    let cloud = Cloud::new();
    cloud.succeed("add cluster dev -n 2").await;
    cloud.answers("dev").await;
    cloud.engine.hold_image(FakeImage::other("app:1"));
    cloud
}

/// The names of images in every node of a cluster, by the node's name.
fn loaded(cloud: &Cloud, cluster: &str) -> Vec<Vec<String>> {
    let held = cloud.engine.held();
    let nodes = held.containers.values().filter(|found| found.network == cluster);
    nodes.map(|found| found.images().into_iter().map(str::to_owned).collect()).collect()
}

fn calls(cloud: &Cloud, operation: &str) -> usize {
    cloud.engine.calls().iter().filter(|call| call.split(' ').next() == Some(operation)).count()
}

#[tokio::test]
async fn an_image_is_read_once_for_all_nodes_and_not_moved_again() {
    let cloud = cloud().await;
    let ended = cloud.succeed("load image app:1 -c dev").await;
    assert_eq!(loaded(&cloud, "dev"), [[APP], [APP]]);
    assert_eq!((calls(&cloud, "save"), ended.steps(StepState::Done).len()), (1, 2));
    assert!(!ended.steps(StepState::Progress).is_empty());
    assert_eq!(ended.lines(), ["app:1: moved into 2 nodes"]);

    let ended = cloud.succeed("load image app:1 -A").await;
    assert_eq!(ended.lines(), ["app:1: 2 nodes had it already, nothing was moved"]);
    assert_eq!(calls(&cloud, "save"), 1);

    // A node that came later has it not.
    super::nodes::succeed(&cloud, "add node dev").await;
    let ended = cloud.succeed("load image app:1 -c dev").await;
    assert_eq!(ended.lines(), ["app:1: moved into 1 node, 2 nodes had it already"]);
    assert_eq!(loaded(&cloud, "dev"), [[APP], [APP], [APP]]);
    assert!(cloud.is_idle());
}

#[tokio::test]
async fn an_image_that_docker_knows_by_its_manifest_is_not_moved_again() {
    let cloud = cloud().await;
    cloud.engine.hold_image(FakeImage::other("kept:1").of_containerd());
    cloud.succeed("load image kept:1 -c dev").await;
    let ended = cloud.succeed("load image kept:1 -c dev").await;
    assert_eq!(ended.lines(), ["kept:1: 2 nodes had it already, nothing was moved"]);
}

#[tokio::test]
async fn another_name_of_an_image_is_only_given() {
    let cloud = cloud().await;
    cloud.succeed("load image app:1 -c dev").await;
    let id = cloud.engine.held().images.iter().find(|image| image.names()[0] == "app:1").unwrap().id().to_owned();
    let name = "localhost:5000/app:2".parse().unwrap();
    crate::driver::engine::Engine::tag_image(&*cloud.engine, &id, &name).await.unwrap();
    let ended = cloud.succeed("load image localhost:5000/app:2 -c dev").await;
    assert_eq!(ended.lines(), ["localhost:5000/app:2: moved into 0 nodes, 2 nodes got the name"]);
    assert_eq!(loaded(&cloud, "dev"), [[APP, "localhost:5000/app:2"], [APP, "localhost:5000/app:2"]]);
    assert_eq!(calls(&cloud, "save"), 1);
}

#[tokio::test]
async fn a_node_that_fails_is_named_and_the_others_have_it() {
    let cloud = cloud().await;
    let fault = EngineFault::Refused { status: 500, message: "exec failed".into() };
    cloud.engine.trouble_with("feed", Trouble::Fails(fault));
    let ended = cloud.run("load image app:1 -c dev").await;
    let failure = ended.outcome.clone().unwrap_err();
    assert_eq!(failure.code, Code::BAD_GATEWAY);
    let failed = ended.steps(StepState::Failed);
    let [step] = failed.as_slice() else { panic!("{failed:?}") };
    assert!(step.node.ends_with(".localhost"), "{step:?}");
    assert_eq!(ended.steps(StepState::Done).len(), 1);
    let mut both = loaded(&cloud, "dev");
    both.sort();
    assert_eq!(both, [vec![], vec![APP.to_owned()]]);
    assert_eq!(ended.lines(), ["app:1: moved into 1 node, 1 node failed"]);
    // What failed is brought when it is asked for again.
    let ended = cloud.succeed("load image app:1 -c dev").await;
    assert_eq!(ended.lines(), ["app:1: moved into 1 node, 1 node had it already"]);
}

#[tokio::test(start_paused = true)]
async fn a_node_that_does_not_say_what_it_has_is_named_and_the_others_have_it() {
    let refused = |status, message: &str| Trouble::Fails(EngineFault::Refused { status, message: message.into() });
    for (trouble, code, says) in [
        (refused(409, "Container x is not running"), Code::CONFLICT, "is stopped"),
        (refused(500, "exec failed"), Code::BAD_GATEWAY, "exec failed"),
        (Trouble::Hangs(Moment::Never), Code::TIMEOUT, "did not answer within 30 s"),
    ] {
        let cloud = cloud().await;
        cloud.succeed("add cluster other -n 1").await;
        let rows = cloud.services.live.glance(USER).nodes();
        let ill = rows.iter().find(|node| node.cluster == "dev").unwrap();
        cloud.engine.trouble_with(&format!("execute {} crictl images", ill.id), trouble);
        let ended = cloud.run("load image app:1 -A").await;
        let failure = ended.outcome.clone().unwrap_err();
        assert_eq!(failure.code, code, "{failure}");
        assert!(failure.problem.contains(&ill.name) && failure.problem.contains(says), "{failure}");
        assert!(!failure.cure.is_empty(), "{failure}");
        assert_eq!(ended.lines(), ["app:1: moved into 2 nodes, 1 node failed"]);
        assert_eq!(loaded(&cloud, "dev").concat(), [APP]);
        assert_eq!(loaded(&cloud, "other"), [[APP]]);
        let ended = cloud.succeed("load image app:1 -A").await;
        assert_eq!(ended.lines(), ["app:1: moved into 1 node, 2 nodes had it already"]);
    }
}

#[tokio::test]
async fn where_no_node_says_what_it_has_the_image_is_not_read() {
    let cloud = Cloud::new();
    cloud.succeed("add cluster dev -n 1").await;
    cloud.engine.hold_image(FakeImage::other("app:1"));
    let fault = EngineFault::Refused { status: 500, message: "exec failed".into() };
    cloud.engine.trouble_with("execute", Trouble::Fails(fault));
    let ended = cloud.run("load image app:1 -c dev").await;
    assert_eq!(ended.outcome.clone().unwrap_err().code, Code::BAD_GATEWAY);
    assert_eq!(ended.lines(), ["app:1: moved into 0 nodes, 1 node failed"]);
    assert_eq!(calls(&cloud, "save"), 0);
}

#[tokio::test]
async fn an_archive_that_ends_early_is_in_no_node() {
    let cloud = cloud().await;
    cloud.engine.cut_archives(true);
    let ended = cloud.run("load image app:1 -c dev").await;
    assert_eq!(ended.outcome.clone().unwrap_err().code, Code::UNAVAILABLE, "what broke is Docker's archive");
    assert_eq!(ended.steps(StepState::Failed).len(), 2);
    assert_eq!(loaded(&cloud, "dev"), [[""; 0], [""; 0]]);
    cloud.engine.cut_archives(false);
    cloud.succeed("load image app:1 -c dev").await;
}

#[tokio::test]
async fn a_cancel_ends_it_and_nothing_is_left_half_way() {
    let cloud = cloud().await;
    let answer = std::sync::Arc::new(tokio::sync::Notify::new());
    cloud.engine.trouble_with("feed", Trouble::Waits(std::sync::Arc::clone(&answer)));
    let begun = cloud.begin("load image app:1 -c dev");
    let token = begun.token();
    let cancel = async {
        cloud.engine.hung().await;
        token.cancel();
        answer.notify_one();
    };
    let (ended, ()) = tokio::join!(begun.run(), cancel);
    assert_eq!(ended.outcome.unwrap_err().code, Code::CANCELLED);
    assert!(loaded(&cloud, "dev").concat().is_empty());
    assert!(cloud.is_idle());
}

#[tokio::test]
async fn what_cannot_be_is_refused_before_anything_moves() {
    let cloud = cloud().await;
    cloud.engine.hold_image(FakeImage::other("foreign:1").with_label("architecture", "arm64"));
    let digest = format!("app@sha256:{}", "0".repeat(64));
    for (line, code, says) in [
        ("load image ghost:1 -c dev", Code::NOT_FOUND, "holds no image 'ghost:1'"),
        ("load image foreign:1 -c dev", Code::UNPROCESSABLE, "is for arm64, and the nodes of this host are amd64"),
        ("load image app:1 -c ghost", Code::NOT_FOUND, "there is no cluster 'ghost'"),
        ("load image app:1 ghost:1 -c dev", Code::NOT_FOUND, "holds no image 'ghost:1'"),
        (&format!("load image {digest} -c dev"), Code::UNPROCESSABLE, "by its digest"),
    ] {
        let failure = cloud.fail(line).await;
        assert_eq!(failure.code, code, "{line}: {failure}");
        assert!(failure.problem.contains(says) && !failure.cure.is_empty(), "{line}: {failure}");
    }
    let rows = cloud.services.live.glance(USER).nodes();
    let worker = rows.iter().find(|node| node.name.starts_with("node-")).unwrap().clone();
    cloud.succeed(&format!("stop node {}", worker.name)).await;
    let failure = cloud.fail("load image app:1 -c dev").await;
    assert_eq!(failure.code, Code::CONFLICT);
    assert!(failure.problem.contains(&worker.name) && failure.cure.contains("qbo start node"), "{failure}");
    assert_eq!(calls(&cloud, "save"), 0);
}
