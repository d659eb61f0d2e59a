//! Where the server is and who we are. Every value is looked for in this order, and the first hit wins: the
//! environment, `$HOME/.qbo/cli.json`, `$HOME/.qbo/.cli.db` (the same format under its older name), the default.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv6Addr};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;

use crate::failure::Failure;

/// Below `$HOME`, in the order they are looked into.
const FILES: [&str; 2] = [".qbo/cli.json", ".qbo/.cli.db"];
const DEFAULT_HOST: &str = "127.0.0.1";

/// How to reach the server.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Config {
    /// A name or an address.
    pub(crate) host: Given<String>,
    /// The TCP port.
    pub(crate) port: Given<u16>,
    /// Who we are; a local server asks for nobody.
    pub(crate) token: Option<Token>,
}

/// The web token of a login.
#[derive(PartialEq, Eq)]
pub(crate) struct Token {
    uid: String,
    aux: String,
}

/// A value, and where it is from.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Given<T> {
    /// The value.
    pub(crate) value: T,
    source: Source,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Source {
    Environment(&'static str),
    File(PathBuf),
    Default,
}

/// What is read of a file; whatever else it holds is not for us.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Values {
    #[serde(rename = "qbo_uid")]
    uid: Option<Value>,
    #[serde(rename = "qbo_aux")]
    aux: Option<String>,
    #[serde(rename = "qbo_host")]
    host: Option<String>,
    #[serde(rename = "qbo_port")]
    port: Option<u16>,
}

impl Config {
    /// Reads environment and files.
    pub(crate) fn load() -> Result<Self, Failure> {
        let environment = |name: &str| std::env::var(name).ok();
        let home = environment("HOME").map(PathBuf::from);
        Self::read(&environment, home.as_deref())
    }

    fn read(environment: &dyn Fn(&str) -> Option<String>, home: Option<&Path>) -> Result<Self, Failure> {
        let mut layers = vec![(None, from_environment(environment)?)];
        for path in home.into_iter().flat_map(|home| FILES.map(|file| home.join(file))) {
            if let Some(values) = from_file(&path)? {
                layers.push((Some(path), values));
            }
        }
        let given_host = |values: &Values| values.host.clone().filter(|host| !host.is_empty());
        let host = first(&layers, "QBO_HOST", given_host).unwrap_or_else(|| Given::default(DEFAULT_HOST.into()));
        let port = first(&layers, "QBO_PORT", |values| values.port);
        // The auxiliary token belongs to the uid it was issued with: the two come from one place.
        let token = first(&layers, "QBO_UID", |values| Some((values.uid.clone()?, values.aux.clone())));
        host.check()?;
        Ok(Self {
            host,
            port: port.unwrap_or_else(|| Given::default(qbo_api::DEFAULT_PORT)),
            token: token.map(Token::new).transpose()?,
        })
    }

    /// `host:port`, as in a URL.
    pub(crate) fn address(&self) -> String {
        if self.host.value.parse::<Ipv6Addr>().is_ok() {
            format!("[{}]:{}", self.host.value, self.port.value)
        } else {
            format!("{}:{}", self.host.value, self.port.value)
        }
    }

    /// Where host and port are from, as in `QBO_HOST and the default`.
    pub(crate) fn sources(&self) -> String {
        if self.host.source == self.port.source {
            self.host.source.to_string()
        } else {
            format!("host from {}, port from {}", self.host.source, self.port.source)
        }
    }

    /// Whether the server is on this host.
    pub(crate) fn is_local(&self) -> bool {
        self.host.value == "localhost" || self.host.value.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    }
}

impl Token {
    fn new(given: Given<(Value, Option<String>)>) -> Result<Self, Failure> {
        let Given { value: (uid, aux), source } = given;
        let uid = match uid {
            Value::String(uid) => uid,
            Value::Object(_) => {
                return Err(Failure::user(
                    format!("service accounts need an encrypted token, which this qbo cannot make yet ({source})"),
                    "put the uuid of a web login into qbo_uid, or leave it out for a server on this host",
                ));
            }
            other => {
                return Err(Failure::user(
                    format!("qbo_uid is {other}, which is no token ({source})"),
                    "write a uuid in quotes",
                ));
            }
        };
        let token = Self { uid, aux: aux.unwrap_or_default() };
        // cookie-octet of RFC 6265, section 4.1.1: anything else could end the cookie or the header.
        let allowed = |byte: u8| matches!(byte, 0x21 | 0x23..=0x2b | 0x2d..=0x3a | 0x3c..=0x5b | 0x5d..=0x7e);
        if token.uid.bytes().chain(token.aux.bytes()).all(allowed) {
            return Ok(token);
        }
        Err(Failure::user(
            format!("qbo_uid or qbo_aux has a character that no token has ({source})"),
            "copy both again from where they were issued",
        ))
    }

    /// The value of the header `Cookie`.
    pub(crate) fn cookie(&self) -> String {
        format!("qbo_uid={}; qbo_aux={}", self.uid, self.aux)
    }
}

impl<T> Given<T> {
    fn default(value: T) -> Self {
        Self { value, source: Source::Default }
    }
}

impl Given<String> {
    fn check(&self) -> Result<(), Failure> {
        let host = &self.value;
        let name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
        if host.parse::<IpAddr>().is_ok() || host.bytes().all(name) {
            return Ok(());
        }
        Err(Failure::user(
            format!("'{host}' is no host ({})", self.source),
            "write a name or an address alone, as in 127.0.0.1; the port has its own place",
        ))
    }
}

/// The first layer's value; a layer without a path is the environment, where the value has this name.
fn first<T>(
    layers: &[(Option<PathBuf>, Values)],
    variable: &'static str,
    pick: impl Fn(&Values) -> Option<T>,
) -> Option<Given<T>> {
    layers.iter().find_map(|(path, values)| {
        let source = path.clone().map_or(Source::Environment(variable), Source::File);
        pick(values).map(|value| Given { value, source })
    })
}

fn from_environment(environment: &dyn Fn(&str) -> Option<String>) -> Result<Values, Failure> {
    let get = |name| environment(name).filter(|value| !value.is_empty());
    let port = |value: String| {
        value.parse().map_err(|_| {
            Failure::user(format!("QBO_PORT is '{value}', which is no port"), "write a number from 1 to 65535")
        })
    };
    // A key given in the environment is JSON as in the file.
    let uid = |value: String| match serde_json::from_str::<Value>(&value) {
        Ok(key @ Value::Object(_)) => key,
        _ => Value::String(value),
    };
    Ok(Values {
        uid: get("QBO_UID").map(uid),
        aux: get("QBO_AUX"),
        host: get("QBO_HOST"),
        port: get("QBO_PORT").map(port).transpose()?,
    })
}

fn from_file(path: &Path) -> Result<Option<Values>, Failure> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        Err(error) => {
            let problem = format!("cannot read {}: {error}", path.display());
            return Err(Failure::user(problem, "make it readable for you, or move it away"));
        }
    };
    serde_json::from_str(&text).map(Some).map_err(|error| {
        Failure::user(
            format!("{} is not what qbo expects: {error}", path.display()),
            r#"mend it or move it away; it looks like {"qbo_host": "127.0.0.1", "qbo_port": 9601}"#,
        )
    })
}

/// Not the token itself: debug output ends up in logs.
impl fmt::Debug for Token {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Token")
    }
}

impl fmt::Display for Source {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Environment(name) => formatter.write_str(name),
            Self::File(path) => path.display().fmt(formatter),
            Self::Default => formatter.write_str("the default"),
        }
    }
}

#[cfg(test)]
impl Config {
    /// Of a host where nothing is configured.
    pub(crate) fn local() -> Self {
        Self::read(&|_| None, None).unwrap()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads a configuration from these variables and files.
    fn read(variables: &[(&str, &str)], files: &[(&str, &str)]) -> Result<Config, Failure> {
        let home = tempfile::tempdir().unwrap();
        std::fs::create_dir(home.path().join(".qbo")).unwrap();
        for (name, text) in files {
            std::fs::write(home.path().join(".qbo").join(name), text).unwrap();
        }
        let variables: Vec<(String, String)> =
            variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let environment =
            move |wanted: &str| variables.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.clone());
        Config::read(&environment, Some(home.path()))
    }

    #[test]
    fn without_anything_it_is_the_local_server() {
        let config = Config::local();
        assert_eq!(config.address(), "127.0.0.1:9601");
        assert_eq!(config.sources(), "the default");
        assert!(config.is_local() && config.token.is_none());
    }

    #[test]
    fn the_first_hit_wins() {
        let json = r#"{"qbo_host": "json.example", "qbo_port": 1, "qbo_uid": "u1", "qbo_aux": "a1", "d": "x"}"#;
        let db = r#"{"qbo_host": "db.example", "qbo_port": 2, "qbo_uid": "u2"}"#;
        let files = [("cli.json", json), (".cli.db", db)];
        let all = [("QBO_HOST", "env.example"), ("QBO_PORT", "3"), ("QBO_UID", "u3"), ("QBO_AUX", "a3")];
        assert_eq!(read(&all, &files).unwrap().address(), "env.example:3");
        assert_eq!(read(&all, &files).unwrap().token.unwrap().cookie(), "qbo_uid=u3; qbo_aux=a3");
        assert_eq!(read(&[], &files).unwrap().address(), "json.example:1");
        assert_eq!(read(&[], &files).unwrap().token.unwrap().cookie(), "qbo_uid=u1; qbo_aux=a1");
        assert_eq!(read(&[], &files[1..]).unwrap().address(), "db.example:2");
        assert_eq!(read(&[("QBO_PORT", "3")], &files).unwrap().address(), "json.example:3");
        assert_eq!(read(&[("QBO_HOST", "")], &[]).unwrap().address(), "127.0.0.1:9601", "empty is unset");
    }

    #[test]
    fn uid_and_aux_are_of_one_place() {
        let files = [("cli.json", r#"{"qbo_uid": "u1", "qbo_aux": "a1"}"#)];
        assert_eq!(read(&[("QBO_UID", "u3")], &files).unwrap().token.unwrap().cookie(), "qbo_uid=u3; qbo_aux=");
    }

    #[test]
    fn addresses_of_version_six_stand_in_brackets() {
        let config = read(&[("QBO_HOST", "::1")], &[]).unwrap();
        assert_eq!(config.address(), "[::1]:9601");
        assert!(config.is_local());
        assert_eq!(config.sources(), "host from QBO_HOST, port from the default");
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place() {
        let key = r#"{"qbo_uid": {"kty": "EC", "crv": "P-521"}}"#;
        for (variables, file, says) in [
            ([("QBO_PORT", "x")], "{}", "QBO_PORT is 'x'"),
            ([("QBO_PORT", "65536")], "{}", "QBO_PORT is '65536'"),
            ([("QBO_HOST", "http://a")], "{}", "'http://a' is no host (QBO_HOST)"),
            ([("QBO_UID", "a; b")], "{}", "no token has (QBO_UID)"),
            ([("", "")], "{\n\"qbo_port\": 1,\n}", "cli.json is not what qbo expects: trailing comma at line 3"),
            ([("", "")], r#"{"qbo_port": "x"}"#, "expected u16 at line 1"),
            ([("", "")], r#"{"qbo_uid": 7}"#, "qbo_uid is 7"),
            ([("", "")], key, "service accounts need"),
        ] {
            let failure = read(&variables, &[("cli.json", file)]).unwrap_err();
            assert!(failure.problem.contains(says), "{}", failure.problem);
            assert!(!failure.cure.is_empty());
        }
    }

    #[test]
    fn a_token_of_the_environment_goes_before_a_key_of_the_file() {
        let files = [("cli.json", r#"{"qbo_uid": {"kty": "EC"}}"#)];
        // The key is of no use, but nobody asked for it.
        assert!(read(&[("QBO_UID", "u")], &files).is_ok());
    }
}
