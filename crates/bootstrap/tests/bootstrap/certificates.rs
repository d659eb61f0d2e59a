//! The certificates as a TLS library sees them: who issued them, what for, for which names, until when.

use std::time::{Duration, SystemTime};

use qbo_bootstrap::{Contents, IpFamily, Pki, files};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{PrivateKeyDer, ServerName};
use webpki::EndEntityCert;

use crate::node::{Node, Usage, contains, says, valid};
use crate::sample;

const DAY: Duration = Duration::from_hours(24);

/// Certificate, authority, usages, and what its subject says.
const ISSUED: [(&str, &str, &[Usage], &[&str]); 7] = [
    ("apiserver", "ca", &[Usage::Server], &["kube-apiserver"]),
    ("apiserver-kubelet-client", "ca", &[Usage::Client], &["kube-apiserver-kubelet-client"]),
    ("apiserver-etcd-client", "etcd/ca", &[Usage::Client], &["kube-apiserver-etcd-client"]),
    ("etcd/server", "etcd/ca", &[Usage::Server, Usage::Client], &["control-2b251a2c.localhost"]),
    ("etcd/peer", "etcd/ca", &[Usage::Server, Usage::Client], &["control-2b251a2c.localhost"]),
    ("etcd/healthcheck-client", "etcd/ca", &[Usage::Client], &["kube-etcd-healthcheck-client"]),
    ("front-proxy-client", "front-proxy-ca", &[Usage::Client], &["front-proxy-client"]),
];

#[test]
fn issues_each_certificate_by_its_authority_for_its_use_alone() {
    let control = control_plane("v1.37.2");
    for (name, authority, usages, subject) in ISSUED {
        let certificate = control.certificate(&format!("/etc/kubernetes/pki/{name}.crt"));
        for usage in [Usage::Server, Usage::Client] {
            assert_eq!(
                valid(&certificate, &control.authority(authority), usage, SystemTime::now()),
                usages.contains(&usage),
                "{name} {usage:?}"
            );
        }
        for other in ["ca", "etcd/ca", "front-proxy-ca"].into_iter().filter(|other| *other != authority) {
            assert!(!valid(&certificate, &control.authority(other), usages[0], SystemTime::now()), "{name} by {other}");
        }
        for part in subject {
            assert!(says(&certificate, part), "{name}: {part}");
        }
    }
}

#[test]
fn holds_from_shortly_before_now_for_ten_years() {
    let control = control_plane("v1.37.2");
    let now = SystemTime::now();
    for (name, authority, usages, _) in ISSUED {
        let certificate = control.certificate(&format!("/etc/kubernetes/pki/{name}.crt"));
        let at = |time| valid(&certificate, &control.authority(authority), usages[0], time);
        assert!(at(now - Duration::from_mins(4)) && at(now + 3649 * DAY), "{name}");
        assert!(!at(now - DAY) && !at(now + 3651 * DAY), "{name}");
    }
}

#[test]
fn holds_for_every_name_the_api_server_is_reached_by() {
    let control = control_plane("v1.37.2");
    let certificate = control.certificate("/etc/kubernetes/pki/apiserver.crt");
    let certificate = EndEntityCert::try_from(&certificate).unwrap();
    for name in [
        "kubernetes",
        "kubernetes.default",
        "kubernetes.default.svc",
        "kubernetes.default.svc.cluster.local",
        "control-2b251a2c.localhost",
        "localhost",
        "10.96.0.1",
        "172.20.0.10",
        "172.20.0.2",
        "127.0.0.1",
        "api.example",
        "192.0.2.7",
    ] {
        assert_eq!(
            certificate.verify_is_valid_for_subject_name(&ServerName::try_from(name).unwrap()),
            Ok(()),
            "{name}"
        );
    }
    for name in ["worker-2b251a2c.localhost", "10.96.0.10"] {
        assert!(certificate.verify_is_valid_for_subject_name(&ServerName::try_from(name).unwrap()).is_err(), "{name}");
    }
}

#[test]
fn holds_for_addresses_of_ipv6_where_nodes_have_them() {
    let plan = sample::plan_of(IpFamily::Dual);
    let pki = Pki::generate(&plan, SystemTime::now()).unwrap();
    let control = Node::of(&plan, &pki, &plan.nodes[0]);
    for name in ["apiserver", "etcd/server", "etcd/peer"] {
        let certificate = control.certificate(&format!("/etc/kubernetes/pki/{name}.crt"));
        let certificate = EndEntityCert::try_from(&certificate).unwrap();
        for address in ["fd00:20::a", "::1", "172.20.0.10"] {
            let subject = ServerName::try_from(address).unwrap();
            assert_eq!(certificate.verify_is_valid_for_subject_name(&subject), Ok(()), "{name} {address}");
        }
    }
}

#[test]
fn puts_the_users_into_the_groups_of_their_version() {
    for (version, admins, kubelet_client) in [
        ("v1.28.15", "system:masters", Some("system:masters")),
        ("v1.29.15", "kubeadm:cluster-admins", Some("kubeadm:cluster-admins")),
        ("v1.36.1", "kubeadm:cluster-admins", None),
    ] {
        let control = control_plane(version);
        let admin = control.embedded("/etc/kubernetes/admin.conf");
        assert!(says(&admin, admins) && says(&admin, "kubernetes-admin"), "{version}");
        let client = control.certificate("/etc/kubernetes/pki/apiserver-kubelet-client.crt");
        for group in ["system:masters", "kubeadm:cluster-admins"] {
            assert_eq!(says(&client, group), kubelet_client == Some(group), "{version} {group}");
        }
    }
    let super_admin = control_plane("v1.29.15").embedded("/etc/kubernetes/super-admin.conf");
    assert!(says(&super_admin, "system:masters"));
}

#[test]
fn gives_each_kubelet_its_own_certificate_under_the_name_it_looks_for() {
    let [control, worker] = nodes("v1.37.2");
    for (node, user) in
        [(&control, "system:node:control-2b251a2c.localhost"), (&worker, "system:node:worker-2b251a2c.localhost")]
    {
        let Contents::Link(target) = &node.0["/var/lib/kubelet/pki/kubelet-client-current.pem"].contents else {
            panic!("no link")
        };
        let certificate = node.certificate(target);
        assert!(valid(&certificate, &control.authority("ca"), Usage::Client, SystemTime::now()));
        assert!(says(&certificate, user) && says(&certificate, "system:nodes"));
        PrivateKeyDer::from_pem_slice(node.bytes(target)).unwrap();
    }
}

#[test]
fn gives_workers_no_key_but_their_own() {
    let [_, worker] = nodes("v1.37.2");
    let with_key: Vec<_> = worker
        .0
        .values()
        .filter(|file| matches!(&file.contents, Contents::File(bytes) if contains(bytes, b"PRIVATE KEY")))
        .collect();
    assert_eq!(
        with_key.iter().map(|file| file.path.as_str()).collect::<Vec<_>>(),
        ["/var/lib/kubelet/pki/kubelet-client-first.pem"]
    );
}

#[test]
fn lets_nobody_but_root_read_a_key() {
    for node in nodes("v1.37.2") {
        for file in node.0.values() {
            let Contents::File(bytes) = &file.contents else { continue };
            if contains(bytes, b"PRIVATE KEY") || contains(bytes, b"client-key-data") {
                assert_eq!(file.mode, 0o600, "{}", file.path);
            }
        }
    }
}

#[test]
fn shows_no_key_in_its_debug_form() {
    let plan = sample::plan("v1.37.2");
    let pki = Pki::generate(&plan, SystemTime::now()).unwrap();
    let files = files(&plan, &pki, &plan.nodes[0]);
    assert!(!format!("{pki:?} {files:?}").contains("PRIVATE KEY"));
}

#[test]
fn names_the_certificate_that_cannot_be_made() {
    let mut plan = sample::plan("v1.37.2");
    plan.options.components.api_server_names = vec!["ümlaut.example".to_owned()];
    let error = Pki::generate(&plan, SystemTime::now()).unwrap_err();
    assert_eq!(error.to_string(), "cannot make the certificate of kube-apiserver");
}

fn control_plane(version: &str) -> Node {
    let [control, _] = nodes(version);
    control
}

fn nodes(version: &str) -> [Node; 2] {
    let plan = sample::plan(version);
    let pki = Pki::generate(&plan, SystemTime::now()).unwrap();
    [Node::of(&plan, &pki, &plan.nodes[0]), Node::of(&plan, &pki, &plan.nodes[1])]
}
