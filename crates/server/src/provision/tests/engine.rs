//! Adds with trouble at every call of the engine.

use qbo_api::message::Code;

use super::{ADD, ADD_RETAIN, calls_of_an_add, completing, mark};
use crate::driver::engine::EngineFault;
use crate::driver::fake::{Manner, Moment, Stage, Trouble};
use crate::error::Failure;
use crate::execute::fixture::Cloud;

/// Faults of single calls, and what becomes of them: code, and words of the problem.
fn faults() -> Vec<(EngineFault, Code, &'static str)> {
    let message = || "it is so".to_owned();
    vec![
        (EngineFault::Refused { status: 500, message: message() }, Code::BAD_GATEWAY, "Docker answered 500 to "),
        (EngineFault::NotFound(message()), Code::NOT_FOUND, "it is so"),
        (EngineFault::NoRoom(message()), Code::NO_ROOM, "the host's disk is full: it is so"),
        (EngineFault::NameTaken(message()), Code::CONFLICT, "is taken by something qbo did not make: it is so"),
        (EngineFault::SubnetTaken(message()), Code::CONFLICT, "is in use on this host: it is so"),
        (EngineFault::Unreachable(message()), Code::UNAVAILABLE, "Docker does not answer ("),
        (EngineFault::TimedOut, Code::TIMEOUT, "Docker did not answer in time: "),
        (EngineFault::Forbidden(message()), Code::UNAVAILABLE, "this user may not talk to Docker: it is so"),
    ]
}

/// Each fault at each call: the failure has its code and words, and the host is as before.
#[tokio::test]
async fn whatever_call_is_refused_nothing_is_left() {
    let calls = calls_of_an_add().await;
    for (fault, code, words) in faults() {
        for (index, call) in calls.iter().enumerate() {
            let at = format!("{fault:?} at call {index}, {call}");
            let cloud = Cloud::new();
            let before = cloud.everything();
            cloud.engine.trouble(index, Trouble::Fails(fault.clone()));
            let ended = cloud.run(ADD).await;
            // Another range is tried where one is in use.
            let is_tried_again = matches!(fault, EngineFault::SubnetTaken(_)) && call.starts_with("create_network");
            if index > completing(&calls) || is_tried_again {
                assert_eq!(ended.outcome, Ok(()), "{at}");
                continue;
            }
            let failure = ended.outcome.expect_err(&at);
            assert_eq!(failure.code, code, "{at}: {failure}");
            assert!(failure.problem.contains(words), "{at}: {failure}");
            cloud.sweep_if_called().await;
            assert_eq!(cloud.everything(), before, "{at}");
            assert!(cloud.is_idle(), "{at}");
        }
    }
}

/// The engine carries out a call, and its answer is lost.
#[tokio::test]
async fn whatever_answer_is_lost_nothing_is_left() {
    let calls = calls_of_an_add().await;
    for (index, call) in calls.iter().enumerate().take(completing(&calls) + 1) {
        let cloud = Cloud::new();
        let before = cloud.everything();
        cloud.engine.trouble(index, Trouble::FailsAfterwards(EngineFault::TimedOut));
        assert_eq!(cloud.fail(ADD).await.code, Code::TIMEOUT, "{call}");
        cloud.sweep_if_called().await;
        assert_eq!(cloud.everything(), before, "{call}");
        assert!(cloud.is_idle(), "{call}");
    }
}

/// Docker dies half-way and comes back.
#[tokio::test]
async fn whenever_the_engine_dies_its_return_leaves_nothing() {
    let calls = calls_of_an_add().await;
    for (index, call) in calls.iter().enumerate() {
        for moment in [Moment::Never, Moment::AtOnce] {
            let at = format!("call {index}, {call}, carried out: {moment:?}");
            let cloud = Cloud::new();
            let before = cloud.everything();
            cloud.engine.trouble(index, Trouble::Vanishes(moment));
            let ended = cloud.run(ADD).await;
            cloud.engine.revive();
            let complete = cloud.everything();
            cloud.sweep().await;
            if index > completing(&calls) {
                assert_eq!(ended.outcome, Ok(()), "{at}");
                assert_eq!((mark(&complete).as_deref(), cloud.everything()), (Some("ready"), complete), "{at}");
                continue;
            }
            let failure = ended.outcome.expect_err(&at);
            assert_eq!(failure.code, Code::UNAVAILABLE, "{at}: {failure}");
            assert!(failure.cure.contains("systemctl start docker"), "{at}: {}", failure.cure);
            let is_begun = calls[..=index].iter().any(|call| call.starts_with("create_network"));
            let is_promised = failure.cure.contains("removed as soon as Docker answers again");
            assert!(is_promised || !is_begun, "{at}: {}", failure.cure);
            assert_eq!(cloud.everything(), before, "{at}");
            assert!(cloud.is_idle(), "{at}");
        }
    }
}

#[tokio::test]
async fn whenever_it_is_cancelled_nothing_is_left() {
    let calls = calls_of_an_add().await;
    for (index, call) in calls.iter().enumerate() {
        for line in [ADD, ADD_RETAIN] {
            let at = format!("{line}, cancelled at call {index}, {call}");
            let cloud = Cloud::new();
            let before = cloud.everything();
            let begun = cloud.begin(line);
            let token = begun.token();
            cloud.engine.trouble(index, Trouble::Meanwhile(Box::new(move || token.cancel())));
            let ended = begun.run().await;
            if index >= completing(&calls) {
                assert_eq!(ended.outcome, Ok(()), "{at}");
                assert_eq!(mark(&cloud.everything()).as_deref(), Some("ready"), "{at}");
                continue;
            }
            assert_eq!(ended.outcome, Err(Failure::cancelled()), "{at}");
            assert_eq!(cloud.everything(), before, "{at}");
            assert!(cloud.is_idle(), "{at}");
        }
    }
}

/// The server is killed, with a call under way that the engine carries out or not, or only after the server is back.
#[tokio::test]
async fn whenever_the_server_is_killed_its_next_start_leaves_nothing_unfinished() {
    let calls = calls_of_an_add().await;
    for (index, call) in calls.iter().enumerate() {
        for moment in [Moment::Never, Moment::AtOnce, Moment::Late] {
            let at = format!("killed at call {index}, {call}, carried out: {moment:?}");
            let mut cloud = Cloud::new();
            let before = cloud.everything();
            cloud.engine.trouble(index, Trouble::Hangs(moment));
            cloud.cut_off(ADD).await;
            let complete = cloud.everything();
            cloud.sweep().await;
            if mark(&complete).is_some() {
                assert!(index >= completing(&calls), "{at}");
                assert_eq!(cloud.everything(), complete, "{at}");
                continue;
            }
            cloud.engine.catch_up();
            cloud.sweep().await;
            assert_eq!(cloud.everything(), before, "{at}");
        }
    }
}

/// The mark is on the cluster, its answer is lost, and the server is killed while it takes all that back.
#[tokio::test]
async fn what_was_marked_as_complete_and_failed_all_the_same_is_not_taken_for_complete() {
    let calls = calls_of_an_add().await;
    let failing = || {
        let cloud = Cloud::new();
        cloud.engine.trouble(completing(&calls), Trouble::FailsAfterwards(EngineFault::TimedOut));
        cloud
    };
    let cloud = failing();
    cloud.fail(ADD).await;
    let undo = cloud.engine.calls().split_off(completing(&calls) + 1);
    for (index, call) in undo.iter().enumerate() {
        for moment in [Moment::Never, Moment::AtOnce, Moment::Late] {
            let mut cloud = failing();
            let before = cloud.everything();
            cloud.engine.trouble(completing(&calls) + 1 + index, Trouble::Hangs(moment));
            cloud.cut_off(ADD).await;
            let complete = cloud.everything();
            cloud.sweep().await;
            // Killed before anything was taken back, the cluster is whole.
            let is_whole = index == 0 && moment != Moment::AtOnce;
            assert_eq!(cloud.everything(), if is_whole { complete } else { before }, "{call}, carried out: {moment:?}");
        }
    }
}

/// The engine refuses something while a failed add is undone.
#[tokio::test]
async fn whatever_cannot_be_undone_is_removed_later() {
    let failing = || {
        let cloud = Cloud::new();
        cloud.kubernetes.go(Stage::Apply, Manner::Fails);
        cloud
    };
    let cloud = failing();
    cloud.fail(ADD).await;
    let calls = cloud.engine.calls();
    let started = calls.iter().rposition(|call| call.starts_with("start_container")).unwrap();
    for (index, call) in calls.iter().enumerate().skip(started + 1) {
        for trouble in [
            Trouble::Fails(EngineFault::Refused { status: 500, message: "device is busy".into() }),
            Trouble::FailsAfterwards(EngineFault::TimedOut),
            Trouble::Vanishes(Moment::Never),
            Trouble::Vanishes(Moment::AtOnce),
        ] {
            let cloud = failing();
            let before = cloud.everything();
            cloud.engine.trouble(index, trouble);
            cloud.fail(ADD).await;
            cloud.engine.revive();
            cloud.sweep_if_called().await;
            assert_eq!(cloud.everything(), before, "{call}");
            assert!(cloud.is_idle(), "{call}");
        }
    }
}
