//! What Docker, Kubernetes and a registry tell, put together.

use qbo_api::message::{Code, Output, Payload};
use qbo_api::model::State;

use crate::driver::fake::{FakeImage, Manner, Moment, Stage, Trouble};
use crate::execute::fixture::{Cloud, USER};
use crate::executor::Executor;

/// A host with a cluster of a control plane and a worker: its nodes as name and id, the control plane first.
async fn with_cluster() -> (Cloud, [(String, String); 2]) {
    let cloud = Cloud::new();
    cloud.succeed("add cluster alex -n 2").await;
    let cluster = crate::cluster::find_all(&*cloud.engine).await.unwrap().remove(0);
    let nodes = cluster.nodes.into_iter().map(|node| (node.container.name, node.container.id));
    (cloud, nodes.collect::<Vec<_>>().try_into().unwrap())
}

#[tokio::test(start_paused = true)]
async fn states_join_what_docker_and_kubernetes_tell() {
    type Happen = fn(&Cloud, &[(String, String); 2]);
    let cases: [(Happen, State, [State; 2]); 6] = [
        (|_, _| {}, State::Ready, [State::Ready, State::Ready]),
        (|cloud, [_, (worker, _)]| cloud.kubernetes.unready(worker), State::NotReady, [State::Ready, State::NotReady]),
        (
            |cloud, [_, (_, worker)]| cloud.engine.halt_container(worker),
            State::NotReady,
            [State::Ready, State::Stopped],
        ),
        (
            |cloud, [(_, control), _]| {
                cloud.kubernetes.go(Stage::Watch, Manner::Fails);
                cloud.engine.halt_container(control);
            },
            State::Unknown,
            [State::Stopped, State::Unknown],
        ),
        (|cloud, _| cloud.kubernetes.go(Stage::Watch, Manner::Fails), State::Unknown, [State::Unknown, State::Unknown]),
        (|cloud, _| cloud.kubernetes.go(Stage::Watch, Manner::Hangs), State::Unknown, [State::Unknown, State::Unknown]),
    ];
    for (index, (happen, whole, each)) in cases.into_iter().enumerate() {
        let (cloud, nodes) = with_cluster().await;
        happen(&cloud, &nodes);
        cloud.becomes("alex", whole).await;
        assert_eq!(cloud.succeed("get cluster alex").await.clusters(), [("alex", whole)], "case {index}");
        let ended = cloud.succeed("get nodes -A").await;
        let states: Vec<State> = ended.nodes().iter().map(|node| node.state).collect();
        assert_eq!(states, each, "case {index}");
    }
}

#[tokio::test]
async fn a_cluster_without_its_control_plane_and_one_retained_are_in_error() {
    let (cloud, [(_, control), _]) = with_cluster().await;
    cloud.engine.drop_container(&control);
    cloud.becomes("alex", State::Error).await;
    assert_eq!(cloud.succeed("get cluster -A").await.clusters(), [("alex", State::Error)]);
    let cloud = Cloud::new();
    cloud.kubernetes.go(Stage::Apply, Manner::Fails);
    cloud.fail("add cluster alex --retain").await;
    assert_eq!(cloud.succeed("get cluster -A").await.clusters(), [("alex", State::Error)]);
    for line in ["get cluster alex -k", "export kubeconfig alex"] {
        let failure = cloud.fail(line).await;
        assert_eq!(failure.code, Code::CONFLICT);
        assert_eq!(failure.problem, "cluster 'alex' has no kubeconfig: it failed while it was made");
        assert!(failure.cure.contains(": docker exec control-"), "{failure}");
    }
}

#[tokio::test]
async fn a_kubeconfig_is_told_as_it_is_on_disk() {
    let (cloud, _) = with_cluster().await;
    let ended = cloud.succeed("get cluster alex -k").await;
    let kubeconfig = std::fs::read_to_string(cloud.kubeconfig("alex")).unwrap();
    let payloads: Vec<&Payload> = ended.messages.iter().map(|message| &message.payload).collect();
    assert_eq!(payloads, [&Payload::Output(vec![Output::Kubeconfig { kubeconfig }])]);
}

#[tokio::test]
async fn a_network_is_named_by_its_cluster_and_tells_all_its_ranges() {
    let cloud = Cloud::new();
    cloud.succeed("add cluster dev -n 1 --ip-family dual").await;
    cloud.succeed("add cluster other -n 1").await;
    let rows = cloud.services.live.glance(USER).cluster_rows();
    let id = &rows.iter().find(|row| row.name == "dev").unwrap().id;
    for reference in ["dev", &id[..8]] {
        let ended = cloud.succeed(&format!("get networks {reference}")).await;
        let [Payload::Networks(rows)] = &ended.messages.iter().map(|message| &message.payload).collect::<Vec<_>>()[..]
        else {
            panic!("{ended:?}")
        };
        let [row] = rows.as_slice() else { panic!("{reference}: {rows:?}") };
        assert_eq!(row.name, "dev");
        assert!(row.subnet.starts_with("198.18.0.0/24,fd00:") && row.subnet.ends_with("/64"), "{row:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn commands_can_do_nothing_where_docker_hangs_or_is_gone() {
    let cloud = Cloud::new();
    cloud.succeed("get clusters -A").await;
    assert_eq!(cloud.services.ready().await, Ok(()));
    cloud.engine.trouble_with("ping", Trouble::Hangs(Moment::Never));
    let failure = cloud.services.ready().await.unwrap_err();
    assert_eq!((failure.code, failure.problem.as_str()), (Code::TIMEOUT, "Docker did not answer within 2 s"));
    cloud.engine.vanish();
    assert_eq!(cloud.services.ready().await.unwrap_err().code, Code::UNAVAILABLE);
}

#[tokio::test]
async fn images_are_those_of_nodes_and_the_registrys_where_it_answers() {
    let cloud = Cloud::new();
    cloud.engine.hold_image(FakeImage::other("nginx:1.27"));
    cloud.succeed("add image qbo/node:v1.37.2").await;
    let local = [("hub.docker.com/qbo/node:v1.37.2", true), ("hub.docker.com/kindest/node:v1.37.0", true)];
    assert_eq!(cloud.succeed("get images").await.images(), local);
    let ended = cloud.succeed("get images -A").await;
    assert_eq!((ended.images(), ended.lines()), (local.to_vec(), vec!["the registry does not answer"]));
    cloud.registry.answer(&["v1.36.0", "v1.37.0", "v1.38.0"]);
    let newer = ("hub.docker.com/kindest/node:v1.38.0", false);
    let all = [&[newer], local.as_slice(), &[("hub.docker.com/kindest/node:v1.36.0", false)]].concat();
    assert_eq!(cloud.succeed("get images -A").await.images(), all);
    for (line, expected) in [
        ("get images qbo/node", &local[..1]),
        ("get images v1.37.2 kindest/node:v1.37.0", &local),
        ("get images v1.38.0 -A", &[newer]),
        ("get images hub.docker.com/kindest/node -w", &local[1..]),
    ] {
        assert_eq!(cloud.succeed(line).await.images(), expected, "{line}");
    }
    let failure = cloud.fail("get images qbo/node v1.38.0").await;
    assert_eq!((failure.code, failure.problem.as_str()), (Code::NOT_FOUND, "there is no node image 'v1.38.0'"));
    cloud.registry.remark("this list is old");
    let ended = cloud.succeed("get images -A").await;
    assert_eq!((ended.images(), ended.lines()), (all, vec!["this list is old"]));
}

#[tokio::test]
async fn the_version_is_told_with_and_without_docker() {
    let cloud = Cloud::new();
    for is_there in [true, false] {
        if !is_there {
            cloud.engine.vanish();
        }
        let ended = cloud.run("version").await;
        assert_eq!(
            ended.outcome.map_err(|failure| failure.code),
            if is_there { Ok(()) } else { Err(Code::UNAVAILABLE) }
        );
        let Payload::Version(rows) = &ended.messages[0].payload else { panic!("{:?}", ended.messages) };
        assert_eq!(rows[0].qbo_api.as_deref(), Some(env!("CARGO_PKG_VERSION")));
        assert_eq!(rows[0].docker_version.is_some(), is_there);
    }
}
