//! What a control plane's static pods are told beyond what kubeadm writes for the only node of a sample: who else there is.

use std::net::IpAddr;

use serde_json::Value;

use crate::{ClusterPlan, NodePlan, yaml};

const PEER_PORT: u16 = 2380;

/// Who the members of etcd are when that of a control plane starts for the first time. Later it finds them in its own data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EtcdMembers {
    /// All control planes of the plan, which found etcd together.
    Founding,
    /// Those that run, which must have been told of the new one before it starts (`etcdctl member add`), and the new one itself.
    Joining {
        /// Those that run.
        existing: Vec<EtcdMember>,
    },
}

/// A member of etcd.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EtcdMember {
    /// The name of its node.
    pub name: String,
    /// The address of its node.
    pub address: IpAddr,
}

impl EtcdMember {
    /// Where the other members reach it.
    pub fn peer_url(&self) -> String {
        format!("https://{}", std::net::SocketAddr::new(self.address, PEER_PORT))
    }
}

impl From<&NodePlan> for EtcdMember {
    fn from(node: &NodePlan) -> Self {
        Self { name: node.name.clone(), address: node.advertised_address() }
    }
}

impl EtcdMembers {
    /// Arguments of the etcd of `node`: none for the only member, of which kubeadm's own say enough.
    pub(crate) fn arguments(&self, plan: &ClusterPlan, node: &NodePlan) -> Vec<(&'static str, String)> {
        let (members, state) = match self {
            Self::Founding => (plan.control_planes().map(EtcdMember::from).collect(), "new"),
            Self::Joining { existing } => ([existing.as_slice(), &[node.into()]].concat(), "existing"),
        };
        if members.len() == 1 {
            return Vec::new();
        }
        let members: Vec<_> = members.iter().map(|member| format!("{}={}", member.name, member.peer_url())).collect();
        vec![("initial-cluster", members.join(",")), ("initial-cluster-state", state.to_owned())]
    }
}

/// Arguments of the controller manager and of the scheduler: of several, one at a time works.
pub(crate) fn election_arguments(plan: &ClusterPlan) -> Vec<(&'static str, String)> {
    let several = plan.control_planes().count() > 1;
    if several { vec![("leader-elect", "true".to_owned())] } else { Vec::new() }
}

/// The manifest with these arguments instead of those of the same names. `None` where it is no pod with a command.
pub(crate) fn set_arguments(manifest: &str, arguments: Vec<(&str, String)>) -> Option<String> {
    let mut pod = yaml::parse_all(manifest).ok()?.into_iter().next()?;
    let command = pod.pointer_mut("/spec/containers/0/command")?.as_array_mut()?;
    for (name, value) in arguments {
        let flag = format!("--{name}");
        command.retain(|given| given.as_str().and_then(|given| given.split('=').next()) != Some(&flag));
        command.push(Value::String(format!("{flag}={value}")));
    }
    Some(yaml::print(&pod))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Role, sample};

    #[test]
    fn founders_name_each_other_and_a_newcomer_those_that_run() {
        let mut plan = sample::cluster("v1.37.2", 3);
        assert_eq!(EtcdMembers::Founding.arguments(&plan, &plan.nodes[0]), []);
        plan.nodes[1].role = Role::ControlPlane;
        let peers = "control-2b251a2c.localhost=https://172.20.0.10:2380,worker-1.localhost=https://172.20.0.11:2380";
        let arguments =
            |state: &str| vec![("initial-cluster", peers.to_owned()), ("initial-cluster-state", state.to_owned())];
        for node in &plan.nodes[..2] {
            assert_eq!(EtcdMembers::Founding.arguments(&plan, node), arguments("new"));
        }
        let joining = EtcdMembers::Joining { existing: vec![EtcdMember::from(&plan.nodes[0])] };
        assert_eq!(joining.arguments(&plan, &plan.nodes[1]), arguments("existing"));
    }

    #[test]
    fn peers_of_ipv6_are_in_brackets() {
        let member = EtcdMember { name: "control".to_owned(), address: "2001:db8::a".parse().unwrap() };
        assert_eq!(member.peer_url(), "https://[2001:db8::a]:2380");
    }

    #[test]
    fn an_argument_replaces_those_of_its_name_alone() {
        let manifest =
            "spec:\n  containers:\n  - command:\n    - etcd\n    - --name=a\n    - --name-space=b\n    - --name\n";
        let changed = set_arguments(manifest, vec![("name", "c=d".to_owned()), ("new", "e".to_owned())]).unwrap();
        let pod = &yaml::parse_all(&changed).unwrap()[0];
        assert_eq!(
            pod["spec"]["containers"][0]["command"],
            serde_json::json!(["etcd", "--name-space=b", "--name=c=d", "--new=e"])
        );
    }

    #[test]
    fn what_is_no_pod_with_a_command_is_refused() {
        for manifest in ["", "a: [", "kind: Pod", "spec:\n  containers: []"] {
            assert_eq!(set_arguments(manifest, Vec::new()), None, "{manifest}");
        }
    }
}
