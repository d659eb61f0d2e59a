//! What somebody may ask of a cluster or of a node beyond its shape.

use std::collections::BTreeMap;

use crate::{Components, Label, LocalRegistry, PlanError, Registry, Role, Taint};

/// What may be asked of a cluster; nothing of it by default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClusterOptions {
    /// What gives pods their network.
    pub cni: Cni,
    /// Feature gates of all components, by name.
    pub feature_gates: BTreeMap<String, bool>,
    /// What is asked of its components beyond these.
    pub components: Components,
    /// containerd's configuration; none where the node image's own serves.
    pub containerd: Option<String>,
    /// How nodes reach registries.
    pub registries: Vec<Registry>,
    /// The registry that people push to from the host.
    pub local_registry: Option<LocalRegistry>,
}

/// What gives pods their network.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Cni {
    /// The node image's own.
    #[default]
    Kindnet,
    /// Nothing yet: nodes are not Ready before somebody applies one.
    None,
}

/// What may be asked of a node; nothing of it by default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NodeOptions {
    /// Labels, besides those that tell its role.
    pub labels: Vec<Label>,
    /// Taints, besides those of a control plane.
    pub taints: Vec<Taint>,
    /// Whether it goes without those of a control plane.
    pub untainted: bool,
    /// Further flags of its kubelet, by name.
    pub kubelet_flags: BTreeMap<String, String>,
    /// What of its host it keeps from pods.
    pub reserved: Resources,
}

/// Processors and memory.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Resources {
    /// Thousandths of a processor.
    pub cpu_millis: u64,
    /// Bytes.
    pub memory: u64,
}

impl Resources {
    /// What a node keeps from pods so that they get `limit` of its host, of which a kubelet sees all even where its container has a
    /// limit of its own. Zero in a limit is none.
    pub fn reserved(role: Role, host: Self, limit: Self) -> Result<Self, PlanError> {
        let least = Self::least(role);
        let is_enough = |limit: u64, least: u64| limit == 0 || limit >= least;
        if !is_enough(limit.cpu_millis, least.cpu_millis) || !is_enough(limit.memory, least.memory) {
            return Err(PlanError::LimitTooSmall { role, least });
        }
        let reserved = |host: u64, limit: u64| if limit == 0 { 0 } else { host.saturating_sub(limit) };
        Ok(Self {
            cpu_millis: reserved(host.cpu_millis, limit.cpu_millis),
            memory: reserved(host.memory, limit.memory),
        })
    }

    /// What the pods of every cluster need on a node: static pods ask for 650 thousandths, cluster DNS and the network for more.
    const fn least(role: Role) -> Self {
        match role {
            Role::ControlPlane => Self { cpu_millis: 1000, memory: 1 << 30 },
            Role::Worker => Self { cpu_millis: 200, memory: 128 << 20 },
        }
    }
}

impl std::fmt::Display for Resources {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}m of CPU and {} MiB of memory", self.cpu_millis, self.memory >> 20)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOST: Resources = Resources { cpu_millis: 8000, memory: 16 << 30 };

    #[test]
    fn a_node_keeps_what_is_beyond_its_limit() {
        let reserved = |cpu_millis, memory| Resources::reserved(Role::Worker, HOST, Resources { cpu_millis, memory });
        assert_eq!(reserved(1500, 2 << 30), Ok(Resources { cpu_millis: 6500, memory: 14 << 30 }));
        assert_eq!(reserved(0, 2 << 30), Ok(Resources { cpu_millis: 0, memory: 14 << 30 }));
        assert_eq!(reserved(9000, 0), Ok(Resources::default()));
    }

    #[test]
    fn a_limit_that_leaves_no_room_for_a_nodes_own_pods_is_refused() {
        for (role, cpu_millis, memory, good) in [
            (Role::ControlPlane, 1000, 1 << 30, true),
            (Role::ControlPlane, 999, 1 << 30, false),
            (Role::ControlPlane, 1000, (1 << 30) - 1, false),
            (Role::Worker, 200, 128 << 20, true),
            (Role::Worker, 199, 0, false),
        ] {
            let reserved = Resources::reserved(role, HOST, Resources { cpu_millis, memory });
            assert_eq!(reserved.is_ok(), good, "{role:?} {cpu_millis} {memory}");
        }
        let refused = Resources::reserved(Role::ControlPlane, HOST, Resources { cpu_millis: 1, memory: 0 });
        assert_eq!(
            refused.unwrap_err().to_string(),
            "the limit of a control plane is at least 1000m of CPU and 1024 MiB of memory"
        );
    }
}
