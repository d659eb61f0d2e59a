//! The grammar as users meet it: every command printed is read back, and no line makes the parser fail otherwise
//! than with an error that points into the line.

use proptest::prelude::*;
use qbo_api::command::{
    AddCluster, AddImage, Cancel, Command, DeleteCluster, GetCluster, GetImages, GetNodes, NodeCount, Selection,
};
use qbo_api::grammar::{FORMS, parse};

fn names<T: std::str::FromStr<Err: std::fmt::Debug> + std::fmt::Debug>(
    pattern: &'static str,
) -> impl Strategy<Value = Vec<T>> {
    prop::collection::btree_set(pattern, 1..4)
        .prop_map(|names| names.into_iter().map(|name| name.parse().expect("the pattern is a name")).collect())
}

fn selection() -> impl Strategy<Value = Selection> {
    prop_oneof![Just(Selection::All), names("[a-z0-9]([a-z0-9_-]{0,20}[a-z0-9])?").prop_map(Selection::Named)]
}

fn command() -> impl Strategy<Value = Command> {
    let image = "([a-z0-9.]{1,9}[a-z]:[1-9][0-9]{1,3}/)?([a-z0-9]{1,9}/){0,3}[a-z0-9]{1,9}(:v[0-9.]{1,8})?";
    let add_cluster = (
        names("[a-z0-9]([a-z0-9_-]{0,20}[a-z0-9])?"),
        prop::option::of(image),
        1..=NodeCount::LIMIT,
        "[a-z0-9]{1,9}(\\.[a-z0-9]{1,9}){0,2}",
        any::<bool>(),
    )
        .prop_map(|(names, image, nodes, domain, retain)| {
            Command::AddCluster(AddCluster {
                names,
                image: image.and_then(|image| image.parse().ok()),
                nodes: NodeCount::new(nodes).expect("within the bounds"),
                domain: domain.parse().expect("the pattern is a domain"),
                retain,
            })
        });
    prop_oneof![
        Just(Command::Version),
        Just(Command::TestHost),
        add_cluster,
        names("[a-z]{1,9}/[a-z]{1,9}:v[0-9.]{1,8}").prop_map(|images| Command::AddImage(AddImage { images })),
        (selection(), any::<bool>())
            .prop_map(|(selection, kubeconfig)| Command::GetCluster(GetCluster { selection, kubeconfig })),
        selection().prop_map(|selection| Command::GetNodes(GetNodes { selection })),
        any::<bool>().prop_map(|all| Command::GetImages(GetImages { all })),
        selection().prop_map(|selection| Command::DeleteCluster(DeleteCluster { selection })),
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
                "-A", "-k", "-n", "-n3", "-n0", "-i", "--retain", "--nodes=4", "--all=x", "-", "--", "-Ak", "-é", "alex",
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
        ("add cluster alex -x", "-x", "'add cluster' takes: -i IMAGE"),
        ("add cluster alex -i a:b:c", "a:b:c", "tag"),
        ("add cluster alex -n 1 -n 2", "-n", "given twice"),
        ("delete cluster", "", "or -A for all"),
        ("delete cluster -A alex", "alex", "exclude each other"),
        ("get images alex", "alex", "takes no 'alex'"),
        ("get nodes --all=yes", "--all=yes", "takes no value"),
        ("test host -n", "-n", "takes no options"),
        ("cancel command 12", "12", "first 8 hexadecimal digits"),
    ] {
        let error = parse(line).unwrap_err();
        assert_eq!(&error.line[error.start.min(error.line.len())..][..error.length], wrong, "{line}");
        assert!(error.to_string().contains(says), "{line}: {error}");
    }
}
