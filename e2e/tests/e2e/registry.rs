//! A private registry: what it has is listed and pulled with the credentials of `api.json`, and by nobody else. Docker
//! speaks plain HTTP with it since it is on loopback.

use qbo_e2e::docker::Docker;
use qbo_e2e::registry::{LOGIN, Registry, TOKEN};
use qbo_e2e::server::Options;
use serde_json::json;

use crate::scene::Scene;

/// A server of which `api.json` names the registry, of this type and with its tokens at this host.
fn scene(registry: &Registry, (kind, auth): (&str, &str), token: &str) -> Scene {
    let configuration = json!({
        "registry_type": kind,
        "registry_hostname": registry.host(),
        "registry_auth": auth,
        "registry_user": LOGIN,
        "registry_token": token,
    });
    Scene::with(Docker::default(), Options { configuration: Some(configuration), ..Options::default() })
}

#[test]
fn images_of_a_private_registry_are_listed_and_pulled() {
    let registry = Registry::start();
    are_listed_and_pulled(&registry, ("oci", &registry.host()));
}

#[test]
fn images_of_a_private_registry_of_gitlab_are_listed_and_pulled() {
    let registry = Registry::start_as_gitlab();
    are_listed_and_pulled(&registry, ("gitlab", &registry.tokens_host()));
}

fn are_listed_and_pulled(registry: &Registry, kind: (&str, &str)) {
    registry.push("alex/node", "v1.37.1", "kind/version", "v1.37.1");
    registry.push("alex/node", "empty", "hello", "there is no Kubernetes here");
    let scene = scene(registry, kind, TOKEN);
    let name = |tag: &str| format!("{}/alex/node:{tag}", registry.host());

    let listed = scene.server().done("get images -A");
    let of_registry = |row: &&serde_json::Value| row["registry"] == json!(registry.host());
    let rows: Vec<serde_json::Value> = listed.rows("images").into_iter().filter(of_registry).cloned().collect();
    let row = |tag: &str| {
        json!({
            "name": name(tag), "registry": registry.host(), "user": "alex", "repository": "", "image": "node", "tag": tag,
            "local": false,
        })
    };
    assert_eq!(rows, [row("v1.37.1"), row("empty")], "{listed}");

    scene.server().refuses(&format!("add image {}", name("empty")), 1, 422, "no Kubernetes in it");
    scene.assert_clean();

    let added = scene.server().done(&format!("add image {}", name("v1.37.1")));
    assert_eq!((&added.rows("images")[0]["tag"], &added.rows("images")[0]["local"]), (&json!("v1.37.1"), &json!(true)));
    let log = scene.server().log();
    scene.docker.run(&["image", "rm", &name("v1.37.1")]);
    assert!(!log.contains(TOKEN) && !format!("{added}{listed}").contains(TOKEN), "the token is told");
    scene.assert_clean();
    scene.end();
}

#[test]
fn a_private_registry_gives_nothing_to_a_wrong_login() {
    let registry = Registry::start();
    registry.push("alex/node", "v1.37.1", "kind/version", "v1.37.1");
    let scene = scene(&registry, ("oci", &registry.host()), "wrong");
    let image = format!("{}/alex/node:v1.37.1", registry.host());
    let refused = scene.server().run(&format!("add image {image}"));
    refused.assert_failed(2, 502, &format!("image '{image}' cannot be pulled"));
    refused.assert_failed(2, 502, "registry_token in api.json");

    // What this host holds is listed all the same.
    let listed = scene.server().done("get images -A");
    let lines: Vec<&str> = listed.rows("output").into_iter().filter_map(|row| row["message"].as_str()).collect();
    assert!(lines.iter().any(|line| line.contains("refuses the login 'alex'")), "{listed}");
    scene.assert_clean();
    scene.end();
}
