//! The list of servers: a file with one `address:port` a line, and the watch on it.

use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
use rustix::io::Errno;
use tokio::sync::mpsc::{Receiver, Sender, channel};

/// More than one cluster has control planes.
const LIMIT: usize = 64;

/// Why the servers are not known.
#[derive(Debug, thiserror::Error)]
pub enum ListError {
    /// The file's directory cannot be watched.
    #[error("{}: cannot watch it: {source}", path.display())]
    Watch {
        /// The directory.
        path: PathBuf,
        /// What the kernel says.
        source: std::io::Error,
    },
    /// The file cannot be read.
    #[error("{}: cannot read it: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the kernel says.
        source: std::io::Error,
    },
    /// A line is something else.
    #[error("{}: '{line}' is no address and port such as 192.0.2.1:6443", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line.
        line: String,
    },
    /// There are none or too many.
    #[error("{}: {count} servers, where 1 to {LIMIT} are possible", path.display())]
    Count {
        /// The file.
        path: PathBuf,
        /// How many there are.
        count: usize,
    },
}

/// The file, watched.
#[derive(Debug)]
pub(crate) struct List {
    path: PathBuf,
    directory: PathBuf,
    changes: Receiver<std::io::Result<()>>,
}

impl List {
    /// Watches the file's directory: files that are replaced are new ones.
    pub(crate) fn watch(path: &Path) -> Result<Self, ListError> {
        let directory = path.parent().unwrap_or(Path::new("/")).to_owned();
        let watch = || {
            let events = inotify::init(CreateFlags::CLOEXEC)?;
            // Whole files only: those closed by who wrote them, or moved here.
            inotify::add_watch(&events, &directory, WatchFlags::CLOSE_WRITE | WatchFlags::MOVED_TO)?;
            let (sender, changes) = channel(1);
            std::thread::Builder::new().name("list".to_owned()).spawn(move || tell(&events, &sender))?;
            Ok(changes)
        };
        let changes = watch().map_err(|source| ListError::Watch { path: directory.clone(), source })?;
        Ok(Self { path: path.to_owned(), directory, changes })
    }

    /// Waits until something in the directory was written. Dropping the future loses nothing.
    pub(crate) async fn changed(&mut self) -> Result<(), ListError> {
        let change = self.changes.recv().await.expect("the thread ends with an error or with this");
        change.map_err(|source| ListError::Watch { path: self.directory.clone(), source })
    }

    /// The servers as the file names them now.
    pub(crate) fn read(&self) -> Result<Vec<SocketAddr>, ListError> {
        let path = || self.path.clone();
        let text = std::fs::read_to_string(&self.path).map_err(|source| ListError::Read { path: path(), source })?;
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        let parse = |line: &str| line.parse().map_err(|_| ListError::Line { path: path(), line: line.to_owned() });
        let servers = lines.map(parse).collect::<Result<Vec<SocketAddr>, _>>()?;
        match servers.len() {
            1..=LIMIT => Ok(servers),
            count => Err(ListError::Count { path: path(), count }),
        }
    }
}

/// Tells of events as they come. What is said of other files costs one look at this one. A thread of its own: tokio takes
/// file descriptors other than its own sockets only as unsafe.
fn tell(events: &OwnedFd, changes: &Sender<std::io::Result<()>>) {
    let mut buffer = [0; 4096];
    loop {
        let change = match rustix::io::read(events, &mut buffer) {
            Ok(_) => Ok(()),
            Err(Errno::INTR) => continue,
            Err(error) => Err(error.into()),
        };
        let is_last = change.is_err();
        if changes.blocking_send(change).is_err() || is_last {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(text: &str) -> (tempfile::TempDir, Result<Vec<SocketAddr>, String>) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("balancer");
        std::fs::write(&path, text).unwrap();
        let read = List::watch(&path).unwrap().read().map_err(|error| {
            let message = error.to_string();
            message.split_once(": ").map(|(_, rest)| rest.to_owned()).unwrap_or(message)
        });
        (directory, read)
    }

    #[test]
    fn servers_of_both_families_are_read_line_by_line() {
        let (_directory, read) = list("172.20.0.10:6443\n\n [fd00::b]:6443 \r\n");
        let servers = read.unwrap();
        assert_eq!(servers, ["172.20.0.10:6443".parse().unwrap(), "[fd00::b]:6443".parse().unwrap()]);
    }

    #[test]
    fn what_is_no_list_of_servers_is_told() {
        for (text, message) in [
            ("172.20.0.10", "'172.20.0.10' is no address and port such as 192.0.2.1:6443"),
            ("a.example:6443", "'a.example:6443' is no address and port such as 192.0.2.1:6443"),
            ("\n", "0 servers, where 1 to 64 are possible"),
            (&"192.0.2.1:1\n".repeat(65), "65 servers, where 1 to 64 are possible"),
        ] {
            assert_eq!(list(text).1.unwrap_err(), message);
        }
    }

    #[test]
    fn a_directory_that_is_not_there_is_told() {
        let error = List::watch(Path::new("/nonexistent/balancer")).unwrap_err();
        assert_eq!(error.to_string(), "/nonexistent: cannot watch it: No such file or directory (os error 2)");
    }
}
