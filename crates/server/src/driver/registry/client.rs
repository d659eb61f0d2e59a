//! HTTP to a registry and to the server of its tokens, with bounds on everything that comes from there.

use std::time::Duration;

use http::StatusCode;
use http::header::{HeaderMap, LINK};
use reqwest::redirect::Policy;
use reqwest::{RequestBuilder, Url};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::error::Fault;
use crate::config::{self, Credentials, Secret};

/// The longest that one answer may take, and that getting through to the server may.
const ANSWER: Duration = Duration::from_secs(8);
const CONNECTION: Duration = Duration::from_secs(3);

/// The largest answer that is read: [`super::TAGS`] of the longest tags there can be, and what stands around them.
const SIZE: usize = 4 << 20;

/// A client for one registry.
#[derive(Debug)]
pub(super) struct Client {
    http: reqwest::Client,
    /// For what is posted, which is a login: it goes nowhere else, wherever the answer leads.
    posting: reqwest::Client,
    insecure: bool,
}

/// What a request says about who sends it.
#[derive(Debug)]
pub(super) enum Authorization {
    /// By a token that a server of tokens gave.
    Bearer(Secret),
    /// By name and password.
    Basic(Credentials),
}

/// An answer of any status.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    /// Who was asked, and where the answer came from, redirects followed.
    asked: Url,
    url: Url,
    body: Vec<u8>,
}

/// Asks whether there is a registry at an address (<https://github.com/opencontainers/distribution-spec>, end-1).
pub(super) async fn reach(address: &str) -> Result<(), Fault> {
    let unreachable = |error: &dyn std::fmt::Display| Fault::Unreachable(format!("{address}: {error}"));
    let url: Url = format!("{address}/v2/").parse().map_err(|error| unreachable(&error))?;
    // No proxy is asked for it: no node would have one.
    let builder = reqwest::Client::builder().timeout(ANSWER).connect_timeout(CONNECTION).no_proxy();
    let http = builder.build().map_err(|error| unreachable(&error))?;
    match Client::send(http.get(url)).await?.status {
        status if status.is_success() || status == StatusCode::UNAUTHORIZED => Ok(()),
        status => Err(Fault::Answered(status.as_u16())),
    }
}

impl Client {
    pub(super) fn new(config: &config::Registry) -> Result<Self, reqwest::Error> {
        let agent = concat!("qbo-api/", env!("CARGO_PKG_VERSION"));
        let builder = || {
            let builder = reqwest::Client::builder().user_agent(agent).timeout(ANSWER).connect_timeout(CONNECTION);
            // A proxy is not asked for what is on this host.
            if is_loopback(&config.hostname) { builder.no_proxy() } else { builder }
        };
        let posting = builder().redirect(Policy::none()).build()?;
        Ok(Self { http: builder().build()?, posting, insecure: config.insecure })
    }

    /// The address of a path at a host, which may have a port. Plain HTTP is spoken where Docker speaks it: on loopback,
    /// and with registries that are said to be insecure
    /// (<https://docs.docker.com/reference/cli/dockerd/#insecure-registries>).
    pub(super) fn url(&self, host: &str, path: &str) -> Result<Url, Fault> {
        let scheme = if self.insecure || is_loopback(host) { "http" } else { "https" };
        let url = format!("{scheme}://{host}{path}");
        url.parse().map_err(|error| Fault::Unreachable(format!("{url}: {error}")))
    }

    /// Whether credentials may be sent to an address.
    pub(super) fn may_have_credentials(&self, url: &Url) -> bool {
        url.scheme() == "https" || self.insecure || url.host_str().is_some_and(is_loopback)
    }

    pub(super) async fn get(&self, url: Url, authorization: Option<&Authorization>) -> Result<Answer, Fault> {
        let request = self.http.get(url);
        Self::send(match authorization {
            None => request,
            Some(Authorization::Bearer(token)) => request.bearer_auth(token.reveal()),
            Some(Authorization::Basic(Credentials { login, token })) => request.basic_auth(login, Some(token.reveal())),
        })
        .await
    }

    pub(super) async fn post(&self, url: Url, body: &(impl Serialize + Sync)) -> Result<Answer, Fault> {
        let answer = Self::send(self.posting.post(url).json(body)).await?;
        if answer.status.is_redirection() { Err(Fault::LedElsewhere) } else { Ok(answer) }
    }

    async fn send(request: RequestBuilder) -> Result<Answer, Fault> {
        let (client, request) = request.build_split();
        let request = request.map_err(fault)?;
        let asked = request.url().clone();
        let mut response = client.execute(request).await.map_err(fault)?;
        let (status, headers, url) = (response.status(), response.headers().clone(), response.url().clone());
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(fault)? {
            body.extend_from_slice(&chunk);
            if body.len() > SIZE {
                return Err(Fault::Unreadable(format!("more than {} MiB", SIZE >> 20)));
            }
        }
        Ok(Answer { status, headers, asked, url, body })
    }
}

impl Answer {
    /// Whether it came from the server that was asked, and not from where that led.
    pub(super) fn is_of_the_asked(&self) -> bool {
        self.url.origin() == self.asked.origin()
    }

    /// Reads the body of a success.
    pub(super) fn json<T: DeserializeOwned>(&self) -> Result<T, Fault> {
        serde_json::from_slice(&self.body).map_err(|error| Fault::Unreadable(error.to_string()))
    }

    /// The answer if it is a success; statuses that mean the same everywhere are told apart. `login` is who asked.
    pub(super) fn succeeded(self, repository: &str, login: Option<&str>) -> Result<Self, Fault> {
        match self.status {
            status if status.is_success() => Ok(self),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                Err(login.map_or(Fault::LoginWanted, |login| Fault::LoginRefused(login.into())))
            }
            StatusCode::NOT_FOUND => Err(Fault::NoRepository(repository.into())),
            StatusCode::TOO_MANY_REQUESTS => Err(Fault::TooOften),
            status => Err(Fault::Answered(status.as_u16())),
        }
    }

    /// An address that the answer names, if it is of the server that was asked: no other is sent credentials, or believed.
    pub(super) fn same_server(&self, address: &str) -> Option<Url> {
        self.url.join(address).ok().filter(|next| next.origin() == self.asked.origin())
    }

    /// Where the next page is (RFC 8288, as the distribution specification has it: `</v2/…>; rel="next"`).
    pub(super) fn next_page(&self) -> Option<Url> {
        let link = self.headers.get(LINK)?.to_str().ok()?;
        let (address, parameters) = link.trim().strip_prefix('<')?.split_once('>')?;
        let is_next = parameters.split(';').any(|parameter| {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            name.trim() == "rel" && value.trim().trim_matches('"') == "next"
        });
        if is_next { self.same_server(address) } else { None }
    }
}

/// Whether a host is this one, by Docker's rule: 127.0.0.0/8, and localhost.
fn is_loopback(host: &str) -> bool {
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    name == "localhost" || name.parse().is_ok_and(|address: std::net::Ipv4Addr| address.is_loopback())
}

/// Without the address, whose query is the registry's own business.
fn fault(error: reqwest::Error) -> Fault {
    if error.is_timeout() {
        return Fault::TimedOut { what: "an answer", limit: ANSWER };
    }
    let error = error.without_url();
    let mut text = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    Fault::Unreachable(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_alone_is_spoken_to_in_the_clear() {
        for loopback in ["localhost", "localhost:5000", "127.0.0.1:5000", "127.1.2.3"] {
            assert!(is_loopback(loopback), "{loopback}");
        }
        for other in ["registry.gitlab.com", "localhost.example.com", "128.0.0.1:5000", "10.0.0.1", "127.0.0.1.nip.io"]
        {
            assert!(!is_loopback(other), "{other}");
        }
    }

    #[test]
    fn pages_of_the_same_server_are_followed() {
        let next_at = |url: &str, link: &str| {
            let asked: Url = "http://localhost:5000/v2/node/tags/list?n=2".parse().unwrap();
            let (status, headers) = (StatusCode::OK, HeaderMap::from_iter([(LINK, link.parse().unwrap())]));
            let answer = Answer { status, headers, url: asked.join(url).unwrap(), asked, body: Vec::new() };
            answer.next_page().map(String::from)
        };
        let next = |link: &str| next_at("", link);
        let second = Some("http://localhost:5000/v2/node/tags/list?last=b&n=2".to_owned());
        assert_eq!(next(r#"</v2/node/tags/list?last=b&n=2>; rel="next""#), second);
        assert_eq!(next("<http://localhost:5000/v2/node/tags/list?last=b&n=2>;rel=next"), second);
        for other in [
            r#"<http://localhost:5001/v2/node/tags/list?n=2>; rel="next""#,
            r#"<//example.com/v2/node/tags/list>; rel="next""#,
            r#"</v2/node/tags/list?n=2>; rel="previous""#,
            "/v2/node/tags/list?n=2",
        ] {
            assert_eq!(next(other), None, "{other}");
        }
        let elsewhere = next_at("http://localhost:5001/v2/list", r#"</v2/node/tags/list?last=b&n=2>; rel="next""#);
        assert_eq!(elsewhere, None, "whoever it was led to is another server");
    }
}
