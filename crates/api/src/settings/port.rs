//! Ports of the host that lead into a cluster.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use super::text_in_files;
use crate::name::NameError;

/// A port of the host that leads to a port of a node: `[LISTEN:]HOST:NODE[/tcp|udp|sctp]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PortMapping {
    /// The host's address that is listened on; all of them where none is said.
    pub listen: Option<IpAddr>,
    /// The host's port.
    pub host: u16,
    /// The node's port.
    pub node: u16,
    /// What is spoken.
    pub protocol: Protocol,
}

/// How a command names ports of the host that lead into a cluster: `HOST[/tcp|udp|sctp]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PortReference {
    /// The host's port.
    pub host: u16,
    /// What is spoken.
    pub protocol: Protocol,
}

/// What is spoken at a port.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Protocol {
    /// Where nothing else is said.
    #[default]
    Tcp,
    /// Datagrams.
    Udp,
    /// Where the host's kernel has it.
    Sctp,
}

impl PortMapping {
    /// As many may lead into one cluster: each has a container of its own.
    pub const LIMIT: usize = 32;

    /// Whether both want the same port of the host.
    pub fn is_in_the_way_of(&self, other: &Self) -> bool {
        let overlap = match (self.listen, other.listen) {
            (Some(one), Some(other)) => one == other || one.is_unspecified() || other.is_unspecified(),
            (None, _) | (_, None) => true,
        };
        overlap && self.host == other.host && self.protocol == other.protocol
    }
}

impl PortReference {
    /// Whether it names this mapping.
    pub fn matches(&self, mapping: &PortMapping) -> bool {
        self.host == mapping.host && self.protocol == mapping.protocol
    }
}

impl Protocol {
    const ALL: [Self; 3] = [Self::Tcp, Self::Udp, Self::Sctp];

    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Sctp => "sctp",
        }
    }

    /// By its name in either case, as `tcp` or `TCP`.
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|protocol| protocol.as_str().eq_ignore_ascii_case(name))
    }

    /// The ports before the protocol, and the protocol after them.
    fn split(text: &str) -> Option<(&str, Self)> {
        match text.rsplit_once('/') {
            Some((ports, name)) => Some((ports, Self::of(name)?)),
            None => Some((text, Self::default())),
        }
    }
}

fn port(text: &str) -> Option<u16> {
    text.parse().ok().filter(|port| *port != 0)
}

impl FromStr for PortMapping {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let parse = || {
            let (ports, protocol) = Protocol::split(text)?;
            let (rest, node) = ports.rsplit_once(':')?;
            let (listen, host) = match rest.rsplit_once(':') {
                Some((listen, host)) => (Some(address(listen)?), host),
                None => (None, rest),
            };
            Some(Self { listen, host: port(host)?, node: port(node)?, protocol })
        };
        let problem = "is none such as 8080:80, 127.0.0.1:8080:80 or 5353:53/udp, with ports from 1 to 65535";
        parse().ok_or_else(|| NameError::new("port", text, problem))
    }
}

/// An address, one of IPv6 in brackets.
fn address(text: &str) -> Option<IpAddr> {
    match text.strip_prefix('[').and_then(|text| text.strip_suffix(']')) {
        Some(text) => text.parse().ok().map(IpAddr::V6),
        None => text.parse().ok().map(IpAddr::V4),
    }
}

impl FromStr for PortReference {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let parse = || {
            let (host, protocol) = Protocol::split(text)?;
            Some(Self { host: port(host)?, protocol })
        };
        parse().ok_or_else(|| NameError::new("port", text, "is none of the host such as 8080 or 5353/udp"))
    }
}

impl fmt::Display for PortMapping {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.listen {
            Some(IpAddr::V4(address)) => write!(formatter, "{address}:")?,
            Some(IpAddr::V6(address)) => write!(formatter, "[{address}]:")?,
            None => {}
        }
        write!(formatter, "{}:{}/{}", self.host, self.node, self.protocol.as_str())
    }
}

impl fmt::Display for PortReference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.host, self.protocol.as_str())
    }
}

text_in_files!(PortMapping);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mappings_are_read_and_printed() {
        for (text, printed) in [
            ("8080:80", "8080:80/tcp"),
            ("127.0.0.1:8080:80/tcp", "127.0.0.1:8080:80/tcp"),
            ("[::1]:5353:53/UDP", "[::1]:5353:53/udp"),
            ("1:65535/sctp", "1:65535/sctp"),
        ] {
            let mapping: PortMapping = text.parse().unwrap();
            assert_eq!(mapping.to_string(), printed);
            assert_eq!(printed.parse(), Ok(mapping));
        }
        for text in
            ["", "80", "0:80", "80:0", "65536:80", "a:80", "::1:80:80", "localhost:80:80", "80:80/icmp", "80:80/"]
        {
            assert!(text.parse::<PortMapping>().is_err(), "{text}");
        }
    }

    #[test]
    fn one_port_of_the_host_is_one_ports() {
        let in_the_way = |one: &str, other: &str| {
            let (one, other): (PortMapping, PortMapping) = (one.parse().unwrap(), other.parse().unwrap());
            assert_eq!(one.is_in_the_way_of(&other), other.is_in_the_way_of(&one));
            one.is_in_the_way_of(&other)
        };
        assert!(in_the_way("80:80", "80:81"));
        assert!(in_the_way("80:80", "127.0.0.1:80:80"));
        assert!(in_the_way("0.0.0.0:80:80", "127.0.0.1:80:80"));
        assert!(!in_the_way("80:80", "80:80/udp"));
        assert!(!in_the_way("80:80", "81:80"));
        assert!(!in_the_way("127.0.0.2:80:80", "127.0.0.1:80:80"));
    }

    #[test]
    fn a_port_of_the_host_names_its_mapping() {
        let matches = |reference: &str, mapping: &str| {
            reference.parse::<PortReference>().unwrap().matches(&mapping.parse().unwrap())
        };
        assert!(matches("8080", "127.0.0.1:8080:80"));
        assert!(!matches("8080/udp", "8080:80"));
        assert!("8080:80".parse::<PortReference>().is_err());
    }
}
