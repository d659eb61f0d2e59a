//! Recipes and the command table of the public documentation, which scripts out there are made of: each does in a shell what
//! it says, word by word but for the names of nodes. They name their clusters as the documentation does, so that Docker must have no other
//! networks of these names.
//!
//! Not run are those of what is not there yet: `get ipvs` (load balancing), `get user -l` and `get user -c` (identity).

use std::collections::BTreeSet;

use qbo_e2e::docker::Docker;
use serde_json::{Deserializer, Value};

use crate::scene::{Scene, image};

#[test]
fn recipes_of_the_documentation_work_as_they_stand() {
    let scene = Scene::new();
    let shell = Shell(&scene);
    let versions = shell.objects("qbo version | jq .version[]?");
    assert!(versions[0]["qbo_cli"].is_string(), "{versions:?}");
    assert!(versions.iter().any(|row| row["docker_api"].is_string() && row["qbo_api"].is_string()), "{versions:?}");
    let version = shell.run("qbo version | jq -r '.version[]?.qbo_api | select( . != null)'");
    assert_eq!(version, versions[0]["qbo_cli"]);

    let tagged = Tagged::make(&scene.docker, "kindest/node:v1.27.3");
    shell.run("qbo add cluster alex -i hub.docker.com/kindest/node:v1.27.3 | jq");
    assert_eq!(scene.known_state("alex"), "ready");
    assert_eq!(scene.rows("nodes", "alex")[0]["image"], "kindest/node:v1.27.3");
    let tags = shell.run("qbo get images -A | jq -r .images[]?.tag");
    assert!(tags.lines().any(|tag| tag == "v1.27.3"), "{tags}");
    of_one_cluster(&shell);
    of_nodes(&shell);
    what_the_table_lists(&shell);
    what_the_table_changes(&shell);
    shell.run("qbo delete cluster alex");
    assert_eq!(scene.nodes("alex"), Vec::<String>::new());
    drop(tagged);

    shell.run("qbo add cluster test -n 5 | jq");
    assert_eq!(scene.rows("nodes", "test").len(), 5);
    shell.run("qbo add node test -n 2 | jq");
    let states = scene.known_rows("nodes", "test");
    assert_eq!(states.iter().filter(|row| row["state"] == "ready").count(), 7);
    shell.run("qbo delete cluster -A");
    scene.assert_clean();

    shell.run("qbo add cluster dev prod | jq");
    of_two_clusters(&shell);
    scene.assert_clean();
    scene.end();
}

/// Every row that names several clusters, or all; those that are started are left as they are.
fn of_two_clusters(shell: &Shell<'_>) {
    let scene = shell.0;
    let of = |row: &str, key: &str| {
        let rows = shell.objects(&format!("{row} | jq .{key}[]?"));
        let name = |row: &Value| row["cluster"].as_str().or(row["name"].as_str()).expect("a text").to_owned();
        rows.iter().map(name).collect::<BTreeSet<_>>()
    };
    for (row, key) in [
        ("qbo get cluster -A", "clusters"),
        ("qbo get cluster dev prod", "clusters"),
        ("qbo get nodes dev prod", "nodes"),
        ("qbo get pods dev prod", "pods"),
        ("qbo get svc dev prod", "services"),
        ("qbo get net dev prod", "networks"),
    ] {
        assert_eq!(of(row, key), ["dev", "prod"].map(str::to_owned).into(), "{row}");
    }
    let states = || ["dev", "prod"].map(|cluster| scene.known_state(cluster));
    for (row, expected) in [
        ("qbo stop cluster dev prod", "stopped"),
        ("qbo start cluster -A", "ready"),
        ("qbo start clusters dev prod", "ready"),
        ("qbo stop cluster -A", "stopped"),
    ] {
        shell.run(row);
        assert_eq!(states(), [expected; 2], "{row}");
    }
    shell.run("qbo delete cluster dev prod");
}

/// Every row that lists something, and every other name of what is listed.
fn what_the_table_lists(shell: &Shell<'_>) {
    for (row, key) in [
        ("qbo get nodes alex", "nodes"),
        ("qbo get nodes -A", "nodes"),
        ("qbo get node alex", "nodes"),
        ("qbo get pods alex", "pods"),
        ("qbo get pods -A", "pods"),
        ("qbo get pod alex", "pods"),
        ("qbo get svc alex", "services"),
        ("qbo get svc -A", "services"),
        ("qbo get service alex", "services"),
        ("qbo get services alex", "services"),
        ("qbo get images", "images"),
        ("qbo get images -A", "images"),
        ("qbo get image", "images"),
        ("qbo get cluster alex", "clusters"),
        ("qbo get cluster -A", "clusters"),
        ("qbo get clusters --all", "clusters"),
        ("qbo get cluster -k alex", "output"),
        ("qbo get cluster --kubeconfig alex", "output"),
        ("qbo get net alex", "networks"),
        ("qbo get net -A", "networks"),
        ("qbo get network alex", "networks"),
        ("qbo get networks alex", "networks"),
        ("qbo get net -H", "networks"),
        ("qbo get net --host", "networks"),
        ("qbo get clients", "clients"),
        ("qbo get client -A", "clients"),
        ("qbo version", "version"),
    ] {
        assert_ne!(shell.objects(&format!("{row} | jq .{key}[]?")), Vec::<Value>::new(), "{row}");
    }
}

/// Every row that changes something of one cluster; two of its nodes are stopped.
fn what_the_table_changes(shell: &Shell<'_>) {
    let scene = shell.0;
    let states = || scene.known_rows("nodes", "alex").iter().map(|row| row["state"].clone()).collect::<Vec<_>>();
    shell.run("qbo start node -A");
    assert_eq!(states(), ["ready"; 5]);
    shell.run("qbo add node alex");
    assert_eq!(states(), ["ready"; 6]);
    let names: Vec<String> = scene.states("alex").into_iter().map(|(name, _)| name).collect();
    let (node, short) = (&names[3], names[3].split('.').next().unwrap_or_default());
    shell.run("qbo stop node node-2b251a2c.localhost".replace("node-2b251a2c.localhost", node));
    assert_eq!(scene.rows("nodes", node)[0]["state"], "stopped");
    shell.run("qbo start node node-2b251a2c".replace("node-2b251a2c", short));
    assert_eq!(states(), ["ready"; 6]);
    let id = scene.rows("nodes", node)[0]["id"].as_str().expect("a text")[..8].to_owned();
    shell.run("qbo delete node 2b251a2c".replace("2b251a2c", &id));
    assert_eq!(states().len(), 5);
    let id = scene.cluster("alex")["id"].as_str().expect("a text")[..8].to_owned();
    shell.run("qbo stop cluster 43706dd0".replace("43706dd0", &id));
    assert_eq!(states(), ["stopped"; 5]);
    shell.run("qbo start cluster alex");
    assert_eq!(states(), ["ready"; 5]);
}

fn of_one_cluster(shell: &Shell<'_>) {
    // With -e its exit code is that of the last message, which has no rows: 4 up to jq 1.6.
    let rows = shell.lenient_objects("qbo get cluster alex | jq -e '.clusters[]?'");
    assert_eq!(rows, [shell.0.cluster("alex")]);
    let id = shell.run("qbo get cluster alex | jq -r '.clusters[]?.id | select ( . != null )' | cut -d '-' -f1");
    assert_eq!(id.len(), 8);
    assert!(rows[0]["id"].as_str().is_some_and(|whole| whole.starts_with(&id)), "{id}");
    assert_eq!(shell.0.cluster(&id), rows[0], "the first part of an id names a cluster");

    let file = shell.0.kubeconfig("alex");
    let written = std::fs::read_to_string(&file).expect("the kubeconfig is there");
    shell.run("qbo get cluster alex -k | jq -r '.output[]?.kubeconfig | select( . != null)' > $HOME/.qbo/alex.conf");
    assert_eq!(std::fs::read_to_string(&file).expect("the kubeconfig is there").trim(), written.trim());
    assert_eq!(shell.0.kubectl("alex").await_ready(3).len(), 3);
}

fn of_nodes(shell: &Shell<'_>) {
    assert_eq!(shell.objects("qbo get nodes alex | jq .nodes[]?"), shell.0.rows("nodes", "alex"));
    let last = r#"qbo get node alex | jq -r '.nodes[]? | select( .name | contains("node-")) | .name' | tail -1"#;
    let last = shell.run(last);
    let names = || shell.0.states("alex").into_iter().map(|(name, _)| name).collect::<Vec<_>>();
    assert_eq!(names().last(), Some(&last));

    shell.run("qbo add node alex -n3 | jq");
    let all = names();
    assert_eq!(all.len(), 6);
    let short = |name: &str| name.split('.').next().unwrap_or_default().to_owned();
    let [one, other] = [&all[1], &all[2]].map(|name| short(name));
    shell.run("qbo stop node node-123 node-567 | jq".replace("node-123", &one).replace("node-567", &other));
    let stopped = shell.0.states("alex").into_iter().filter(|(_, state)| state == "stopped").map(|(name, _)| name);
    assert_eq!(stopped.collect::<Vec<_>>(), all[1..3]);
    shell.run("qbo del node node-2b251a2c | jq".replace("node-2b251a2c", &short(&all[5])));
    assert_eq!(names(), all[..5]);
}

/// Before a recipe, in which it stands as it is: keeps what the CLI prints besides.
const KEEP: &str = r#"qbo() { command qbo "$@" | tee "$HOME/messages"; }"#;

/// A shell in which recipes run.
struct Shell<'a>(&'a Scene);

impl Shell<'_> {
    /// What a recipe prints; all of its programs must end well.
    #[track_caller]
    fn run(&self, recipe: impl AsRef<str>) -> String {
        let (status, printed, said) = self.attempt(recipe.as_ref());
        assert_eq!((status, said.as_str()), (Some(0), ""), "{}\n{printed}", recipe.as_ref());
        printed
    }

    /// The objects a recipe prints.
    #[track_caller]
    fn objects(&self, recipe: &str) -> Vec<Value> {
        objects(&self.run(recipe))
    }

    /// The same, however its other programs end.
    fn lenient_objects(&self, recipe: &str) -> Vec<Value> {
        objects(&self.attempt(recipe).1)
    }

    #[track_caller]
    fn attempt(&self, recipe: &str) -> (Option<i32>, String, String) {
        let output = self.0.server().shell(&format!("{KEEP}\n{recipe}")).output().expect("bash starts");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        let (printed, said) = (text(&output.stdout), text(&output.stderr));
        let messages = std::fs::read_to_string(self.0.server().home().join("messages")).expect("messages are kept");
        assert_done(&messages, &format!("{recipe}\n{printed}\n{said}"));
        (output.status.code(), printed, said)
    }
}

/// The messages are those of one command, in the order that scripts may rely on: accepted, on its way, done.
#[track_caller]
fn assert_done(messages: &str, recipe: &str) {
    let mut messages = objects(messages);
    // The CLI says its own version before it asks the server.
    messages.retain(|message| message["version"][0]["qbo_cli"].is_null());
    let [accepted, between @ .., done] = messages.as_slice() else { panic!("{recipe}: {messages:?}") };
    assert!(accepted["code"] == 202 && accepted["input"].is_array(), "{recipe}: {accepted}");
    assert!(between.iter().all(|message| message["code"] == 201), "{recipe}: {between:?}");
    assert_eq!(done["code"], 200, "{recipe}: {done}");
    let end = ["command", "subcommand", "apicommand"].map(|key| &done[key]);
    assert_eq!(end, ["CMD_DONE", "SUBCMD_DONE", "APICMD_DONE"], "{recipe}");
    assert!(messages.iter().all(|message| message["command_id"] == done["command_id"]), "{recipe}: {messages:?}");
}

fn objects(text: &str) -> Vec<Value> {
    Deserializer::from_str(text).into_iter().map(|object| object.expect("jq prints JSON")).collect()
}

/// The image of the tests under another name, while it lives; whatever already has that name serves as well.
struct Tagged<'a>(&'a Docker, Option<&'a str>);

impl<'a> Tagged<'a> {
    fn make(docker: &'a Docker, name: &'a str) -> Self {
        let is_there = docker.attempt(&["image", "inspect", name]).is_ok();
        if !is_there {
            docker.run(&["tag", image(), name]);
        }
        Self(docker, (!is_there).then_some(name))
    }
}

impl Drop for Tagged<'_> {
    fn drop(&mut self) {
        if let Some(name) = self.1 {
            self.0.run(&["image", "rm", name]);
        }
    }
}
