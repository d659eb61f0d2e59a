//! What the `DaemonSet` tells the daemon by its environment.

use std::env;

use ipnet::IpNet;

/// The daemon's place in the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    /// Name of the Node the daemon runs on (`NODE_NAME`).
    pub(crate) node: String,
    /// Where all pods of the cluster live (`POD_SUBNET`): what stays inside is never masqueraded.
    pub(crate) cluster_subnets: Vec<IpNet>,
}

/// Why the environment does not tell the daemon's place.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("{0} is not set; the DaemonSet of the node image sets it")]
    Missing(&'static str),
    #[error("POD_SUBNET: {subnet:?} is not a subnet such as 10.244.0.0/16")]
    Subnet { subnet: String },
}

impl Settings {
    /// Reads the environment.
    pub(crate) fn from_environment() -> Result<Self, Error> {
        let required = |name| env::var(name).ok().filter(|value| !value.is_empty()).ok_or(Error::Missing(name));
        Ok(Self { node: required("NODE_NAME")?, cluster_subnets: subnets(&required("POD_SUBNET")?)? })
    }
}

/// Parses subnets separated by commas, as kind's `podSubnet` holds them in a dual-stack cluster.
fn subnets(list: &str) -> Result<Vec<IpNet>, Error> {
    list.split(',')
        .map(str::trim)
        .map(|subnet| {
            subnet
                .parse::<IpNet>()
                .map(|parsed| parsed.trunc())
                .map_err(|_| Error::Subnet { subnet: subnet.to_owned() })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_one_subnet_and_two() {
        let one = subnets("10.244.0.0/16").expect("one subnet");
        assert_eq!(one, ["10.244.0.0/16".parse().expect("a subnet")]);

        let two = subnets("10.244.0.0/16, fd00:10:244::/56").expect("two subnets");
        assert_eq!(two, ["10.244.0.0/16".parse().expect("a subnet"), "fd00:10:244::/56".parse().expect("a subnet"),]);
    }

    #[test]
    fn drops_the_bits_of_a_host() {
        let subnets = subnets("10.244.3.7/16").expect("one subnet");
        assert_eq!(subnets, ["10.244.0.0/16".parse().expect("a subnet")]);
    }

    #[test]
    fn names_the_subnet_it_cannot_read() {
        let error = subnets("10.244.0.0/16,10.0.0.0/64").expect_err("/64 is no IPv4 prefix");
        assert!(error.to_string().contains("10.0.0.0/64"), "{error}");
    }
}
