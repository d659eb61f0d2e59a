//! What is asked of a cluster at its making, in options and in files, and what is there of it then.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use qbo_e2e::cli::Running;
use qbo_e2e::docker::Docker;
use qbo_e2e::kubectl::Kubectl;
use qbo_e2e::wait;
use serde_json::{Value, json};

use crate::scene::{Scene, image};
use crate::workload::Workload;

const CLUSTER: &str = "qbo-e2e-options";
const DUAL: &str = "qbo-e2e-dual";
const BARE: &str = "qbo-e2e-bare";

/// For rules of Services, and for what Docker starts anew.
const PATIENCE: Duration = Duration::from_mins(4);

#[test]
fn a_cluster_is_what_its_file_and_its_options_say() {
    let mut scene = Scene::new();
    let ports = free_ports();
    let [port, _, _] = ports;
    let data = scene.server().home().join("data");
    std::fs::create_dir(&data).expect("a directory is made");
    std::fs::write(data.join("file"), "of the host").expect("a file is written");
    let file = scene.file(
        "cluster.yaml",
        &format!(
            "apiVersion: qbo.io/v1\nkind: Cluster\nname: {CLUSTER}\nimage: {image}\n\
             nodes:\n- role: control-plane\n- role: worker\n  labels: {{rack: a1}}\n\
             ports: ['127.0.0.1:{port}:30080', '127.0.0.1:{port}:30081/udp']\nmounts: ['{data}:/data:ro']\ncpus: 1500m\nmemory: 2Gi\n\
             taints: ['kept=free:PreferNoSchedule']\nlabels: {{disk: slow, zone: a}}\nfeatureGates: {{ImageVolume: false}}\n\
             podSubnet: 10.61.0.0/16\nserviceSubnet: 10.62.0.0/16\ntimeout: 10m\n",
            image = image(),
            data = data.display(),
        ),
    );
    scene
        .server()
        .done(&format!("add cluster -f {} --label disk=fast --feature-gate ImageVolume=true", file.display()));
    let kubectl = scene.kubectl(CLUSTER);
    let nodes: Vec<String> = scene.states(CLUSTER).into_iter().map(|(name, _)| name).collect();

    gates_and_subnets(&kubectl);
    workers_are_as_asked(&scene.docker, &kubectl, &nodes[1..], &[&json!("a1")]);
    // A node that comes later knows nothing but what Docker holds.
    scene.server().done(&format!("add node {CLUSTER}"));
    let nodes: Vec<String> = scene.states(CLUSTER).into_iter().map(|(name, _)| name).collect();
    assert_eq!(nodes.len(), 3);
    let racks: Vec<Value> =
        nodes[1..].iter().map(|node| kubectl.get(&["node", node])["metadata"]["labels"]["rack"].clone()).collect();
    workers_are_as_asked(&scene.docker, &kubectl, &nodes[1..], &racks.iter().collect::<Vec<_>>());

    ports_lead_in(&scene, &kubectl, &nodes, ports);
    ports_that_a_killed_server_was_adding_go(&mut scene, port);
    scene.server().done(&format!("delete cluster {CLUSTER}"));
    std::fs::remove_dir_all(&data).expect("the directory is removed");
    scene.assert_clean();
    scene.end();
}

fn gates_and_subnets(kubectl: &Kubectl) {
    // Its kubelet tells of a static pod some time after it runs.
    let command = wait::until("the API server's pod to be told of", PATIENCE, || {
        let pods = kubectl.get(&["pods", "--namespace=kube-system", "--selector=component=kube-apiserver"]);
        pods["items"][0]["spec"]["containers"][0]["command"].as_array().cloned()
    });
    assert!(command.contains(&json!("--feature-gates=ImageVolume=true")), "{command:?}");
    let service = kubectl.get(&["service", "kubernetes"]);
    assert_eq!(service["spec"]["clusterIP"], "10.62.0.1");
}

fn workers_are_as_asked(docker: &Docker, kubectl: &Kubectl, workers: &[String], racks: &[&Value]) {
    for (node, rack) in workers.iter().zip(racks) {
        let found = kubectl.get(&["node", node]);
        let (allocatable, labels) = (&found["status"]["allocatable"], &found["metadata"]["labels"]);
        assert_eq!((&allocatable["cpu"], &allocatable["memory"]), (&json!("1500m"), &json!("2Gi")), "{node}");
        assert_eq!((&labels["disk"], &labels["zone"], &labels["rack"]), (&json!("fast"), &json!("a"), *rack), "{node}");
        let kept = json!({"key": "kept", "value": "free", "effect": "PreferNoSchedule"});
        assert_eq!(taints(&found), [&kept], "{node}");
        let subnet = found["spec"]["podCIDR"].as_str().expect("a subnet");
        assert!(subnet.starts_with("10.61."), "{subnet}");
        assert_eq!(docker.run(&["exec", node, "cat", "/data/file"]), "of the host");
        assert!(docker.attempt(&["exec", node, "touch", "/data/other"]).is_err(), "it is read only");
        let limits = docker.run(&["inspect", "--format", "{{.HostConfig.NanoCpus}} {{.HostConfig.Memory}}", node]);
        assert_eq!(limits, "1500000000 2147483648");
    }
}

/// The taints of a node, but for those with which Kubernetes says how it is: they go somewhat after it is Ready.
fn taints(node: &Value) -> Vec<&Value> {
    let all = node["spec"]["taints"].as_array().into_iter().flatten();
    let tells = |taint: &Value| taint["key"].as_str().is_some_and(|key| key.starts_with("node.kubernetes.io/"));
    all.filter(|taint| !tells(taint)).collect()
}

/// Those of the file, and those that come and go while the cluster lives; `of_file` has both protocols.
fn ports_lead_in(scene: &Scene, kubectl: &Kubectl, nodes: &[String], [of_file, later, old]: [u16; 3]) {
    let workload = Workload::new(kubectl, &scene.docker, nodes);
    workload.start_idle("web", &nodes[1]);
    kubectl.run(&["label", "pod", "web", "app=web"]);
    kubectl.create(
        "{apiVersion: v1, kind: Service, metadata: {name: web}, spec: {type: NodePort, selector: {app: web}, ports: [\
         {name: tcp, port: 80, targetPort: 8080, nodePort: 30080}, \
         {name: udp, port: 80, targetPort: 8080, nodePort: 30081, protocol: UDP}]}}",
    );
    answers(of_file, "web");
    answers_datagrams(of_file, "web");

    let taken = TcpListener::bind(("127.0.0.1", 0)).expect("there is a free port");
    let other = taken.local_addr().expect("it has one").port();
    let said = format!("port {other}/tcp of the host is taken");
    scene.server().refuses(&format!("add port {CLUSTER} 127.0.0.1:{other}:30080"), 1, 409, &said);
    let line = format!("add cluster {BARE} -n 1 -i {} -p 127.0.0.1:{other}:30080", image());
    scene.server().refuses(&line, 1, 409, &said);
    assert_eq!(scene.nodes(BARE), Vec::<String>::new());

    let with_both = |port: u16| [format!("127.0.0.1:{port}:30080/tcp"), format!("127.0.0.1:{port}:30081/udp")];
    scene.server().done(&format!("add port {CLUSTER} {}", with_both(later).join(" ")));
    answers(later, "web");
    answers_datagrams(later, "web");
    let mut wanted = [with_both(of_file), with_both(later)].concat();
    wanted.sort();
    assert_eq!(ports_told(scene), wanted);

    // What passes it on dies, and Docker brings it back.
    let containers = scene.docker.labelled(&format!("io.qbo.port=127.0.0.1:{later}:30080/tcp"));
    let process = scene.docker.run(&["inspect", "--format", "{{.State.Pid}}", &containers.concat()]);
    let process = rustix::process::Pid::from_raw(process.parse().expect("a number")).expect("it runs");
    rustix::process::kill_process(process, rustix::process::Signal::KILL).expect("it is killed");
    answers(later, "web");
    by_the_old_rules_too(scene, &containers.concat(), old);

    scene.server().done(&format!("delete port {CLUSTER} {later}"));
    assert!(ask(later).is_err(), "nobody listens any more");
    answers_datagrams(later, "web");
    scene.server().done(&format!("delete port {CLUSTER} {later}/udp"));
    assert!(ask_datagrams(later).is_err(), "nobody listens any more");
    answers(of_file, "web");
    scene.server().refuses(&format!("delete port {CLUSTER} {later}"), 1, 404, "no port");
}

/// What passes on a port does so also where `iptables` is of no use: where the kernel's `nf_tables` has no NAT.
fn by_the_old_rules_too(scene: &Scene, container: &str, port: u16) {
    let words = scene.docker.run(&["inspect", "--format", "{{json .Config.Entrypoint}}", container]);
    let words: Vec<String> = serde_json::from_str(&words).expect("an entrypoint is a list");
    let listened = scene.docker.run(&[
        "inspect",
        "--format",
        "{{range $key, $_ := .HostConfig.PortBindings}}{{$key}}{{end}}",
        container,
    ]);
    let listened = listened.trim_end_matches("/tcp");
    let publish = format!("127.0.0.1:{port}:{listened}");
    let run = [
        "run",
        "--detach",
        "--rm",
        "--network",
        CLUSTER,
        "--cap-add",
        "NET_ADMIN",
        "--sysctl",
        "net.ipv4.ip_forward=1",
    ];
    let more =
        ["--publish", &publish, "--volume", "/bin/false:/usr/sbin/iptables:ro", "--entrypoint", &words[0], image()];
    let rest: Vec<&str> = words[1..].iter().map(String::as_str).collect();
    let without = scene.docker.run(&[&run[..], &more, &rest].concat());
    answers(port, "web");
    scene.docker.run(&["rm", "--force", "--volumes", &without]);
}

/// None of them was complete, and the next server knows that.
fn ports_that_a_killed_server_was_adding_go(scene: &mut Scene, of_file: u16) {
    let before = (scene.docker.labelled("io.qbo.role=port"), ports_told(scene));
    let ports = free_ports::<6>();
    let line = ports.iter().fold(format!("add port {CLUSTER}"), |line, port| format!("{line} 127.0.0.1:{port}:30080"));
    let mut adding = Running::start(scene.server().qbo(&line));
    adding.await_message("a port to be there", |message| message["output"][0]["state"] == "done");
    scene.crash_server();
    scene.await_states(PATIENCE, CLUSTER, "ready");
    let ended = adding.end();
    if ended.exit == 0 {
        // All of them were there before the server was killed.
        for port in ports {
            scene.done_soon(&format!("delete port {CLUSTER} {port}"));
        }
    } else {
        assert_eq!(ended.exit, 2, "{ended}");
    }
    wait::until_ok("what was not complete to go", PATIENCE, || {
        match (scene.docker.labelled("io.qbo.role=port"), ports_told(scene)) {
            left if left == before => Ok(()),
            left => Err(format!("{left:?}")),
        }
    });
    answers(of_file, "web");
    scene.done_soon(&line);
    answers(ports[0], "web");
}

/// The ports that lead into the cluster, as `get` tells them.
fn ports_told(scene: &Scene) -> Vec<String> {
    let mut told: Vec<String> =
        serde_json::from_value(scene.cluster(CLUSTER)["ports"].clone()).expect("ports are told");
    told.sort();
    told
}

#[test]
fn a_file_of_kinds_makes_a_cluster_with_both_families() {
    let scene = Scene::new();
    let [port, everywhere] = free_ports();
    let policy = "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules: [{level: Metadata}]\n";
    let policy = scene.file("audit.yaml", policy);
    let shared = SharedMount::new();
    let file = scene.file(
        "kind.yaml",
        &format!(
            "kind: Cluster\napiVersion: kind.x-k8s.io/v1alpha4\nname: {DUAL}\n\
             networking:\n  ipFamily: dual\n  apiServerPort: {port}\n  kubeProxyMode: nftables\n  dnsSearch: [example.com]\n\
             nodes:\n- role: control-plane\n  image: {image}\n  extraMounts:\n  - hostPath: {policy}\n    \
             containerPath: /etc/kubernetes/policies/audit.yaml\n    readOnly: true\n  - hostPath: {shared}\n    \
             containerPath: /shared\n    propagation: HostToContainer\n- role: worker\n  image: {image}\n{PATCHES}",
            image = image(),
            policy = policy.display(),
            shared = shared.path().display(),
        ),
    );
    scene.server().done(&format!("add cluster -f {}", file.display()));
    let kubectl = scene.kubectl(DUAL);
    patches_are_obeyed(&scene, &kubectl);
    let through = format!("--server=https://127.0.0.1:{port}");
    wait::until_ok("the API server at the host's port", PATIENCE, || kubectl.attempt(&[&through, "get", "nodes"]));
    // By a name that is ::1 first: ports are passed on by IPv4, and nobody is let in by IPv6.
    scene.server().done(&format!("add port {DUAL} {everywhere}:6443"));
    let through = format!("--server=https://localhost:{everywhere}");
    wait::until_ok("the API server at localhost", PATIENCE, || {
        kubectl.attempt(&[&through, "--tls-server-name=kubernetes", "get", "nodes"])
    });

    let nodes: Vec<String> = scene.states(DUAL).into_iter().map(|(name, _)| name).collect();
    // What is mounted on the host now is seen in the node.
    let later = shared.mount("later");
    std::fs::write(later.join("file"), "later").expect("a file is written");
    assert_eq!(scene.docker.run(&["exec", &nodes[0], "cat", "/shared/later/file"]), "later");
    for node in &nodes {
        let found = kubectl.get(&["node", node]);
        let addresses = found["status"]["addresses"].as_array().expect("addresses");
        let internal = addresses.iter().filter(|address| address["type"] == "InternalIP");
        assert_eq!(internal.map(|address| is_v6(&address["address"])).collect::<Vec<_>>(), [false, true], "{node}");
    }
    let workload = Workload::new(&kubectl, &scene.docker, &nodes);
    let pods = ["one", "two"];
    for (pod, node) in pods.iter().zip(&nodes) {
        workload.start_idle(pod, node);
        kubectl.run(&["label", "pod", pod, "app=both"]);
    }
    kubectl.create(
        "{apiVersion: v1, kind: Service, metadata: {name: both}, spec: {selector: {app: both}, ipFamilyPolicy: RequireDualStack, \
         ports: [{port: 80, targetPort: 8080}]}}",
    );
    for pod in pods {
        kubectl.run(&["wait", "--for=condition=Ready", &format!("pod/{pod}"), "--timeout=180s"]);
    }
    let found = kubectl.get(&["pod", "two"]);
    let addresses = texts(&found["status"]["podIPs"], "ip");
    assert_eq!(addresses.iter().map(|address| address.contains(':')).collect::<Vec<_>>(), [false, true]);
    workload.answers("pod-v6", &nodes[0], &addresses[1], "8080", &["two"]);
    let service = kubectl.get(&["service", "both"]);
    let addresses: Vec<String> = serde_json::from_value(service["spec"]["clusterIPs"].clone()).expect("addresses");
    workload.answers("service-v4", &nodes[0], &addresses[0], "80", &pods);
    workload.answers("service-v6", &nodes[1], &addresses[1], "80", &pods);
    assert_eq!(workload.dns_tells("names", &nodes[1], "both"), addresses);
    scene.server().done(&format!("delete cluster {DUAL}"));
    scene.assert_clean();
    scene.end();
}

/// As people have them for kind.
const PATCHES: &str = r#"
kubeadmConfigPatches:
- |
  kind: ClusterConfiguration
  apiServer:
    extraArgs:
      audit-log-path: /var/log/kubernetes/audit.log
      audit-policy-file: /etc/kubernetes/policies/audit.yaml
    extraVolumes:
    - name: policies
      hostPath: /etc/kubernetes/policies
      mountPath: /etc/kubernetes/policies
      readOnly: true
      pathType: DirectoryOrCreate
    - name: log
      hostPath: /var/log/kubernetes
      mountPath: /var/log/kubernetes
      pathType: DirectoryOrCreate
- |
  kind: InitConfiguration
  nodeRegistration:
    taints: []
- |
  kind: JoinConfiguration
  nodeRegistration:
    kubeletExtraArgs:
      node-labels: "patched=true"
      v: "3"
- |
  apiVersion: kubelet.config.k8s.io/v1beta1
  kind: KubeletConfiguration
  maxPods: 40
- |
  kind: KubeProxyConfiguration
  nodePortAddresses: [primary]
kubeadmConfigPatchesJSON6902:
- group: kubelet.config.k8s.io
  version: v1beta1
  kind: KubeletConfiguration
  patch: |
    - op: replace
      path: /maxPods
      value: 50
- group: kubeadm.k8s.io
  version: v1beta3
  kind: ClusterConfiguration
  patch: |
    - op: add
      path: /apiServer/certSANs/-
      value: patched.example.com
containerdConfigPatches:
- |-
  version = 4
  root = "/other"
- |-
  version = 2
  [plugins."io.containerd.grpc.v1.cri"]
    max_concurrent_downloads = 6
containerdConfigPatchesJSON6902:
- '[{"op": "replace", "path": "/plugins/io.containerd.grpc.v1.cri/max_concurrent_downloads", "value": 7}]'
"#;

/// On all nodes, also on one that knows nothing but what Docker holds.
fn patches_are_obeyed(scene: &Scene, kubectl: &Kubectl) {
    scene.server().done(&format!("add node {DUAL}"));
    let nodes: Vec<String> = scene.states(DUAL).into_iter().map(|(name, _)| name).collect();
    assert_eq!(nodes.len(), 3);
    for (index, name) in nodes.iter().enumerate() {
        let node = kubectl.get(&["node", name]);
        assert_eq!(node["status"]["capacity"]["pods"], "50");
        assert_eq!(taints(&node), Vec::<&Value>::new(), "{name}");
        let within = |command: &str| scene.docker.run(&["exec", name, "sh", "-c", command]);
        let is_worker = index > 0;
        assert_eq!(node["metadata"]["labels"]["patched"] == "true", is_worker, "{name}");
        assert_eq!(within("tr '\\0' ' ' < /proc/$(pidof kubelet)/cmdline").contains("--v=3"), is_worker, "{name}");
        let containerd = within("containerd --config /etc/containerd/config.toml config dump");
        assert!(containerd.contains("max_concurrent_downloads = 7"), "{containerd}");
        assert!(!containerd.contains("/other"), "{containerd}");
        assert!(within("grep ^search /etc/resolv.conf").contains("example.com"), "{name}");
    }
    let first = scene.docker.run(&["exec", &nodes[0], "head", "-n", "1", "/var/log/kubernetes/audit.log"]);
    assert!(first.contains(r#""level":"Metadata""#), "{first}");
    // The certificate holds for the name of the patch.
    kubectl.run(&["--tls-server-name=patched.example.com", "get", "nodes"]);
    let proxy = kubectl.get(&["configmap", "kube-proxy", "--namespace=kube-system"]);
    let proxy = proxy["data"]["config.conf"].as_str().expect("a text");
    assert!(proxy.contains("- primary") && proxy.contains("mode: nftables"), "{proxy}");
}

#[test]
fn what_is_not_waited_for_is_not_ready_and_what_takes_too_long_is_undone() {
    let scene = Scene::new();
    scene.server().refuses(&format!("add cluster {BARE} -n 1 --timeout 2s"), 2, 504, "was not done within 2s");
    scene.assert_clean();
    let unknown = format!("add cluster {BARE} -n 1 --feature-gate Foo=true");
    scene.server().refuses(&unknown, 1, 422, "unrecognized feature gate: Foo");
    scene.assert_clean();
    let missing = "add cluster qbo-e2e-bare -n 1 --mount /nonexistent/of/qbo:/data";
    scene.server().refuses(missing, 1, 422, "/nonexistent/of/qbo");
    scene.assert_clean();

    for (patches, says) in [
        ("kubeadmConfigPatches: ['{kind: KubeletConfiguration, maxPodz: 50}']", "unknown field \"maxPodz\""),
        ("kubeadmConfigPatches: ['{kind: KubeletConfiguration, maxPods: -2}']", "must not be a negative number"),
        (
            "kubeadmConfigPatches: ['{kind: KubeletConfiguration, featureGates: {Foo: true}}']",
            "unrecognized feature gate: Foo",
        ),
        (
            "kubeadmConfigPatches: ['{kind: ClusterConfiguration, featureGates: {Foo: true}}']",
            "kubeadmConfigPatches: the node image's",
        ),
        ("containerdConfigPatches: ['rooot = \"/a\"']", "unknown key in TOML"),
        ("containerdConfigPatches: ['oom_score = \"much\"']", "the node image's containerd refuses it"),
    ] {
        let head = "kind: Cluster\napiVersion: kind.x-k8s.io/v1alpha4\nname: qbo-e2e-bare\n";
        let file = scene.file("wrong.yaml", &format!("{head}{patches}\n"));
        scene.server().refuses(&format!("add cluster -f {}", file.display()), 1, 422, says);
        scene.assert_clean();
    }

    let file = "apiVersion: qbo.io/v1\nkind: Cluster\nkubeProxyMode: none\ncni: none\n";
    let file = scene.file("bare.yaml", file);
    scene.server().done(&format!("add cluster {BARE} -n 1 -f {}", file.display()));
    let kubectl = scene.kubectl(BARE);
    let names = kubectl.run(&["get", "daemonsets,deployments", "--namespace=kube-system", "--output=name"]);
    assert_eq!(names.trim(), "deployment.apps/coredns");
    wait::until("the node to say that it is not Ready", PATIENCE, || {
        let nodes = kubectl.get(&["nodes"]);
        let mut conditions = nodes["items"][0]["status"]["conditions"].as_array()?.iter();
        conditions.any(|condition| condition["type"] == "Ready" && condition["status"] == "False").then_some(())
    });
    // Nobody can wait for more than that, neither of a node that joins nor of those that start.
    for line in [format!("add node {BARE}"), format!("stop cluster {BARE}"), format!("start cluster {BARE}")] {
        scene.server().done(&line);
    }
    scene.server().done(&format!("delete cluster {BARE}"));
    scene.assert_clean();
    scene.end();
}

fn is_v6(address: &Value) -> bool {
    address.as_str().is_some_and(|address| address.contains(':'))
}

fn texts(list: &Value, field: &str) -> Vec<String> {
    let items = list.as_array().expect("a list").iter();
    items.map(|item| item[field].as_str().expect("a text").to_owned()).collect()
}

/// Ports of the host that nobody listens on.
fn free_ports<const COUNT: usize>() -> [u16; COUNT] {
    let listeners = [(); COUNT].map(|()| TcpListener::bind(("127.0.0.1", 0)).expect("there is a free port"));
    listeners.map(|listener| listener.local_addr().expect("it has one").port())
}

/// Waits until this is answered at a port of the host.
#[track_caller]
fn answers(port: u16, text: &str) {
    wait::until_ok(&format!("'{text}' at port {port}"), PATIENCE, || match ask(port)? {
        answer if answer.ends_with(text) => Ok(()),
        answer => Err(answer),
    });
}

fn ask(port: u16) -> Result<String, String> {
    let ask = || {
        let mut connection = TcpStream::connect(("127.0.0.1", port))?;
        connection.set_read_timeout(Some(Duration::from_secs(5)))?;
        connection.write_all(b"GET / HTTP/1.0\r\n\r\n")?;
        let mut answer = String::new();
        connection.read_to_string(&mut answer).map(|_| answer)
    };
    ask().map_err(|error: std::io::Error| error.to_string())
}

/// The same with a datagram.
#[track_caller]
fn answers_datagrams(port: u16, text: &str) {
    wait::until_ok(&format!("'{text}' at port {port}/udp"), PATIENCE, || match ask_datagrams(port)? {
        answer if answer == text => Ok(()),
        answer => Err(answer),
    });
}

fn ask_datagrams(port: u16) -> Result<String, String> {
    let ask = || {
        let socket = UdpSocket::bind(("127.0.0.1", 0))?;
        socket.connect(("127.0.0.1", port))?;
        socket.set_read_timeout(Some(Duration::from_secs(1)))?;
        socket.send(b"?")?;
        let mut answer = [0; 64];
        let length = socket.recv(&mut answer)?;
        Ok(String::from_utf8_lossy(&answer[..length]).into_owned())
    };
    ask().map_err(|error: std::io::Error| error.to_string())
}

/// A file system in memory, shared with whoever has it from the host; gone with all that is mounted in it.
struct SharedMount(tempfile::TempDir);

impl SharedMount {
    fn new() -> Self {
        let made = Self(tempfile::tempdir().expect("a directory is made"));
        mount(&["-t", "tmpfs", "tmpfs"], made.path());
        mount(&["--make-rshared"], made.path());
        made
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// Mounts another in it.
    fn mount(&self, name: &str) -> PathBuf {
        let path = self.path().join(name);
        std::fs::create_dir(&path).expect("a directory is made");
        mount(&["-t", "tmpfs", "tmpfs"], &path);
        path
    }
}

impl Drop for SharedMount {
    fn drop(&mut self) {
        let ended = Command::new("umount").arg("--recursive").arg(self.path()).status();
        assert!(
            ended.is_ok_and(|status| status.success()) || std::thread::panicking(),
            "{} stays",
            self.path().display()
        );
    }
}

fn mount(words: &[&str], path: &Path) {
    let ended = Command::new("mount").args(words).arg(path).status();
    assert!(ended.is_ok_and(|status| status.success()), "mount {words:?} {}", path.display());
}

impl Scene {
    /// A file of this text beside the server's state.
    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.server().home().join(name);
        std::fs::write(&path, text).expect("a file is written");
        path
    }
}
