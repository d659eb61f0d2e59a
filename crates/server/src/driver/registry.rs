//! Registries of node images: which tags there are. Pulls are Docker's own business.

use std::time::Duration;

use async_trait::async_trait;
use qbo_api::message::Code;
use serde::Deserialize;

use crate::error::Failure;

/// The longest the registry may take for one page.
const TIMEOUT: Duration = Duration::from_secs(8);

/// Tags asked for in one page, the most Docker Hub gives, and how many pages are read at most.
const PAGE: usize = 100;
const PAGES: usize = 20;

/// A registry that lists its tags.
#[async_trait]
pub trait Registry: Send + Sync + 'static {
    /// Whether it answers at all, in bounded time.
    async fn answers(&self) -> bool;
    /// All tags of its node repository.
    async fn tags(&self) -> Result<Vec<String>, Failure>;
    /// Its host, and the repository as `kindest/node`.
    fn repository(&self) -> (&str, &str);
}

/// Docker Hub, by the API of its site (<https://docs.docker.com/reference/api/hub/latest/>).
#[derive(Debug)]
pub struct DockerHub {
    client: reqwest::Client,
    base: String,
    host: String,
    repository: String,
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

impl DockerHub {
    /// The repository `<user>/node` on the Hub at `host`.
    pub fn new(host: &str, user: &str) -> Result<Self, reqwest::Error> {
        Self::at(format!("https://{host}"), host, user)
    }

    fn at(base: String, host: &str, user: &str) -> Result<Self, reqwest::Error> {
        let client = reqwest::Client::builder().timeout(TIMEOUT).connect_timeout(Duration::from_secs(3)).build()?;
        Ok(Self { client, base, host: host.into(), repository: format!("{user}/node") })
    }

    fn first_page(&self, size: usize) -> String {
        format!("{}/v2/repositories/{}/tags?page_size={size}", self.base, self.repository)
    }

    async fn page(&self, address: &str) -> Result<Page, reqwest::Error> {
        self.client.get(address).send().await?.error_for_status()?.json().await
    }
}

#[async_trait]
impl Registry for DockerHub {
    async fn answers(&self) -> bool {
        self.page(&self.first_page(1)).await.is_ok()
    }

    async fn tags(&self) -> Result<Vec<String>, Failure> {
        let failed = |error: reqwest::Error| {
            let problem = format!("the registry {} does not list {}: {error}", self.host, self.repository);
            Failure::new(Code::BAD_GATEWAY, problem, "check this host's way to the registry")
        };
        let mut tags = Vec::new();
        let mut next = Some(self.first_page(PAGE));
        for _ in 0..PAGES {
            let Some(address) = next.take() else { break };
            let page = self.page(&address).await.map_err(failed)?;
            tags.extend(page.results.into_iter().map(|tag| tag.name));
            // Only pages of the registry itself are followed.
            next = page.next.filter(|next| next.starts_with(&self.base));
        }
        Ok(tags)
    }

    fn repository(&self) -> (&str, &str) {
        (&self.host, &self.repository)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    /// Serves two pages as Docker Hub does.
    async fn serve(listener: TcpListener) {
        let base = format!("http://{}", listener.local_addr().unwrap());
        for page in 0..2 {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = vec![0; 4096];
            let read = stream.read(&mut request).await.unwrap();
            assert!(request[..read].starts_with(b"GET /v2/repositories/kindest/node/tags?page"));
            let body = match page {
                0 => format!(
                    r#"{{"next":"{base}/v2/repositories/kindest/node/tags?page=2","results":[{{"name":"v1.37.0"}}]}}"#
                ),
                _ => r#"{"next":null,"results":[{"name":"v1.36.1"}]}"#.to_owned(),
            };
            let answer =
                format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}", body.len());
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    }

    #[tokio::test]
    async fn all_pages_are_read() {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let hub = DockerHub::at(base, "hub.docker.com", "kindest").unwrap();
        let (tags, ()) = tokio::join!(hub.tags(), serve(listener));
        assert_eq!(tags.unwrap(), ["v1.37.0", "v1.36.1"]);
    }

    #[tokio::test]
    async fn a_registry_that_is_not_there_does_not_answer() {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let address = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let hub = DockerHub::at(format!("http://{address}"), "hub.docker.com", "kindest").unwrap();
        assert!(!hub.answers().await);
        assert_eq!(hub.tags().await.unwrap_err().code, Code::BAD_GATEWAY);
    }
}
