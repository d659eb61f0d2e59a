# shellcheck shell=bash
# The binaries: built in the repository, installed where their users look for them.

build_release=$repository/target/release

# Whether a source is newer than the last build of a binary. Cargo would need longer to tell.
build_is_old() {
	local stamp=$build_release/.$1.built sources=crates
	# It depends on nothing else here, and a runtime is not exchanged without need.
	[[ $1 != qbo-runc ]] || sources=crates/runtime
	[[ ! -e $stamp || -n $(find "$repository"/{Cargo.toml,Cargo.lock,"$sources"} -newer "$stamp" -print -quit) ]]
}

# build BINARY PACKAGE
build() {
	build_is_old "$1" || return 0
	mkdir -p "$build_release"
	# What changes while Cargo runs is not part of the build.
	touch "$build_release/.$1.began"
	(cd "$repository" && cargo build --release --locked --package "$2")
	mv "$build_release/.$1.began" "$build_release/.$1.built"
}

# build_plan_of BINARY DIRECTORY
build_plan_of() {
	if build_is_old "$1"; then
		say "build $1 and install it into $2"
	elif ! cmp --silent "$build_release/$1" "$2/$1"; then
		say "install $1 into $2"
	fi
}

build_plan() {
	build_plan_of qbo "$binary_directory"
	build_plan_of qbo-api "$binary_directory"
}

build_apply() {
	build qbo qbo-cli
	install_binary "$build_release/qbo" "$binary_directory"
	build qbo-api qbo-server
	install_binary "$build_release/qbo-api" "$binary_directory"
}
