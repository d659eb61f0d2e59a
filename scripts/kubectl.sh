# shellcheck shell=bash
# kubectl: where the host has none, the one of the node image.

kubectl_plan() {
	command -v kubectl >/dev/null || say "install kubectl into $binary_directory, out of the node image"
}

kubectl_apply() {
	local image container directory
	image=$(docker image ls --format '{{.Repository}}:{{.Tag}}' | grep -m 1 -E '^(kindest|qbo)/node:') ||
		{ warn "kubectl is not installed: there is no node image to take it from" && return; }
	directory=$(mktemp -d)
	container=$(docker create "$image")
	docker cp --follow-link "$container:/usr/bin/kubectl" "$directory/kubectl" >/dev/null
	docker rm --force --volumes "$container" >/dev/null
	install_binary "$directory/kubectl" "$binary_directory"
	rm -rf "$directory"
}
