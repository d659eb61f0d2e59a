//! What can be asked of qbo: one typed command for every row of the grammar, printed by `Display` in the form
//! that [`crate::grammar::parse`] reads back.

use std::fmt;

use crate::image::ImageReference;
use crate::message::{Subcommand, Verb};
use crate::name::{ClusterName, ClusterReference, CommandReference, Domain};

/// A command, complete and valid in itself; whether its objects exist is known only where it is executed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// `version`: of the API and of Docker.
    Version,
    /// `add cluster`: make clusters.
    AddCluster(AddCluster),
    /// `add image`: build or pull node images.
    AddImage(AddImage),
    /// `get cluster`: list clusters, or print a kubeconfig.
    GetCluster(GetCluster),
    /// `get nodes`: list the nodes of clusters.
    GetNodes(GetNodes),
    /// `get images`: list node images.
    GetImages(GetImages),
    /// `delete cluster`: remove clusters with all that belongs to them.
    DeleteCluster(DeleteCluster),
    /// `test host`: whether this host can carry clusters.
    TestHost,
    /// `cancel command`: stop running commands and undo what they did.
    Cancel(Cancel),
}

/// `add cluster NAME… [-i IMAGE] [-n NODES] [-d DOMAIN] [--retain]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddCluster {
    /// The clusters to make, each the same way; at least one.
    pub names: Vec<ClusterName>,
    /// The node image; the server's default where none is given.
    pub image: Option<ImageReference>,
    /// Nodes in total, the control plane included.
    pub nodes: NodeCount,
    /// The domain of the nodes' names.
    pub domain: Domain,
    /// Keep what was made when the add fails, for looking.
    pub retain: bool,
}

/// `add image IMAGE…`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddImage {
    /// The images to build or pull; at least one.
    pub images: Vec<ImageReference>,
}

/// `get cluster [CLUSTER…] [-A] [-k]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GetCluster {
    /// Which clusters.
    pub selection: Selection,
    /// Print kubeconfigs instead of rows.
    pub kubeconfig: bool,
}

/// `get nodes [CLUSTER…] [-A]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GetNodes {
    /// The clusters whose nodes are listed.
    pub selection: Selection,
}

/// `get images [-A]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GetImages {
    /// Images of the registry besides those this host holds.
    pub all: bool,
}

/// `delete cluster CLUSTER… | -A`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeleteCluster {
    /// Which clusters.
    pub selection: Selection,
}

/// `cancel command ID…`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cancel {
    /// The commands to stop; at least one.
    pub commands: Vec<CommandReference>,
}

/// Which clusters a command is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selection {
    /// `-A`: all that the user has.
    All,
    /// Those named; at least one.
    Named(Vec<ClusterReference>),
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

impl Default for NodeCount {
    /// One control plane and two workers.
    fn default() -> Self {
        Self(3)
    }
}

impl Command {
    /// The verb and the object, as messages name them.
    pub fn kind(&self) -> (Verb, Subcommand) {
        match self {
            Self::Version => (Verb::Version, Subcommand::None),
            Self::AddCluster(_) => (Verb::Add, Subcommand::Cluster),
            Self::AddImage(_) => (Verb::Add, Subcommand::Image),
            Self::GetCluster(_) => (Verb::Get, Subcommand::Cluster),
            Self::GetNodes(_) => (Verb::Get, Subcommand::Node),
            Self::GetImages(_) => (Verb::Get, Subcommand::Image),
            Self::DeleteCluster(_) => (Verb::Delete, Subcommand::Cluster),
            Self::TestHost => (Verb::Test, Subcommand::Host),
            Self::Cancel(_) => (Verb::Cancel, Subcommand::Command),
        }
    }
}

impl fmt::Display for Command {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Version => formatter.write_str("version"),
            Self::AddCluster(add) => {
                formatter.write_str("add cluster")?;
                words(formatter, &add.names)?;
                if let Some(image) = &add.image {
                    write!(formatter, " -i {image}")?;
                }
                write!(formatter, " -n {}", add.nodes.get())?;
                if add.domain != Domain::default() {
                    write!(formatter, " -d {}", add.domain)?;
                }
                flag(formatter, "--retain", add.retain)
            }
            Self::AddImage(add) => {
                formatter.write_str("add image")?;
                words(formatter, &add.images)
            }
            Self::GetCluster(get) => {
                write!(formatter, "get cluster{}", get.selection)?;
                flag(formatter, "-k", get.kubeconfig)
            }
            Self::GetNodes(get) => write!(formatter, "get nodes{}", get.selection),
            Self::GetImages(get) => {
                formatter.write_str("get images")?;
                flag(formatter, "-A", get.all)
            }
            Self::DeleteCluster(delete) => write!(formatter, "delete cluster{}", delete.selection),
            Self::TestHost => formatter.write_str("test host"),
            Self::Cancel(cancel) => {
                formatter.write_str("cancel command")?;
                words(formatter, &cancel.commands)
            }
        }
    }
}

impl fmt::Display for Selection {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => formatter.write_str(" -A"),
            Self::Named(clusters) => words(formatter, clusters),
        }
    }
}

fn words<T: fmt::Display>(formatter: &mut fmt::Formatter<'_>, words: &[T]) -> fmt::Result {
    words.iter().try_for_each(|word| write!(formatter, " {word}"))
}

fn flag(formatter: &mut fmt::Formatter<'_>, name: &str, set: bool) -> fmt::Result {
    if set { write!(formatter, " {name}") } else { Ok(()) }
}
