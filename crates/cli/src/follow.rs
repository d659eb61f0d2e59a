//! Following: which of the changes that are told in a mirror a watch is about.

use qbo_api::command::{Command, Selection};
use qbo_api::message::{Change, Message, Payload};
use qbo_api::name::{ClientReference, ImageSelector, ObjectReference};
use uuid::Uuid;

/// The digits of an id that may stand for all of it.
const PREFIX: usize = 8;

/// The rows of a change that a command watches, which runs in this mirror; none where it is about none of them.
pub(crate) fn rows(command: &Command, mirror: Uuid, message: &Message) -> Option<Payload> {
    let mirror = mirror.to_string();
    // A mirror is followed whole.
    let is_mirror = command.watched().iter().any(|name| name.len() >= PREFIX && mirror.starts_with(name));
    let is_all = |selection: &Selection<ObjectReference>| is_mirror || *selection == Selection::All;
    let payload = match (command, &message.payload) {
        (Command::GetCluster(get), Payload::Clusters(rows)) if !is_mirror => {
            Payload::Clusters(chosen(&get.selection, rows, |reference, row| reference.matches(&row.name, &row.id)))
        }
        (Command::GetNodes(get), Payload::Nodes(rows)) if !is_all(&get.selection) => {
            Payload::Nodes(chosen(&get.selection, rows, ObjectReference::matches))
        }
        (Command::GetPods(get), Payload::Pods(rows)) if !is_all(&get.selection) => {
            Payload::Pods(chosen(&get.selection, rows, ObjectReference::matches))
        }
        (Command::GetServices(get), Payload::Services(rows)) if !is_all(&get.selection) => {
            Payload::Services(chosen(&get.selection, rows, ObjectReference::matches))
        }
        (Command::GetUsage(get), Payload::Usage(rows)) if !is_all(&get.selection) => {
            Payload::Usage(chosen(&get.selection, rows, ObjectReference::matches))
        }
        (Command::GetNetworks(get), Payload::Networks(rows)) if !is_all(&get.selection) => {
            Payload::Networks(chosen(&get.selection, rows, ObjectReference::matches))
        }
        (Command::GetImages(get), Payload::Images(rows)) if !is_mirror => {
            Payload::Images(chosen(&get.selection, rows, ImageSelector::matches))
        }
        (Command::GetClients(get), Payload::Clients(rows)) if !is_mirror => {
            Payload::Clients(chosen(&get.selection, rows, ClientReference::matches))
        }
        (Command::GetCluster(_), Payload::Clusters(_))
        | (Command::GetNodes(_), Payload::Nodes(_))
        | (Command::GetPods(_), Payload::Pods(_))
        | (Command::GetServices(_), Payload::Services(_))
        | (Command::GetUsage(_), Payload::Usage(_))
        | (Command::GetNetworks(_), Payload::Networks(_))
        | (Command::GetImages(_), Payload::Images(_))
        | (Command::GetRegistries(_), Payload::Registries(_))
        | (Command::GetClients(_), Payload::Clients(_)) => message.payload.clone(),
        _ => return None,
    };
    // That nothing is left replaces what was there.
    let replaces = message.envelope.change == Some(Change::Snapshot);
    (replaces || !payload.is_empty()).then_some(payload)
}

fn chosen<R, T: Clone>(selection: &Selection<R>, rows: &[T], matches: impl Fn(&R, &T) -> bool) -> Vec<T> {
    let Selection::Named(references) = selection else { return rows.to_vec() };
    rows.iter().filter(|row| references.iter().any(|reference| matches(reference, row))).cloned().collect()
}

#[cfg(test)]
mod tests {
    use qbo_api::grammar::parse;
    use qbo_api::model::Image;
    use serde_json::json;

    use super::*;
    use crate::render::samples;

    /// Changes are told in a user's own mirror, wherever they are followed.
    const OWN: &str = "ade9db72-d92d-5995-89e7-f69231cbc3bb";
    const MIRROR: &str = "66fac858-a271-49cf-bad0-fdd9ff0b4787";

    fn message(payload: Payload) -> Message {
        let mut envelope = json!({
            "timestamp": "", "status": "Created", "code": 201, "command_id": OWN, "command_line": "",
            "command": "CMD_NONE", "subcommand": "SUBCMD_NODE", "apicommand": "", "callback": "", "uuid": OWN,
            "user": "", "agent": "", "peer": "", "host": "", "source": "", "wsi": "", "thread_id": 0, "vhost": "",
        });
        let rows = serde_json::to_value(payload).unwrap();
        envelope.as_object_mut().unwrap().extend(rows.as_object().unwrap().clone());
        serde_json::from_value(envelope).unwrap()
    }

    #[test]
    fn a_watch_is_about_its_kind_and_what_it_names() {
        let nodes = message(Payload::Nodes(samples::nodes()));
        let [own, mirror] = [OWN, MIRROR].map(|uuid| uuid.parse().unwrap());
        let count = |line: &str| match rows(&parse(line).unwrap(), mirror, &nodes) {
            Some(Payload::Nodes(rows)) => rows.len(),
            Some(other) => panic!("{other:?}"),
            None => 0,
        };
        for (line, expected) in [
            ("get nodes -w", 2),
            ("get nodes -w alex", 2),
            ("get nodes -w 43706dd0", 2),
            ("get nodes -w node-77aa88bb", 1),
            ("get nodes -w 66fac858", 2),
            ("get nodes -w sam", 0),
            ("get pods -w", 0),
        ] {
            assert_eq!(count(line), expected, "{line}");
        }
        let image = |user: &str, tag: &str| Image {
            name: format!("hub.docker.com/{user}/node:{tag}"),
            registry: "hub.docker.com".into(),
            user: user.into(),
            repository: String::new(),
            image: "node".into(),
            tag: tag.into(),
            local: true,
        };
        let images = message(Payload::Images(vec![image("kindest", "v1.37.0"), image("qbo", "v1.37.2")]));
        for (line, expected) in [
            ("get images -w", 2),
            ("get images -w kindest/node", 1),
            ("get images -w v1.37.2", 1),
            ("get images -w 66fac858", 2),
        ] {
            let Some(Payload::Images(rows)) = rows(&parse(line).unwrap(), mirror, &images) else { panic!("{line}") };
            assert_eq!(rows.len(), expected, "{line}");
        }
        let network = json!([{"name": "alex", "id": "9a8b7c6d", "subnet": "10.201.0.0/24", "state": "ready",
                              "user": "", "cluster_id": "43706dd0-8a1f-4bd7-b0a2-2b4a5c6d7e8f"}]);
        let networks = message(Payload::Networks(serde_json::from_value(network).unwrap()));
        for (line, expected) in [("alex", true), ("9a8b7c6d", true), ("43706dd0", true), ("sam", false)] {
            let told = rows(&parse(&format!("get networks -w {line}")).unwrap(), own, &networks);
            assert_eq!(told.is_some(), expected, "{line}");
        }
        let clusters = message(Payload::Clusters(samples::clusters()));
        assert!(rows(&parse("get cluster -w prod").unwrap(), own, &clusters).is_some());
        assert!(rows(&parse("get cluster -w dev").unwrap(), own, &clusters).is_none());
        assert_eq!(rows(&parse("get cluster -w 66fac858").unwrap(), mirror, &clusters), Some(clusters.payload));
    }
}
