//! What clusters are for: pods that talk to each other and keep data.

use std::collections::BTreeSet;
use std::time::Duration;

use qbo_e2e::docker::Docker;
use qbo_e2e::kubectl::Kubectl;
use qbo_e2e::wait;

use crate::scene::probe;

const WEB: &str = include_str!("../../manifests/web.yaml");
const POD: &str = include_str!("../../manifests/pod.yaml");
const CLAIM: &str = include_str!("../../manifests/claim.yaml");
const KEEPER: &str = include_str!("../../manifests/keeper.yaml");

/// The pods of one cluster.
pub(crate) struct Workload<'a> {
    kubectl: &'a Kubectl,
    image: String,
}

impl<'a> Workload<'a> {
    /// Puts into the nodes what the pods run.
    pub(crate) fn new(kubectl: &'a Kubectl, docker: &Docker, nodes: &[String]) -> Self {
        docker.copy_in(probe(), nodes, "/opt/qbo-probe/probe");
        Self { kubectl, image: kubectl.any_image() }
    }

    /// A Deployment with a pod on each of two workers, behind a Service.
    pub(crate) fn deploy_web(&self) {
        self.kubectl.create(&WEB.replace("IMAGE", &self.image));
        self.kubectl.run(&["rollout", "status", "deployment/web", "--timeout=120s"]);
    }

    /// From every node, all servers answer under the Service's name, each with the name of its node.
    pub(crate) fn web_answers(&self, round: &str, askers: &[String], servers: &[String]) {
        let pods: Vec<String> = (0..askers.len()).map(|number| format!("ask-{round}-{number}")).collect();
        for (pod, node) in pods.iter().zip(askers) {
            self.start(pod, node, &["gather", "web", "80", &servers.len().to_string()]);
        }
        for (pod, node) in pods.iter().zip(askers) {
            let output = self.kubectl.await_output(pod);
            let seen: BTreeSet<&str> = output.lines().collect();
            let wanted: BTreeSet<&str> = servers.iter().map(String::as_str).collect();
            assert_eq!(seen, wanted, "from {node}");
        }
    }

    /// Cluster DNS knows the API server, as a pod on this node sees it.
    pub(crate) fn dns_answers(&self, node: &str) {
        self.start("resolve", node, &["resolve", "kubernetes.default"]);
        let address = self.kubectl.await_output("resolve");
        let service = self.kubectl.get(&["service", "kubernetes"]);
        assert_eq!(address, service["spec"]["clusterIP"], "kubernetes.default");
    }

    /// A claim is bound, and what one pod writes the next reads.
    pub(crate) fn claim_keeps_data(&self) {
        self.kubectl.create(CLAIM);
        self.start_keeper("writer", &["write", "/data/file", "kept"]);
        self.kubectl.await_output("writer");
        self.kubectl.run(&["delete", "pod", "writer"]);
        self.claim_still_keeps_data("reader");
        assert_eq!(self.kubectl.get(&["pvc", "data"])["status"]["phase"], "Bound");
    }

    /// What was once written another pod of this name reads.
    pub(crate) fn claim_still_keeps_data(&self, reader: &str) {
        self.start_keeper(reader, &["read", "/data/file"]);
        assert_eq!(self.kubectl.await_output(reader), "kept");
    }

    /// Waits until every node's kubelet has been heard of since this moment of the API server's clock.
    pub(crate) fn await_signs_of_life(&self, nodes: &[String], since: &str) {
        wait::until("signs of life of all kubelets", Duration::from_mins(3), || {
            let leases = ["get", "leases", "--namespace=kube-node-lease", "--output=json"];
            let leases: serde_json::Value = serde_json::from_str(&self.kubectl.attempt(&leases).ok()?).ok()?;
            let alive = leases["items"].as_array()?.iter();
            // RFC 3339 of one form sorts like the time it tells.
            let alive = alive.filter(|lease| lease["spec"]["renewTime"].as_str().is_some_and(|time| time > since));
            (alive.count() == nodes.len()).then_some(())
        });
    }

    fn start(&self, name: &str, node: &str, command: &[&str]) {
        self.kubectl.create(&self.fill(POD, name, command).replace("NODE", node));
    }

    fn start_keeper(&self, name: &str, command: &[&str]) {
        self.kubectl.create(&self.fill(KEEPER, name, command));
    }

    fn fill(&self, manifest: &str, name: &str, command: &[&str]) -> String {
        let command = serde_json::to_string(&[&["/probe/probe"], command].concat()).expect("words are JSON");
        manifest.replace("COMMAND", &command).replace("IMAGE", &self.image).replace("NAME", name)
    }
}
