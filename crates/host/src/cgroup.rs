//! Control groups: which version, and are the controllers there that Docker and kubelet use?

use crate::{Check, Host};

/// Controllers of version 2 without which kubelet does not start (`requiredCgroups` in its container manager).
const REQUIRED: &[&str] = &["cpu", "memory", "pids"];

/// Controllers of version 2 that only some workloads miss.
const WANTED: &[&str] = &["cpuset", "io"];

pub(crate) fn check(host: &Host) -> Check {
    let mounts = host.read("/proc/self/mounts").unwrap_or_default();
    let unified = mount_points(&mounts, "cgroup2").any(|(point, _)| point == "/sys/fs/cgroup");
    if unified { version_2(host) } else { version_1(host, &mounts) }
}

fn version_2(host: &Host) -> Check {
    let text = host.read("/sys/fs/cgroup/cgroup.controllers").unwrap_or_default();
    let present: Vec<&str> = text.split_whitespace().collect();
    let absent = |names: &[&'static str]| -> Vec<&'static str> {
        names.iter().copied().filter(|name| !present.contains(name)).collect()
    };

    let found = format!("version 2: {}", present.join(" "));
    let cure =
        |absent: &[&str]| format!("use a kernel (or delegate a group) with the controllers {}", absent.join(", "));
    match (absent(REQUIRED), absent(WANTED)) {
        (required, _) if !required.is_empty() => Check::bad("cgroups", found, cure(&required)),
        (_, wanted) if !wanted.is_empty() => Check::warning("cgroups", found, cure(&wanted)),
        _ => Check::good("cgroups", found),
    }
}

/// Inside a node kubelet finds each controller the kernel has, and stops at one without a mounted root.
fn version_1(host: &Host, mounts: &str) -> Check {
    let enabled = host.read("/proc/cgroups").unwrap_or_default();
    let mounted: Vec<&str> = mount_points(mounts, "cgroup").flat_map(|(_, options)| options.split(',')).collect();
    let absent: Vec<&str> = controllers(&enabled).filter(|name| !mounted.contains(name)).collect();

    if controllers(&enabled).next().is_none() {
        return Check::bad("cgroups", "none", "mount them: on Debian install the package cgroupfs-mount");
    }
    if !absent.is_empty() {
        return Check::bad(
            "cgroups",
            format!("version 1, not mounted: {}", absent.join(" ")),
            "install the package cgroupfs-mount, run cgroupfs-mount as root, then restart Docker",
        );
    }
    Check::good("cgroups", format!("version 1: {}", controllers(&enabled).collect::<Vec<_>>().join(" ")))
}

/// The enabled ones in the text of `/proc/cgroups`: name, hierarchy, number of groups, enabled.
fn controllers(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter(|line| !line.starts_with('#')).filter_map(|line| {
        let mut fields = line.split_whitespace();
        let name = fields.next()?;
        (fields.nth(2)? == "1").then_some(name)
    })
}

/// Mount points and options of a type of file system.
fn mount_points<'a>(mounts: &'a str, kind: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
    mounts.lines().filter_map(move |line| {
        let mut fields = line.split(' ').skip(1);
        let (point, found, options) = (fields.next()?, fields.next()?, fields.next()?);
        (found == kind).then_some((point, options))
    })
}

#[cfg(test)]
mod tests {
    use super::{controllers, mount_points};

    #[test]
    fn disabled_controllers_do_not_count() {
        let text = "#subsys_name\thierarchy\tnum_cgroups\tenabled\ncpu\t1\t3\t1\nmemory\t0\t1\t0\npids\t8\t1\t1\n";
        assert_eq!(controllers(text).collect::<Vec<_>>(), ["cpu", "pids"]);
    }

    #[test]
    fn mounts_by_type() {
        let text = "cgroup /sys/fs/cgroup/cpu,cpuacct cgroup rw,relatime,cpu,cpuacct 0 0\n\
                    cgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0\n";
        assert_eq!(
            mount_points(text, "cgroup").collect::<Vec<_>>(),
            [("/sys/fs/cgroup/cpu,cpuacct", "rw,relatime,cpu,cpuacct")]
        );
    }
}
