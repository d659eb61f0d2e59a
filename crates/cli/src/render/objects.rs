//! For scripts: objects as YAML documents, or by their names.

use std::collections::HashSet;
use std::io::{self, Write};

use qbo_api::message::{Output, Payload};
use qbo_api::model::{Usage, UsageKind};
use serde::Serialize;

use super::Printer;

/// Prints one object after another.
#[derive(Debug)]
pub(crate) struct Objects {
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Yaml,
    /// With those that were printed: an object whose state changes comes more than once.
    Names(HashSet<String>),
}

impl Objects {
    /// YAML documents.
    pub(crate) fn yaml() -> Self {
        Self { kind: Kind::Yaml }
    }

    /// Lines as `cluster/alex`.
    pub(crate) fn names() -> Self {
        Self { kind: Kind::Names(HashSet::new()) }
    }

    fn text(&mut self, payload: &Payload) -> io::Result<String> {
        match &mut self.kind {
            Kind::Yaml => yaml(payload),
            Kind::Names(printed) => {
                let names = names(payload).into_iter().filter(|name| printed.insert(name.clone()));
                Ok(names.map(|name| name + "\n").collect())
            }
        }
    }
}

impl Printer for Objects {
    fn payload(&mut self, payload: &Payload) -> io::Result<()> {
        let text = self.text(payload)?;
        let mut output = io::stdout().lock();
        output.write_all(text.as_bytes())?;
        output.flush()
    }
}

fn yaml(payload: &Payload) -> io::Result<String> {
    match payload {
        Payload::Version(rows) => documents(rows),
        Payload::Clusters(rows) => documents(rows),
        Payload::Nodes(rows) => documents(rows),
        Payload::Pods(rows) => documents(rows),
        Payload::Services(rows) => documents(rows),
        Payload::Networks(rows) => documents(rows),
        Payload::Images(rows) => documents(rows),
        Payload::Registries(rows) => documents(rows),
        Payload::Clients(rows) => documents(rows),
        Payload::Usage(rows) => documents(rows),
        Payload::Output(rows) => rows
            .iter()
            .map(|row| match row {
                // It is YAML already.
                Output::Kubeconfig { kubeconfig } => Ok(format!("---\n{}\n", kubeconfig.trim_end())),
                row => documents(std::slice::from_ref(row)),
            })
            .collect(),
        Payload::Input(_) => Ok(String::new()),
    }
}

fn documents<T: Serialize>(rows: &[T]) -> io::Result<String> {
    rows.iter()
        .map(|row| {
            let text = serde_saphyr::to_string(row).map_err(io::Error::other)?;
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

fn names(payload: &Payload) -> Vec<String> {
    match payload {
        Payload::Clusters(rows) => rows.iter().map(|row| format!("cluster/{}", row.name)).collect(),
        Payload::Nodes(rows) => rows.iter().map(|row| format!("node/{}", row.name)).collect(),
        Payload::Pods(rows) => rows.iter().map(|row| format!("pod/{}/{}", row.namespace, row.name)).collect(),
        Payload::Services(rows) => rows.iter().map(|row| format!("service/{}/{}", row.namespace, row.name)).collect(),
        Payload::Networks(rows) => rows.iter().map(|row| format!("network/{}", row.name)).collect(),
        Payload::Images(rows) => rows.iter().map(|row| format!("image/{}", row.name)).collect(),
        Payload::Registries(rows) => rows.iter().map(|row| format!("registry/{}", row.name)).collect(),
        Payload::Clients(rows) => rows.iter().map(|row| format!("client/{}", row.wsi)).collect(),
        Payload::Usage(rows) => rows.iter().map(usage_name).collect(),
        Payload::Version(_) | Payload::Output(_) | Payload::Input(_) => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
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
}
