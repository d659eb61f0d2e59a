//! The networks of this host, over route netlink (`rtnetlink(7)`).

use std::collections::HashMap;

use futures_util::TryStreamExt;
use qbo_api::message::Code;
use qbo_api::model::Network;
use rtnetlink::packet_route::address::{AddressAttribute, AddressMessage};
use rtnetlink::packet_route::link::{LinkAttribute, LinkMessage};

use crate::error::Failure;

/// The host's interfaces with their addresses.
#[derive(Debug, Clone, Copy, Default)]
pub struct HostNetworks;

impl HostNetworks {
    /// A row for each address of an interface, and one for each interface without.
    pub async fn list(&self) -> Result<Vec<Network>, Failure> {
        let failed = |error: &dyn std::error::Error| {
            Failure::new(Code::INTERNAL, format!("the host's networks cannot be listed: {error}"), "")
        };
        let (connection, handle, _) = rtnetlink::new_connection().map_err(|error| failed(&error))?;
        let connection = tokio::spawn(connection);
        let listed = async {
            let links: Vec<LinkMessage> = handle.link().get().execute().try_collect().await?;
            let addresses: Vec<AddressMessage> = handle.address().get().execute().try_collect().await?;
            Ok::<_, rtnetlink::Error>((links, addresses))
        };
        let listed = listed.await;
        connection.abort();
        let (links, addresses) = listed.map_err(|error| failed(&error))?;
        Ok(rows(&links, &addresses))
    }
}

fn rows(links: &[LinkMessage], addresses: &[AddressMessage]) -> Vec<Network> {
    let mut subnets: HashMap<u32, Vec<String>> = HashMap::new();
    for message in addresses {
        // Of a link to one peer the address is that of the peer, the local one the host's own; IPv6 tells the address alone
        // where there is no peer (rtnetlink(7), `IFA_LOCAL`).
        let local = message.attributes.iter().find_map(|attribute| match attribute {
            AddressAttribute::Local(address) => Some(address),
            _ => None,
        });
        let address = message.attributes.iter().find_map(|attribute| match attribute {
            AddressAttribute::Address(address) => Some(address),
            _ => None,
        });
        if let Some(address) = local.or(address) {
            let subnet = format!("{address}/{}", message.header.prefix_len);
            subnets.entry(message.header.index).or_default().push(subnet);
        }
    }
    let row = |link: &LinkMessage| {
        let (mut name, mut state) = (String::new(), String::new());
        for attribute in &link.attributes {
            match attribute {
                LinkAttribute::IfName(text) => name.clone_from(text),
                LinkAttribute::OperState(operational) => state = format!("{operational:?}").to_lowercase(),
                _ => {}
            }
        }
        let index = link.header.index;
        let subnets = subnets.get(&index).cloned().unwrap_or_else(|| vec![String::new()]);
        subnets.into_iter().map(move |subnet| Network {
            name: name.clone(),
            id: index.to_string(),
            subnet,
            state: state.clone(),
            user: String::new(),
            cluster_id: String::new(),
        })
    };
    links.iter().flat_map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_tunnel_the_own_address_is_told_and_not_the_peers() {
        let link = |index: u32| {
            let mut link = LinkMessage::default();
            link.header.index = index;
            link
        };
        let address = |index: u32, attributes: Vec<AddressAttribute>| {
            let mut message = AddressMessage::default();
            (message.header.index, message.header.prefix_len, message.attributes) = (index, 32, attributes);
            message
        };
        let [own, peer, only] = ["10.8.0.2", "10.8.0.1", "fd00::1"].map(|text| text.parse().unwrap());
        let addresses = [
            address(1, vec![AddressAttribute::Address(peer), AddressAttribute::Local(own)]),
            address(2, vec![AddressAttribute::Address(only)]),
        ];
        let rows = rows(&[link(1), link(2)], &addresses);
        let subnets: Vec<&str> = rows.iter().map(|row| row.subnet.as_str()).collect();
        assert_eq!(subnets, ["10.8.0.2/32", "fd00::1/32"]);
    }

    #[tokio::test]
    async fn every_host_has_its_loopback() {
        let rows = HostNetworks.list().await.unwrap();
        let loopback = rows.iter().find(|row| row.name == "lo").unwrap();
        assert_eq!(loopback.id, "1");
    }
}
