# shellcheck shell=bash
# The node image: pulled by `qbo add cluster` where a registry answers, built here where none does, and with it the image of
# users' shells.

image_in_docker() {
	docker_answers && [[ -n $(docker image ls --quiet "$1" 2>/dev/null) ]]
}

registry_answers() {
	local status
	command -v curl >/dev/null || return 1
	status=$(curl --silent --max-time 3 --output /dev/null --write-out '%{http_code}' https://registry-1.docker.io/v2/) || return 1
	# It asks whoever comes without a token to fetch one.
	[[ $status == 200 || $status == 401 ]]
}

# Several steps depend on it, and the registry is asked once: so this comes before all of them.
image_decide() {
	image_source=build
	if image_in_docker kindest/node || { ! image_in_docker qbo/node && registry_answers; }; then
		image_source=registry
	fi
}

image_needs_build() {
	[[ $image_source == build ]]
}

image_plan() {
	image_needs_build || return 0
	image_in_docker qbo/node ||
		say "build the node image into Docker, since no registry answers (about 15 minutes, once; cached in ${XDG_CACHE_HOME:-$HOME/.cache}/qbo)"
	image_in_docker qbo/shell || say "build the image of users' shells into Docker (about 5 minutes, once)"
}

# Runs even where an image is there: the build tells within a second whether it is the current one.
image_apply() {
	image_needs_build || return 0
	"$repository/images/node/build"
	"$repository/images/shell/build"
}
