//! What is asked of a cluster at its making: what its nodes get of it, those that come later included, and what is left where it fails.

use ipnet::IpNet;
use qbo_api::message::{Code, Payload};
use qbo_bootstrap::Resources;

use super::nodes::succeed;
use crate::cluster::{LABEL_ADDRESS, LABEL_POD_SUBNETS, LABEL_PORT, LABEL_ROLE, PORT};
use crate::driver::engine::EngineFault;
use crate::driver::fake::{FakeContainer, Manner, Moment, Stage, Trouble};
use crate::execute::fixture::{Cloud, USER};
use crate::provision::STATE_PATH;

const WITH_OPTIONS: &str = "add cluster alex -n 2 --cpus 1500m --memory 2Gi --mount /srv/data:/data:ro --label disk=fast \
                            --taint gpu=yes:NoSchedule --feature-gate ImageVolume=true --pod-subnet 10.61.0.0/16 \
                            --service-subnet 10.62.0.0/16";
const WITH_PORT: &str = "add cluster alex -n 2 -p 127.0.0.1:8080:30080";

fn nodes(cloud: &Cloud) -> Vec<FakeContainer> {
    let mut nodes: Vec<_> = cloud.engine.held().containers.into_values().filter(|found| found.port.is_none()).collect();
    nodes.sort_by_key(|node| node.address);
    nodes
}

fn ports(cloud: &Cloud) -> Vec<FakeContainer> {
    let mut ports: Vec<_> = cloud.engine.held().containers.into_values().filter(|found| found.port.is_some()).collect();
    ports.sort_by_key(|port| port.container.labels[LABEL_PORT].clone());
    ports
}

fn text(node: &FakeContainer, path: &str) -> String {
    String::from_utf8(node.files[path].clone()).unwrap()
}

#[tokio::test(start_paused = true)]
async fn nodes_that_come_later_obey_what_was_asked_of_the_first_ones() {
    let mut cloud = Cloud::new();
    cloud.succeed(WITH_OPTIONS).await;
    // Another server that knows only what Docker holds.
    cloud.restart();
    cloud.answers("alex").await;
    succeed(&cloud, "add node alex").await;
    let found = nodes(&cloud);
    assert_eq!(found.len(), 3);
    for (index, node) in found.iter().enumerate() {
        assert_eq!(node.extras.limit, Resources { cpu_millis: 1500, memory: 2 << 30 });
        assert_eq!(node.extras.mounts, ["/srv/data:/data:ro".parse().unwrap()]);
        assert_eq!(node.container.labels[LABEL_POD_SUBNETS], format!("10.61.{index}.0/24"));
        let kubelet = text(node, "/var/lib/kubelet/config.yaml");
        // The fake host has 4 processors and 16 GiB.
        for line in ["cpu: 2500m", &format!("memory: \"{}\"", 14_u64 << 30), "ImageVolume: true", "10.62.0.10"] {
            assert!(kubelet.contains(line), "{line} of node {index}: {kubelet}");
        }
        let is_worker = index > 0;
        assert_eq!(kubelet.contains("key: gpu"), is_worker, "{kubelet}");
        assert_eq!(text(node, "/var/lib/kubelet/kubeadm-flags.env").contains("--node-labels=disk=fast"), is_worker);
    }
}

#[tokio::test]
async fn a_cluster_of_control_planes_alone_gets_the_labels() {
    let cloud = Cloud::new();
    cloud.succeed("add cluster alex -n 1 --label disk=fast").await;
    assert!(text(&nodes(&cloud)[0], "/var/lib/kubelet/kubeadm-flags.env").contains("--node-labels=disk=fast"));
}

#[tokio::test(start_paused = true)]
async fn nodes_of_both_families_have_an_address_of_each() {
    let cloud = Cloud::new();
    cloud.succeed("add cluster alex -n 2 --ip-family dual").await;
    succeed(&cloud, "add node alex").await;
    let held = cloud.engine.held();
    let network = held.networks.values().find(|network| network.name == "alex").unwrap();
    assert_eq!(network.subnets_v6, ["fd00:0:0:8::/64".parse().unwrap()]);
    let found = nodes(&cloud);
    let addresses: Vec<String> = found.iter().map(|node| node.extras.address_v6.unwrap().to_string()).collect();
    assert_eq!(addresses, ["fd00:0:0:8::a", "fd00:0:0:8::b", "fd00:0:0:8::c"]);
    let subnets: Vec<&String> = found.iter().map(|node| &node.container.labels[LABEL_POD_SUBNETS]).collect();
    assert_eq!(
        subnets,
        ["10.244.0.0/24,fd00:10:244::/64", "10.244.1.0/24,fd00:10:244:1::/64", "10.244.2.0/24,fd00:10:244:2::/64"]
    );
    assert!(text(&found[2], "/var/lib/kubelet/kubeadm-flags.env").contains("--node-ip=198.18.0.12,fd00:0:0:8::c"));
}

#[tokio::test]
async fn the_network_keeps_clear_of_pods_and_services() {
    let cloud = Cloud::new();
    cloud.succeed("add cluster alex -n 1 --pod-subnet 198.18.0.0/20 --service-subnet 198.18.16.0/24").await;
    let subnet: IpNet =
        cloud.engine.held().networks.values().find(|network| network.name == "alex").unwrap().subnets[0].into();
    assert_eq!(subnet.to_string(), "198.18.17.0/24");
}

#[tokio::test]
async fn hosts_without_ipv6_get_no_cluster_with_it() {
    let cloud = Cloud::new();
    cloud.engine.refuse_ipv6("the host's kernel has no IPv6");
    let before = cloud.everything();
    let failure = cloud.fail("add cluster alex --ip-family dual").await;
    assert_eq!(failure.code, Code::UNPROCESSABLE);
    assert_eq!(failure.problem, "clusters with IPv6 are not possible: the host's kernel has no IPv6");
    assert_eq!(cloud.everything(), before);
    cloud.succeed("add cluster alex").await;
}

#[tokio::test]
async fn a_port_has_a_container_of_its_own_from_the_start() {
    let cloud = Cloud::new();
    let ended = cloud.succeed(WITH_PORT).await;
    let found = ports(&cloud);
    let [port] = found.as_slice() else { panic!("{} ports", found.len()) };
    let control_plane = nodes(&cloud)[0].address;
    assert_eq!(port.port, Some(("127.0.0.1:8080:30080".parse().unwrap(), control_plane)));
    assert_eq!(port.container.labels[LABEL_ADDRESS], "198.18.0.254");
    assert!(port.container.running);
    let mut told = ended.messages.iter().filter_map(|message| match &message.payload {
        Payload::Clusters(rows) => Some(rows[0].ports.clone()),
        _ => None,
    });
    assert_eq!(told.next_back().unwrap(), ["127.0.0.1:8080:30080/tcp"]);
    cloud.succeed("delete cluster alex").await;
    assert!(cloud.engine.held().containers.is_empty());
}

#[tokio::test(start_paused = true)]
async fn ports_come_and_go_while_the_cluster_lives() {
    let cloud = Cloud::new();
    cloud.succeed(WITH_PORT).await;
    let before = cloud.everything();
    cloud.succeed("add port alex 9090:90 5353:53/udp").await;
    let rows = || cloud.services.live.glance(USER).cluster_rows()[0].ports.clone();
    assert_eq!(rows(), ["5353:53/udp", "127.0.0.1:8080:30080/tcp", "9090:90/tcp"]);
    let mut addresses: Vec<_> = ports(&cloud).iter().map(|port| port.address).collect();
    addresses.sort_unstable();
    addresses.dedup();
    assert_eq!(addresses.len(), 3);
    cloud.sweep().await;
    assert_eq!(ports(&cloud).len(), 3, "they bear the mark");
    // A node that comes gets none of their addresses.
    succeed(&cloud, "add node alex").await;
    let failure = cloud.fail("delete port alex 9090/udp").await;
    assert_eq!(
        (failure.code, failure.problem.as_str()),
        (Code::NOT_FOUND, "no port 9090/udp of the host leads into cluster 'alex'")
    );
    assert!(failure.cure.contains("9090:90/tcp"));
    cloud.succeed("delete port alex 9090 5353/udp").await;
    assert_eq!(ports(&cloud).len(), before.held.containers.len() - 2);
    assert_eq!(rows(), ["127.0.0.1:8080:30080/tcp"]);
}

#[tokio::test]
async fn a_port_that_is_taken_is_refused_and_leaves_nothing() {
    let cloud = Cloud::new();
    cloud.succeed(WITH_PORT).await;
    cloud.succeed("add cluster sam -n 1").await;
    let before = cloud.everything();
    for (line, problem) in [
        ("add cluster dev -p 8081:80 -p 8080:80", "port 8080/tcp of the host is taken by something else"),
        ("add port sam 8081:80 8080:80", "port 8080/tcp of the host is taken by something else"),
        (
            "add port alex 8081:80 8080:80",
            "port 8080 of the host leads into cluster 'alex' already: 127.0.0.1:8080:30080/tcp",
        ),
    ] {
        let failure = cloud.fail(line).await;
        assert_eq!((failure.code, failure.problem.as_str()), (Code::CONFLICT, problem), "{line}");
        cloud.sweep_if_called().await;
        assert_eq!(cloud.everything(), before, "{line}");
    }
    assert_eq!(cloud.fail("add port nobody 1:1").await.code, Code::NOT_FOUND);
}

#[tokio::test]
async fn a_port_that_the_host_cannot_listen_on_is_refused_in_words_about_it() {
    let docker =
        |words: &str| format!("driver failed programming external connectivity on endpoint port-59f22d45: {words}");
    for (line, words, problem) in [
        (
            "add port alex 9999:9999/sctp",
            "Error starting userland proxy: protocol not supported",
            "the host's kernel lacks the protocol of port 9999/sctp",
        ),
        (
            "add port alex 203.0.113.9:9999:9999",
            "Error starting userland proxy: listen tcp4 203.0.113.9:9999: bind: cannot assign requested address",
            "the host has no address 203.0.113.9 for port 9999/tcp",
        ),
        (
            "add port alex 9999:9999/udp",
            "Error starting userland proxy: listen udp4 0.0.0.0:9999: bind: address already in use",
            "port 9999/udp of the host is taken by something else",
        ),
    ] {
        let cloud = Cloud::new();
        cloud.succeed("add cluster alex -n 1").await;
        let before = cloud.everything();
        cloud.engine.trouble_with("start_container", Trouble::Fails(EngineFault::of_answer(500, docker(words))));
        let failure = cloud.fail(line).await;
        assert_eq!(failure.problem, problem);
        assert!(!failure.cure.is_empty(), "{line}");
        cloud.sweep().await;
        assert_eq!(cloud.everything(), before, "{line}");
    }
}

/// Whichever call fails, even if it was carried out, nothing of the port is left.
#[tokio::test]
async fn a_port_that_cannot_be_added_leaves_nothing_whatever_fails() {
    let line = "add port alex 8080:80 8081:80";
    let calls = {
        let cloud = Cloud::new();
        cloud.succeed("add cluster alex -n 1").await;
        let first = cloud.engine.calls().len();
        cloud.succeed(line).await;
        let calls = cloud.engine.calls();
        (first..calls.len())
            .filter(|index| !calls[*index].starts_with("networks") && !calls[*index].starts_with("containers"))
            .collect::<Vec<_>>()
    };
    assert!(calls.len() >= 6, "two are made, started and marked");
    for index in calls {
        let refused = || EngineFault::Refused { status: 500, message: "device is busy".into() };
        for trouble in [Trouble::Fails(refused()), Trouble::FailsAfterwards(refused())] {
            let cloud = Cloud::new();
            cloud.succeed("add cluster alex -n 1").await;
            let before = cloud.everything();
            cloud.engine.trouble(index, trouble);
            cloud.fail(line).await;
            cloud.sweep().await;
            assert_eq!(cloud.everything(), before, "call {index}");
        }
    }
}

#[tokio::test]
async fn a_port_that_a_killed_server_was_adding_is_removed_at_its_next_start() {
    for call in ["create_port", "start_container", "put_archive"] {
        let mut cloud = Cloud::new();
        cloud.succeed(WITH_PORT).await;
        let before = cloud.everything();
        cloud.engine.trouble_with(call, Trouble::Hangs(Moment::AtOnce));
        tokio::select! {
            ended = cloud.run("add port alex 9090:90") => panic!("{ended:?}"),
            () = cloud.engine.hung() => {}
        }
        let marked = ports(&cloud).iter().any(|port| port.files.contains_key(STATE_PATH));
        cloud.restart();
        cloud.sweep().await;
        if call == "put_archive" {
            assert!(marked);
            assert_eq!(ports(&cloud).len(), 2, "it was complete, though nobody was told");
        } else {
            assert_eq!(cloud.everything(), before, "{call}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_port_goes_with_the_node_it_leads_to() {
    let file = "apiVersion: qbo.io/v1\nkind: Cluster\nname: alex\nnodes:\n- role: control-plane\n- role: worker\n  ports: ['8080:80']\n- role: worker\n";
    // Also where its deletion is interrupted.
    for interrupted in [None, Some("stop_container"), Some("remove_container")] {
        let mut cloud = Cloud::new();
        cloud.succeed_with("add cluster -f cluster.yaml", file).await;
        let target = ports(&cloud)[0].port.map(|(_, target)| target);
        let worker = nodes(&cloud).into_iter().find(|node| Some(node.address) == target).unwrap();
        assert_ne!(worker.container.labels[LABEL_ROLE], PORT);
        let line = format!("delete node {} --force", worker.container.name.split('.').next().unwrap());
        if let Some(call) = interrupted {
            cloud.engine.trouble_with(call, Trouble::Hangs(Moment::Never));
            cloud.cut_off(&line).await;
            cloud.answers("alex").await;
            cloud.sweep().await;
        } else {
            cloud.succeed(&line).await;
        }
        assert!(ports(&cloud).is_empty(), "{interrupted:?}");
        assert_eq!(nodes(&cloud).len(), 2, "{interrupted:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_port_of_several_api_servers_leads_to_the_balancer_and_outlives_each() {
    let file = "apiVersion: kind.x-k8s.io/v1alpha4\nkind: Cluster\nname: alex\nnetworking: {apiServerPort: 6000}\n\
                nodes: [{role: control-plane}, {role: control-plane}, {role: control-plane}]\n";
    let cloud = Cloud::new();
    cloud.succeed_with("add cluster -f cluster.yaml", file).await;
    cloud.succeed("add port alex 7000:6443 8080:80").await;
    let balancer = "198.18.0.2".parse().unwrap();
    let led: Vec<bool> =
        ports(&cloud).iter().map(|port| port.port.map(|(_, target)| target) == Some(balancer)).collect();
    assert_eq!(led.iter().filter(|led| **led).count(), 2);
    let first = cloud.services.live.glance(USER).nodes()[0].name.clone();
    cloud.succeed(&format!("delete node {first} --force")).await;
    assert_eq!(ports(&cloud).len(), 2, "the other one led to that node");
}

#[tokio::test(start_paused = true)]
async fn ports_are_passed_on_by_ipv4_alone() {
    let cloud = Cloud::new();
    let before = cloud.everything();
    let failure = cloud.fail("add cluster alex -n 1 --ip-family dual -p [::1]:8080:80").await;
    assert_eq!(failure.code, Code::UNPROCESSABLE);
    assert!(failure.cure.contains("127.0.0.1"), "{failure}");
    assert_eq!(cloud.everything(), before);
    cloud.succeed("add cluster alex -n 1 --ip-family dual -p 8080:80").await;
    assert!(ports(&cloud)[0].extras.address_v6.is_some());
}

#[tokio::test(start_paused = true)]
async fn an_add_that_takes_too_long_is_undone_or_retained() {
    for retain in [false, true] {
        let cloud = Cloud::new();
        let before = cloud.everything();
        cloud.kubernetes.go(Stage::Ready, Manner::Hangs);
        let began = tokio::time::Instant::now();
        let failure =
            cloud.fail(&format!("add cluster alex --timeout 90s{}", if retain { " --retain" } else { "" })).await;
        assert_eq!(failure.code, Code::TIMEOUT);
        assert!(failure.problem.starts_with("it was not done within 1m30s (not Ready: "), "{failure}");
        assert!((90..92).contains(&began.elapsed().as_secs()));
        assert_eq!(cloud.everything() == before, !retain);
        assert_eq!(failure.cure.contains("kept for looking"), retain, "{failure:?}");
    }
}

#[tokio::test]
async fn nothing_more_is_waited_for_than_is_asked() {
    for (wait, stage, waits) in [
        ("none", Stage::Ready, false),
        ("nodes", Stage::Ready, true),
        ("nodes", Stage::Dns, false),
        ("dns", Stage::Dns, true),
    ] {
        let cloud = Cloud::new();
        cloud.kubernetes.go(stage, Manner::Hangs);
        let line = format!("add cluster alex --wait {wait}");
        let waited = tokio::select! {
            _ = cloud.succeed(&line) => false,
            () = cloud.kubernetes.hung() => true,
        };
        assert_eq!(waited, waits, "{wait}");
    }
}
