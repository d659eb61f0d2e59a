# How each part of the node image is built, sourced by `build`: build_<part> makes the part in the current directory.
# shellcheck shell=bash disable=SC2154

# key_of PART: the hash of what it is made of.
key_of() {
	case $1 in
	base)
		declare -f build_base | key "$here"/base.*
		;;
	kindnetd)
		(
			cd "$repository"
			rustc -V
			# Without the paths of the workspace's own crates: the same commit is the same anywhere.
			cargo tree --quiet -p kindnetd -e normal,build --prefix none | sed 's: (/.*)::'
			sed -n '/^\[profile.small\]/,/^$/p' Cargo.toml
			declare -f build_kindnetd
		) | key "$repository/crates/kindnetd/Cargo.toml" "$repository/crates/kindnetd/src"
		;;
	kubernetes)
		(go version && declare -f build_kubernetes go_build) | key "$here/kubernetes/main.go" "$lock"
		;;
	*)
		(go version && declare -f "build_$1" go_build) | key "$here/$1"
		;;
	esac
}

# kubernetes_lock: sets $lock to the directory of go.mod: committed for the versions that are tested, made here for others.
kubernetes_lock() {
	lock=$here/kubernetes/$version
	if [[ -d $lock ]]; then
		return
	fi
	lock=$cache/lock-$version
	if [[ ! -d $lock ]]; then
		step kubernetes "resolving the modules of $version"
		"$here/kubernetes/lock" "$version" "$work/lock" >"$work/lock.log" 2>&1 || {
			tail -n 20 "$work/lock.log" >&2
			fail "the modules of Kubernetes $version cannot be resolved"
		}
		mv "$work/lock" "$lock"
	fi
}

build_kubernetes() {
	local built package values=""
	built=$(cd "$lock" && go list -m -f '{{.Time.Format "2006-01-02T15:04:05Z"}}' k8s.io/kubernetes)
	for package in k8s.io/component-base/version k8s.io/client-go/pkg/version; do
		values+=" -X $package.gitVersion=$version -X $package.gitMajor=1 -X $package.gitMinor=$(cut -d. -f2 <<<"$version")"
		values+=" -X $package.gitTreeState=archive -X $package.buildDate=$built"
	done
	cp "$lock"/go.* "$here/kubernetes/main.go" .
	# The tags are those of the upstream release.
	go_build . kube -tags selinux,notest,grpcnotrace -ldflags "-s -w $values" .
	rm go.mod go.sum main.go
	cc -Os -static -s -o pause "$(module "$lock" k8s.io/kubernetes)/build/pause/linux/pause.c"
}

build_containerd() {
	local release
	release=$(module_version "$here/containerd" github.com/containerd/containerd/v2)
	local flags=(
		-tags 'no_aufs no_btrfs no_devmapper no_zfs'
		-ldflags "-s -w -X github.com/containerd/containerd/v2/version.Version=$release"
	)
	go_build "$here/containerd" containerd "${flags[@]}" .
	go_build "$here/containerd" containerd-shim-runc-v2 "${flags[@]}" \
		github.com/containerd/containerd/v2/cmd/containerd-shim-runc-v2
	go_build "$here/containerd" store "${flags[@]}" ./store
}

build_runc() {
	# Static, as upstream's: it is started several times for every container.
	CGO_ENABLED=1 go_build "$here/runc" runc -tags seccomp,netgo,osusergo \
		-ldflags '-s -w -extldflags -static' github.com/opencontainers/runc
}

build_cni() {
	local plugin
	for plugin in ipam/host-local main/loopback main/ptp meta/portmap; do
		go_build "$here/cni" "$(basename "$plugin")" -ldflags '-s -w' \
			"github.com/containernetworking/plugins/plugins/$plugin"
	done
}

build_crictl() {
	go_build "$here/crictl" crictl \
		-ldflags "-s -w -X sigs.k8s.io/cri-tools/pkg/version.Version=$(module_version "$here/crictl" sigs.k8s.io/cri-tools)" \
		sigs.k8s.io/cri-tools/cmd/crictl
}

build_coredns() {
	go_build "$here/coredns" coredns -tags grpcnotrace -ldflags '-s -w' .
}

build_etcd() {
	go_build "$here/etcd" etcd -ldflags '-s -w' .
}

build_storage() {
	go_build "$here/storage" local-path-provisioner -ldflags '-s -w' github.com/rancher/local-path-provisioner
}

build_kindnetd() {
	(cd "$repository" && RUSTFLAGS='-C target-feature=+crt-static' \
		nice -n 10 cargo build -p kindnetd --profile small --target x86_64-unknown-linux-gnu)
	cp "$(cd "$repository" && cargo metadata --format-version 1 --no-deps | jq -r .target_directory)/x86_64-unknown-linux-gnu/small/kindnetd" .
}

build_base() {
	mmdebstrap --variant=minbase --include="$(grep -v '^#' "$here/base.txt" | paste -sd,)" \
		--dpkgopt='path-exclude=/usr/share/man/*' \
		--dpkgopt='path-exclude=/usr/share/locale/*' \
		--dpkgopt='path-exclude=/usr/share/doc/*' \
		--dpkgopt='path-include=/usr/share/doc/*/copyright' \
		--customize-hook="$here/base.hook \"\$1\"" \
		trixie base.tar "$(debian_mirror)"
}
