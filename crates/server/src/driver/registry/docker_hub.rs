//! Docker Hub, by the API of its site (<https://docs.docker.com/reference/api/hub/latest/>): other than its registry it
//! tells the tags of public repositories to everybody, and whole pages of a hundred at once.

use async_trait::async_trait;
use reqwest::Url;
use serde::{Deserialize, Serialize};

use super::client::{Answer, Authorization, Client};
use super::error::{Fault, RegistryError};
use super::{Listing, PAGE, PAGES, Registry, TAGS, in_time};
use crate::config::{self, Credentials, Secret};
use crate::error::Failure;

/// The Hub.
#[derive(Debug)]
pub(super) struct DockerHub {
    client: Client,
    host: String,
    /// Where logins are taken.
    auth: String,
    repository: String,
    credentials: Option<Credentials>,
}

#[derive(Deserialize)]
struct Page {
    next: Option<String>,
    results: Vec<Tag>,
}

#[derive(Deserialize)]
struct Tag {
    name: String,
}

#[derive(Serialize)]
struct Login<'a> {
    identifier: &'a str,
    secret: &'a str,
}

#[derive(Deserialize)]
struct LoggedIn {
    access_token: String,
}

impl DockerHub {
    pub(super) fn new(client: Client, config: &config::Registry) -> Self {
        Self {
            client,
            host: config.hostname.clone(),
            auth: config.auth.clone(),
            repository: config.node_repository(),
            credentials: config.credentials.clone(),
        }
    }

    async fn list(&self) -> Result<Listing, Fault> {
        let authorization = match &self.credentials {
            Some(credentials) => Some(self.log_in(credentials).await?),
            None => None,
        };
        let mut next = Some(self.first_page(PAGE)?);
        let mut tags = Vec::new();
        for _ in 0..PAGES {
            let Some(url) = next.take() else { break };
            let answer = self.page(url.clone(), authorization.as_ref()).await?;
            let page: Page = answer.json()?;
            next = page.next.and_then(|next| answer.same_server(&next)).filter(|next| *next != url);
            tags.extend(page.results.into_iter().map(|tag| tag.name));
            if tags.len() > TAGS {
                break;
            }
        }
        Ok(Listing::new(tags, next.is_none()))
    }

    fn first_page(&self, size: usize) -> Result<Url, Fault> {
        self.client.url(&self.host, &format!("/v2/repositories/{}/tags?page_size={size}", self.repository))
    }

    async fn page(&self, url: Url, authorization: Option<&Authorization>) -> Result<Answer, Fault> {
        let login = self.credentials.as_ref().map(|credentials| credentials.login.as_str());
        self.client.get(url, authorization).await?.succeeded(&self.repository, login)
    }

    /// Changes credentials for a token of ten minutes
    /// (<https://docs.docker.com/reference/api/hub/latest/operations/AuthCreateAccessToken/>).
    async fn log_in(&self, Credentials { login, token }: &Credentials) -> Result<Authorization, Fault> {
        let url = self.client.url(&self.auth, "/v2/auth/token")?;
        let answer = self.client.post(url, &Login { identifier: login, secret: token.reveal() }).await?;
        let logged_in: LoggedIn = answer.succeeded(&self.repository, Some(login))?.json()?;
        Ok(Authorization::Bearer(Secret::new(logged_in.access_token)))
    }

    fn error(&self, fault: Fault) -> RegistryError {
        fault.of(format!("the registry {}", self.host))
    }
}

#[async_trait]
impl Registry for DockerHub {
    async fn answers(&self) -> bool {
        let ask = async { self.page(self.first_page(1)?, None).await };
        // What is not for everybody's eyes, was asked too often or is ill is there all the same: Docker may well pull from it.
        !matches!(ask.await, Err(Fault::Unreachable(_) | Fault::TimedOut { .. }))
    }

    async fn tags(&self) -> Result<Listing, Failure> {
        in_time(&self.host, async { self.list().await.map_err(|fault| self.error(fault)) }).await
    }

    fn repository(&self) -> (&str, &str) {
        (&self.host, &self.repository)
    }
}
