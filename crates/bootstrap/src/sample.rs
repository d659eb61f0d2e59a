//! The plan the unit tests share.

use uuid::Uuid;

use crate::{ClusterPlan, Endpoint, NodePlan, Role, pod_subnets};

/// A cluster of one control plane and `nodes - 1` workers.
pub(crate) fn cluster(kubernetes: &str, nodes: u8) -> ClusterPlan {
    let pod_subnet = "10.244.0.0/16".parse().unwrap();
    let node = |(index, pod_subnet)| NodePlan {
        name: match index {
            0 => "control-2b251a2c.localhost".to_owned(),
            _ => format!("worker-{index}.localhost"),
        },
        role: if index == 0 { Role::ControlPlane } else { Role::Worker },
        address: [172, 20, 0, index + 2].into(),
        pod_subnet,
    };
    ClusterPlan {
        name: "alex".to_owned(),
        id: Uuid::nil(),
        kubernetes: kubernetes.parse().unwrap(),
        endpoint: Endpoint { host: "172.20.0.2".to_owned(), port: 6443 },
        pod_subnet,
        service_subnet: "10.96.0.0/16".parse().unwrap(),
        dns_domain: "cluster.local".to_owned(),
        network_mtu: 1500,
        extra_sans: Vec::new(),
        nodes: (0..nodes).zip(pod_subnets(pod_subnet, usize::from(nodes)).unwrap()).map(node).collect(),
    }
}
