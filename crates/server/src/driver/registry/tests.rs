//! Registries on loopback, which is spoken to in plain HTTP: Docker Hub in the form its site answers in, GitLab, and what else the
//! distribution specification allows.

mod cached;
mod docker_hub;
mod oci;
mod server;

use std::sync::Arc;

use qbo_api::message::Code;

use self::server::Server;
use super::{Registry, connect};
use crate::config::{self, Credentials, RegistryKind, Secret};
use crate::error::Failure;

/// What must never be told.
const TOKEN: &str = "glpat-d0nttell";

/// A registry of this type at a server, its tokens there as well.
fn registry(kind: RegistryKind, server: &Server, credentials: Option<(&str, &str)>) -> Arc<dyn Registry> {
    let credential = |(login, token): (&str, &str)| Credentials { login: login.into(), token: Secret::new(token) };
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let config = config::Registry {
        kind,
        hostname: server.host(),
        auth: server.host(),
        user: "kindest".into(),
        repository: String::new(),
        credentials: credentials.map(credential),
        insecure: false,
    };
    connect(&config).unwrap()
}

/// Why tags cannot be listed; whatever is said of it does not tell the token.
async fn failure(registry: &dyn Registry) -> Failure {
    let failure = registry.tags().await.unwrap_err();
    assert!(!format!("{failure:?}").contains(TOKEN), "{failure:?}");
    failure
}

#[tokio::test]
async fn a_registry_that_is_not_there_does_not_answer() {
    for kind in [RegistryKind::Docker, RegistryKind::Gitlab, RegistryKind::Oci] {
        let registry = registry(kind, &Server::absent(), None);
        assert!(!registry.answers().await);
        let failure = failure(&*registry).await;
        assert_eq!(failure.code, Code::BAD_GATEWAY);
        assert!(failure.problem.contains("does not answer: "), "{failure:?}");
    }
}

#[tokio::test]
async fn what_is_no_registry_is_told() {
    for (status, body, problem) in [
        (200, "<html>".to_owned(), "answered something that cannot be read"),
        (200, "{}".repeat(3 << 20), "more than 4 MiB"),
        (404, String::new(), "shows no repository 'kindest/node'"),
        (429, String::new(), "was asked too often"),
        (503, String::new(), "answered 503"),
    ] {
        for kind in [RegistryKind::Docker, RegistryKind::Oci] {
            let body = body.clone();
            let server = Server::start(move |_| server::answer(status, &[], &body)).await;
            let failure = failure(&*registry(kind, &server, None)).await;
            assert!(failure.problem.starts_with("the registry 127.0.0.1:"), "{failure:?}");
            assert!(failure.problem.contains(problem) && !failure.cure.is_empty(), "{failure:?}");
        }
    }
}
