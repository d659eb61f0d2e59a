#!/bin/bash
# All tests: style, unit tests, and tests with real clusters on real Docker.
#
# Prepares the host as setup.sh does, builds the node image where it is not built yet, and ends the Docker daemon
# again if it was started here. As root, for clusters need it.
set -euo pipefail

. "$(dirname "${BASH_SOURCE[0]}")/scripts/lib.sh"
. "$repository/scripts/build.sh"
. "$repository/scripts/docker.sh"

usage() {
	cat <<-'END'
		Usage: ./test.sh [--no-clusters] [--help]

		Runs all tests. What the host lacks is set up first, as ./setup.sh --host-only does.

		  --no-clusters  only what needs no Docker: style, unit tests and the contract
		  --help         this text
	END
}

headline() {
	printf '\n== %s\n' "$*"
}

style() {
	headline "style"
	cargo fmt --all -- --check
	cargo clippy --quiet --workspace --all-targets --locked -- -D warnings
	# rustls with two providers panics at the first handshake; aws-lc-rs is the one.
	! cargo tree --locked --quiet --invert ring --edges normal,build --target all 2>/dev/null | grep . ||
		fail "the crate ring is in the tree: a dependency needs default-features = false"
	! cargo tree --locked --quiet --package qbo-cli --edges normal | grep schemars ||
		fail "the CLI carries schemas: only qbo-contract has qbo-api with its feature schema"
	# Scripts, and through them what they read in.
	git ls-files -z | xargs -0 grep -lzZE '^#!(/usr/bin/env |/bin/)(ba)?sh' | xargs -0 shellcheck --external-sources
}

unit() {
	headline "unit tests"
	# A registry for the driver to talk to.
	"$repository/e2e/fetch-program" bookworm docker-registry
	cargo test --quiet --workspace --exclude qbo-e2e --locked
}

contract() {
	headline "contract"
	"$repository/crates/contract/check/run"
}

console() {
	headline "console"
	"$repository/web/check"
}

# Removes what tests made that were killed, for it would be in the way: their servers have their state in directories with
# names of tests', and lock it no longer.
remove_left_overs() {
	local kind id state format='{{.ID}} {{.Label "io.qbo.server"}}'
	{
		docker ps --all --filter label=io.qbo.server --format "container $format"
		docker network ls --filter label=io.qbo.server --format "network $format"
	} | while read -r kind id state; do
		[[ $state == */.tmp??????/.qbo || $state == */qbo-console-??????/.qbo ]] || continue
		[[ ! -d $state ]] || flock --nonblock "$state/api.lock" true || continue
		case $kind in
		container) docker rm --force --volumes "$id" ;;
		network) docker network rm "$id" ;;
		esac || warn "$kind $id of a test that was killed is left"
	done
}

clusters() {
	headline "images"
	"$repository/images/node/build"
	"$repository/images/shell/build"
	headline "clusters"
	remove_left_overs
	build_balancer
	"$repository/web/build"
	cargo build --locked --package qbo-cli --package qbo-server --features qbo-server/console
	"$repository/e2e/fetch-program" forky kind
	cargo test --locked --package qbo-e2e --no-run
	# Clusters are waited for half of the time: what needs none of this Docker's uses what they leave.
	local log status=0 meanwhile
	log=$(mktemp)
	without_docker >"$log" 2>&1 &
	meanwhile=$!
	cargo test --locked --package qbo-e2e -- --test-threads=1 --skip failure:: || status=$?
	wait "$meanwhile" || status=$?
	cat "$log"
	rm "$log"
	((status == 0)) || return "$status"
	headline "console in a browser, with a cluster"
	"$repository/web/e2e/run" --cluster
}

# A browser with a server in memory, and tests with a Docker of their own; both to their end.
without_docker() {
	local status=0
	headline "console in a browser"
	nice "$repository/web/e2e/run" || status=$?
	headline "failures of a host"
	cargo test --locked --package qbo-e2e -- --test-threads=1 failure:: || status=$?
	return "$status"
}

with_clusters=1
case ${1:-} in
'') ;;
--no-clusters) with_clusters=0 ;;
--help | -h)
	usage
	exit
	;;
*)
	usage >&2
	exit 2
	;;
esac

cd "$repository"
if ((with_clusters)); then
	((EUID == 0)) || fail "run it as root (clusters need a prepared host), or with --no-clusters"
	docker_answers || trap docker_stop EXIT
	packages="chromium chromium-headless-shell git iproute2 iptables nftables shellcheck"
	# A node of another origin brings its own npm.
	command -v npm >/dev/null || packages+=" nodejs npm"
	QBO_TEST_PACKAGES=$packages "$repository/setup.sh" --host-only
fi
style
unit
contract
console
# What is started there may live on where it is killed, and is not to keep the lock (9) of who started this.
((!with_clusters)) || clusters 9>&-
