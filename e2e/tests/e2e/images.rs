//! Images that come from this host, by `load image` and through a registry on its loopback; and what is taken out of a
//! cluster: logs and kubeconfigs.

use std::path::Path;
use std::time::Duration;

use qbo_e2e::cli::Ended;
use qbo_e2e::kubectl::Kubectl;
use qbo_e2e::registry::{Registry, archive};
use serde_json::Value;

use crate::scene::{Scene, add, kubectl, probe};

const CLUSTER: &str = "qbo-e2e-images";
const APP: &str = "qbo-e2e-app:1";
const FOREIGN: &str = "qbo-e2e-foreign:1";
/// For a server to find the cluster there is.
const FINDING: Duration = Duration::from_mins(1);

/// A pod of an image that holds the probe and nothing else, on one node.
const POD: &str = "\
apiVersion: v1
kind: Pod
metadata:
  name: NAME
spec:
  containers:
    - name: probe
      image: IMAGE
      imagePullPolicy: POLICY
      command: [/probe, read, /etc/hostname]
      env:
        - {name: PASSWORD, value: hunter2}
  nodeName: NODE
  restartPolicy: OnFailure
  tolerations:
    - operator: Exists
";

#[test]
fn images_of_this_host_run_in_a_cluster_and_its_logs_and_kubeconfig_come_out() {
    let mut scene = Scene::new();
    let program = std::fs::read(probe()).expect("the probe is there");
    scene.docker.load(APP, "amd64", &archive("probe", 0o755, &program));
    scene.docker.load(FOREIGN, "arm64", &archive("probe", 0o755, b"no program"));
    let registry = Registry::open();
    registry.push_program("app", "1", "probe", &program);

    let from_registry = format!("{}/app:1", registry.host());
    let add_registry = format!("add registry {}", registry.host());
    scene.server().done(&add_registry);
    scene.server().done(&add(&format!("{CLUSTER} -n 2")));
    let nodes: Vec<String> = scene.states(CLUSTER).into_iter().map(|(name, _)| name).collect();
    let kubectl = scene.kubectl(CLUSTER);
    an_image_is_loaded_once(&scene);
    for (index, node) in nodes.iter().enumerate() {
        run(&kubectl, &format!("loaded-{index}"), APP, "Never", node);
    }
    what_cannot_be_loaded_is_refused(&scene, &nodes[1]);

    // From a cluster's first minute, and where the cluster is older. What is loaded runs before: once the kubelet has pulled
    // an image, it takes the same one by another name only where it pulled that too.
    run(&kubectl, "pulled-first", &from_registry, "Always", &nodes[0]);
    scene.server().done(&format!("delete registry {}", registry.host()));
    scene.server().done(&add_registry);
    run(&kubectl, "pulled", &from_registry, "Always", &nodes[1]);
    let hosting = kubectl.get(&["configmap", "local-registry-hosting", "--namespace=kube-public"]);
    assert!(hosting["data"]["localRegistryHosting.v1"].as_str().is_some_and(|text| text.contains(&registry.host())));
    // Also after a crash, and on a node that came later.
    scene.crash_server();
    scene.await_states(FINDING, CLUSTER, "ready");
    scene.server().done(&format!("add node {CLUSTER}"));
    let later = scene.states(CLUSTER).into_iter().map(|(name, _)| name).find(|name| !nodes.contains(name));
    run(&kubectl, "pulled-later", &from_registry, "Always", &later.expect("the node that was added"));
    let listed = scene.server().done("get registries");
    assert_eq!(listed.rows("registries")[0]["name"], registry.host());

    logs_are_written(&scene, &nodes);
    kubeconfigs_are_merged_until_the_cluster_is_gone(&scene, nodes.len() + 1);

    scene.server().done(&format!("delete registry {}", registry.host()));
    for image in [APP, FOREIGN] {
        scene.docker.run(&["image", "rm", image]);
    }
    std::fs::remove_dir_all(scene.server().home().join(".kube")).expect("a kubeconfig was written");
    scene.assert_clean();
    scene.end();
}

/// Runs the image on a node, until it has done what it does.
fn run(kubectl: &Kubectl, name: &str, image: &str, policy: &str, node: &str) {
    let pod = POD.replace("NAME", name).replace("IMAGE", image).replace("POLICY", policy).replace("NODE", node);
    kubectl.create(&pod);
    assert_eq!(kubectl.await_output(name), name, "the host name of a pod is its own");
}

fn lines(ended: &Ended) -> Vec<&str> {
    // The last is the end of the command.
    let lines = ended.rows("output").into_iter().filter(|row| row["step"].is_null());
    let mut lines: Vec<&str> = lines.filter_map(|row| row["message"].as_str()).collect();
    lines.pop();
    lines
}

fn an_image_is_loaded_once(scene: &Scene) {
    let load = format!("load image {APP} -c {CLUSTER}");
    let loaded = scene.server().done(&load);
    assert_eq!(lines(&loaded), [format!("{APP}: moved into 2 nodes")]);
    let again = scene.server().done(&load);
    assert_eq!(lines(&again), [format!("{APP}: 2 nodes had it already, nothing was moved")]);
}

fn what_cannot_be_loaded_is_refused(scene: &Scene, worker: &str) {
    let server = scene.server();
    server.refuses(&format!("load image qbo-e2e-ghost:1 -c {CLUSTER}"), 1, 404, "holds no image 'qbo-e2e-ghost:1'");
    server.refuses(&format!("load image {FOREIGN} -c {CLUSTER}"), 1, 422, "is for arm64");
    server.refuses(&format!("load image {APP} -c qbo-e2e-ghost"), 1, 404, "there is no cluster");
    server.refuses("add registry localhost:1", 2, 502, "does not answer");
    server.done(&format!("stop node {worker}"));
    server.refuses(&format!("load image {APP} -c {CLUSTER}"), 1, 409, "is stopped");
    server.done(&format!("start node {worker}"));
}

fn logs_are_written(scene: &Scene, nodes: &[String]) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let directory = directory.path().join("logs");
    scene.server().done(&format!("export logs {CLUSTER} -d {}", directory.display()));
    let own = directory.join(CLUSTER);
    let read = |path: &str| std::fs::read_to_string(own.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
    for node in nodes {
        assert!(read(&format!("nodes/{node}/kubelet.log")).contains("kubelet"), "{node}");
        assert!(read(&format!("nodes/{node}/containerd.log")).contains("containerd"), "{node}");
        let docker: Value = serde_json::from_str(&read(&format!("nodes/{node}/docker.json"))).expect("JSON");
        assert!(docker["Name"].as_str().is_some_and(|name| name.ends_with(node)), "{node}");
    }
    let pods: Value = serde_json::from_str(&read("pods.json")).expect("JSON");
    let names: Vec<&str> =
        pods["items"].as_array().expect("a list").iter().filter_map(|pod| pod["metadata"]["name"].as_str()).collect();
    assert!(names.contains(&"loaded-0") && names.iter().any(|name| name.starts_with("coredns-")), "{names:?}");
    assert!(read("qbo.log").contains(CLUSTER));
    let mut files = Vec::new();
    gather(&own, &mut files);
    assert!(files.iter().any(|path| path.contains("/pods/kube-system_etcd-")), "{files:?}");
    let leaks =
        |word: &str| files.iter().find(|path| std::fs::read_to_string(path).is_ok_and(|text| text.contains(word)));
    assert_eq!((leaks("hunter2"), leaks("PRIVATE KEY"), leaks("\"kind\": \"Secret\"")), (None, None, None));
    let again = scene.server().run(&format!("export logs {CLUSTER} -d {}", directory.display()));
    assert!(again.exit == 1 && again.errors.contains("is there already"), "{again}");
}

fn gather(directory: &Path, files: &mut Vec<String>) {
    for entry in std::fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() { gather(&path, files) } else { files.push(path.display().to_string()) }
    }
}

fn kubeconfigs_are_merged_until_the_cluster_is_gone(scene: &Scene, nodes: usize) {
    let config = scene.server().home().join(".kube/config");
    std::fs::create_dir(config.parent().expect("a directory")).expect("a directory is made");
    let own = "apiVersion: v1\nkind: Config\nclusters:\n- name: work\n  cluster:\n    server: https://192.0.2.1\ncurrent-context: work\n";
    std::fs::write(&config, own).expect("a kubeconfig is written");
    let merged = scene.server().done(&format!("export kubeconfig {CLUSTER}"));
    assert!(merged.errors.contains(&format!("'qbo-{CLUSTER}' is in ")), "{merged}");
    assert!(!merged.to_string().contains("client-key-data"), "a key is printed");
    assert_eq!(Kubectl::new(kubectl(&scene.docker), &config).await_ready(nodes).len(), nodes);
    scene.server().done(&format!("delete cluster {CLUSTER}"));
    let left = std::fs::read_to_string(&config).expect("a kubeconfig is read");
    assert!(left.contains("https://192.0.2.1") && !left.contains("qbo-"), "{left}");
}
