//! Routes to the pod subnets of the other nodes, by these nodes' own addresses, kept exact.

use std::collections::BTreeMap;
use std::net::IpAddr;

use futures_util::TryStreamExt as _;
use ipnet::IpNet;
use rtnetlink::packet_route::route::{
    RouteAddress, RouteAttribute, RouteHeader, RouteMessage, RouteProtocol, RouteType,
};
use rtnetlink::{Handle, RouteMessageBuilder};
use tracing::info;

use crate::nodes::NodesByName;

/// Marks the daemon's routes (`ip route show proto 107`): it never removes another's. The number is free in iproute2's
/// `rt_protos`; in ASCII it is "k".
const PROTOCOL: RouteProtocol = RouteProtocol::Other(107);

/// Gateways by destination.
pub(crate) type Routes = BTreeMap<IpNet, IpAddr>;

/// What was being done when the kernel refused.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("list routes: {0}")]
    List(#[source] rtnetlink::Error),
    #[error("set the route to {subnet} by {gateway}: {source}")]
    Set { subnet: IpNet, gateway: IpAddr, source: rtnetlink::Error },
    #[error("remove the route to {subnet}: {source}")]
    Remove { subnet: IpNet, source: rtnetlink::Error },
}

/// The routes a node needs: one to each pod subnet of each other node, by that node's address of the same family.
pub(crate) fn desired(nodes: &NodesByName, own_name: &str) -> Routes {
    let mut routes = Routes::new();
    for (_, node) in nodes.iter().filter(|(name, _)| *name != own_name) {
        for subnet in &node.pod_subnets {
            let gateway = node.addresses.iter().find(|address| address.is_ipv4() == subnet.addr().is_ipv4());
            if let Some(gateway) = gateway {
                routes.insert(*subnet, *gateway);
            }
        }
    }
    routes
}

/// Makes the daemon's routes in the kernel's main table equal to the desired ones.
///
/// A route that the kernel refuses, as one by a node of another network, does not hold up the others.
pub(crate) async fn reconcile(handle: &Handle, desired: &Routes) -> Vec<Error> {
    let present = match present(handle).await {
        Ok(present) => present,
        Err(error) => return vec![Error::List(error)],
    };
    let mut errors = Vec::new();
    for subnet in present.keys().filter(|subnet| !desired.contains_key(subnet)) {
        match remove(handle, *subnet).await {
            Ok(()) => info!("route to {subnet} removed"),
            Err(source) => errors.push(Error::Remove { subnet: *subnet, source }),
        }
    }
    for (&subnet, &gateway) in desired {
        if present.get(&subnet) == Some(&Some(gateway)) {
            continue;
        }
        match set(handle, subnet, gateway).await {
            Ok(()) => info!("route to {subnet} by {gateway}"),
            Err(source) => errors.push(Error::Set { subnet, gateway, source }),
        }
    }
    errors
}

/// The daemon's routes in the kernel. One without a gateway is not as the daemon makes them, and is replaced.
async fn present(handle: &Handle) -> Result<BTreeMap<IpNet, Option<IpAddr>>, rtnetlink::Error> {
    // A message without an address family asks for the routes of all.
    let mut messages = handle.route().get(RouteMessage::default()).execute();
    let mut routes = BTreeMap::new();
    while let Some(message) = messages.try_next().await? {
        if message.header.protocol == PROTOCOL
            && message.header.table == RouteHeader::RT_TABLE_MAIN
            && let Some(subnet) = destination(&message)
        {
            routes.insert(subnet, gateway(&message));
        }
    }
    Ok(routes)
}

/// Adds the route, or replaces the one to the same subnet, whoever made it: pod subnets are the cluster's alone.
async fn set(handle: &Handle, subnet: IpNet, gateway: IpAddr) -> Result<(), rtnetlink::Error> {
    let mut message = message(subnet);
    message.attributes.push(RouteAttribute::Gateway(gateway.into()));
    handle.route().add(message).replace().execute().await
}

async fn remove(handle: &Handle, subnet: IpNet) -> Result<(), rtnetlink::Error> {
    handle.route().del(message(subnet)).execute().await
}

/// A route of the daemon; with this protocol in it, a deletion does not match another's route.
fn message(subnet: IpNet) -> RouteMessage {
    match subnet {
        IpNet::V4(subnet) => RouteMessageBuilder::<std::net::Ipv4Addr>::new()
            .destination_prefix(subnet.network(), subnet.prefix_len())
            .protocol(PROTOCOL)
            .build(),
        IpNet::V6(subnet) => RouteMessageBuilder::<std::net::Ipv6Addr>::new()
            .destination_prefix(subnet.network(), subnet.prefix_len())
            .protocol(PROTOCOL)
            .build(),
    }
}

fn destination(message: &RouteMessage) -> Option<IpNet> {
    let address = message.attributes.iter().find_map(|attribute| match attribute {
        RouteAttribute::Destination(address) => ip_address(address),
        _ => None,
    })?;
    (message.header.kind == RouteType::Unicast)
        .then(|| IpNet::new(address, message.header.destination_prefix_length).ok())
        .flatten()
}

fn gateway(message: &RouteMessage) -> Option<IpAddr> {
    message.attributes.iter().find_map(|attribute| match attribute {
        RouteAttribute::Gateway(address) => ip_address(address),
        _ => None,
    })
}

fn ip_address(address: &RouteAddress) -> Option<IpAddr> {
    match address {
        RouteAddress::Inet(address) => Some((*address).into()),
        RouteAddress::Inet6(address) => Some((*address).into()),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
