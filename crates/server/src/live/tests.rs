//! What is known, and what is told of it, whoever caused it.

use std::sync::Arc;
use std::time::Duration;

use qbo_api::message::{Change, Message, Payload};
use qbo_api::model::State;
use tokio::sync::Notify;

use crate::access::User;
use crate::driver::fake::{FakeImage, Manner, Stage};
use crate::driver::kubernetes::PodStatus;
use crate::execute::fixture::{Cloud, USER};
use crate::mirror::Feed;

mod history;

fn user() -> User {
    User { email: USER.into() }
}

fn pod(uid: &str, node: &str, status: &str) -> PodStatus {
    PodStatus {
        uid: uid.into(),
        name: format!("web-{uid}"),
        namespace: "default".into(),
        address: "10.244.1.2".into(),
        status: status.into(),
        ready: 1,
        started: 1,
        node: node.into(),
        labels: vec!["app=web".into()],
        static_uid: None,
        default_container: None,
    }
}

/// A cloud with a cluster of two nodes, the names of those, and a connection that follows.
async fn with_cluster() -> (Cloud, [String; 2], Feed) {
    let cloud = Cloud::new();
    cloud.succeed("add cluster alex -n 2").await;
    let names = cloud.services.live.glance(USER).nodes().into_iter().map(|node| node.name);
    let names = names.collect::<Vec<_>>().try_into().unwrap();
    let feed = cloud.services.live.mirrors().feed(&user());
    (cloud, names, feed)
}

/// The next change that is told.
async fn told(feed: &mut Feed) -> Message {
    let text = tokio::time::timeout(Duration::from_mins(1), feed.next()).await.expect("nothing is told").unwrap();
    serde_json::from_str(&text).unwrap()
}

/// Waits for a change of a node, past others.
async fn node_told(feed: &mut Feed) -> (Change, String, State) {
    loop {
        let message = told(feed).await;
        if let Payload::Nodes(rows) = &message.payload {
            return (message.envelope.change.unwrap(), rows[0].name.clone(), rows[0].state);
        }
    }
}

/// Waits for a change of pods, past others.
async fn pods_told(feed: &mut Feed) -> (Change, Vec<(String, String, String)>) {
    loop {
        let message = told(feed).await;
        if let Payload::Pods(rows) = message.payload {
            let rows = rows.into_iter().map(|row| (row.name, row.status, row.node_status));
            return (message.envelope.change.unwrap(), rows.collect());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_engine_said_is_told_unless_it_was_looked_at_since() {
    let (cloud, [_, worker], mut feed) = with_cluster().await;
    let live = &cloud.services.live;
    let container = live.glance(USER).nodes()[1].id.clone();
    live.container_runs(&container, false, jiff::Timestamp::UNIX_EPOCH);
    live.container_runs("another", false, jiff::Timestamp::now());
    assert_eq!(live.glance(USER).nodes()[1].state, State::Ready);
    live.container_runs(&container, false, jiff::Timestamp::now());
    assert_eq!(node_told(&mut feed).await, (Change::Put, worker.clone(), State::Stopped));
    live.container_runs(&container, true, jiff::Timestamp::now());
    assert_eq!(node_told(&mut feed).await, (Change::Put, worker, State::Ready));
}

#[tokio::test(start_paused = true)]
async fn what_is_done_with_docker_behind_our_back_is_told() {
    let (cloud, [_, worker], mut feed) = with_cluster().await;
    let container = cloud.services.live.glance(USER).nodes()[1].id.clone();
    cloud.engine.halt_container(&container);
    assert_eq!(node_told(&mut feed).await, (Change::Put, worker.clone(), State::Stopped));
    cloud.engine.drop_container(&container);
    assert_eq!(node_told(&mut feed).await, (Change::Delete, worker, State::Deleted));
    cloud.engine.hold_image(FakeImage::other("kindest/node:v1.36.0"));
    loop {
        if let Payload::Images(rows) = told(&mut feed).await.payload {
            assert_eq!(rows[0].tag, "v1.36.0");
            break;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_seen_before_an_event_does_not_come_after_it() {
    let (cloud, [_, worker], _) = with_cluster().await;
    let container = cloud.services.live.glance(USER).nodes()[1].id.clone();
    let late = Arc::new(Notify::new());
    cloud.engine.answer_late(&late);
    let event = async {
        cloud.engine.hung().await;
        cloud.engine.halt_container(&container);
        // Long enough for whoever listens.
        tokio::time::sleep(Duration::from_secs(1)).await;
        late.notify_one();
    };
    let (looked, ()) = tokio::join!(super::look_at(&cloud.services, &container), event);
    looked.unwrap();
    let stopped = || (cloud.services.live.glance(USER).nodes()[1].state == State::Stopped).then_some(());
    cloud.services.live.wait("the worker to be stopped", Duration::from_mins(1), stopped).await.unwrap();
    assert_eq!(cloud.services.live.glance(USER).nodes()[1].name, worker);
}

#[tokio::test(start_paused = true)]
async fn sequences_grow_and_a_list_has_its_place_among_them() {
    let (cloud, [_, worker], mut feed) = with_cluster().await;
    cloud.kubernetes.unready(&worker);
    let first = told(&mut feed).await.envelope.sequence.unwrap();
    cloud.becomes("alex", State::NotReady).await;
    let listed = cloud.succeed("get nodes").await.messages[0].envelope.sequence.unwrap();
    cloud.kubernetes.put_pod(pod("1", &worker, "Running"));
    let mut later = told(&mut feed).await;
    while !matches!(later.payload, Payload::Pods(_)) {
        later = told(&mut feed).await;
    }
    let later = later.envelope.sequence.unwrap();
    assert!(first <= listed && listed < later, "{first} {listed} {later}");
}

#[tokio::test(start_paused = true)]
async fn pods_are_told_with_the_state_of_their_node_and_are_unknown_while_nobody_can_tell() {
    let (cloud, [_, worker], mut feed) = with_cluster().await;
    cloud.kubernetes.put_pod(pod("1", &worker, "Running"));
    let row = |status: &str, node: &str| vec![("web-1".to_owned(), status.to_owned(), node.to_owned())];
    assert_eq!(pods_told(&mut feed).await, (Change::Put, row("Running", "ready")));
    cloud.kubernetes.unready(&worker);
    assert_eq!(pods_told(&mut feed).await, (Change::Put, row("Running", "not_ready")));
    cloud.kubernetes.go(Stage::Watch, Manner::Fails);
    assert_eq!(pods_told(&mut feed).await, (Change::Put, row("Unknown", "unknown")));
    cloud.kubernetes.recover(Stage::Watch);
    assert_eq!(pods_told(&mut feed).await, (Change::Put, row("Running", "not_ready")));
}

#[tokio::test(start_paused = true)]
async fn nothing_is_asked_for_to_be_known() {
    let (cloud, [_, worker], _) = with_cluster().await;
    cloud.kubernetes.put_pod(pod("1", &worker, "Running"));
    // Until all that was told since the cluster came has been looked at.
    tokio::time::sleep(Duration::from_mins(1)).await;
    let asked = || (cloud.engine.asked(), cloud.kubernetes.asked());
    let before = asked();
    tokio::time::sleep(Duration::from_mins(10)).await;
    for line in [
        "get cluster",
        "get nodes",
        "get nodes alex",
        "get pods alex",
        "get services",
        "get networks",
        "get images",
        "get registries",
        "get clients",
    ] {
        cloud.succeed(line).await;
    }
    assert_eq!(cloud.services.live.glance(USER).pods().len(), 1);
    assert_eq!(asked(), before);
    cloud.engine.halt_container(&cloud.services.live.glance(USER).nodes()[1].id);
    cloud.becomes("alex", State::NotReady).await;
    assert_ne!(asked(), before, "what is looked at counts");
}

#[tokio::test(start_paused = true)]
async fn an_api_server_that_hangs_makes_its_objects_unknown_until_it_answers() {
    let (cloud, _, _) = with_cluster().await;
    cloud.kubernetes.go(Stage::Watch, Manner::Hangs);
    cloud.becomes("alex", State::Unknown).await;
    cloud.kubernetes.recover(Stage::Watch);
    cloud.becomes("alex", State::Ready).await;
}

#[tokio::test(start_paused = true)]
async fn an_api_server_that_lets_nobody_list_makes_its_objects_unknown_and_is_not_asked_all_the_time() {
    let (cloud, ..) = with_cluster().await;
    cloud.kubernetes.go(Stage::List, Manner::Fails);
    cloud.becomes("alex", State::Unknown).await;
    let asked = cloud.kubernetes.asked();
    tokio::time::sleep(Duration::from_mins(1)).await;
    assert!(cloud.kubernetes.asked() - asked <= 60, "{asked} {}", cloud.kubernetes.asked());
    cloud.kubernetes.recover(Stage::List);
    cloud.becomes("alex", State::Ready).await;
}

#[tokio::test(start_paused = true)]
async fn a_docker_that_goes_makes_all_unknown_until_it_is_back() {
    let (cloud, _, _) = with_cluster().await;
    cloud.engine.vanish();
    cloud.becomes("alex", State::Unknown).await;
    cloud.engine.revive();
    cloud.becomes("alex", State::Ready).await;
}

#[tokio::test(start_paused = true)]
async fn a_server_that_starts_anew_knows_what_there_is() {
    let (mut cloud, _, _) = with_cluster().await;
    cloud.restart();
    cloud.becomes("alex", State::Ready).await;
    assert_eq!(cloud.succeed("get nodes alex").await.nodes().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_cluster_that_cannot_be_read_at_first_is_read_later() {
    let (mut cloud, ..) = with_cluster().await;
    cloud.engine.refuse_files(true);
    cloud.restart();
    cloud.becomes("alex", State::Error).await;
    cloud.engine.refuse_files(false);
    cloud.becomes("alex", State::Ready).await;
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_did_not_keep_up_goes_on_from_a_snapshot() {
    let (cloud, [_, worker], mut feed) = with_cluster().await;
    for number in 0..5000 {
        cloud.kubernetes.put_pod(pod(&number.to_string(), &worker, "Running"));
        tokio::task::yield_now().await;
    }
    let all = || (cloud.services.live.glance(USER).pods().len() == 5000).then_some(());
    cloud.services.live.wait("all pods", Duration::from_mins(1), all).await.unwrap();
    assert!(feed.next().await.is_err());
    cloud.services.live.resume(&feed, &user());
    let (mut pods, mut snapshots) = (0, 0);
    while let Some(text) = feed.waiting() {
        let message: Message = serde_json::from_str(&text).unwrap();
        snapshots += usize::from(message.envelope.change == Some(Change::Snapshot));
        if let Payload::Pods(rows) = message.payload {
            pods += rows.len();
        }
    }
    assert_eq!((pods, snapshots), (5000, 8), "one of each kind, the pods in several messages");
}

#[tokio::test(start_paused = true)]
async fn who_asks_a_server_that_just_began_is_told_how_clusters_are() {
    let (mut cloud, _, _) = with_cluster().await;
    cloud.restart();
    assert_eq!(cloud.succeed("get cluster").await.clusters(), [("alex", State::Ready)]);
    cloud.kubernetes.go(Stage::Watch, Manner::Hangs);
    cloud.restart();
    assert_eq!(cloud.succeed("get cluster").await.clusters(), [("alex", State::Unknown)]);
}
