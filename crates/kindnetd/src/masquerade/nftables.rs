//! The rules in the words of nft: a table `kindnet` of the daemon's own per family, replaced in one transaction.

use std::fmt::Write as _;

use ipnet::IpNet;

use super::{Error, Family, FamilyRules, run};

const NFT: &str = "/usr/sbin/nft";

/// A chain of type nat is what some kernels' `nf_tables` lacks.
const NAT_CHAIN: &str = "\
table ip kindnet-check {
  chain postrouting {
    type nat hook postrouting priority srcnat;
  }
}
";

/// Asks the kernel whether it knows NAT, and changes nothing.
pub(super) async fn check_nat() -> Result<(), Error> {
    run(NFT, &["--check", "--file", "-"], NAT_CHAIN).await
}

/// Replaces the daemon's tables.
pub(super) async fn apply(rules: &[FamilyRules]) -> Result<(), Error> {
    run(NFT, &["--file", "-"], &transaction(rules)).await
}

/// One file is one transaction: packets meet the old tables or the new ones.
fn transaction(rules: &[FamilyRules]) -> String {
    rules.iter().map(replacement).collect()
}

/// Naming the table first makes its deletion valid where there is none; `destroy` is known only since Linux 6.3.
///
/// Traffic over `lo` stays in the node. `fully-random` keeps two pods that open connections at once (as resolvers do) from being
/// given the same port, which costs a packet.
fn replacement(rules: &FamilyRules) -> String {
    let family = match rules.family {
        Family::V4 => "ip",
        Family::V6 => "ip6",
    };
    let mut conditions = format!("{family} saddr {}", set(&rules.node_subnets));
    if !rules.cluster_subnets.is_empty() {
        let _ = write!(conditions, " {family} daddr != {}", set(&rules.cluster_subnets));
    }
    format!(
        "\
table {family} kindnet
delete table {family} kindnet
table {family} kindnet {{
  chain postrouting {{
    type nat hook postrouting priority srcnat;
    oifname != \"lo\" {conditions} masquerade fully-random
  }}
}}
"
    )
}

fn set(subnets: &[IpNet]) -> String {
    let elements: Vec<String> = subnets.iter().map(IpNet::to_string).collect();
    format!("{{ {} }}", elements.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subnets(list: &[&str]) -> Vec<IpNet> {
        list.iter().map(|subnet| subnet.parse().expect("a subnet")).collect()
    }

    #[test]
    fn both_families_are_one_transaction() {
        let rules = [
            FamilyRules {
                family: Family::V4,
                node_subnets: subnets(&["10.244.1.0/24"]),
                cluster_subnets: subnets(&["10.244.0.0/16", "10.245.0.0/16"]),
            },
            FamilyRules {
                family: Family::V6,
                node_subnets: subnets(&["fd00:10:244:1::/64"]),
                cluster_subnets: subnets(&["fd00:10:244::/56"]),
            },
        ];
        assert_eq!(
            transaction(&rules),
            "\
table ip kindnet
delete table ip kindnet
table ip kindnet {
  chain postrouting {
    type nat hook postrouting priority srcnat;
    oifname != \"lo\" ip saddr { 10.244.1.0/24 } ip daddr != { 10.244.0.0/16, 10.245.0.0/16 } masquerade fully-random
  }
}
table ip6 kindnet
delete table ip6 kindnet
table ip6 kindnet {
  chain postrouting {
    type nat hook postrouting priority srcnat;
    oifname != \"lo\" ip6 saddr { fd00:10:244:1::/64 } ip6 daddr != { fd00:10:244::/56 } masquerade fully-random
  }
}
"
        );
    }

    #[test]
    fn without_a_subnet_of_the_cluster_everything_is_masqueraded() {
        let rules =
            FamilyRules { family: Family::V4, node_subnets: subnets(&["10.244.1.0/24"]), cluster_subnets: Vec::new() };
        assert!(replacement(&rules).contains("ip saddr { 10.244.1.0/24 } masquerade"));
    }
}
