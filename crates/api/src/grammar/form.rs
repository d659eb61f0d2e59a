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
    /// What its value is called in help texts; none for a flag.
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
    /// At least one of what the text names, or `-A`.
    SomeOrAll(&'static str),
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
    VerbName { names: &["add"], about: "Add clusters and node images" },
    VerbName { names: &["get"], about: "List clusters, nodes and images" },
    VerbName { names: &["delete", "del"], about: "Delete clusters" },
    VerbName { names: &["test"], about: "Test whether this host can carry clusters" },
    VerbName { names: &["cancel"], about: "Stop a running command and undo what it did" },
    VerbName { names: &["version"], about: "Show the versions of CLI, API and Docker" },
];

const CLUSTER: SubjectName = SubjectName { names: &["cluster", "clusters"] };
const NODES: SubjectName = SubjectName { names: &["nodes", "node"] };
const IMAGES: SubjectName = SubjectName { names: &["images", "image"] };
const IMAGE: SubjectName = SubjectName { names: &["image", "images"] };
const HOST: SubjectName = SubjectName { names: &["host"] };
const COMMAND: SubjectName = SubjectName { names: &["command", "commands"] };

const ALL: Opt = Opt { short: Some('A'), long: "all", value: None, about: "All that you have" };

/// All commands, in the order of help texts.
pub const FORMS: &[Form] = &[
    Form {
        verb: "add",
        subject: Some(&CLUSTER),
        argument: Argument::Some("NAME"),
        options: &[
            Opt { short: Some('i'), long: "image", value: Some("IMAGE"), about: "Node image, as kindest/node:v1.37.2" },
            Opt {
                short: Some('n'),
                long: "nodes",
                value: Some("NODES"),
                about: "Number of nodes, the control plane included (default 3)",
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
        ],
        about: "Make Kubernetes clusters",
        examples: &["add cluster alex", "add cluster dev prod -n 1", "add cluster alex -i kindest/node:v1.37.2 -n 5"],
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
        verb: "get",
        subject: Some(&CLUSTER),
        argument: Argument::Any("CLUSTER"),
        options: &[
            ALL,
            Opt { short: Some('k'), long: "kubeconfig", value: None, about: "Print the kubeconfig instead" },
        ],
        about: "List clusters, or print a cluster's kubeconfig",
        examples: &["get cluster -A", "get cluster -k alex"],
    },
    Form {
        verb: "get",
        subject: Some(&NODES),
        argument: Argument::Any("CLUSTER"),
        options: &[ALL],
        about: "List the nodes of clusters",
        examples: &["get nodes alex", "get nodes -A"],
    },
    Form {
        verb: "get",
        subject: Some(&IMAGES),
        argument: Argument::None,
        options: &[Opt { short: Some('A'), long: "all", value: None, about: "Those of the registry besides" }],
        about: "List node images",
        examples: &["get images", "get images -A"],
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
            Argument::SomeOrAll(name) => format!(" {name}… | -A"),
            Argument::Any(name) => format!(" [{name}…]"),
        };
        let shown = |option: &&Opt| !(option.long == "all" && matches!(self.argument, Argument::SomeOrAll(_)));
        let options: Vec<String> = self.options.iter().filter(shown).map(|option| format!("[{option}]")).collect();
        let separator = if options.is_empty() { "" } else { " " };
        format!("{}{argument}{separator}{}", self.name(), options.join(" "))
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
