//! Who is connected, with what they do.

use std::collections::BTreeMap;

use jiff::Timestamp;
use qbo_api::message::{Change, Payload};
use qbo_api::model::Client;
use uuid::Uuid;

use super::Live;
use crate::access::User;

/// All connections, by their id.
#[derive(Debug)]
pub(super) struct Clients {
    connected: BTreeMap<String, ClientInfo>,
    host: String,
}

/// A connection.
#[derive(Debug, Clone)]
pub(crate) struct ClientInfo {
    /// Who it is.
    pub(crate) user: User,
    /// Its id.
    pub(crate) wsi: String,
    /// Its address.
    pub(crate) address: String,
    /// What it calls itself.
    pub(crate) agent: String,
    /// The mirrors it is in.
    pub(crate) mirrors: Vec<Uuid>,
    /// Since when.
    pub(crate) since: Timestamp,
    /// Its latest command: line, id and task.
    pub(crate) command: Option<(String, Uuid, i64)>,
}

impl Clients {
    pub(super) fn new(host: String) -> Self {
        Self { connected: BTreeMap::new(), host }
    }

    /// The rows of a user's connections.
    pub(super) fn rows(&self, user: &str) -> Vec<Client> {
        let own = self.connected.values().filter(|client| client.user.email == user);
        own.flat_map(|client| client.rows(&self.host)).collect()
    }
}

impl ClientInfo {
    fn rows(&self, host: &str) -> Vec<Client> {
        let (command, command_id, thread_id) = match &self.command {
            Some((line, id, thread)) => (line.clone(), id.to_string(), *thread),
            None => (String::new(), String::new(), 0),
        };
        let row = |mirror: &Uuid| Client {
            timestamp: self.since.as_second(),
            user: self.user.email.clone(),
            mirror: mirror.to_string(),
            control: 1,
            address: self.address.clone(),
            agent: self.agent.clone(),
            command: command.clone(),
            command_id: command_id.clone(),
            process_id: std::process::id(),
            thread_id,
            wsi: self.wsi.clone(),
            wss_over_h2: 0,
            host: host.into(),
        };
        self.mirrors.iter().map(row).collect()
    }
}

impl Live {
    /// A connection came, or changed.
    pub(crate) fn client_seen(&self, client: ClientInfo) {
        let mut inner = self.lock();
        let (owner, now) = (client.user.clone(), client.rows(&self.host));
        let before = inner.clients.connected.insert(client.wsi.clone(), client);
        let left = before.map(|before| before.rows(&self.host)).unwrap_or_default();
        let left = left.into_iter().filter(|row| !now.iter().any(|other| other.mirror == row.mirror)).collect();
        let deltas = [(Change::Delete, Payload::Clients(left)), (Change::Put, Payload::Clients(now))];
        self.tell(&mut inner, &owner, deltas.into_iter(), "");
    }

    /// A connection is gone.
    pub(crate) fn client_gone(&self, wsi: &str) {
        let mut inner = self.lock();
        if let Some(client) = inner.clients.connected.remove(wsi) {
            let delta = (Change::Delete, Payload::Clients(client.rows(&self.host)));
            self.tell(&mut inner, &client.user, std::iter::once(delta), "");
        }
    }
}
