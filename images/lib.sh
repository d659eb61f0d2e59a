# What the builds of all images have in common, sourced by each `build`. They set $cache, the directory of what is made
# once, and $directories, the name there of each part.
# shellcheck shell=bash disable=SC2154

step() {
	echo "STEP $1: $2"
}

fail() {
	echo "build: $1" >&2
	exit 1
}

# The hash of standard input and of the contents of files and directories.
key() {
	{
		cat
		find "$@" -type f -print0 | sort -z | xargs -0 cat
	} | sha256sum | cut -c1-16
}

# part NAME: makes the part in a directory of the cache, unless it is there, and sets the variable NAME to that. A
# directory appears under its name only when it is whole.
part() {
	local name=$1 began=$SECONDS
	local directory=$cache/${directories[$name]}
	printf -v "$name" %s "$directory"
	if [[ -d $directory ]]; then
		step "$name" cached
		return
	fi
	step "$name" building
	mkdir "$work/$name"
	# In the background, since errexit does not reach into what is tested by if or ||; and as a process group, to be
	# ended as a whole.
	set -m
	(cd "$work/$name" && "build_$name") >"$work/$name.log" 2>&1 &
	set +m
	job=$!
	wait "$job" || {
		tail -n 40 "$work/$name.log" >&2
		fail "$name could not be built"
	}
	rm -rf "${directory%-*}"-????????????????
	mv "$work/$name" "$directory"
	job=
	step "$name" "built in $((SECONDS - began)) s"
}

# open_cache: makes the cache, holds its lock until the end, and sets $work to a directory that is removed then.
open_cache() {
	mkdir -p "$cache"
	exec 9>"$cache/lock"
	flock 9
	# On the cache's file system, for parts are renamed into it. What is left there was interrupted.
	work=$cache/work
	rm -rf --one-file-system "$work"
	mkdir "$work"
	job=
	# A job that is interrupted tidies up behind itself first; mounts of its own would be no business of rm's.
	trap '[[ -z $job ]] || { kill -- "-$job" && wait "$job"; } 2>/dev/null || true; rm -rf --one-file-system "$work"' EXIT
	trap 'exit 130' INT TERM HUP
}

# The path of a Go module at the version the go.mod in a directory locks.
module() {
	(cd "$1" && go mod download "$2" && go list -m -f '{{.Dir}}' "$2")
}

module_version() {
	(cd "$1" && go list -m -f '{{.Version}}' "$2")
}

# go_build DIRECTORY OUTPUT FLAGS... PACKAGE: builds a package with the go.mod of a directory into the current one.
go_build() {
	local directory=$1 output=$PWD/$2
	shift 2
	(cd "$directory" && nice -n 10 go build -o "$output" "$@")
}

# Without a mirror named by QBO_DEBIAN_MIRROR, the one the host itself uses.
# shellcheck disable=SC2016 # Expanded by apt-get.
debian_mirror() {
	local uri=${QBO_DEBIAN_MIRROR:-}
	if [[ -z $uri ]]; then
		uri=$(apt-get indextargets --format '$(ORIGIN)|$(LABEL)|$(REPO_URI)' 'Created-By: Packages' |
			sed -n 's/^Debian|Debian|//p' | head -n 1) || true
	fi
	echo "${uri:-http://deb.debian.org/debian}"
}
