//! Adds that fail and shall leave what they made.

use qbo_api::message::{Code, StepState};

use super::{ADD_RETAIN, DELETE, calls_of_an_add, completing, mark};
use crate::driver::engine::EngineFault;
use crate::driver::fake::{Manner, Moment, Stage, Trouble};
use crate::execute::fixture::Cloud;

#[tokio::test]
async fn what_is_retained_outlives_clean_ups_until_it_is_deleted() {
    let mut cloud = Cloud::new();
    let before = cloud.everything();
    cloud.kubernetes.go(Stage::Apply, Manner::Fails);
    let ended = cloud.run(ADD_RETAIN).await;
    let failure = ended.outcome.clone().unwrap_err();
    assert_eq!(failure.code, Code::BAD_GATEWAY);
    let cure = "what was made is kept for looking: docker ps --filter label=io.qbo.cluster=alex; then: qbo delete cluster alex";
    assert_eq!(failure.cure, cure);
    assert!(ended.steps(StepState::Undone).is_empty());
    let retained = cloud.everything();
    assert_eq!((retained.held.containers.len(), mark(&retained).as_deref()), (3, Some("retained")));
    cloud.sweep_if_called().await;
    cloud.restart();
    cloud.sweep().await;
    assert_eq!(cloud.everything(), retained);
    assert_eq!(cloud.fail(ADD_RETAIN).await.code, Code::CONFLICT);
    cloud.succeed(DELETE).await;
    assert_eq!(cloud.everything(), before);
}

/// Whatever fails: either there is a control plane and it is marked, or nothing is left.
#[tokio::test]
async fn it_is_retained_as_a_whole_or_not_at_all() {
    let calls = calls_of_an_add().await;
    for (index, call) in calls.iter().enumerate().take(completing(&calls) + 1) {
        for trouble in [
            Trouble::Fails(EngineFault::NoRoom("no space left on device".into())),
            Trouble::FailsAfterwards(EngineFault::TimedOut),
            Trouble::Vanishes(Moment::AtOnce),
        ] {
            let is_absent = matches!(trouble, Trouble::Vanishes(_));
            let mut cloud = Cloud::new();
            let before = cloud.everything();
            cloud.engine.trouble(index, trouble);
            let failure = cloud.fail(ADD_RETAIN).await;
            cloud.engine.revive();
            cloud.sweep_if_called().await;
            cloud.restart();
            cloud.sweep().await;
            if failure.cure.starts_with("what was made is kept for looking") {
                assert!(!is_absent, "{call}");
                assert_eq!(mark(&cloud.everything()).as_deref(), Some("retained"), "{call}");
                cloud.succeed(DELETE).await;
            }
            assert_eq!(cloud.everything(), before, "{call}");
        }
    }
}
