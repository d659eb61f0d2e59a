#!/bin/bash
# Sets up this host and makes a Kubernetes cluster on it.
#
# The order of the steps is the order below; each is a file in scripts/ with what it would change (NAME_plan) and the
# change itself (NAME_apply).
set -euo pipefail

original_path=$PATH
. "$(dirname "${BASH_SOURCE[0]}")/scripts/lib.sh"
. "$repository/scripts/packages.sh"
. "$repository/scripts/toolchains.sh"
. "$repository/scripts/limits.sh"
. "$repository/scripts/cgroups.sh"
. "$repository/scripts/build.sh"
. "$repository/scripts/runtime.sh"
. "$repository/scripts/docker.sh"
. "$repository/scripts/image.sh"
. "$repository/scripts/api.sh"
. "$repository/scripts/cluster.sh"
. "$repository/scripts/kubectl.sh"

# These change what belongs to the host; the others any user can do who may use Docker.
host_steps=(packages toolchains limits cgroups runtime docker)
qbo_steps=(build image api)

usage() {
	cat <<-'END'
		Usage: ./setup.sh [--host-only | --no-cluster] [--help]

		Sets up this host for qbo and makes a cluster of three nodes, named alex. Says first what it will
		change, asks nothing, and does nothing twice. Run it as root; another user is told what is missing.

		  --host-only   only packages, tool chains, limits of the host and Docker
		  --no-cluster  everything but the cluster
		  --help        this text
	END
}

# plan STEP…: prints what the steps would change.
plan() {
	local step
	for step in "$@"; do
		"${step}_plan"
	done
}

bullets() {
	local line
	while read -r line; do
		say "  - $line"
	done <<<"$1"
}

show_plan() {
	local changes
	changes=$(plan "$@")
	if [[ -z $changes ]]; then
		say "Nothing to change on this host."
	else
		say "This will:"
		bullets "$changes"
	fi
}

# A step that has nothing to change is not run, but for the image, whose build knows best.
apply() {
	local step
	for step in "$@"; do
		if [[ $step == image || -n $("${step}_plan") ]]; then
			"${step}_apply"
		fi
		# Whether an image is there, a daemon just started can tell.
		[[ $step != docker ]] || image_decide
	done
}

# Somebody without root's rights goes on where nothing is missing, and is told what else.
require_prepared_host() {
	local missing
	missing=$(plan "${host_steps[@]}")
	[[ -n $missing ]] || return 0
	say "Only root can:"
	bullets "$missing"
	say "All of it, as root: $repository/setup.sh --host-only" ""
	toolchains_require
	if command -v cc >/dev/null; then
		build_apply
		qbo test host || true
	fi
	exit 1
}

show_result() {
	qbo get nodes "$cluster_name" --output table
	cat <<-END

		The API listens at http://127.0.0.1:9601/qbo (WebSocket).
		The cluster's kubeconfig: $HOME/.qbo/$cluster_name.conf

		Next:
		  kubectl --kubeconfig $HOME/.qbo/$cluster_name.conf get nodes
		  qbo get cluster $cluster_name
		  qbo delete cluster $cluster_name
		  $repository/scripts/stop.sh    ends what this started on the host
	END
	[[ :$original_path: == *:$binary_directory:* ]] || say "Add $binary_directory to your PATH to find qbo."
}

steps=("${host_steps[@]}" "${qbo_steps[@]}" cluster kubectl)
case ${1:-} in
'') ;;
--host-only) steps=("${host_steps[@]}") ;;
--no-cluster) steps=("${host_steps[@]}" "${qbo_steps[@]}") ;;
--help | -h)
	usage
	exit
	;;
*)
	usage >&2
	exit 2
	;;
esac
(($# < 2)) || { usage >&2 && exit 2; }

# Two at once would disturb each other; starting a daemon closes 9.
mkdir -p "$run_directory"
exec 9>"$run_directory/setup.lock"
flock --nonblock 9 || fail "another setup.sh is at work"

packages_bootstrap
image_decide
if ((EUID != 0)); then
	require_prepared_host
fi
toolchains_require
show_plan "${steps[@]}"
apply "${steps[@]}"
[[ " ${steps[*]} " != *" cluster "* ]] || show_result
