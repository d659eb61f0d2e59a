//! GitLab's registry: one of the distribution specification, whose tokens are at GitLab itself
//! (<https://docs.gitlab.com/administration/packages/container_registry/>). It gives tokens for public projects to
//! everybody, and for others to users with an access token and to deploy tokens.

use super::client::Client;
use super::oci::{KnownTokens, OciRegistry};
use crate::config;

/// Of GitLab's address: where its tokens are.
const TOKENS: &str = "/jwt/auth";
/// What GitLab calls its registry.
const SERVICE: &str = "container_registry";

/// The registry of a project, as `registry.gitlab.com/<user>/<repo>/node`.
pub(super) fn registry(client: Client, config: &config::Registry) -> OciRegistry {
    let tokens = KnownTokens { host: config.auth.clone(), path: TOKENS, service: SERVICE };
    OciRegistry::new(client, config).with_tokens(tokens)
}
