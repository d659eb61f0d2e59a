//! Tables of objects, columns as kubectl prints them: upper-case heads, three blanks between, no lines.

use qbo_api::message::Payload;
use qbo_api::model::{Client, Cluster, Image, Network, Node, Pod, Registry, Service, State, Usage, UsageKind};

use super::style::{Colour, Paint};

const GAP: usize = 3;

/// The objects of a `get`, gathered until the last message: columns are as wide as their widest cell.
#[derive(Debug, Default)]
pub(crate) struct Table {
    clusters: Vec<Cluster>,
    nodes: Vec<Node>,
    pods: Vec<Pod>,
    services: Vec<Service>,
    networks: Vec<Network>,
    images: Vec<Image>,
    registries: Vec<Registry>,
    clients: Vec<Client>,
    usage: Vec<Usage>,
}

/// A column of objects of one kind.
struct Column<T> {
    head: &'static str,
    /// Shown only where all columns are asked for.
    wide: bool,
    cell: fn(&T) -> Cell,
}

/// What stands in a column.
struct Cell {
    text: String,
    colour: Option<Colour>,
}

impl<T> Column<T> {
    const fn always(head: &'static str, cell: fn(&T) -> Cell) -> Self {
        Self { head, wide: false, cell }
    }

    const fn wide(head: &'static str, cell: fn(&T) -> Cell) -> Self {
        Self { head, wide: true, cell }
    }
}

impl From<&str> for Cell {
    /// An empty cell is shown as one, so that columns can be counted.
    fn from(text: &str) -> Self {
        Self { text: if text.is_empty() { "-".into() } else { text.into() }, colour: None }
    }
}

impl From<State> for Cell {
    fn from(state: State) -> Self {
        let colour = match state {
            State::Ready => Colour::Green,
            State::Creating | State::Starting | State::Stopping | State::Deleting => Colour::Yellow,
            State::NotReady | State::Error | State::Unknown => Colour::Red,
            State::Stopped | State::Deleted => Colour::Dim,
        };
        Self { text: state.to_string(), colour: Some(colour) }
    }
}

const CLUSTERS: &[Column<Cluster>] = &[
    Column::always("NAME", |cluster| cluster.name.as_str().into()),
    Column::always("STATE", |cluster| cluster.state.into()),
    Column::always("ADDRESS", |cluster| cluster.address.as_str().into()),
    Column::always("CONTROL PLANE", |cluster| cluster.control_plane.as_str().into()),
    Column::wide("PORTS", |cluster| cluster.ports.join(" ").as_str().into()),
    Column::wide("ID", |cluster| cluster.id.as_str().into()),
    Column::wide("USER", |cluster| cluster.user.as_str().into()),
];

const NODES: &[Column<Node>] = &[
    Column::always("NAME", |node| node.name.as_str().into()),
    Column::always("STATE", |node| node.state.into()),
    Column::always("CLUSTER", |node| node.cluster.as_str().into()),
    Column::always("ADDRESS", |node| node.address.as_str().into()),
    Column::always("IMAGE", |node| node.image.as_str().into()),
    Column::wide("OS", |node| node.os.as_str().into()),
    Column::wide("KERNEL", |node| node.kernel.as_str().into()),
    // As Docker prints container ids.
    Column::wide("ID", |node| node.id.get(..12).unwrap_or(&node.id).into()),
    Column::wide("USER", |node| node.user.as_str().into()),
];

const IMAGES: &[Column<Image>] = &[
    Column::always("NAME", |image| image.name.as_str().into()),
    Column::always("LOCAL", |image| if image.local { "yes".into() } else { "no".into() }),
    Column::wide("REGISTRY", |image| image.registry.as_str().into()),
    Column::wide("USER", |image| image.user.as_str().into()),
    Column::wide("REPOSITORY", |image| image.repository.as_str().into()),
    Column::wide("IMAGE", |image| image.image.as_str().into()),
    Column::wide("TAG", |image| image.tag.as_str().into()),
];

const PODS: &[Column<Pod>] = &[
    Column::always("NAMESPACE", |pod| pod.namespace.as_str().into()),
    Column::always("NAME", |pod| pod.name.as_str().into()),
    Column::always("STATUS", |pod| Cell { text: pod.status.clone(), colour: Some(pod_colour(pod)) }),
    Column::always("READY", |pod| pod.ready.to_string().as_str().into()),
    Column::always("ADDRESS", |pod| pod.address.as_str().into()),
    Column::always("NODE", |pod| pod.node.as_str().into()),
    Column::always("CLUSTER", |pod| pod.cluster.as_str().into()),
    Column::wide("STARTED", |pod| pod.started.to_string().as_str().into()),
    Column::wide("NODE STATUS", |pod| pod.node_status.as_str().into()),
    Column::wide("ID", |pod| pod.id.as_str().into()),
    Column::wide("USER", |pod| pod.user.as_str().into()),
];

const SERVICES: &[Column<Service>] = &[
    Column::always("NAMESPACE", |service| service.namespace.as_str().into()),
    Column::always("NAME", |service| service.name.as_str().into()),
    Column::always("TYPE", |service| service.kind.as_str().into()),
    Column::always("ADDRESS", |service| service.address.as_str().into()),
    Column::always("EXTERNAL", |service| service.external_address.as_str().into()),
    Column::always("PORT", |service| port(service.port_number)),
    Column::always("TARGET", |service| port(service.target_port)),
    Column::always("NODE PORT", |service| port(service.node_port)),
    Column::always("PROTOCOL", |service| service.protocol.as_str().into()),
    Column::always("CLUSTER", |service| service.cluster.as_str().into()),
    Column::wide("PORT NAME", |service| service.port_name.as_str().into()),
    Column::wide("ID", |service| service.id.as_str().into()),
    Column::wide("USER", |service| service.user.as_str().into()),
];

const NETWORKS: &[Column<Network>] = &[
    Column::always("NAME", |network| network.name.as_str().into()),
    Column::always("STATE", |network| network.state.as_str().into()),
    Column::always("SUBNET", |network| network.subnet.as_str().into()),
    // As Docker prints ids of networks.
    Column::wide("ID", |network| network.id.get(..12).unwrap_or(&network.id).into()),
    Column::wide("USER", |network| network.user.as_str().into()),
];

const REGISTRIES: &[Column<Registry>] = &[
    Column::always("NAME", |registry| registry.name.as_str().into()),
    Column::always("ADDRESS", |registry| registry.address.as_str().into()),
    Column::always("HOST'S", |registry| if registry.host { "yes".into() } else { "no".into() }),
    Column::wide("USER", |registry| registry.user.as_str().into()),
];

const CLIENTS: &[Column<Client>] = &[
    Column::always("USER", |client| client.user.as_str().into()),
    Column::always("ADDRESS", |client| client.address.as_str().into()),
    Column::always("AGENT", |client| client.agent.as_str().into()),
    Column::always("COMMAND", |client| client.command.as_str().into()),
    Column::always("MIRROR", |client| client.mirror.as_str().into()),
    Column::wide("COMMAND ID", |client| client.command_id.as_str().into()),
    Column::wide("CONNECTION", |client| client.wsi.as_str().into()),
    Column::wide("HOST", |client| client.host.as_str().into()),
];

const USAGE: &[Column<Usage>] = &[
    Column::always("KIND", |usage| if usage.kind == UsageKind::Node { "node".into() } else { "pod".into() }),
    Column::always("NAMESPACE", |usage| usage.namespace.as_str().into()),
    Column::always("NAME", |usage| usage.name.as_str().into()),
    // As `kubectl top` prints them: thousandths of a core, and mebibytes.
    Column::always("CPU", |usage| format!("{:.0}m", usage.cpu * 1000.0).as_str().into()),
    Column::always("MEMORY", |usage| format!("{}Mi", usage.memory >> 20).as_str().into()),
    Column::always("NODE", |usage| usage.node.as_str().into()),
    Column::always("CLUSTER", |usage| usage.cluster.as_str().into()),
    Column::wide("ID", |usage| usage.id.as_str().into()),
    Column::wide("USER", |usage| usage.user.as_str().into()),
];

fn pod_colour(pod: &Pod) -> Colour {
    match pod.status.as_str() {
        "Running" => Colour::Green,
        "Completed" | "Succeeded" | "Deleted" => Colour::Dim,
        "Pending" | "ContainerCreating" | "PodInitializing" | "Terminating" => Colour::Yellow,
        status if status.starts_with("Init:") && status.contains('/') => Colour::Yellow,
        _ => Colour::Red,
    }
}

/// 0 stands for none.
fn port(number: u16) -> Cell {
    if number == 0 { "".into() } else { number.to_string().as_str().into() }
}

/// Puts rows where those of the same key are, else at the end.
fn put<T: Clone, K: PartialEq>(rows: &mut Vec<T>, new: &[T], key: fn(&T) -> K) {
    for row in new {
        match rows.iter_mut().find(|known| key(known) == key(row)) {
            Some(known) => known.clone_from(row),
            None => rows.push(row.clone()),
        }
    }
}

fn remove<T, K: PartialEq>(rows: &mut Vec<T>, gone: &[T], key: fn(&T) -> K) {
    rows.retain(|row| !gone.iter().any(|other| key(other) == key(row)));
}

/// What a Service's row is told apart by.
fn service_key(service: &Service) -> (String, u16, String) {
    (service.id.clone(), service.port_number, service.protocol.clone())
}

impl Table {
    /// Adds what is listed; what is listed once needs not be looked for.
    pub(crate) fn list(&mut self, payload: &Payload) {
        match payload {
            Payload::Clusters(rows) => self.clusters.extend_from_slice(rows),
            Payload::Nodes(rows) => self.nodes.extend_from_slice(rows),
            Payload::Pods(rows) => self.pods.extend_from_slice(rows),
            Payload::Services(rows) => self.services.extend_from_slice(rows),
            Payload::Networks(rows) => self.networks.extend_from_slice(rows),
            Payload::Images(rows) => self.images.extend_from_slice(rows),
            Payload::Registries(rows) => self.registries.extend_from_slice(rows),
            Payload::Clients(rows) => self.clients.extend_from_slice(rows),
            Payload::Usage(rows) => self.usage.extend_from_slice(rows),
            Payload::Version(_) | Payload::Output(_) | Payload::Input(_) => {}
        }
    }

    /// Takes in what is there now, or is as told.
    pub(crate) fn put(&mut self, payload: &Payload) {
        match payload {
            Payload::Clusters(rows) => put(&mut self.clusters, rows, |row| row.id.clone()),
            Payload::Nodes(rows) => put(&mut self.nodes, rows, |row| row.id.clone()),
            Payload::Pods(rows) => put(&mut self.pods, rows, |row| row.id.clone()),
            Payload::Services(rows) => put(&mut self.services, rows, service_key),
            Payload::Networks(rows) => put(&mut self.networks, rows, |row| row.id.clone()),
            Payload::Images(rows) => put(&mut self.images, rows, |row| row.name.clone()),
            Payload::Registries(rows) => put(&mut self.registries, rows, |row| row.name.clone()),
            Payload::Clients(rows) => put(&mut self.clients, rows, |row| (row.wsi.clone(), row.mirror.clone())),
            Payload::Usage(rows) => put(&mut self.usage, rows, |row| row.id.clone()),
            Payload::Version(_) | Payload::Output(_) | Payload::Input(_) => {}
        }
    }

    /// Takes out what is gone.
    pub(crate) fn remove(&mut self, payload: &Payload) {
        match payload {
            Payload::Clusters(rows) => remove(&mut self.clusters, rows, |row| row.id.clone()),
            Payload::Nodes(rows) => remove(&mut self.nodes, rows, |row| row.id.clone()),
            Payload::Pods(rows) => remove(&mut self.pods, rows, |row| row.id.clone()),
            Payload::Services(rows) => remove(&mut self.services, rows, service_key),
            Payload::Networks(rows) => remove(&mut self.networks, rows, |row| row.id.clone()),
            Payload::Images(rows) => remove(&mut self.images, rows, |row| row.name.clone()),
            Payload::Registries(rows) => remove(&mut self.registries, rows, |row| row.name.clone()),
            Payload::Clients(rows) => remove(&mut self.clients, rows, |row| (row.wsi.clone(), row.mirror.clone())),
            Payload::Usage(rows) => remove(&mut self.usage, rows, |row| row.id.clone()),
            Payload::Version(_) | Payload::Output(_) | Payload::Input(_) => {}
        }
    }

    /// The lines, none where there are no objects.
    pub(crate) fn lines(&self, paint: Paint, wide: bool) -> Vec<String> {
        [
            lines(CLUSTERS, &self.clusters, paint, wide),
            lines(NODES, &self.nodes, paint, wide),
            lines(PODS, &self.pods, paint, wide),
            lines(SERVICES, &self.services, paint, wide),
            lines(NETWORKS, &self.networks, paint, wide),
            lines(IMAGES, &self.images, paint, wide),
            lines(REGISTRIES, &self.registries, paint, wide),
            lines(CLIENTS, &self.clients, paint, wide),
            lines(USAGE, &self.usage, paint, wide),
        ]
        .concat()
    }
}

fn lines<T>(columns: &[Column<T>], rows: &[T], paint: Paint, wide: bool) -> Vec<String> {
    if rows.is_empty() {
        return Vec::new();
    }
    let columns: Vec<_> = columns.iter().filter(|column| wide || !column.wide).collect();
    let head = columns.iter().map(|column| Cell { text: column.head.into(), colour: Some(Colour::Bold) }).collect();
    let body = rows.iter().map(|row| columns.iter().map(|column| (column.cell)(row)).collect());
    let cells: Vec<Vec<Cell>> = std::iter::once(head).chain(body).collect();
    let width = |index: usize| cells.iter().map(|row| row[index].text.chars().count()).max().unwrap_or(0);
    let widths: Vec<_> = (0..columns.len()).map(width).collect();
    cells
        .iter()
        .map(|row| {
            let mut line = String::new();
            // Blanks are due before a cell, not after the last.
            let mut due = 0;
            for (Cell { text, colour }, width) in row.iter().zip(&widths) {
                line.push_str(&" ".repeat(due));
                line.push_str(&colour.map_or_else(|| text.clone(), |colour| paint.paint(colour, text)));
                due = width - text.chars().count() + GAP;
            }
            line
        })
        .collect()
}

#[cfg(test)]
pub(crate) mod samples {
    //! Objects as the protocol's examples show them.

    use super::{Cluster, Image, Node, State};

    pub(crate) fn clusters() -> Vec<Cluster> {
        let cluster = |name: &str, address: &str, control: &str, state, id: &str| Cluster {
            address: address.into(),
            control_plane: format!("control-{control}.localhost"),
            id: format!("{id}-1111-2222-3333-444444444444"),
            name: name.into(),
            state,
            ports: Vec::new(),
            user: "alex@qbo.io".into(),
        };
        vec![
            cluster("alex", "https://10.201.0.2:6443", "1a2b3c4d", State::Ready, "43706dd0"),
            cluster("prod", "", "99aa88bb", State::Creating, "53706dd0"),
        ]
    }

    pub(crate) fn nodes() -> Vec<Node> {
        let node = |name: &str, address: &str, state| Node {
            name: format!("{name}.localhost"),
            id: "0123456789abcdef".into(),
            image: "kindest/node:v1.37.2".into(),
            cluster: "alex".into(),
            state,
            address: address.into(),
            os: "Debian GNU/Linux 13".into(),
            kernel: "6.18.0".into(),
            user: "alex@qbo.io".into(),
            cluster_id: "43706dd0-1111-2222-3333-444444444444".into(),
        };
        vec![node("control-1a2b3c4d", "10.201.0.2", State::Ready), node("node-77aa88bb", "10.201.0.3", State::NotReady)]
    }

    pub(crate) fn images() -> Vec<Image> {
        vec![Image {
            name: "hub.docker.com/kindest/node:v1.37.2".into(),
            registry: "hub.docker.com".into(),
            user: "kindest".into(),
            repository: String::new(),
            image: "node".into(),
            tag: "v1.37.2".into(),
            local: true,
        }]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(table: &Table, wide: bool) -> String {
        table.lines(Paint(false), wide).into_iter().fold(String::new(), |text, line| text + &line + "\n")
    }

    #[test]
    fn clusters() {
        let mut table = Table::default();
        table.list(&Payload::Clusters(samples::clusters()));
        assert_eq!(
            text(&table, false),
            "\
NAME   STATE      ADDRESS                   CONTROL PLANE
alex   ready      https://10.201.0.2:6443   control-1a2b3c4d.localhost
prod   creating   -                         control-99aa88bb.localhost
"
        );
    }

    #[test]
    fn nodes_with_all_columns() {
        let mut table = Table::default();
        table.list(&Payload::Nodes(samples::nodes()));
        assert_eq!(
            text(&table, true),
            "\
NAME                         STATE       CLUSTER   ADDRESS      IMAGE                  OS                    KERNEL   ID             USER
control-1a2b3c4d.localhost   ready       alex      10.201.0.2   kindest/node:v1.37.2   Debian GNU/Linux 13   6.18.0   0123456789ab   alex@qbo.io
node-77aa88bb.localhost      not_ready   alex      10.201.0.3   kindest/node:v1.37.2   Debian GNU/Linux 13   6.18.0   0123456789ab   alex@qbo.io
"
        );
    }

    #[test]
    fn images() {
        let mut table = Table::default();
        table.list(&Payload::Images(samples::images()));
        assert_eq!(
            text(&table, false),
            "\
NAME                                  LOCAL
hub.docker.com/kindest/node:v1.37.2   yes
"
        );
    }

    #[test]
    fn what_changes_keeps_its_place_and_what_is_gone_goes() {
        let mut table = Table::default();
        table.list(&Payload::Clusters(samples::clusters()));
        let mut changed = samples::clusters();
        changed[0].state = State::Stopped;
        table.put(&Payload::Clusters(changed[..1].to_vec()));
        table.remove(&Payload::Clusters(changed[1..].to_vec()));
        let text = text(&table, false);
        assert!(text.lines().count() == 2 && text.contains("alex   stopped"), "{text}");
    }

    #[test]
    fn colours_do_not_move_columns() {
        let mut table = Table::default();
        table.list(&Payload::Clusters(samples::clusters()[..1].to_vec()));
        let lines = table.lines(Paint(true), false);
        assert_eq!(lines[1], "alex   \x1b[32mready\x1b[0m   https://10.201.0.2:6443   control-1a2b3c4d.localhost");
    }

    #[test]
    fn nothing_is_no_table() {
        assert_eq!(text(&Table::default(), true), "");
    }
}
