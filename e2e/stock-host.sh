#!/bin/bash
# Makes a one-node cluster on a stock host: systemd, cgroup version 2, every capability, Docker as Debian ships it.
#
# The host is Debian 12 under user-mode-linux, a kernel as an ordinary process: neither KVM nor a network is needed.
# Prints what happens there with the seconds since its boot, and a verdict; exits 1 unless the cluster came up. Run
# it as root, with qbo built (setup.sh --no-cluster), on a machine that does little else: eight minutes on two idle
# cores, but on busy ones etcd and the API server run into their own time limits there.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$here/../scripts/lib.sh"

# An emulated single CPU needs minutes for what takes seconds elsewhere.
limit=1200
image=qbo/node:${QBO_NODE_VERSION:-v1.37.2}
cache=${XDG_CACHE_HOME:-$HOME/.cache}/qbo/stock-host

require() {
	local command
	for command in docker linux.uml mkfs.ext4 mmdebstrap; do
		command -v "$command" >/dev/null ||
			fail "$command is missing: apt-get install docker.io user-mode-linux e2fsprogs mmdebstrap"
	done
	((EUID == 0)) || fail "the root of the stock host is made by root"
	docker image inspect "$image" >/dev/null 2>&1 || fail "$image is not in Docker: images/node/build makes it"
	[[ -x $repository/target/release/qbo-api ]] || fail "qbo is not built: setup.sh --no-cluster does it"
}

root_key() {
	{
		dpkg-query --show user-mode-linux
		cat "$here"/stock-host/{packages.txt,root.hook,runtime}
		declare -f make_root
	} | sha256sum | cut -c 1-16
}

# The file system of the host, made once for what it is made of.
make_root() {
	local disk=$1 root=$work/root
	mmdebstrap --quiet --variant=minbase --mode=root --include="$(grep -v '^#' "$here/stock-host/packages.txt" | paste -sd ,)" \
		--dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
		--dpkgopt='path-exclude=/usr/share/doc/*' \
		--customize-hook="$here/stock-host/root.hook \"\$1\"" \
		bookworm "$root" "${QBO_DEBIAN_MIRROR:-http://deb.debian.org/debian}"
	truncate --size 8G "$work/disk"
	mkfs.ext4 -q -L stock-host -d "$root" "$work/disk"
	rm -f "$cache"/root-*
	mv "$work/disk" "$disk"
}

# What the host sees of this machine.
make_share() {
	mkdir -p "$share/target/release" "$share/e2e"
	cp "$repository"/target/release/{qbo,qbo-api} "$share/target/release"
	cp -r "$repository/scripts" "$share"
	cp -r "$here/stock-host" "$share/e2e"
	docker save --output "$share/node.tar" "$image"
}

# Prints what the test says while the host runs.
boot() {
	touch "$share/output"
	# In a session of its own, for a signal that a shell or terminal sends around, even SIGCONT, is a panic there.
	# What the host writes to its disk goes to a file of its own; the root stays as it is.
	setsid timeout --kill-after 10 "$limit" linux.uml ubda="$work/changes,$disk" root=/dev/ubda rw mem=6G hostfs="$share" \
		con0=null,fd:1 con=null ssl=null selinux=0 quiet </dev/null >"$console" 2>&1 &
	machine=$!
	tail --follow --lines +1 --sleep-interval 0.2 --pid "$machine" "$share/output" | sed --unbuffered 's/^/stock host: /'
}

clean() {
	[[ -z $machine ]] || kill "$machine" 2>/dev/null || true
	rm -rf "$work"
}

require
mkdir -p "$cache"
work=$(mktemp --directory "$cache/run.XXXXXX")
machine=
trap clean EXIT
share=$work/share

disk=$cache/root-$(root_key).ext4
console=$cache/console.log
if [[ ! -e $disk ]]; then
	say "stock host: making its root (two minutes, once)"
	make_root "$disk"
fi
make_share
say "stock host: booting"
boot

if [[ -e $share/passed ]]; then
	say "stock host: passed in $SECONDS s"
elif grep -q '^Kernel panic' "$console"; then
	fail "user-mode-linux itself has panicked after $SECONDS s, which says nothing of qbo: run this again; see $console"
else
	fail "the stock host made no cluster within $SECONDS s (of $limit s); its console is in $console"
fi
