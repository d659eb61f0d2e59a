//! Which capabilities this process, and so every container started by it, can never have.

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

/// The capabilities outside the bounding set that `status`, the text of `/proc/self/status`, tells.
///
/// Text without a bounding set yields none: runc then decides for itself.
pub(crate) fn missing(status: &str) -> Vec<&'static str> {
    let Some(bounding) = status
        .lines()
        .find_map(|line| line.strip_prefix("CapBnd:"))
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
    else {
        return Vec::new();
    };
    NAMES.iter().enumerate().filter(|(bit, _)| bounding & (1 << bit) == 0).map(|(_, name)| *name).collect()
}

#[cfg(test)]
mod tests {
    use super::missing;

    #[test]
    fn a_full_set_misses_nothing() {
        assert!(missing("Name:\tqbo-runc\nCapBnd:\t000001ffffffffff\n").is_empty());
    }

    #[test]
    fn a_cleared_bit_is_missing() {
        assert_eq!(missing("CapPrm:\t0000000000000000\nCapBnd:\t000001fffeffffff\n"), ["CAP_SYS_RESOURCE"]);
        assert_eq!(missing("CapBnd:\t000000fffffffffe\n"), ["CAP_CHOWN", "CAP_CHECKPOINT_RESTORE"]);
    }

    #[test]
    fn bits_without_a_name_are_left_alone() {
        assert!(missing("CapBnd:\tffffffffffffffff\n").is_empty());
    }

    #[test]
    fn a_text_without_a_bounding_set_misses_nothing() {
        assert!(missing("Name:\tqbo-runc\n").is_empty());
        assert!(missing("CapBnd:\tnonsense\n").is_empty());
    }
}
