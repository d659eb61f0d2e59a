//! Any registry of the OCI's distribution specification
//! (<https://github.com/opencontainers/distribution-spec/blob/main/spec.md#listing-tags>).

use async_trait::async_trait;
use http::StatusCode;
use reqwest::Url;
use serde::Deserialize;

use super::client::{Answer, Authorization, Client};
use super::error::RegistryError;
use super::token::{Challenge, Endpoint};
use super::{Fault, Listing, PAGE, PAGES, Registry, TAGS, in_time};
use crate::config::{self, Credentials};
use crate::error::Failure;

/// A registry that says itself how it wants to be told who asks, unless that is known.
#[derive(Debug)]
pub(super) struct OciRegistry {
    client: Client,
    host: String,
    repository: String,
    credentials: Option<Credentials>,
    /// Where its tokens are, if that is known before it is asked: host and path, and the service they are for.
    tokens: Option<KnownTokens>,
}

/// A server of tokens that need not be asked for.
#[derive(Debug)]
pub(super) struct KnownTokens {
    pub(super) host: String,
    pub(super) path: &'static str,
    pub(super) service: &'static str,
}

#[derive(Deserialize)]
struct Page {
    /// Some registries write null for a repository without tags.
    tags: Option<Vec<String>>,
}

impl OciRegistry {
    pub(super) fn new(client: Client, config: &config::Registry) -> Self {
        Self {
            client,
            host: config.hostname.clone(),
            repository: config.node_repository(),
            credentials: config.credentials.clone(),
            tokens: None,
        }
    }

    /// The same, with a known server of tokens.
    pub(super) fn with_tokens(self, tokens: KnownTokens) -> Self {
        Self { tokens: Some(tokens), ..self }
    }

    async fn list(&self) -> Result<Listing, RegistryError> {
        let mut authorization = match self.known_endpoint().map_err(|fault| self.fault(fault))? {
            Some(endpoint) => Some(self.token(&endpoint).await?),
            None => None,
        };
        let first = self.client.url(&self.host, &format!("/v2/{}/tags/list?n={PAGE}", self.repository));
        let mut next = Some(first.map_err(|fault| self.fault(fault))?);
        let mut tags = Vec::new();
        for _ in 0..PAGES {
            let Some(url) = next.take() else { break };
            let answer = self.page(&url, &mut authorization).await?;
            next = answer.next_page().filter(|next| *next != url);
            let page: Page = answer.json().map_err(|fault| self.fault(fault))?;
            tags.extend(page.tags.unwrap_or_default());
            if tags.len() > TAGS {
                break;
            }
        }
        Ok(Listing::new(tags, next.is_none()))
    }

    /// Asks for a page. A registry that wants to know who asks, or does not take a token any more, is asked once more.
    async fn page(&self, url: &Url, authorization: &mut Option<Authorization>) -> Result<Answer, RegistryError> {
        let ask = async |authorization: Option<&Authorization>| {
            self.client.get(url.clone(), authorization).await.map_err(|fault| self.fault(fault))
        };
        let mut answer = ask(authorization.as_ref()).await?;
        // Nobody else says where a login is sent.
        if answer.status == StatusCode::UNAUTHORIZED && (self.credentials.is_none() || answer.is_of_the_asked()) {
            *authorization = Some(self.authorize(&answer).await?);
            answer = ask(authorization.as_ref()).await?;
        }
        let login = self.credentials.as_ref().map(|credentials| credentials.login.as_str());
        answer.succeeded(&self.repository, login).map_err(|fault| self.fault(fault))
    }

    async fn authorize(&self, refusal: &Answer) -> Result<Authorization, RegistryError> {
        let fault = |fault| self.fault(fault);
        if let Some(endpoint) = self.known_endpoint().map_err(fault)? {
            return self.token(&endpoint).await;
        }
        match Challenge::read(&refusal.headers, &self.scope()).map_err(fault)? {
            Challenge::Bearer(endpoint) => self.token(&endpoint).await,
            // Sent where the request itself went: plain HTTP only to whom it may be spoken.
            Challenge::Basic => {
                self.credentials.clone().map(Authorization::Basic).ok_or_else(|| fault(Fault::LoginWanted))
            }
        }
    }

    fn known_endpoint(&self) -> Result<Option<Endpoint>, Fault> {
        let Some(KnownTokens { host, path, service }) = &self.tokens else { return Ok(None) };
        let realm = self.client.url(host, path)?;
        Ok(Some(Endpoint { realm, service: Some((*service).into()), scope: self.scope() }))
    }

    async fn token(&self, endpoint: &Endpoint) -> Result<Authorization, RegistryError> {
        let token = endpoint.token(&self.client, &self.repository, self.credentials.as_ref()).await;
        token
            .map_err(|fault| fault.of(format!("{}, where the registry {} has its tokens,", endpoint.host(), self.host)))
    }

    /// What is asked for: to pull is also to list.
    fn scope(&self) -> String {
        format!("repository:{}:pull", self.repository)
    }

    fn fault(&self, fault: Fault) -> RegistryError {
        fault.of(format!("the registry {}", self.host))
    }
}

#[async_trait]
impl Registry for OciRegistry {
    async fn answers(&self) -> bool {
        let Ok(url) = self.client.url(&self.host, "/v2/") else { return false };
        let answer = self.client.get(url, None).await;
        answer.is_ok_and(|answer| answer.status.is_success() || answer.status == StatusCode::UNAUTHORIZED)
    }

    async fn tags(&self) -> Result<Listing, Failure> {
        in_time(&self.host, self.list()).await
    }

    fn repository(&self) -> (&str, &str) {
        (&self.host, &self.repository)
    }
}
