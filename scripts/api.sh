# shellcheck shell=bash
# The API server: a unit of systemd, or a process started by hand.

api_unit=/etc/systemd/system/qbo-api.service

# Systemd serves the host; a user's own server is started by hand.
api_by_systemd() {
	((EUID == 0)) && has_systemd
}

api_answers() {
	timeout 5 qbo version >/dev/null 2>&1
}

api_process() {
	if api_by_systemd; then
		local id
		id=$(systemctl show --property MainPID --value qbo-api 2>/dev/null)
		is_process "$id" qbo-api && say "$id"
	else
		process_of "$run_directory/qbo-api.pid" qbo-api
	fi
}

# Whether the server that runs is one of an earlier build.
api_is_old() {
	local id
	id=$(api_process) && [[ $(readlink "/proc/$id/exe") != "$binary_directory/qbo-api" ]]
}

# With the proxy of whoever sets up, through which registries are asked; of somebody without one it keeps what it had.
api_environment() {
	local name proxy=''
	for name in HTTP_PROXY HTTPS_PROXY NO_PROXY http_proxy https_proxy no_proxy; do
		[[ -z ${!name-} ]] || proxy+="Environment=\"$name=${!name//%/%%}\""$'\n'
	done
	[[ -n $proxy || ! -r $api_unit ]] || proxy=$(grep '^Environment="' "$api_unit" || true)
	say "Environment=HOME=$HOME"
	[[ -z $proxy ]] || say "${proxy%$'\n'}"
}

api_unit_text() {
	cat <<-END
		[Unit]
		Description=qbo API server
		After=docker.service
		Wants=docker.service

		[Service]
		$(api_environment)
		ExecStart=$binary_directory/qbo-api --image-builder $repository/images/node/build
		Restart=on-failure

		[Install]
		WantedBy=multi-user.target
	END
}

api_unit_is_current() {
	[[ -r $api_unit && $(<"$api_unit") == "$(api_unit_text)" ]]
}

api_plan() {
	if api_by_systemd && ! api_unit_is_current; then
		say "install and enable the unit $api_unit"
	fi
	if api_is_old; then
		say "restart the API server, whose binary has changed"
	elif ! api_answers; then
		say "start the API server"
	fi
}

api_apply() {
	local changed='' text
	if api_by_systemd && ! api_unit_is_current; then
		# The address of a proxy may hold a password. The text may be partly that of the unit there is.
		text=$(api_unit_text)
		install --mode=600 /dev/stdin "$api_unit" <<<"$text"
		systemctl daemon-reload
		systemctl enable --quiet qbo-api
		changed=yes
	fi
	if api_is_old; then
		api_stop
	elif [[ -z $changed ]] && api_answers; then
		return
	fi
	api_start
	say "api: answers"
}

api_start() {
	if api_by_systemd; then
		systemctl restart qbo-api
		wait_for "the API server to answer (journalctl --unit qbo-api tells more)" 15 api_answers
	else
		start_by_hand qbo-api --image-builder "$repository/images/node/build"
		wait_for "the API server to answer ($log_directory/qbo-api.log tells more)" 15 api_answers_or_ended
		api_answers || { show_log qbo-api && fail "the API server ended right after its start"; }
	fi
}

api_answers_or_ended() {
	api_answers || { [[ -s $run_directory/qbo-api.pid ]] && ! kill -0 "$(<"$run_directory/qbo-api.pid")"; }
}

api_stop() {
	if api_by_systemd; then
		systemctl stop qbo-api
	else
		# It undoes what commands have begun, for at most a minute.
		end_by_hand qbo-api 75
	fi
}
