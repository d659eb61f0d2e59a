//! What containers use, and the pods in them: the kernel counts it by control groups (`cgroups(7)`), whose files anybody may
//! read. Nothing is asked of Docker or of a kubelet, which would count the same less often.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;

/// Reads what containers used.
#[async_trait]
pub trait Meter: Send + Sync {
    /// What a container used, and the pods in it; none where it ended meanwhile. `process` is the id of its first process.
    async fn read(&self, container: &str, process: u32) -> Result<Option<Reading>, MeterError>;
}

/// What a container used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// All of it.
    pub container: Counters,
    /// The pods in it, by the uid that the kubelet knows them by.
    pub pods: Vec<(String, Counters)>,
}

/// What a control group used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counters {
    /// Time on processors since the group was made.
    pub cpu: Duration,
    /// Bytes now, without file caches that nobody used lately: the "working set" by which a kubelet evicts pods
    /// (Kubernetes, "Node-pressure Eviction"), and what `docker stats` shows.
    pub memory: u64,
}

/// Why it cannot be told what a container uses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MeterError {
    /// The process is another's: Docker runs elsewhere, or in another namespace.
    #[error("process {process} of container {container} is in no control group of that name here")]
    Elsewhere {
        /// The container's id.
        container: String,
        /// Its first process, as Docker says.
        process: u32,
    },
    /// A file cannot be read, or says something else.
    #[error("{0:?}: {1}")]
    Unreadable(PathBuf, String),
}

/// The control groups of this host, of version 1 or 2.
#[derive(Debug, Clone)]
pub struct ControlGroups {
    /// `/`, or in tests another directory.
    root: PathBuf,
}

/// How a hierarchy of control groups counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Version {
    /// `Documentation/admin-guide/cgroup-v1/{cpuacct,memory}.rst` of the kernel.
    One,
    /// `Documentation/admin-guide/cgroup-v2.rst`
    Two,
}

/// A control group in one hierarchy.
#[derive(Debug)]
struct Group {
    version: Version,
    directory: PathBuf,
}

impl Default for ControlGroups {
    fn default() -> Self {
        Self { root: "/".into() }
    }
}

#[async_trait]
impl Meter for ControlGroups {
    async fn read(&self, container: &str, process: u32) -> Result<Option<Reading>, MeterError> {
        let (groups, container) = (self.clone(), container.to_owned());
        // It takes less than a millisecond, but of files.
        let read = tokio::task::spawn_blocking(move || groups.read_now(&container, process));
        read.await.unwrap_or_else(|error| Err(MeterError::Unreadable(PathBuf::new(), error.to_string())))
    }
}

impl ControlGroups {
    fn read_now(&self, container: &str, process: u32) -> Result<Option<Reading>, MeterError> {
        let Some(memberships) = text(&self.root.join(format!("proc/{process}/cgroup")))? else { return Ok(None) };
        let elsewhere = || MeterError::Elsewhere { container: container.into(), process };
        let group = |controller| self.group(&memberships, controller, container).ok_or_else(elsewhere);
        let (cpu, memory) = (group("cpuacct")?, group("memory")?);
        let Some(own) = counters(&cpu, &memory, Path::new(""))? else { return Ok(None) };
        let mut found = Vec::new();
        find_pods(&memory.directory, Path::new(""), &mut found)?;
        let mut pods = Vec::with_capacity(found.len());
        for (uid, place) in found {
            if let Some(counters) = counters(&cpu, &memory, &place)? {
                pods.push((uid, counters));
            }
        }
        Ok(Some(Reading { container: own, pods }))
    }

    /// The container's own group among those of its first process, which may be in one further below.
    fn group(&self, memberships: &str, controller: &str, container: &str) -> Option<Group> {
        let mut lines = memberships.lines().filter_map(|line| line.split_once(':')?.1.split_once(':'));
        let first = lines.clone().find(|(controllers, _)| controllers.split(',').any(|name| name == controller));
        let mount = self.root.join("sys/fs/cgroup");
        let (version, mount, path) = match first {
            Some((_, path)) => (Version::One, mount.join(controller), path),
            // Version 2 has one hierarchy for all controllers, and names none.
            None => (Version::Two, mount, lines.find(|(controllers, _)| controllers.is_empty())?.1),
        };
        let end = path.find(container)? + container.len();
        let end = path[end..].find('/').map_or(path.len(), |slash| end + slash);
        Some(Group { version, directory: mount.join(path[..end].trim_start_matches('/')) })
    }
}

/// What a group below both of these used; none where it is gone.
fn counters(cpu: &Group, memory: &Group, place: &Path) -> Result<Option<Counters>, MeterError> {
    let (cpu_directory, memory_directory) = (cpu.directory.join(place), memory.directory.join(place));
    let cpu = match cpu.version {
        Version::One => number(&cpu_directory.join("cpuacct.usage"), None)?.map(Duration::from_nanos),
        Version::Two => number(&cpu_directory.join("cpu.stat"), Some("usage_usec"))?.map(Duration::from_micros),
    };
    let (total, caches) = match memory.version {
        Version::One => ("memory.usage_in_bytes", "total_inactive_file"),
        Version::Two => ("memory.current", "inactive_file"),
    };
    let total = number(&memory_directory.join(total), None)?;
    let caches = number(&memory_directory.join("memory.stat"), Some(caches))?;
    let (Some(cpu), Some(total), Some(caches)) = (cpu, total, caches) else { return Ok(None) };
    Ok(Some(Counters { cpu, memory: total.saturating_sub(caches) }))
}

/// What names of groups have in them that a kubelet keeps pods in: its own, and those of the classes of service.
const GROUPS: [&str; 3] = ["kube", "burstable", "besteffort"];

/// Finds the groups of pods below `top`, wherever the kubelet's cgroup driver keeps them: the uids of the pods, and the
/// places of their groups.
fn find_pods(top: &Path, place: &Path, found: &mut Vec<(String, PathBuf)>) -> Result<(), MeterError> {
    let directory = top.join(place);
    let entries = match fs::read_dir(&directory) {
        Ok(entries) => entries,
        Err(error) if is_gone(&error) => return Ok(()),
        Err(error) => return Err(MeterError::Unreadable(directory, error.to_string())),
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let Some(name) = name.to_str() else { continue };
        if let Some(uid) = pod_uid(name) {
            found.push((uid, place.join(name)));
        } else if GROUPS.iter().any(|part| name.contains(part)) && entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            find_pods(top, &place.join(name), found)?;
        }
    }
    Ok(())
}

/// The uid in the name of a pod's group: `kubelet-kubepods-burstable-pod<uid with _ for ->.slice` of the driver systemd,
/// `pod<uid>` of the driver cgroupfs (`k8s.io/kubernetes/pkg/kubelet/cm`, `GetPodContainerName`).
fn pod_uid(name: &str) -> Option<String> {
    let uid = match name.strip_suffix(".slice") {
        Some(slice) => slice.rsplit_once("-pod")?.1,
        None => name.strip_prefix("pod")?,
    };
    Some(uid.replace('_', "-"))
}

/// A number that is all a file says, or what stands behind a word at the beginning of a line; none where the file is gone.
fn number(path: &Path, word: Option<&str>) -> Result<Option<u64>, MeterError> {
    let Some(text) = text(path)? else { return Ok(None) };
    let found = match word {
        None => Some(text.as_str()),
        Some(word) => text.lines().find_map(|line| line.strip_prefix(word)?.strip_prefix(' ')),
    };
    let absent = || MeterError::Unreadable(path.into(), format!("there is no number {}", word.unwrap_or("in it")));
    found.and_then(|text| text.trim().parse().ok()).map(Some).ok_or_else(absent)
}

/// A file; none where it is gone.
fn text(path: &Path) -> Result<Option<String>, MeterError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if is_gone(&error) => Ok(None),
        Err(error) => Err(MeterError::Unreadable(path.into(), error.to_string())),
    }
}

/// A group may go while its files are read, which say ENODEV then; those of a process say ESRCH.
fn is_gone(error: &io::Error) -> bool {
    const GONE: [i32; 2] = [rustix::io::Errno::NODEV.raw_os_error(), rustix::io::Errno::SRCH.raw_os_error()];
    error.kind() == ErrorKind::NotFound || error.raw_os_error().is_some_and(|number| GONE.contains(&number))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONTAINER: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    struct Host(tempfile::TempDir);

    impl Host {
        fn new(memberships: &str) -> Self {
            let host = Self(tempfile::tempdir().unwrap());
            host.write("proc/7/cgroup", memberships);
            host
        }

        fn write(&self, path: &str, text: &str) {
            let path = self.0.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }

        fn read(&self) -> Result<Option<Reading>, MeterError> {
            ControlGroups { root: self.0.path().into() }.read_now(CONTAINER, 7)
        }
    }

    fn counters(milliseconds: u64, memory: u64) -> Counters {
        Counters { cpu: Duration::from_millis(milliseconds), memory }
    }

    #[test]
    fn version_1() {
        let own = format!("/docker/{CONTAINER}");
        let host = Host::new(&format!("5:memory:{own}/init.scope\n4:cpu,cpuacct:{own}\n0::/\n"));
        for (below, cpu, memory) in [
            ("", 9000, 5000),
            ("/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-pod11_22.slice", 1000, 700),
            ("/kubelet/kubepods/burstable/pod33-44", 500, 300),
        ] {
            let file = |controller: &str, name: &str| format!("sys/fs/cgroup/{controller}{own}{below}/{name}");
            host.write(&file("cpuacct", "cpuacct.usage"), &format!("{cpu}000000\n"));
            host.write(&file("memory", "memory.usage_in_bytes"), &format!("{memory}\n"));
            host.write(&file("memory", "memory.stat"), "inactive_file 7\ntotal_inactive_file 100\n");
        }
        let mut reading = host.read().unwrap().unwrap();
        reading.pods.sort_by(|left, right| left.0.cmp(&right.0));
        assert_eq!(reading.container, counters(9000, 4900));
        assert_eq!(reading.pods, [("11-22".into(), counters(1000, 600)), ("33-44".into(), counters(500, 200))]);
    }

    #[test]
    fn version_2() {
        let scope = format!("system.slice/docker-{CONTAINER}.scope");
        let host = Host::new(&format!("0::/{scope}/init.scope\n"));
        let pod = "kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-besteffort.slice/\
                   kubelet-kubepods-besteffort-pod1_2.slice";
        for below in ["", pod] {
            let file = |name: &str| format!("sys/fs/cgroup/{scope}/{below}/{name}");
            host.write(&file("cpu.stat"), "usage_usec 2500000\nuser_usec 1\n");
            host.write(&file("memory.current"), "4096\n");
            host.write(&file("memory.stat"), "anon 1\ninactive_file 96\n");
        }
        let pods = vec![("1-2".into(), counters(2500, 4000))];
        assert_eq!(host.read(), Ok(Some(Reading { container: counters(2500, 4000), pods })));
    }

    #[test]
    fn what_ended_is_none() {
        let host = Host(tempfile::tempdir().unwrap());
        assert_eq!(host.read(), Ok(None), "the process ended");
        let host = Host::new(&format!("0::/docker/{CONTAINER}\n"));
        assert_eq!(host.read(), Ok(None), "the group is gone");
    }

    #[test]
    fn what_is_not_the_containers_is_told() {
        let host = Host::new("0::/user.slice\n");
        assert_eq!(host.read(), Err(MeterError::Elsewhere { container: CONTAINER.into(), process: 7 }));
        let host = Host::new(&format!("0::/docker/{CONTAINER}\n"));
        host.write(&format!("sys/fs/cgroup/docker/{CONTAINER}/cpu.stat"), "user_usec 1\n");
        let told = host.read().unwrap_err().to_string();
        assert!(told.ends_with("cpu.stat\": there is no number usage_usec"), "{told}");
    }
}
