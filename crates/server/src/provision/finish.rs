//! The end of making a cluster: its mark in the control plane's container, and its kubeconfig for people.
//!
//! Docker's labels cannot change, so how far a cluster is stands in a file of its control plane: a cluster without
//! the mark was interrupted while it was made, and the next start of the server removes it.

use std::path::{Path, PathBuf};

use futures_util::future::join_all;
use qbo_api::message::Code;
use qbo_bootstrap::{Contents, NodeFile, tar, user_kubeconfig};

use super::context::{Context, Made};
use crate::cluster::{Found, FoundNode};
use crate::driver::engine::{Engine, EngineError};
use crate::error::Failure;

/// Where a control plane keeps the cluster's [`Mark`].
pub const STATE_PATH: &str = "/kind/qbo/state";
/// Where a control plane keeps the kubeconfig for people.
pub const USER_KUBECONFIG_PATH: &str = "/kind/qbo/kubeconfig";

/// How far a cluster is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// Complete.
    Ready,
    /// It failed, and is kept for looking.
    Retained,
    /// It is being deleted.
    Deleting,
    /// Of a single node: it is leaving its cluster.
    Leaving,
}

/// The directory of kubeconfigs, `~/.qbo`.
#[derive(Debug, Clone)]
pub struct Kubeconfigs {
    directory: PathBuf,
}

impl Mark {
    fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Retained => "retained",
            Self::Deleting => "deleting",
            Self::Leaving => "leaving",
        }
    }

    /// The mark a control plane bears; none where the cluster was never finished.
    pub async fn read(engine: &dyn Engine, control_plane: &str) -> Result<Option<Self>, EngineError> {
        Ok(engine.read_file(control_plane, STATE_PATH).await?.as_deref().and_then(Self::of))
    }

    /// The mark that a file at [`STATE_PATH`] tells of.
    pub fn of(text: &[u8]) -> Option<Self> {
        let marks = [Self::Ready, Self::Retained, Self::Deleting, Self::Leaving];
        marks.into_iter().find(|mark| mark.as_str().as_bytes() == text)
    }

    /// Puts the mark on a control plane.
    pub async fn write(self, engine: &dyn Engine, control_plane: &str) -> Result<(), EngineError> {
        engine.put_archive(control_plane, tar(&self.files())).await
    }

    fn files(self) -> Vec<NodeFile> {
        vec![
            NodeFile { path: "/kind/qbo".into(), mode: 0o755, contents: Contents::Directory },
            NodeFile { path: STATE_PATH.into(), mode: 0o644, contents: Contents::File(self.as_str().into()) },
        ]
    }
}

/// The mark of a whole cluster: any of its control planes may bear it, those aside that are leaving it.
pub async fn cluster_mark(engine: &dyn Engine, cluster: &Found) -> Result<Option<Mark>, EngineError> {
    let marks = marks(engine, cluster.control_planes()).await?;
    let order = [Mark::Deleting, Mark::Retained, Mark::Ready];
    Ok(order.into_iter().find(|mark| marks.iter().any(|(_, found)| *found == Some(*mark))))
}

/// Nodes with the marks they bear.
pub async fn marks<'a>(
    engine: &dyn Engine,
    nodes: impl Iterator<Item = &'a FoundNode>,
) -> Result<Vec<(&'a FoundNode, Option<Mark>)>, EngineError> {
    let marks = nodes.map(async |node| Ok((node, Mark::read(engine, &node.container.id).await?)));
    join_all(marks).await.into_iter().collect()
}

/// Whether a node of this mark never was finished after it was brought in, or is leaving.
pub fn is_left_over(node: &FoundNode, mark: Option<Mark>) -> bool {
    mark == Some(Mark::Leaving) || (node.is_joined() && mark.is_none())
}

impl Kubeconfigs {
    /// Kubeconfigs in this directory.
    pub fn new(directory: &Path) -> Self {
        Self { directory: directory.into() }
    }

    /// Where a cluster's kubeconfig is.
    pub fn path(&self, cluster: &str) -> PathBuf {
        self.directory.join(format!("{cluster}.conf"))
    }

    /// Writes a cluster's kubeconfig, readable for its owner alone, at once or not at all.
    pub async fn write(&self, cluster: &str, kubeconfig: String) -> Result<(), Failure> {
        let (directory, path) = (self.directory.clone(), self.path(cluster));
        let write = move || -> std::io::Result<()> {
            use std::io::Write as _;
            use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
            std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&directory)?;
            let mut file =
                tempfile::Builder::new().permissions(std::fs::Permissions::from_mode(0o600)).tempfile_in(&directory)?;
            file.write_all(kubeconfig.as_bytes())?;
            file.persist(&path)?;
            Ok(())
        };
        let written = tokio::task::spawn_blocking(write).await.map_err(|error| super::internal(&error))?;
        written.map_err(|error| self.failed("written", cluster, &error))
    }

    /// Removes a cluster's kubeconfig; one that is not there is no error.
    pub async fn remove(&self, cluster: &str) -> Result<(), Failure> {
        match tokio::fs::remove_file(self.path(cluster)).await {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(self.failed("removed", cluster, &error)),
            _ => Ok(()),
        }
    }

    fn failed(&self, verb: &str, cluster: &str, error: &std::io::Error) -> Failure {
        let path = self.path(cluster);
        let code = if error.kind() == std::io::ErrorKind::StorageFull { Code::NO_ROOM } else { Code::INTERNAL };
        let problem = format!("the kubeconfig {} cannot be {verb}: {error}", path.display());
        Failure::new(code, problem, "give qbo-api a directory it may write to: --state-directory")
    }
}

/// Writes the kubeconfig for people, and marks the cluster as complete.
pub(super) async fn finish(context: &Context, made: &mut Made) -> Result<(), Failure> {
    let kubeconfig = user_kubeconfig(made.plan(), made.pki());
    context.kubeconfigs.write(&context.identity.name, kubeconfig.clone()).await?;
    let files = complete_files(kubeconfig);
    context.checkpoint()?;
    // Each of several, for any may be gone one day.
    for container in &made.control_planes {
        context.engine.put_archive(container, tar(&files)).await?;
    }
    context.live.marked(&context.identity, Mark::Ready);
    Ok(())
}

/// Has every control plane of a complete cluster's beginning bear its mark, for any may be gone one day: whoever made it may have
/// been killed after the first of them.
pub async fn complete(engine: &dyn Engine, cluster: &Found) -> Result<(), EngineError> {
    let (marked, unmarked) = by_mark(engine, cluster).await?;
    let Some(first) = marked.first().filter(|_| !unmarked.is_empty()) else { return Ok(()) };
    let Some(kubeconfig) = engine.read_file(first, USER_KUBECONFIG_PATH).await? else { return Ok(()) };
    let files = complete_files(String::from_utf8_lossy(&kubeconfig).into_owned());
    for container in unmarked {
        engine.put_archive(container, tar(&files)).await?;
    }
    Ok(())
}

/// Whether a complete cluster has control planes of its beginning that do not bear its mark.
pub async fn is_half_marked(engine: &dyn Engine, cluster: &Found) -> Result<bool, EngineError> {
    let (marked, unmarked) = by_mark(engine, cluster).await?;
    Ok(!marked.is_empty() && !unmarked.is_empty())
}

/// The containers of a cluster's first control planes: those that bear the mark of a complete one, and those that bear none.
async fn by_mark<'a>(engine: &dyn Engine, cluster: &'a Found) -> Result<(Vec<&'a str>, Vec<&'a str>), EngineError> {
    let of_beginning: Vec<&FoundNode> = cluster.control_planes().filter(|node| !node.is_joined()).collect();
    // One that is alone is marked or not.
    let several = of_beginning.iter().copied().filter(|_| of_beginning.len() > 1);
    let marks = marks(engine, several).await?;
    let with = |mark: Option<Mark>| {
        let bearing = marks.iter().filter(move |(_, found)| *found == mark);
        bearing.map(|(node, _)| node.container.id.as_str()).collect()
    };
    Ok((with(Some(Mark::Ready)), with(None)))
}

/// What a control plane of a complete cluster bears.
pub(super) fn complete_files(kubeconfig: String) -> Vec<NodeFile> {
    let mut files = Mark::Ready.files();
    files.push(kubeconfig_file(kubeconfig));
    files
}

/// The kubeconfig for people, as a control plane keeps it.
pub(super) fn kubeconfig_file(kubeconfig: String) -> NodeFile {
    NodeFile { path: USER_KUBECONFIG_PATH.into(), mode: 0o600, contents: Contents::File(kubeconfig.into_bytes()) }
}

/// Takes back what [`finish`] did. The mark goes first: an undo that is interrupted leaves nothing that looks complete.
pub(super) async fn undo(context: &Context, made: &Made) -> Result<(), Failure> {
    let marked = mark(context, made, Mark::Deleting).await;
    context.kubeconfigs.remove(&context.identity.name).await.and(marked)
}

/// Marks an unfinished cluster, where it has control planes to bear the mark.
pub(super) async fn mark(context: &Context, made: &Made, mark: Mark) -> Result<(), Failure> {
    if made.control_planes.is_empty() {
        return Err(Failure::new(Code::NOT_FOUND, "no control plane was made", ""));
    }
    for container in &made.control_planes {
        mark.write(&*context.engine, container).await?;
    }
    context.live.marked(&context.identity, mark);
    Ok(())
}
