//! Ctrl-C where there is no terminal: from a script, a supervisor, a pipe.

use std::os::unix::process::ExitStatusExt;

use qbo_api::message::Code;
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Child;
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::server::{OURS, line, serve};
use super::{LIMIT, ended};

fn interrupt(child: &Child) {
    let pid = Pid::from_raw(child.id().unwrap().cast_signed()).unwrap();
    kill_process(pid, Signal::INT).unwrap();
}

/// Waits for the echo of the command, from which on Ctrl-C is heard.
async fn accepted(child: &mut Child) -> BufReader<tokio::process::ChildStdout> {
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let mut first = String::new();
    timeout(LIMIT, output.read_line(&mut first)).await.unwrap().unwrap();
    assert!(first.contains("\"input\""), "{first}");
    output
}

#[tokio::test]
async fn the_first_cancels() {
    let (qbo, server) = serve(|mut peer| async move {
        peer.accept_command("add cluster alex -n 3").await;
        assert_eq!(peer.hear().await, Some(format!("cancel command {}", peer.id)));
        peer.say_of(uuid::Uuid::new_v4(), OURS, Code::OK, line("of the cancel, not of the add")).await;
        peer.failed(Code::CANCELLED, "cancelled", "").await;
    })
    .await;
    let mut child = qbo.command("add cluster alex").spawn().unwrap();
    let mut output = accepted(&mut child).await;
    interrupt(&child);
    let mut rest = String::new();
    timeout(LIMIT, tokio::io::AsyncReadExt::read_to_string(&mut output, &mut rest)).await.unwrap().unwrap();
    let ended = ended(child.wait_with_output()).await;
    assert_eq!(ended.code, Some(1));
    assert_eq!(ended.errors, "Cancelling 'add cluster alex' …\nerror: cancelled\n");
    assert_eq!(rest.lines().count(), 1, "the last message of the add alone: {rest}");
    server.await.unwrap();
}

#[tokio::test]
async fn the_second_leaves() {
    let (cancelled, wait) = oneshot::channel();
    let (qbo, server) = serve(|mut peer| async move {
        peer.accept_command("delete cluster alex").await;
        assert!(peer.hear().await.unwrap().starts_with("cancel command "));
        cancelled.send(()).unwrap();
        assert_eq!(peer.hear().await, None, "it leaves and says no more");
    })
    .await;
    let mut child = qbo.command("delete cluster alex").spawn().unwrap();
    let _output = accepted(&mut child).await;
    interrupt(&child);
    timeout(LIMIT, wait).await.unwrap().unwrap();
    interrupt(&child);
    let ended = ended(child.wait_with_output()).await;
    assert_eq!(ended.code, Some(130));
    assert!(
        ended
            .errors
            .ends_with("'delete cluster alex' is left while it is cancelled; follow it with: qbo get cluster alex\n"),
        "{}",
        ended.errors
    );
    server.await.unwrap();
}

#[tokio::test]
async fn a_cancel_that_comes_too_late_is_told() {
    let (qbo, _server) = serve(|mut peer| async move {
        peer.accept_command("add cluster alex -n 3").await;
        peer.hear().await;
        peer.say_of(uuid::Uuid::new_v4(), OURS, Code::NOT_FOUND, line("no such command runs")).await;
        peer.done().await;
    })
    .await;
    let mut child = qbo.command("add cluster alex").spawn().unwrap();
    let _output = accepted(&mut child).await;
    interrupt(&child);
    let ended = ended(child.wait_with_output()).await;
    assert_eq!(ended.code, Some(0));
    assert!(ended.errors.contains("It cannot be cancelled: no such command runs"), "{}", ended.errors);
}

#[tokio::test]
async fn what_only_reads_just_ends() {
    let (qbo, _server) = serve(|mut peer| async move {
        peer.accept_command("get cluster -A").await;
        peer.hear().await;
    })
    .await;
    // Whoever starts the tests in the background has this signal ignored, and that is inherited.
    let mut command = qbo.program("env");
    command.args(["--default-signal=INT", env!("CARGO_BIN_EXE_qbo"), "get", "cluster"]);
    let mut child = command.spawn().unwrap();
    let _output = accepted(&mut child).await;
    interrupt(&child);
    let status = timeout(LIMIT, child.wait()).await.unwrap().unwrap();
    assert_eq!(status.signal(), Some(Signal::INT.as_raw()));
}
