//! A balancer put in front of a cluster that lives: all that says how the API server is reached, and nothing else, is replaced.

use std::time::SystemTime;

use qbo_bootstrap::{ClusterPlan, Endpoint, Pki, cluster_objects, endpoint_files, endpoint_objects};
use serde_json::Value;

use crate::node::Node;
use crate::sample;

const VERSION: &str = "v1.37.2";

fn balanced(plan: &ClusterPlan) -> ClusterPlan {
    ClusterPlan { endpoint: Endpoint { host: plan.balancer_address.to_string(), port: 6443 }, ..plan.clone() }
}

#[test]
fn the_files_that_differ_are_those_to_be_replaced() {
    let before = sample::plan(VERSION);
    let after = balanced(&before);
    let pki = Pki::generate(&before, SystemTime::now()).unwrap();
    for node in &before.nodes {
        let replaced = endpoint_files(&after, &pki, node);
        let (old, new) = (Node::of(&before, &pki, node), Node::of(&after, &pki, node));
        let different: Vec<_> = new.0.into_values().filter(|file| old.0[&file.path] != *file).collect();
        assert_eq!(replaced, different, "{}", node.name);
        assert_eq!(replaced.len(), 1, "{}", node.name);
    }
}

#[test]
fn the_objects_that_differ_are_those_to_be_replaced() {
    let before = sample::plan(VERSION);
    let after = balanced(&before);
    let pki = Pki::generate(&before, SystemTime::now()).unwrap();
    let objects = cluster_objects(&before, &pki).into_iter().zip(cluster_objects(&after, &pki));
    let different: Vec<Value> = objects.filter(|(old, new)| old != new).map(|(_, new)| new).collect();
    assert_eq!(endpoint_objects(&after, &pki), different);
    let names: Vec<_> = different.iter().map(|object| object["metadata"]["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["kubeadm-config", "cluster-info"]);
}
