//! The plan the unit tests share.

use uuid::Uuid;

use crate::pod_subnets as shares;
use crate::{ClusterOptions, ClusterPlan, Endpoint, IpFamily, NodeOptions, NodePlan, Role};

/// A cluster of one control plane and `nodes - 1` workers.
pub(crate) fn cluster(kubernetes: &str, nodes: u8) -> ClusterPlan {
    let pod_subnets = IpFamily::Ipv4.pod_subnets();
    let node = |(index, pod_subnets)| NodePlan {
        name: match index {
            0 => "control-2b251a2c.localhost".to_owned(),
            _ => format!("worker-{index}.localhost"),
        },
        role: if index == 0 { Role::ControlPlane } else { Role::Worker },
        address: [172, 20, 0, index + 10].into(),
        address_v6: None,
        pod_subnets,
        options: NodeOptions::default(),
    };
    ClusterPlan {
        name: "alex".to_owned(),
        id: Uuid::nil(),
        kubernetes: kubernetes.parse().unwrap(),
        endpoint: Endpoint { host: "172.20.0.10".to_owned(), port: 6443 },
        balancer_address: [172, 20, 0, 2].into(),
        pod_subnets: pod_subnets.clone(),
        service_subnets: IpFamily::Ipv4.service_subnets(),
        dns_domain: "cluster.local".to_owned(),
        network_mtu: 1500,
        options: ClusterOptions::default(),
        nodes: (0..nodes).zip(shares(&pod_subnets, usize::from(nodes)).unwrap()).map(node).collect(),
    }
}
