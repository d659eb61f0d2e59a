//! What is opened where, over an engine in memory.

use super::*;
use crate::cluster::{Found, LABEL_SHELL, LABEL_USER, find_all};
use crate::driver::engine::{EngineFault, Executed};
use crate::driver::fake::{FakeContainer, FakeImage, Trouble};
use crate::driver::kubernetes::PodStatus;
use crate::execute::fixture::{Cloud, USER};
use crate::terminal::{shell, tunnel};

fn alex() -> User {
    User { email: USER.into() }
}

fn sessions(cloud: &Cloud) -> Arc<Sessions> {
    Sessions::new(Limits::default(), Arc::new(cloud.services.opener()))
}

fn with_image() -> Cloud {
    let cloud = Cloud::new();
    cloud.engine.hold_image(FakeImage::other(shell::IMAGE));
    cloud
}

async fn open(sessions: &Arc<Sessions>, kind: TerminalKind) -> Attachment {
    sessions.open(&alex(), OpenRequest::new(kind)).await.unwrap()
}

/// The containers of shells.
fn shells(cloud: &Cloud) -> Vec<FakeContainer> {
    let held = cloud.engine.held().containers.into_values();
    held.filter(|found| found.container.labels.contains_key(LABEL_SHELL)).collect()
}

async fn until(mut is_so: impl FnMut() -> bool) {
    while !is_so() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

async fn cluster(cloud: &Cloud) -> Found {
    cloud.succeed("add cluster alex -n 2").await;
    find_all(&*cloud.engine).await.unwrap().remove(0)
}

/// A pod that runs on a node.
fn pod(node: &str) -> PodStatus {
    PodStatus {
        uid: "1".into(),
        name: "web".into(),
        namespace: "default".into(),
        address: String::new(),
        status: "Running".into(),
        ready: 1,
        started: 1,
        node: node.into(),
        labels: Vec::new(),
        static_uid: None,
        default_container: Some("app".into()),
    }
}

#[tokio::test(start_paused = true)]
async fn a_users_shells_share_a_container_that_knows_the_users_clusters_and_goes_with_the_last() {
    let mut cloud = with_image();
    let sessions = sessions(&cloud);
    cloud.succeed("add cluster dev -n 1").await;
    let first = open(&sessions, TerminalKind::Shell).await;
    let second = open(&sessions, TerminalKind::Shell).await;
    let [container] = &shells(&cloud)[..] else { panic!("{:?}", shells(&cloud).len()) };
    assert_eq!(container.container.labels[LABEL_USER], USER);
    // They go on as long as these are held.
    let programs = cloud.engine.programs();
    let marks: Vec<String> = programs.iter().map(|started| started.program.environment[0].clone()).collect();
    assert_eq!(marks, [&first, &second].map(|attachment| format!("QBO_SESSION={}", attachment.session)));
    assert_eq!(cloud.sockets.recv().await.unwrap().user, alex());

    let kubeconfig = |cloud: &Cloud| {
        let files = shells(cloud).remove(0).files;
        String::from_utf8(files["/home/qbo/.kube/qbo"].clone()).unwrap()
    };
    assert!(kubeconfig(&cloud).contains("qbo-dev") && kubeconfig(&cloud).contains("proxy-url"));
    cloud.succeed("add cluster alex -n 1").await;
    until(|| kubeconfig(&cloud).contains("qbo-alex")).await;
    cloud.succeed("delete cluster dev").await;
    until(|| !kubeconfig(&cloud).contains("qbo-dev")).await;

    let directory = cloud.kubeconfig("alex").with_file_name("shell");
    assert!(directory.is_dir());
    first.close().await;
    until(|| sessions.count() == 1).await;
    assert_eq!(shells(&cloud).len(), 1);
    second.close().await;
    until(|| shells(&cloud).is_empty() && !directory.exists()).await;
}

#[tokio::test]
async fn a_shell_learns_that_its_clusters_are_reached_another_way() {
    let cloud = with_image();
    let sessions = sessions(&cloud);
    let node = cluster(&cloud).await.nodes.remove(0);
    let _shell = open(&sessions, TerminalKind::Shell).await;
    let known = |endpoint: &str| {
        let files = shells(&cloud).remove(0).files;
        String::from_utf8_lossy(&files["/home/qbo/.kube/qbo"]).contains(endpoint)
    };
    let (before, balancer) = (format!("https://{}:6443", node.address.unwrap()), "https://198.18.0.2:6443");
    assert!(known(&before) && !known(balancer));
    // As a balancer has it that comes to stand in front of the cluster.
    let text = std::fs::read_to_string(cloud.kubeconfig("alex")).unwrap();
    std::fs::write(cloud.kubeconfig("alex"), text.replace(&before, balancer)).unwrap();
    cloud.kubernetes.put_pod(pod(&node.container.name));
    let told = until(|| known(balancer) && !known(&before));
    timeout(Duration::from_secs(10), told).await.expect("its kubeconfig is the old one");
}

#[tokio::test]
async fn without_its_image_a_shell_says_how_to_get_it() {
    let cloud = Cloud::new();
    let sessions = sessions(&cloud);
    let refused = sessions.open(&alex(), OpenRequest::new(TerminalKind::Shell)).await.unwrap_err();
    assert_eq!((refused.code, refused.cure.as_str()), (Code::NOT_FOUND, "build it: qbo add image qbo/shell"));
    assert_eq!(sessions.count(), 0);
    cloud.succeed("add image qbo/shell").await;
    open(&sessions, TerminalKind::Shell).await;
}

#[tokio::test]
async fn what_cannot_be_made_leaves_nothing() {
    let cloud = with_image();
    let sessions = sessions(&cloud);
    for call in ["create_shell", "put_archive", "containers io.qbo.shell"] {
        let fault = EngineFault::Refused { status: 500, message: "no".into() };
        cloud.engine.trouble_with(call, Trouble::FailsAfterwards(fault));
        let opened = sessions.open(&alex(), OpenRequest::new(TerminalKind::Shell)).await;
        if let Ok(attachment) = opened {
            attachment.close().await;
        }
        until(|| sessions.count() == 0 && shells(&cloud).is_empty()).await;
        assert!(!cloud.kubeconfig("alex").with_file_name("shell").exists(), "{call}");
    }
}

#[tokio::test]
async fn a_killed_servers_shells_are_removed_and_those_in_use_are_not() {
    let mut cloud = with_image();
    let before = sessions(&cloud);
    let _left = open(&before, TerminalKind::Shell).await;
    cloud.sweep().await;
    assert_eq!(shells(&cloud).len(), 1);
    cloud.restart();
    cloud.sweep().await;
    assert!(shells(&cloud).is_empty());
    assert!(!cloud.kubeconfig("alex").with_file_name("shell").exists());
}

#[tokio::test]
async fn nodes_and_pods_are_found_or_it_is_told_why_not() {
    let cloud = Cloud::new();
    let sessions = sessions(&cloud);
    let found = cluster(&cloud).await;
    let worker = &found.nodes[1].container;
    let node = |node: &str| OpenRequest { node: Some(node.into()), ..OpenRequest::new(TerminalKind::Node) };
    let short = worker.name.split('.').next().unwrap();
    for reference in [worker.name.as_str(), short, &worker.id[..8]] {
        let attachment = sessions.open(&alex(), node(reference)).await.unwrap();
        assert_eq!(attachment.title, short);
        assert_eq!(cloud.engine.programs().remove(0).program.container, worker.id);
        attachment.close().await;
    }
    let code = async |request: OpenRequest| sessions.open(&alex(), request).await.unwrap_err().code;
    assert_eq!(code(node("none")).await, Code::NOT_FOUND);
    assert_eq!(code(OpenRequest::new(TerminalKind::Node)).await, Code::BAD_REQUEST);
    assert_eq!(sessions.open(&user("sam"), node(short)).await.unwrap_err().code, Code::NOT_FOUND, "it is not sam's");
    cloud.succeed(&format!("stop node {short}")).await;
    assert_eq!(code(node(short)).await, Code::CONFLICT);
    let pod = OpenRequest { pod: Some("none".into()), ..OpenRequest::new(TerminalKind::Logs) };
    assert_eq!(code(pod).await, Code::NOT_FOUND);
}

#[tokio::test]
async fn a_pod_on_a_stopped_node_is_told_with_what_starts_it() {
    let cloud = Cloud::new();
    let sessions = sessions(&cloud);
    let found = cluster(&cloud).await;
    let worker = &found.nodes[1].container;
    cloud.kubernetes.put_pod(pod(&worker.name));
    until(|| cloud.services.live.glance(USER).pods().len() == 1).await;
    let short = worker.name.split('.').next().unwrap();
    let open = async |kind| {
        let request = OpenRequest { pod: Some("web".into()), ..OpenRequest::new(kind) };
        sessions.open(&alex(), request).await.unwrap_err()
    };
    // Docker knows it before it is told.
    let fault = EngineFault::Refused { status: 409, message: format!("Container {} is not running", worker.id) };
    cloud.engine.trouble_with("execute", Trouble::Fails(fault));
    assert_eq!(open(TerminalKind::Logs).await.code, Code::CONFLICT);
    cloud.succeed(&format!("stop node {short}")).await;
    for kind in [TerminalKind::Logs, TerminalKind::Pod] {
        let refused = open(kind).await;
        assert_eq!(
            (refused.code, refused.cure),
            (Code::CONFLICT, format!("qbo start node {short}")),
            "{}",
            refused.problem
        );
    }
}

#[tokio::test]
async fn of_a_pods_containers_its_default_one_is_opened_however_young_it_is() {
    let cloud = Cloud::new();
    let sessions = sessions(&cloud);
    let found = cluster(&cloud).await;
    cloud.kubernetes.put_pod(pod(&found.nodes[1].container.name));
    until(|| cloud.services.live.glance(USER).pods().len() == 1).await;
    // One that ran before the others, and of those the first, which has started anew.
    let containers = [("setup", "1"), ("side", "2"), ("app", "3")].map(|(name, created)| {
        serde_json::json!({"id": format!("id-of-{name}"), "metadata": {"name": name}, "createdAt": created})
    });
    let output = serde_json::json!({"containers": containers}).to_string();
    cloud.engine.execute_as(Executed { code: 0, output, errors: String::new() });
    for kind in [TerminalKind::Logs, TerminalKind::Pod] {
        for (container, expected) in [(None, "app"), (Some("setup"), "setup")] {
            let container = container.map(str::to_owned);
            let request = OpenRequest { pod: Some("web".into()), container, ..OpenRequest::new(kind) };
            let attachment = sessions.open(&alex(), request).await.unwrap();
            assert_eq!(attachment.title, format!("web/{expected}"));
            let command = cloud.engine.programs().remove(0).program.command;
            assert!(command.contains(&format!("id-of-{expected}")), "{command:?}");
        }
    }
}

#[tokio::test]
async fn the_end_of_a_session_is_the_end_of_what_it_started() {
    let cloud = Cloud::new();
    let sessions = sessions(&cloud);
    let found = cluster(&cloud).await;
    let request =
        OpenRequest { node: Some(found.nodes[0].container.name.clone()), ..OpenRequest::new(TerminalKind::Node) };
    let attachment = sessions.open(&alex(), request).await.unwrap();
    cloud.engine.execute_as(Executed { code: 0, output: String::new(), errors: String::new() });
    let mark = format!("QBO_SESSION={}", attachment.session);
    attachment.close().await;
    until(|| cloud.engine.calls().iter().any(|call| call.starts_with("execute") && call.ends_with(&mark))).await;
}

#[tokio::test]
async fn a_shell_gets_to_its_users_nodes_and_nowhere_else() {
    let cloud = Cloud::new();
    let found = cluster(&cloud).await;
    let live = &cloud.services.live;
    let node = found.nodes[1].address.unwrap();
    let target = format!("{node}:10250");
    assert_eq!(tunnel::permit(live, &alex(), &target).unwrap().to_string(), target);
    // The host's own address in the cluster's network is not among them.
    let gateway = format!("{}:22", found.networks[0].subnets[0].hosts().next().unwrap());
    for (user, target, code) in [
        (user("sam"), target.as_str(), Code::FORBIDDEN),
        (alex(), &gateway, Code::FORBIDDEN),
        (alex(), "127.0.0.1:9601", Code::FORBIDDEN),
        (alex(), "example.com:443", Code::BAD_REQUEST),
    ] {
        assert_eq!(tunnel::permit(live, &user, target).unwrap_err().code, code, "{target}");
    }
}
