//! Tokens: how a registry asks for one (the challenge), and how its server of tokens gives it
//! (<https://distribution.github.io/distribution/spec/auth/token/>).

use http::header::{HeaderMap, WWW_AUTHENTICATE};
use reqwest::Url;
use serde::Deserialize;

use super::client::{Authorization, Client};
use super::error::Fault;
use crate::config::{Credentials, Secret};

/// Where tokens are given, and for what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Endpoint {
    pub(super) realm: Url,
    pub(super) service: Option<String>,
    pub(super) scope: String,
}

/// How a registry wants to be told who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Challenge {
    /// With a token from an endpoint.
    Bearer(Endpoint),
    /// With name and password themselves.
    Basic,
}

/// The specification has `token`, OAuth 2 `access_token`; a server may give either.
#[derive(Deserialize)]
struct Granted {
    token: Option<String>,
    access_token: Option<String>,
}

impl Challenge {
    /// Reads an answer's challenge; a token is preferred where there is a choice. `scope` is what is asked for where the
    /// registry does not say what it wants.
    pub(super) fn read(headers: &HeaderMap, scope: &str) -> Result<Self, Fault> {
        let texts = headers.get_all(WWW_AUTHENTICATE).iter().filter_map(|value| value.to_str().ok());
        let challenges: Vec<Scheme<'_>> = texts.flat_map(schemes).collect();
        let named = |name: &str| challenges.iter().find(|scheme| scheme.name.eq_ignore_ascii_case(name));
        if let Some(bearer) = named("Bearer") {
            let realm = bearer.parameter("realm").unwrap_or_default();
            let realm = realm.parse().map_err(|error| Fault::Unreadable(format!("the realm '{realm}': {error}")))?;
            let scope = bearer.parameter("scope").unwrap_or_else(|| scope.into());
            return Ok(Self::Bearer(Endpoint { realm, service: bearer.parameter("service"), scope }));
        }
        if named("Basic").is_some() {
            return Ok(Self::Basic);
        }
        let kinds: Vec<&str> = challenges.iter().map(|scheme| scheme.name).collect();
        Err(Fault::UnknownLogin(if kinds.is_empty() { "it names none".into() } else { kinds.join(", ") }))
    }
}

impl Endpoint {
    /// Asks for a token, as nobody where there are no credentials.
    pub(super) async fn token(
        &self,
        client: &Client,
        repository: &str,
        credentials: Option<&Credentials>,
    ) -> Result<Authorization, Fault> {
        let mut url = self.realm.clone();
        if credentials.is_some() && !client.may_have_credentials(&url) {
            return Err(Fault::InTheClear(url.origin().ascii_serialization()));
        }
        {
            let mut query = url.query_pairs_mut();
            query.extend_pairs(self.service.iter().map(|service| ("service", service)));
            query.append_pair("scope", &self.scope);
            query.extend_pairs(credentials.map(|credentials| ("account", &credentials.login)));
        }
        let basic = credentials.cloned().map(Authorization::Basic);
        let answer = client.get(url, basic.as_ref()).await?;
        let login = credentials.map(|credentials| credentials.login.as_str());
        let granted: Granted = answer.succeeded(repository, login)?.json()?;
        let token = granted.token.or(granted.access_token).filter(|token| !token.is_empty());
        let token = token.ok_or_else(|| Fault::Unreadable("there is no token in it".into()))?;
        Ok(Authorization::Bearer(Secret::new(token)))
    }

    /// The host, for people.
    pub(super) fn host(&self) -> &str {
        self.realm.host_str().unwrap_or_default()
    }
}

/// One way of several to authenticate, as a header names it.
#[derive(Debug, PartialEq, Eq)]
struct Scheme<'a> {
    name: &'a str,
    parameters: Vec<(&'a str, String)>,
}

impl Scheme<'_> {
    fn parameter(&self, name: &str) -> Option<String> {
        self.parameters.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.clone())
    }
}

/// Reads a header's schemes (RFC 9110, section 11.6.1). Commas part both schemes and their parameters: a word that no
/// `=` follows begins a scheme. What cannot be read ends the reading.
fn schemes(text: &str) -> Vec<Scheme<'_>> {
    let mut schemes: Vec<Scheme<'_>> = Vec::new();
    let mut rest = text;
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        let end = rest.find([' ', '\t', ',', '=']).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        if word.is_empty() {
            return schemes;
        }
        match (after.trim_start().strip_prefix('='), schemes.last_mut()) {
            (None, _) => {
                schemes.push(Scheme { name: word, parameters: Vec::new() });
                rest = after;
            }
            (Some(value), Some(scheme)) => {
                let Some((value, after)) = parameter_value(value.trim_start()) else { return schemes };
                scheme.parameters.push((word, value));
                rest = after;
            }
            (Some(_), None) => return schemes,
        }
    }
}

/// A token or a quoted string, and what follows it.
fn parameter_value(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([' ', '\t', ',']).unwrap_or(text.len());
        return Some((text[..end].to_owned(), &text[end..]));
    };
    let mut value = String::new();
    let mut characters = quoted.char_indices();
    while let Some((index, character)) = characters.next() {
        match character {
            '"' => return Some((value, &quoted[index + 1..])),
            '\\' => value.push(characters.next()?.1),
            other => value.push(other),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(headers: &[&str]) -> Result<Challenge, Fault> {
        let headers = headers.iter().map(|text| (WWW_AUTHENTICATE, text.parse().unwrap())).collect();
        Challenge::read(&headers, "repository:node:pull")
    }

    fn bearer(realm: &str, service: Option<&str>, scope: &str) -> Challenge {
        let service = service.map(str::to_owned);
        Challenge::Bearer(Endpoint { realm: realm.parse().unwrap(), service, scope: scope.into() })
    }

    #[test]
    fn challenges_are_read_as_registries_write_them() {
        let hub = r#"Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:kindest/node:pull""#;
        let expected =
            bearer("https://auth.docker.io/token", Some("registry.docker.io"), "repository:kindest/node:pull");
        assert_eq!(read(&[hub]), Ok(expected));
        let without_scope = bearer("https://a.b/t?x=1", None, "repository:node:pull");
        for text in [
            "bearer realm=\"https://a.b/t?x=1\"",
            "Bearer realm = https://a.b/t?x=1 , error=\"a \\\"quoted\\\", long = text\"",
            "Basic realm=\"a, b\", Bearer realm=\"https://a.b/t?x=1\"",
            "Negotiate, Bearer realm=\"https://a.b/t?x=1\"",
        ] {
            assert_eq!(read(&[text]).as_ref(), Ok(&without_scope), "{text}");
        }
        assert_eq!(read(&["Basic realm=\"x\"", "Bearer realm=\"https://a.b/t?x=1\""]), Ok(without_scope));
        assert_eq!(read(&["Basic realm=\"Registry\""]), Ok(Challenge::Basic));
    }

    #[test]
    fn challenges_that_mean_nothing_are_told() {
        for (headers, says) in [
            (&[][..], "it names none"),
            (&["Negotiate"][..], "Negotiate"),
            (&["Bearer service=\"x\""][..], "the realm ''"),
            (&["Bearer realm=\"https://a.b"][..], "the realm ''"),
            (&["realm=\"https://a.b\""][..], "it names none"),
        ] {
            let fault = read(headers).unwrap_err().to_string();
            assert!(fault.contains(says), "{headers:?}: {fault}");
        }
    }
}
