//! Tables of objects, columns as kubectl prints them: upper-case heads, three blanks between, no lines.

use qbo_api::model::{Cluster, Image, Node, State};

use super::style::{Colour, Paint};

const GAP: usize = 3;

/// The objects of a `get`, gathered until the last message: columns are as wide as their widest cell.
#[derive(Debug, Default)]
pub(crate) struct Table {
    clusters: Vec<Cluster>,
    nodes: Vec<Node>,
    images: Vec<Image>,
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
            State::Stopped => Colour::Dim,
        };
        Self { text: state.to_string(), colour: Some(colour) }
    }
}

const CLUSTERS: &[Column<Cluster>] = &[
    Column::always("NAME", |cluster| cluster.name.as_str().into()),
    Column::always("STATE", |cluster| cluster.state.into()),
    Column::always("ADDRESS", |cluster| cluster.address.as_str().into()),
    Column::always("CONTROL PLANE", |cluster| cluster.control_plane.as_str().into()),
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

impl Table {
    /// Adds clusters.
    pub(crate) fn clusters(&mut self, rows: &[Cluster]) {
        self.clusters.extend_from_slice(rows);
    }

    /// Adds nodes.
    pub(crate) fn nodes(&mut self, rows: &[Node]) {
        self.nodes.extend_from_slice(rows);
    }

    /// Adds images.
    pub(crate) fn images(&mut self, rows: &[Image]) {
        self.images.extend_from_slice(rows);
    }

    /// The lines, none where there are no objects.
    pub(crate) fn lines(&self, paint: Paint, wide: bool) -> Vec<String> {
        [
            lines(CLUSTERS, &self.clusters, paint, wide),
            lines(NODES, &self.nodes, paint, wide),
            lines(IMAGES, &self.images, paint, wide),
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
        table.clusters(&samples::clusters());
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
        table.nodes(&samples::nodes());
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
        table.images(&samples::images());
        assert_eq!(
            text(&table, false),
            "\
NAME                                  LOCAL
hub.docker.com/kindest/node:v1.37.2   yes
"
        );
    }

    #[test]
    fn colours_do_not_move_columns() {
        let mut table = Table::default();
        table.clusters(&samples::clusters()[..1]);
        let lines = table.lines(Paint(true), false);
        assert_eq!(lines[1], "alex   \x1b[32mready\x1b[0m   https://10.201.0.2:6443   control-1a2b3c4d.localhost");
    }

    #[test]
    fn nothing_is_no_table() {
        assert_eq!(text(&Table::default(), true), "");
    }
}
