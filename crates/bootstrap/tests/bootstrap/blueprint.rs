//! What kubeadm v1.37.2 wrote for the sample, in `tests/kubeadm`, as clusters use it.

use qbo_bootstrap::{
    Blueprint, ClusterPlan, Contents, EtcdMember, EtcdMembers, IpFamily, NodeFile, Role, kubeadm_configuration,
};
use serde_json::Value;

use crate::sample;

const VERSION: &str = "v1.37.2";

pub(crate) fn blueprint() -> Blueprint {
    let pod = |name: &str, text: &str| (name.to_owned(), text.to_owned());
    Blueprint {
        static_pods: vec![
            pod("etcd.yaml", include_str!("../kubeadm/etcd.yaml")),
            pod("kube-apiserver.yaml", include_str!("../kubeadm/kube-apiserver.yaml")),
            pod("kube-controller-manager.yaml", include_str!("../kubeadm/kube-controller-manager.yaml")),
            pod("kube-scheduler.yaml", include_str!("../kubeadm/kube-scheduler.yaml")),
        ],
        addons: Some(include_str!("../kubeadm/addons.yaml").to_owned()),
        cni: include_str!("../../../../images/node/manifests/default-cni.yaml").to_owned(),
        storage: "kind: StorageClass\n".to_owned(),
        containerd: None,
    }
}

/// The command of a static pod's container.
pub(crate) fn command(pod: &NodeFile) -> Vec<String> {
    let pod: Value = serde_saphyr::from_str(text(pod)).unwrap();
    let command = pod["spec"]["containers"][0]["command"].as_array().unwrap();
    command.iter().map(|argument| argument.as_str().unwrap().to_owned()).collect()
}

fn text(file: &NodeFile) -> &str {
    match &file.contents {
        Contents::File(bytes) => std::str::from_utf8(bytes).unwrap(),
        Contents::Directory | Contents::Link(_) => panic!("{file:?} is no file"),
    }
}

fn pods(plan: &ClusterPlan, index: usize, members: &EtcdMembers) -> Vec<NodeFile> {
    let mut files = blueprint().static_pods(plan, &plan.nodes[index], members).unwrap();
    let directory = files.remove(0);
    assert_eq!(
        (directory.path.as_str(), directory.mode, directory.contents),
        ("/var/lib/etcd", 0o700, Contents::Directory)
    );
    files
}

#[test]
fn the_only_control_plane_gets_what_kubeadm_wrote_with_its_own_name_and_address() {
    let plan = sample::plan(VERSION);
    for (pod, (name, drawn)) in pods(&plan, 0, &EtcdMembers::Founding).iter().zip(blueprint().static_pods) {
        assert_eq!((pod.path.as_str(), pod.mode), (format!("/etc/kubernetes/manifests/{name}").as_str(), 0o600));
        let own = drawn
            .replace("qbo-sample-node.invalid", "control-2b251a2c.localhost")
            .replace("qbo-sample-cluster.invalid", "alex")
            .replace("192.0.2.1", "172.20.0.10");
        assert_eq!(text(pod), own);
    }
}

#[test]
fn several_control_planes_found_etcd_together_and_elect_a_leader() {
    let plan = sample::balanced_plan(VERSION);
    let members = "--initial-cluster=control-2b251a2c.localhost=https://172.20.0.10:2380,\
                   control-11111111.localhost=https://172.20.0.11:2380,control-22222222.localhost=https://172.20.0.12:2380";
    for (index, node) in plan.nodes.iter().enumerate().filter(|(_, node)| node.role == Role::ControlPlane) {
        let pods = pods(&plan, index, &EtcdMembers::Founding);
        let has = |pod: usize, argument: &str| command(&pods[pod]).iter().filter(|given| *given == argument).count();
        assert_eq!((has(0, members), has(0, "--initial-cluster-state=new")), (1, 1));
        assert_eq!(has(0, &format!("--advertise-client-urls=https://{}:2379", node.address)), 1);
        assert_eq!(has(1, &format!("--advertise-address={}", node.address)), 1);
        for pod in [2, 3] {
            assert_eq!((has(pod, "--leader-elect=true"), has(pod, "--leader-elect=false")), (1, 0));
        }
    }
}

#[test]
fn a_control_plane_that_joins_names_the_members_that_run() {
    let mut plan = sample::plan(VERSION);
    plan.nodes.push(sample::node("control-33333333.localhost", Role::ControlPlane, 7));
    let members = EtcdMembers::Joining { existing: vec![EtcdMember::from(&plan.nodes[0])] };
    let etcd = command(&pods(&plan, 2, &members)[0]);
    let list = "--initial-cluster=control-2b251a2c.localhost=https://172.20.0.10:2380,\
                control-33333333.localhost=https://172.20.0.17:2380";
    assert!(etcd.iter().any(|argument| argument == list), "{etcd:?}");
    assert!(etcd.iter().any(|argument| argument == "--initial-cluster-state=existing"), "{etcd:?}");
}

#[test]
fn a_control_plane_that_is_no_longer_alone_is_told_to_elect_a_leader_and_nothing_else() {
    let mut plan = sample::plan(VERSION);
    plan.nodes.push(sample::node("control-33333333.localhost", Role::ControlPlane, 7));
    let before = pods(&sample::plan(VERSION), 0, &EtcdMembers::Founding);
    let electing = blueprint().electing_pods(&plan, &plan.nodes[0]).unwrap();
    assert_eq!(electing.len(), 2);
    for (pod, before) in electing.iter().zip(&before[2..]) {
        assert_eq!(pod.path, before.path);
        let mut expected = command(before);
        expected.retain(|argument| argument != "--leader-elect=false");
        expected.push("--leader-elect=true".to_owned());
        assert_eq!(command(pod), expected);
    }
}

#[test]
fn addons_reach_the_api_server_as_all_nodes_do() {
    for (plan, address) in [(sample::plan(VERSION), "172.20.0.10"), (sample::balanced_plan(VERSION), "172.20.0.2")] {
        let objects = blueprint().objects(&plan).unwrap();
        let find = |kind: &str, name: &str| {
            objects.iter().find(|object| object["kind"] == kind && object["metadata"]["name"] == name).unwrap()
        };
        let kubeconfig = find("ConfigMap", "kube-proxy")["data"]["kubeconfig.conf"].as_str().unwrap();
        assert!(kubeconfig.contains(&format!("server: https://{address}:6443")), "{kubeconfig}");
        let dns = &find("Deployment", "coredns")["spec"]["template"]["spec"]["containers"][0]["env"][0]["value"];
        assert_eq!(dns, address);
        for daemon in ["kube-proxy", "kindnet"] {
            let annotations = &find("DaemonSet", daemon)["spec"]["template"]["metadata"]["annotations"];
            assert_eq!(annotations["qbo.io/api-server"], format!("{address}:6443"), "{daemon}");
        }
        let all = objects.iter().map(Value::to_string).collect::<String>();
        assert!(!all.contains("192.0.2.") && !all.contains("qbo-sample"), "{all}");
    }
}

#[test]
fn a_control_plane_of_ipv6_gets_its_own_address_of_that() {
    let plan = sample::plan_of(IpFamily::Ipv6);
    // As kubeadm writes it for such a sample.
    let drawn = include_str!("../kubeadm/etcd.yaml").replace("192.0.2.1", "[2001:db8::1]");
    let blueprint = Blueprint { static_pods: vec![("etcd.yaml".to_owned(), drawn)], ..blueprint() };
    let files = blueprint.static_pods(&plan, &plan.nodes[0], &EtcdMembers::Founding).unwrap();
    let etcd = command(&files[1]);
    assert!(etcd.iter().any(|argument| argument == "--advertise-client-urls=https://[fd00:20::a]:2379"), "{etcd:?}");
    assert!(!text(&files[1]).contains("2001:db8::"));
}

#[test]
fn cluster_dns_goes_straight_to_the_api_server_where_pods_have_ipv4() {
    for (family, straight) in [(IpFamily::Ipv4, true), (IpFamily::Dual, true), (IpFamily::Ipv6, false)] {
        let objects = blueprint().objects(&sample::plan_of(family)).unwrap();
        let dns = objects.iter().find(|object| object["kind"] == "Deployment").unwrap();
        let container = &dns["spec"]["template"]["spec"]["containers"][0];
        assert_eq!(!container["env"].is_null(), straight, "{family:?}");
        assert_eq!(container["readinessProbe"]["periodSeconds"], 1);
    }
}

#[test]
fn the_cni_is_told_of_all_pod_subnets() {
    let objects = blueprint().objects(&sample::plan_of(IpFamily::Dual)).unwrap();
    let daemon = objects.iter().find(|object| object["metadata"]["name"] == "kindnet" && object["kind"] == "DaemonSet");
    let environment = &daemon.unwrap()["spec"]["template"]["spec"]["containers"][0]["env"];
    assert_eq!(environment[1]["value"], "10.244.0.0/16,fd00:10:244::/56");
}

#[test]
fn a_cluster_without_a_cni_gets_all_but_that() {
    let names = |plan: &ClusterPlan| {
        let objects = blueprint().objects(plan).unwrap();
        objects.iter().map(|object| object["metadata"]["name"].clone()).collect::<Vec<_>>()
    };
    let mut expected = names(&sample::plan(VERSION));
    expected.retain(|name| name != "kindnet");
    assert_eq!(names(&sample::plan_with_options()), expected);
}

#[test]
fn plans_that_differ_in_names_addresses_and_labels_have_one_sample() {
    let plan = sample::plan(VERSION);
    let mut other = sample::balanced_plan(VERSION);
    other.name = "sam".to_owned();
    for node in &mut other.nodes {
        node.address = [172, 21, 0, 9].into();
        node.options = sample::plan_with_options().nodes[0].options.clone();
    }
    let drawn = |plan: &ClusterPlan| {
        let mut sample = plan.sample();
        sample.options.components.api_server_names.clear();
        kubeadm_configuration(&sample, &sample.nodes[0])
    };
    assert_eq!(text(&drawn(&plan)), text(&drawn(&other)));
    assert_ne!(text(&drawn(&plan)), text(&drawn(&sample::plan_with_options())));
}

#[test]
fn a_static_pod_without_a_command_is_named() {
    let plan = sample::balanced_plan(VERSION);
    let broken = Blueprint { static_pods: vec![("etcd.yaml".to_owned(), "kind: Pod\n".to_owned())], ..blueprint() };
    let error = broken.static_pods(&plan, &plan.nodes[0], &EtcdMembers::Founding).unwrap_err();
    assert_eq!(error.to_string(), "the node image's kubeadm wrote a static pod etcd.yaml without a command");
}
