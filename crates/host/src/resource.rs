//! Memory and disk: enough for a cluster?

use crate::{Check, Host};
use std::path::Path;

const GIB: u64 = 1 << 30;

/// A control plane takes half a GiB, a worker an eighth, before anything runs on them.
const MEMORY: u64 = 2 * GIB;
const MEMORY_LEAST: u64 = GIB;

/// A node image takes 0.6 GiB once, a node's volume little until pods pull images.
const DISK: u64 = 5 * GIB;
const DISK_LEAST: u64 = 2 * GIB;

const DOCKER_ROOT: &str = "/var/lib/docker";

pub(crate) fn check(host: &Host, docker_root: Option<&Path>) -> [Check; 2] {
    [memory(host), disk(host, docker_root.unwrap_or(Path::new(DOCKER_ROOT)))]
}

fn memory(host: &Host) -> Check {
    let text = host.read("/proc/meminfo").unwrap_or_default();
    let Some(free) = available(&text) else {
        return Check::warning("memory", "unknown", "have 2 GiB free: three nodes without pods take 0.8 GiB");
    };
    let found = format!("{} free", gibibytes(free));
    let cure = "free some, or add fewer nodes: a control plane takes 0.5 GiB, a worker 0.12 GiB before any pod";
    match free {
        MEMORY.. => Check::good("memory", found),
        MEMORY_LEAST.. => Check::warning("memory", found, cure),
        _ => Check::bad("memory", found, cure),
    }
}

fn disk(host: &Host, root: &Path) -> Check {
    let free = match (host.free_space)(root) {
        Ok(free) => free,
        Err(error) => {
            return Check::warning(
                "disk",
                format!("cannot look at {}: {error}", root.display()),
                "have 5 GiB free where Docker keeps its data",
            );
        }
    };
    let found = format!("{} free in {}", gibibytes(free), root.display());
    let cure = "free some (docker system df tells what takes space), or move Docker's data-root to a larger disk";
    match free {
        DISK.. => Check::good("disk", found),
        DISK_LEAST.. => Check::warning("disk", found, cure),
        _ => Check::bad("disk", found, cure),
    }
}

/// `MemAvailable` of `/proc/meminfo`, in bytes.
fn available(text: &str) -> Option<u64> {
    let kibibytes: u64 =
        text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?.split_whitespace().next()?.parse().ok()?;
    Some(kibibytes * 1024)
}

fn gibibytes(bytes: u64) -> String {
    let tenths = bytes.saturating_mul(10) / GIB;
    format!("{}.{} GiB", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::{GIB, available, disk, gibibytes};
    use crate::{Host, Level};
    use std::io;
    use std::path::Path;

    #[test]
    fn available_memory_is_in_kibibytes() {
        assert_eq!(available("MemTotal: 100 kB\nMemAvailable:   2097152 kB\n"), Some(2 * GIB));
        assert_eq!(available("MemTotal: 100 kB\n"), None);
    }

    #[test]
    fn sizes_for_people() {
        assert_eq!(gibibytes(GIB / 2), "0.5 GiB");
        assert_eq!(gibibytes(24 * GIB - 1), "23.9 GiB");
        assert_eq!(gibibytes(u64::MAX), "1717986918.3 GiB");
    }

    #[test]
    fn disk_by_its_thresholds() {
        let judge = |free_space: fn(&Path) -> io::Result<u64>| {
            let mut host = Host::this();
            host.free_space = free_space;
            disk(&host, Path::new("/docker")).level
        };
        assert_eq!(judge(|_| Ok(5 * GIB)), Level::Good);
        assert_eq!(judge(|_| Ok(5 * GIB - 1)), Level::Warning);
        assert_eq!(judge(|_| Ok(2 * GIB - 1)), Level::Bad);
        assert_eq!(judge(|_| Err(io::ErrorKind::PermissionDenied.into())), Level::Warning);
    }

    #[test]
    fn free_space_where_docker_has_no_data_yet_is_that_of_the_nearest_directory() {
        let host = Host::this();
        assert!((host.free_space)(Path::new("/not/there/yet")).unwrap() > 0);
    }
}
