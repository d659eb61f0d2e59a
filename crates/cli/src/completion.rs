//! Completion: small scripts for the shells, which ask this program back for candidates. So they follow the grammar's
//! table and know the clusters and images there are right now.

use std::time::Duration;

use qbo_api::grammar::{Argument, FORMS, Form, Opt, VERBS};
use qbo_api::message::{Message, Payload};
use qbo_api::settings::{PortMapping, PortReference};
use tokio::time::timeout;

use crate::arguments::{COLORS, FORMATS, OPTIONS};
use crate::config::Config;
use crate::connect::Connection;
use crate::failure::Failure;
use crate::help::OWN;

const SHELLS: &[(&str, &str)] = &[
    ("bash", include_str!("completion/qbo.bash")),
    ("zsh", include_str!("completion/qbo.zsh")),
    ("fish", include_str!("completion/qbo.fish")),
];
/// For asking the server: a person waits with a finger on the tab key.
const PATIENCE: Duration = Duration::from_millis(500);

/// What may stand in a place.
#[derive(Debug, PartialEq, Eq)]
enum Expected {
    /// One of these words, each with what it means.
    Words(Vec<(String, String)>),
    /// The name of something that these commands list.
    Listed(Vec<&'static str>),
    /// A port of the host that leads into this cluster.
    Port(String),
}

/// The script of a shell.
pub(crate) fn script(words: &[&str]) -> Result<&'static str, Failure> {
    let names = || SHELLS.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
    match words {
        [shell] => SHELLS.iter().find(|(name, _)| name == shell).map(|(_, script)| *script).ok_or_else(|| {
            Failure::user(format!("there is no completion for '{shell}'"), format!("there is one for: {}", names()))
        }),
        _ => Err(Failure::user(
            "'completion' needs the name of a shell",
            format!("one of: {}; as in: source <(qbo completion bash)", names()),
        )),
    }
}

/// The candidates for the last of these words, one a line, each with a tab and what it means.
pub(crate) fn complete(words: &[String]) -> String {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let Some((current, before)) = words.split_last() else { return String::new() };
    let candidates = match expected(before, current) {
        Expected::Words(words) => words,
        Expected::Listed(lines) => ask(&lines).into_iter().flat_map(names).collect(),
        Expected::Port(cluster) => ask(&[&format!("get cluster {cluster}")]).into_iter().flat_map(ports).collect(),
    };
    let fitting =
        candidates.into_iter().filter(|(word, _)| word.starts_with(current) && !before.contains(&word.as_str()));
    fitting.map(|(word, about)| if about.is_empty() { word + "\n" } else { format!("{word}\t{about}\n") }).collect()
}

fn expected(before: &[&str], current: &str) -> Expected {
    let (form, rest) = find_form(before);
    let options = || form.map_or(&[][..], |form| form.options).iter().chain(OPTIONS);
    let spelled = |word: &str| options().find(|option| spellings(option).any(|spelling| spelling == word));
    if let Some(value) = before.last().and_then(|word| spelled(word)).and_then(|option| option.value) {
        return value_of(value);
    }
    if current.starts_with('-') {
        let words = options().flat_map(|option| spellings(option).map(|word| (word, option.about.to_owned())));
        return Expected::Words(words.collect());
    }
    match (form, rest.as_slice()) {
        (Some(form), words) => argument_of(form, &words[1 + usize::from(form.subject.is_some())..]),
        (None, []) => {
            let verbs = VERBS.iter().map(|verb| (verb.names[0].to_owned(), verb.about.to_owned()));
            let own = OWN.iter().map(|(usage, about)| (first_word(usage).to_owned(), (*about).to_owned()));
            Expected::Words(verbs.chain(own).collect())
        }
        (None, ["completion"]) => Expected::Words(plain(SHELLS.iter().map(|(name, _)| *name))),
        (None, ["help", words @ ..]) => expected(words, current),
        (None, [verb]) => Expected::Words(subjects(verb)),
        (None, _) => Expected::Words(Vec::new()),
    }
}

/// What may come after these arguments of a form.
fn argument_of(form: &Form, given: &[&str]) -> Expected {
    let (Argument::Some(name) | Argument::SomeOrAll(name) | Argument::AnyOrAll(name) | Argument::Any(name)) =
        form.argument
    else {
        return Expected::Words(Vec::new());
    };
    match (form.verb, name, given) {
        (_, "CLUSTER PORT", []) => listed("CLUSTER"),
        ("delete", "CLUSTER PORT", [cluster, ..]) => Expected::Port((*cluster).to_owned()),
        // What is loaded is no node image, and these are not known before they are added.
        ("load", "IMAGE", _) | ("add", "CLUSTER PORT" | "HOST[:PORT]", _) => Expected::Words(Vec::new()),
        (_, name, _) => listed(name),
    }
}

/// What the names in the tables stand for, as the server lists it.
fn listed(names: &str) -> Expected {
    let line = |name| match name {
        "CLUSTER" => Some("get cluster -A"),
        "NODE" => Some("get nodes -A"),
        "POD" => Some("get pods -A"),
        "SERVICE" => Some("get services -A"),
        "IMAGE" => Some("get images"),
        "HOST[:PORT]" => Some("get registries -A"),
        // Of commands: with each connection its latest is told.
        "ID" => Some("get clients -A"),
        _ => None,
    };
    Expected::Listed(names.split('|').filter_map(line).collect())
}

/// The form these words begin, where they do, and all of them but the CLI's own options.
fn find_form<'a>(before: &[&'a str]) -> (Option<&'static Form>, Vec<&'a str>) {
    let mut rest = Vec::new();
    let mut words = before.iter();
    while let Some(word) = words.next() {
        match OPTIONS.iter().find(|option| spellings(option).any(|spelling| spelling == *word)) {
            Some(option) if option.value.is_some() => drop(words.next()),
            Some(_) => {}
            None => rest.push(*word),
        }
    }
    let verb = rest.first().and_then(|word| VERBS.iter().find(|verb| verb.names.contains(word)));
    let form = verb.and_then(|verb| {
        FORMS.iter().filter(|form| form.verb == verb.names[0]).find(|form| match form.subject {
            Some(subject) => rest.get(1).is_some_and(|word| subject.names.contains(word)),
            None => true,
        })
    });
    (form, rest)
}

fn subjects(verb: &str) -> Vec<(String, String)> {
    let Some(verb) = VERBS.iter().find(|known| known.names.contains(&verb)) else { return Vec::new() };
    let forms = FORMS.iter().filter(|form| form.verb == verb.names[0]);
    forms.filter_map(|form| Some((form.subject?.names[0].to_owned(), form.about.to_owned()))).collect()
}

/// What the value of an option is, by its name in the tables.
fn value_of(value: &str) -> Expected {
    match value {
        "FORMAT" => Expected::Words(plain(FORMATS.iter().map(|(name, _)| *name))),
        "WHEN" => Expected::Words(plain(COLORS.iter().map(|(name, _)| *name))),
        "IMAGE" => listed("IMAGE"),
        "CLUSTER" | "CLUSTER,…" => listed("CLUSTER"),
        "CNI" => Expected::Words(plain(["kindnet", "none"].into_iter())),
        "WAIT" => Expected::Words(plain(["none", "nodes", "dns"].into_iter())),
        "FAMILY" => Expected::Words(plain(["ipv4", "ipv6", "dual"].into_iter())),
        _ => Expected::Words(Vec::new()),
    }
}

fn spellings(option: &Opt) -> impl Iterator<Item = String> {
    option.short.map(|short| format!("-{short}")).into_iter().chain([format!("--{}", option.long)])
}

fn plain<'a>(words: impl Iterator<Item = &'a str>) -> Vec<(String, String)> {
    words.map(|word| (word.to_owned(), String::new())).collect()
}

fn first_word(usage: &str) -> &str {
    usage.split(' ').next().unwrap_or(usage)
}

/// What the server lists, as far as it answers in time, since completion must not disturb.
fn ask(lines: &[&str]) -> Vec<Payload> {
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else {
        return Vec::new();
    };
    let mut payloads = Vec::new();
    // What has come counts, whatever kept the rest away.
    let _ = runtime.block_on(async { timeout(PATIENCE, list(lines, &mut payloads)).await });
    payloads
}

async fn list(lines: &[&str], payloads: &mut Vec<Payload>) -> Option<()> {
    let mut connection = Connection::open(&Config::load().ok()?).await.ok()?;
    for line in lines {
        connection.send(line, None, None).await.ok()?;
        loop {
            let received = connection.receive().await.ok()?;
            if received.head.wsi != connection.wsi() {
                continue;
            }
            payloads.push(serde_json::from_str::<Message>(&received.text).ok()?.payload);
            if received.head.code.is_final() {
                break;
            }
        }
    }
    connection.close().await;
    Some(())
}

/// The names of what is listed, each with what tells it apart.
fn names(payload: Payload) -> Vec<(String, String)> {
    match payload {
        Payload::Clusters(rows) => rows.into_iter().map(|row| (row.name, row.state.to_string())).collect(),
        Payload::Images(rows) => rows.into_iter().map(|row| (row.name, String::new())).collect(),
        Payload::Nodes(rows) => rows.into_iter().map(|row| (row.name, row.state.to_string())).collect(),
        Payload::Pods(rows) => rows.into_iter().map(|row| (row.name, row.cluster)).collect(),
        Payload::Services(rows) => {
            let mut names: Vec<_> = rows.into_iter().map(|row| (row.name, row.cluster)).collect();
            // There is a row for each port.
            names.dedup();
            names
        }
        Payload::Registries(rows) => rows.into_iter().map(|row| (row.name, row.address)).collect(),
        Payload::Clients(rows) => {
            // What reads is over at once, as is the question itself.
            let running = rows.into_iter().filter(|row| !row.command.is_empty() && !row.command.starts_with("get "));
            running.map(|row| (row.command_id, row.command)).collect()
        }
        _ => Vec::new(),
    }
}

/// The ports of the host that lead into clusters, as `delete port` names them.
fn ports(payload: Payload) -> Vec<(String, String)> {
    let Payload::Clusters(rows) = payload else { return Vec::new() };
    let mappings = rows.into_iter().flat_map(|row| row.ports);
    let named = mappings.filter_map(|text| {
        let PortMapping { host, protocol, .. } = text.parse().ok()?;
        Some((PortReference { host, protocol }.to_string(), text))
    });
    named.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidates(line: &str) -> Vec<String> {
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        complete(&words).lines().map(|line| line.split('\t').next().unwrap().to_owned()).collect()
    }

    #[test]
    fn words_of_the_grammar() {
        assert_eq!(candidates("de"), ["delete"]);
        assert_eq!(
            candidates("get "),
            ["cluster", "nodes", "pods", "services", "networks", "images", "registries", "clients", "usage"]
        );
        assert_eq!(candidates("del "), ["cluster", "node", "registry", "port"]);
        assert_eq!(candidates("-o json get n"), ["nodes", "networks"]);
        assert_eq!(candidates("help add "), ["cluster", "image", "node", "port", "registry"]);
        assert_eq!(candidates("add cluster a --wait "), ["none", "nodes", "dns"]);
        assert_eq!(candidates("completion "), ["bash", "zsh", "fish"]);
        assert_eq!(candidates("add cluster "), Vec::<String>::new(), "a new name is the user's");
        assert_eq!(candidates("frobnicate x "), Vec::<String>::new());
    }

    #[test]
    fn options_and_their_values() {
        assert_eq!(
            candidates("add cluster alex --"),
            [
                "--image",
                "--nodes",
                "--control-planes",
                "--domain",
                "--retain",
                "--file",
                "--port",
                "--mount",
                "--cpus",
                "--memory",
                "--taint",
                "--label",
                "--feature-gate",
                "--cni",
                "--pod-subnet",
                "--service-subnet",
                "--ip-family",
                "--wait",
                "--timeout",
                "--output",
                "--color",
                "--help",
                "--version"
            ]
        );
        assert_eq!(candidates("get nodes -o "), ["json", "yaml", "wide", "name", "table"]);
        assert_eq!(candidates("--color a"), ["auto", "always"]);
    }

    #[test]
    fn names_come_from_the_server() {
        for (line, lists) in [
            ("get nodes", &["get cluster -A", "get nodes -A"][..]),
            ("get services", &["get cluster -A", "get services -A"]),
            ("del cluster alex", &["get cluster -A"]),
            ("add cluster alex -i", &["get images"]),
            ("add image", &["get images"]),
            ("load image", &[]),
            ("add node", &["get cluster -A"]),
            ("stop node node-1", &["get nodes -A"]),
            ("logs", &["get pods -A"]),
            ("add port", &["get cluster -A"]),
            ("add port alex", &[]),
            ("delete port", &["get cluster -A"]),
            ("add registry", &[]),
            ("delete registry", &["get registries -A"]),
            ("cancel command", &["get clients -A"]),
        ] {
            let words: Vec<&str> = line.split(' ').collect();
            match expected(&words, "") {
                Expected::Listed(lines) => assert_eq!(lines, lists, "{line}"),
                other => assert!(lists.is_empty() && other == Expected::Words(Vec::new()), "{line}: {other:?}"),
            }
        }
        assert_eq!(expected(&["delete", "port", "alex", "8080/tcp"], ""), Expected::Port("alex".into()));
    }

    #[test]
    fn ports_are_named_as_they_are_deleted() {
        let mut clusters = crate::render::samples::clusters();
        clusters[0].ports = vec!["127.0.0.1:8080:30080/tcp".into(), "5353:53/udp".into()];
        let pair = |word: &str, about: &str| (word.to_owned(), about.to_owned());
        assert_eq!(
            ports(Payload::Clusters(clusters)),
            [pair("8080/tcp", "127.0.0.1:8080:30080/tcp"), pair("5353/udp", "5353:53/udp")]
        );
    }

    #[test]
    fn each_shell_has_a_script() {
        assert!(script(&["bash"]).unwrap().contains("__complete"));
        assert_eq!(script(&["csh"]).unwrap_err().cure, "there is one for: bash, zsh, fish");
        assert!(script(&[]).unwrap_err().cure.contains("source <(qbo completion bash)"));
    }
}
