//! A cluster as it is wanted: what a command line and its file say, together and without contradiction.

use crate::command::{AddCluster, ControlPlaneCount, NodeCount};
use crate::components::Components;
use crate::file::ClusterFile;
use crate::image::ImageReference;
use crate::name::Domain;
use crate::settings::{Cni, HostMount, IpFamily, NodeSettings, PortMapping, Settings, Wait};

/// A cluster as it is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// The node image; the server's default where none is named.
    pub image: Option<ImageReference>,
    /// The domain of the nodes' names.
    pub domain: Domain,
    /// Keep what was made when the add fails.
    pub retain: bool,
    /// Its nodes, control planes first; at least one of those.
    pub members: Vec<Member>,
    /// What is asked of workers that come later.
    pub later: NodeSettings,
    /// What is asked of control planes that come later: their files may be those of the first.
    pub later_control_plane: NodeSettings,
    /// What is asked of the whole.
    pub settings: Settings,
    /// What is asked of its components.
    pub components: Components,
}

/// A node as it is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Whether it is a control plane.
    pub control_plane: bool,
    /// Ports of the host that lead to it.
    pub ports: Vec<PortMapping>,
    /// What else is asked of it.
    pub settings: NodeSettings,
}

/// Two wishes that cannot both come true.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{problem}; {cure}")]
pub struct Conflict {
    /// The option at fault, by its long name.
    pub option: &'static str,
    /// What is wrong.
    pub problem: String,
    /// What would be right.
    pub cure: String,
}

impl Conflict {
    pub(crate) fn new(option: &'static str, problem: impl Into<String>, cure: impl Into<String>) -> Self {
        Self { option, problem: problem.into(), cure: cure.into() }
    }
}

impl AddCluster {
    /// What the command line and its file say together; the line wins where both say something.
    pub fn wanted(&self) -> Result<Wanted, Conflict> {
        let nothing = ClusterFile::default();
        let file = self.contents.as_deref().unwrap_or(&nothing);
        let settings = self.settings.over(&file.settings);
        let later = settings.node.clone();
        let mut members = self.members(file, &later)?;
        for (index, member) in members.iter_mut().enumerate() {
            let more = if index == 0 { &file.first } else { &file.rest };
            member.settings = member.settings.over(more);
        }
        let later = later.over(&file.rest);
        let mounts = members[0].settings.mounts.clone();
        let later_control_plane = NodeSettings { mounts, ..settings.node.without_scheduling().over(&file.rest) };
        let wanted = Wanted {
            image: self.image.clone().or_else(|| file.image.clone()),
            domain: self.domain.clone().or_else(|| file.domain.clone()).unwrap_or_default(),
            retain: self.retain || file.retain,
            members,
            later,
            later_control_plane,
            settings,
            components: file.components.clone(),
        };
        if self.names.len() > 1 && wanted.ports().next().is_some() {
            return Err(Conflict::new(
                "port",
                "a port of the host leads into one cluster only",
                "make one after the other",
            ));
        }
        wanted.check()?;
        Ok(wanted)
    }

    fn members(&self, file: &ClusterFile, later: &NodeSettings) -> Result<Vec<Member>, Conflict> {
        if file.members.is_empty() {
            let control_planes = self.control_planes.or(file.control_planes).unwrap_or_default().get();
            let given = self.nodes.or(file.nodes);
            let nodes = given.map_or_else(|| NodeCount::default().get().max(control_planes), NodeCount::get);
            if nodes < control_planes {
                let problem = format!("{nodes} nodes are too few for {control_planes} control planes");
                return Err(Conflict::new("nodes", problem, "-n counts all nodes, control planes included"));
            }
            let alone = nodes == control_planes;
            let member = |index| Member {
                control_plane: index < control_planes,
                ports: Vec::new(),
                settings: usual(later, index < control_planes, alone),
            };
            return Ok((0..nodes).map(member).collect());
        }
        for (given, option) in [(self.nodes.is_some(), "nodes"), (self.control_planes.is_some(), "control-planes")] {
            if given {
                let problem = format!("the file lists each node, and --{option} says how many");
                return Err(Conflict::new(option, problem, "leave out one of the two"));
            }
        }
        let alone = file.members.iter().all(|member| member.control_plane);
        let mut members: Vec<Member> =
            file.members
                .iter()
                .map(|member| Member {
                    // The command line wins over what the file says of a node, and that over what it says of all.
                    settings: usual(&self.settings.node, member.control_plane, alone)
                        .over(&member.settings)
                        .over(&usual(later, member.control_plane, alone)),
                    ..member.clone()
                })
                .collect();
        members.sort_by_key(|member| !member.control_plane);
        Ok(members)
    }
}

/// Of what is said of all nodes, what is for one of this kind. Control planes take pods only where nothing else does; a taint would leave
/// those nowhere to go.
fn usual(settings: &NodeSettings, control_plane: bool, alone: bool) -> NodeSettings {
    match (control_plane, alone) {
        (true, false) => settings.without_scheduling(),
        (true, true) => NodeSettings { taints: Vec::new(), ..settings.clone() },
        (false, _) => settings.clone(),
    }
}

impl Wanted {
    /// All ports of the host that lead into it.
    pub fn ports(&self) -> impl Iterator<Item = &PortMapping> {
        self.settings.ports.iter().chain(self.members.iter().flat_map(|member| &member.ports))
    }

    /// How many of its nodes are control planes.
    pub fn control_planes(&self) -> ControlPlaneCount {
        let count = self.members.iter().filter(|member| member.control_plane).count();
        u16::try_from(count).ok().and_then(ControlPlaneCount::new).unwrap_or_default()
    }

    fn check(&self) -> Result<(), Conflict> {
        self.check_ports()?;
        self.check_nodes()?;
        self.check_subnets()?;
        let settings = &self.settings;
        if let (Some(Cni::None), Some(wait @ (Wait::Nodes | Wait::Dns))) = (settings.cni, settings.wait) {
            let problem = format!("without a CNI no node becomes Ready, and --wait {wait} would wait in vain");
            return Err(Conflict::new("wait", problem, "write --wait none, apply a CNI, then look: qbo get nodes -w"));
        }
        Ok(())
    }

    fn check_ports(&self) -> Result<(), Conflict> {
        let ports: Vec<&PortMapping> = self.ports().collect();
        if ports.len() > PortMapping::LIMIT {
            let cure = format!("at most {} lead into one cluster", PortMapping::LIMIT);
            return Err(Conflict::new("port", format!("{} ports are too many", ports.len()), cure));
        }
        for (index, port) in ports.iter().enumerate() {
            if ports[..index].iter().any(|other| port.is_in_the_way_of(other)) {
                let problem = format!("port {}/{} of the host is asked for twice", port.host, port.protocol.as_str());
                return Err(Conflict::new("port", problem, "each leads to one port of one node"));
            }
        }
        if !ports.is_empty() && self.settings.family() == IpFamily::Ipv6 {
            let problem = "ports lead to nodes over IPv4, at which a cluster of IPv6 alone serves nothing";
            return Err(Conflict::new("port", problem, "leave them out, or write --ip-family dual"));
        }
        Ok(())
    }

    fn check_nodes(&self) -> Result<(), Conflict> {
        let alone = self.members.iter().all(|member| member.control_plane);
        if alone && !self.settings.node.taints.is_empty() {
            let problem = "taints are for workers, and all nodes are control planes";
            return Err(Conflict::new("taint", problem, "ask for more nodes: -n"));
        }
        let all = self.members.iter().map(|member| &member.settings).chain([&self.later]);
        for node in all {
            let keys = |mount: &HostMount| mount.node.clone();
            if let Some(path) = twice(&node.mounts, keys) {
                return Err(Conflict::new("mount", format!("'{path}' of a node is mounted twice"), "once is possible"));
            }
            if let Some(key) = twice(&node.labels, |label| label.pair().0.to_owned()) {
                return Err(Conflict::new("label", format!("label '{key}' is given twice"), "a node has one of a key"));
            }
            let identity = |taint: &crate::label::Taint| {
                let (key, effect) = taint.identity();
                format!("{key}:{effect}")
            };
            if let Some(taint) = twice(&node.taints, identity) {
                let cure = "a node has one of a key and an effect";
                return Err(Conflict::new("taint", format!("taint '{taint}' is given twice"), cure));
            }
        }
        if let Some(name) = twice(&self.settings.feature_gates, |gate| gate.name.clone()) {
            return Err(Conflict::new("feature-gate", format!("'{name}' is given twice"), "it is on or off"));
        }
        Ok(())
    }

    fn check_subnets(&self) -> Result<(), Conflict> {
        let Settings { pod_subnets, service_subnets, ip_family, .. } = &self.settings;
        for (option, subnets) in [("pod-subnet", pod_subnets), ("service-subnet", service_subnets)] {
            if let (Some(family), Some(subnets)) = (ip_family, subnets)
                && subnets.family() != *family
            {
                let problem = format!("{subnets} is not of the family {family}");
                let cure = "one range for ipv4 or ipv6, two with a comma between for dual";
                return Err(Conflict::new(option, problem, cure));
            }
        }
        let (Some(pods), Some(services)) = (pod_subnets, service_subnets) else { return Ok(()) };
        if !pods.is_like(services) {
            let problem = format!("pods in {pods} and Services in {services} are not of the same families");
            return Err(Conflict::new("service-subnet", problem, "give both one range of each, in the same order"));
        }
        if let Some(subnet) = services.overlap(pods) {
            let problem = format!("{subnet} of Services overlaps with {pods} of pods");
            return Err(Conflict::new("service-subnet", problem, "take ranges apart from each other"));
        }
        Ok(())
    }
}

/// What several have in common and should not.
fn twice<T>(list: &[T], key: impl Fn(&T) -> String) -> Option<String> {
    let keys: Vec<String> = list.iter().map(key).collect();
    let repeated = keys.iter().enumerate().find(|(index, key)| keys[..*index].contains(key));
    repeated.map(|(_, key)| key.clone())
}
