# How each part of the shell's image is built, and the image of them, sourced by `build`.
# shellcheck shell=bash disable=SC2154

# key_of PART: the hash of what it is made of.
key_of() {
	case $1 in
	base)
		declare -f build_base | key "$here"/base.*
		;;
	qbo)
		(
			cd "$repository"
			rustc -V
			# Without the paths of the workspace's own crates: the same commit is the same anywhere.
			cargo tree --quiet -p qbo-cli -e normal,build --prefix none | sed 's: (/.*)::'
			sed -n '/^\[profile.small\]/,/^$/p' Cargo.toml
			declare -f build_qbo
		) | key "$repository"/crates/{api,cli,host}/{Cargo.toml,src}
		;;
	*)
		(go version && declare -f "build_$1" go_build) | key "$here/$1"
		;;
	esac
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

build_kubectl() {
	local release package values=""
	release=$(module_version "$here/kubectl" k8s.io/kubectl)
	# The library's v0.37.2 is kubectl's v1.37.2.
	release=v1.${release#v0.}
	for package in k8s.io/component-base/version k8s.io/client-go/pkg/version; do
		values+=" -X $package.gitVersion=$release -X $package.gitMajor=1 -X $package.gitMinor=$(cut -d. -f2 <<<"$release")"
		values+=" -X $package.gitTreeState=archive"
	done
	go_build "$here/kubectl" kubectl -ldflags "-s -w $values" .
}

build_helm() {
	local release
	release=$(module_version "$here/helm" helm.sh/helm/v4)
	go_build "$here/helm" helm -ldflags "-s -w -X helm.sh/helm/v4/internal/version.version=$release" helm.sh/helm/v4/cmd/helm
}

build_qbo() {
	(cd "$repository" && RUSTFLAGS='-C target-feature=+crt-static' \
		nice -n 10 cargo build -p qbo-cli --profile small --target x86_64-unknown-linux-gnu)
	cp "$(cd "$repository" && cargo metadata --format-version 1 --no-deps | jq -r .target_directory)/x86_64-unknown-linux-gnu/small/qbo" .
}

# make_image: image.tar.zst, for `docker load`.
make_image() {
	local program config
	mkdir -p shell/usr/share/bash-completion/completions
	cp -r --no-preserve=mode "$here/files/." shell/
	for program in "$kubectl/kubectl" "$helm/helm" "$qbo/qbo"; do
		install -D -m 755 "$program" "shell/usr/local/bin/$(basename "$program")"
		"$program" completion bash >"shell/usr/share/bash-completion/completions/$(basename "$program")"
	done
	chmod 600 shell/home/qbo/.kube/config
	# The home directory is the user's, all else root's.
	tar -C shell --sort=name --owner=0 --group=0 --numeric-owner --mtime=@0 --exclude=./home -cf shell.tar .
	tar -C shell --sort=name --owner=1000 --group=1000 --numeric-owner --mtime=@0 -rf shell.tar ./home/qbo
	config=$(jq -nc --arg key "$key" '{
		User: "qbo",
		WorkingDir: "/home/qbo",
		Entrypoint: ["socat", "TCP-LISTEN:9601,bind=127.0.0.1,fork,reuseaddr", "UNIX-CONNECT:/run/qbo/api.sock"],
		Env: [
			"PATH=/usr/local/bin:/usr/bin:/bin",
			"HOME=/home/qbo",
			"LANG=C.UTF-8",
			"EDITOR=nano",
			"QBO_HOST=127.0.0.1",
			"QBO_PORT=9601",
			"KUBECONFIG=/home/qbo/.kube/config:/home/qbo/.kube/qbo"
		],
		Labels: {"io.qbo.key": $key}
	}')
	printf '%s\t%s\t%s\tshell.tar\n' "$image" "$config" "$base/base.tar" | "$here/../node/archive" image.tar
	zstd -q -T0 image.tar
	rm image.tar
}
