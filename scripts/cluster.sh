# shellcheck shell=bash
# The main job: a cluster.

cluster_name=alex

cluster_exists() {
	qbo get cluster "$cluster_name" >/dev/null 2>&1
}

cluster_plan() {
	# Before the first start of the server nobody can tell, and there is none.
	cluster_exists || say "add the cluster $cluster_name: three nodes, which are containers of Docker"
}

cluster_apply() {
	cluster_exists || qbo add cluster "$cluster_name" --output table
}
