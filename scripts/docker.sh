# shellcheck shell=bash
# The Docker daemon: its start where nobody else starts it, and its end.
#
# A test that needs one does as set-up does, and leaves the host as it was:
#
#     if ! docker_answers; then docker_apply; trap docker_stop EXIT; fi

docker_socket=/var/run/docker.sock

# Whether a daemon answers this user.
docker_answers() {
	local socket=$docker_socket
	[[ ${DOCKER_HOST:-} != unix://* ]] || socket=${DOCKER_HOST#unix://}
	[[ -S $socket ]] && curl --silent --fail --max-time 5 --unix-socket "$socket" --output /dev/null http://docker/_ping
}

docker_process() {
	process_of /var/run/docker.pid dockerd
}

docker_plan() {
	! docker_answers || return 0
	if [[ -S $docker_socket && ! -w $docker_socket ]]; then
		say "let this user use Docker: usermod --append --groups docker $(id --user --name), then log in again"
		return
	fi
	if has_systemd; then
		say "enable and start the Docker daemon (systemctl enable --now docker)"
	else
		say "start the Docker daemon by hand, for there is no systemd (log in $log_directory)"
	fi
}

docker_apply() {
	! docker_answers || return 0
	if has_systemd; then
		systemctl enable --quiet --now docker
		wait_for "Docker to answer at $docker_socket (journalctl --unit docker tells more)" 60 docker_answers
	elif [[ -n $(docker_process) ]]; then
		wait_for "Docker, which runs already, to answer at $docker_socket" 60 docker_answers
	else
		docker_start
	fi
	say "docker: $(docker version --format '{{.Server.Version}}') answers at $docker_socket"
}

docker_start() {
	command -v dockerd >/dev/null || fail "no Docker daemon (dockerd) is installed"
	docker_remove_stale
	# As Docker's unit does: containers inherit it.
	ulimit -n "$(ulimit -Hn)"
	start_by_hand dockerd
	wait_for "Docker to answer at $docker_socket" 60 docker_answers_or_ended
	docker_answers || { show_log dockerd && fail "Docker ended right after its start"; }
}

docker_answers_or_ended() {
	docker_answers || { [[ -s $run_directory/dockerd.pid ]] && ! kill -0 "$(<"$run_directory/dockerd.pid")"; }
}

# An abrupt end leaves pid files, whose number is another process's by now, and sockets nobody listens at. Docker
# refuses to start because of the former, and waits for a containerd behind the latter.
docker_remove_stale() {
	local directory=/var/run/docker/containerd
	docker_process >/dev/null || rm -f /var/run/docker.pid
	process_of "$directory/containerd.pid" containerd >/dev/null || rm -f "$directory/containerd.pid"
	local socket
	for socket in /run/containerd/containerd.sock "$directory"/containerd{,-debug}.sock{,.ttrpc} /run/docker/metrics.sock; do
		! socket_is_stale "$socket" || rm -f "$socket"
	done
}

# Sockets are listed under the name they were bound to; /var/run is /run.
socket_is_stale() {
	[[ -S $1 ]] || return 1
	! grep -qE " (/var)?${1#/var}\$" /proc/net/unix
}

# Ends the daemon if it was started by hand, and no other.
docker_stop() {
	end_by_hand dockerd 180
}
