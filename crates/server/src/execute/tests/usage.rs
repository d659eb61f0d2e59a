//! `get usage`: what is measured, and when.

use std::time::Duration;

use qbo_api::message::{Change, Code, Message, Payload};
use qbo_api::model::{Usage, UsageKind};
use uuid::Uuid;

use crate::access::User;
use crate::driver::kubernetes::PodStatus;
use crate::driver::meter::MeterError;
use crate::execute::fixture::{Cloud, USER};
use crate::mirror::Feed;

fn pod(name: &str, node: &str, static_uid: Option<&str>) -> PodStatus {
    PodStatus {
        uid: format!("uid-of-{name}"),
        name: name.into(),
        namespace: "default".into(),
        address: String::new(),
        status: "Running".into(),
        ready: 1,
        started: 1,
        node: node.into(),
        labels: Vec::new(),
        static_uid: static_uid.map(Into::into),
        default_container: None,
    }
}

async fn used(cloud: &Cloud, line: &str) -> Vec<Usage> {
    let rows = cloud.succeed(line).await.messages.into_iter().filter_map(|message| match message.payload {
        Payload::Usage(rows) => Some(rows),
        _ => None,
    });
    rows.flatten().collect()
}

async fn told(feed: &mut Feed) -> (Change, usize) {
    loop {
        let text = tokio::time::timeout(Duration::from_mins(1), feed.next()).await.expect("nothing is told").unwrap();
        let message: Message = serde_json::from_str(&text).unwrap();
        if let Payload::Usage(rows) = message.payload {
            return (message.envelope.change.unwrap(), rows.len());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn nodes_and_pods_are_told_with_what_they_use() {
    let cloud = Cloud::new();
    cloud.succeed("add cluster alex -n 2").await;
    cloud.succeed("add cluster other -n 1").await;
    let nodes = cloud.services.live.glance(USER).nodes();
    cloud.kubernetes.put_pod(pod("web", &nodes[1].name, None));
    cloud.kubernetes.put_pod(pod("etcd", &nodes[1].name, Some("hash")));
    cloud.meter.hold_pods(&["uid-of-web", "hash", "of-nobody-known"]);

    // All clusters without an outside have the same pods.
    let known = || (cloud.services.live.glance(USER).pods().len() == 4).then_some(());
    cloud.services.live.wait("the pods", Duration::from_mins(1), known).await.unwrap();

    let rows = used(&cloud, "get usage alex").await;
    let told: Vec<_> =
        rows.iter().map(|row| (row.kind, row.name.as_str(), row.node.as_str(), row.cpu, row.memory)).collect();
    let [control_plane, worker] = [&nodes[0].name, &nodes[1].name].map(String::as_str);
    let expected = [
        (UsageKind::Node, control_plane, control_plane, 0.5, 1 << 30),
        (UsageKind::Node, worker, worker, 0.5, 1 << 30),
        (UsageKind::Pod, "etcd", worker, 0.25, 1 << 20),
        (UsageKind::Pod, "web", worker, 0.25, 1 << 20),
    ];
    assert_eq!(told, expected);
    assert_eq!(rows[2].id, "uid-of-etcd", "as in the list of pods");

    assert_eq!(used(&cloud, "get usage web").await.len(), 1);
    assert_eq!(used(&cloud, "get usage -A").await.len(), 5);
    assert_eq!(cloud.fail("get usage nobody").await.code, Code::NOT_FOUND);
    cloud.engine.halt_container(&nodes[1].id);
    cloud
        .services
        .live
        .wait("the halt", Duration::from_mins(1), || {
            let states = cloud.services.live.glance(USER).nodes();
            (states[1].state != nodes[1].state).then_some(())
        })
        .await
        .unwrap();
    tokio::time::advance(Duration::from_secs(5)).await;
    assert_eq!(used(&cloud, "get usage alex").await.len(), 1, "what does not run uses nothing");
}

#[tokio::test(start_paused = true)]
async fn samples_are_taken_while_somebody_wants_them() {
    let cloud = Cloud::new();
    cloud.succeed("add cluster alex -n 2").await;
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!(cloud.meter.readings(), 0, "nobody asked");

    let user = User { email: USER.into() };
    let (mut feed, mut other) = (cloud.services.live.mirrors().feed(&user), cloud.services.live.mirrors().feed(&user));
    feed.want_usage(user.mirror());
    for _ in 0..3 {
        assert_eq!(told(&mut feed).await, (Change::Snapshot, 2));
    }
    assert!(other.waiting().is_none(), "it did not ask");
    drop(feed);
    tokio::time::sleep(Duration::from_secs(10)).await;
    let readings = cloud.meter.readings();
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!(cloud.meter.readings(), readings, "nobody wants any more");
}

#[tokio::test(start_paused = true)]
async fn who_leaves_all_mirrors_in_which_samples_were_asked_for_wants_none_any_more() {
    let cloud = Cloud::new();
    cloud.succeed("add cluster alex -n 2").await;
    let mut feed = cloud.services.live.mirrors().feed(&User { email: USER.into() });
    let rooms = [1, 2].map(Uuid::from_u128);
    for room in rooms {
        feed.join(room).unwrap();
        feed.want_usage(room);
    }
    feed.leave(rooms[0]).unwrap();
    assert_eq!(told(&mut feed).await, (Change::Snapshot, 2));
    feed.leave(rooms[1]).unwrap();
    tokio::time::sleep(Duration::from_secs(10)).await;
    let readings = cloud.meter.readings();
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!(cloud.meter.readings(), readings);

    while feed.waiting().is_some() {}
    feed.join(rooms[1]).unwrap();
    feed.want_usage(rooms[1]);
    assert_eq!(told(&mut feed).await, (Change::Snapshot, 2), "and can want them again");
}

#[tokio::test(start_paused = true)]
async fn who_asks_together_is_told_of_one_sample() {
    let cloud = Cloud::new();
    cloud.succeed("add cluster alex -n 2").await;
    let (one, two) = tokio::join!(used(&cloud, "get usage"), used(&cloud, "get usage"));
    assert_eq!((one.len(), cloud.meter.readings()), (2, 4), "two nodes, twice each");
    assert_eq!(one, two);
}

#[tokio::test(start_paused = true)]
async fn a_docker_elsewhere_is_told() {
    let cloud = Cloud::new();
    cloud.succeed("add cluster alex -n 1").await;
    cloud.meter.fail(MeterError::Elsewhere { container: "c".into(), process: 1 });
    let failure = cloud.fail("get usage").await;
    assert_eq!(failure.code, Code::UNAVAILABLE);
    assert!(failure.cure.contains("another host"), "{failure:?}");
}
