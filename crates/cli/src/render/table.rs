//! Tables of objects, columns as kubectl prints them: upper-case heads, three blanks between, no lines.

use std::collections::{BTreeMap, HashMap};

use qbo_api::message::Payload;
use qbo_api::model::{Client, Cluster, Image, Network, Node, Pod, Registry, Service, State, Usage, UsageKind};

use super::style::{Colour, Paint};

const GAP: usize = 3;

/// The objects of a `get`, gathered until the last message: columns are as wide as their widest cell.
#[derive(Debug, Default)]
pub(crate) struct Table {
    clusters: Rows<Cluster>,
    nodes: Rows<Node>,
    pods: Rows<Pod>,
    services: Rows<Service>,
    networks: Rows<Network>,
    images: Rows<Image>,
    registries: Rows<Registry>,
    clients: Rows<Client>,
    usage: Rows<Usage>,
}

/// Rows in the order in which they came, each found by its key: a change of one costs the same among many.
#[derive(Debug)]
struct Rows<T> {
    /// By the number under which each came.
    by_number: BTreeMap<u64, T>,
    numbers: HashMap<String, u64>,
    next: u64,
}

/// What a row is told apart by from others of its kind.
pub(super) trait Keyed {
    fn key(&self) -> String;
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

impl<T> Default for Rows<T> {
    fn default() -> Self {
        Self { by_number: BTreeMap::new(), numbers: HashMap::new(), next: 0 }
    }
}

impl<T: Keyed + Clone> Rows<T> {
    /// Adds rows at the end.
    fn list(&mut self, new: &[T]) {
        for row in new {
            self.push(row.key(), row);
        }
    }

    /// Puts rows where those of the same key are, else at the end.
    fn put(&mut self, new: &[T]) {
        for row in new {
            let key = row.key();
            match self.numbers.get(&key).and_then(|number| self.by_number.get_mut(number)) {
                Some(known) => known.clone_from(row),
                None => self.push(key, row),
            }
        }
    }

    fn remove(&mut self, gone: &[T]) {
        for row in gone {
            if let Some(number) = self.numbers.remove(&row.key()) {
                self.by_number.remove(&number);
            }
        }
    }

    fn push(&mut self, key: String, row: &T) {
        self.numbers.insert(key, self.next);
        self.by_number.insert(self.next, row.clone());
        self.next += 1;
    }
}

impl Keyed for Cluster {
    fn key(&self) -> String {
        self.id.clone()
    }
}

impl Keyed for Node {
    fn key(&self) -> String {
        self.id.clone()
    }
}

impl Keyed for Pod {
    fn key(&self) -> String {
        self.id.clone()
    }
}

impl Keyed for Service {
    /// It has a row for each of its ports.
    fn key(&self) -> String {
        format!("{} {} {}", self.id, self.port_number, self.protocol)
    }
}

impl Keyed for Network {
    fn key(&self) -> String {
        self.id.clone()
    }
}

impl Keyed for Image {
    fn key(&self) -> String {
        self.name.clone()
    }
}

impl Keyed for Registry {
    fn key(&self) -> String {
        self.name.clone()
    }
}

impl Keyed for Client {
    /// It has a row for each mirror it is in.
    fn key(&self) -> String {
        format!("{} {}", self.wsi, self.mirror)
    }
}

impl Keyed for Usage {
    fn key(&self) -> String {
        self.id.clone()
    }
}

impl Table {
    /// Adds what is listed; what is listed once needs not be looked for.
    pub(crate) fn list(&mut self, payload: &Payload) {
        match payload {
            Payload::Clusters(rows) => self.clusters.list(rows),
            Payload::Nodes(rows) => self.nodes.list(rows),
            Payload::Pods(rows) => self.pods.list(rows),
            Payload::Services(rows) => self.services.list(rows),
            Payload::Networks(rows) => self.networks.list(rows),
            Payload::Images(rows) => self.images.list(rows),
            Payload::Registries(rows) => self.registries.list(rows),
            Payload::Clients(rows) => self.clients.list(rows),
            Payload::Usage(rows) => self.usage.list(rows),
            Payload::Version(_) | Payload::Output(_) | Payload::Input(_) => {}
        }
    }

    /// Takes in what is there now, or is as told.
    pub(crate) fn put(&mut self, payload: &Payload) {
        match payload {
            Payload::Clusters(rows) => self.clusters.put(rows),
            Payload::Nodes(rows) => self.nodes.put(rows),
            Payload::Pods(rows) => self.pods.put(rows),
            Payload::Services(rows) => self.services.put(rows),
            Payload::Networks(rows) => self.networks.put(rows),
            Payload::Images(rows) => self.images.put(rows),
            Payload::Registries(rows) => self.registries.put(rows),
            Payload::Clients(rows) => self.clients.put(rows),
            Payload::Usage(rows) => self.usage.put(rows),
            Payload::Version(_) | Payload::Output(_) | Payload::Input(_) => {}
        }
    }

    /// Takes out what is gone.
    pub(crate) fn remove(&mut self, payload: &Payload) {
        match payload {
            Payload::Clusters(rows) => self.clusters.remove(rows),
            Payload::Nodes(rows) => self.nodes.remove(rows),
            Payload::Pods(rows) => self.pods.remove(rows),
            Payload::Services(rows) => self.services.remove(rows),
            Payload::Networks(rows) => self.networks.remove(rows),
            Payload::Images(rows) => self.images.remove(rows),
            Payload::Registries(rows) => self.registries.remove(rows),
            Payload::Clients(rows) => self.clients.remove(rows),
            Payload::Usage(rows) => self.usage.remove(rows),
            Payload::Version(_) | Payload::Output(_) | Payload::Input(_) => {}
        }
    }

    /// The lines, none where there are no objects.
    pub(crate) fn lines(&self, paint: Paint, wide: bool) -> Vec<String> {
        self.first_lines(paint, wide, (usize::MAX, usize::MAX))
    }

    /// As much of the lines as there is room for, by columns and rows. The last tells of those that are hidden: these are not even
    /// made, nor is a column as wide as they need it.
    pub(crate) fn fitting(&self, paint: Paint, wide: bool, (columns, rows): (usize, usize)) -> Vec<String> {
        let mut lines = self.first_lines(paint, wide, (columns, rows));
        let height = self.height();
        if height > rows {
            lines.truncate(rows - 1);
            lines.push(format!("… and {} more", height - lines.len()).chars().take(columns).collect());
        }
        lines
    }

    /// The lines of so many objects of each kind, and so many columns of the screen.
    fn first_lines(&self, paint: Paint, wide: bool, room: (usize, usize)) -> Vec<String> {
        [
            lines(CLUSTERS, &self.clusters, paint, wide, room),
            lines(NODES, &self.nodes, paint, wide, room),
            lines(PODS, &self.pods, paint, wide, room),
            lines(SERVICES, &self.services, paint, wide, room),
            lines(NETWORKS, &self.networks, paint, wide, room),
            lines(IMAGES, &self.images, paint, wide, room),
            lines(REGISTRIES, &self.registries, paint, wide, room),
            lines(CLIENTS, &self.clients, paint, wide, room),
            lines(USAGE, &self.usage, paint, wide, room),
        ]
        .concat()
    }

    /// How many lines there are, with the heads.
    fn height(&self) -> usize {
        let rows = [
            self.clusters.by_number.len(),
            self.nodes.by_number.len(),
            self.pods.by_number.len(),
            self.services.by_number.len(),
            self.networks.by_number.len(),
            self.images.by_number.len(),
            self.registries.by_number.len(),
            self.clients.by_number.len(),
            self.usage.by_number.len(),
        ];
        rows.into_iter().filter(|rows| *rows > 0).map(|rows| rows + 1).sum()
    }
}

fn lines<T>(columns: &[Column<T>], rows: &Rows<T>, paint: Paint, wide: bool, room: (usize, usize)) -> Vec<String> {
    if rows.by_number.is_empty() {
        return Vec::new();
    }
    let columns: Vec<_> = columns.iter().filter(|column| wide || !column.wide).collect();
    let head = columns.iter().map(|column| Cell { text: column.head.into(), colour: Some(Colour::Bold) }).collect();
    let body =
        rows.by_number.values().take(room.1).map(|row| columns.iter().map(|column| (column.cell)(row)).collect());
    let cells: Vec<Vec<Cell>> = std::iter::once(head).chain(body).collect();
    let width = |index: usize| cells.iter().map(|row| row[index].text.chars().count()).max().unwrap_or(0);
    let widths: Vec<_> = (0..columns.len()).map(width).collect();
    cells
        .iter()
        .map(|row| {
            let mut line = String::new();
            // Blanks are due before a cell, not after the last.
            let mut due = 0;
            // Cut before it is coloured, so that no colour is left on.
            let mut left = room.0;
            for (Cell { text, colour }, width) in row.iter().zip(&widths) {
                if left == 0 {
                    break;
                }
                let seen: String = text.chars().take(left).collect();
                line.push_str(&" ".repeat(due));
                line.push_str(&colour.map_or_else(|| seen.clone(), |colour| paint.paint(colour, &seen)));
                due = width - text.chars().count() + GAP;
                left = left.saturating_sub(width + GAP);
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
    use std::cell::Cell as Counter;
    use std::rc::Rc;

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
    fn a_long_table_is_cut_to_the_room() {
        let mut table = Table::default();
        table.list(&Payload::Clusters(samples::clusters()));
        let lines = table.lines(Paint(false), false);
        assert_eq!(table.fitting(Paint(false), false, (80, 3)), lines);
        assert_eq!(table.fitting(Paint(false), false, (80, 2)), [lines[0].as_str(), "… and 2 more"]);
    }

    #[test]
    fn a_wide_table_is_cut_to_the_room() {
        let mut table = Table::default();
        table.list(&Payload::Clusters(samples::clusters()));
        assert_eq!(
            table.fitting(Paint(true), false, (25, 3)),
            [
                "\x1b[1mNAME\x1b[0m   \x1b[1mSTATE\x1b[0m      \x1b[1mADDRESS\x1b[0m",
                "alex   \x1b[32mready\x1b[0m      https:/",
                "prod   \x1b[33mcreating\x1b[0m   -",
            ]
        );
        assert_eq!(table.fitting(Paint(true), false, (9, 3))[2], "prod   \x1b[33mcr\x1b[0m");
        assert_eq!(table.fitting(Paint(false), false, (5, 2)), ["NAME", "… and"]);
    }

    /// A row that counts how often its key is asked for, and its cell made.
    #[derive(Clone)]
    struct Counted {
        name: usize,
        keys: Rc<Counter<usize>>,
        cells: Rc<Counter<usize>>,
    }

    impl Keyed for Counted {
        fn key(&self) -> String {
            self.keys.set(self.keys.get() + 1);
            self.name.to_string()
        }
    }

    #[test]
    fn many_rows_and_many_changes_cost_what_they_are_and_what_is_seen_of_them() {
        const COLUMNS: &[Column<Counted>] = &[Column::always("NAME", |row| {
            row.cells.set(row.cells.get() + 1);
            row.name.to_string().as_str().into()
        })];
        let (keys, cells) = (Rc::<Counter<usize>>::default(), Rc::<Counter<usize>>::default());
        let row = |name| Counted { name, keys: Rc::clone(&keys), cells: Rc::clone(&cells) };
        let mut rows = Rows::default();
        rows.put(&(0..10_000).map(row).collect::<Vec<_>>());
        for name in 0..500 {
            rows.put(&[row(name * 2)]);
            rows.remove(&[row(name * 2 + 1)]);
        }
        assert_eq!(keys.get(), 11_000);
        assert_eq!(lines(COLUMNS, &rows, Paint(false), false, (80, 3)), ["NAME", "0", "2", "4"]);
        assert_eq!((rows.by_number.len(), cells.get()), (9_500, 3));
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
