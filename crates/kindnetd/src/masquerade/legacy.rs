//! The rules in the words of iptables-legacy: a chain `KINDNET` of the daemon's own per family, filled in one
//! transaction.

use std::fmt::Write as _;

use super::{Error, Family, FamilyRules, run};

/// Seconds to wait for the lock that all iptables programs share.
const WAIT: &str = "--wait=5";

/// Replaces the daemon's chains.
pub(super) async fn apply(rules: &[FamilyRules]) -> Result<(), Error> {
    for rules in rules {
        let (iptables, restore) = match rules.family {
            Family::V4 => ("/usr/sbin/iptables-legacy", "/usr/sbin/iptables-legacy-restore"),
            Family::V6 => ("/usr/sbin/ip6tables-legacy", "/usr/sbin/ip6tables-legacy-restore"),
        };
        let check = [WAIT, "-t", "nat", "-C", "POSTROUTING", "-j", "KINDNET"];
        let jumps_already = run(iptables, &check, "").await.is_ok();
        run(restore, &[WAIT, "--noflush"], &table(rules, jumps_already)).await?;
    }
    Ok(())
}

/// Naming the chain empties it, or makes it. The same rules as in [`super::nftables`].
fn table(rules: &FamilyRules, jumps_already: bool) -> String {
    let mut text = String::from("*nat\n:KINDNET - [0:0]\n-A KINDNET -o lo -j RETURN\n");
    for subnet in &rules.cluster_subnets {
        let _ = writeln!(text, "-A KINDNET -d {subnet} -j RETURN");
    }
    for subnet in &rules.node_subnets {
        let _ = writeln!(text, "-A KINDNET -s {subnet} -j MASQUERADE --random-fully");
    }
    if !jumps_already {
        text.push_str("-A POSTROUTING -j KINDNET\n");
    }
    text.push_str("COMMIT\n");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_jump_is_added_once() {
        let rules = FamilyRules {
            family: Family::V4,
            node_subnets: vec!["10.244.1.0/24".parse().expect("a subnet")],
            cluster_subnets: vec!["10.244.0.0/16".parse().expect("a subnet")],
        };
        assert_eq!(
            table(&rules, false),
            "\
*nat
:KINDNET - [0:0]
-A KINDNET -o lo -j RETURN
-A KINDNET -d 10.244.0.0/16 -j RETURN
-A KINDNET -s 10.244.1.0/24 -j MASQUERADE --random-fully
-A POSTROUTING -j KINDNET
COMMIT
"
        );
        assert!(!table(&rules, true).contains("POSTROUTING"));
    }
}
