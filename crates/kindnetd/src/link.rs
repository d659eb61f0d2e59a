//! The size of packets that pods may send: what the node's way out carries.

use futures_util::TryStreamExt as _;
use rtnetlink::Handle;
use rtnetlink::packet_route::link::LinkAttribute;
use rtnetlink::packet_route::route::{RouteAttribute, RouteHeader, RouteMessage, RouteType};

/// The MTU of the interface of the default route (that of the lowest metric); `None` without such a route.
pub(crate) async fn default_mtu(handle: &Handle) -> Result<Option<u32>, rtnetlink::Error> {
    // A message without an address family asks for the routes of all.
    let mut routes = handle.route().get(RouteMessage::default()).execute();
    let mut best: Option<(u32, u32)> = None;
    while let Some(route) = routes.try_next().await? {
        if let Some(candidate) = default_route(&route) {
            best = Some(best.map_or(candidate, |best| best.min(candidate)));
        }
    }
    let Some((_, interface)) = best else {
        return Ok(None);
    };
    let mut links = handle.link().get().match_index(interface).execute();
    let link = links.try_next().await?;
    Ok(link.and_then(|link| {
        link.attributes.iter().find_map(|attribute| match attribute {
            LinkAttribute::Mtu(mtu) => Some(*mtu),
            _ => None,
        })
    }))
}

/// Metric and interface, if the route is a default route of the main table.
fn default_route(route: &RouteMessage) -> Option<(u32, u32)> {
    let header = &route.header;
    let is_default = header.destination_prefix_length == 0
        && header.table == RouteHeader::RT_TABLE_MAIN
        && header.kind == RouteType::Unicast;
    let interface = route.attributes.iter().find_map(|attribute| match attribute {
        RouteAttribute::Oif(index) => Some(*index),
        _ => None,
    });
    let metric = route.attributes.iter().find_map(|attribute| match attribute {
        RouteAttribute::Priority(metric) => Some(*metric),
        _ => None,
    });
    interface.filter(|_| is_default).map(|interface| (metric.unwrap_or(0), interface))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::namespace::Namespace;

    fn mtu_in(namespace: &Namespace) -> Option<u32> {
        namespace.run_async(|| async {
            let (connection, handle, _) = rtnetlink::new_connection().expect("a netlink socket");
            tokio::spawn(connection);
            default_mtu(&handle).await.expect("the MTU")
        })
    }

    #[test]
    fn is_that_of_the_default_route_with_the_lowest_metric() {
        let namespace = Namespace::new();
        namespace.add_interface("eth0", 1450, &["172.18.0.2/16"]);
        namespace.add_interface("eth1", 9000, &["172.19.0.2/16"]);
        assert_eq!(mtu_in(&namespace), None);
        namespace.ip("route add default via 172.19.0.1 metric 200");
        assert_eq!(mtu_in(&namespace), Some(9000));
        namespace.ip("route add default via 172.18.0.1 metric 100");
        assert_eq!(mtu_in(&namespace), Some(1450));
    }

    #[test]
    fn is_found_without_ipv4_too() {
        let namespace = Namespace::new();
        namespace.add_interface("eth0", 1400, &["fc00:18::2/64"]);
        namespace.ip("-6 route add default via fc00:18::1");
        assert_eq!(mtu_in(&namespace), Some(1400));
    }
}
