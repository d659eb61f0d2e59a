//! The builder of qbo's own node image: the script of `images/node`, run as a process with its lines forwarded.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use async_trait::async_trait;
use qbo_api::message::Code;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

use super::Progress;
use crate::error::Failure;

/// Lines of a failed build that are shown.
const LINES_SHOWN: usize = 5;

/// Builds node images of a Kubernetes version.
#[async_trait]
pub trait Builder: Send + Sync + 'static {
    /// Builds `qbo/node:<version>` and loads it into Docker; `progress` gets each line the build prints.
    async fn build(&self, version: &str, progress: Progress<'_>) -> Result<(), Failure>;
}

/// Runs the build script.
#[derive(Debug, Clone)]
pub struct ScriptBuilder {
    script: PathBuf,
}

impl ScriptBuilder {
    /// A builder that runs this script.
    pub fn new(script: &Path) -> Self {
        Self { script: script.into() }
    }
}

#[async_trait]
impl Builder for ScriptBuilder {
    async fn build(&self, version: &str, progress: Progress<'_>) -> Result<(), Failure> {
        let script = self.script.display();
        let failed = |error: std::io::Error| {
            Failure::new(
                Code::UNPROCESSABLE,
                format!("the image builder {script} cannot be run: {error}"),
                "start qbo-api with --image-builder <qbo's source>/images/node/build",
            )
        };
        let mut child = Command::new(&self.script)
            .arg(version)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // A cancelled build ends with its command; the script leaves no half results.
            .kill_on_drop(true)
            .spawn()
            .map_err(failed)?;
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
        let status = status.map_err(failed)?;
        if status.success() {
            return Ok(());
        }
        let problem = format!("the build of qbo/node:{version} failed ({status}): {}", last.join(" / "));
        Err(Failure::new(Code::INTERNAL, problem, format!("run it by hand to see more: {script} {version}")))
    }
}
