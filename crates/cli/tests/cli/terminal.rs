//! On a terminal, which script(1) provides: what is drawn, and Ctrl-C with its question.

use std::process::Stdio;

use qbo_api::message::{Code, StepState};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStdin, ChildStdout};
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::server::{cluster, serve, step};
use super::{LIMIT, Qbo};

/// A `qbo` on a terminal of its own.
struct Terminal {
    child: Child,
    keys: ChildStdin,
    screen: ChildStdout,
    /// All that was written so far; a read may end within a character.
    written: Vec<u8>,
}

impl Terminal {
    fn start(qbo: &Qbo, words: &str) -> Self {
        let mut command = qbo.program("script");
        // Without exec the shell in between hears Ctrl-C as well, and has an opinion on the exit code.
        let line = format!("exec {} {words}", env!("CARGO_BIN_EXE_qbo"));
        command.args(["--quiet", "--return", "--flush", "--command", &line, "/dev/null"]).stdin(Stdio::piped());
        let mut child = command.spawn().expect("script(1), of Debian's essential package bsdutils");
        let (keys, screen) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        Self { child, keys, screen, written: Vec::new() }
    }

    async fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).await.unwrap();
    }

    /// Waits until this is on the screen.
    async fn shows(&mut self, wanted: &str) {
        while !self.text().contains(wanted) {
            assert!(self.read().await > 0, "'{wanted}' is not on the screen:\n{}", self.text());
        }
    }

    async fn read(&mut self) -> usize {
        let mut bytes = [0; 4096];
        let read = timeout(LIMIT, self.screen.read(&mut bytes)).await;
        let length = read.unwrap_or_else(|_| panic!("nothing more is shown after:\n{}", self.text())).unwrap();
        self.written.extend_from_slice(&bytes[..length]);
        length
    }

    /// Waits for the end; gives the exit code and all that was shown.
    async fn ended(mut self) -> (Option<i32>, String) {
        while self.read().await > 0 {}
        (timeout(LIMIT, self.child.wait()).await.unwrap().unwrap().code(), self.text())
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.written).into_owned()
    }
}

#[tokio::test]
async fn a_list_is_a_table_in_colour() {
    let (qbo, _server) = serve(|mut peer| async move {
        peer.accept_command("get cluster -A").await;
        peer.say(Code::CREATED, cluster("alex")).await;
        peer.done().await;
    })
    .await;
    let (code, text) = Terminal::start(&qbo, "get cluster").ended().await;
    assert_eq!(code, Some(0));
    assert!(text.contains("alex   \x1b[32mready\x1b[0m   https://10.201.0.2:6443"), "{text}");
}

#[tokio::test]
async fn json_can_be_had_on_a_terminal() {
    let (qbo, _server) = serve(|mut peer| async move {
        peer.accept_command("get cluster -A").await;
        peer.done().await;
    })
    .await;
    let (_, text) = Terminal::start(&qbo, "get cluster -o json").ended().await;
    assert!(text.lines().all(|line| line.starts_with('{')), "{text}");
}

#[tokio::test]
async fn an_add_is_shown_as_it_goes() {
    let (seen, wait) = oneshot::channel();
    let (qbo, _server) = serve(|mut peer| async move {
        peer.accept_command("add cluster alex -n 3").await;
        peer.say(Code::CREATED, step("boot", StepState::Started)).await;
        wait.await.unwrap();
        peer.say(Code::CREATED, step("boot", StepState::Done)).await;
        peer.done().await;
    })
    .await;
    let mut terminal = Terminal::start(&qbo, "add cluster alex");
    terminal.shows("control-1a2b3c4d  boot").await;
    // The picture moves with time alone.
    terminal.shows("⠹").await;
    terminal.shows("⠼").await;
    seen.send(()).unwrap();
    let (code, text) = terminal.ended().await;
    assert_eq!(code, Some(0));
    let end = text.rsplit("\x1b[J").next().unwrap();
    assert!(end.contains("✓\x1b[0m control-1a2b3c4d  boot"), "{end:?}");
    assert!(end.contains("Ready: \x1b[1malex\x1b[0m") && end.contains("kubectl get nodes"), "{end:?}");
}

#[tokio::test]
async fn a_question_answered_with_yes_cancels() {
    let (qbo, _server) = serve(|mut peer| async move {
        peer.accept_command("add cluster alex -n 3").await;
        peer.say(Code::CREATED, step("boot", StepState::Started)).await;
        assert_eq!(peer.hear().await, Some(format!("cancel command {}", peer.id)));
        peer.say(Code::CREATED, step("boot", StepState::Undone)).await;
        peer.failed(Code::CANCELLED, "cancelled", "").await;
    })
    .await;
    let mut terminal = Terminal::start(&qbo, "add cluster alex");
    terminal.shows("boot").await;
    terminal.press("\x03").await;
    terminal.shows("Cancel 'add cluster alex'? [y/N]  (Ctrl-C again leaves it running)").await;
    terminal.press("y\n").await;
    let (code, text) = terminal.ended().await;
    assert_eq!(code, Some(1));
    assert!(text.contains("↶"), "{text}");
    assert!(text.ends_with("error:\x1b[0m cancelled\r\n"), "{text:?}");
}

#[tokio::test]
async fn a_question_answered_with_no_goes_on() {
    let (answered, wait) = oneshot::channel();
    let (qbo, _server) = serve(|mut peer| async move {
        peer.accept_command("add cluster alex -n 3").await;
        peer.say(Code::CREATED, step("boot", StepState::Started)).await;
        wait.await.unwrap();
        peer.done().await;
        assert_eq!(peer.hear().await, None, "nothing was cancelled");
    })
    .await;
    let mut terminal = Terminal::start(&qbo, "add cluster alex");
    terminal.shows("boot").await;
    terminal.press("\x03").await;
    terminal.shows("leaves it running").await;
    terminal.written.clear();
    terminal.press("n\n").await;
    terminal.shows("boot").await;
    answered.send(()).unwrap();
    let (code, text) = terminal.ended().await;
    assert_eq!(code, Some(0));
    assert!(text.contains("Ready: "), "{text}");
}

#[tokio::test]
async fn a_second_interrupt_leaves_it_running() {
    let (qbo, server) = serve(|mut peer| async move {
        peer.accept_command("add cluster alex -n 3").await;
        peer.say(Code::CREATED, step("boot", StepState::Started)).await;
        assert_eq!(peer.hear().await, None, "nothing was cancelled");
    })
    .await;
    let mut terminal = Terminal::start(&qbo, "add cluster alex");
    terminal.shows("boot").await;
    terminal.press("\x03").await;
    terminal.shows("leaves it running").await;
    terminal.press("\x03").await;
    let (code, text) = terminal.ended().await;
    assert_eq!(code, Some(130));
    assert!(text.ends_with("'add cluster alex' is left running; follow it with: qbo get cluster alex\r\n"), "{text:?}");
    server.await.unwrap();
}

#[tokio::test]
async fn a_question_is_withdrawn_when_the_command_ends() {
    let (asked, wait) = oneshot::channel();
    let (qbo, _server) = serve(|mut peer| async move {
        peer.accept_command("add cluster alex -n 3").await;
        peer.say(Code::CREATED, step("boot", StepState::Started)).await;
        wait.await.unwrap();
        peer.say(Code::CREATED, step("boot", StepState::Done)).await;
        peer.done().await;
    })
    .await;
    let mut terminal = Terminal::start(&qbo, "add cluster alex");
    terminal.shows("boot").await;
    terminal.press("\x03").await;
    terminal.shows("leaves it running").await;
    asked.send(()).unwrap();
    let (code, text) = terminal.ended().await;
    assert_eq!(code, Some(0));
    assert!(text.contains("Ready: "), "{text}");
}
