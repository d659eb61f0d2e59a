# shellcheck shell=bash
# The binaries: built in the repository, installed where their users look for them.

# Cargo's own variable wins. What says that this checkout is built is kept in it, for several may share such a directory.
build_target=${CARGO_TARGET_DIR:-$repository/target}
build_release=$build_target/release
build_stamps=$repository/target/release
build_static_target=x86_64-unknown-linux-gnu

# Whether a source is newer than the last build of a binary, or that is gone: it was made in another directory of Cargo's. Cargo would
# need longer to tell.
build_is_old() {
	local stamp=$build_stamps/.$1.built sources=("$repository/crates")
	# These depend on nothing else here, and are not exchanged without need.
	case $1 in
	qbo-runc) sources=("$repository/crates/runtime") ;;
	qbo-balancer) sources=("$repository/crates/balancer") ;;
	# The console is in it.
	qbo-api) sources+=("$repository/web") ;;
	esac
	[[ ! -e $stamp || ! -e $(build_output "$1") || -n $(find "$repository"/Cargo.{toml,lock} "${sources[@]}" \( -name node_modules -o -name dist \) -prune -o \
		-newer "$stamp" -print -quit) ]]
}

# build BINARY PACKAGE
build() {
	build_is_old "$1" || return 0
	mkdir -p "$build_stamps"
	# What changes while Cargo runs is not part of the build.
	touch "$build_stamps/.$1.began"
	(cd "$repository" && build_cargo "$1" --locked --package "$2")
	mv "$build_stamps/.$1.began" "$build_stamps/.$1.built"
}

# build_cargo BINARY OPTION…
build_cargo() {
	local binary=$1
	shift
	case $binary in
	# The only file of its container: static, and small.
	qbo-balancer)
		RUSTFLAGS='-C target-feature=+crt-static' cargo build --profile small --target "$build_static_target" "$@"
		;;
	qbo-api)
		"$repository/web/build" || return
		cargo build --release --features console "$@"
		;;
	*) cargo build --release "$@" ;;
	esac
}

# Where Cargo leaves a binary.
build_output() {
	case $1 in
	qbo-balancer) say "$build_target/$build_static_target/small/$1" ;;
	*) say "$build_release/$1" ;;
	esac
}

# build_plan_of BINARY DIRECTORY
build_plan_of() {
	if build_is_old "$1"; then
		say "build $1 and install it into $2"
	elif ! cmp --silent "$(build_output "$1")" "$2/$1"; then
		say "install $1 into $2"
	fi
}

build_plan() {
	build_plan_of qbo "$binary_directory"
	build_plan_of qbo-balancer "$library_directory"
	build_plan_of qbo-api "$binary_directory"
}

build_apply() {
	build qbo qbo-cli
	install_binary "$build_release/qbo" "$binary_directory"
	build_balancer
	build qbo-api qbo-server
	install_binary "$build_release/qbo-api" "$binary_directory"
}

# What the server makes containers of, and so looks for when it starts.
build_balancer() {
	build qbo-balancer qbo-balancer
	install_binary "$(build_output qbo-balancer)" "$library_directory"
}
