# shellcheck shell=bash
# Rust, Go and Node.js: used where they are, installed from Debian where that is new enough, else named with their source.

# What `rust-version` of the workspace asks for.
rust_wanted() {
	sed -n 's/^rust-version = "\(.*\)"/\1/p' "$repository/Cargo.toml"
}

# What the modules of the node image ask for.
go_wanted=1.26

# What the console's tools ask for.
node_wanted() {
	sed -n 's/^ *"node": ">=\(.*\)"$/\1/p' "$repository/web/package.json"
}

rust_found() {
	command -v cargo rustc >/dev/null || return 0
	rustc --version 2>/dev/null | cut -d ' ' -f 2
}

go_found() {
	command -v go >/dev/null || return 0
	go env GOVERSION 2>/dev/null | sed 's/^go//'
}

node_found() {
	command -v node npm >/dev/null || return 0
	node --version 2>/dev/null | sed 's/^v//'
}

# is_enough FOUND WANTED
is_enough() {
	[[ -n $1 && $(printf '%s\n' "$1" "$2" | sort --version-sort | head -n 1) == "$2" ]]
}

# The version that the configured Debian archives, backports among them, would install.
debian_offers() {
	command -v apt-cache >/dev/null || return 0
	apt-cache madison "$1" 2>/dev/null | cut -d '|' -f 2 | tr -d ' ' | sed 's/^[0-9]*://; s/[-+~].*//' |
		sort --version-sort | tail -n 1
}

# From which suite, since backports are not the default one.
debian_release() {
	apt-cache madison "$1" | sort --field-separator '|' --key 2,2V | tail -n 1 | awk '{ sub("/.*", "", $6); print $6 }'
}

# Lines "name wanted source package…" of what is missing.
toolchains_missing() {
	is_enough "$(rust_found)" "$(rust_wanted)" || say "Rust $(rust_wanted) https://rustup.rs rustc cargo"
	is_enough "$(node_found)" "$(node_wanted)" || say "Node.js $(node_wanted) https://nodejs.org nodejs npm"
	! image_needs_build || is_enough "$(go_found)" "$go_wanted" || say "Go $go_wanted https://go.dev/doc/install golang-go"
}

# toolchain_is_offered WANTED PACKAGES
toolchain_is_offered() {
	is_enough "$(debian_offers "${2%% *}")" "$1"
}

# Ends here, before anything is changed, where a tool chain has to come from elsewhere: that is not decided quietly.
toolchains_require() {
	local name wanted source packages absent=
	while read -r name wanted source packages; do
		toolchain_is_offered "$wanted" "$packages" ||
			absent+="$name $wanted or newer is needed, and no configured Debian archive has it: install it as $source tells, "
	done < <(toolchains_missing)
	[[ -z $absent ]] || fail "${absent}then run this again"
}

toolchains_plan() {
	local name wanted source packages
	while read -r name wanted source packages; do
		! toolchain_is_offered "$wanted" "$packages" ||
			say "install $name $wanted or newer: Debian packages $packages"
	done < <(toolchains_missing)
}

toolchains_apply() {
	local missing name wanted source packages
	missing=$(toolchains_missing)
	while read -r name wanted source packages; do
		local package
		read -ra package <<<"$packages"
		apt_get install --yes --no-install-recommends --target-release "$(debian_release "${package[0]}")" "${package[@]}"
	done <<<"$missing"
}
