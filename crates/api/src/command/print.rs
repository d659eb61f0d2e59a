//! Commands as text: what [`crate::grammar::parse`] reads back.

use std::fmt;

use super::{
    AddCluster, AddRegistry, Command, ControlPlaneCount, Drain, ExportLogs, Get, GetClients, GetImages, GetNetworks,
    LoadImage, NodeCount, PodPlace, Selection,
};
use crate::name::ClusterReference;

impl fmt::Display for Command {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Version => formatter.write_str("version"),
            Self::AddCluster(add) => write!(formatter, "add cluster{add}"),
            Self::AddPort(add) => {
                write!(formatter, "add port {}", add.cluster)?;
                words(formatter, &add.ports)
            }
            Self::DeletePort(delete) => {
                write!(formatter, "delete port {}", delete.cluster)?;
                words(formatter, &delete.ports)
            }
            Self::AddImage(add) => {
                formatter.write_str("add image")?;
                words(formatter, &add.images)
            }
            Self::AddRegistry(add) => write!(formatter, "add registry{add}"),
            Self::LoadImage(load) => write!(formatter, "load image{load}"),
            Self::ExportKubeconfig(export) => write!(formatter, "export kubeconfig{}", export.selection),
            Self::ExportLogs(export) => write!(formatter, "export logs{export}"),
            Self::GetCluster(get) => {
                write!(formatter, "get cluster{}", get.selection)?;
                flag(formatter, "-k", get.kubeconfig)?;
                flag(formatter, "-w", get.watch)
            }
            Self::GetNodes(get) => write!(formatter, "get nodes{get}"),
            Self::GetPods(get) => write!(formatter, "get pods{get}"),
            Self::GetServices(get) => write!(formatter, "get services{get}"),
            Self::GetUsage(get) => write!(formatter, "get usage{get}"),
            Self::GetNetworks(get) => write!(formatter, "get networks{get}"),
            Self::GetImages(get) => write!(formatter, "get images{get}"),
            Self::GetRegistries(get) => {
                formatter.write_str("get registries")?;
                flag(formatter, "-w", get.watch)
            }
            Self::GetClients(get) => write!(formatter, "get clients{get}"),
            Self::DeleteCluster(delete) => write!(formatter, "delete cluster{}", delete.selection),
            Self::DeleteRegistry(delete) => {
                formatter.write_str("delete registry")?;
                words(formatter, &delete.registries)
            }
            Self::StartCluster(start) => write!(formatter, "start cluster{}", start.selection),
            Self::StopCluster(stop) => write!(formatter, "stop cluster{}", stop.selection),
            Self::AddNode(add) => {
                formatter.write_str("add node")?;
                words(formatter, &add.clusters)?;
                write!(formatter, " -n {}", add.nodes.get())?;
                flag(formatter, "--control-plane", add.control_plane)
            }
            Self::DeleteNode(delete) => {
                formatter.write_str("delete node")?;
                words(formatter, &delete.nodes)?;
                match delete.drain {
                    drain if drain == Drain::default() => Ok(()),
                    Drain::Within(time) => write!(formatter, " --timeout {time}"),
                    Drain::Not => formatter.write_str(" --force"),
                }
            }
            Self::StartNode(start) => write!(formatter, "start node{}", start.selection),
            Self::StopNode(stop) => write!(formatter, "stop node{}", stop.selection),
            Self::JoinMirror(join) => {
                formatter.write_str("join mirror")?;
                words(formatter, &join.mirrors)
            }
            Self::LeaveMirror(leave) => {
                formatter.write_str("leave mirror")?;
                words(formatter, &leave.mirrors)
            }
            Self::AdmitUser(admit) => {
                formatter.write_str("admit user")?;
                words(formatter, &admit.users)?;
                write!(formatter, " -m {}", admit.mirror)
            }
            Self::Logs(logs) => write!(formatter, "logs -n {}", logs.lines),
            Self::PodLogs(logs) => {
                write!(formatter, "logs{} -n {}", logs.place, logs.lines)?;
                flag(formatter, "-f", logs.follow)
            }
            Self::OpenShell => formatter.write_str("open shell"),
            Self::OpenNode(open) => write!(formatter, "open node {}", open.node),
            Self::OpenPod(place) => write!(formatter, "open pod{place}"),
            Self::TestHost => formatter.write_str("test host"),
            Self::Cancel(cancel) => {
                formatter.write_str("cancel command")?;
                words(formatter, &cancel.commands)
            }
        }
    }
}

impl fmt::Display for AddCluster {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        words(formatter, &self.names)?;
        option(formatter, "-f", self.file.as_ref())?;
        option(formatter, "-i", self.image.as_ref())?;
        option(formatter, "-n", self.nodes.map(NodeCount::get))?;
        option(formatter, "--control-planes", self.control_planes.map(ControlPlaneCount::get))?;
        option(formatter, "-d", self.domain.as_ref())?;
        flag(formatter, "--retain", self.retain)?;
        self.settings.fmt(formatter)
    }
}

impl fmt::Display for AddRegistry {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        words(formatter, &self.registries)?;
        self.at.as_ref().map_or(Ok(()), |at| write!(formatter, " --at {at}"))
    }
}

impl fmt::Display for LoadImage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        words(formatter, &self.images)?;
        match &self.clusters {
            Selection::All => formatter.write_str(" -A"),
            Selection::Named(clusters) => {
                let names: Vec<&str> = clusters.iter().map(ClusterReference::as_str).collect();
                write!(formatter, " -c {}", names.join(","))
            }
        }
    }
}

impl fmt::Display for ExportLogs {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.selection.fmt(formatter)?;
        self.directory.as_ref().map_or(Ok(()), |directory| write!(formatter, " -d {directory}"))
    }
}

impl fmt::Display for GetNetworks {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host {
            formatter.write_str(" -H")?;
        } else {
            self.selection.fmt(formatter)?;
        }
        flag(formatter, "-w", self.watch)
    }
}

impl fmt::Display for GetImages {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        named(formatter, &self.selection)?;
        flag(formatter, "-A", self.all)?;
        flag(formatter, "-w", self.watch)
    }
}

impl fmt::Display for GetClients {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        named(formatter, &self.selection)?;
        flag(formatter, "-w", self.watch)
    }
}

impl fmt::Display for Get {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.selection.fmt(formatter)?;
        flag(formatter, "-w", self.watch)
    }
}

impl fmt::Display for PodPlace {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, " {}", self.pod)?;
        if let Some(container) = &self.container {
            write!(formatter, " -c {container}")?;
        }
        if let Some(cluster) = &self.cluster {
            write!(formatter, " --cluster {cluster}")?;
        }
        if let Some(namespace) = &self.namespace {
            write!(formatter, " --namespace {namespace}")?;
        }
        Ok(())
    }
}

impl<Reference: fmt::Display> fmt::Display for Selection<Reference> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => formatter.write_str(" -A"),
            Self::Named(references) => words(formatter, references),
        }
    }
}

/// The words of a selection that is all without any.
fn named<T: fmt::Display>(formatter: &mut fmt::Formatter<'_>, selection: &Selection<T>) -> fmt::Result {
    match selection {
        Selection::All => Ok(()),
        Selection::Named(references) => words(formatter, references),
    }
}

fn words<T: fmt::Display>(formatter: &mut fmt::Formatter<'_>, words: &[T]) -> fmt::Result {
    words.iter().try_for_each(|word| write!(formatter, " {word}"))
}

fn option<T: fmt::Display>(formatter: &mut fmt::Formatter<'_>, name: &str, value: Option<T>) -> fmt::Result {
    value.map_or(Ok(()), |value| write!(formatter, " {name} {value}"))
}

fn flag(formatter: &mut fmt::Formatter<'_>, name: &str, set: bool) -> fmt::Result {
    if set { write!(formatter, " {name}") } else { Ok(()) }
}
