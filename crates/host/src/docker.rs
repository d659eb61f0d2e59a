//! The Docker daemon: reachable, recent, and with a storage driver that shares layers?

mod http;

use crate::Check;
use serde::Deserialize;
use std::collections::HashMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The daemon answers `/info` within a second unless it is in trouble.
const PATIENCE: Duration = Duration::from_secs(10);

/// The oldest Engine API that qbo speaks, that of Docker 20.10.
const OLDEST: (u32, u32) = (1, 41);

/// Drivers that share layers between containers: the classic one, and its name in containerd's image store.
const SHARING: &[&str] = &["overlay2", "overlayfs"];

/// What the checks need to know of a daemon.
pub(crate) struct Facts {
    version: String,
    api_version: String,
    driver: String,
    pub(crate) root: PathBuf,
    pub(crate) default_runtime: Option<PathBuf>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Version {
    version: String,
    api_version: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Info {
    driver: String,
    docker_root_dir: PathBuf,
    #[serde(default)]
    default_runtime: String,
    #[serde(default)]
    runtimes: HashMap<String, Runtime>,
}

#[derive(Deserialize)]
struct Runtime {
    /// Absent for runtimes that are named by their containerd shim.
    path: Option<PathBuf>,
}

pub(crate) fn ask(socket: &Path) -> Result<Facts, http::Error> {
    let version: Version = http::get(socket, "/version", PATIENCE)?;
    let mut info: Info = http::get(socket, "/info", PATIENCE)?;
    Ok(Facts {
        version: version.version,
        api_version: version.api_version,
        driver: info.driver,
        root: info.docker_root_dir,
        default_runtime: info.runtimes.remove(&info.default_runtime).and_then(|runtime| runtime.path),
    })
}

pub(crate) fn check(docker: &Result<Facts, http::Error>, socket: &Path) -> Vec<Check> {
    match docker {
        Ok(facts) => vec![version(facts), storage(facts)],
        Err(error) => vec![unreachable(error, socket)],
    }
}

fn unreachable(error: &http::Error, socket: &Path) -> Check {
    let cure = match error.kind() {
        Some(ErrorKind::NotFound) => "run ./setup.sh as root, or install Docker and start it",
        Some(ErrorKind::PermissionDenied) => {
            "as root: usermod --append --groups docker <you>, then log in again; or run qbo as root"
        }
        Some(ErrorKind::ConnectionRefused) => "start Docker: systemctl start docker, or ./setup.sh as root",
        _ => "look into the Docker daemon's log: journalctl --unit docker, or /var/log/qbo/dockerd.log",
    };
    Check::bad("Docker", format!("no answer at {}: {error}", socket.display()), cure)
}

fn version(facts: &Facts) -> Check {
    let found = format!("{}, API {}", facts.version, facts.api_version);
    let recent = facts
        .api_version
        .split_once('.')
        .and_then(|(major, minor)| Some((major.parse().ok()?, minor.parse().ok()?)))
        .is_some_and(|version: (u32, u32)| version >= OLDEST);
    if recent {
        return Check::good("Docker", found);
    }
    Check::bad("Docker", found, "install Docker 20.10 or newer: qbo speaks API 1.41 and newer")
}

fn storage(facts: &Facts) -> Check {
    if SHARING.contains(&facts.driver.as_str()) {
        return Check::good("Docker storage", &facts.driver);
    }
    Check::warning(
        "Docker storage",
        &facts.driver,
        "let Docker use overlay2 (storage-driver in /etc/docker/daemon.json): nodes then share the image's files",
    )
}

#[cfg(test)]
mod tests {
    use super::{Facts, check, unreachable};
    use crate::Level;
    use crate::docker::http::Error;
    use std::io;
    use std::path::Path;

    fn judged(api_version: &str, driver: &str) -> Vec<Level> {
        let facts = Facts {
            version: "x".into(),
            api_version: api_version.into(),
            driver: driver.into(),
            root: "/docker".into(),
            default_runtime: None,
        };
        check(&Ok(facts), Path::new("/docker.sock")).iter().map(|check| check.level).collect()
    }

    #[test]
    fn versions_and_drivers() {
        assert_eq!(judged("1.41", "overlay2"), [Level::Good, Level::Good]);
        assert_eq!(judged("1.52", "overlayfs"), [Level::Good, Level::Good]);
        assert_eq!(judged("2.0", "vfs"), [Level::Good, Level::Warning]);
        assert_eq!(judged("1.40", "btrfs"), [Level::Bad, Level::Warning]);
        assert_eq!(judged("new", "overlay2"), [Level::Bad, Level::Good]);
    }

    #[test]
    fn a_user_without_permission_is_told_how_to_get_it() {
        let denied = Error::Connect(io::ErrorKind::PermissionDenied.into());
        let check = unreachable(&denied, Path::new("/docker.sock"));
        assert_eq!(check.level, Level::Bad);
        assert!(check.cure.unwrap().contains("--groups docker"));
    }
}
