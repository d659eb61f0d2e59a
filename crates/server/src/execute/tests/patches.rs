//! Patches of the configurations of components: what nodes get of them, those that come later included, and what is refused.

use qbo_api::message::Code;

use super::nodes::succeed;
use crate::driver::engine::Executed;
use crate::driver::fake::FakeContainer;
use crate::execute::fixture::Cloud;

const ADD: &str = "add cluster alex -f cluster.yaml";
const PATCHED: &str = "\
apiVersion: kind.x-k8s.io/v1alpha4
kind: Cluster
nodes: [{role: control-plane}, {role: worker}]
networking: {dnsSearch: [example.com], kubeProxyMode: none}
kubeadmConfigPatches:
- '{kind: KubeletConfiguration, maxPods: 50}'
- '{kind: InitConfiguration, nodeRegistration: {kubeletExtraArgs: {v: 3}, taints: []}}'
- '{kind: JoinConfiguration, nodeRegistration: {kubeletExtraArgs: {v: 4}}}'
containerdConfigPatches:
- |
  [debug]
  level = \"debug\"
";

fn text(node: &FakeContainer, path: &str) -> String {
    String::from_utf8(node.files[path].clone()).unwrap()
}

/// A file of this, and what is said by whatever is asked in the image.
async fn refused(cloud: &Cloud, patches: &str, says: &str) -> String {
    cloud.engine.execute_as(Executed { code: 0, output: says.to_owned(), errors: String::new() });
    let file = format!("apiVersion: kind.x-k8s.io/v1alpha4\nkind: Cluster\n{patches}\n");
    let failure = cloud.fail_with(ADD, &file).await;
    assert_eq!(failure.code, Code::UNPROCESSABLE, "{failure:?}");
    assert!(!failure.cure.is_empty());
    failure.problem
}

#[tokio::test(start_paused = true)]
async fn nodes_that_come_later_are_patched_as_the_first_ones() {
    let mut cloud = Cloud::new();
    cloud.succeed_with(ADD, PATCHED).await;
    let applied = cloud.kubernetes.applied();
    assert!(applied.iter().any(|object| object == "Deployment coredns"), "{applied:?}");
    assert!(!applied.iter().any(|object| object == "DaemonSet kube-proxy"), "{applied:?}");
    // Another server that knows only what Docker holds.
    cloud.restart();
    cloud.answers("alex").await;
    succeed(&cloud, "add node alex").await;
    let mut nodes: Vec<FakeContainer> = cloud.engine.held().containers.into_values().collect();
    nodes.sort_by_key(|node| node.address);
    assert_eq!(nodes.len(), 3);
    for (index, node) in nodes.iter().enumerate() {
        assert!(text(node, "/var/lib/kubelet/config.yaml").contains("maxPods: 50"));
        assert!(text(node, "/etc/containerd/config.toml").contains("level = \"debug\""));
        let flags = text(node, "/var/lib/kubelet/kubeadm-flags.env");
        assert!(flags.contains(if index == 0 { "--v=3" } else { "--v=4" }), "{flags}");
        assert_eq!(node.extras.dns_search, Some(vec!["example.com".parse().unwrap()]));
    }
    assert!(!text(&nodes[0], "/var/lib/kubelet/config.yaml").contains("registerWithTaints"));
}

#[tokio::test]
async fn without_patches_containerd_keeps_the_configuration_of_its_image() {
    let cloud = Cloud::new();
    cloud.succeed("add cluster alex -n 1").await;
    let nodes: Vec<FakeContainer> = cloud.engine.held().containers.into_values().collect();
    assert!(text(&nodes[0], "/etc/containerd/config.toml").contains("level = \"info\""));
}

#[tokio::test]
async fn what_a_component_of_the_image_refuses_makes_no_cluster() {
    let cloud = Cloud::new();
    let before = cloud.everything();
    let kubelet = "kubeadmConfigPatches: ['{kind: KubeletConfiguration, maxPodz: 50}']";
    let says = "E1127 run.go:72] \"command failed\" err=\"failed to load kubelet config file, path: /a, error: unknown field\"";
    let problem = refused(&cloud, kubelet, says).await;
    let expected = "kubeadmConfigPatches: the node image's kubelet refuses it: failed to load kubelet config file, path: /a, error: \
                    unknown field";
    assert_eq!(problem, expected);
    let containerd = "containerdConfigPatches: ['root = 1']";
    let problem = refused(&cloud, containerd, "containerd: failed to load TOML: root is no text").await;
    let expected = "containerdConfigPatches: the node image's containerd refuses it: containerd: failed to load TOML: root is no text";
    assert_eq!(problem, expected);
    let problem = refused(&cloud, "containerdConfigPatches: ['version = 2']", "").await;
    assert!(
        problem.contains("for version 2 of containerd's configuration, and the node image has version 3"),
        "{problem}"
    );
    assert_eq!(cloud.everything(), before);
}
