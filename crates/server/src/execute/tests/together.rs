//! Commands about several clusters, and several commands at once.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use qbo_api::message::{Code, StepState};
use qbo_api::model::State;
use tokio::sync::Notify;

use crate::driver::engine::EngineFault;
use crate::driver::fake::{Manner, Moment, Stage, Trouble};
use crate::error::Failure;
use crate::execute::fixture::Cloud;

fn refused() -> EngineFault {
    EngineFault::Refused { status: 500, message: "no".into() }
}

#[tokio::test]
async fn of_two_adds_of_one_name_one_wins() {
    let cloud = Cloud::new();
    let (first, second) = tokio::join!(cloud.run("add cluster alex"), cloud.run("add cluster alex sam"));
    assert_eq!(first.outcome, Ok(()));
    let failure = second.outcome.unwrap_err();
    assert_eq!(failure.code, Code::CONFLICT);
    assert_eq!(failure.problem, "cluster 'alex' is being changed (creating) by 'qbo add cluster alex -n 3'");
    assert_eq!(cloud.succeed("get cluster -A").await.clusters(), [("alex", State::Ready)]);
    assert!(cloud.is_idle());
}

#[tokio::test]
async fn clusters_are_made_side_by_side_each_on_a_network_of_its_own() {
    let cloud = Cloud::new();
    let (first, second) = tokio::join!(cloud.run("add cluster a b c d -n 1"), cloud.run("add cluster e f g h -n 2"));
    assert_eq!((first.outcome, second.outcome), (Ok(()), Ok(())));
    let networks = cloud.engine.held().networks;
    let subnets: Vec<_> = networks.values().flat_map(|network| network.subnets.clone()).collect();
    assert_eq!(subnets.len(), 8);
    assert_eq!(subnets.into_iter().collect::<HashSet<_>>().len(), 8);
    assert_eq!(cloud.engine.held().containers.len(), 12);
    assert_eq!(cloud.succeed("get cluster -A").await.clusters().len(), 8);
}

#[tokio::test]
async fn of_several_clusters_those_that_can_be_made_are() {
    let cloud = Cloud::new();
    cloud.engine.trouble_with("create_network sam", Trouble::Fails(refused()));
    let failure = cloud.fail("add cluster alex sam toni").await;
    assert_eq!(failure.code, Code::BAD_GATEWAY);
    assert_eq!(failure.problem, "sam: Docker answered 500 to create_network sam: no");
    let ended = cloud.succeed("get cluster -A").await;
    assert_eq!(ended.clusters(), [("alex", State::Ready), ("toni", State::Ready)]);
    let names: HashSet<String> = cloud.engine.held().networks.into_values().map(|network| network.name).collect();
    assert!(!names.contains("sam"));
    assert!(cloud.kubeconfig("alex").exists() && !cloud.kubeconfig("sam").exists());
}

#[tokio::test]
async fn all_clusters_that_failed_are_named() {
    let cloud = Cloud::new();
    cloud.engine.trouble_with("create_network sam", Trouble::Fails(refused()));
    cloud.engine.trouble_with("create_network toni", Trouble::Fails(EngineFault::NoRoom("full".into())));
    let failure = cloud.fail("add cluster alex sam toni").await;
    let problem = "sam: Docker answered 500 to create_network sam: no; toni: the host's disk is full: full";
    assert_eq!((failure.code, failure.problem.as_str()), (Code::BAD_GATEWAY, problem));

    cloud.succeed("add cluster sam").await;
    cloud.engine.trouble_with("remove_network", Trouble::Fails(refused()));
    let failure = cloud.fail("delete cluster alex sam").await;
    assert!(
        failure.problem.starts_with("alex: Docker answered 500")
            || failure.problem.starts_with("sam: Docker answered 500")
    );
    assert_eq!(failure.cure, "the rest of it is removed as soon as Docker lets it be");
    cloud.sweep_if_called().await;
    assert_eq!(cloud.succeed("get cluster -A").await.clusters(), []);
}

#[tokio::test]
async fn a_cluster_that_is_being_changed_is_changed_by_nobody_else() {
    for (line, call, state) in [
        ("delete cluster alex", "remove_container", State::Deleting),
        ("add cluster sam -n 3", "create_container control-", State::Creating),
    ] {
        let cloud = Cloud::new();
        cloud.succeed("add cluster alex").await;
        let name = line.split(' ').nth(2).unwrap();
        let answer = Arc::new(Notify::new());
        cloud.engine.trouble_with(call, Trouble::Waits(Arc::clone(&answer)));
        let meanwhile = async {
            cloud.engine.hung().await;
            let before = cloud.everything();
            for second in ["add cluster", "delete cluster"] {
                let failure = cloud.fail(&format!("{second} {name}")).await;
                let problem = format!("cluster '{name}' is being changed ({state}) by 'qbo {line}'");
                assert_eq!((failure.code, failure.problem), (Code::CONFLICT, problem));
            }
            assert_eq!(cloud.succeed(&format!("get cluster {name}")).await.clusters(), [(name, state)]);
            assert_eq!(cloud.everything(), before);
            answer.notify_one();
        };
        tokio::join!(cloud.succeed(line), meanwhile);
        assert!(cloud.is_idle());
    }
}

#[tokio::test]
async fn a_cluster_that_is_being_made_is_listed_before_docker_knows_it() {
    let cloud = Cloud::new();
    let answer = Arc::new(Notify::new());
    cloud.engine.trouble_with("info", Trouble::Waits(Arc::clone(&answer)));
    let meanwhile = async {
        cloud.engine.hung().await;
        assert_eq!(cloud.succeed("get cluster -A").await.clusters(), [("alex", State::Creating)]);
        answer.notify_one();
    };
    tokio::join!(cloud.succeed("add cluster alex"), meanwhile);
}

#[tokio::test]
async fn all_clusters_are_deleted_and_none_is_fine() {
    let cloud = Cloud::new();
    let before = cloud.everything();
    cloud.succeed("delete cluster -A").await;
    cloud.succeed("add cluster alex sam").await;
    let ended = cloud.succeed("delete cluster -A").await;
    assert_eq!(ended.clusters(), [("alex", State::Deleting), ("sam", State::Deleting)]);
    assert_eq!(ended.steps(StepState::Done).len(), 2);
    assert_eq!(cloud.everything(), before);
}

/// By an address in its network clients know whose kubeconfig they have.
#[tokio::test]
async fn a_cluster_without_a_control_plane_is_deleted_with_its_address() {
    let cloud = Cloud::new();
    cloud.succeed("add cluster alex").await;
    let network = |address: &str| address.rsplit_once('.').unwrap().0.to_owned();
    let before = network(&cloud.succeed("get cluster alex").await.cluster_rows()[0].address);
    cloud.engine.trouble_with("remove_network", Trouble::Fails(refused()));
    cloud.fail("delete cluster alex").await;
    let ended = cloud.succeed("delete cluster alex").await;
    let rows = ended.cluster_rows();
    assert_eq!((rows.len(), rows[0].control_plane.as_str(), network(&rows[0].address)), (1, "", before));
}

#[tokio::test]
async fn a_cluster_named_by_name_and_id_is_deleted_once() {
    let cloud = Cloud::new();
    let before = cloud.everything();
    cloud.succeed("add cluster alex").await;
    let cluster = crate::cluster::find_all(&*cloud.engine).await.unwrap().remove(0);
    let id = cluster.identity.id.to_string();
    let ended = cloud.succeed(&format!("delete cluster alex {id} {}", &id[..8])).await;
    assert_eq!(ended.clusters(), [("alex", State::Deleting)]);
    assert_eq!(cloud.everything(), before);
}

#[tokio::test]
async fn a_command_is_cancelled_by_its_id() {
    let cloud = Cloud::new();
    let before = cloud.everything();
    cloud.kubernetes.go(Stage::Dns, Manner::Hangs);
    let begun = cloud.begin("add cluster alex");
    let id = begun.id().to_string();
    let cancel = async {
        cloud.kubernetes.hung().await;
        cloud.succeed(&format!("cancel command {}", &id[..8])).await
    };
    let (ended, cancelled) = tokio::join!(begun.run(), cancel);
    assert_eq!(cancelled.lines(), ["cancelled; what was made is being undone"]);
    assert_eq!(ended.outcome, Err(Failure::cancelled()));
    let undone: Vec<&str> = ended.steps(StepState::Undone).iter().map(|step| step.step.as_str()).collect();
    assert_eq!(undone, ["nodes started", "network and certificates"]);
    assert_eq!(cloud.everything(), before);
    assert!(cloud.is_idle());
}

#[tokio::test(start_paused = true)]
async fn clusters_that_are_complete_are_not_cancelled() {
    let cloud = Cloud::new();
    // They are not seen Ready, for which their command waits a moment.
    cloud.kubernetes.go(Stage::List, Manner::Hangs);
    let begun = cloud.begin("add cluster alex sam");
    let cancel = format!("cancel command {}", begun.id());
    let complete = async {
        loop {
            let ended = cloud.succeed("get cluster -A").await;
            let clusters = ended.clusters();
            if clusters.len() == 2 && clusters.iter().all(|(_, state)| *state != State::Creating) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        cloud.fail(&cancel).await
    };
    let (ended, failure) = tokio::join!(begun.run(), complete);
    assert!(failure.code == Code::CONFLICT && failure.problem.contains("too late"), "{failure}");
    assert_eq!(ended.outcome, Ok(()));
    assert_eq!(cloud.succeed("get cluster -A").await.clusters().len(), 2);
}

#[tokio::test]
async fn an_image_is_asked_once_and_by_the_next_where_the_first_gave_up() {
    let cloud = Cloud::new();
    cloud.engine.trouble_with("execute", Trouble::Hangs(Moment::Never));
    let first = cloud.begin("add cluster alex");
    let token = first.token();
    let others = async {
        cloud.engine.hung().await;
        let cancel = async { token.cancel() };
        tokio::join!(cloud.run("add cluster sam"), cloud.run("add cluster toni"), cancel)
    };
    let (first, (second, third, ())) = tokio::join!(first.run(), others);
    assert_eq!((first.outcome, second.outcome, third.outcome), (Err(Failure::cancelled()), Ok(()), Ok(())));
    let calls = cloud.engine.calls();
    let asked = calls.iter().filter(|call| call.contains("init phase control-plane")).count();
    assert_eq!(asked, 2);
    let held = cloud.engine.held();
    assert!(held.containers.values().all(|container| !container.container.name.starts_with("qbo-probe")));
}

#[tokio::test]
async fn a_pull_that_is_cancelled_ends_at_once() {
    let cloud = Cloud::new();
    let before = cloud.everything();
    cloud.engine.trouble_with("pull", Trouble::Waits(Arc::default()));
    let begun = cloud.begin("add cluster alex -i kindest/node:v1.36.0");
    let token = begun.token();
    let cancel = async {
        cloud.engine.hung().await;
        token.cancel();
    };
    let (ended, ()) = tokio::join!(begun.run(), cancel);
    assert_eq!(ended.outcome, Err(Failure::cancelled()));
    assert_eq!(cloud.everything(), before);
}
