//! The driver of registries against a real one: Debian's `docker-registry`, which gives nothing away without a token.

use qbo_e2e::registry::{LOGIN, Registry, TOKEN};
use qbo_server::config::{self, Credentials, RegistryKind, Secret};
use qbo_server::driver::registry::connect;
use qbo_server::error::Failure;

/// The tags that the driver lists with these credentials.
async fn tags(registry: &Registry, credentials: Option<(&str, &str)>) -> Result<Vec<String>, Failure> {
    let config = config::Registry {
        kind: RegistryKind::Oci,
        hostname: registry.host(),
        auth: registry.host(),
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
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let registry = Registry::start();
    for tag in ["latest", "v1.9.0", "v1.37.2", "v1.10.0"] {
        registry.push("team/cloud/node", tag, "kind/version", "v1.37.2");
    }
    let listed = tags(&registry, Some((LOGIN, TOKEN))).await.expect("the tags are listed");
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
        let failure = tags(&registry, credentials).await.expect_err("nobody else is let in");
        assert!(failure.problem.contains(&problem) && failure.cure.contains(cure), "{failure:?}");
    }
}
