//! Brings this node's network to what all nodes together ask for.

use std::io;
use std::path::Path;

use rtnetlink::Handle;
use tracing::info;

use crate::masquerade::{self, Masquerade, Rules};
use crate::nodes::NodesByName;
use crate::settings::Settings;
use crate::{cni, link, routes};

/// One part that could not be brought about.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(transparent)]
    Route(#[from] routes::Error),
    #[error("masquerade: {0}")]
    Masquerade(#[from] masquerade::Error),
    #[error("find the MTU of the default route: {0}")]
    Mtu(#[from] rtnetlink::Error),
    #[error(transparent)]
    Cni(#[from] cni::Error),
}

/// This node's network.
pub(crate) struct Reconciler {
    settings: Settings,
    netlink: Handle,
    masquerade: Masquerade,
}

impl Reconciler {
    /// Opens a netlink socket, which is served by a task of the current runtime.
    pub(crate) fn new(settings: Settings) -> io::Result<Self> {
        let (connection, netlink, _) = rtnetlink::new_connection()?;
        tokio::spawn(connection);
        Ok(Self { settings, netlink, masquerade: Masquerade::default() })
    }

    /// Brings about everything that can be, and tells what cannot.
    ///
    /// The CNI configuration comes last: with it pods start, and they find routes and rules there.
    pub(crate) async fn reconcile(&mut self, nodes: &NodesByName) -> Vec<Error> {
        let desired = routes::desired(nodes, &self.settings.node);
        let mut errors: Vec<Error> =
            routes::reconcile(&self.netlink, &desired).await.into_iter().map(Error::from).collect();

        let subnets = nodes.get(&self.settings.node).map_or(&[][..], |node| &node.pod_subnets);
        if subnets.is_empty() {
            info!("node {} has no pod subnet yet", self.settings.node);
            return errors;
        }
        let rules = Rules { node_subnets: subnets.to_vec(), cluster_subnets: self.settings.cluster_subnets.clone() };
        errors.extend(self.masquerade.reconcile(rules).await.err().map(Error::from));
        errors.extend(self.configure_pods(subnets).await.err());
        errors
    }

    async fn configure_pods(&self, subnets: &[ipnet::IpNet]) -> Result<(), Error> {
        let mtu = link::default_mtu(&self.netlink).await?;
        if cni::write(Path::new(cni::DIRECTORY), &cni::configuration(subnets, mtu))? {
            info!("CNI configuration for {subnets:?} written");
        }
        Ok(())
    }
}
