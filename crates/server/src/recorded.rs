//! What was asked of a cluster, as far as nodes that come later must know it: a label of the cluster's network, which is there before
//! its first node and goes after its last one.

use std::collections::BTreeMap;

use ipnet::IpNet;
use qbo_api::components::Components;
use qbo_api::message::Code;
use qbo_api::settings::{Cni, IpFamily, NodeSettings, Settings, Subnets};
use qbo_bootstrap::{ClusterOptions, NodeOptions, PlanError, Resources, Role};
use serde::{Deserialize, Serialize};

use crate::driver::engine::{Extras, Labels};
use crate::error::Failure;

/// What was asked of a cluster, as JSON.
pub const LABEL_OPTIONS: &str = "io.qbo.options";

/// What was asked of a cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Recorded {
    /// What gives pods their network.
    pub cni: Cni,
    /// Where pods get their addresses from.
    pub pod_subnets: Vec<IpNet>,
    /// Where Services get their addresses from.
    pub service_subnets: Vec<IpNet>,
    /// Feature gates of all components.
    #[serde(default)]
    pub feature_gates: BTreeMap<String, bool>,
    /// What is asked of its components.
    #[serde(flatten)]
    pub components: Components,
    /// What is asked of workers that come later.
    #[serde(default)]
    pub worker: NodeSettings,
    /// What is asked of control planes that come later; none where an earlier version did not record it.
    pub control_plane: Option<NodeSettings>,
}

/// Of a cluster that was asked nothing of; those of earlier versions are such.
impl Default for Recorded {
    fn default() -> Self {
        Self::new(&Settings::default(), (&NodeSettings::default(), &NodeSettings::default()), Components::default())
    }
}

impl Recorded {
    /// What a cluster is asked, and workers and control planes that come later.
    pub fn new(
        settings: &Settings,
        (worker, control_plane): (&NodeSettings, &NodeSettings),
        components: Components,
    ) -> Self {
        let (pod_subnets, service_subnets) = subnets(settings);
        Self {
            cni: settings.cni.unwrap_or_default(),
            pod_subnets,
            service_subnets,
            feature_gates: settings.gates(),
            components,
            worker: worker.clone(),
            control_plane: Some(control_plane.clone()),
        }
    }

    /// Refuses ranges that overlap, where one of them is the usual one that nobody named.
    pub fn refuse_overlap(&self) -> Result<(), Failure> {
        let overlaps =
            |service: &&IpNet| self.pod_subnets.iter().any(|pods| pods.contains(*service) || service.contains(pods));
        let Some(service) = self.service_subnets.iter().find(overlaps) else { return Ok(()) };
        let pods: Vec<String> = self.pod_subnets.iter().map(ToString::to_string).collect();
        let problem = format!("{service} of Services overlaps with {} of pods", pods.join(","));
        Err(Failure::new(
            Code::UNPROCESSABLE,
            problem,
            "take ranges apart from each other: --pod-subnet, --service-subnet",
        ))
    }

    /// As the labels of a network tell it.
    pub fn of_labels(labels: &Labels) -> Result<Self, Failure> {
        let Some(text) = labels.get(LABEL_OPTIONS) else { return Ok(Self::default()) };
        serde_json::from_str(text).map_err(|error| {
            let problem = format!("what was asked of the cluster cannot be read from its network's label: {error}");
            Failure::new(Code::CONFLICT, problem, "another version made it; make a new cluster")
        })
    }

    /// The label that tells it.
    pub fn label(&self) -> (String, String) {
        let text = serde_json::to_string(self).expect("options have a JSON form");
        (LABEL_OPTIONS.into(), text)
    }

    /// What the nodes' files say of it.
    pub fn options(&self) -> ClusterOptions {
        ClusterOptions {
            cni: match self.cni {
                Cni::Kindnet => qbo_bootstrap::Cni::Kindnet,
                Cni::None => qbo_bootstrap::Cni::None,
            },
            feature_gates: self.feature_gates.clone(),
            components: self.components.clone(),
            ..ClusterOptions::default()
        }
    }

    /// What a node of the cluster is asked, for its files and for its container.
    pub fn node(&self, role: Role, settings: &NodeSettings, host: Resources) -> Result<(NodeOptions, Extras), Failure> {
        let limit = Resources {
            cpu_millis: settings.cpus.map_or(0, qbo_api::settings::Cpus::millis),
            memory: settings.memory.map_or(0, qbo_api::settings::Memory::bytes),
        };
        if limit.cpu_millis > host.cpu_millis || limit.memory > host.memory {
            let problem = format!("a node cannot have {}: the host has {}", said(limit), said(host));
            return Err(Failure::new(Code::UNPROCESSABLE, problem, "ask for less: --cpus, --memory"));
        }
        let reserved = Resources::reserved(role, host, limit).map_err(|error| unplannable(&error))?;
        let NodeSettings { labels, taints, untainted, kubelet_flags, .. } = settings.clone();
        let options = NodeOptions { labels, taints, untainted, kubelet_flags, reserved };
        let (mounts, dns_search) = (settings.mounts.clone(), self.components.dns_search.clone());
        Ok((options, Extras { mounts, limit, dns_search, ..Extras::default() }))
    }

    /// Whether nodes need addresses of IPv6.
    pub fn has_ipv6(&self) -> bool {
        self.pod_subnets.iter().any(|subnet| matches!(subnet, IpNet::V6(_)))
    }
}

/// As asked for, or else the usual ones of the same families in the same order.
fn subnets(settings: &Settings) -> (Vec<IpNet>, Vec<IpNet>) {
    let family = match settings.family() {
        IpFamily::Ipv4 => qbo_bootstrap::IpFamily::Ipv4,
        IpFamily::Ipv6 => qbo_bootstrap::IpFamily::Ipv6,
        IpFamily::Dual => qbo_bootstrap::IpFamily::Dual,
    };
    let (pods, services) = (settings.pod_subnets.as_ref(), settings.service_subnets.as_ref());
    let first = pods.or(services).and_then(|subnets| subnets.as_slice().first());
    let reversed = family == qbo_bootstrap::IpFamily::Dual && matches!(first, Some(IpNet::V6(_)));
    let choose = |given: Option<&Subnets>, mut usual: Vec<IpNet>| {
        if reversed {
            usual.reverse();
        }
        given.map_or(usual, |given| given.as_slice().to_vec())
    };
    (choose(pods, family.pod_subnets()), choose(services, family.service_subnets()))
}

fn said(resources: Resources) -> String {
    let cpus = (resources.cpu_millis > 0).then(|| format!("{} thousandths of a processor", resources.cpu_millis));
    let memory = (resources.memory > 0).then(|| format!("{} MiB of memory", resources.memory >> 20));
    cpus.into_iter().chain(memory).collect::<Vec<_>>().join(" and ")
}

/// A plan that cannot become a cluster, and what would be right.
pub fn unplannable(error: &PlanError) -> Failure {
    let cure = match error {
        PlanError::PodSubnetTooSmall { .. } | PlanError::PodSubnetSize { .. } => "give another range: --pod-subnet",
        PlanError::ServiceSubnetSize { .. } => "give another range: --service-subnet",
        PlanError::LimitTooSmall { .. } => "give more: --cpus, --memory",
        PlanError::DualStack { .. } => "take a newer image, or one family: --ip-family",
        PlanError::ProxyMode { .. } => "take a newer image, or another kubeProxyMode",
        PlanError::NoControlPlane | PlanError::Families | PlanError::NodeFamilies { .. } => "",
    };
    Failure::new(Code::UNPROCESSABLE, error.to_string(), cure)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn settings(pods: Option<&str>, services: Option<&str>, family: Option<&str>) -> Settings {
        Settings {
            pod_subnets: pods.map(|text| text.parse().unwrap()),
            service_subnets: services.map(|text| text.parse().unwrap()),
            ip_family: family.map(|text| text.parse().unwrap()),
            ..Settings::default()
        }
    }

    #[test]
    fn subnets_that_are_not_given_follow_those_that_are() {
        for (given, pods, services) in [
            (settings(None, None, None), "10.244.0.0/16", "10.96.0.0/16"),
            (settings(None, None, Some("dual")), "10.244.0.0/16,fd00:10:244::/56", "10.96.0.0/16,fd00:10:96::/112"),
            (settings(Some("fd00:1::/56"), None, None), "fd00:1::/56", "fd00:10:96::/112"),
            (
                settings(None, Some("fd00:2::/112,10.2.0.0/16"), None),
                "fd00:10:244::/56,10.244.0.0/16",
                "fd00:2::/112,10.2.0.0/16",
            ),
        ] {
            let text = |subnets: Vec<IpNet>| subnets.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
            let (found_pods, found_services) = subnets(&given);
            assert_eq!((text(found_pods).as_str(), text(found_services).as_str()), (pods, services));
        }
    }

    #[test]
    fn a_label_tells_what_was_recorded() {
        let mut asked = settings(Some("10.1.0.0/16"), None, None);
        asked.feature_gates = vec!["ImageVolume=true".parse().unwrap()];
        asked.node.labels = vec!["disk=fast".parse().unwrap()];
        asked.node.memory = Some("2Gi".parse().unwrap());
        let components: Components = serde_json::from_value(json!({
            "runtimeConfig": {"api/alpha": "false"},
            "apiServerNames": ["api.example"],
            "proxyMode": "ipvs",
            "dnsSearch": ["example.com"],
            "patches": {"kubelet": [{"maxPods": 50}]},
        }))
        .unwrap();
        let recorded = Recorded::new(&asked, (&asked.node, &asked.node), components);
        assert_eq!(Recorded::of_labels(&Labels::from([recorded.label()])).unwrap(), recorded);
        assert_eq!(Recorded::of_labels(&Labels::new()).unwrap(), Recorded::default());
        let earlier =
            json!({"cni": "none", "podSubnets": ["10.1.0.0/16"], "serviceSubnets": [], "runtimeConfig": {"a": "b"}});
        let earlier = Recorded::of_labels(&Labels::from([(LABEL_OPTIONS.to_owned(), earlier.to_string())])).unwrap();
        assert_eq!((earlier.components.runtime_config["a"].as_str(), earlier.control_plane), ("b", None));
        let broken = Labels::from([(LABEL_OPTIONS.to_owned(), "{".to_owned())]);
        assert_eq!(Recorded::of_labels(&broken).unwrap_err().code, Code::CONFLICT);
    }

    #[test]
    fn a_node_keeps_from_pods_what_its_container_may_not_use() {
        let host = Resources { cpu_millis: 4000, memory: 16 << 30 };
        let node = |cpus: &str, memory: &str| {
            let (cpus, memory) = (Some(cpus.parse().unwrap()), Some(memory.parse().unwrap()));
            Recorded::default().node(Role::Worker, &NodeSettings { cpus, memory, ..NodeSettings::default() }, host)
        };
        let (options, extras) = node("1.5", "2Gi").unwrap();
        assert_eq!(options.reserved, Resources { cpu_millis: 2500, memory: 14 << 30 });
        assert_eq!(extras.limit, Resources { cpu_millis: 1500, memory: 2 << 30 });
        assert!(node("5", "2Gi").unwrap_err().problem.contains("the host has 4000 thousandths"));
        assert!(node("1", "17Gi").unwrap_err().problem.contains("17408 MiB"));
        assert!(node("100m", "2Gi").unwrap_err().problem.contains("the limit of a worker is at least"));
    }
}
