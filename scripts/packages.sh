# shellcheck shell=bash
# Debian packages: what the build, Docker and the node image need.

packages_wanted() {
	# For the build, and for the scripts themselves.
	printf '%s\n' ca-certificates curl gcc jq libc6-dev procps util-linux
	# What the tests need besides.
	[[ -z ${QBO_TEST_PACKAGES:-} ]] || tr ' ' '\n' <<<"$QBO_TEST_PACKAGES"
	# A daemon of another origin, as docker-ce or Docker Desktop, serves as well.
	if ! command -v dockerd >/dev/null && [[ ! -S $docker_socket ]]; then
		printf '%s\n' docker.io
	fi
	# A package of its own since Debian 13.
	if ! command -v docker >/dev/null && apt-cache show docker-cli >/dev/null 2>&1; then
		printf '%s\n' docker-cli
	fi
	if ! has_systemd; then
		printf '%s\n' cgroupfs-mount
	fi
	# docker.io stands in that list too, for those who only build the image.
	if image_needs_build; then
		grep -vE '^(#|docker\.io$|$)' "$repository/images/node/packages.txt"
	fi
}

packages_missing() {
	local wanted installed
	mapfile -t wanted < <(packages_wanted | sort -u)
	# dpkg-query fails if it knows one of them not at all; the others are printed nevertheless.
	installed=$(dpkg-query --show --showformat '${db:Status-Status} ${Package}\n' "${wanted[@]}" 2>/dev/null) || true
	comm -23 <(printf '%s\n' "${wanted[@]}") <(sed -n 's/^installed //p' <<<"$installed" | sort -u)
}

packages_plan() {
	if ! command -v apt-get >/dev/null; then
		packages_plan_elsewhere
		return
	fi
	local missing
	missing=$(packages_missing | paste -sd ' ')
	[[ -z $missing ]] || say "install Debian packages: $missing"
}

# Where packages have other names, the commands themselves are looked for.
packages_plan_elsewhere() {
	local command
	for command in cc curl docker jq sysctl; do
		command -v "$command" >/dev/null || say "have the command $command, which you install: this is no Debian"
	done
}

# Whether a registry answers decides what else is needed, and only curl can ask: so it comes before the plan, by itself.
packages_bootstrap() {
	((EUID == 0)) && ! command -v curl >/dev/null && command -v apt-get >/dev/null || return 0
	say "First: install Debian packages: ca-certificates curl (to ask whether a registry of node images answers)"
	apt_get update
	apt_get install --yes --no-install-recommends ca-certificates curl
}

packages_apply() {
	command -v apt-get >/dev/null || fail "install those commands with your distribution's packages, then run this again"
	local missing
	mapfile -t missing < <(packages_missing)
	apt_get update
	apt_get install --yes --no-install-recommends "${missing[@]}"
}

apt_get() {
	local log=$log_directory/apt.log
	mkdir -p "$log_directory"
	DEBIAN_FRONTEND=noninteractive apt-get -qq "$@" >"$log" 2>&1 </dev/null ||
		{ cat "$log" >&2 && fail "apt-get $1 failed"; }
}
