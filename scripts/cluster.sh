# shellcheck shell=bash
# The main job: a cluster.

cluster_name=alex

# Prints how the cluster is; nothing where there is none, or nobody can tell.
cluster_state() {
	qbo get cluster "$cluster_name" --output json 2>/dev/null | jq --raw-output '.clusters[]?.state' 2>/dev/null
}

# Whether no command is at work on it.
cluster_is_settled() {
	case $(cluster_state) in
	creating | starting | stopping | deleting) return 1 ;;
	esac
}

cluster_plan() {
	case $(cluster_state) in
	ready) ;;
	# Before the first start of the server nobody can tell, and there is none.
	'') say "add the cluster $cluster_name: three nodes, which are containers of Docker" ;;
	stopped | not_ready | unknown) say "start the cluster $cluster_name" ;;
	error) say "end before the cluster $cluster_name, which failed and has to be deleted first" ;;
	*) say "wait for the command that is at work on the cluster $cluster_name" ;;
	esac
}

cluster_apply() {
	# Whoever interrupts a set-up may leave the command running, which takes minutes where images are pulled.
	wait_for "the command that is at work on the cluster $cluster_name" 900 cluster_is_settled
	case $(cluster_state) in
	ready) ;;
	'') qbo add cluster "$cluster_name" --output table ;;
	stopped | not_ready | unknown) qbo start cluster "$cluster_name" --output table ;;
	*) fail "the cluster $cluster_name failed; when you have looked at it, qbo delete cluster $cluster_name, and run this again" ;;
	esac
}
