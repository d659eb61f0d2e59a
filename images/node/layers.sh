# What lies where in a node, sourced by `build`: lays out the images and the node's files in the current directory. The
# directories of the parts are in $kubernetes, $containerd, $runc, $cni, $crictl, $coredns, $etcd, $storage and $kindnetd.
# shellcheck shell=bash disable=SC2154

# add SOURCE TARGET: a program, with the directories above it.
add() {
	install -D -m 755 "$1" "$2"
}

# layer DIRECTORY: its tar file, the same for the same contents.
layer() {
	tar -C "$1" --sort=name --owner=0 --group=0 --numeric-owner --mtime=@0 -cf "$1.tar" .
}

layer_pause() {
	add "$kubernetes/pause" pause/pause
	layer pause
}

layer_kube() {
	add "$kubernetes/kube" kube/usr/local/bin/kube
	local command
	for command in kube-apiserver kube-controller-manager kube-proxy kube-scheduler; do
		ln -s kube "kube/usr/local/bin/$command"
	done
	layer kube
}

layer_coredns() {
	add "$coredns/coredns" coredns/coredns
	layer coredns
}

layer_etcd() {
	add "$etcd/etcd" etcd/usr/local/bin/etcd
	ln -s etcd etcd/usr/local/bin/etcdctl
	layer etcd
}

layer_storage() {
	add "$storage/local-path-provisioner" storage/usr/bin/local-path-provisioner
	layer storage
}

# The node's own /usr is mounted into this one: see crates/kindnetd/README.md.
layer_kindnetd() {
	mkdir -p kindnetd/{usr,etc,run}
	local directory
	for directory in bin sbin lib lib64; do
		ln -s "usr/$directory" "kindnetd/$directory"
	done
	add "$kindnetd/kindnetd" kindnetd/kindnetd
	layer kindnetd
}

# layer_tools BASE: the programs kube-proxy and the storage helper call, with their libraries, out of the base.
layer_tools() {
	local base=$1 directory command
	mkdir -p tools/usr tools/run
	for directory in bin sbin lib lib64; do
		ln -s "usr/$directory" "tools/$directory"
	done
	local programs=(bin/{dash,kmod,ln,mkdir,rm} sbin/{conntrack,ipset,nft,xtables-legacy-multi,xtables-nft-multi})
	local libraries
	# The loader tells what it would load: the base need not be a root to run in for that.
	mapfile -t libraries < <(
		for file in "${programs[@]/#/$base/usr/}" "$base"/usr/lib/x86_64-linux-gnu/xtables/*.so; do
			"$base/usr/lib64/ld-linux-x86-64.so.2" --library-path "$base/usr/lib/x86_64-linux-gnu" --list "$file"
		done | sed -nE "s|.* => $base/usr/(.*) \(.*|\1|p" | sort -u
	)
	tar -C "$base/usr" -ch "${programs[@]}" "${libraries[@]}" lib64/ld-linux-x86-64.so.2 | tar -C tools/usr -x
	tar -C "$base/usr" -c lib/x86_64-linux-gnu/xtables | tar -C tools/usr -x
	ln -s dash tools/usr/bin/sh
	ln -s ../bin/kmod tools/usr/sbin/modprobe
	for command in {iptables,ip6tables}{,-save,-restore}; do
		add "$here/files/iptables-wrapper" "tools/usr/sbin/$command"
	done
	layer tools
}

# image NAME ENTRYPOINT LAYER...: a line for archive.
image() {
	local name=$1 config
	config=$(jq -nc --arg command "$2" '{
		Entrypoint: [$command],
		Env: ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"]
	}')
	shift 2
	local fields=("$name" "$config" "${@/%/.tar}")
	(IFS=$'\t' && echo "${fields[*]}")
}

# container_images NAME...: the images kubeadm and the manifests name, under exactly those names. Images that share layers
# begin with them, since a layer over another one is stored for itself.
container_images() {
	local name
	for name in "$@"; do
		case $name in
		*/kube-proxy:*) image "$name" kube-proxy kube tools ;;
		*/kube-*) image "$name" "$(basename "${name%:*}")" kube ;;
		*/pause:*) image "$name" /pause pause ;;
		*/etcd:*) image "$name" etcd etcd ;;
		*/coredns:*) image "$name" /coredns coredns ;;
		*/kindnetd:*) image "$name" /kindnetd kindnetd ;;
		*/local-path-provisioner:*) image "$name" local-path-provisioner storage ;;
		*/local-path-helper:*) image "$name" sh kube tools ;;
		*) fail "nothing here makes the image $name" ;;
		esac
	done
}

# node PAUSE: the node's files, save the base and the images.
node() {
	local files command program
	files=$(module "$here/kind" sigs.k8s.io/kind)/images/base/files
	mkdir node
	cp -r --no-preserve=mode "$files/etc" "$files/kind" "$files/LICENSES" node/
	chmod 755 node/kind/bin/*
	add "$files/usr/local/bin/clean-install" node/usr/local/bin/clean-install
	add "$files/usr/local/bin/entrypoint" node/kind/bin/entrypoint
	add "$here/files/entrypoint" node/usr/local/bin/entrypoint

	for program in containerd containerd-shim-runc-v2; do
		add "$containerd/$program" "node/usr/local/bin/$program"
	done
	ln -s containerd node/usr/local/bin/ctr
	add "$crictl/crictl" node/usr/local/bin/crictl
	add "$runc/runc" node/usr/local/sbin/runc
	for program in "$cni"/*; do
		add "$program" "node/opt/cni/bin/$(basename "$program")"
	done

	# As kind's Dockerfile makes it, with the hook that hides the host's product name and id from containers.
	node/usr/local/bin/ctr oci spec |
		jq '.hooks.createContainer += [{path: "/kind/bin/mount-product-files.sh"}] | del(.process.rlimits)' \
			>node/etc/containerd/cri-base.json
	sed -i "s|sandbox_image = .*|sandbox_image = \"$1\"|" node/etc/containerd/config.toml

	mkdir -p node/etc/kubernetes/manifests node/kind/manifests node/etc/systemd/system/multi-user.target.wants
	for command in containerd kubelet undo-mount-hacks; do
		ln -s "/etc/systemd/system/$command.service" node/etc/systemd/system/multi-user.target.wants/
	done
	cp "$here"/manifests/*.yaml node/kind/manifests/
	printf %s "$version" >node/kind/version
}

# unpack_images: containerd's state with all images in it, and the commands of a node out of it.
unpack_images() {
	local kube command map=()
	# Whoever is not root owns the files of the images in a user namespace.
	if ((EUID != 0)); then
		map=(--map-root-user)
	fi
	unshare --mount "${map[@]}" "$containerd/store" node/kind/containerd images.tar
	# Left by overlayfs in a user namespace, where tar may not read it.
	rmdir node/kind/containerd/*/snapshots/*/work/work 2>/dev/null || true
	link_snapshots
	kube=$(find node/kind/containerd -path '*/fs/usr/local/bin/kube')
	mkdir -p node/usr/bin
	for command in kubeadm kubectl kubelet; do
		ln -s "${kube#node}" "node/usr/bin/$command"
	done
}

# link_snapshots: the same state with links in place of the snapshots' directories, for /var of a node.
link_snapshots() {
	local snapshots=io.containerd.snapshotter.v1.overlayfs/snapshots snapshot
	for snapshot in node/kind/containerd/"$snapshots"/*/; do
		snapshot=$snapshots/$(basename "$snapshot")
		mkdir -p "node/kind/containerd-links/$snapshot/work"
		ln -s "/kind/containerd/$snapshot/fs" "node/kind/containerd-links/$snapshot/fs"
	done
	cp node/kind/containerd/"${snapshots%/*}"/metadata.db node/kind/containerd-links/"${snapshots%/*}"/
	cp -r node/kind/containerd/io.containerd.{content.v1.content,metadata.v1.bolt} node/kind/containerd-links/
}

# make_image: image.tar.zst, for `docker load`.
make_image() {
	local names pause config
	mkdir base
	tar -C base -xf "$base/base.tar" ./usr
	layer_pause
	layer_kube
	layer_coredns
	layer_etcd
	layer_storage
	layer_kindnetd
	layer_tools "$PWD/base"

	mapfile -t names < <(
		(exec -a kubeadm "$kubernetes/kube" config images list --kubernetes-version "$version")
		sed -nE 's/^ *image: //p' "$here"/manifests/*.yaml | sort -u
	)
	container_images "${names[@]}" | "$here/archive" images.tar
	pause=$(printf '%s\n' "${names[@]}" | grep /pause:)

	node "$pause"
	unpack_images
	layer node
	config=$(jq -nc --arg key "$key" --arg version "$version" '{
		Entrypoint: ["/usr/local/bin/entrypoint", "/sbin/init"],
		Env: ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "container=docker"],
		Labels: {"io.qbo.key": $key, "io.qbo.kubernetes": $version},
		StopSignal: "SIGRTMIN+3"
	}')
	printf '%s\t%s\t%s\tnode.tar\n' "$image" "$config" "$base/base.tar" | "$here/archive" image.tar
	zstd -q -T0 image.tar
	rm image.tar
}
