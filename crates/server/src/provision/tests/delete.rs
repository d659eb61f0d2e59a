//! Deletions with trouble at every call of the engine: the cluster is as it was, or it goes wholly.

use qbo_api::message::Code;

use super::{ADD, DELETE, mark};
use crate::driver::engine::EngineFault;
use crate::driver::fake::{Moment, Trouble};
use crate::execute::fixture::{Cloud, Everything};

/// A host with a cluster, how it was before that, and the index of the next call.
async fn with_cluster() -> (Cloud, Everything, usize) {
    let cloud = Cloud::new();
    let before = cloud.everything();
    cloud.succeed(ADD).await;
    let calls = cloud.engine.calls().len();
    (cloud, before, calls)
}

/// The calls of a deletion that goes well.
async fn calls_of_a_delete() -> Vec<String> {
    let (cloud, before, first) = with_cluster().await;
    cloud.succeed(DELETE).await;
    assert_eq!(cloud.everything(), before);
    assert!(cloud.is_idle());
    cloud.engine.calls().split_off(first)
}

#[tokio::test]
async fn whenever_the_server_is_killed_its_next_start_finishes_the_deletion() {
    for (index, call) in calls_of_a_delete().await.iter().enumerate() {
        for moment in [Moment::Never, Moment::AtOnce, Moment::Late] {
            let at = format!("killed at call {index}, {call}, carried out: {moment:?}");
            let (mut cloud, before, first) = with_cluster().await;
            let complete = cloud.everything();
            cloud.engine.trouble(first + index, Trouble::Hangs(moment));
            cloud.cut_off(DELETE).await;
            let is_begun = mark(&cloud.everything()).as_deref() != Some("ready");
            cloud.sweep().await;
            assert_eq!(cloud.everything(), if is_begun { before } else { complete }, "{at}");
        }
    }
}

#[tokio::test]
async fn whenever_the_engine_dies_its_return_finishes_the_deletion() {
    for (index, call) in calls_of_a_delete().await.iter().enumerate() {
        for moment in [Moment::Never, Moment::AtOnce] {
            let at = format!("call {index}, {call}, carried out: {moment:?}");
            let (cloud, before, first) = with_cluster().await;
            let complete = cloud.everything();
            cloud.engine.trouble(first + index, Trouble::Vanishes(moment));
            assert_eq!(cloud.fail(DELETE).await.code, Code::UNAVAILABLE, "{at}");
            cloud.engine.revive();
            let is_begun = mark(&cloud.everything()).as_deref() != Some("ready");
            cloud.sweep_if_called().await;
            assert_eq!(cloud.everything(), if is_begun { before } else { complete }, "{at}");
            assert!(cloud.is_idle(), "{at}");
        }
    }
}

#[tokio::test]
async fn whatever_cannot_be_deleted_now_is_later() {
    for (index, call) in calls_of_a_delete().await.iter().enumerate() {
        for trouble in [
            Trouble::Fails(EngineFault::Refused { status: 500, message: "device is busy".into() }),
            Trouble::FailsAfterwards(EngineFault::Refused { status: 500, message: "device is busy".into() }),
        ] {
            let (cloud, before, first) = with_cluster().await;
            let complete = cloud.everything();
            cloud.engine.trouble(first + index, trouble);
            let ended = cloud.run(DELETE).await;
            let is_begun =
                index > 0 && (ended.outcome.is_ok() || mark(&cloud.everything()).as_deref() != Some("ready"));
            cloud.sweep_if_called().await;
            assert_eq!(cloud.everything(), if is_begun { before } else { complete }, "{call}");
            assert!(cloud.is_idle(), "{call}");
        }
    }
}

/// Who deletes because the disk is full gets room, though no mark can be written.
#[tokio::test]
async fn a_full_disk_does_not_keep_a_cluster() {
    let calls = calls_of_a_delete().await;
    let marking = calls.iter().position(|call| call.starts_with("put_archive")).unwrap();
    let (cloud, before, first) = with_cluster().await;
    cloud.engine.trouble(first + marking, Trouble::Fails(EngineFault::NoRoom("no space left on device".into())));
    cloud.succeed(DELETE).await;
    assert_eq!(cloud.everything(), before);
}
