//! The builder of qbo's own images: the scripts of `images`, run as processes with their lines forwarded.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use async_trait::async_trait;
use qbo_api::message::Code;
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

use super::Progress;
use crate::error::Failure;

/// Lines of a failed build that are shown.
const LINES_SHOWN: usize = 5;

/// Builds node images of a Kubernetes version, and the image of shells.
#[async_trait]
pub trait Builder: Send + Sync + 'static {
    /// Builds `qbo/node:<version>` and loads it into Docker; `progress` gets each line the build prints.
    async fn build(&self, version: &str, progress: Progress<'_>) -> Result<(), Failure>;
    /// Builds the image of shells and loads it into Docker.
    async fn build_shell(&self, progress: Progress<'_>) -> Result<(), Failure>;
}

/// Runs the build scripts.
#[derive(Debug, Clone)]
pub struct ScriptBuilder {
    node: PathBuf,
    shell: PathBuf,
}

/// Asks a process to end when this is dropped: a cancelled build goes with its command. It is asked and not killed, for
/// the script to end what it started.
struct AskedToEnd(Option<u32>);

impl AskedToEnd {
    /// The process has ended by itself.
    fn not_at_all(mut self) {
        self.0 = None;
    }
}

impl Drop for AskedToEnd {
    fn drop(&mut self) {
        let id = self.0.and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        if let Some(Err(error)) = id.map(|id| kill_process(id, Signal::TERM)) {
            tracing::warn!(%error, "a cancelled build cannot be asked to end");
        }
    }
}

impl ScriptBuilder {
    /// A builder that runs this script of `images/node`, and that of `images/shell` beside it.
    pub fn new(node: &Path) -> Self {
        let images = node.parent().and_then(Path::parent);
        let shell = images.map(|images| images.join("shell/build")).unwrap_or_default();
        Self { node: node.into(), shell }
    }
}

#[async_trait]
impl Builder for ScriptBuilder {
    async fn build(&self, version: &str, progress: Progress<'_>) -> Result<(), Failure> {
        run(&self.node, &[version], &format!("qbo/node:{version}"), progress).await
    }

    async fn build_shell(&self, progress: Progress<'_>) -> Result<(), Failure> {
        run(&self.shell, &[], "qbo/shell", progress).await
    }
}

/// Runs a script that builds an image.
async fn run(script: &Path, arguments: &[&str], image: &str, progress: Progress<'_>) -> Result<(), Failure> {
    let shown = script.display();
    let failed = |error: std::io::Error| {
        Failure::new(
            Code::UNPROCESSABLE,
            format!("the image builder {shown} cannot be run: {error}"),
            "start qbo-api with --image-builder <qbo's source>/images/node/build",
        )
    };
    let mut child = Command::new(script)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(failed)?;
    // Read before it is awaited: after that its id may be another's.
    let asked = AskedToEnd(child.id());
    let (output, errors) = (child.stdout.take(), child.stderr.take());
    let forward = async {
        let mut lines = output.map(|output| BufReader::new(output).lines());
        while let Some(lines) = &mut lines
            && let Ok(Some(line)) = lines.next_line().await
        {
            progress(&line);
        }
    };
    let collect = async {
        let mut last = std::collections::VecDeque::new();
        let mut lines = errors.map(|errors| BufReader::new(errors).lines());
        while let Some(lines) = &mut lines
            && let Ok(Some(line)) = lines.next_line().await
        {
            tracing::debug!(line, "image build");
            last.truncate(LINES_SHOWN - 1);
            last.push_front(line);
        }
        last.into_iter().rev().collect::<Vec<_>>()
    };
    let (status, (), last) = tokio::join!(child.wait(), forward, collect);
    asked.not_at_all();
    let status = status.map_err(failed)?;
    if status.success() {
        return Ok(());
    }
    let command = [&[shown.to_string().as_str()], arguments].concat().join(" ");
    let problem = format!("the build of {image} failed ({status}): {}", last.join(" / "));
    Err(Failure::new(Code::INTERNAL, problem, format!("run it by hand to see more: {command}")))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// It is written by another process: what other tests start meanwhile has our open files for a moment, and no file is run
    /// that is open to be written (`ETXTBSY`).
    fn script(directory: &Path, text: &str) -> ScriptBuilder {
        let (written, path) = (directory.join("text"), directory.join("build"));
        std::fs::write(&written, format!("#!/bin/sh\n{text}\n")).unwrap();
        let installed = std::process::Command::new("install").args(["-m", "755"]).args([&written, &path]).status();
        assert!(installed.unwrap().success());
        ScriptBuilder::new(&path)
    }

    #[tokio::test]
    async fn lines_are_forwarded_and_a_failure_says_the_last() {
        let directory = tempfile::tempdir().unwrap();
        let builder = script(directory.path(), "echo STEP one; echo why >&2; exit 3");
        let lines = std::sync::Mutex::new(Vec::new());
        let failure = builder.build("v1.37.2", &|line| lines.lock().unwrap().push(line.to_owned())).await.unwrap_err();
        assert_eq!(*lines.lock().unwrap(), ["STEP one"]);
        assert!(failure.problem.ends_with("why"), "{}", failure.problem);
    }

    #[tokio::test]
    async fn a_build_that_is_dropped_may_tidy_up() {
        let directory = tempfile::tempdir().unwrap();
        let text = format!(
            "trap 'echo tidy > {0}/tidied; exit' TERM; echo begun; while :; do sleep 0.01; done",
            directory.path().display()
        );
        let builder = script(directory.path(), &text);
        let (begun, mut beginning) = tokio::sync::mpsc::unbounded_channel();
        let progress = move |line: &str| begun.send(line.to_owned()).unwrap();
        tokio::select! {
            outcome = builder.build("v1.37.2", &progress) => panic!("{outcome:?}"),
            line = beginning.recv() => assert_eq!(line.unwrap(), "begun"),
        }
        let tidied = async {
            while !directory.path().join("tidied").exists() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), tidied).await.expect("waited 20 s for the script to tidy up");
    }
}
