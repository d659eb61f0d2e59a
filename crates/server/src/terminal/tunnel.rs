//! Where to a user's shells may connect through the server: to the nodes and the API servers of that user's own clusters.

use std::net::{IpAddr, SocketAddr};

use qbo_api::message::Code;

use crate::access::User;
use crate::error::Failure;
use crate::live::Live;

/// The address that is meant by what follows CONNECT (RFC 9110, section 9.3.6), or why nobody is connected to it.
pub(crate) fn permit(live: &Live, user: &User, authority: &str) -> Result<SocketAddr, Failure> {
    let address: SocketAddr = authority.parse().map_err(|_| {
        Failure::new(Code::BAD_REQUEST, format!("'{authority}' is no address with a port"), "as 10.201.0.10:6443")
    })?;
    let view = live.glance(&user.email);
    let of_nodes = view.nodes().into_iter().filter_map(|node| node.address.parse::<IpAddr>().ok());
    let of_clusters = view.cluster_rows().into_iter().filter_map(|cluster| {
        let endpoint = cluster.address.strip_prefix("https://")?.parse::<SocketAddr>().ok()?;
        Some(endpoint.ip())
    });
    if of_nodes.chain(of_clusters).any(|own| own == address.ip()) {
        return Ok(address);
    }
    let problem = format!("{} is no node of a cluster of yours", address.ip());
    Err(Failure::new(Code::FORBIDDEN, problem, "see them: qbo get nodes -A"))
}
