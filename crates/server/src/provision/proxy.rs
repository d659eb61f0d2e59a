//! How nodes reach what is not on this host: by the proxy that the server itself was told of, as `kind` hands it to its nodes. The image's
//! start gives it to the container runtime, which pulls images.

use std::net::IpAddr;

use http::Uri;
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use qbo_bootstrap::{ClusterPlan, NodePlan, Registry};

/// Variables that name a proxy, each also in small letters.
const PROXIES: [&str; 2] = ["HTTP_PROXY", "HTTPS_PROXY"];
/// Variables that name what is reached without one.
const DIRECT: &str = "NO_PROXY";

/// What is inside every cluster.
const INSIDE: [&str; 6] = ["localhost", "127.0.0.0/8", "::1", ".svc", ".svc.cluster", ".svc.cluster.local"];

/// Variables of a node's environment, by those of the server's.
pub(super) fn environment(
    plan: &ClusterPlan,
    node: &NodePlan,
    variable: impl Fn(&str) -> Option<String>,
) -> Vec<String> {
    let given = |name: &str| variable(name).filter(|value| !value.is_empty());
    let set = |name: &str| given(name).or_else(|| given(&name.to_lowercase()));
    let mut variables: Vec<(&str, String)> = Vec::new();
    for name in PROXIES {
        match set(name) {
            // It may hold a password, so that it is not told.
            Some(proxy) if is_of_loopback(&proxy) => {
                tracing::warn!(variable = name, "nodes cannot reach a proxy that listens on the host's loopback");
            }
            proxy => variables.extend(proxy.map(|proxy| (name, proxy))),
        }
    }
    if variables.is_empty() {
        return Vec::new();
    }
    let networks = [Ipv4Net::new(plan.balancer_address, 24).ok().map(|net| IpNet::V4(net.trunc()))];
    let networks_v6 = node.address_v6.and_then(|address| Ipv6Net::new(address, 64).ok());
    let subnets = networks.into_iter().flatten().chain(networks_v6.map(|net| IpNet::V6(net.trunc())));
    let subnets = subnets.chain(plan.pod_subnets.iter().copied()).chain(plan.service_subnets.iter().copied());
    let mut direct: Vec<String> = set(DIRECT).into_iter().chain(INSIDE.map(str::to_owned)).collect();
    direct.extend(subnets.map(|subnet| subnet.to_string()));
    direct.extend(plan.options.registries.iter().flat_map(Registry::plain_hosts).map(str::to_owned));
    variables.push((DIRECT, direct.join(",")));
    variables
        .iter()
        .flat_map(|(name, value)| [format!("{name}={value}"), format!("{}={value}", name.to_lowercase())])
        .collect()
}

/// Whether an address such as `http://user@127.0.0.1:3128/` is one of the host's loopback.
fn is_of_loopback(proxy: &str) -> bool {
    let Ok(address) = proxy.parse::<Uri>() else { return false };
    let host = address.host().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use uuid::Uuid;

    use super::*;
    use crate::address::{ClusterNetwork, USUAL_MTU};
    use crate::cluster::Identity;
    use crate::provision::Wishes;

    #[test]
    fn nodes_have_the_servers_proxy_for_what_is_outside() {
        let wishes = Wishes::usual("qbo/node".into(), "v1.37.2".parse().unwrap());
        let identity = Identity { user: "alex".into(), name: "alex".into(), id: Uuid::nil() };
        let network = ClusterNetwork { v4: "10.201.7.0/24".parse().unwrap(), v6: None, mtu: USUAL_MTU };
        let plan = wishes.plan(&identity, network).unwrap();
        let of = |variables: &[(&str, &str)]| {
            let variables: HashMap<_, _> = variables.iter().copied().collect();
            environment(&plan, &plan.nodes[0], |name| variables.get(name).map(|value| (*value).to_owned()))
        };
        assert_eq!(of(&[]), Vec::<String>::new());
        assert_eq!(
            of(&[("NO_PROXY", "a.example"), ("HTTP_PROXY", ""), ("https_proxy", "http://127.0.0.1:1")]),
            Vec::<String>::new()
        );
        let direct = "a.example,localhost,127.0.0.0/8,::1,.svc,.svc.cluster,.svc.cluster.local,10.201.7.0/24,10.244.0.0/16,10.96.0.0/16";
        let proxy = "http://proxy.example:3128";
        let expected = [
            format!("HTTPS_PROXY={proxy}"),
            format!("https_proxy={proxy}"),
            format!("NO_PROXY={direct}"),
            format!("no_proxy={direct}"),
        ];
        assert_eq!(of(&[("HTTPS_PROXY", ""), ("https_proxy", proxy), ("NO_PROXY", "a.example")]), expected);
    }

    #[test]
    fn proxies_of_loopback_are_none_for_nodes() {
        for proxy in ["http://127.0.0.1:3128", "localhost:3128", "http://user:word@localhost:1/", "http://[::1]:8080"] {
            assert!(is_of_loopback(proxy), "{proxy}");
        }
        for proxy in ["http://proxy.example.com:3128", "10.0.0.1:3128", "http://[2001:db8::1]:80"] {
            assert!(!is_of_loopback(proxy), "{proxy}");
        }
    }
}
