//! The driver of registries against a real one: Debian's `docker-registry`, which gives nothing away without a token.

use qbo_e2e::registry::{LOGIN, Registry, TOKEN};
use qbo_server::config::{self, Credentials, RegistryKind, Secret};
use qbo_server::driver::registry::connect;
use qbo_server::error::Failure;

/// The tags that the driver lists of such a registry, which has its tokens at this host, with these credentials.
async fn tags(
    registry: &Registry,
    (kind, auth): (RegistryKind, String),
    credentials: Option<(&str, &str)>,
) -> Result<Vec<String>, Failure> {
    let config = config::Registry {
        kind,
        hostname: registry.host(),
        auth,
        user: "team".into(),
        repository: "cloud".into(),
        credentials: credentials.map(|(login, token)| Credentials { login: login.into(), token: Secret::new(token) }),
        insecure: false,
    };
    let driver = connect(&config).expect("a client is made");
    assert!(driver.answers().await);
    driver.tags().await.map(|listing| listing.tags)
}

#[tokio::test]
async fn a_private_registry_lists_its_tags_to_whom_it_knows() {
    let registry = Registry::start();
    // Who asks it is told where its tokens are.
    let host = registry.host();
    lists_its_tags_to_whom_it_knows(&registry, (RegistryKind::Oci, host)).await;
}

#[tokio::test]
async fn a_private_registry_of_gitlab_lists_its_tags_to_whom_gitlab_knows() {
    let registry = Registry::start_as_gitlab();
    let gitlab = registry.tokens_host();
    lists_its_tags_to_whom_it_knows(&registry, (RegistryKind::Gitlab, gitlab)).await;
}

async fn lists_its_tags_to_whom_it_knows(registry: &Registry, (kind, auth): (RegistryKind, String)) {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    for tag in ["latest", "v1.9.0", "v1.37.2", "v1.10.0"] {
        registry.push("team/cloud/node", tag, "kind/version", "v1.37.2");
    }
    let listed = tags(registry, (kind, auth.clone()), Some((LOGIN, TOKEN))).await.expect("the tags are listed");
    assert_eq!(listed, ["v1.37.2", "v1.10.0", "v1.9.0", "latest"]);

    let host = registry.host();
    for (credentials, problem, cure) in [
        (
            Some((LOGIN, "wrong")),
            format!("127.0.0.1, where the registry {host} has its tokens, refuses the login 'alex'"),
            "check registry_token in api.json",
        ),
        (None, format!("the registry {host} wants a login"), "give registry_user and registry_token in api.json"),
    ] {
        let failure = tags(registry, (kind, auth.clone()), credentials).await.expect_err("nobody else is let in");
        assert!(failure.problem.contains(&problem) && failure.cure.contains(cure), "{failure:?}");
    }
}
