//! The grammar as users meet it: every command printed is read back, and no line makes the parser fail otherwise
//! than with an error that points into the line.

use proptest::prelude::*;
use qbo_api::command::{
    AddCluster, AddImage, AddNode, AddPort, AddRegistry, AdmitUser, Cancel, Clusters, Command, ControlPlaneCount,
    DeleteNode, DeletePort, DeleteRegistry, Drain, ExportLogs, Get, GetClients, GetCluster, GetImages, GetNetworks,
    GetRegistries, LoadImage, Logs, Mirrors, NodeCount, Nodes, OpenNode, PodLogs, PodPlace, Selection,
};
use qbo_api::grammar::{FORMS, parse};
use qbo_api::settings::{NodeSettings, Settings};

fn names<T: std::str::FromStr<Err: std::fmt::Debug> + std::fmt::Debug>(
    pattern: &'static str,
) -> impl Strategy<Value = Vec<T>> {
    prop::collection::btree_set(pattern, 1..4)
        .prop_map(|names| names.into_iter().map(|name| name.parse().expect("the pattern is a name")).collect())
}

const CLUSTER: &str = "[a-z0-9]([a-z0-9_-]{0,20}[a-z0-9])?";
const OBJECT: &str = "[a-z0-9]([a-z0-9.-]{0,30}[a-z0-9])?";
const UUID: &str = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}";

fn selection<T: std::str::FromStr<Err: std::fmt::Debug> + std::fmt::Debug + Clone>(
    pattern: &'static str,
) -> impl Strategy<Value = Selection<T>> {
    prop_oneof![Just(Selection::All), names(pattern).prop_map(Selection::Named)]
}

fn get() -> impl Strategy<Value = Get> {
    (selection(OBJECT), any::<bool>()).prop_map(|(selection, watch)| Get { selection, watch })
}

fn clusters() -> impl Strategy<Value = Clusters> {
    selection(CLUSTER).prop_map(|selection| Clusters { selection })
}

fn nodes() -> impl Strategy<Value = Nodes> {
    selection(OBJECT).prop_map(|selection| Nodes { selection })
}

fn node_command() -> impl Strategy<Value = Command> {
    let count = (1..=NodeCount::LIMIT).prop_map(|count| NodeCount::new(count).expect("within the bounds"));
    prop_oneof![
        (names(CLUSTER), count, any::<bool>()).prop_map(|(clusters, nodes, control_plane)| Command::AddNode(AddNode {
            clusters,
            nodes,
            control_plane
        })),
        (names(OBJECT), drain()).prop_map(|(nodes, drain)| Command::DeleteNode(DeleteNode { nodes, drain })),
        nodes().prop_map(Command::StartNode),
        nodes().prop_map(Command::StopNode),
    ]
}

fn drain() -> impl Strategy<Value = Drain> {
    let within = (1..=1440_u16).prop_map(|minutes| format!("{minutes}m").parse().expect("up to a day"));
    prop_oneof![Just(Drain::Not), within.prop_map(Drain::Within)]
}

fn mirror_command() -> impl Strategy<Value = Command> {
    prop_oneof![
        names(UUID).prop_map(|mirrors| Command::JoinMirror(Mirrors { mirrors })),
        names(UUID).prop_map(|mirrors| Command::LeaveMirror(Mirrors { mirrors })),
        (names("[a-z.]{1,9}@[a-z.]{1,9}"), UUID).prop_map(|(users, mirror)| Command::AdmitUser(AdmitUser {
            users,
            mirror: mirror.parse().expect("the pattern is a uuid")
        })),
    ]
}

fn registry_command() -> impl Strategy<Value = Command> {
    let name = "[a-z0-9]{1,9}(\\.[a-z0-9]{1,9}){0,2}:[1-9][0-9]{0,3}";
    let address = "https?://[a-z0-9]{1,9}(\\.[a-z0-9]{1,9}){0,2}(:[1-9][0-9]{0,3})?";
    prop_oneof![
        (names(name), prop::option::of(address)).prop_map(|(registries, at)| {
            let at = at.map(|at| at.parse().expect("the pattern is an address"));
            Command::AddRegistry(AddRegistry { registries, at })
        }),
        names(name).prop_map(|registries| Command::DeleteRegistry(DeleteRegistry { registries })),
        get().prop_map(Command::GetUsage),
        any::<bool>().prop_map(|watch| Command::GetRegistries(GetRegistries { watch })),
    ]
}

fn client_command() -> impl Strategy<Value = Command> {
    prop_oneof![
        (names("([a-z]{1,9}/)?[a-z]{1,9}:v[0-9.]{1,8}"), selection(CLUSTER))
            .prop_map(|(images, clusters)| Command::LoadImage(LoadImage { images, clusters })),
        clusters().prop_map(Command::ExportKubeconfig),
        (selection(CLUSTER), prop::option::of("[a-z./~][a-zA-Z0-9./_-]{0,30}")).prop_map(|(selection, directory)| {
            let directory = directory.map(|directory| directory.parse().expect("the pattern is a path"));
            Command::ExportLogs(ExportLogs { selection, directory })
        }),
    ]
}

fn get_command() -> impl Strategy<Value = Command> {
    prop_oneof![
        (selection(CLUSTER), 0..3).prop_map(|(selection, what)| {
            Command::GetCluster(GetCluster { selection, kubeconfig: what == 1, watch: what == 2 })
        }),
        get().prop_map(Command::GetNodes),
        get().prop_map(Command::GetPods),
        get().prop_map(Command::GetServices),
        get().prop_map(|get| Command::GetNetworks(GetNetworks {
            selection: get.selection,
            host: false,
            watch: get.watch
        })),
        Just(Command::GetNetworks(GetNetworks { selection: Selection::All, host: true, watch: false })),
        (selection("[a-z0-9]{1,9}([/.:-][a-z0-9]{1,9}){0,3}"), any::<bool>(), any::<bool>())
            .prop_map(|(selection, all, watch)| Command::GetImages(GetImages { selection, all, watch })),
        (selection("[a-z]{1,9}@[a-z]{1,9}|[0-9a-f]{8,12}"), any::<bool>())
            .prop_map(|(selection, watch)| Command::GetClients(GetClients { selection, watch })),
    ]
}

fn values<T: std::str::FromStr<Err: std::fmt::Debug> + std::fmt::Debug>(
    pattern: &'static str,
    most: usize,
) -> impl Strategy<Value = Vec<T>> {
    prop::collection::vec(pattern, 0..=most)
        .prop_map(|texts| texts.into_iter().map(|text| text.parse().expect("the pattern is a value")).collect())
}

fn value<T: std::str::FromStr<Err: std::fmt::Debug> + std::fmt::Debug>(
    pattern: &'static str,
) -> impl Strategy<Value = Option<T>> {
    values(pattern, 1).prop_map(|mut values| values.pop())
}

/// Values that do not contradict each other; of what may come several times, at most one where others could.
fn settings() -> impl Strategy<Value = Settings> {
    let node = (
        values("/[a-z]{1,9}:/data/[a-z]{1,9}(:ro)?", 1),
        value("[1-9][0-9]{0,2}(\\.[0-9]{1,3}|m)?"),
        value("[1-9][0-9]{0,2}(Ki|Mi|Gi|k|M|G)?"),
        values("[a-z]{1,9}=[a-z]{0,9}:(NoSchedule|NoExecute|PreferNoSchedule)", 1),
        values("([a-z]{1,9}\\.example/)?[a-z]{1,9}=[a-z0-9]{0,9}", 1),
    )
        .prop_map(|(mounts, cpus, memory, taints, labels)| NodeSettings {
            mounts,
            cpus,
            memory,
            taints,
            labels,
            ..NodeSettings::default()
        });
    let network = prop_oneof![
        Just((None, None)),
        Just((Some("10.1.0.0/16"), None)),
        Just((Some("10.1.0.0/16,fd00:1::/56"), Some("10.2.0.0/16,fd00:2::/112"))),
    ];
    (
        values("(127\\.0\\.0\\.1:|\\[::1\\]:)?[1-9][0-9]{0,3}:[1-9][0-9]{0,3}(/(udp|sctp))?", 1),
        node,
        values("[A-Z][a-zA-Z0-9]{1,9}=(true|false)", 1),
        value("kindnet|none"),
        network,
        value("none"),
        value("([1-9]h)?([1-9]m)?[1-9]s"),
    )
        .prop_map(|(ports, node, feature_gates, cni, (pods, services), wait, timeout)| Settings {
            ports,
            node,
            feature_gates,
            cni,
            pod_subnets: pods.map(|text| text.parse().expect("a subnet")),
            service_subnets: services.map(|text| text.parse().expect("a subnet")),
            ip_family: None,
            wait,
            timeout,
        })
}

fn port_command() -> impl Strategy<Value = Command> {
    let cluster = CLUSTER.prop_map(|name| name.parse().expect("the pattern is a name"));
    let reference = CLUSTER.prop_map(|name| name.parse().expect("the pattern is a name"));
    prop_oneof![
        (cluster, values("[1-9][0-9]{0,3}:[1-9][0-9]{0,3}", 1).prop_filter("one", |ports| !ports.is_empty()))
            .prop_map(|(cluster, ports)| Command::AddPort(AddPort { cluster, ports })),
        (reference, values("[1-9][0-9]{0,3}(/udp)?", 1).prop_filter("one", |ports| !ports.is_empty()))
            .prop_map(|(cluster, ports)| Command::DeletePort(DeletePort { cluster, ports })),
    ]
}

fn terminal_command() -> impl Strategy<Value = Command> {
    let word = || prop::option::of("[a-z0-9]{1,9}(-[a-z0-9]{1,9}){0,2}");
    let place = || {
        ("[a-z0-9]{1,9}(-[a-z0-9]{1,9}){0,2}", word(), word(), word()).prop_map(
            |(pod, container, cluster, namespace)| PodPlace {
                pod: pod.parse().expect("the pattern is a name"),
                container: container.map(|word| word.parse().expect("the pattern is a name")),
                cluster: cluster.map(|word| word.parse().expect("the pattern is a name")),
                namespace: namespace.map(|word| word.parse().expect("the pattern is a name")),
            },
        )
    };
    prop_oneof![
        Just(Command::OpenShell),
        "[a-z0-9]{1,9}(-[0-9a-f]{8})?"
            .prop_map(|node| Command::OpenNode(OpenNode { node: node.parse().expect("the pattern is a name") })),
        place().prop_map(Command::OpenPod),
        (place(), any::<u16>(), any::<bool>()).prop_map(|(place, lines, follow)| Command::PodLogs(PodLogs {
            place,
            lines,
            follow
        })),
    ]
}

fn command() -> impl Strategy<Value = Command> {
    let image = "([a-z0-9.]{1,9}[a-z]:[1-9][0-9]{1,3}/)?([a-z0-9]{1,9}/){0,3}[a-z0-9]{1,9}(:v[0-9.]{1,8})?";
    let add_cluster = (
        names(CLUSTER),
        prop::option::of(image),
        (7..=NodeCount::LIMIT, prop::option::of(0..4_u16)),
        prop::option::of("[a-z0-9]{1,9}(\\.[a-z0-9]{1,9}){0,2}"),
        any::<bool>(),
        settings(),
        prop::option::of("[a-zA-Z0-9./-]{1,20}"),
    )
        .prop_map(|(mut names, image, (nodes, pairs), domain, retain, settings, file)| {
            if !settings.ports.is_empty() {
                names.truncate(1);
            }
            Command::AddCluster(Box::new(AddCluster {
                names,
                file: file.map(|file| file.parse().expect("the pattern is a file's name")),
                contents: None,
                image: image.and_then(|image| image.parse().ok()),
                nodes: Some(NodeCount::new(nodes + 1).unwrap_or_default()).filter(|nodes| nodes.get() > 7),
                control_planes: pairs.and_then(|pairs| ControlPlaneCount::new(2 * pairs + 1)),
                domain: domain.map(|domain| domain.parse().expect("the pattern is a domain")),
                retain,
                settings,
            }))
        })
        // Without a file the number of nodes is always said.
        .prop_filter("nodes", |command| match command {
            Command::AddCluster(add) => add.nodes.is_some(),
            _ => true,
        });
    prop_oneof![
        Just(Command::Version),
        Just(Command::TestHost),
        any::<u16>().prop_map(|lines| Command::Logs(Logs { lines })),
        terminal_command(),
        add_cluster,
        names("[a-z]{1,9}/[a-z]{1,9}:v[0-9.]{1,8}").prop_map(|images| Command::AddImage(AddImage { images })),
        get_command(),
        registry_command(),
        client_command(),
        node_command(),
        port_command(),
        mirror_command(),
        clusters().prop_map(Command::DeleteCluster),
        clusters().prop_map(Command::StartCluster),
        clusters().prop_map(Command::StopCluster),
        names("[0-9a-f]{8,12}").prop_map(|commands| Command::Cancel(Cancel { commands })),
    ]
}

proptest! {
    #[test]
    fn what_is_printed_is_read_back(command in command()) {
        let line = command.to_string();
        prop_assert_eq!(parse(&line).map_err(|error| error.to_string()), Ok(command));
    }

    #[test]
    fn any_line_is_a_command_or_an_error_that_points_into_it(line in "\\PC{0,60}") {
        if let Err(error) = parse(&line) {
            prop_assert!(error.start <= error.line.len() + 1);
            prop_assert!(error.line.get(error.start..error.start + error.length).is_some() || error.length == 0);
            prop_assert!(!error.problem.is_empty() && !error.cure.is_empty());
            error.marked();
        }
    }

    #[test]
    fn words_of_the_grammar_in_any_order_never_panic(
        words in prop::collection::vec(
            prop::sample::select(vec![
                "add", "get", "del", "cluster", "nodes", "images", "host", "command", "version", "test", "cancel",
                "-A", "-k", "-n", "-n3", "-n0", "-i", "--retain", "--nodes=4", "--all=x", "-", "--", "-Ak", "-é", "alex", "-p", "80:80",
                "--label", "a=b", "-f", "--cni", "none", "port",
            ]),
            0..7,
        ),
    ) {
        let _ = parse(&words.join(" "));
    }

    #[test]
    fn options_stand_anywhere(nodes in 1..=NodeCount::LIMIT, position in 0_usize..3) {
        let mut words = vec!["alex".to_owned(), "dev".to_owned()];
        words.insert(position, format!("-n{nodes}"));
        let line = format!("add cluster {}", words.join(" "));
        prop_assert_eq!(parse(&line), parse(&format!("add cluster alex dev --nodes {nodes}")));
    }
}

#[test]
fn every_alias_is_the_same_command() {
    for (alias, line) in [
        ("del clusters alex", "delete cluster alex"),
        ("get node alex", "get nodes alex"),
        ("get clusters --all", "get cluster -A"),
        ("get image", "get images"),
        ("get cluster alex -k", "get cluster --kubeconfig alex"),
        ("get cluster", "get cluster -A"),
        ("get pod alex", "get pods alex"),
        ("get svc -A", "get services -A"),
        ("get service -A", "get services"),
        ("get net -H", "get networks --host"),
        ("get network alex", "get net alex"),
        ("get client -A", "get clients"),
        ("get nodes -w 43706dd0", "get nodes 43706dd0 --watch"),
        ("add cluster a --control-planes 5", "add cluster a -n5 --control-planes 5"),
        ("add cluster a --control-planes 3", "add cluster a -n3 --control-planes=3"),
        ("add nodes alex -n3", "add node alex --nodes 3"),
        ("add node alex", "add node alex -n 1"),
        ("load images app:1 -c alex,dev", "load image app:1 --cluster=alex,dev"),
        ("load image -A app:1", "load image app:1 --all"),
        ("add registries localhost:5000", "add registry localhost:5000"),
        ("del registry localhost:5000", "delete registries localhost:5000"),
        ("get registry -A", "get registries"),
        ("export log alex -d x", "export logs alex --directory x"),
        ("export kubeconfigs alex", "export kubeconfig alex"),
        ("del node node-2b251a2c", "delete nodes node-2b251a2c"),
        ("start clusters -A", "start cluster --all"),
        ("stop nodes node-123 node-567", "stop node node-123 node-567"),
        ("add cluster a -p 80:80 -p81:81", "add cluster a --port=80:80/tcp --port 81:81/tcp"),
        ("add cluster a --timeout 90s --cpus 1.5", "add cluster a --cpus=1500m --timeout=1m30s"),
        ("add cluster a", "add cluster a -n 3"),
        ("add ports a 80:80", "add port a 80:80/tcp"),
        ("del port a 80", "delete port a 80/tcp"),
        ("add cluster a --image=kindest/node:v1 --domain x", "add cluster a -i kindest/node:v1 -d x"),
    ] {
        assert_eq!(parse(alias).unwrap(), parse(line).unwrap(), "{alias}");
    }
}

#[test]
fn every_example_of_the_table_is_a_command() {
    for form in FORMS {
        for example in form.examples {
            parse(example).unwrap();
        }
    }
}

#[test]
fn errors_point_at_the_word() {
    for (line, wrong, says) in [
        ("", "", "there is no command"),
        ("ad cluster alex", "ad", "did you mean 'add'?"),
        ("add", "", "needs an object"),
        ("add clutser alex", "clutser", "did you mean 'add cluster'?"),
        ("add cluster", "", "needs a NAME"),
        ("add cluster Alex", "Alex", "not allowed"),
        ("add cluster alex alex", "alex", "named twice"),
        ("add cluster alex -n 0", "0", "1 to 240"),
        ("add cluster alex -n 1000", "1000", "1 to 240"),
        ("add cluster alex -n", "", "needs a value"),
        ("add cluster alex --control-planes 2", "2", "1, 3, 5 or 7"),
        ("add cluster alex --control-planes 3 -n 2", "2", "too few for 3 control planes"),
        ("add cluster alex -x", "-x", "'add cluster' takes: -i IMAGE"),
        ("add cluster alex -i a:b:c", "a:b:c", "tag"),
        ("add cluster alex -n 1 -n 2", "-n", "given twice"),
        ("add cluster alex -p 80", "80", "is none such as 8080:80"),
        ("add cluster alex -p 80:80 -p 80:81", "80:81", "asked for twice"),
        ("add cluster alex dev -p 80:80", "80:80", "into one cluster only"),
        ("add cluster alex -p 80:80 --ip-family ipv6", "80:80", "--ip-family dual"),
        ("add cluster alex --mount /a:b", "/a:b", "node path 'b'"),
        ("add cluster alex --mount /a:/x --mount /b:/x", "/b:/x", "mounted twice"),
        ("add cluster alex --cpus 0", "0", "such as 2, 1.5"),
        ("add cluster alex --memory 2GB", "2GB", "such as 2Gi"),
        ("add cluster alex --taint a=b", "a=b", "the effect is NoSchedule"),
        ("add cluster alex -n 1 --taint a=b:NoSchedule", "a=b:NoSchedule", "taints are for workers"),
        ("add cluster alex --label a", "a", "disk=fast"),
        ("add cluster alex --label a=b --label a=c", "a=c", "given twice"),
        ("add cluster alex --feature-gate a", "a", "ImageVolume=true"),
        ("add cluster alex --feature-gate A=true --feature-gate A=false", "A=false", "on or off"),
        ("add cluster alex --cni calico", "calico", "neither kindnet nor none"),
        ("add cluster alex --cni none --wait nodes", "nodes", "--wait none"),
        ("add cluster alex --pod-subnet 10.1.2.0/16", "10.1.2.0/16", "bits behind"),
        ("add cluster alex --pod-subnet 10.1.0.0/16 --ip-family dual", "10.1.0.0/16", "two with a comma"),
        ("add cluster alex --pod-subnet 10.1.0.0/16 --service-subnet fd00::/112", "fd00::/112", "same families"),
        ("add cluster alex --pod-subnet 10.1.0.0/16 --service-subnet 10.1.2.0/24", "10.1.2.0/24", "overlaps"),
        ("add cluster alex --ip-family ipv5", "ipv5", "ipv4, ipv6 and dual"),
        ("add cluster alex --wait 5m", "5m", "--timeout 5m"),
        ("add cluster alex --timeout 5", "5", "90s, 5m"),
        ("add cluster alex --cpus 1 --cpus 2", "--cpus", "given twice"),
        ("add port alex", "", "needs a PORT"),
        ("add port alex 80", "80", "such as 8080:80"),
        ("add port alex 80:80 80:80", "80:80", "named twice"),
        ("delete port alex 80:80", "80:80", "such as 8080"),
        ("delete cluster", "", "or -A for all"),
        ("delete cluster -A alex", "alex", "exclude each other"),
        ("get registries alex", "alex", "takes no 'alex'"),
        ("get images \u{e4}", "\u{e4}", "as kindest/node or v1.37.2"),
        ("get clients alex", "alex", "neither an e-mail address"),
        ("get clients alex@example.com -A", "alex@example.com", "exclude each other"),
        ("get cluster alex -k -w", "-w", "a kubeconfig does not change"),
        ("get net -H -w", "-w", "is not told"),
        ("get net -H -A", "-A", "exclude each other"),
        ("get nodes --all=yes", "--all=yes", "takes no value"),
        ("test host -n", "-n", "takes no options"),
        ("get net -H alex", "alex", "exclude each other"),
        ("delete node node-1 --force --timeout 1m", "1m", "exclude each other"),
        ("get pods Alex!", "Alex!", "no name and no id has"),
        ("stop node", "", "or -A for all"),
        ("delete node -A", "-A", "unknown option"),
        ("add node alex -n 241", "241", "1 to 240"),
        ("join mirror alex", "alex", "UUID"),
        ("admit user alex@example.com", "", "needs --mirror"),
        ("admit user alex -m 66fac858-a271-49cf-bad0-fdd9ff0b4787", "alex", "no e-mail address"),
        ("load image app:1", "", "needs -c with clusters"),
        ("load image -c alex", "", "needs a IMAGE"),
        ("load image app:1 -c alex,alex", "alex,alex", "named twice"),
        ("load image app:1 -c alex,", "alex,", "is empty"),
        ("load image app:1 -c alex -A", "alex", "exclude each other"),
        ("load image app:1 alex/ -c alex", "alex/", "is not of the form"),
        ("add registry", "", "needs a HOST[:PORT]"),
        ("add registry alex", "alex", "needs a port or a dot"),
        ("add registry localhost:5000 --at localhost:5000", "localhost:5000", "as http://10.0.0.7:5000"),
        ("delete registry -A", "-A", "unknown option"),
        ("export logs", "", "or -A for all"),
        ("export kubeconfig alex -d x", "-d", "takes: -A"),
        ("cancel command 12", "12", "first 8 hexadecimal digits"),
    ] {
        let error = parse(line).unwrap_err();
        assert_eq!(&error.line[error.start.min(error.line.len())..][..error.length], wrong, "{line}");
        assert!(error.to_string().contains(says), "{line}: {error}");
    }
}

#[test]
fn a_file_can_name_the_cluster_and_is_one_word_whatever_its_name() {
    let parsed = qbo_api::grammar::parse_words(&["add", "cluster", "-f", "my file.yaml"]).unwrap();
    assert_eq!(parsed.to_string(), "add cluster -f my_file.yaml");
    let Command::AddCluster(add) = parsed else { panic!("another command") };
    assert_eq!(add.file.unwrap().as_str(), "my file.yaml");
    assert_eq!((add.names.len(), add.nodes), (0, None), "the file says them");
}
