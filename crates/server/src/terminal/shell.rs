//! The containers of users' own shells: one for each user with a shell open, gone with the last of them.
//!
//! The API listens on loopback, which a container has of its own. So a socket of the host is put into it, over which the
//! API serves this one user; whoever listens on the container's loopback passes on what programs there say. Over the same
//! way kubectl gets to the clusters ([`super::tunnel`]), whose networks the container is on none of.

use std::collections::{HashMap, HashSet};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use qbo_api::message::Code;
use qbo_api::model::State;
use qbo_bootstrap::merged_kubeconfig;
use tokio::net::UnixListener;
use tokio::sync::mpsc;
use tokio_util::sync::{CancellationToken, DropGuard};
use uuid::Uuid;

use crate::access::User;
use crate::cluster::{LABEL_SHELL, LABEL_USER};
use crate::driver::engine::{Engine, EngineError, Labels};
use crate::driver::terminal::{NewShell, TerminalEngine};
use crate::error::Failure;
use crate::live::Live;
use crate::provision::Kubeconfigs;

/// The image of shells; `images/shell/build` moves the tag to the current one.
pub const IMAGE: &str = "qbo/shell:latest";

/// Where the container finds the API.
const SOCKET: &str = "api.sock";

/// Where programs in the container find the API, by way of its first process.
const PROXY: &str = "http://127.0.0.1:9601";

/// Of the user in the image, as its files have it.
const OWNER: u64 = 1000;

/// A socket over which the API serves one user.
#[derive(Debug)]
pub struct Socket {
    /// Whom.
    pub user: User,
    /// The socket.
    pub listener: UnixListener,
    /// Cancelled when it is to be closed.
    pub closing: CancellationToken,
}

/// All containers of shells.
pub struct Shells {
    engine: Arc<dyn Engine>,
    terminals: Arc<dyn TerminalEngine>,
    live: Arc<Live>,
    kubeconfigs: Kubeconfigs,
    directory: PathBuf,
    sockets: mpsc::UnboundedSender<Socket>,
    homes: Mutex<HashMap<String, Arc<tokio::sync::Mutex<Option<Home>>>>>,
    /// The names of containers that are there or about to be.
    names: Mutex<HashSet<String>>,
}

/// A user's container.
struct Home {
    name: String,
    container: String,
    /// Shells in it.
    shells: usize,
    /// Ends its socket, and who follows its user's clusters.
    _closing: DropGuard,
}

/// A shell's right to its container.
pub struct Stay {
    shells: Arc<Shells>,
    user: User,
    container: String,
}

impl Shells {
    /// No container yet; sockets are sent to whoever serves them.
    pub fn new(
        engine: Arc<dyn Engine>,
        terminals: Arc<dyn TerminalEngine>,
        live: Arc<Live>,
        state_directory: &Path,
    ) -> (Arc<Self>, mpsc::UnboundedReceiver<Socket>) {
        let (sockets, serving) = mpsc::unbounded_channel();
        let shells = Self {
            engine,
            terminals,
            live,
            kubeconfigs: Kubeconfigs::new(state_directory),
            // As the engine has to be told it.
            directory: state_directory.canonicalize().unwrap_or_else(|_| state_directory.into()).join("shell"),
            sockets,
            homes: Mutex::default(),
            names: Mutex::default(),
        };
        (Arc::new(shells), serving)
    }

    /// Has a user's container ready for one shell more.
    pub(crate) async fn enter(self: &Arc<Self>, user: &User) -> Result<Stay, Failure> {
        let place = Arc::clone(lock(&self.homes).entry(user.email.clone()).or_default());
        let mut place = place.lock().await;
        if let Some(home) = &mut *place
            && !self.is_running(&home.container).await?
        {
            // Somebody else removed it; its shells learn that by themselves.
            home.shells = 0;
            self.remove(place.take()).await;
        }
        let home = match &mut *place {
            Some(home) => home,
            None => place.insert(self.make(user).await?),
        };
        home.shells += 1;
        Ok(Stay { shells: Arc::clone(self), user: user.clone(), container: home.container.clone() })
    }

    /// Whether a container is one of those in use.
    pub(crate) fn holds(&self, name: &str) -> bool {
        lock(&self.names).contains(name)
    }

    /// Removes the directories that an earlier server left.
    pub(crate) fn tidy(&self) {
        // Under the lock, so that none is made meanwhile.
        let names = lock(&self.names);
        if names.is_empty()
            && let Err(error) = std::fs::remove_dir_all(&self.directory)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(%error, directory = %self.directory.display(), "it is left");
        }
    }

    async fn is_running(&self, container: &str) -> Result<bool, EngineError> {
        let containers = self.engine.containers(LABEL_SHELL).await?;
        Ok(containers.iter().any(|found| found.id == container && found.running))
    }

    async fn make(self: &Arc<Self>, user: &User) -> Result<Home, Failure> {
        if self.engine.image(IMAGE).await?.is_none() {
            let problem = format!("the image of shells, {IMAGE}, is not there");
            return Err(Failure::new(Code::NOT_FOUND, problem, "build it: qbo add image qbo/shell"));
        }
        let name = format!("qbo-shell-{}", &Uuid::new_v4().simple().to_string()[..8]);
        lock(&self.names).insert(name.clone());
        let made = self.make_named(user, &name).await;
        if made.is_err() {
            self.forget(&name).await;
        }
        made
    }

    async fn make_named(self: &Arc<Self>, user: &User, name: &str) -> Result<Home, Failure> {
        let directory = self.directory.join(name);
        let closing = CancellationToken::new();
        let guard = closing.clone().drop_guard();
        let listener = listen(&self.directory, &directory).map_err(|error| {
            let problem = format!("the socket {} cannot be made: {error}", directory.join(SOCKET).display());
            Failure::new(Code::INTERNAL, problem, "give qbo-api a directory it may write to: --state-directory")
        })?;
        let socket = Socket { user: user.clone(), listener, closing: closing.clone() };
        if self.sockets.send(socket).is_err() {
            return Err(Failure::new(Code::UNAVAILABLE, "the server is stopping", ""));
        }
        let labels = Labels::from([(LABEL_USER.into(), user.email.clone()), (LABEL_SHELL.into(), String::new())]);
        let shell = NewShell { name: name.into(), image: IMAGE.into(), labels, directory };
        let container = self.terminals.create_shell(&shell).await?;
        // What changes from here on is seen below.
        let moves = self.live.moves();
        let known = self.tell_clusters(user, &container, None).await?;
        let (shells, user, followed) = (Arc::clone(self), user.clone(), container.clone());
        tokio::spawn(async move {
            closing.run_until_cancelled(shells.follow(user, followed, known, moves)).await;
        });
        Ok(Home { name: name.into(), container, shells: 0, _closing: guard })
    }

    /// Keeps the kubeconfig in a container true.
    async fn follow(
        self: Arc<Self>,
        user: User,
        container: String,
        mut known: Vec<String>,
        mut moves: tokio::sync::watch::Receiver<u64>,
    ) {
        while moves.changed().await.is_ok() {
            match self.tell_clusters(&user, &container, Some(&known)).await {
                Ok(kubeconfigs) => known = kubeconfigs,
                Err(failure) => tracing::debug!(%failure, "the kubeconfig of a shell is told with the next change"),
            }
        }
    }

    /// Tells a container of its user's clusters, where their kubeconfigs are others than those it knows: also the same
    /// cluster may be reached another way one day.
    async fn tell_clusters(
        &self,
        user: &User,
        container: &str,
        known: Option<&[String]>,
    ) -> Result<Vec<String>, Failure> {
        let is_there = |state: State| !matches!(state, State::Creating | State::Deleting | State::Deleted);
        let rows = self.live.glance(&user.email).cluster_rows();
        let mut kubeconfigs = Vec::new();
        for cluster in rows.into_iter().filter(|row| is_there(row.state)) {
            // One that was never complete has none.
            if let Ok(text) = tokio::fs::read_to_string(self.kubeconfigs.path(&cluster.name)).await {
                kubeconfigs.push(text);
            }
        }
        if known == Some(kubeconfigs.as_slice()) {
            return Ok(kubeconfigs);
        }
        let merged = merged_kubeconfig(&kubeconfigs, PROXY)
            .map_err(|error| Failure::new(Code::INTERNAL, format!("a kubeconfig cannot be read: {error}"), ""))?;
        let archive = archive("home/qbo/.kube/qbo", merged.as_bytes());
        let archive = archive.map_err(|error| Failure::new(Code::INTERNAL, error.to_string(), ""))?;
        self.engine.put_archive(container, archive).await?;
        Ok(kubeconfigs)
    }

    async fn leave(&self, user: &User, container: &str) {
        let Some(place) = lock(&self.homes).get(&user.email).map(Arc::clone) else { return };
        let mut place = place.lock().await;
        // It may be of another container by now.
        let Some(home) = place.as_mut().filter(|home| home.container == container) else { return };
        home.shells = home.shells.saturating_sub(1);
        if home.shells == 0 {
            self.remove(place.take()).await;
        }
    }

    async fn remove(&self, home: Option<Home>) {
        let Some(home) = home else { return };
        let name = home.name.clone();
        drop(home);
        self.forget(&name).await;
    }

    /// Removes a container and its directory. What cannot be removed now is the clean-up's.
    async fn forget(&self, name: &str) {
        if let Err(error) = self.engine.remove_container(name).await {
            tracing::warn!(%error, "the container of a shell is left");
        }
        let mut names = lock(&self.names);
        let directory = self.directory.join(name);
        if let Err(error) = std::fs::remove_dir_all(&directory)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(%error, directory = %directory.display(), "it is left");
        }
        names.remove(name);
        if names.is_empty() {
            // With others' directories in it, it stays.
            let _ = std::fs::remove_dir(&self.directory);
        }
    }
}

impl Stay {
    /// The container.
    pub(crate) fn container(&self) -> &str {
        &self.container
    }

    /// The shell has ended.
    pub(crate) async fn leave(&self) {
        self.shells.leave(&self.user, &self.container).await;
    }
}

/// A socket that only containers get to which are given its directory: the one above is its owner's alone.
fn listen(above: &Path, directory: &Path) -> io::Result<UnixListener> {
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(above)?;
    std::fs::DirBuilder::new().create(directory)?;
    std::fs::set_permissions(directory, std::fs::Permissions::from_mode(0o755))?;
    let path = directory.join(SOCKET);
    let listener = UnixListener::bind(&path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o666))?;
    Ok(listener)
}

/// A tar archive of one file of the shell's user.
fn archive(path: &str, contents: &[u8]) -> io::Result<Vec<u8>> {
    let mut archive = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(contents.len() as u64);
    header.set_mode(0o600);
    header.set_uid(OWNER);
    header.set_gid(OWNER);
    header.set_cksum();
    archive.append_data(&mut header, path, contents)?;
    archive.into_inner()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
