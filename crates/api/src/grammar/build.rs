//! From sorted words to typed values: every value is checked here, with the word at fault at hand.

use std::fmt::Display;
use std::str::FromStr;

use super::error::GrammarError;
use super::form::Opt;
use super::parse::Words;
use crate::command::{
    AddCluster, AddImage, AddNode, AddPort, AddRegistry, AdmitUser, Cancel, Clusters, Command, ControlPlaneCount,
    DeleteNode, DeletePort, DeleteRegistry, Drain, ExportLogs, Get, GetClients, GetCluster, GetImages, GetNetworks,
    GetRegistries, LoadImage, Logs, Mirrors, NodeCount, Nodes, OpenNode, PodLogs, PodPlace, Selection,
};
use crate::name::{ClusterReference, NameError};
use crate::settings::{NodeSettings, Settings};
use crate::wanted::Conflict;

pub(super) fn build(words: &Words<'_>) -> Result<Command, GrammarError> {
    let subject = words.form.subject.map_or("", |subject| subject.names[0]);
    Ok(match (words.form.verb, subject) {
        ("add", "cluster") => Command::AddCluster(Box::new(words.add_cluster()?)),
        ("add", "port") => {
            let (cluster, ports) = words.ports()?;
            Command::AddPort(AddPort { cluster, ports })
        }
        ("delete", "port") => {
            let (cluster, ports) = words.ports()?;
            Command::DeletePort(DeletePort { cluster, ports })
        }
        ("add", "image") => Command::AddImage(AddImage { images: words.distinct()? }),
        ("add", "node") => Command::AddNode(AddNode {
            clusters: words.distinct()?,
            nodes: words.node_count()?.unwrap_or(NodeCount::ONE),
            control_plane: words.flag("control-plane"),
        }),
        ("add", "registry") => {
            Command::AddRegistry(AddRegistry { registries: words.distinct()?, at: words.value("at")? })
        }
        ("load", "image") => {
            Command::LoadImage(LoadImage { images: words.distinct()?, clusters: words.clusters_of_option()? })
        }
        ("export", "kubeconfig") => Command::ExportKubeconfig(words.clusters()?),
        ("export", "logs") => {
            Command::ExportLogs(ExportLogs { selection: words.selection()?, directory: words.value("directory")? })
        }
        ("get", "cluster") => Command::GetCluster(words.get_cluster()?),
        ("get", "nodes") => Command::GetNodes(words.get()?),
        ("get", "pods") => Command::GetPods(words.get()?),
        ("get", "services") => Command::GetServices(words.get()?),
        ("get", "usage") => Command::GetUsage(words.get()?),
        ("get", "networks") => Command::GetNetworks(words.networks()?),
        ("get", "images") => Command::GetImages(GetImages {
            selection: words.selection()?,
            all: words.flag("all"),
            watch: words.flag("watch"),
        }),
        ("get", "registries") => Command::GetRegistries(GetRegistries { watch: words.flag("watch") }),
        ("get", "clients") => {
            Command::GetClients(GetClients { selection: words.selection()?, watch: words.flag("watch") })
        }
        ("delete", "cluster") => Command::DeleteCluster(words.clusters()?),
        ("delete", "node") => Command::DeleteNode(DeleteNode { nodes: words.distinct()?, drain: words.drain()? }),
        ("delete", "registry") => Command::DeleteRegistry(DeleteRegistry { registries: words.distinct()? }),
        ("start", "cluster") => Command::StartCluster(words.clusters()?),
        ("stop", "cluster") => Command::StopCluster(words.clusters()?),
        ("start", "node") => Command::StartNode(Nodes { selection: words.selection()? }),
        ("stop", "node") => Command::StopNode(Nodes { selection: words.selection()? }),
        ("join", "mirror") => Command::JoinMirror(Mirrors { mirrors: words.distinct()? }),
        ("leave", "mirror") => Command::LeaveMirror(Mirrors { mirrors: words.distinct()? }),
        ("admit", "user") => {
            Command::AdmitUser(AdmitUser { users: words.distinct()?, mirror: words.needed("mirror")? })
        }
        ("logs", _) => words.logs()?,
        ("open", "shell") => Command::OpenShell,
        ("open", "node") => Command::OpenNode(OpenNode { node: words.one()? }),
        ("open", "pod") => Command::OpenPod(words.pod()?),
        ("test", "host") => Command::TestHost,
        ("cancel", "command") => Command::Cancel(Cancel { commands: words.distinct()? }),
        ("version", _) => Command::Version,
        (verb, subject) => unreachable!("the table has a form '{verb} {subject}' that is not built"),
    })
}

impl Words<'_> {
    fn flag(&self, long: &str) -> bool {
        self.option(long).is_some()
    }

    fn value<T: FromStr<Err: Display>>(&self, long: &str) -> Result<Option<T>, GrammarError> {
        self.option(long).map(|given| self.read(given)).transpose()
    }

    /// The value of an option without which the command means nothing.
    fn needed<T: FromStr<Err: Display>>(&self, long: &str) -> Result<T, GrammarError> {
        self.value(long)?.ok_or_else(|| {
            let problem = format!("'{}' needs --{long}", self.form.name());
            GrammarError::at(self.all, self.all.len(), problem, format!("write: {}", self.form.usage()))
        })
    }

    fn node_count(&self) -> Result<Option<NodeCount>, GrammarError> {
        let Some((_, index, value)) = self.option("nodes") else {
            return Ok(None);
        };
        value.parse().ok().and_then(NodeCount::new).map(Some).ok_or_else(|| {
            let problem = format!("'{value}' is no number of nodes for a cluster");
            GrammarError::at(self.all, *index, problem, format!("-n takes 1 to {}", NodeCount::LIMIT))
        })
    }

    fn control_planes(&self) -> Result<Option<ControlPlaneCount>, GrammarError> {
        let Some((_, index, value)) = self.option("control-planes") else { return Ok(None) };
        value.parse().ok().and_then(ControlPlaneCount::new).map(Some).ok_or_else(|| {
            let problem = format!("'{value}' is no number of control planes for a cluster");
            GrammarError::at(self.all, *index, problem, "--control-planes takes 1, 3, 5 or 7: etcd needs a majority")
        })
    }

    fn add_cluster(&self) -> Result<AddCluster, GrammarError> {
        let mut add = AddCluster {
            names: self.distinct()?,
            file: self.value("file")?,
            contents: None,
            image: self.value("image")?,
            nodes: self.node_count()?,
            control_planes: self.control_planes()?,
            domain: self.value("domain")?,
            retain: self.flag("retain"),
            settings: self.settings()?,
        };
        // What a file says more is not known here; it is looked at together with that.
        if add.file.is_none() {
            let wanted = add.wanted().map_err(|conflict| self.conflict(conflict))?;
            add.nodes = u16::try_from(wanted.members.len()).ok().and_then(NodeCount::new);
        }
        Ok(add)
    }

    fn conflict(&self, conflict: Conflict) -> GrammarError {
        // Of several, the last one made it a contradiction.
        let given = self.options.iter().rev().find(|(option, ..)| option.long == conflict.option);
        let index = given.map_or(self.all.len(), |(_, index, _)| *index);
        GrammarError::at(self.all, index, conflict.problem, conflict.cure)
    }

    fn settings(&self) -> Result<Settings, GrammarError> {
        Ok(Settings {
            ports: self.values("port")?,
            node: NodeSettings {
                mounts: self.values("mount")?,
                cpus: self.value("cpus")?,
                memory: self.value("memory")?,
                taints: self.values("taint")?,
                labels: self.values("label")?,
                ..NodeSettings::default()
            },
            feature_gates: self.values("feature-gate")?,
            cni: self.value("cni")?,
            pod_subnets: self.value("pod-subnet")?,
            service_subnets: self.value("service-subnet")?,
            ip_family: self.value("ip-family")?,
            wait: self.value("wait")?,
            timeout: self.value("timeout")?,
        })
    }

    /// All values of an option that may be given several times.
    fn values<T: FromStr<Err: Display>>(&self, long: &str) -> Result<Vec<T>, GrammarError> {
        let given = self.options.iter().filter(|(option, ..)| option.long == long);
        given.map(|given| self.read(given)).collect()
    }

    fn read<T: FromStr<Err: Display>>(
        &self,
        (option, index, value): &(&'static Opt, usize, &str),
    ) -> Result<T, GrammarError> {
        value.parse().map_err(|error: T::Err| {
            GrammarError::at(self.all, *index, error.to_string(), format!("{option}: {}", option.about))
        })
    }

    /// A cluster, and ports.
    fn ports<T: FromStr<Err: Display> + PartialEq>(&self) -> Result<(ClusterReference, Vec<T>), GrammarError> {
        let cure = || format!("write: {}", self.form.usage());
        let (first, ports) = self.arguments.split_first().expect("arguments are looked at before");
        let (index, word) = first;
        let cluster =
            word.parse().map_err(|error: NameError| GrammarError::at(self.all, *index, error.to_string(), cure()))?;
        if ports.is_empty() {
            let problem = format!("'{}' needs a PORT", self.form.name());
            let cure = format!("as in: {}", self.form.examples.first().unwrap_or(&""));
            return Err(GrammarError::at(self.all, self.all.len(), problem, cure));
        }
        Ok((cluster, self.distinct_of(ports)?))
    }

    fn option(&self, long: &str) -> Option<&(&'static Opt, usize, &str)> {
        self.options.iter().find(|(option, ..)| option.long == long)
    }

    fn selection<T: FromStr<Err: Display> + PartialEq>(&self) -> Result<Selection<T>, GrammarError> {
        Ok(if self.arguments.is_empty() { Selection::All } else { Selection::Named(self.distinct()?) })
    }

    /// The clusters of `-c`, with commas between, or all of `-A`.
    fn clusters_of_option(&self) -> Result<Selection<ClusterReference>, GrammarError> {
        let all = self.option("all");
        let Some((_, index, value)) = self.option("cluster") else {
            let problem = format!("'{}' needs -c with clusters, or -A for all", self.form.name());
            let cure = || format!("as in: {}", self.form.examples.first().unwrap_or(&""));
            return all
                .map(|_| Selection::All)
                .ok_or_else(|| GrammarError::at(self.all, self.all.len(), problem, cure()));
        };
        let wrong = |problem: String, cure: &str| GrammarError::at(self.all, *index, problem, cure);
        if all.is_some() {
            return Err(wrong("-c and -A exclude each other".into(), "name clusters or ask for all"));
        }
        let mut clusters: Vec<ClusterReference> = Vec::new();
        for name in value.split(',') {
            let cluster =
                name.parse().map_err(|error: NameError| wrong(error.to_string(), "-c takes clusters, as alex,dev"))?;
            if clusters.contains(&cluster) {
                return Err(wrong(format!("'{name}' is named twice"), "once is enough"));
            }
            clusters.push(cluster);
        }
        Ok(Selection::Named(clusters))
    }

    fn clusters(&self) -> Result<Clusters, GrammarError> {
        Ok(Clusters { selection: self.selection()? })
    }

    fn get_cluster(&self) -> Result<GetCluster, GrammarError> {
        self.excludes("kubeconfig", "watch", "a kubeconfig does not change: ask for it, or watch the cluster")?;
        let (kubeconfig, watch) = (self.flag("kubeconfig"), self.flag("watch"));
        Ok(GetCluster { selection: self.selection()?, kubeconfig, watch })
    }

    /// Refuses two options together; the second is pointed at.
    fn excludes(&self, one: &str, other: &str, cure: &str) -> Result<(), GrammarError> {
        let (Some((one, ..)), Some((other, index, _))) = (self.option(one), self.option(other)) else { return Ok(()) };
        Err(GrammarError::at(self.all, *index, format!("{one} and {other} exclude each other"), cure))
    }

    fn get(&self) -> Result<Get, GrammarError> {
        Ok(Get { selection: self.selection()?, watch: self.flag("watch") })
    }

    fn drain(&self) -> Result<Drain, GrammarError> {
        let within = self.value("timeout")?.map_or_else(Drain::default, Drain::Within);
        match (self.flag("force"), self.option("timeout")) {
            (false, _) => Ok(within),
            (true, None) => Ok(Drain::Not),
            (true, Some((_, index, _))) => {
                let problem = "--timeout and --force exclude each other";
                Err(GrammarError::at(self.all, *index, problem, "wait for their pods so long, or not at all"))
            }
        }
    }

    /// The server's log, or that of the pod that is named.
    fn logs(&self) -> Result<Command, GrammarError> {
        let lines = self.value("lines")?.unwrap_or(Logs::DEFAULT);
        if !self.arguments.is_empty() {
            return Ok(Command::PodLogs(PodLogs { place: self.pod()?, lines, follow: self.flag("follow") }));
        }
        let of_pods = ["follow", "container", "cluster", "namespace"];
        if let Some((option, index, _)) = of_pods.iter().find_map(|long| self.option(long)) {
            let problem = format!("--{} is about a pod's log", option.long);
            return Err(GrammarError::at(self.all, *index, problem, format!("name the pod: {}", self.form.usage())));
        }
        Ok(Command::Logs(Logs { lines }))
    }

    fn pod(&self) -> Result<PodPlace, GrammarError> {
        Ok(PodPlace {
            pod: self.one()?,
            container: self.value("container")?,
            cluster: self.value("cluster")?,
            namespace: self.value("namespace")?,
        })
    }

    /// The one argument.
    fn one<T: FromStr<Err: Display> + PartialEq>(&self) -> Result<T, GrammarError> {
        if let Some((index, word)) = self.arguments.get(1) {
            let problem = format!("'{}' takes one at a time, and '{word}' is a second", self.form.name());
            return Err(GrammarError::at(self.all, *index, problem, "run it once for each"));
        }
        let first = self.distinct()?.into_iter().next();
        first.ok_or_else(|| {
            let problem = format!("'{}' needs a name", self.form.name());
            GrammarError::at(self.all, self.all.len(), problem, format!("write: {}", self.form.usage()))
        })
    }

    fn networks(&self) -> Result<GetNetworks, GrammarError> {
        let host = self.flag("host");
        if let (true, Some((index, word))) = (host, self.arguments.first()) {
            let problem = format!("'{word}' and -H exclude each other");
            return Err(GrammarError::at(self.all, *index, problem, "name clusters, or ask for the host's networks"));
        }
        self.excludes("host", "all", "ask for the networks of clusters, or for the host's")?;
        self.excludes("host", "watch", "what becomes of the host's own networks is not told: ask again")?;
        Ok(GetNetworks { selection: self.selection()?, host, watch: self.flag("watch") })
    }

    /// The arguments, each of them once.
    fn distinct<T: FromStr<Err: Display> + PartialEq>(&self) -> Result<Vec<T>, GrammarError> {
        self.distinct_of(&self.arguments)
    }

    fn distinct_of<T: FromStr<Err: Display> + PartialEq>(
        &self,
        arguments: &[(usize, &str)],
    ) -> Result<Vec<T>, GrammarError> {
        let mut values = Vec::new();
        for (index, word) in arguments {
            let value = word.parse::<T>().map_err(|error| {
                GrammarError::at(self.all, *index, error.to_string(), format!("write: {}", self.form.usage()))
            })?;
            if values.contains(&value) {
                return Err(GrammarError::at(self.all, *index, format!("'{word}' is named twice"), "once is enough"));
            }
            values.push(value);
        }
        Ok(values)
    }
}
