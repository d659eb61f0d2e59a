//! The plans the tests share.

use qbo_bootstrap::{
    ClusterOptions, ClusterPlan, Cni, Components, Endpoint, IpFamily, LocalRegistry, NodeOptions, NodePlan, Patches,
    ProxyMode, Registry, Resources, Role, pod_subnets,
};
use serde_json::json;

/// One control plane, one worker.
pub(crate) fn plan(kubernetes: &str) -> ClusterPlan {
    ClusterPlan {
        name: "alex".to_owned(),
        id: uuid::Uuid::nil(),
        kubernetes: kubernetes.parse().unwrap(),
        endpoint: Endpoint { host: "192.0.2.7".to_owned(), port: 6443 },
        balancer_address: [172, 20, 0, 2].into(),
        pod_subnets: IpFamily::Ipv4.pod_subnets(),
        service_subnets: IpFamily::Ipv4.service_subnets(),
        dns_domain: "cluster.local".to_owned(),
        network_mtu: 1500,
        options: ClusterOptions {
            components: Components { api_server_names: vec!["api.example".to_owned()], ..Components::default() },
            ..ClusterOptions::default()
        },
        nodes: vec![
            node("control-2b251a2c.localhost", Role::ControlPlane, 0),
            node("worker-2b251a2c.localhost", Role::Worker, 1),
        ],
    }
}

/// Three control planes behind a balancer, one worker.
pub(crate) fn balanced_plan(kubernetes: &str) -> ClusterPlan {
    let plan = plan(kubernetes);
    ClusterPlan {
        endpoint: Endpoint { host: plan.balancer_address.to_string(), port: 6443 },
        nodes: vec![
            node("control-2b251a2c.localhost", Role::ControlPlane, 0),
            node("control-11111111.localhost", Role::ControlPlane, 1),
            node("control-22222222.localhost", Role::ControlPlane, 2),
            node("worker-2b251a2c.localhost", Role::Worker, 3),
        ],
        ..plan
    }
}

/// One control plane, one worker, with addresses of this family.
pub(crate) fn plan_of(family: IpFamily) -> ClusterPlan {
    let mut plan = plan("v1.37.2");
    (plan.pod_subnets, plan.service_subnets) = (family.pod_subnets(), family.service_subnets());
    let shares = pod_subnets(&plan.pod_subnets, plan.nodes.len()).unwrap();
    for ((node, shares), index) in plan.nodes.iter_mut().zip(shares).zip(10..) {
        node.address_v6 = (family != IpFamily::Ipv4).then(|| [0xfd00, 0x20, 0, 0, 0, 0, 0, index].into());
        node.pod_subnets = shares;
    }
    plan
}

/// One control plane, one worker, with everything that may be asked for.
pub(crate) fn plan_with_options() -> ClusterPlan {
    let mut plan = plan("v1.37.2");
    plan.options = ClusterOptions {
        cni: Cni::None,
        feature_gates: [("AllBeta".to_owned(), true), ("AnonymousAuth".to_owned(), false)].into(),
        components: Components {
            runtime_config: [("api/alpha".to_owned(), "false".to_owned())].into(),
            api_server_names: vec!["api.example".to_owned()],
            proxy_mode: ProxyMode::Ipvs,
            dns_search: None,
            patches: Patches {
                cluster: vec![json!({
                    "apiServer": {"extraArgs": [{"name": "audit-log-path", "value": "-"}]},
                    "etcd": {"local": {"extraArgs": [{"name": "quota-backend-bytes", "value": "1073741824"}]}},
                    "scheduler": {"extraArgs": [{"name": "leader-elect", "value": "true"}, {"name": "v", "value": "4"}]},
                })],
                kubelet: vec![json!({"maxPods": 50, "imageGCHighThresholdPercent": null})],
                proxy: vec![json!({"conntrack": {"min": 0}, "ipvs": {"scheduler": "lc"}})],
                containerd: Vec::new(),
            },
        },
        containerd: Some("version = 3\n".to_owned()),
        registries: vec![Registry::new("localhost:5001", &["http://172.20.0.1:5000"]).unwrap()],
        local_registry: Some(LocalRegistry {
            host: "localhost:5001".to_owned(),
            host_from_container_runtime: None,
            host_from_cluster_network: Some("172.20.0.1:5000".to_owned()),
        }),
    };
    for node in &mut plan.nodes {
        node.options = NodeOptions {
            labels: ["disk=fast", "node-role.kubernetes.io/storage="].map(|label| label.parse().unwrap()).into(),
            taints: vec!["disk=slow:PreferNoSchedule".parse().unwrap()],
            untainted: true,
            kubelet_flags: [("v".to_owned(), "4".to_owned())].into(),
            reserved: Resources { cpu_millis: 6500, memory: 15_032_385_536 },
        };
    }
    plan
}

/// The node with this index among the cluster's addresses and pod subnets.
pub(crate) fn node(name: &str, role: Role, index: u8) -> NodePlan {
    NodePlan {
        name: name.to_owned(),
        role,
        address: [172, 20, 0, index + 10].into(),
        address_v6: None,
        pod_subnets: vec![format!("10.244.{index}.0/24").parse().unwrap()],
        options: NodeOptions::default(),
    }
}
