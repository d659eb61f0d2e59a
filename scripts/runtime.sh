# shellcheck shell=bash
# Docker's runtime on hosts that lack a capability: without it no privileged container starts, and so no node.

docker_configuration=/etc/docker/daemon.json
runtime_name=qbo
runtime_directory=/usr/local/lib/qbo

# Whether the daemon, and so every container, lacks a capability that the kernel has.
capabilities_lack() {
	local process mask last
	process=$(docker_process) || process=self
	mask=$(sed -n 's/^CapBnd:\t*//p' "/proc/$process/status")
	last=$(</proc/sys/kernel/cap_last_cap)
	((~0x$mask & ((1 << (last + 1)) - 1)))
}

runtime_configured() {
	jq --exit-status --arg name "$runtime_name" --arg path "$runtime_directory/qbo-runc" \
		'.["default-runtime"] == $name and .runtimes[$name].path == $path' "$docker_configuration" >/dev/null 2>&1
}

# Whether the daemon that answers has taken the runtime over.
runtime_active() {
	[[ $(docker info --format '{{.DefaultRuntime}}' 2>/dev/null) == "$runtime_name" ]]
}

runtime_plan() {
	capabilities_lack || return 0
	# One that is there serves whoever cannot replace it.
	if ((EUID == 0)) || [[ ! -x $runtime_directory/qbo-runc ]]; then
		build_plan_of qbo-runc "$runtime_directory"
	fi
	runtime_configured ||
		say "make $runtime_directory/qbo-runc Docker's default runtime ($docker_configuration): a capability is missing here"
}

# Before the daemon's start.
runtime_apply() {
	build qbo-runc qbo-runtime
	install_binary "$(build_output qbo-runc)" "$runtime_directory"
	runtime_configured || runtime_configure
}

runtime_configure() {
	local merged
	mkdir -p "${docker_configuration%/*}"
	if [[ -s $docker_configuration ]]; then
		local other
		other=$(jq --raw-output '.["default-runtime"] // empty' "$docker_configuration") ||
			fail "$docker_configuration is not JSON; correct it, then run this again"
		[[ -z $other || $other == "$runtime_name" || $other == runc ]] ||
			fail "Docker's default runtime is $other ($docker_configuration), but privileged containers need $runtime_directory/qbo-runc here"
		cp --preserve "$docker_configuration" "$docker_configuration.before-qbo"
		say "runtime: the old $docker_configuration is kept as $docker_configuration.before-qbo"
	fi
	merged=$({ cat "$docker_configuration" 2>/dev/null || say '{}'; } | jq --slurp --tab \
		--arg name "$runtime_name" --arg path "$runtime_directory/qbo-runc" \
		'(.[0] // {}) * {runtimes: {($name): {path: $path}}, "default-runtime": $name}')
	say "$merged" >"$docker_configuration.new"
	mv "$docker_configuration.new" "$docker_configuration"
	say "runtime: qbo-runc leaves out capabilities this host lacks, for privileged containers do not start with them"

	# A running daemon reads both keys anew at this signal; no container notices.
	local process
	if process=$(docker_process); then
		kill -HUP "$process"
		wait_for "Docker to read $docker_configuration" 10 runtime_active
	fi
}
