//! The freezer of version 1 of cgroups. A signal does not end what is frozen there, and with it neither the container it is in. A node
//! leaves such a process behind where its runc is killed between freezing a pod's container and thawing it again, as all of a node's
//! processes are when it ends. With version 2 what is frozen ends all the same.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::time::Duration;

/// Where that version is mounted, alone or beside the other.
const ROOT: &str = "/sys/fs/cgroup/freezer";
const STATE: &str = "freezer.state";
const THAWED: &str = "THAWED";

/// How long the end of a container that was killed usually takes at most.
pub(super) const PATIENCE: Duration = Duration::from_secs(2);

/// How long it takes at most, on a host that has much to do.
pub(super) const END: Duration = Duration::from_secs(30);

/// Waits for a call to the engine that ends a container, after at most this long by force; what is frozen in it is thawed meanwhile.
pub(super) async fn thawing<T>(container: &str, grace: Duration, ending: impl Future<Output = T>) -> T {
    let mut ending = pin!(ending);
    let mut wait = grace + PATIENCE;
    // The call itself is not dropped: the engine would carry it out all the same.
    loop {
        if let Ok(ended) = tokio::time::timeout(wait, &mut ending).await {
            return ended;
        }
        wait = PATIENCE;
        thawed(container).await;
    }
}

/// Thaws what is frozen in a container; tells whether anything was.
pub(super) async fn thawed(container: &str) -> bool {
    thawed_where(container, |_| true).await
}

/// Thaws what was killed in a container and cannot end for being frozen; tells whether anything was. Nothing else is touched: somebody
/// may have paused it.
pub(super) async fn released(container: &str) -> bool {
    thawed_where(container, holds_killed).await
}

/// Whether something in a container was killed and cannot end for being frozen.
pub(super) async fn holds_back(container: &str) -> bool {
    let owned = container.to_owned();
    let found =
        tokio::task::spawn_blocking(move || frozen(Path::new(ROOT), &owned).iter().any(|group| holds_killed(group)));
    found.await.unwrap_or_default()
}

async fn thawed_where(container: &str, thaws: fn(&Path) -> bool) -> bool {
    let owned = container.to_owned();
    let count = tokio::task::spawn_blocking(move || thaw(Path::new(ROOT), &owned, thaws)).await.unwrap_or_default();
    if count > 0 {
        tracing::info!(container, count, "thawed what kept a container from its end");
    }
    count > 0
}

/// Whether a process of this group was killed and is still there.
fn holds_killed(group: &Path) -> bool {
    let processes = std::fs::read_to_string(group.join("cgroup.procs")).unwrap_or_default();
    processes.lines().any(|process| {
        // One that ended meanwhile is no hindrance.
        std::fs::read_to_string(format!("/proc/{process}/status")).is_ok_and(|status| is_killed(&status))
    })
}

/// Whether SIGKILL, the ninth signal, is among what a process or its first thread has yet to be told (`proc_pid_status(5)`).
fn is_killed(status: &str) -> bool {
    let pending =
        status.lines().filter_map(|line| line.strip_prefix("SigPnd:").or_else(|| line.strip_prefix("ShdPnd:")));
    pending.filter_map(|mask| u64::from_str_radix(mask.trim(), 16).ok()).any(|mask| mask & (1 << 8) != 0)
}

/// Thaws the groups of a container for which that holds, and tells how many of them were frozen.
fn thaw(root: &Path, container: &str, thaws: fn(&Path) -> bool) -> usize {
    let groups = frozen(root, container).into_iter().filter(|group| thaws(group));
    groups.filter(|group| std::fs::write(group.join(STATE), THAWED).is_ok()).count()
}

/// The groups of a container that are frozen.
fn frozen(root: &Path, container: &str) -> Vec<PathBuf> {
    // By Docker's own driver of cgroups, and by systemd's. Its first process would tell no more: one that ended already and waits
    // for the frozen ones is in no group any more.
    let places = [format!("docker/{container}"), format!("system.slice/docker-{container}.scope")];
    let mut groups: Vec<PathBuf> = places.iter().map(|place| root.join(place)).collect();
    let mut found = Vec::new();
    while let Some(group) = groups.pop() {
        // What is not there was never made, or has ended meanwhile.
        let Ok(entries) = std::fs::read_dir(&group) else { continue };
        let is_directory = |entry: &std::fs::DirEntry| entry.file_type().is_ok_and(|kind| kind.is_dir());
        groups.extend(entries.flatten().filter(is_directory).map(|entry| entry.path()));
        if std::fs::read_to_string(group.join(STATE)).is_ok_and(|state| state.trim() != THAWED) {
            found.push(group);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_frozen_in_a_container_is_thawed_and_nothing_else() {
        let root = tempfile::tempdir().unwrap();
        let file = |group: &str| root.path().join(group).join(STATE);
        let groups = [
            ("docker/1a2b", "THAWED\n"),
            ("docker/1a2b/kubelet.slice/pod/cri", "FROZEN\n"),
            ("docker/1a2b/system.slice", "FREEZING\n"),
            ("docker/other/kubelet.slice", "FROZEN\n"),
            ("system.slice/docker-1a2b.scope/pod", "FROZEN\n"),
        ];
        for (group, state) in groups {
            std::fs::create_dir_all(root.path().join(group)).unwrap();
            std::fs::write(file(group), state).unwrap();
        }
        let holds_killed = |group: &Path| group.ends_with("cri");
        assert_eq!(thaw(root.path(), "1a2b", holds_killed), 1);
        assert_eq!(thaw(root.path(), "1a2b", |_| true), 2);
        let states = groups.map(|(group, _)| std::fs::read_to_string(file(group)).unwrap().trim().to_owned());
        assert_eq!(states, [THAWED, THAWED, THAWED, "FROZEN", THAWED]);
        assert_eq!(["1a2b", "absent"].map(|container| thaw(root.path(), container, |_| true)), [0, 0]);
    }

    #[test]
    fn a_process_that_was_killed_and_is_there_has_yet_to_be_told() {
        let status = |own: &str, shared: &str| {
            format!("Name:\tetcd\nSigPnd:\t{own}\nShdPnd:\t{shared}\nSigBlk:\tffffffffffffffff\n")
        };
        let (none, terminated, killed) = ("0000000000000000", "0000000000004000", "0000000000000100");
        for (own, shared, expected) in [
            (none, none, false),
            (terminated, terminated, false),
            (killed, none, true),
            (none, "0000000000004100", true),
        ] {
            assert_eq!(is_killed(&status(own, shared)), expected, "{own} {shared}");
        }
        assert!(!holds_killed(Path::new("/absent")));
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_that_takes_long_is_awaited_all_the_same() {
        let ending = async {
            tokio::time::sleep(Duration::from_mins(1)).await;
            "ended"
        };
        assert_eq!(thawing("absent", Duration::from_secs(10), ending).await, "ended");
    }
}
