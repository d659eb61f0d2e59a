# shellcheck shell=bash
# Limits of the host that one node does not reach, but several do.

limits_file=/etc/sysctl.d/60-qbo.conf

# The key below fs.inotify, the least value, and why.
limits_wanted() {
	cat <<-'END'
		max_user_instances 1024 every node's systemd, kubelet and containerd take some
		max_user_watches 1048576 kubelet watches a file for every volume, log and manifest
	END
}

limits_low() {
	local key wanted why value
	while read -r key wanted why; do
		value=$(<"/proc/sys/fs/inotify/$key")
		((value >= wanted)) || printf '%s %s %s %s\n' "$key" "$value" "$wanted" "$why"
	done < <(limits_wanted)
}

limits_plan() {
	local key value wanted why
	while read -r key value wanted why; do
		say "raise fs.inotify.$key from $value to $wanted, kept in $limits_file"
	done < <(limits_low)
}

limits_apply() {
	local low key value wanted why
	low=$(limits_low)
	mkdir -p "${limits_file%/*}"
	{
		say "# Written by qbo's setup.sh: several Kubernetes nodes on one host need more than the kernel's default."
		while read -r key value wanted why; do
			# A limit that was raised elsewhere, and higher, stays.
			value=$(<"/proc/sys/fs/inotify/$key")
			say "fs.inotify.$key = $((value > wanted ? value : wanted))"
		done < <(limits_wanted | sed 's/ / - /')
	} >"$limits_file"
	while read -r key value wanted why; do
		sysctl --quiet --write "fs.inotify.$key=$wanted"
		say "limits: fs.inotify.$key was $value and is $wanted now: $why"
	done <<<"$low"
}
