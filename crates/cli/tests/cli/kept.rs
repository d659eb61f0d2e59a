//! What stays on the client's host: kubeconfigs that are merged and taken out again, logs that are written.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use qbo_api::message::{Code, Output, Payload};
use uuid::Uuid;

use super::server::{Peer, cluster, line, serve};

const KUBECONFIG: &str = "apiVersion: v1\nkind: Config\nclusters:\n- name: qbo-alex\n  cluster:\n    server: https://10.201.0.2:6443\n\
                          contexts:\n- name: qbo-alex\n  context:\n    cluster: qbo-alex\n    user: qbo-alex\nusers:\n- name: qbo-alex\n  \
                          user:\n    client-key-data: S0VZ\ncurrent-context: qbo-alex\n";

const OWN: &str = "apiVersion: v1\nkind: Config\nclusters:\n- name: work\n  cluster:\n    server: https://192.0.2.1\ncurrent-context: work\n";

async fn tell_kubeconfig(mut peer: Peer) {
    peer.accept_command("export kubeconfig alex").await;
    let kubeconfig = Output::Kubeconfig { kubeconfig: KUBECONFIG.into() };
    peer.say(Code::CREATED, Payload::Output(vec![kubeconfig])).await;
    peer.done().await;
}

async fn delete(mut peer: Peer) {
    peer.accept_command("delete cluster alex").await;
    peer.say(Code::CREATED, cluster("alex")).await;
    peer.done().await;
}

#[tokio::test]
async fn a_kubeconfig_is_merged_and_taken_out_with_its_cluster() {
    let (qbo, _server) = serve(tell_kubeconfig).await;
    let file = qbo.home.path().join(".kube/config");
    fs::create_dir(qbo.home.path().join(".kube")).unwrap();
    fs::write(&file, OWN).unwrap();
    let ended = qbo.run("export kubeconfig alex").await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.errors.starts_with("'qbo-alex' is in ") && !ended.output.contains("S0VZ"), "{ended:?}");
    let merged = fs::read_to_string(&file).unwrap();
    assert!(merged.contains("https://192.0.2.1") && merged.contains("S0VZ"), "{merged}");
    assert!(merged.contains("current-context: qbo-alex"), "{merged}");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);

    let (mut deleting, _server) = serve(delete).await;
    deleting.home = qbo.home;
    let ended = deleting.run("delete cluster alex").await;
    assert!(ended.errors.starts_with("'qbo-alex' taken out of "), "{ended:?}");
    let left = fs::read_to_string(&file).unwrap();
    assert!(left.contains("https://192.0.2.1") && !left.contains("qbo-alex"), "{left}");
}

#[tokio::test]
async fn the_first_of_the_variable_counts_and_a_directory_is_made() {
    let (qbo, _server) = serve(tell_kubeconfig).await;
    let named = qbo.home.path().join("a/b");
    let paths = format!(":{}:{}", named.display(), qbo.home.path().join("c").display());
    let ended = super::ended(qbo.command("export kubeconfig alex").env("KUBECONFIG", paths).output()).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(fs::read_to_string(named).unwrap().contains("qbo-alex"));
}

#[tokio::test]
async fn a_file_that_is_not_right_is_left_as_it_is() {
    for text in ["clusters: [", "hello"] {
        let (qbo, _server) = serve(tell_kubeconfig).await;
        let file = qbo.home.path().join("config");
        fs::write(&file, text).unwrap();
        let ended = super::ended(qbo.command("export kubeconfig alex").env("KUBECONFIG", &file).output()).await;
        assert_eq!(ended.code, Some(1));
        assert!(ended.errors.contains("is not right: ") && ended.errors.contains("left as it is"), "{ended:?}");
        assert_eq!(fs::read_to_string(&file).unwrap(), text);
        assert!(!qbo.home.path().join("config.lock").exists());
    }
}

#[tokio::test]
async fn a_deletion_succeeds_whatever_the_kubeconfig_is() {
    for (text, says) in [("qbo-alex: [", "The kubeconfig is left as it is"), ("a: [", ""), (OWN, "")] {
        let (qbo, _server) = serve(delete).await;
        let file = qbo.home.path().join("config");
        fs::write(&file, text).unwrap();
        let ended = super::ended(qbo.command("delete cluster alex").env("KUBECONFIG", &file).output()).await;
        assert_eq!(ended.code, Some(0), "{ended:?}");
        assert!(ended.errors.starts_with(says) && ended.errors.is_empty() == says.is_empty(), "{text}: {ended:?}");
        assert_eq!(fs::read_to_string(&file).unwrap(), text);
    }
}

#[tokio::test]
async fn of_a_deletion_that_fails_or_is_not_heard_to_its_end_what_was_told_is_taken_out() {
    for (ends, code) in [(true, 1), (false, 2)] {
        for (name, stays) in [("alex", false), ("dev", true)] {
            let (qbo, _server) = serve(move |mut peer| async move {
                peer.accept_command("delete cluster alex dev").await;
                peer.say(Code::CREATED, cluster("alex")).await;
                if ends {
                    peer.failed(Code::CONFLICT, "dev: no", "").await;
                }
            })
            .await;
            let file = qbo.home.path().join("config");
            fs::write(&file, KUBECONFIG.replace("qbo-alex", &format!("qbo-{name}"))).unwrap();
            let ended = super::ended(qbo.command("delete cluster alex dev").env("KUBECONFIG", &file).output()).await;
            assert_eq!(ended.code, Some(code), "{ended:?}");
            assert_eq!(fs::read_to_string(&file).unwrap().contains(&format!("qbo-{name}")), stays, "{ended:?}");
        }
    }
}

fn piece(file: &str, text: &str) -> Payload {
    Payload::Output(vec![Output::Piece { file: file.into(), text: text.into() }])
}

#[tokio::test]
async fn logs_are_written_where_the_user_says_and_the_server_is_not_told() {
    let (qbo, _server) = serve(|mut peer| async move {
        let (command, mirror) = peer.hear_in_mirror().await.unwrap();
        assert_eq!(command, "export logs alex");
        assert!(mirror.parse::<Uuid>().is_ok(), "a mirror of its own: {mirror}");
        peer.say(Code::ACCEPTED, line("accepted")).await;
        for (file, text) in [("alex/a.log", "one "), ("alex/nodes/b.log", "b"), ("alex/a.log", "two")] {
            peer.say(Code::CREATED, piece(file, text)).await;
        }
        peer.done().await;
    })
    .await;
    let directory = qbo.home.path().join("logs");
    let ended = qbo.run(&format!("export logs alex -d {}", directory.display())).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(fs::read_to_string(directory.join("alex/a.log")).unwrap(), "one two");
    assert!(ended.errors.starts_with("2 files in ") && !ended.output.contains("one "), "{ended:?}");
    // What is there is not written over, and nobody is asked.
    let ended = qbo.run(&format!("export logs alex -d {}", directory.display())).await;
    assert!(ended.code == Some(1) && ended.errors.contains("is there already"), "{ended:?}");
}

#[tokio::test]
async fn a_server_does_not_choose_where_files_lie() {
    let (qbo, _server) = serve(|mut peer| async move {
        peer.hear_in_mirror().await.unwrap();
        peer.say(Code::ACCEPTED, line("accepted")).await;
        peer.say(Code::CREATED, piece("../evil", "x")).await;
        peer.done().await;
    })
    .await;
    let ended = qbo.run(&format!("export logs alex -d {}", qbo.home.path().join("logs").display())).await;
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(!qbo.home.path().join("evil").exists());
}
