//! What can be asked of qbo: one typed command for every row of the grammar, printed by `Display` in the form
//! that [`crate::grammar::parse`] reads back.

mod print;

use uuid::Uuid;

use crate::file::{ClusterFile, FileError, FileName};
use crate::image::ImageReference;
use crate::message::{Subcommand, Verb};
use crate::name::{
    ClientReference, ClusterName, ClusterReference, CommandReference, Domain, ImageSelector, LocalPath, NodeReference,
    ObjectReference, UserReference,
};
use crate::registry::{RegistryAddress, RegistryName};
use crate::settings::{PortMapping, PortReference, Settings, Timeout};
use crate::terminal::{OpenRequest, TerminalKind};

/// A command, complete and valid in itself; whether its objects exist is known only where it is executed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// `version`: of the API and of Docker.
    Version,
    /// `add cluster`: make clusters.
    AddCluster(Box<AddCluster>),
    /// `add port`: lead ports of the host into a living cluster.
    AddPort(AddPort),
    /// `add image`: build or pull node images.
    AddImage(AddImage),
    /// `add registry`: let clusters pull from registries of the host or beyond.
    AddRegistry(AddRegistry),
    /// `load image`: bring images of the host's Docker into all nodes of clusters.
    LoadImage(LoadImage),
    /// `export kubeconfig`: kubeconfigs for the client to merge into its own.
    ExportKubeconfig(Clusters),
    /// `export logs`: all that tells what happened in clusters, for the client to write down.
    ExportLogs(ExportLogs),
    /// `get cluster`: list clusters, or print a kubeconfig.
    GetCluster(GetCluster),
    /// `get nodes`: list nodes.
    GetNodes(Get),
    /// `get pods`: list pods.
    GetPods(Get),
    /// `get services`: list the ports of Services.
    GetServices(Get),
    /// `get networks`: list networks.
    GetNetworks(GetNetworks),
    /// `get images`: list node images.
    GetImages(GetImages),
    /// `get registries`: list the registries that clusters know.
    GetRegistries(GetRegistries),
    /// `get clients`: list connections.
    GetClients(GetClients),
    /// `get usage`: what nodes and pods use.
    GetUsage(Get),
    /// `delete cluster`: remove clusters with all that belongs to them.
    DeleteCluster(Clusters),
    /// `delete registry`: have clusters forget registries.
    DeleteRegistry(DeleteRegistry),
    /// `delete port`: lead ports of the host into a cluster no longer.
    DeletePort(DeletePort),
    /// `start cluster`: start all nodes of stopped clusters.
    StartCluster(Clusters),
    /// `stop cluster`: stop all nodes of clusters, which keep what they hold.
    StopCluster(Clusters),
    /// `add node`: bring new nodes into clusters.
    AddNode(AddNode),
    /// `delete node`: drain nodes, take them out of their clusters and remove them.
    DeleteNode(DeleteNode),
    /// `start node`: start stopped nodes.
    StartNode(Nodes),
    /// `stop node`: stop nodes, which keep what they hold.
    StopNode(Nodes),
    /// `join mirror`: be told what happens in mirrors.
    JoinMirror(Mirrors),
    /// `leave mirror`: be told no longer.
    LeaveMirror(Mirrors),
    /// `admit user`: let others into a mirror.
    AdmitUser(AdmitUser),
    /// `logs`: the server's own.
    Logs(Logs),
    /// `logs POD`: a pod's.
    PodLogs(PodLogs),
    /// `open shell`: a shell of one's own.
    OpenShell,
    /// `open node`: a shell in a node.
    OpenNode(OpenNode),
    /// `open pod`: a shell in a pod.
    OpenPod(PodPlace),
    /// `test host`: whether this host can carry clusters.
    TestHost,
    /// `cancel command`: stop running commands and undo what they did.
    Cancel(Cancel),
}

/// `add cluster NAME… [-f FILE] [-i IMAGE] [-n NODES] [--control-planes NODES] [-d DOMAIN] [--retain]`, and all of [`Settings`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddCluster {
    /// The clusters to make, each the same way; none only where the file names one.
    pub names: Vec<ClusterName>,
    /// The file that says more, as its owner calls it.
    pub file: Option<FileName>,
    /// What that file says; it comes beside the line.
    pub contents: Option<Box<ClusterFile>>,
    /// The node image; the server's default where none is given.
    pub image: Option<ImageReference>,
    /// Nodes in total, control planes included.
    pub nodes: Option<NodeCount>,
    /// How many of them are control planes.
    pub control_planes: Option<ControlPlaneCount>,
    /// The domain of the nodes' names.
    pub domain: Option<Domain>,
    /// Keep what was made when the add fails, for looking.
    pub retain: bool,
    /// What else is asked of it.
    pub settings: Settings,
}

/// `add port CLUSTER PORT…`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddPort {
    /// The cluster they lead into.
    pub cluster: ClusterReference,
    /// The ports; at least one.
    pub ports: Vec<PortMapping>,
}

/// `delete port CLUSTER PORT…`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeletePort {
    /// The cluster they lead into.
    pub cluster: ClusterReference,
    /// The ports of the host; at least one.
    pub ports: Vec<PortReference>,
}

/// `add image IMAGE…`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddImage {
    /// The images to build or pull; at least one.
    pub images: Vec<ImageReference>,
}

/// `add registry NAME… [--at ADDRESS]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddRegistry {
    /// The registries, as names of images begin with them; at least one.
    pub registries: Vec<RegistryName>,
    /// Where they are found; under their own names where nothing is said.
    pub at: Option<RegistryAddress>,
}

/// `delete registry NAME…`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeleteRegistry {
    /// The registries; at least one.
    pub registries: Vec<RegistryName>,
}

/// `get registries [-w]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GetRegistries {
    /// Go on with what changes.
    pub watch: bool,
}

/// `load image IMAGE… -c CLUSTER[,CLUSTER…] | -A`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadImage {
    /// The images, of the host's Docker; at least one.
    pub images: Vec<ImageReference>,
    /// The clusters whose nodes get them.
    pub clusters: Selection<ClusterReference>,
}

/// `export logs CLUSTER… | -A [-d DIRECTORY]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportLogs {
    /// The clusters.
    pub selection: Selection<ClusterReference>,
    /// Where the client writes them; it keeps this to itself.
    pub directory: Option<LocalPath>,
}

/// `get cluster [CLUSTER…] [-A] [-k] [-w]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GetCluster {
    /// Which clusters.
    pub selection: Selection<ClusterReference>,
    /// Print kubeconfigs instead of rows.
    pub kubeconfig: bool,
    /// Go on with what changes.
    pub watch: bool,
}

/// `get nodes|pods|services [NAME…] [-A] [-w]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Get {
    /// Which objects, or those of which clusters.
    pub selection: Selection<ObjectReference>,
    /// Go on with what changes.
    pub watch: bool,
}

/// `get networks [CLUSTER…] [-A] [-H] [-w]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GetNetworks {
    /// The clusters whose networks are listed.
    pub selection: Selection<ObjectReference>,
    /// The host's networks instead.
    pub host: bool,
    /// Go on with what changes.
    pub watch: bool,
}

/// `get images [IMAGE…] [-A] [-w]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GetImages {
    /// Which of them.
    pub selection: Selection<ImageSelector>,
    /// Images of the registry besides those this host holds.
    pub all: bool,
    /// Go on with what changes.
    pub watch: bool,
}

/// `get clients [CLIENT… | -A] [-w]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GetClients {
    /// Which of them.
    pub selection: Selection<ClientReference>,
    /// Go on with what changes.
    pub watch: bool,
}

/// `delete|start|stop cluster CLUSTER… | -A`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clusters {
    /// Which clusters.
    pub selection: Selection<ClusterReference>,
}

/// `start|stop node NODE… | -A`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Nodes {
    /// Which nodes.
    pub selection: Selection<NodeReference>,
}

/// `add node CLUSTER… [-n NODES] [--control-plane]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddNode {
    /// The clusters that get them; at least one.
    pub clusters: Vec<ClusterReference>,
    /// How many each of them gets.
    pub nodes: NodeCount,
    /// Control planes instead of workers.
    pub control_plane: bool,
}

/// `delete node NODE… [--timeout TIME | --force]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeleteNode {
    /// The nodes to remove; at least one.
    pub nodes: Vec<NodeReference>,
    /// How their pods are to leave.
    pub drain: Drain,
}

/// How the pods of a node that goes are to leave it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Drain {
    /// As disruption budgets let them, within this time; the node stays where they do not.
    Within(Timeout),
    /// With the node.
    Not,
}

impl Default for Drain {
    fn default() -> Self {
        Self::Within(Timeout::DRAIN)
    }
}

/// `join|leave mirror UUID…`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mirrors {
    /// The mirrors; at least one.
    pub mirrors: Vec<Uuid>,
}

/// `admit user EMAIL… -m UUID`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdmitUser {
    /// Who is let in; at least one.
    pub users: Vec<UserReference>,
    /// Into which mirror, which must be one's own.
    pub mirror: Uuid,
}

/// `logs [-n LINES]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Logs {
    /// How many lines, the latest ones.
    pub lines: u16,
}

impl Logs {
    /// Lines where nobody says how many.
    pub const DEFAULT: u16 = 100;
}

/// `logs POD [-n LINES] [-f]`, with the pod's place
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PodLogs {
    /// Whose log.
    pub place: PodPlace,
    /// How many lines, the latest ones.
    pub lines: u16,
    /// Go on with what comes.
    pub follow: bool,
}

/// `open node NODE`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenNode {
    /// Which one.
    pub node: NodeReference,
}

/// `POD [-c CONTAINER] [--cluster CLUSTER] [--namespace NAMESPACE]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PodPlace {
    /// Which pod.
    pub pod: ObjectReference,
    /// Which of its containers; the first where none is named.
    pub container: Option<ObjectReference>,
    /// In which cluster, where several have such a pod.
    pub cluster: Option<ClusterReference>,
    /// In which namespace, where several have such a pod.
    pub namespace: Option<ObjectReference>,
}

/// `cancel command ID…`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cancel {
    /// The commands to stop; at least one.
    pub commands: Vec<CommandReference>,
}

/// Which objects a command is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selection<Reference> {
    /// `-A`: all that the user has.
    All,
    /// Those named; at least one.
    Named(Vec<Reference>),
}

/// How many nodes a cluster gets: 1 to [`NodeCount::LIMIT`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NodeCount(u16);

impl NodeCount {
    /// A cluster's network is a /24 of 254 addresses; a few are kept for the gateway and the endpoints of load
    /// balancers.
    pub const LIMIT: u16 = 240;

    /// A count within the bounds, or none.
    pub fn new(count: u16) -> Option<Self> {
        (1..=Self::LIMIT).contains(&count).then_some(Self(count))
    }

    /// The count.
    pub fn get(self) -> u16 {
        self.0
    }
}

impl NodeCount {
    /// One node.
    pub const ONE: Self = Self(1);
}

impl Default for NodeCount {
    /// One control plane and two workers.
    fn default() -> Self {
        Self(3)
    }
}

/// How many control planes a cluster is made with: an odd number, for etcd lives as long as most of its members do, and
/// one more than an odd number bears no more failures (<https://etcd.io/docs/latest/faq/>).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ControlPlaneCount(u16);

impl ControlPlaneCount {
    /// The most that etcd is recommended to have.
    pub const LIMIT: u16 = 7;

    /// A count within the bounds, or none.
    pub fn new(count: u16) -> Option<Self> {
        ((1..=Self::LIMIT).contains(&count) && count % 2 == 1).then_some(Self(count))
    }

    /// The count.
    pub fn get(self) -> u16 {
        self.0
    }
}

impl Default for ControlPlaneCount {
    fn default() -> Self {
        Self(1)
    }
}

impl AddCluster {
    /// The same with what its file says.
    fn with_file(mut self, text: &str) -> Result<Self, FileError> {
        let file = ClusterFile::read(text)?;
        if let (true, Some(name)) = (self.names.is_empty(), &file.name) {
            self.names.push(name.clone());
        }
        if self.names.is_empty() {
            return Err(FileError::new(
                "neither the line nor its file names the cluster",
                "write: add cluster NAME -f FILE",
            ));
        }
        self.contents = Some(Box::new(file));
        self.wanted().map_err(|conflict| FileError::new(conflict.problem, conflict.cure))?;
        Ok(self)
    }
}

impl Command {
    /// Whether it goes on with what changes, after its last message.
    pub fn is_watch(&self) -> bool {
        match self {
            Self::GetCluster(get) => get.watch,
            Self::GetNodes(get) | Self::GetPods(get) | Self::GetServices(get) | Self::GetUsage(get) => get.watch,
            Self::GetNetworks(get) => get.watch,
            Self::GetImages(get) => get.watch,
            Self::GetRegistries(get) => get.watch,
            Self::GetClients(get) => get.watch,
            _ => false,
        }
    }

    /// What a watch names: objects, or mirrors.
    pub fn watched(&self) -> Vec<&str> {
        fn names<R>(selection: &Selection<R>, text: impl Fn(&R) -> &str) -> Vec<&str> {
            match selection {
                Selection::All => Vec::new(),
                Selection::Named(references) => references.iter().map(text).collect(),
            }
        }
        match self {
            Self::GetCluster(get) if get.watch => names(&get.selection, ClusterReference::as_str),
            Self::GetNodes(get) | Self::GetPods(get) | Self::GetServices(get) | Self::GetUsage(get) if get.watch => {
                names(&get.selection, ObjectReference::as_str)
            }
            Self::GetNetworks(get) if get.watch => names(&get.selection, ObjectReference::as_str),
            Self::GetImages(get) if get.watch => names(&get.selection, ImageSelector::as_str),
            Self::GetClients(get) if get.watch => names(&get.selection, ClientReference::as_str),
            _ => Vec::new(),
        }
    }

    /// The same with what the file says that came beside the line, where the line names one.
    pub fn with_file(self, text: Option<&str>) -> Result<Self, FileError> {
        match (self, text) {
            (Self::AddCluster(add), Some(text)) if add.file.is_some() => {
                add.with_file(text).map(|add| Self::AddCluster(Box::new(add)))
            }
            (Self::AddCluster(add), None) if add.file.is_some() => {
                Err(FileError::new("the file that -f names did not come beside the line", "send its text as 'file'"))
            }
            (_, Some(_)) => Err(FileError::new("a file came beside a line that names none", "name it: -f FILE")),
            (command, None) => Ok(command),
        }
    }

    /// The terminal that it opens; none where it opens none.
    pub fn opening(&self) -> Option<OpenRequest> {
        let of_pod = |kind, place: &PodPlace| {
            let text = |word: &ObjectReference| word.as_str().to_owned();
            OpenRequest {
                pod: Some(text(&place.pod)),
                container: place.container.as_ref().map(text),
                namespace: place.namespace.as_ref().map(text),
                cluster: place.cluster.as_ref().map(|cluster| cluster.as_str().to_owned()),
                ..OpenRequest::new(kind)
            }
        };
        match self {
            Self::OpenShell => Some(OpenRequest::new(TerminalKind::Shell)),
            Self::OpenNode(open) => {
                Some(OpenRequest { node: Some(open.node.to_string()), ..OpenRequest::new(TerminalKind::Node) })
            }
            Self::OpenPod(place) => Some(of_pod(TerminalKind::Pod, place)),
            Self::PodLogs(logs) => {
                let (follow, tail) = (Some(logs.follow), Some(logs.lines.into()));
                Some(OpenRequest { follow, tail, ..of_pod(TerminalKind::Logs, &logs.place) })
            }
            _ => None,
        }
    }

    /// The verb and the object, as messages name them.
    pub fn kind(&self) -> (Verb, Subcommand) {
        match self {
            Self::Version => (Verb::Version, Subcommand::None),
            Self::AddCluster(_) => (Verb::Add, Subcommand::Cluster),
            Self::AddPort(_) => (Verb::Add, Subcommand::Port),
            Self::DeletePort(_) => (Verb::Delete, Subcommand::Port),
            Self::AddImage(_) => (Verb::Add, Subcommand::Image),
            Self::AddRegistry(_) => (Verb::Add, Subcommand::Registry),
            Self::LoadImage(_) => (Verb::Load, Subcommand::Image),
            Self::ExportKubeconfig(_) => (Verb::Export, Subcommand::Kubeconfig),
            Self::ExportLogs(_) => (Verb::Export, Subcommand::Logs),
            Self::GetCluster(_) => (Verb::Get, Subcommand::Cluster),
            Self::GetNodes(_) => (Verb::Get, Subcommand::Node),
            Self::GetPods(_) => (Verb::Get, Subcommand::Pod),
            Self::GetServices(_) => (Verb::Get, Subcommand::Service),
            Self::GetNetworks(_) => (Verb::Get, Subcommand::Network),
            Self::GetImages(_) => (Verb::Get, Subcommand::Image),
            Self::GetRegistries(_) => (Verb::Get, Subcommand::Registry),
            Self::GetClients(_) => (Verb::Get, Subcommand::Client),
            Self::GetUsage(_) => (Verb::Get, Subcommand::Usage),
            Self::DeleteCluster(_) => (Verb::Delete, Subcommand::Cluster),
            Self::DeleteRegistry(_) => (Verb::Delete, Subcommand::Registry),
            Self::StartCluster(_) => (Verb::Start, Subcommand::Cluster),
            Self::StopCluster(_) => (Verb::Stop, Subcommand::Cluster),
            Self::AddNode(_) => (Verb::Add, Subcommand::Node),
            Self::DeleteNode(_) => (Verb::Delete, Subcommand::Node),
            Self::StartNode(_) => (Verb::Start, Subcommand::Node),
            Self::StopNode(_) => (Verb::Stop, Subcommand::Node),
            Self::JoinMirror(_) => (Verb::Join, Subcommand::Mirror),
            Self::LeaveMirror(_) => (Verb::Leave, Subcommand::Mirror),
            Self::AdmitUser(_) => (Verb::Admit, Subcommand::User),
            Self::Logs(_) => (Verb::Logs, Subcommand::None),
            Self::PodLogs(_) => (Verb::Logs, Subcommand::Pod),
            Self::OpenShell => (Verb::Open, Subcommand::Shell),
            Self::OpenNode(_) => (Verb::Open, Subcommand::Node),
            Self::OpenPod(_) => (Verb::Open, Subcommand::Pod),
            Self::TestHost => (Verb::Test, Subcommand::Host),
            Self::Cancel(_) => (Verb::Cancel, Subcommand::Command),
        }
    }
}
