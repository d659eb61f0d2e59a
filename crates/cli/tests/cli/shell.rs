//! Completion, by the script that bash reads.

use qbo_api::message::Code;

use super::server::{cluster, serve};
use super::{Qbo, ended};

/// How often the tab key is pressed: a person is not kept waiting for a server that is slow, as all is on a busy machine.
const ATTEMPTS: usize = 20;

/// What bash would offer for this line.
async fn offers(qbo: &Qbo, line: &str) -> String {
    let script = format!(
        r#"source <("$0" completion bash); qbo() {{ "$QBO" "$@"; }}; COMP_LINE='{line}'; COMP_POINT=${{#COMP_LINE}}; _qbo; echo "${{COMPREPLY[@]}}""#
    );
    let mut bash = qbo.program("bash");
    bash.args(["-c", &script, env!("CARGO_BIN_EXE_qbo")]).env("QBO", env!("CARGO_BIN_EXE_qbo"));
    let ended = ended(bash.output()).await;
    assert_eq!(ended.errors, "");
    ended.output.trim_end().to_owned()
}

#[tokio::test]
async fn words_and_options_are_offered() {
    let qbo = Qbo::new(1);
    assert_eq!(offers(&qbo, "qbo de").await, "delete");
    assert_eq!(offers(&qbo, "qbo get ").await, "cluster nodes pods services networks images registries clients usage");
    assert_eq!(offers(&qbo, "qbo add cluster alex --re").await, "--retain");
}

#[tokio::test]
async fn names_are_offered_as_they_are_now() {
    let mut offered = String::new();
    for _ in 0..ATTEMPTS {
        let (qbo, _server) = serve(|mut peer| async move {
            peer.accept_command("get cluster -A").await;
            peer.say(Code::CREATED, cluster("alex")).await;
            peer.say(Code::CREATED, cluster("dev")).await;
            peer.done().await;
            peer.accept_command("get nodes -A").await;
            peer.done().await;
        })
        .await;
        offered = offers(&qbo, "qbo get nodes a").await;
        if !offered.is_empty() {
            break;
        }
    }
    assert_eq!(offered, "alex");
}

#[tokio::test]
async fn without_a_server_nothing_is_offered_and_nothing_said() {
    assert_eq!(offers(&Qbo::new(1), "qbo get nodes a").await, "");
}
