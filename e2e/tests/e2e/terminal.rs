//! Terminals on real Docker: a shell of one's own with kubectl, shells in nodes and pods, pods' logs; by the CLI, and left and
//! taken up again over the channel.

use std::io::{BufRead, BufReader, Write};
use std::process::{Output, Stdio};
use std::time::Duration;

use qbo_e2e::terminal::Terminal;
use qbo_e2e::wait;
use serde_json::{Value, json};

use crate::scene::{Scene, add};

const CLUSTER: &str = "qbo-e2e-terminal";
const SHELLS: &str = "label=io.qbo.shell";
/// For what ends to be ended.
const SOON: Duration = Duration::from_mins(2);
/// For pods to run.
const RUNNING: Duration = Duration::from_mins(2);

#[test]
fn terminals_open_everywhere_and_nothing_of_them_is_left() {
    let mut scene = Scene::new();
    assert!(
        scene.docker.attempt(&["image", "inspect", "qbo/shell:latest"]).is_ok(),
        "Docker does not hold the image of shells: make it with images/shell/build"
    );
    scene.server().done(&add(&format!("{CLUSTER} -n 1")));
    let node = scene.states(CLUSTER).remove(0).0;
    in_a_node(&scene, &node);
    in_a_pod(&scene);
    logs(&scene);
    a_shell_of_ones_own(&scene, &node);

    let mut left = Terminal::open(scene.server().port(), json!({"kind": "shell"}));
    left.type_in("echo here-$((40 + 2))\n");
    left.reads("here-42");
    assert_eq!(shells(&scene).len(), 1);
    scene.crash_server();
    wait::until("the shell of a killed server to go", SOON, || shells(&scene).is_empty().then_some(()));
    scene.server().done(&format!("delete cluster {CLUSTER}"));
    scene.await_clean();
    scene.end();
}

fn in_a_node(scene: &Scene, node: &str) {
    let output = typed(scene, &format!("open node {node}"), "hostname; tty; stty size; exit 7\n");
    let written = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(7), "{written}");
    for expected in [node, "/dev/pts/", "24 80"] {
        assert!(written.contains(expected), "'{expected}' is not in: {written}");
    }
    // Bytes that Docker frames other streams with.
    let output = typed(scene, &format!("open node {node}"), "printf '\\001\\002\\000x'; exit\n");
    assert!(output.stdout.windows(4).any(|bytes| bytes == [1, 2, 0, b'x']), "{output:?}");
    refused(scene, "open node none", "there is no node 'none'");

    // What was started in a session that is closed goes with it.
    let mut terminal = Terminal::open(scene.server().port(), json!({"kind": "node", "node": node}));
    terminal.type_in("sleep 4711 &\n");
    let sleeps = || scene.docker.attempt(&["exec", node, "pgrep", "-f", "sleep 4711"]).is_ok();
    wait::until("a shell to start what was typed", SOON, || sleeps().then_some(()));
    terminal.close();
    wait::until("what a shell has started to go", SOON, || (!sleeps()).then_some(()));
}

fn in_a_pod(scene: &Scene) {
    let pod = pod(scene, "kube-proxy");
    let output = typed(scene, &format!("open pod {pod}"), "echo from-$((40 + 2)); exit 5\n");
    let written = String::from_utf8_lossy(&output.stdout);
    assert!(written.contains("from-42"), "{written}");
    assert_eq!(output.status.code(), Some(5), "{written}");
    refused(scene, &format!("open pod {pod} -c none"), "has no container 'none'");
    // An image without a shell says so.
    let without = pod_words(scene, "coredns");
    assert_ne!(typed(scene, &format!("open pod {without}"), "").status.code(), Some(0));
}

fn logs(scene: &Scene) {
    let pod = pod(scene, "coredns");
    let output = scene.server().qbo(&format!("logs {pod}")).output().expect("qbo runs");
    let written = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && written.contains("CoreDNS-") && !written.contains('\r'), "{written}");
    let last = scene.server().qbo(&format!("logs {pod} -n 1")).output().expect("qbo runs");
    assert_eq!(String::from_utf8_lossy(&last.stdout).lines().count(), 1);

    let mut following = scene.server().qbo(&format!("logs {pod} -f")).stdout(Stdio::piped()).spawn().expect("qbo runs");
    let mut lines = BufReader::new(following.stdout.take().expect("it is a pipe")).lines();
    assert!(lines.any(|line| line.expect("it is text").contains("CoreDNS-")));
    assert!(following.try_wait().expect("it is our child").is_none(), "it follows");
    qbo_e2e::server::interrupt(&following);
    assert_eq!(following.wait().expect("it is our child").code(), Some(130));
    let follows = || scene.docker.attempt(&["exec", &scene.states(CLUSTER)[0].0, "pgrep", "-x", "crictl"]).is_ok();
    wait::until("who follows the log in the node to go", SOON, || (!follows()).then_some(()));
}

fn a_shell_of_ones_own(scene: &Scene, node: &str) {
    let script = "kubectl get nodes -o name\nqbo get cluster -o name\nhelm version --template '{{.Version}}'\n\
        echo '{\"a\": 42}' | jq .a\nid -un\ncurl -sS -p -x http://127.0.0.1:9601 http://10.0.0.1:1 -o /dev/null\n\
        complete -p kubectl; exit 3\n";
    let output = typed(scene, "open shell", script);
    let written = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(3), "{written}");
    let cluster = format!("cluster/{CLUSTER}");
    for expected in [format!("node/{node}").as_str(), &cluster, "v4.", "42", "qbo", "403", "__start_kubectl"] {
        assert!(written.contains(expected), "'{expected}' is not in: {written}");
    }
    wait::until("the container of a shell to go", SOON, || shells(scene).is_empty().then_some(()));

    let port = scene.server().port();
    let mut terminal = Terminal::open(port, json!({"kind": "shell"}));
    terminal.type_in("echo before-$((40 + 2))\n");
    terminal.reads("before-42");
    let session = terminal.session().to_owned();
    drop(terminal);
    let mut terminal = Terminal::open(port, json!({"kind": "shell", "session": session}));
    assert_eq!(terminal.session(), session);
    terminal.reads("before-42");
    let container = shells(scene).remove(0);
    let config = scene.docker.run(&["inspect", "--format", "{{json .HostConfig}}", &container]);
    let config: Value = serde_json::from_str(&config).expect("Docker prints JSON");
    assert_eq!((&config["Privileged"], &config["CapDrop"]), (&false.into(), &json!(["ALL"])));
    let mut second = Terminal::open(port, json!({"kind": "shell"}));
    second.type_in("echo second-$((40 + 2))\n");
    second.reads("second-42");
    assert_eq!(shells(scene), [container], "a user's shells share a container");
    second.close();
    terminal.type_in("echo after-$((40 + 2))\n");
    terminal.reads("after-42");
    terminal.close();
    wait::until("the container of shells to go", SOON, || shells(scene).is_empty().then_some(()));
}

/// Runs the CLI with something typed.
fn typed(scene: &Scene, words: &str, text: &str) -> Output {
    let mut command = scene.server().qbo(words);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut process = command.spawn().expect("qbo runs");
    // A program that ends early reads not all of it.
    let _ = process.stdin.take().expect("it is a pipe").write_all(text.as_bytes());
    process.wait_with_output().expect("qbo ends")
}

#[track_caller]
fn refused(scene: &Scene, words: &str, said: &str) {
    let output = scene.server().qbo(words).output().expect("qbo runs");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{errors}");
    assert!(errors.contains(said), "{errors}");
}

/// The name of a pod that runs and begins like this.
#[track_caller]
fn pod(scene: &Scene, begins: &str) -> String {
    wait::until_ok(&format!("a pod {begins} to run"), RUNNING, || {
        let rows = scene.rows("pods", CLUSTER);
        let running = rows.iter().filter(|row| row["status"] == "Running" && row["ready"] == 1);
        let mut names = running.filter_map(|row| row["name"].as_str());
        let name = names.find(|name| name.starts_with(begins)).map(str::to_owned);
        name.ok_or_else(|| format!("{rows:?}"))
    })
}

/// The same with all words that tell it apart.
fn pod_words(scene: &Scene, begins: &str) -> String {
    format!("{} --cluster {CLUSTER} --namespace kube-system", pod(scene, begins))
}

/// The containers of shells of the scene's server.
fn shells(scene: &Scene) -> Vec<String> {
    let listed = scene.own_containers(SHELLS);
    listed.lines().map(str::to_owned).collect()
}
