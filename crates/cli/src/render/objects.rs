//! For scripts: objects as YAML documents, or by their names.

use std::collections::{HashMap, HashSet};
use std::io::{self, Write};

use qbo_api::message::{Change, Output, Payload};
use qbo_api::model::{Usage, UsageKind};
use serde::Serialize;

use super::Printer;
use super::table::Keyed;

/// Prints one object after another.
#[derive(Debug)]
pub(crate) struct Objects {
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Yaml,
    /// With those that were printed and the keys of their rows: an object whose state changes comes more than once, and one may
    /// have several rows.
    Names(HashMap<String, HashSet<String>>),
}

impl Objects {
    /// YAML documents.
    pub(crate) fn yaml() -> Self {
        Self { kind: Kind::Yaml }
    }

    /// Lines as `cluster/alex`.
    pub(crate) fn names() -> Self {
        Self { kind: Kind::Names(HashMap::new()) }
    }

    fn text(&mut self, payload: &Payload) -> io::Result<String> {
        match &mut self.kind {
            Kind::Yaml => yaml(payload, None),
            Kind::Names(printed) => {
                let first = names(payload).into_iter().filter_map(|(name, key)| {
                    let rows = printed.entry(name.clone()).or_default();
                    let is_new = rows.is_empty();
                    rows.insert(key);
                    is_new.then_some(name + "\n")
                });
                Ok(first.collect())
            }
        }
    }

    /// What is gone, so that it is not taken for what is there.
    fn gone(&mut self, payload: &Payload) -> io::Result<String> {
        match &mut self.kind {
            Kind::Yaml => yaml(payload, Some(Change::Delete)),
            Kind::Names(printed) => {
                let last = names(payload).into_iter().filter_map(|(name, key)| {
                    let rows = printed.get_mut(&name)?;
                    rows.remove(&key);
                    if !rows.is_empty() {
                        return None;
                    }
                    printed.remove(&name);
                    Some(["-", &name, "\n"].concat())
                });
                Ok(last.collect())
            }
        }
    }
}

impl Printer for Objects {
    fn payload(&mut self, payload: &Payload) -> io::Result<()> {
        write(&self.text(payload)?)
    }

    fn changed(&mut self, change: Change, rows: &Payload, _text: &str) -> io::Result<()> {
        let text = match change {
            Change::Put | Change::Snapshot => self.text(rows)?,
            Change::Delete => self.gone(rows)?,
        };
        write(&text)
    }
}

fn write(text: &str) -> io::Result<()> {
    let mut output = io::stdout().lock();
    output.write_all(text.as_bytes())?;
    output.flush()
}

/// An object as a document of its own.
#[derive(Serialize)]
struct Document<'a, T> {
    /// As in messages, where it is to be told.
    #[serde(skip_serializing_if = "Option::is_none")]
    change: Option<Change>,
    #[serde(flatten)]
    row: &'a T,
}

fn yaml(payload: &Payload, change: Option<Change>) -> io::Result<String> {
    match payload {
        Payload::Version(rows) => documents(rows, change),
        Payload::Clusters(rows) => documents(rows, change),
        Payload::Nodes(rows) => documents(rows, change),
        Payload::Pods(rows) => documents(rows, change),
        Payload::Services(rows) => documents(rows, change),
        Payload::Networks(rows) => documents(rows, change),
        Payload::Images(rows) => documents(rows, change),
        Payload::Registries(rows) => documents(rows, change),
        Payload::Clients(rows) => documents(rows, change),
        Payload::Usage(rows) => documents(rows, change),
        Payload::Output(rows) => rows
            .iter()
            .map(|row| match row {
                // It is YAML already.
                Output::Kubeconfig { kubeconfig } => Ok(format!("---\n{}\n", kubeconfig.trim_end())),
                row => documents(std::slice::from_ref(row), change),
            })
            .collect(),
        Payload::Input(_) => Ok(String::new()),
    }
}

fn documents<T: Serialize>(rows: &[T], change: Option<Change>) -> io::Result<String> {
    rows.iter()
        .map(|row| {
            let text = serde_saphyr::to_string(&Document { change, row }).map_err(io::Error::other)?;
            Ok(format!("---\n{}\n", text.trim_end()))
        })
        .collect()
}

/// What it is the usage of, as that is named itself.
fn usage_name(usage: &Usage) -> String {
    match usage.kind {
        UsageKind::Node => format!("node/{}", usage.name),
        UsageKind::Pod => format!("pod/{}/{}", usage.namespace, usage.name),
    }
}

/// Of each row the name of its object, and its key.
fn names(payload: &Payload) -> Vec<(String, String)> {
    match payload {
        Payload::Clusters(rows) => named(rows, |row| format!("cluster/{}", row.name)),
        Payload::Nodes(rows) => named(rows, |row| format!("node/{}", row.name)),
        Payload::Pods(rows) => named(rows, |row| format!("pod/{}/{}", row.namespace, row.name)),
        Payload::Services(rows) => named(rows, |row| format!("service/{}/{}", row.namespace, row.name)),
        Payload::Networks(rows) => named(rows, |row| format!("network/{}", row.name)),
        Payload::Images(rows) => named(rows, |row| format!("image/{}", row.name)),
        Payload::Registries(rows) => named(rows, |row| format!("registry/{}", row.name)),
        Payload::Clients(rows) => named(rows, |row| format!("client/{}", row.wsi)),
        Payload::Usage(rows) => named(rows, usage_name),
        Payload::Version(_) | Payload::Output(_) | Payload::Input(_) => Vec::new(),
    }
}

fn named<T: Keyed>(rows: &[T], name: fn(&T) -> String) -> Vec<(String, String)> {
    rows.iter().map(|row| (name(row), row.key())).collect()
}

#[cfg(test)]
mod tests {
    use qbo_api::model::Service;

    use super::*;
    use crate::render::table::samples;

    #[test]
    fn yaml_documents() {
        let text = Objects::yaml().text(&Payload::Clusters(samples::clusters())).unwrap();
        assert_eq!(
            text,
            "\
---
address: https://10.201.0.2:6443
control_plane: control-1a2b3c4d.localhost
id: 43706dd0-1111-2222-3333-444444444444
name: alex
state: ready
user: alex@qbo.io
---
address: \"\"
control_plane: control-99aa88bb.localhost
id: 53706dd0-1111-2222-3333-444444444444
name: prod
state: creating
user: alex@qbo.io
"
        );
    }

    #[test]
    fn a_kubeconfig_is_a_document_of_its_own() {
        let rows = vec![Output::Kubeconfig { kubeconfig: "apiVersion: v1\n".into() }];
        assert_eq!(Objects::yaml().text(&Payload::Output(rows)).unwrap(), "---\napiVersion: v1\n");
    }

    #[test]
    fn names_come_once() {
        let mut names = Objects::names();
        assert_eq!(names.text(&Payload::Clusters(samples::clusters())).unwrap(), "cluster/alex\ncluster/prod\n");
        assert_eq!(names.text(&Payload::Clusters(samples::clusters())).unwrap(), "");
        assert_eq!(
            names.text(&Payload::Nodes(samples::nodes())).unwrap(),
            "node/control-1a2b3c4d.localhost\nnode/node-77aa88bb.localhost\n"
        );
    }
    #[test]
    fn what_is_gone_is_told_from_what_is_there() {
        let gone = Objects::yaml().gone(&Payload::Clusters(samples::clusters()[..1].to_vec())).unwrap();
        assert!(gone.starts_with("---\nchange: delete\naddress: https://10.201.0.2:6443\n"), "{gone}");

        let mut names = Objects::names();
        let clusters = Payload::Clusters(samples::clusters());
        names.text(&clusters).unwrap();
        assert_eq!(names.gone(&clusters).unwrap(), "-cluster/alex\n-cluster/prod\n");
        assert_eq!(names.gone(&clusters).unwrap(), "", "it is gone already");
        assert_eq!(names.text(&clusters).unwrap(), "cluster/alex\ncluster/prod\n", "it is back");
    }

    #[test]
    fn what_has_several_rows_is_gone_with_the_last() {
        let port = |port_number| Service {
            name: "web".into(),
            id: "1".into(),
            namespace: "default".into(),
            address: "10.96.0.1".into(),
            external_address: String::new(),
            kind: "ClusterIP".into(),
            port_name: String::new(),
            port_number,
            target_port: port_number,
            node_port: 0,
            selector: Vec::new(),
            protocol: "TCP".into(),
            cluster: "alex".into(),
            user: "alex@qbo.io".into(),
            cluster_id: "43706dd0-1111-2222-3333-444444444444".into(),
        };
        let mut names = Objects::names();
        assert_eq!(names.text(&Payload::Services(vec![port(80), port(443)])).unwrap(), "service/default/web\n");
        assert_eq!(names.gone(&Payload::Services(vec![port(80)])).unwrap(), "");
        assert_eq!(names.gone(&Payload::Services(vec![port(443)])).unwrap(), "-service/default/web\n");
    }
}
