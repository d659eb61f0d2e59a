//! The network of pods and Services.

use std::fmt;
use std::str::FromStr;

use ipnet::IpNet;

use super::text_in_files;
use crate::name::NameError;

/// What gives pods their network.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Cni {
    /// The node image's own.
    #[default]
    Kindnet,
    /// Nothing yet: nodes are not Ready before somebody applies one.
    None,
}

/// Which addresses pods and Services have.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum IpFamily {
    /// IPv4 alone.
    #[default]
    Ipv4,
    /// IPv6 alone.
    Ipv6,
    /// Both; Services that ask for none get IPv4, unless subnets are given in the other order.
    Dual,
}

/// A range of addresses, or one of each family: `10.1.0.0/16,fd00:1::/56`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subnets(Vec<IpNet>);

impl Subnets {
    /// The ranges, in the order they were given.
    pub fn as_slice(&self) -> &[IpNet] {
        &self.0
    }

    /// Which addresses they have.
    pub fn family(&self) -> IpFamily {
        match self.0.as_slice() {
            [IpNet::V4(_)] => IpFamily::Ipv4,
            [IpNet::V6(_)] => IpFamily::Ipv6,
            _ => IpFamily::Dual,
        }
    }

    /// Whether both are of the same families in the same order.
    pub fn is_like(&self, other: &Self) -> bool {
        let is_v4 = |subnet: &IpNet| matches!(subnet, IpNet::V4(_));
        self.0.iter().map(is_v4).eq(other.0.iter().map(is_v4))
    }

    /// A range of both, where there is one.
    pub fn overlap(&self, other: &Self) -> Option<IpNet> {
        let overlaps = |one: &&IpNet| other.0.iter().any(|other| one.contains(other) || other.contains(*one));
        self.0.iter().find(overlaps).copied()
    }
}

impl FromStr for Subnets {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let problem = "is none such as 10.1.0.0/16, fd00:1::/56, or one of each with a comma between";
        let wrong = |problem| NameError::new("subnet", text, problem);
        let subnets: Result<Vec<IpNet>, _> = text.split(',').map(str::parse).collect();
        let subnets = subnets.map_err(|_| wrong(problem))?;
        if subnets.iter().any(|subnet| subnet.trunc() != *subnet) {
            return Err(wrong("has bits behind its prefix: write the first address of the range"));
        }
        match subnets.as_slice() {
            [_] | [IpNet::V4(_), IpNet::V6(_)] | [IpNet::V6(_), IpNet::V4(_)] => Ok(Self(subnets)),
            _ => Err(wrong(problem)),
        }
    }
}

impl FromStr for Cni {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        match text {
            "kindnet" => Ok(Self::Kindnet),
            "none" => Ok(Self::None),
            _ => Err(NameError::new(
                "CNI",
                text,
                "is neither kindnet nor none; others are applied to a cluster with none",
            )),
        }
    }
}

impl FromStr for IpFamily {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        match text {
            "ipv4" => Ok(Self::Ipv4),
            "ipv6" => Ok(Self::Ipv6),
            "dual" => Ok(Self::Dual),
            _ => Err(NameError::new("family", text, "is none of ipv4, ipv6 and dual")),
        }
    }
}

impl fmt::Display for Cni {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Kindnet => "kindnet",
            Self::None => "none",
        })
    }
}

impl fmt::Display for IpFamily {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Ipv4 => "ipv4",
            Self::Ipv6 => "ipv6",
            Self::Dual => "dual",
        })
    }
}

impl fmt::Display for Subnets {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let subnets: Vec<String> = self.0.iter().map(ToString::to_string).collect();
        formatter.write_str(&subnets.join(","))
    }
}

text_in_files!(Cni, IpFamily, Subnets);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subnets_are_one_of_each_family() {
        let subnets = |text: &str| text.parse::<Subnets>();
        for (text, family) in [
            ("10.1.0.0/16", IpFamily::Ipv4),
            ("fd00:1::/56", IpFamily::Ipv6),
            ("10.1.0.0/16,fd00:1::/56", IpFamily::Dual),
            ("fd00:1::/56,10.1.0.0/16", IpFamily::Dual),
        ] {
            let read = subnets(text).unwrap();
            assert_eq!((read.family(), read.to_string().as_str()), (family, text));
        }
        for text in ["", "10.1.0.0", "10.1.0.0/33", "10.1.0.0/16,10.2.0.0/16", "10.1.0.0/16,", "a/8", "10.1.0.1/16"] {
            assert!(subnets(text).is_err(), "{text}");
        }
        assert!(subnets("10.1.2.0/16").unwrap_err().to_string().contains("bits behind its prefix"));
        let dual = subnets("10.1.0.0/16,fd00:1::/56").unwrap();
        assert!(!dual.is_like(&subnets("fd00:1::/56,10.1.0.0/16").unwrap()));
        assert_eq!(dual.overlap(&subnets("10.0.0.0/8").unwrap()).unwrap().to_string(), "10.1.0.0/16");
        assert_eq!(dual.overlap(&subnets("10.2.0.0/16").unwrap()), None);
    }
}
