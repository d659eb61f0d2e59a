//! Completion: small scripts for the shells, which ask this program back for candidates. So they follow the grammar's
//! table and know the clusters and images there are right now.

use std::time::Duration;

use qbo_api::grammar::{Argument, FORMS, Form, Opt, VERBS};
use qbo_api::message::{Message, Payload};
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
    /// The name of a cluster.
    Cluster,
    /// The name of a node.
    Node,
    /// The name of a pod.
    Pod,
    /// The name of a node image.
    Image,
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
        Expected::Cluster => names("get cluster -A"),
        Expected::Node => names("get nodes -A"),
        Expected::Pod => names("get pods -A"),
        Expected::Image => names("get images"),
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
    match (form.map(|form| form.argument), rest.as_slice()) {
        (Some(Argument::SomeOrAll("NODE") | Argument::Some("NODE")), _) => Expected::Node,
        (Some(Argument::SomeOrAll(name) | Argument::Some(name) | Argument::AnyOrAll(name)), _)
            if name.starts_with("CLUSTER") =>
        {
            Expected::Cluster
        }
        // What is loaded is no node image.
        (Some(Argument::Some("IMAGE")), _) if form.is_some_and(|form| form.verb == "add") => Expected::Image,
        (Some(Argument::Any("IMAGE")), _) => Expected::Image,
        (Some(Argument::Some("POD") | Argument::Any("POD")), _) => Expected::Pod,
        (None, []) => {
            let verbs = VERBS.iter().map(|verb| (verb.names[0].to_owned(), verb.about.to_owned()));
            let own = OWN.iter().map(|(usage, about)| (first_word(usage).to_owned(), (*about).to_owned()));
            Expected::Words(verbs.chain(own).collect())
        }
        (None, ["completion"]) => Expected::Words(plain(SHELLS.iter().map(|(name, _)| *name))),
        (None, ["help", words @ ..]) => expected(words, current),
        (None, [verb]) => Expected::Words(subjects(verb)),
        (Some(_) | None, _) => Expected::Words(Vec::new()),
    }
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
        "IMAGE" => Expected::Image,
        "CLUSTER" | "CLUSTER,…" => Expected::Cluster,
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

/// Names of what the server lists; none where it does not answer in time, since completion must not disturb.
fn names(line: &str) -> Vec<(String, String)> {
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else {
        return Vec::new();
    };
    let listed = runtime.block_on(async { timeout(PATIENCE, list(line)).await });
    listed.ok().flatten().unwrap_or_default()
}

async fn list(line: &str) -> Option<Vec<(String, String)>> {
    let mut connection = Connection::open(&Config::load().ok()?).await.ok()?;
    connection.send(line, None, None).await.ok()?;
    let mut names = Vec::new();
    loop {
        let received = connection.receive().await.ok()?;
        if received.head.wsi != connection.wsi() {
            continue;
        }
        match serde_json::from_str::<Message>(&received.text).ok()?.payload {
            Payload::Clusters(rows) => names.extend(rows.into_iter().map(|row| (row.name, row.state.to_string()))),
            Payload::Images(rows) => names.extend(rows.into_iter().map(|row| (row.name, String::new()))),
            Payload::Nodes(rows) => names.extend(rows.into_iter().map(|row| (row.name, row.state.to_string()))),
            Payload::Pods(rows) => names.extend(rows.into_iter().map(|row| (row.name, row.cluster))),
            _ => {}
        }
        if received.head.code.is_final() {
            connection.close().await;
            return Some(names);
        }
    }
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
        assert_eq!(expected(&["get", "nodes"], ""), Expected::Cluster);
        assert_eq!(expected(&["del", "cluster", "alex"], "d"), Expected::Cluster);
        assert_eq!(expected(&["add", "cluster", "alex", "-i"], ""), Expected::Image);
        assert_eq!(expected(&["add", "image"], ""), Expected::Image);
        assert_eq!(expected(&["add", "node"], ""), Expected::Cluster);
        assert_eq!(expected(&["stop", "node", "node-1"], ""), Expected::Node);
    }

    #[test]
    fn each_shell_has_a_script() {
        assert!(script(&["bash"]).unwrap().contains("__complete"));
        assert_eq!(script(&["csh"]).unwrap_err().cure, "there is one for: bash, zsh, fish");
        assert!(script(&[]).unwrap_err().cure.contains("source <(qbo completion bash)"));
    }
}
