//! Whether a web page may connect.
//!
//! Browsers let every page open a WebSocket to any address, this host's loopback included; all that tells the
//! server is the `Origin` header, which they always send (RFC 6455, section 10.2) and other clients do not.

use std::net::IpAddr;

use axum::http::HeaderMap;
use axum::http::header::{HOST, ORIGIN};
use axum::http::uri::Authority;

/// Why a page may not connect.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    #[error("a page of '{origin}' may not connect to '{host}': only the server's own pages may")]
    OtherOrigin { origin: String, host: String },
    /// DNS rebinding: the page's own name was pointed here, and so is of the same origin.
    #[error("'{host}' is not a name of this server; use its address, or localhost")]
    OtherHost { host: String },
}

/// Lets through who is not a page, and the server's own pages under an address, `localhost` or `own_name`. An
/// address cannot be rebound: an attacker's page has it as its origin only if it came from there.
pub(super) fn admit(headers: &HeaderMap, own_name: &str) -> Result<(), Refusal> {
    let mut origins = headers.get_all(ORIGIN).iter();
    let Some(origin) = origins.next() else { return Ok(()) };
    let text = |value: &axum::http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let origin = text(origin);
    let host = headers.get(HOST).map(text).unwrap_or_default();
    let page = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
    if origins.next().is_some() || !page.is_some_and(|page| page.eq_ignore_ascii_case(&host)) {
        return Err(Refusal::OtherOrigin { origin, host });
    }
    if is_own(&host, own_name) { Ok(()) } else { Err(Refusal::OtherHost { host }) }
}

fn is_own(host: &str, own_name: &str) -> bool {
    let Ok(authority) = host.parse::<Authority>() else { return false };
    let name = authority.host();
    let address = name.trim_start_matches('[').trim_end_matches(']');
    address.parse::<IpAddr>().is_ok() || [own_name, "localhost"].iter().any(|own| name.eq_ignore_ascii_case(own))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admitted(origin: &[&'static str], host: &'static str) -> Result<(), Refusal> {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, host.parse().unwrap());
        for origin in origin {
            headers.append(ORIGIN, origin.parse().unwrap());
        }
        admit(&headers, "cloud")
    }

    #[test]
    fn clients_other_than_browsers_and_own_pages_may() {
        assert_eq!(admitted(&[], "anything:9601"), Ok(()));
        for (origin, host) in [
            ("http://127.0.0.1:9601", "127.0.0.1:9601"),
            ("http://localhost:9601", "LOCALHOST:9601"),
            ("http://[::1]:9601", "[::1]:9601"),
            ("https://192.0.2.1", "192.0.2.1"),
            ("http://cloud:9601", "cloud:9601"),
        ] {
            assert_eq!(admitted(&[origin], host), Ok(()), "{origin} {host}");
        }
    }

    #[test]
    fn pages_of_others_may_not() {
        let own = "http://127.0.0.1:9601";
        for origin in [
            &["http://example.com"][..],
            &["http://127.0.0.1:8080"],
            &["http://127.0.0.1:9601.example.com"],
            &["http://localhost:9601"],
            &["null"],
            &["file://"],
            &[own, own],
        ] {
            let refusal = admitted(origin, "127.0.0.1:9601").unwrap_err();
            assert!(matches!(refusal, Refusal::OtherOrigin { .. }), "{origin:?}");
        }
    }

    #[test]
    fn a_name_that_was_pointed_here_is_not_ours() {
        for (origin, host) in [
            ("http://example.com:9601", "example.com:9601"),
            ("http://127.0.0.1.example.com:9601", "127.0.0.1.example.com:9601"),
            ("http://", ""),
        ] {
            assert_eq!(admitted(&[origin], host), Err(Refusal::OtherHost { host: host.into() }));
        }
    }
}
