//! The table of all commands: the only place that knows their words.

/// A verb with its aliases; the first name is the one printed.
#[derive(Debug)]
pub struct VerbName {
    /// All spellings.
    pub names: &'static [&'static str],
    /// One line for help texts.
    pub about: &'static str,
}

/// The object of a verb with its aliases; the first name is the one printed.
#[derive(Debug)]
pub struct SubjectName {
    /// All spellings.
    pub names: &'static [&'static str],
}

/// An option of a form.
#[derive(Debug)]
pub struct Opt {
    /// `-i`: the letter.
    pub short: Option<char>,
    /// `--image`: the word.
    pub long: &'static str,
    /// What its value is called in help texts, with `…` behind it where it may be given several times; none for a flag.
    pub value: Option<&'static str>,
    /// One line for help texts.
    pub about: &'static str,
}

/// The words that follow verb and subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Argument {
    /// None are taken.
    None,
    /// At least one of what the text names.
    Some(&'static str),
    /// At least one of what the text names, or a file (`-f`) that names it.
    SomeOrFile(&'static str),
    /// At least one of what the text names, or `-A`.
    SomeOrAll(&'static str),
    /// Any number of what the text names, or `-A`; none means all.
    AnyOrAll(&'static str),
    /// Any number of what the text names; none means all.
    Any(&'static str),
}

/// One command of the grammar.
#[derive(Debug)]
pub struct Form {
    /// Which verb, by its first name.
    pub verb: &'static str,
    /// Which subject; none for a verb that stands alone.
    pub subject: Option<&'static SubjectName>,
    /// What follows.
    pub argument: Argument,
    /// Its options.
    pub options: &'static [Opt],
    /// One line for help texts.
    pub about: &'static str,
    /// Examples, without `qbo`.
    pub examples: &'static [&'static str],
}

/// All verbs, in the order of help texts.
pub const VERBS: &[VerbName] = &[
    VerbName { names: &["add"], about: "Add clusters, nodes, ports, node images and registries" },
    VerbName {
        names: &["get"],
        about: "List clusters, nodes, pods, services, networks, images, registries, clients and usage",
    },
    VerbName { names: &["load"], about: "Bring images of this host's Docker into clusters" },
    VerbName { names: &["export"], about: "Write kubeconfigs and logs of clusters to your own files" },
    VerbName { names: &["start"], about: "Start clusters and nodes that were stopped" },
    VerbName { names: &["stop"], about: "Stop clusters and nodes, which keep what they hold" },
    VerbName { names: &["delete", "del"], about: "Delete clusters, nodes, ports and registries" },
    VerbName { names: &["open"], about: "Open a shell of your own, in a node or in a pod" },
    VerbName { names: &["logs"], about: "Show the log of a pod, or the last lines of the API server's own" },
    VerbName { names: &["test"], about: "Test whether this host can carry clusters" },
    VerbName { names: &["cancel"], about: "Stop a running command and undo what it did" },
    VerbName { names: &["join"], about: "Be told what happens in mirrors" },
    VerbName { names: &["leave"], about: "Be told no longer what happens in mirrors" },
    VerbName { names: &["admit"], about: "Let others into a mirror of yours" },
    VerbName { names: &["version"], about: "Show the versions of CLI, API and Docker" },
];

const CLUSTER: SubjectName = SubjectName { names: &["cluster", "clusters"] };
const NODE: SubjectName = SubjectName { names: &["node", "nodes"] };
const NODES: SubjectName = SubjectName { names: &["nodes", "node"] };
const PODS: SubjectName = SubjectName { names: &["pods", "pod"] };
const SERVICES: SubjectName = SubjectName { names: &["services", "service", "svc"] };
const NETWORKS: SubjectName = SubjectName { names: &["networks", "network", "net"] };
const IMAGES: SubjectName = SubjectName { names: &["images", "image"] };
const IMAGE: SubjectName = SubjectName { names: &["image", "images"] };
const USAGE: SubjectName = SubjectName { names: &["usage"] };
const CLIENTS: SubjectName = SubjectName { names: &["clients", "client"] };
const REGISTRY: SubjectName = SubjectName { names: &["registry", "registries"] };
const REGISTRIES: SubjectName = SubjectName { names: &["registries", "registry"] };
const KUBECONFIG: SubjectName = SubjectName { names: &["kubeconfig", "kubeconfigs"] };
const LOGS: SubjectName = SubjectName { names: &["logs", "log"] };
const HOST: SubjectName = SubjectName { names: &["host"] };
const PORT: SubjectName = SubjectName { names: &["port", "ports"] };
const COMMAND: SubjectName = SubjectName { names: &["command", "commands"] };
const MIRROR: SubjectName = SubjectName { names: &["mirror", "mirrors"] };
const SHELL: SubjectName = SubjectName { names: &["shell"] };
const POD: SubjectName = SubjectName { names: &["pod", "pods"] };
const USER: SubjectName = SubjectName { names: &["user", "users"] };

const ALL: Opt = Opt { short: Some('A'), long: "all", value: None, about: "All that you have" };
const WATCH: Opt = Opt { short: Some('w'), long: "watch", value: None, about: "Go on with what changes, until Ctrl-C" };

const CONTAINER: Opt =
    Opt { short: Some('c'), long: "container", value: Some("CONTAINER"), about: "Which container (default the first)" };
const IN_CLUSTER: Opt =
    Opt { short: None, long: "cluster", value: Some("CLUSTER"), about: "Its cluster, where several have such a pod" };
const IN_NAMESPACE: Opt = Opt {
    short: None,
    long: "namespace",
    value: Some("NAMESPACE"),
    about: "Its namespace, where several have such a pod",
};

/// All commands, in the order of help texts.
pub const FORMS: &[Form] = &[
    Form {
        verb: "add",
        subject: Some(&CLUSTER),
        argument: Argument::SomeOrFile("NAME"),
        options: &[
            Opt { short: Some('i'), long: "image", value: Some("IMAGE"), about: "Node image, as kindest/node:v1.37.2" },
            Opt {
                short: Some('n'),
                long: "nodes",
                value: Some("NODES"),
                about: "Number of nodes, the control plane included (default 3)",
            },
            Opt {
                short: None,
                long: "control-planes",
                value: Some("NODES"),
                about: "How many of them are control planes, behind a balancer: 1, 3, 5 or 7 (default 1)",
            },
            Opt {
                short: Some('d'),
                long: "domain",
                value: Some("DOMAIN"),
                about: "Domain of the nodes' names (default localhost)",
            },
            Opt {
                short: None,
                long: "retain",
                value: None,
                about: "Keep what was made when the add fails, for looking",
            },
            Opt {
                short: Some('f'),
                long: "file",
                value: Some("FILE"),
                about: "Read more from a file, qbo's own or kind's (- for standard input); options win over it",
            },
            Opt {
                short: Some('p'),
                long: "port",
                value: Some("PORT…"),
                about: "Lead [LISTEN:]HOST:NODE[/tcp|udp|sctp] to the first control plane",
            },
            Opt {
                short: None,
                long: "mount",
                value: Some("MOUNT…"),
                about: "Let all nodes see HOST:NODE[:ro|rslave|rshared,…], an absolute path of the host at another of the node",
            },
            Opt { short: None, long: "cpus", value: Some("CPUS"), about: "Processors that each node may use, as 1.5" },
            Opt { short: None, long: "memory", value: Some("MEMORY"), about: "Memory that each node may use, as 2Gi" },
            Opt { short: None, long: "taint", value: Some("TAINT…"), about: "Taint workers: KEY=VALUE:EFFECT" },
            Opt {
                short: None,
                long: "label",
                value: Some("LABEL…"),
                about: "Label workers, or control planes where there are no workers: KEY=VALUE",
            },
            Opt {
                short: None,
                long: "feature-gate",
                value: Some("GATE…"),
                about: "Turn a feature of Kubernetes on or off: NAME=true",
            },
            Opt {
                short: None,
                long: "cni",
                value: Some("CNI"),
                about: "What gives pods their network: kindnet, or none until you apply one (default kindnet)",
            },
            Opt {
                short: None,
                long: "pod-subnet",
                value: Some("SUBNET"),
                about: "Where pods get their addresses from, as 10.244.0.0/16; for both families one of each with a comma",
            },
            Opt {
                short: None,
                long: "service-subnet",
                value: Some("SUBNET"),
                about: "Where Services get their addresses from, as 10.96.0.0/16",
            },
            Opt {
                short: None,
                long: "ip-family",
                value: Some("FAMILY"),
                about: "Addresses of pods and Services: ipv4, ipv6 or dual (default ipv4)",
            },
            Opt {
                short: None,
                long: "wait",
                value: Some("WAIT"),
                about: "Be done when nodes are Ready (nodes), when cluster DNS answers too (dns, the default), or before (none)",
            },
            Opt {
                short: None,
                long: "timeout",
                value: Some("TIME"),
                about: "Give up and undo all if it takes longer in all, as 5m",
            },
        ],
        about: "Make Kubernetes clusters",
        examples: &[
            "add cluster alex",
            "add cluster dev prod -n 1",
            "add cluster alex -i kindest/node:v1.37.2 -n 5",
            "add cluster prod -n 5 --control-planes 3",
            "add cluster dev -p 8080:30080 --mount /srv/data:/data:ro --cpus 2 --memory 4Gi",
            "add cluster alex -f cluster.yaml",
        ],
    },
    Form {
        verb: "add",
        subject: Some(&IMAGE),
        argument: Argument::Some("IMAGE"),
        options: &[],
        about: "Pull node images, or build those named qbo/node:v<Kubernetes>",
        examples: &["add image kindest/node:v1.37.2", "add image qbo/node:v1.37.2"],
    },
    Form {
        verb: "add",
        subject: Some(&NODE),
        argument: Argument::Some("CLUSTER"),
        options: &[
            Opt { short: Some('n'), long: "nodes", value: Some("NODES"), about: "Number of new nodes (default 1)" },
            Opt { short: None, long: "control-plane", value: None, about: "Control planes instead of workers" },
        ],
        about: "Bring new nodes into clusters",
        examples: &["add node alex", "add node alex -n3"],
    },
    Form {
        verb: "add",
        subject: Some(&PORT),
        argument: Argument::Some("CLUSTER PORT"),
        options: &[],
        about: "Lead ports of the host into a living cluster: [LISTEN:]HOST:NODE[/tcp|udp|sctp], to the first control plane",
        examples: &["add port alex 8080:30080", "add port alex 127.0.0.1:5353:30053/udp"],
    },
    Form {
        verb: "add",
        subject: Some(&REGISTRY),
        argument: Argument::Some("HOST[:PORT]"),
        options: &[Opt {
            short: None,
            long: "at",
            value: Some("ADDRESS"),
            about: "Where it is found, as http://10.0.0.7:5000 (default: under its own name, in plain HTTP)",
        }],
        about: "Let all clusters, also those to come, pull from registries; one on localhost is the host's",
        examples: &["add registry localhost:5000", "add registry docker.io --at http://10.0.0.7:5000"],
    },
    Form {
        verb: "load",
        subject: Some(&IMAGE),
        argument: Argument::Some("IMAGE"),
        options: &[
            Opt {
                short: Some('c'),
                long: "cluster",
                value: Some("CLUSTER,…"),
                about: "The clusters whose nodes get it, with commas between; nodes added later do not have it",
            },
            ALL,
        ],
        about: "Bring images of this host's Docker into all nodes of clusters, without a registry",
        examples: &["load image app:1 -c alex", "load image app:1 web:2 -c alex,dev", "load image app:1 -A"],
    },
    Form {
        verb: "export",
        subject: Some(&KUBECONFIG),
        argument: Argument::SomeOrAll("CLUSTER"),
        options: &[ALL],
        about: "Merge kubeconfigs into $KUBECONFIG or ~/.kube/config, as contexts qbo-CLUSTER",
        examples: &["export kubeconfig alex", "export kubeconfig -A"],
    },
    Form {
        verb: "export",
        subject: Some(&LOGS),
        argument: Argument::SomeOrAll("CLUSTER"),
        options: &[
            ALL,
            Opt {
                short: Some('d'),
                long: "directory",
                value: Some("DIRECTORY"),
                about: "Where they are written, a directory for each cluster (default qbo-logs)",
            },
        ],
        about: "Write logs of nodes and pods, and what Kubernetes and Docker tell of them, to files here",
        examples: &["export logs alex", "export logs alex -d /tmp/logs"],
    },
    Form {
        verb: "get",
        subject: Some(&CLUSTER),
        argument: Argument::AnyOrAll("CLUSTER"),
        options: &[
            ALL,
            Opt { short: Some('k'), long: "kubeconfig", value: None, about: "Print the kubeconfig instead" },
            WATCH,
        ],
        about: "List clusters, or print a cluster's kubeconfig",
        examples: &["get cluster -A", "get cluster -k alex"],
    },
    Form {
        verb: "get",
        subject: Some(&NODES),
        argument: Argument::AnyOrAll("CLUSTER|NODE"),
        options: &[ALL, WATCH],
        about: "List nodes",
        examples: &["get nodes alex", "get nodes -A", "get nodes -w 43706dd0"],
    },
    Form {
        verb: "get",
        subject: Some(&PODS),
        argument: Argument::AnyOrAll("CLUSTER|POD"),
        options: &[ALL, WATCH],
        about: "List pods",
        examples: &["get pods alex", "get pods -A", "get pods -w 43706dd0"],
    },
    Form {
        verb: "get",
        subject: Some(&SERVICES),
        argument: Argument::AnyOrAll("CLUSTER|SERVICE"),
        options: &[ALL, WATCH],
        about: "List Services, a row for each port",
        examples: &["get svc alex", "get svc -A", "get svc -w 43706dd0"],
    },
    Form {
        verb: "get",
        subject: Some(&NETWORKS),
        argument: Argument::AnyOrAll("CLUSTER"),
        options: &[
            ALL,
            Opt { short: Some('H'), long: "host", value: None, about: "The host's networks instead" },
            WATCH,
        ],
        about: "List the networks of clusters, or those of the host",
        examples: &["get net alex", "get net -A", "get net -H"],
    },
    Form {
        verb: "get",
        subject: Some(&IMAGES),
        argument: Argument::Any("IMAGE"),
        options: &[Opt { short: Some('A'), long: "all", value: None, about: "Those of the registry besides" }, WATCH],
        about: "List node images, by name, repository or tag",
        examples: &["get images", "get images -A", "get images kindest/node -A"],
    },
    Form {
        verb: "get",
        subject: Some(&REGISTRIES),
        argument: Argument::None,
        options: &[ALL, WATCH],
        about: "List the registries that clusters know besides those of the internet",
        examples: &["get registries"],
    },
    Form {
        verb: "get",
        subject: Some(&CLIENTS),
        argument: Argument::AnyOrAll("CLIENT"),
        options: &[ALL, WATCH],
        about: "List who is connected, with what they do, by user, connection or mirror",
        examples: &["get clients -A", "get clients alex@example.com"],
    },
    Form {
        verb: "get",
        subject: Some(&USAGE),
        argument: Argument::AnyOrAll("CLUSTER|NODE|POD"),
        options: &[ALL, WATCH],
        about: "List the CPU and memory that nodes and pods use",
        examples: &["get usage alex", "get usage -A", "get usage -w alex"],
    },
    Form {
        verb: "start",
        subject: Some(&CLUSTER),
        argument: Argument::SomeOrAll("CLUSTER"),
        options: &[ALL],
        about: "Start all nodes of clusters, until they are Ready",
        examples: &["start cluster alex", "start cluster -A"],
    },
    Form {
        verb: "start",
        subject: Some(&NODE),
        argument: Argument::SomeOrAll("NODE"),
        options: &[ALL],
        about: "Start nodes, until they are Ready",
        examples: &["start node node-2b251a2c", "start node -A"],
    },
    Form {
        verb: "stop",
        subject: Some(&CLUSTER),
        argument: Argument::SomeOrAll("CLUSTER"),
        options: &[ALL],
        about: "Stop all nodes of clusters; addresses, certificates and data are kept",
        examples: &["stop cluster alex", "stop cluster -A"],
    },
    Form {
        verb: "stop",
        subject: Some(&NODE),
        argument: Argument::SomeOrAll("NODE"),
        options: &[ALL],
        about: "Stop nodes; addresses, certificates and data are kept",
        examples: &["stop node node-2b251a2c.localhost", "stop node node-123 node-567"],
    },
    Form {
        verb: "delete",
        subject: Some(&CLUSTER),
        argument: Argument::SomeOrAll("CLUSTER"),
        options: &[ALL],
        about: "Delete clusters with all that belongs to them",
        examples: &["delete cluster alex", "delete cluster -A"],
    },
    Form {
        verb: "delete",
        subject: Some(&NODE),
        argument: Argument::Some("NODE"),
        options: &[
            Opt {
                short: None,
                long: "timeout",
                value: Some("TIME"),
                about: "How long disruption budgets may keep their pods, as 90s; then the nodes stay (default 2m)",
            },
            Opt { short: None, long: "force", value: None, about: "Do not wait for their pods to leave" },
        ],
        about: "Drain nodes, take them out of their clusters and remove them",
        examples: &["delete node node-2b251a2c", "delete node node-2b251a2c --timeout 10m"],
    },
    Form {
        verb: "delete",
        subject: Some(&REGISTRY),
        argument: Argument::Some("HOST[:PORT]"),
        options: &[],
        about: "Have all clusters forget registries",
        examples: &["delete registry localhost:5000"],
    },
    Form {
        verb: "delete",
        subject: Some(&PORT),
        argument: Argument::Some("CLUSTER PORT"),
        options: &[],
        about: "Lead ports of the host into a cluster no longer: HOST[/tcp|udp|sctp]",
        examples: &["delete port alex 8080"],
    },
    Form {
        verb: "logs",
        subject: None,
        argument: Argument::Any("POD"),
        options: &[
            Opt { short: Some('n'), long: "lines", value: Some("LINES"), about: "How many (default 100)" },
            Opt { short: Some('f'), long: "follow", value: None, about: "Go on with what a pod writes, until Ctrl-C" },
            CONTAINER,
            IN_CLUSTER,
            IN_NAMESPACE,
        ],
        about: "Show the last lines of a pod's log, or of the API server's own",
        examples: &["logs", "logs -n 20", "logs coredns-5d78c9869d-abcde -f", "logs web-0 -c sidecar --cluster alex"],
    },
    Form {
        verb: "open",
        subject: Some(&SHELL),
        argument: Argument::None,
        options: &[],
        about: "Open a shell in a container of your own, with qbo, kubectl, helm and jq",
        examples: &["open shell"],
    },
    Form {
        verb: "open",
        subject: Some(&NODE),
        argument: Argument::Some("NODE"),
        options: &[],
        about: "Open a shell in a node",
        examples: &["open node node-2b251a2c"],
    },
    Form {
        verb: "open",
        subject: Some(&POD),
        argument: Argument::Some("POD"),
        options: &[CONTAINER, IN_CLUSTER, IN_NAMESPACE],
        about: "Open a shell in a pod",
        examples: &["open pod web-0", "open pod web-0 -c sidecar --cluster alex --namespace default"],
    },
    Form {
        verb: "test",
        subject: Some(&HOST),
        argument: Argument::None,
        options: &[],
        about: "Check kernel, cgroups, limits, Docker, memory and disk of the host",
        examples: &["test host"],
    },
    Form {
        verb: "cancel",
        subject: Some(&COMMAND),
        argument: Argument::Some("ID"),
        options: &[],
        about: "Stop running commands and undo what they did",
        examples: &["cancel command 7d510d78"],
    },
    Form {
        verb: "join",
        subject: Some(&MIRROR),
        argument: Argument::Some("UUID"),
        options: &[],
        about: "Be told what happens in mirrors; who names one first owns it",
        examples: &["join mirror 66fac858-a271-49cf-bad0-fdd9ff0b4787"],
    },
    Form {
        verb: "leave",
        subject: Some(&MIRROR),
        argument: Argument::Some("UUID"),
        options: &[],
        about: "Be told no longer what happens in mirrors",
        examples: &["leave mirror 66fac858-a271-49cf-bad0-fdd9ff0b4787"],
    },
    Form {
        verb: "admit",
        subject: Some(&USER),
        argument: Argument::Some("EMAIL"),
        options: &[Opt { short: Some('m'), long: "mirror", value: Some("UUID"), about: "The mirror, which is yours" }],
        about: "Let others into a mirror of yours",
        examples: &["admit user alex@example.com -m 66fac858-a271-49cf-bad0-fdd9ff0b4787"],
    },
    Form {
        verb: "version",
        subject: None,
        argument: Argument::None,
        options: &[],
        about: "Show the versions of CLI, API and Docker",
        examples: &["version"],
    },
];

impl Form {
    /// Verb and subject as printed, as in `add cluster`.
    pub fn name(&self) -> String {
        match self.subject {
            Some(subject) => format!("{} {}", self.verb, subject.names[0]),
            None => self.verb.to_owned(),
        }
    }

    /// The whole form on one line, as in `add cluster NAME… [-i IMAGE] [--retain]`.
    pub fn usage(&self) -> String {
        let argument = match self.argument {
            Argument::None => String::new(),
            Argument::Some(name) => format!(" {name}…"),
            Argument::SomeOrFile(name) => format!(" {name}… | -f FILE"),
            Argument::SomeOrAll(name) => format!(" {name}… | -A"),
            Argument::AnyOrAll(name) | Argument::Any(name) => format!(" [{name}…]"),
        };
        let shown = |option: &&Opt| !(option.long == "all" && matches!(self.argument, Argument::SomeOrAll(_)));
        let options: Vec<String> = self.options.iter().filter(shown).map(|option| format!("[{option}]")).collect();
        let separator = if options.is_empty() { "" } else { " " };
        format!("{}{argument}{separator}{}", self.name(), options.join(" "))
    }
}

impl Opt {
    /// Whether it may be given several times, each with another value.
    pub fn is_repeatable(&self) -> bool {
        self.value.is_some_and(|value| value.ends_with('…'))
    }
}

impl std::fmt::Display for Opt {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.short {
            Some(short) => write!(formatter, "-{short}")?,
            None => write!(formatter, "--{}", self.long)?,
        }
        self.value.map_or(Ok(()), |value| write!(formatter, " {value}"))
    }
}
