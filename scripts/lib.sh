# shellcheck shell=bash
# What every script here needs: places, messages, waiting, and telling whether a process is the one meant.
#
# The scripts are read in by setup.sh, stop.sh and the tests. A step of set-up is a pair of functions, NAME_plan,
# which prints a line for each change it would make to the host (so nothing where all is well), and NAME_apply.

repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

# Root sets up the host; anybody else keeps to directories of their own.
if ((EUID == 0)); then
	binary_directory=/usr/local/bin
	library_directory=/usr/local/lib/qbo
	run_directory=/run/qbo
	log_directory=/var/log/qbo
else
	binary_directory=$HOME/.local/bin
	library_directory=$HOME/.local/lib/qbo
	run_directory=${XDG_RUNTIME_DIR:-$HOME/.cache}/qbo
	log_directory=${XDG_STATE_HOME:-$HOME/.local/state}/qbo
fi

# Where rustup and Go's own archive put themselves, and where the binaries of set-up go.
PATH=$HOME/.cargo/bin:/usr/local/go/bin:$binary_directory:$PATH:/usr/sbin:/sbin

# One line for each argument.
say() {
	printf '%s\n' "$@"
}

warn() {
	printf 'warning: %s\n' "$*" >&2
}

fail() {
	printf 'error: %s\n' "$*" >&2
	exit 1
}

has_systemd() {
	[[ -d /run/systemd/system ]]
}

# wait_for WHAT SECONDS COMMAND…: until the command succeeds.
wait_for() {
	local what=$1 seconds=$2
	shift 2
	local deadline=$((SECONDS + seconds))
	until "$@" >/dev/null 2>&1; do
		((SECONDS < deadline)) || fail "waited $seconds s for $what"
		sleep 0.1
	done
}

# Whether a process of this id runs this program, were its file replaced since or not.
is_process() {
	local id=$1 program=$2 file
	[[ $id =~ ^[0-9]+$ ]] || return 1
	file=$(readlink "/proc/$id/exe" 2>/dev/null) || return 1
	file=${file% (deleted)}
	[[ ${file##*/} == "$program" ]]
}

# process_of PID_FILE PROGRAM: prints the id, if the file tells that of a process that runs the program.
process_of() {
	local id
	id=$(cat "$1" 2>/dev/null) || return 1
	is_process "$id" "$2" || return 1
	printf '%s\n' "$id"
}

# start_by_hand PROGRAM [ARGUMENT…]: in a session of its own, with a pid file and a log.
start_by_hand() {
	local program=$1
	mkdir -p "$run_directory" "$log_directory"
	# Neither the lock of set-up (9) nor the terminal is handed on. The shell writes its own id, then becomes the program.
	# shellcheck disable=SC2016 # Expanded by that shell.
	setsid bash -c 'echo $$ >"$1"; shift; exec "$@"' bash "$run_directory/$program.pid" "$@" \
		</dev/null >>"$log_directory/$program.log" 2>&1 9>&- &
}

# end_by_hand PROGRAM SECONDS: ends what start_by_hand started, and nothing else.
end_by_hand() {
	local program=$1 seconds=$2 id
	if id=$(process_of "$run_directory/$program.pid" "$program"); then
		kill "$id"
		timeout "$seconds" tail -s 0.1 --pid="$id" -f /dev/null ||
			fail "waited $seconds s for $program (process $id) to end"
		say "$program: ended"
	fi
	rm -f "$run_directory/$program.pid"
}

# install_binary FILE DIRECTORY: beside, then renamed, so that a running program keeps its file.
install_binary() {
	local name=${1##*/}
	! cmp --silent "$1" "$2/$name" || return 0
	mkdir -p "$2"
	install -m 755 "$1" "$2/.$name.new"
	mv "$2/.$name.new" "$2/$name"
	say "installed $2/$name"
}

# The end of a log, when what wrote it has failed.
show_log() {
	local log=$log_directory/$1.log
	[[ ! -s $log ]] || { say "the end of $log:" && tail -n 5 "$log"; } >&2
}
