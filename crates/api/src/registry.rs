//! Names and addresses of registries.

use std::fmt;
use std::str::FromStr;

/// A registry as names of images begin with it: `localhost:5000`, `docker.io`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RegistryName(String);

/// Where a registry is found: `http://10.0.0.7:5000`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegistryAddress(String);

/// What is wrong with the name or the address of a registry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{value}' {problem}")]
pub struct RegistryError {
    value: String,
    problem: &'static str,
}

/// The longest that a host with its port may be.
const LIMIT: usize = 253 + 6;

impl RegistryName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl RegistryAddress {
    /// The address as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for RegistryName {
    type Err = RegistryError;

    fn from_str(value: &str) -> Result<Self, RegistryError> {
        let (host, _) = host_and_port(value).ok_or_else(|| {
            RegistryError::new(value, "is no name of a registry, as localhost:5000 or registry.example.com")
        })?;
        // A name without a dot and a port would be read as that of a user of Docker Hub.
        if host == value && host != "localhost" && !host.contains('.') {
            let problem = "is not read as a registry in names of images: it needs a port or a dot, as localhost:5000";
            return Err(RegistryError::new(value, problem));
        }
        if ["hub.docker.com", "index.docker.io"].contains(&value) {
            return Err(RegistryError::new(value, "is called docker.io in nodes"));
        }
        Ok(Self(value.into()))
    }
}

impl FromStr for RegistryAddress {
    type Err = RegistryError;

    fn from_str(value: &str) -> Result<Self, RegistryError> {
        let rest = value.strip_prefix("http://").or_else(|| value.strip_prefix("https://"));
        match rest.map(|rest| rest.strip_suffix('/').unwrap_or(rest)) {
            Some(rest) if host_and_port(rest).is_some() => Ok(Self(value.strip_suffix('/').unwrap_or(value).into())),
            _ => Err(RegistryError::new(value, "is no address of a registry, as http://10.0.0.7:5000")),
        }
    }
}

/// A host name or an IPv4 address, and the port where there is one.
fn host_and_port(value: &str) -> Option<(&str, Option<u16>)> {
    let (host, port) = match value.split_once(':') {
        Some((host, port)) => (host, Some(port.parse::<u16>().ok().filter(|port| *port > 0)?)),
        None => (value, None),
    };
    let label = |label: &str| {
        let edge = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
        let bytes = label.as_bytes();
        let inner = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || *byte == b'-';
        edge(bytes.first()) && edge(bytes.last()) && bytes.iter().all(inner)
    };
    (value.len() <= LIMIT && host.split('.').all(label)).then_some((host, port))
}

impl RegistryError {
    fn new(value: &str, problem: &'static str) -> Self {
        // A hostile value is not sent back whole.
        Self { value: value.chars().take(80).collect(), problem }
    }
}

impl fmt::Display for RegistryName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl fmt::Display for RegistryAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_what_images_begin_with() {
        for good in ["localhost", "localhost:5000", "docker.io", "registry.example.com", "127.0.0.1:5000", "nas:80"] {
            assert_eq!(good.parse::<RegistryName>().unwrap().as_str(), good);
        }
        for (bad, says) in [
            ("", "no name"),
            ("alex", "needs a port or a dot"),
            ("localhost:0", "no name"),
            ("localhost:99999", "no name"),
            ("http://localhost:5000", "no name"),
            ("localhost:5000/app", "no name"),
            ("a..b", "no name"),
            ("../etc", "no name"),
            ("Nas:80", "no name"),
            ("hub.docker.com", "docker.io"),
        ] {
            let error = bad.parse::<RegistryName>().unwrap_err().to_string();
            assert!(error.contains(says), "{bad}: {error}");
        }
    }

    #[test]
    fn addresses_have_a_scheme() {
        for good in ["http://10.0.0.7:5000", "https://mirror.example", "http://localhost:5000"] {
            assert_eq!(good.parse::<RegistryAddress>().unwrap().as_str(), good);
        }
        assert_eq!("http://a.b/".parse::<RegistryAddress>().unwrap().as_str(), "http://a.b");
        for bad in ["", "10.0.0.7:5000", "ftp://a.b", "http://", "http://a.b/v2", "http://a b", "http://u:p@a.b"] {
            assert!(bad.parse::<RegistryAddress>().is_err(), "{bad}");
        }
    }
}
