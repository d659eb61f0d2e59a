//! The plan the tests share: one control plane, one worker.

use qbo_bootstrap::{ClusterPlan, Endpoint, NodePlan, Role};

pub(crate) fn plan(kubernetes: &str) -> ClusterPlan {
    let node = |name: &str, role, index: u8| NodePlan {
        name: name.to_owned(),
        role,
        address: [172, 20, 0, index + 2].into(),
        pod_subnet: format!("10.244.{index}.0/24").parse().unwrap(),
    };
    ClusterPlan {
        name: "alex".to_owned(),
        id: uuid::Uuid::nil(),
        kubernetes: kubernetes.parse().unwrap(),
        endpoint: Endpoint { host: "192.0.2.7".to_owned(), port: 6443 },
        pod_subnet: "10.244.0.0/16".parse().unwrap(),
        service_subnet: "10.96.0.0/16".parse().unwrap(),
        dns_domain: "cluster.local".to_owned(),
        network_mtu: 1500,
        extra_sans: vec!["api.example".to_owned()],
        nodes: vec![
            node("control-2b251a2c.localhost", Role::ControlPlane, 0),
            node("worker-2b251a2c.localhost", Role::Worker, 1),
        ],
    }
}
