//! The texts that depend on the Kubernetes version, compared with the committed ones: one file per version at which something changed.
//!
//! `UPDATE_GOLDEN=1 cargo test -p qbo-bootstrap golden` writes them anew.

use std::fmt::Write;
use std::path::Path;
use std::time::SystemTime;

use serde_json::Value;

use qbo_bootstrap::{ClusterPlan, Contents, EtcdMembers, IpFamily, Pki, Role, cluster_objects, files};

use crate::blueprint::{blueprint, command};
use crate::sample;

const VERSIONS: [&str; 14] = [
    "v1.20.15", "v1.21.14", "v1.22.17", "v1.23.17", "v1.24.17", "v1.25.16", "v1.27.16", "v1.29.15", "v1.30.14",
    "v1.31.14", "v1.34.4", "v1.35.1", "v1.36.1", "v1.37.2",
];

/// The files without a key or a certificate in them.
const TEXTS: [&str; 8] = [
    "/kind/kubeadm.conf",
    "/var/lib/kubelet/config.yaml",
    "/var/lib/kubelet/instance-config.yaml",
    "/var/lib/kubelet/kubeadm-flags.env",
    "/etc/cni/net.d/10-kindnet.conflist",
    "/etc/containerd/registries.toml",
    "/etc/containerd/certs.d/localhost:5001/hosts.toml",
    "/etc/systemd/system/containerd.service.d/10-registries.conf",
];

#[test]
fn equals_the_committed_texts() {
    for version in VERSIONS {
        compare(version, &texts(&sample::plan(version)));
    }
}

#[test]
fn equals_the_committed_texts_of_three_control_planes() {
    let plan = sample::balanced_plan("v1.37.2");
    let mut text = texts(&plan);
    for node in plan.nodes.iter().filter(|node| node.role == Role::ControlPlane) {
        for pod in &blueprint().static_pods(&plan, node, &EtcdMembers::Founding).unwrap()[1..] {
            writeln!(text, "==> {} {}", node.name, pod.path).unwrap();
            text.extend(command(pod).into_iter().map(|argument| argument + "\n"));
        }
    }
    for mut object in blueprint().objects(&plan).unwrap() {
        object.sort_all_objects();
        writeln!(text, "{object}").unwrap();
    }
    compare("v1.37.2-balanced", &text);
}

#[test]
fn equals_the_committed_texts_of_each_family_and_of_all_options() {
    compare("v1.37.2-ipv6", &texts(&sample::plan_of(IpFamily::Ipv6)));
    compare("v1.37.2-dual", &texts(&sample::plan_of(IpFamily::Dual)));
    compare("v1.37.2-options", &texts(&sample::plan_with_options()));
    let old = ClusterPlan { kubernetes: "v1.22.17".parse().unwrap(), ..sample::plan_with_options() };
    compare("v1.22.17-options", &texts(&old));
}

fn compare(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/{name}.txt"));
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(text, committed, "{} differs; UPDATE_GOLDEN=1 writes it anew", path.display());
}

/// The texts of each node, the names of all other files, and the objects of the cluster.
fn texts(plan: &ClusterPlan) -> String {
    let pki = Pki::generate(plan, SystemTime::now()).unwrap();
    let mut text = String::new();
    for node in &plan.nodes {
        for file in files(plan, &pki, node) {
            writeln!(text, "==> {} {:o} {}", node.name, file.mode, file.path).unwrap();
            match file.contents {
                Contents::File(bytes) if TEXTS.contains(&file.path.as_str()) => {
                    text.push_str(std::str::from_utf8(&bytes).unwrap());
                }
                // Of a kubeconfig, what is not different each time.
                Contents::File(bytes) if file.path.starts_with("/etc/kubernetes/") => {
                    let lines = std::str::from_utf8(&bytes).unwrap().lines();
                    for server in lines.filter(|line| line.contains("server: ")) {
                        writeln!(text, "{server}").unwrap();
                    }
                }
                Contents::File(_) | Contents::Directory => {}
                Contents::Link(target) => writeln!(text, "-> {target}").unwrap(),
            }
        }
    }
    for mut object in cluster_objects(plan, &pki) {
        object.sort_all_objects();
        // Certificates are different each time; the rest of what ConfigMaps hold is among the files.
        if object["metadata"]["name"] != "local-registry-hosting"
            && let Some(data) = object.get_mut("data").and_then(Value::as_object_mut)
        {
            data.values_mut().for_each(|value| *value = "…".into());
        }
        writeln!(text, "{object}").unwrap();
    }
    text
}
