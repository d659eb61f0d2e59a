//! Which capabilities a process, and so every container started by it, can never have.

/// Names by bit, from `include/uapi/linux/capability.h`.
const NAMES: [&str; 41] = [
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_DAC_READ_SEARCH",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETPCAP",
    "CAP_LINUX_IMMUTABLE",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_BROADCAST",
    "CAP_NET_ADMIN",
    "CAP_NET_RAW",
    "CAP_IPC_LOCK",
    "CAP_IPC_OWNER",
    "CAP_SYS_MODULE",
    "CAP_SYS_RAWIO",
    "CAP_SYS_CHROOT",
    "CAP_SYS_PTRACE",
    "CAP_SYS_PACCT",
    "CAP_SYS_ADMIN",
    "CAP_SYS_BOOT",
    "CAP_SYS_NICE",
    "CAP_SYS_RESOURCE",
    "CAP_SYS_TIME",
    "CAP_SYS_TTY_CONFIG",
    "CAP_MKNOD",
    "CAP_LEASE",
    "CAP_AUDIT_WRITE",
    "CAP_AUDIT_CONTROL",
    "CAP_SETFCAP",
    "CAP_MAC_OVERRIDE",
    "CAP_MAC_ADMIN",
    "CAP_SYSLOG",
    "CAP_WAKE_ALARM",
    "CAP_BLOCK_SUSPEND",
    "CAP_AUDIT_READ",
    "CAP_PERFMON",
    "CAP_BPF",
    "CAP_CHECKPOINT_RESTORE",
];

/// The capabilities the kernel knows, but the bounding set of a process lacks.
///
/// `status` is the text of its `/proc/<id>/status`, `last` that of `/proc/sys/kernel/cap_last_cap`. Text without
/// a bounding set yields none: whoever asks for a capability then hears it from the kernel.
pub fn missing(status: &str, last: &str) -> Vec<&'static str> {
    let Some(bounding) = status
        .lines()
        .find_map(|line| line.strip_prefix("CapBnd:"))
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
    else {
        return Vec::new();
    };
    let last = last.trim().parse().unwrap_or(NAMES.len() - 1);
    NAMES
        .iter()
        .enumerate()
        .filter(|(bit, _)| *bit <= last && bounding & (1 << bit) == 0)
        .map(|(_, name)| *name)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::missing;

    #[test]
    fn a_full_set_misses_nothing() {
        assert!(missing("Name:\tqbo-runc\nCapBnd:\t000001ffffffffff\n", "40\n").is_empty());
    }

    #[test]
    fn a_cleared_bit_is_missing() {
        let without = |mask: &str| missing(&format!("CapPrm:\t0000000000000000\nCapBnd:\t{mask}\n"), "40\n");
        assert_eq!(without("000001fffeffffff"), ["CAP_SYS_RESOURCE"]);
        assert_eq!(without("000000fffffffffe"), ["CAP_CHOWN", "CAP_CHECKPOINT_RESTORE"]);
    }

    #[test]
    fn what_the_kernel_does_not_know_is_not_missing() {
        assert!(missing("CapBnd:\t0000003fffffffff\n", "37\n").is_empty());
        assert_eq!(missing("CapBnd:\t0000003fffffffff\n", "38\n"), ["CAP_PERFMON"]);
    }

    #[test]
    fn bits_without_a_name_are_left_alone() {
        assert!(missing("CapBnd:\tffffffffffffffff\n", "63\n").is_empty());
    }

    #[test]
    fn a_text_without_a_bounding_set_misses_nothing() {
        assert!(missing("Name:\tqbo-runc\n", "40\n").is_empty());
        assert!(missing("CapBnd:\tnonsense\n", "40\n").is_empty());
    }
}
