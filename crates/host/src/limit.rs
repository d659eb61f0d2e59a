//! Limits that one node does not reach, but several do.

use crate::{Check, Host};

/// Each node's systemd, kubelet and containerd take a few; the kernel's default of 128 serves two nodes.
const INOTIFY_INSTANCES: u64 = 1024;

/// Watches of files: kubelet has one for every mounted volume, log and manifest.
const INOTIFY_WATCHES: u64 = 524_288;

/// etcd and the API server hold most, each a few thousand at the worst.
const OPEN_FILES: u64 = 16_384;

pub(crate) fn check(host: &Host) -> Vec<Check> {
    vec![
        inotify(host, "inotify instances", "max_user_instances", INOTIFY_INSTANCES),
        inotify(host, "inotify watches", "max_user_watches", INOTIFY_WATCHES),
        open_files(host),
    ]
}

fn inotify(host: &Host, name: &'static str, key: &str, wanted: u64) -> Check {
    match host.number(&format!("/proc/sys/fs/inotify/{key}")) {
        Some(limit) if limit >= wanted => Check::good(name, limit.to_string()),
        limit => Check::warning(
            name,
            limit.map_or_else(|| "unknown".into(), |limit| limit.to_string()),
            format!(
                "sysctl -w fs.inotify.{key}={wanted} as root, and the same in /etc/sysctl.d: several nodes need it"
            ),
        ),
    }
}

fn open_files(host: &Host) -> Check {
    let text = host.read(&format!("{}/limits", host.daemon())).unwrap_or_default();
    match hard_limit(&text, "Max open files") {
        Some(limit) if limit == "unlimited" || limit.parse().is_ok_and(|limit: u64| limit >= OPEN_FILES) => {
            Check::good("open files", limit)
        }
        limit => Check::warning(
            "open files",
            limit.unwrap_or("unknown"),
            format!("start Docker with a hard limit (ulimit -Hn, LimitNOFILE=) of at least {OPEN_FILES}"),
        ),
    }
}

/// The third column of `/proc/<id>/limits`; a name may hold spaces: `Max open files  1024  524288  files`.
fn hard_limit<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().find_map(|line| line.strip_prefix(name)?.split_whitespace().nth(1))
}

/// Docker turns it on when it starts, unless told not to.
pub(crate) fn forwarding(host: &Host, docker_runs: bool) -> Check {
    let name = "IPv4 forwarding";
    let cure = "sysctl -w net.ipv4.ip_forward=1 as root, and the same in /etc/sysctl.d";
    match host.number("/proc/sys/net/ipv4/ip_forward") {
        Some(1) => Check::good(name, "on"),
        _ if docker_runs => Check::bad(name, "off", cure),
        _ => Check::warning(name, "off", "starting Docker turns it on"),
    }
}

#[cfg(test)]
mod tests {
    use super::hard_limit;

    #[test]
    fn hard_limits_stand_in_the_third_column() {
        let text = "Limit                     Soft Limit           Hard Limit           Units     \n\
                    Max processes             unlimited            unlimited            processes \n\
                    Max open files            1024                 524288               files     \n";
        assert_eq!(hard_limit(text, "Max open files"), Some("524288"));
        assert_eq!(hard_limit(text, "Max processes"), Some("unlimited"));
        assert_eq!(hard_limit(text, "Max locked memory"), None);
    }
}
