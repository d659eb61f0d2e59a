//! Output to a pipe, as scripts and `jq` read it.

use std::process::Stdio;

use qbo_api::message::{Change, Code, Output, Payload};
use qbo_api::model::Version;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::sync::oneshot;
use tokio::time::timeout;
use uuid::Uuid;

use super::server::{OURS, THEIRS, cluster, line, serve};
use super::{LIMIT, ended};

#[tokio::test]
async fn messages_are_lines_exactly_as_received() {
    let (sender, sent) = oneshot::channel();
    let (qbo, server) = serve(|mut peer| async move {
        assert_eq!(peer.hear().await.as_deref(), Some("get cluster -A"));
        // What others do in the same mirror, before, between and with a payload of days to come.
        peer.say_of(Uuid::new_v4(), THEIRS, Code::ACCEPTED, line("theirs")).await;
        let mut texts = vec![peer.say(Code::ACCEPTED, line("ours")).await];
        peer.say_of(Uuid::new_v4(), THEIRS, Code::OK, line("theirs")).await;
        let newer = format!(r#"{{"new":[{{"a":1}}],  "wsi":"{OURS}","command_id":"{}","code":201}}"#, peer.id);
        peer.try_text(newer.clone()).await.unwrap();
        texts.push(newer);
        texts.push(peer.say(Code::CREATED, cluster("alex")).await);
        texts.push(peer.done().await);
        sender.send(texts).unwrap();
        assert_eq!(peer.hear().await, None, "it says goodbye");
    })
    .await;
    let ended = qbo.run("get clusters").await;
    assert_eq!(ended.errors, "");
    assert_eq!(ended.output.lines().collect::<Vec<_>>(), sent.await.unwrap());
    assert_eq!(ended.code, Some(0));
    server.await.unwrap();
}

#[tokio::test]
async fn a_line_comes_out_while_the_command_runs() {
    let (seen, wait) = oneshot::channel();
    let (qbo, _server) = serve(|mut peer| async move {
        peer.accept_command("add cluster alex -n 3").await;
        wait.await.unwrap();
        peer.done().await;
    })
    .await;
    let mut child = qbo.command("add cluster alex").spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let first = timeout(LIMIT, lines.next_line()).await.unwrap().unwrap().unwrap();
    assert!(first.contains("\"input\""), "{first}");
    seen.send(()).unwrap();
    let last = timeout(LIMIT, lines.next_line()).await.unwrap().unwrap().unwrap();
    assert!(last.contains("terminated"), "{last}");
    assert_eq!(ended(child.wait_with_output()).await.code, Some(0));
}

#[tokio::test]
async fn failures_are_lines_and_errors_and_exit_codes() {
    for (code, exit) in [(Code::NOT_FOUND, 1), (Code::CONFLICT, 1), (Code::BAD_GATEWAY, 2), (Code::NO_ROOM, 2)] {
        let (qbo, _server) = serve(move |mut peer| async move {
            peer.accept_command("get cluster alex").await;
            peer.failed(code, "there is no cluster 'alex'", "qbo get cluster -A lists all").await;
        })
        .await;
        let ended = qbo.run("get cluster alex").await;
        assert_eq!(ended.code, Some(exit), "{code:?}");
        assert_eq!(ended.output.lines().count(), 2);
        assert_eq!(ended.errors, "error: there is no cluster 'alex'\n  qbo get cluster -A lists all\n");
    }
}

#[tokio::test]
async fn a_refusal_without_an_echo_ends_it_too() {
    let (qbo, _server) = serve(|mut peer| async move {
        peer.hear().await;
        peer.failed(Code::TOO_MANY, "too many commands", "wait").await;
    })
    .await;
    assert_eq!(qbo.run("get cluster").await.code, Some(1));
}

#[tokio::test]
async fn version_begins_with_our_own() {
    let (qbo, _server) = serve(|mut peer| async move {
        peer.accept_command("version").await;
        let version = Version { qbo_api: Some("9.9.9".into()), ..Version::default() };
        peer.say(Code::CREATED, Payload::Version(vec![version])).await;
        peer.done().await;
    })
    .await;
    let ended = qbo.run("version").await;
    let own = concat!(r#"{"version":[{"qbo_cli":""#, env!("CARGO_PKG_VERSION"), r#""}]}"#);
    assert_eq!(ended.output.lines().next(), Some(own));
    assert!(ended.output.contains(r#""version":[{"qbo_api":"9.9.9"}]"#), "{}", ended.output);
    assert_eq!(ended.code, Some(0));
}

#[tokio::test]
async fn a_reader_that_goes_ends_it_in_silence() {
    let (qbo, server) = serve(|mut peer| async move {
        peer.accept_command("add cluster alex -n 3").await;
        // Says on until the client is gone, which it must be on its own.
        while peer
            .try_text(String::from(r#"{"wsi":"","#) + &format!(r#""command_id":"{}","code":201}}"#, peer.id))
            .await
            .is_ok()
        {}
    })
    .await;
    let mut child = qbo.command("add cluster alex").spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    timeout(LIMIT, lines.next_line()).await.unwrap().unwrap();
    drop(lines);
    let ended = ended(child.wait_with_output()).await;
    assert_eq!((ended.code, ended.errors.as_str()), (Some(141), ""));
    timeout(LIMIT, server).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_server_that_goes_is_told() {
    let (qbo, _server) = serve(|mut peer| async move {
        peer.accept_command("add cluster alex -n 3").await;
    })
    .await;
    let ended = qbo.run("add cluster alex").await;
    assert_eq!(ended.code, Some(2));
    assert!(ended.errors.contains("is lost: "), "{}", ended.errors);
    assert!(
        ended.errors.contains("'add cluster alex' may go on there; look with: qbo get cluster alex"),
        "{}",
        ended.errors
    );
}

#[tokio::test]
async fn what_is_no_message_ends_it() {
    let (qbo, _server) = serve(|mut peer| async move {
        peer.hear().await;
        peer.try_text("hello".into()).await.unwrap();
        peer.hear().await;
    })
    .await;
    let ended = qbo.run("get cluster").await;
    assert_eq!(ended.code, Some(2));
    assert!(ended.errors.contains("expected value"), "{}", ended.errors);
}

#[tokio::test]
async fn formats_work_to_pipes_as_well() {
    for (format, expected) in [
        ("name", "cluster/alex\n"),
        (
            "table",
            "NAME   STATE   ADDRESS                   CONTROL PLANE\nalex   ready   https://10.201.0.2:6443   control-1a2b3c4d.localhost\n",
        ),
        (
            "yaml",
            "---\naddress: https://10.201.0.2:6443\ncontrol_plane: control-1a2b3c4d.localhost\nid: 43706dd0-1111-2222-3333-444444444444\nname: alex\nstate: ready\nuser: alex@qbo.io\n",
        ),
    ] {
        let (qbo, _server) = serve(|mut peer| async move {
            peer.accept_command("get cluster alex").await;
            peer.say(Code::CREATED, cluster("alex")).await;
            peer.done().await;
        })
        .await;
        let ended = qbo.run(&format!("get cluster alex -o {format}")).await;
        assert_eq!((ended.output.as_str(), ended.errors.as_str()), (expected, ""), "{format}");
    }
}

#[tokio::test]
async fn in_every_format_a_watch_tells_what_is_gone_from_what_is_there() {
    for (format, there, gone) in [
        ("name", "cluster/alex\n", "-cluster/alex\n"),
        ("table", "\nalex   ready   https://10", "\n-alex   ready   https://10"),
        ("yaml", "---\naddress: https://10", "---\nchange: delete\naddress: https://10"),
        ("json", r#""change":"put""#, r#""change":"delete""#),
    ] {
        let (qbo, _server) = serve(|mut peer| async move {
            peer.accept_command("get cluster -A -w").await;
            peer.list(cluster("alex")).await;
            peer.done().await;
            peer.tell(Change::Put, cluster("alex")).await;
            peer.tell(Change::Delete, cluster("alex")).await;
        })
        .await;
        let output = qbo.run(&format!("get cluster -w -o {format}")).await.output;
        let place = output.rfind(gone).unwrap_or_else(|| panic!("{format}: {output}"));
        assert!(output[..place].contains(there) && !output[..place].contains(gone), "{format}: {output}");
    }
}

#[tokio::test]
async fn a_kubeconfig_goes_to_a_file_as_yaml() {
    let (qbo, _server) = serve(|mut peer| async move {
        peer.accept_command("get cluster alex -k").await;
        let kubeconfig = Output::Kubeconfig { kubeconfig: "apiVersion: v1\n".into() };
        peer.say(Code::CREATED, Payload::Output(vec![kubeconfig])).await;
        peer.done().await;
    })
    .await;
    assert_eq!(qbo.run("get cluster alex -k -o yaml").await.output, "---\napiVersion: v1\n");
}

#[tokio::test]
async fn the_token_of_the_configuration_is_sent() {
    let (qbo, server) = serve(|mut peer| async move {
        assert_eq!(peer.cookie.as_deref(), Some("qbo_uid=33820cc1-d513; qbo_aux=66fac858"));
        peer.accept_command("test host").await;
        peer.done().await;
    })
    .await;
    std::fs::create_dir(qbo.home.path().join(".qbo")).unwrap();
    let text = r#"{"qbo_uid": "33820cc1-d513", "qbo_aux": "66fac858", "qbo_user": "alex@qbo.io"}"#;
    std::fs::write(qbo.home.path().join(".qbo/cli.json"), text).unwrap();
    let ended = ended(qbo.command("test host").stdin(Stdio::null()).output()).await;
    assert_eq!(ended.code, Some(0), "{}", ended.errors);
    server.await.unwrap();
}
