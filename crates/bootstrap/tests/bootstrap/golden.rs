//! The texts that depend on the Kubernetes version, compared with the committed ones: one file per version at which something changed.
//!
//! `UPDATE_GOLDEN=1 cargo test -p qbo-bootstrap golden` writes them anew.

use std::fmt::Write;
use std::path::Path;
use std::time::SystemTime;

use serde_json::Value;

use qbo_bootstrap::{Contents, Pki, cluster_objects, files};

use crate::sample;

const VERSIONS: [&str; 14] = [
    "v1.20.15", "v1.21.14", "v1.22.17", "v1.23.17", "v1.24.17", "v1.25.16", "v1.27.16", "v1.29.15", "v1.30.14",
    "v1.31.14", "v1.34.4", "v1.35.1", "v1.36.1", "v1.37.2",
];

/// The files without a key or a certificate in them.
const TEXTS: [&str; 5] = [
    "/kind/kubeadm.conf",
    "/var/lib/kubelet/config.yaml",
    "/var/lib/kubelet/instance-config.yaml",
    "/var/lib/kubelet/kubeadm-flags.env",
    "/etc/cni/net.d/10-kindnet.conflist",
];

#[test]
fn equals_the_committed_texts() {
    let update = std::env::var_os("UPDATE_GOLDEN").is_some();
    for version in VERSIONS {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/{version}.txt"));
        let text = texts(version);
        if update {
            std::fs::write(&path, &text).unwrap();
        }
        let committed = std::fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(text, committed, "{} differs; UPDATE_GOLDEN=1 writes it anew", path.display());
    }
}

/// The texts of a control plane and a worker, the names of all other files, and the objects of the cluster.
fn texts(version: &str) -> String {
    let plan = sample::plan(version);
    let pki = Pki::generate(&plan, SystemTime::now()).unwrap();
    let mut text = String::new();
    for node in &plan.nodes {
        for file in files(&plan, &pki, node) {
            writeln!(text, "==> {} {:o} {}", node.name, file.mode, file.path).unwrap();
            match file.contents {
                Contents::File(bytes) if TEXTS.contains(&file.path.as_str()) => {
                    text.push_str(std::str::from_utf8(&bytes).unwrap());
                }
                Contents::File(_) | Contents::Directory => {}
                Contents::Link(target) => writeln!(text, "-> {target}").unwrap(),
            }
        }
    }
    for mut object in cluster_objects(&plan, &pki) {
        object.sort_all_objects();
        // Certificates are different each time; the rest of what ConfigMaps hold is among the files.
        if let Some(data) = object.get_mut("data").and_then(Value::as_object_mut) {
            data.values_mut().for_each(|value| *value = "…".into());
        }
        writeln!(text, "{object}").unwrap();
    }
    text
}
