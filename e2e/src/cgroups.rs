//! Control groups of containers whose Docker is gone, which a real host loses with its power (cgroups(7)).

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::wait;

/// Of version 1, a hierarchy for each controller is below.
const ROOT: &str = "/sys/fs/cgroup";
/// For what was killed to leave its groups.
const LEAVING: Duration = Duration::from_mins(1);

/// Removes the groups of these containers with all that are in them, as soon as no process is in those.
pub(crate) fn remove(containers: &[&str]) {
    wait::until("killed containers to leave their groups", LEAVING, || {
        let mut groups = Vec::new();
        find(Path::new(ROOT), containers, &mut groups);
        for group in &groups {
            remove_tree(group);
        }
        groups.is_empty().then_some(())
    });
}

/// Groups are named after their container, with something before and behind where systemd makes them.
fn find(below: &Path, containers: &[&str], groups: &mut Vec<PathBuf>) {
    for directory in directories(below) {
        let name = directory.file_name().unwrap_or_default().to_string_lossy();
        if containers.iter().any(|container| name.contains(container)) {
            groups.push(directory);
        } else {
            find(&directory, containers, groups);
        }
    }
}

/// The files in a group are the kernel's: they go with it, and only so. What was frozen in it is killed once it is thawed.
fn remove_tree(group: &Path) {
    let frozen = group.join("freezer.state");
    if frozen.exists() {
        // Whoever finds it still there tries again.
        let _ = std::fs::write(frozen, "THAWED");
    }
    for inner in directories(group) {
        remove_tree(&inner);
    }
    // Whoever finds it still there tries again.
    let _ = std::fs::remove_dir(group);
}

/// Those that are there; groups of others come and go meanwhile.
fn directories(of: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(of).into_iter().flatten().flatten();
    let directories = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    directories.map(|entry| entry.path()).collect()
}
