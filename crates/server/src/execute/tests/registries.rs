//! `add registry` and `delete registry`: what nodes know, from when on, and what a kill in the middle leaves.

use std::collections::BTreeSet;

use qbo_api::message::{Code, Payload};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket};

use crate::driver::engine::EngineFault;
use crate::driver::fake::Trouble;
use crate::execute::fixture::Cloud;

/// A registry that answers with this status, on loopback; its port.
async fn registry(status: &'static str) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 1024];
            // A request this small comes at once.
            let _ = stream.read(&mut request).await;
            let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            // Whoever goes away does not want it.
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    port
}

/// What the nodes of a cluster hold of a registry.
fn known(cloud: &Cloud, cluster: &str, name: &str) -> BTreeSet<Option<String>> {
    let path = format!("/etc/containerd/certs.d/{name}/hosts.toml");
    let held = cloud.engine.held();
    let nodes = held.containers.values().filter(|found| found.network == cluster);
    nodes.map(|found| found.files.get(&path).map(|text| String::from_utf8(text.clone()).unwrap())).collect()
}

fn hosts(gateway: &str, port: u16) -> BTreeSet<Option<String>> {
    BTreeSet::from([Some(format!("[host.\"http://{gateway}:{port}\"]\n  capabilities = [\"pull\", \"resolve\"]\n"))])
}

#[tokio::test]
async fn nodes_that_live_and_those_to_come_know_a_registry() {
    let cloud = Cloud::new();
    cloud.succeed("add cluster old -n 2").await;
    cloud.answers("old").await;
    let port = registry("401 Unauthorized").await;
    let name = format!("localhost:{port}");
    let ended = cloud.succeed(&format!("add registry {name}")).await;
    let told = ended.messages.iter().any(|message| match &message.payload {
        Payload::Registries(rows) => rows[0].name == name && rows[0].host && rows.len() == 1,
        _ => false,
    });
    assert!(told, "{ended:?}");
    assert_eq!(known(&cloud, "old", &name), hosts("198.18.0.1", port));
    assert!(cloud.kubernetes.applied().contains(&"ConfigMap local-registry-hosting".to_owned()));

    super::nodes::succeed(&cloud, "add node old").await;
    cloud.succeed("add cluster new -n 1").await;
    assert_eq!(known(&cloud, "old", &name), hosts("198.18.0.1", port));
    assert_eq!(known(&cloud, "new", &name), hosts("198.18.1.1", port));
    // Adding it again is adding it once.
    cloud.succeed(&format!("add registry {name}")).await;
    let listed = cloud.succeed("get registries").await;
    assert!(
        listed.messages.iter().any(|message| matches!(&message.payload, Payload::Registries(rows) if rows.len() == 1))
    );

    cloud.succeed(&format!("delete registry {name}")).await;
    for cluster in ["old", "new"] {
        assert_eq!(known(&cloud, cluster, &name), BTreeSet::from([Some(String::new())]));
    }
    assert!(!cloud.kubernetes.applied().contains(&"ConfigMap local-registry-hosting".to_owned()));
    let failure = cloud.fail(&format!("delete registry {name}")).await;
    assert_eq!(failure.code, Code::NOT_FOUND);
    cloud.succeed("add cluster last -n 1").await;
    assert_eq!(known(&cloud, "last", &name), BTreeSet::from([None]));
    assert!(!cloud.everything().kubeconfigs.contains("registries.json"));
}

#[tokio::test]
async fn one_that_does_not_answer_is_not_added() {
    let cloud = Cloud::new();
    cloud.succeed("add cluster dev -n 1").await;
    let before = cloud.everything();
    let broken = registry("500 Internal Server Error").await;
    // Bound, so that nobody else is given its port, and without anybody who listens.
    let nobody = TcpSocket::new_v4().unwrap();
    nobody.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let absent = nobody.local_addr().unwrap().port();
    for (line, code, says) in [
        (format!("add registry localhost:{absent}"), Code::BAD_GATEWAY, "does not answer"),
        (format!("add registry docker.io --at http://127.0.0.1:{broken}"), Code::BAD_GATEWAY, "answered 500"),
        ("add registry a.b --at https://localhost:1".into(), Code::UNPROCESSABLE, "no certificate holds"),
    ] {
        let failure = cloud.fail(&line).await;
        assert_eq!(failure.code, code, "{line}: {failure}");
        assert!(failure.problem.contains(says) && !failure.cure.is_empty(), "{line}: {failure}");
    }
    assert_eq!(cloud.everything(), before);
}

#[tokio::test]
async fn a_node_that_cannot_be_told_is_named_and_told_the_next_time() {
    let cloud = Cloud::new();
    cloud.succeed("add cluster dev -n 2").await;
    let port = registry("200 OK").await;
    let name = format!("localhost:{port}");
    let fault = EngineFault::NoRoom("no space left on device".into());
    cloud.engine.trouble_with("put_archive", Trouble::Fails(fault));
    let failure = cloud.fail(&format!("add registry {name}")).await;
    assert_eq!(failure.code, Code::NO_ROOM);
    assert!(failure.cure.contains("do it again"), "{failure}");
    assert_eq!(known(&cloud, "dev", &name).len(), 2, "one knows it, one does not");
    cloud.succeed(&format!("add registry {name}")).await;
    assert_eq!(known(&cloud, "dev", &name), hosts("198.18.0.1", port));
}

#[tokio::test]
async fn a_server_that_was_killed_in_the_middle_tells_the_nodes_when_it_is_back() {
    let mut cloud = Cloud::new();
    cloud.succeed("add cluster dev -n 2").await;
    let port = registry("200 OK").await;
    let name = format!("localhost:{port}");
    cloud.engine.trouble_with("containers", Trouble::Fails(EngineFault::Unreachable("killed".into())));
    cloud.fail(&format!("add registry {name}")).await;
    assert_eq!(known(&cloud, "dev", &name), BTreeSet::from([None]));
    cloud.restart();
    let told = async {
        while known(&cloud, "dev", &name) != hosts("198.18.0.1", port) {
            cloud.engine.carried_out().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_mins(1), told).await.unwrap();
}
