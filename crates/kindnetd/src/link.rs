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
