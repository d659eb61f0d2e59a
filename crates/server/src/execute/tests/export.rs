//! `export`: kubeconfigs, and logs in pieces that add up to files without secrets.

use std::collections::BTreeMap;

use qbo_api::message::{Code, Output, Payload, StepState};

use crate::driver::fake::{Manner, Stage};
use crate::execute::fixture::{Cloud, Ended};

fn files(ended: &Ended) -> BTreeMap<String, String> {
    let mut files = BTreeMap::<String, String>::new();
    for message in &ended.messages {
        let Payload::Output(rows) = &message.payload else { continue };
        for row in rows {
            if let Output::Piece { file, text } = row {
                assert!(text.len() <= 32 * 1024);
                files.entry(file.clone()).or_default().push_str(text);
            }
        }
    }
    files
}

#[tokio::test]
async fn logs_are_files_of_nodes_and_objects_without_secrets() {
    let cloud = Cloud::new();
    cloud.succeed("add cluster dev -n 2").await;
    cloud.answers("dev").await;
    let ended = cloud.succeed("export logs dev").await;
    let files = files(&ended);
    let pods: serde_json::Value = serde_json::from_str(&files["dev/pods.json"]).unwrap();
    assert_eq!(pods["items"].as_array().unwrap().len(), 2, "both pages: {pods}");
    assert!(!files.values().any(|text| text.contains("hunter2")));
    assert!(!files.keys().any(|file| file.contains("secret") || file.contains("configmap")));
    for file in ["console.log", "docker.json", "journal.log", "kubelet.log", "containerd.log"] {
        assert_eq!(files.keys().filter(|path| path.ends_with(&format!(".localhost/{file}"))).count(), 2, "{file}");
    }
    assert!(files.contains_key("dev/qbo.log"));
    assert_eq!(ended.steps(StepState::Done).len(), 3);
}

#[tokio::test]
async fn an_api_server_that_does_not_answer_is_told_in_a_file() {
    let cloud = Cloud::new();
    cloud.succeed("add cluster dev -n 1").await;
    cloud.answers("dev").await;
    cloud.kubernetes.go(Stage::Get, Manner::Fails);
    let ended = cloud.run("export logs dev").await;
    let files = files(&ended);
    assert_eq!(ended.outcome.unwrap_err().code, Code::BAD_GATEWAY);
    assert!(files["dev/objects.txt"].contains("connection reset"), "{files:?}");
    assert!(files.keys().any(|file| file.ends_with("journal.log")));
}

#[tokio::test]
async fn objects_of_a_kind_that_cannot_be_had_keep_no_others_back() {
    let cloud = Cloud::new();
    cloud.succeed("add cluster dev -n 1").await;
    cloud.answers("dev").await;
    cloud.kubernetes.refuse("/api/v1/events?limit=250&continue=");
    let ended = cloud.run("export logs dev").await;
    let files = files(&ended);
    let failure = ended.outcome.unwrap_err();
    assert_eq!(failure.code, Code::BAD_GATEWAY);
    assert!(failure.problem.contains("events of cluster 'dev'") && !failure.problem.contains("pods"), "{failure}");
    assert!(failure.cure.contains("objects.txt"), "{failure}");
    assert!(files["dev/objects.txt"].starts_with("events: ") && files["dev/objects.txt"].contains("too old"));
    for (kind, count) in [("pods", 2), ("events", 1), ("services", 2), ("statefulsets", 2)] {
        let list: serde_json::Value = serde_json::from_str(&files[&format!("dev/{kind}.json")]).unwrap();
        assert_eq!(list["items"].as_array().unwrap().len(), count, "{kind}");
    }
    assert!(files.keys().any(|file| file.ends_with("journal.log")) && files.contains_key("dev/qbo.log"));
}

#[tokio::test]
async fn a_cancel_ends_an_export() {
    let cloud = Cloud::new();
    cloud.succeed("add cluster dev -n 1").await;
    let begun = cloud.begin("export logs dev");
    begun.token().cancel();
    assert_eq!(begun.run().await.outcome.unwrap_err().code, Code::CANCELLED);
    assert_eq!(cloud.fail("export logs ghost").await.code, Code::NOT_FOUND);
}

#[tokio::test]
async fn kubeconfigs_are_told() {
    let cloud = Cloud::new();
    cloud.succeed("add cluster dev -n 1").await;
    let ended = cloud.succeed("export kubeconfig dev").await;
    let told = ended.messages.iter().any(|message| match &message.payload {
        Payload::Output(rows) => {
            matches!(&rows[0], Output::Kubeconfig { kubeconfig } if kubeconfig.contains("qbo-dev"))
        }
        _ => false,
    });
    assert!(told, "{ended:?}");
    assert_eq!(cloud.fail("export kubeconfig ghost").await.code, Code::NOT_FOUND);
}
