//! What clusters are for: pods that talk to each other and keep data.

use std::collections::BTreeSet;
use std::time::Duration;

use qbo_e2e::docker::Docker;
use qbo_e2e::kubectl::{Kubectl, is_ready};
use qbo_e2e::wait;

use crate::scene::probe;

const WEB: &str = include_str!("../../manifests/web.yaml");
const POD: &str = include_str!("../../manifests/pod.yaml");
const CLAIM: &str = include_str!("../../manifests/claim.yaml");
const KEEPER: &str = include_str!("../../manifests/keeper.yaml");

/// For pods to come and go on a busy machine.
const WEB_LIMIT: Duration = Duration::from_mins(4);

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
        self.kubectl.run(&["rollout", "status", "deployment/web", "--timeout=300s"]);
    }

    /// Has so many pods of the Deployment run, each on a worker of its own; returns their nodes' names.
    pub(crate) fn scale_web(&self, replicas: usize) -> Vec<String> {
        self.kubectl.run(&["scale", "deployment/web", &format!("--replicas={replicas}")]);
        self.web_runs(replicas)
    }

    /// Waits until so many pods of the Deployment are all there are, and Ready; returns their nodes' names.
    pub(crate) fn web_runs(&self, replicas: usize) -> Vec<String> {
        wait::until_ok(&format!("{replicas} pods of web to be Ready"), WEB_LIMIT, || {
            let pods = self.kubectl.get(&["pods", "--selector=app=web"]);
            let pods = pods["items"].as_array().expect("a list");
            let ready = pods.iter().filter(|pod| pod["metadata"]["deletionTimestamp"].is_null() && is_ready(pod));
            let mut nodes: Vec<String> =
                ready.filter_map(|pod| Some(pod["spec"]["nodeName"].as_str()?.to_owned())).collect();
            nodes.sort();
            let settled = nodes.len() == replicas && pods.len() == replicas;
            if settled { Ok(nodes) } else { Err(format!("{} of {} on {nodes:?}", nodes.len(), pods.len())) }
        })
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
        self.dns_tells("resolve", node, "kubernetes");
    }

    /// From a pod on this node, cluster DNS tells the addresses of a Service, of each family that it has.
    pub(crate) fn dns_tells(&self, asker: &str, node: &str, service: &str) -> Vec<String> {
        let name = format!("{service}.default");
        self.start(asker, node, &["resolve", &name]);
        let told: Vec<String> = self.kubectl.await_output(asker).lines().map(str::to_owned).collect();
        let addresses = self.kubectl.get(&["service", service])["spec"]["clusterIPs"].clone();
        assert_eq!(serde_json::json!(told), addresses, "{name}");
        told
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

    /// A pod that does nothing for as long as it is there.
    pub(crate) fn start_idle(&self, name: &str, node: &str) {
        self.start(name, node, &["serve", "8080", name]);
    }

    /// From a pod on this node, these answer at an address.
    pub(crate) fn answers(&self, asker: &str, node: &str, address: &str, port: &str, answers: &[&str]) {
        self.start(asker, node, &["gather", address, port, &answers.len().to_string()]);
        let output = self.kubectl.await_output(asker);
        let seen: BTreeSet<&str> = output.lines().collect();
        assert_eq!(seen, answers.iter().copied().collect(), "{address} from {node}");
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
