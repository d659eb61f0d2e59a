//! Nodes that join a living cluster, of which only the files of a control plane are left.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime};

use qbo_bootstrap::{
    Authorities, ClusterPlan, Contents, NodePlan, Pki, PkiError, Role, control_plane_objects, join_objects,
};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};
use webpki::EndEntityCert;

use crate::node::{Node, Usage, says, valid};
use crate::sample;

const VERSION: &str = "v1.37.2";

/// A cluster as it was made, and later.
struct Cluster {
    control: Node,
    worker: Node,
    plan: ClusterPlan,
    new_control: Node,
    new_worker: Node,
}

impl Cluster {
    fn new() -> Self {
        let mut plan = sample::plan(VERSION);
        let then = SystemTime::now() - Duration::from_hours(24);
        let pki = Pki::generate(&plan, then).unwrap();
        let (control, worker) = (Node::of(&plan, &pki, &plan.nodes[0]), Node::of(&plan, &pki, &plan.nodes[1]));
        let new = [
            sample::node("control-11111111.localhost", Role::ControlPlane, 2),
            sample::node("worker-22222222.localhost", Role::Worker, 3),
        ];
        plan.nodes.extend_from_slice(&new);
        let authorities = Authorities::read(&kept(&control)).unwrap();
        let pki = Pki::join(authorities, &plan, &new, SystemTime::now()).unwrap();
        let [new_control, new_worker] = new.map(|node| Node::of(&plan, &pki, &node));
        Self { control, worker, plan, new_control, new_worker }
    }
}

/// What a server reads out of a control plane's container.
fn kept(control: &Node) -> BTreeMap<String, Vec<u8>> {
    Authorities::PATHS.iter().map(|path| ((*path).to_owned(), control.bytes(path).to_vec())).collect()
}

/// The certificates of a node, with what uses them alone.
fn certificates(node: &Node) -> Vec<CertificateDer<'static>> {
    let issued = node.0.values().filter_map(|file| match &file.contents {
        Contents::File(bytes) if !file.path.ends_with("ca.crt") => CertificateDer::from_pem_slice(bytes).ok(),
        _ => None,
    });
    issued.collect()
}

#[test]
fn nodes_that_join_hold_the_same_files_as_those_there_from_the_start() {
    let cluster = Cluster::new();
    let shape = |node: &Node| node.0.values().map(|file| (file.path.clone(), file.mode)).collect::<Vec<_>>();
    assert_eq!(shape(&cluster.new_control), shape(&cluster.control));
    assert_eq!(shape(&cluster.new_worker), shape(&cluster.worker));
}

#[test]
fn control_planes_share_the_authorities_to_the_last_byte() {
    let cluster = Cluster::new();
    for path in Authorities::PATHS.iter().chain(&["/etc/kubernetes/pki/sa.pub"]) {
        assert_eq!(cluster.new_control.bytes(path), cluster.control.bytes(path), "{path}");
    }
}

#[test]
fn what_joins_is_certified_by_the_authorities_of_the_start() {
    let cluster = Cluster::new();
    for (name, authority, usage) in [
        ("apiserver", "ca", Usage::Server),
        ("apiserver-kubelet-client", "ca", Usage::Client),
        ("apiserver-etcd-client", "etcd/ca", Usage::Client),
        ("etcd/server", "etcd/ca", Usage::Server),
        ("etcd/peer", "etcd/ca", Usage::Client),
        ("front-proxy-client", "front-proxy-ca", Usage::Client),
    ] {
        let certificate = cluster.new_control.certificate(&format!("/etc/kubernetes/pki/{name}.crt"));
        let authority = cluster.control.authority(authority);
        assert!(valid(&certificate, &authority, usage, SystemTime::now()), "{name}");
        // OpenSSL finds issuers by this.
        assert_eq!(authority_key_identifier(&certificate), subject_key_identifier(&authority), "{name}");
    }
    let kubelet = cluster.new_worker.certificate("/var/lib/kubelet/pki/kubelet-client-first.pem");
    assert!(valid(&kubelet, &cluster.control.authority("ca"), Usage::Client, SystemTime::now()));
    assert!(says(&kubelet, "system:node:worker-22222222.localhost") && says(&kubelet, "system:nodes"));
    let scheduler = cluster.new_control.embedded("/etc/kubernetes/scheduler.conf");
    assert!(valid(&scheduler, &cluster.control.authority("ca"), Usage::Client, SystemTime::now()));
}

#[test]
fn a_control_plane_that_joins_is_reached_by_its_own_address() {
    let cluster = Cluster::new();
    let certificate = cluster.new_control.certificate("/etc/kubernetes/pki/apiserver.crt");
    let certificate = EndEntityCert::try_from(&certificate).unwrap();
    for name in ["172.20.0.12", "172.20.0.2", "control-11111111.localhost", "10.96.0.1", "api.example"] {
        let name = ServerName::try_from(name).unwrap();
        assert_eq!(certificate.verify_is_valid_for_subject_name(&name), Ok(()), "{name:?}");
    }
}

#[test]
fn no_two_certificates_have_one_serial_number() {
    let cluster = Cluster::new();
    let nodes = [&cluster.control, &cluster.worker, &cluster.new_control, &cluster.new_worker];
    let certificates: Vec<_> = nodes.into_iter().flat_map(certificates).collect();
    let serial = |certificate: &CertificateDer<'_>| EndEntityCert::try_from(certificate).unwrap().serial().to_vec();
    let serials: BTreeSet<_> = certificates.iter().map(serial).collect();
    // Seven of each control plane, and a kubelet's of each node.
    assert_eq!((certificates.len(), serials.len()), (18, 18));
}

#[test]
fn a_living_cluster_is_told_of_the_node_and_of_its_control_planes() {
    let Cluster { plan, .. } = Cluster::new();
    let [node] = &join_objects(&plan, &plan.nodes[3])[..] else { panic!("a worker is one object") };
    assert_eq!(node["metadata"]["name"], "worker-22222222.localhost");
    assert_eq!(node["spec"]["podCIDR"], "10.244.3.0/24");
    let [node] = &join_objects(&plan, &plan.nodes[2])[..] else { panic!("so is a control plane") };
    assert_eq!(node["metadata"]["labels"]["node-role.kubernetes.io/control-plane"], "");
    let [configuration] = &control_plane_objects(&plan)[..] else { panic!("all of them are in one") };
    assert_eq!(configuration["metadata"]["name"], "kubeadm-config");
    let text = configuration["data"]["ClusterConfiguration"].as_str().unwrap();
    assert!(text.contains("control-2b251a2c.localhost") && text.contains("control-11111111.localhost"));
}

#[test]
fn a_control_plane_without_its_authorities_is_told() {
    let kept = kept(&Cluster::new().control);
    let refused = |path: &str, contents: Option<&[u8]>| {
        let mut files = kept.clone();
        files.remove(path);
        files.extend(contents.map(|contents| (path.to_owned(), contents.to_vec())));
        Authorities::read(&files).unwrap_err().to_string()
    };
    for path in Authorities::PATHS {
        assert_eq!(refused(path, None), format!("the control plane has no {path}"));
    }
    let [certificate, key, other, ..] = Authorities::PATHS;
    assert_eq!(refused(key, Some(b"\xff")), format!("the control plane's {key} is no private key in PEM"));
    for wrong in [kept[other].as_slice(), b"no certificate"] {
        let unmatched = format!("the control plane's {certificate} is not the certificate of the key beside it");
        assert_eq!(refused(certificate, Some(wrong)), unmatched);
    }
}

#[test]
fn authorities_show_no_key_in_their_debug_form() {
    let kept = kept(&Cluster::new().control);
    let shown = format!("{:?}", Authorities::read(&kept).unwrap());
    let key = String::from_utf8_lossy(&kept["/etc/kubernetes/pki/sa.key"]).lines().nth(1).unwrap().to_owned();
    assert!(!shown.contains("PRIVATE KEY") && !shown.contains(&key));
}

#[test]
fn a_plan_without_a_control_plane_is_refused() {
    let Cluster { control, mut plan, .. } = Cluster::new();
    plan.nodes.retain(|node| node.role == Role::Worker);
    let authorities = Authorities::read(&kept(&control)).unwrap();
    let error = Pki::join(authorities, &plan, &plan.nodes, SystemTime::now()).unwrap_err();
    assert!(matches!(error, PkiError::Plan(_)), "{error:?}");
}

#[test]
fn a_node_that_does_not_go_with_the_cluster_is_refused_and_those_that_live_are_left_alone() {
    let Cluster { control, mut plan, .. } = Cluster::new();
    let new = plan.nodes.pop().unwrap();
    // Of nodes that live, a server need not know more than their names and addresses.
    plan.nodes.iter_mut().for_each(|node| node.pod_subnets.clear());
    let join = |new: NodePlan| {
        let authorities = Authorities::read(&kept(&control)).unwrap();
        let plan = ClusterPlan { nodes: [plan.nodes.as_slice(), std::slice::from_ref(&new)].concat(), ..plan.clone() };
        Pki::join(authorities, &plan, &[new], SystemTime::now())
    };
    assert!(join(new.clone()).is_ok());
    let error = join(NodePlan { pod_subnets: vec!["fd00::/64".parse().unwrap()], ..new }).unwrap_err();
    let message = "node worker-22222222.localhost has no IPv6 address, or not one share of each pod subnet";
    assert_eq!(error.to_string(), message);
}

/// The 20 bytes behind this prefix, which is an extension's identifier and its lengths.
fn key_identifier<'a>(certificate: &'a CertificateDer<'_>, prefix: &[u8]) -> &'a [u8] {
    let start = certificate.windows(prefix.len()).position(|window| window == prefix).unwrap() + prefix.len();
    &certificate[start..start + 20]
}

fn subject_key_identifier<'a>(certificate: &'a CertificateDer<'_>) -> &'a [u8] {
    key_identifier(certificate, &[0x55, 0x1d, 0x0e, 0x04, 0x16, 0x04, 0x14])
}

fn authority_key_identifier<'a>(certificate: &'a CertificateDer<'_>) -> &'a [u8] {
    key_identifier(certificate, &[0x55, 0x1d, 0x23, 0x04, 0x18, 0x30, 0x16, 0x80, 0x14])
}
