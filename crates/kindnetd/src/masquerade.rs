//! Masquerading of what this node's pods send out of the cluster, so that answers find back to the node.
//!
//! The rules are handed to the node's own programs (its `/usr` is mounted over the container's): nftables, or
//! iptables-legacy on a kernel whose `nf_tables` has no NAT.

mod legacy;
mod nftables;

use std::io;
use std::process::Stdio;
use std::time::Duration;

use ipnet::IpNet;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;
use tokio::time::timeout;
use tracing::info;

/// Far above the milliseconds that a rule set takes, even with the iptables lock held by another.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Whose packets are masqueraded, and which of them are not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rules {
    /// Where this node's pods live.
    pub(crate) node_subnets: Vec<IpNet>,
    /// Where all pods live: packets to them keep their source.
    pub(crate) cluster_subnets: Vec<IpNet>,
}

/// The subnets of one address family. The two families have separate tables in the kernel.
#[derive(Debug, PartialEq, Eq)]
struct FamilyRules {
    family: Family,
    node_subnets: Vec<IpNet>,
    cluster_subnets: Vec<IpNet>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Family {
    V4,
    V6,
}

/// Who understands the rules on this kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Dialect {
    Nftables,
    Legacy,
}

/// Why the rules are not in the kernel.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("run {program}: {source}")]
    Run { program: &'static str, source: io::Error },
    #[error("{program} did not end within {} s", TIMEOUT.as_secs())]
    Timeout { program: &'static str },
    #[error("{program} refused: {message}")]
    Refused { program: &'static str, message: String },
}

/// The rules as they are in the kernel.
#[derive(Debug, Default)]
pub(crate) struct Masquerade {
    dialect: Option<Dialect>,
    applied: Option<Rules>,
}

impl Masquerade {
    /// Brings the rules into the kernel, unless they are those it was given last.
    pub(crate) async fn reconcile(&mut self, rules: Rules) -> Result<(), Error> {
        if self.applied.as_ref() == Some(&rules) {
            return Ok(());
        }
        let dialect = match self.dialect {
            Some(dialect) => dialect,
            None => supported_dialect().await,
        };
        match dialect {
            Dialect::Nftables => nftables::apply(&rules.by_family()).await?,
            Dialect::Legacy => legacy::apply(&rules.by_family()).await?,
        }
        info!("masquerading from {:?} to anywhere but {:?}", rules.node_subnets, rules.cluster_subnets);
        self.dialect = Some(dialect);
        self.applied = Some(rules);
        Ok(())
    }
}

impl Rules {
    /// The rules of each family in which this node has pods. Subnets are merged: nft refuses a set of overlapping ones.
    fn by_family(&self) -> Vec<FamilyRules> {
        let of = |family, subnets: &[IpNet]| {
            let is_v4 = family == Family::V4;
            let mut subnets = IpNet::aggregate(&subnets.to_vec());
            subnets.retain(|subnet| subnet.addr().is_ipv4() == is_v4);
            subnets
        };
        [Family::V4, Family::V6]
            .into_iter()
            .map(|family| FamilyRules {
                family,
                node_subnets: of(family, &self.node_subnets),
                cluster_subnets: of(family, &self.cluster_subnets),
            })
            .filter(|rules| !rules.node_subnets.is_empty())
            .collect()
    }
}

/// Nftables, wherever it works.
async fn supported_dialect() -> Dialect {
    match nftables::check_nat().await {
        Ok(()) => Dialect::Nftables,
        Err(error) => {
            info!("nf_tables has no NAT here ({error}): using iptables-legacy");
            Dialect::Legacy
        }
    }
}

/// Runs a program of the node with this input to its end.
async fn run(program: &'static str, arguments: &[&str], input: &str) -> Result<(), Error> {
    let running = async {
        let mut child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        if let Some(mut stdin) = child.stdin.take() {
            // A program that ends before it has read everything says why on its standard error.
            match stdin.write_all(input.as_bytes()).await {
                Err(error) if error.kind() != io::ErrorKind::BrokenPipe => return Err(error),
                _ => {}
            }
        }
        child.wait_with_output().await
    };
    let output = timeout(TIMEOUT, running)
        .await
        .map_err(|_| Error::Timeout { program })?
        .map_err(|source| Error::Run { program, source })?;
    if output.status.success() {
        return Ok(());
    }
    let message = String::from_utf8_lossy(&output.stderr);
    Err(Error::Refused { program, message: message.lines().next().unwrap_or("no message").to_owned() })
}

#[cfg(test)]
mod tests;
