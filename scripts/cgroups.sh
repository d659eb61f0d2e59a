# shellcheck shell=bash
# Control groups of version 1, which nobody mounts where no systemd runs.

# Enabled controllers without a mount, in one line.
cgroups_missing() {
	! has_systemd && [[ -r /proc/cgroups ]] || return 0
	[[ $(stat --file-system --format %T /sys/fs/cgroup 2>/dev/null) != cgroup2fs ]] || return 0
	comm -23 \
		<(awk '!/^#/ && $4 == 1 { print $1 }' /proc/cgroups | sort) \
		<(awk '$3 == "cgroup" { print $4 }' /proc/self/mounts | tr , '\n' | sort -u) | paste -sd ' '
}

cgroups_plan() {
	local missing
	missing=$(cgroups_missing)
	[[ -z $missing ]] || say "mount the control groups $missing (cgroupfs-mount)"
}

cgroups_apply() {
	say "cgroups: mounting $(cgroups_missing): the nodes' kubelet stops at a controller without a mounted root"
	cgroupfs-mount
	local missing
	missing=$(cgroups_missing)
	[[ -z $missing ]] || fail "cgroupfs-mount did not mount the control groups $missing; a line in /etc/fstab may keep it from that"
}
