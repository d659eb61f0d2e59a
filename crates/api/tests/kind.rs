//! What messages say a command is: of every form of the table, as the protocol has it.

use qbo_api::grammar::{FORMS, parse};
use serde_json::json;

const KINDS: &[(&str, &str, &str)] = &[
    ("version", "CMD_VERSION", "SUBCMD_NONE"),
    ("add cluster alex", "CMD_ADD", "SUBCMD_CLUSTER"),
    ("add node alex", "CMD_ADD", "SUBCMD_NODE"),
    ("add image kindest/node:v1.37.2", "CMD_ADD", "SUBCMD_IMAGE"),
    ("add port alex 8080:30080", "CMD_ADD", "SUBCMD_PORT"),
    ("add registry localhost:5000", "CMD_ADD", "SUBCMD_REGISTRY"),
    ("get cluster alex", "CMD_GET", "SUBCMD_CLUSTER"),
    ("get nodes alex", "CMD_GET", "SUBCMD_NODE"),
    ("get pods alex", "CMD_GET", "SUBCMD_POD"),
    ("get services alex", "CMD_GET", "SUBCMD_SERVICE"),
    ("get networks alex", "CMD_GET", "SUBCMD_NETWORK"),
    ("get images", "CMD_GET", "SUBCMD_IMAGE"),
    ("get clients", "CMD_GET", "SUBCMD_CLIENT"),
    ("get registries", "CMD_GET", "SUBCMD_REGISTRY"),
    ("get usage alex", "CMD_GET", "SUBCMD_USAGE"),
    ("load image app:1 -c alex", "CMD_LOAD", "SUBCMD_IMAGE"),
    ("export kubeconfig alex", "CMD_EXPORT", "SUBCMD_KUBECONFIG"),
    ("export logs alex", "CMD_EXPORT", "SUBCMD_LOGS"),
    ("start cluster alex", "CMD_START", "SUBCMD_CLUSTER"),
    ("start node node-2b251a2c", "CMD_START", "SUBCMD_NODE"),
    ("stop cluster alex", "CMD_STOP", "SUBCMD_CLUSTER"),
    ("stop node node-2b251a2c", "CMD_STOP", "SUBCMD_NODE"),
    ("delete cluster alex", "CMD_DELETE", "SUBCMD_CLUSTER"),
    ("delete node node-2b251a2c", "CMD_DELETE", "SUBCMD_NODE"),
    ("delete port alex 8080", "CMD_DELETE", "SUBCMD_PORT"),
    ("delete registry localhost:5000", "CMD_DELETE", "SUBCMD_REGISTRY"),
    ("logs", "CMD_LOGS", "SUBCMD_NONE"),
    ("logs web-0", "CMD_LOGS", "SUBCMD_POD"),
    ("open shell", "CMD_OPEN", "SUBCMD_SHELL"),
    ("open node node-2b251a2c", "CMD_OPEN", "SUBCMD_NODE"),
    ("open pod web-0", "CMD_OPEN", "SUBCMD_POD"),
    ("test host", "CMD_TEST", "SUBCMD_HOST"),
    ("cancel command 7d510d78", "CMD_CANCEL", "SUBCMD_COMMAND"),
    ("join mirror 66fac858-a271-49cf-bad0-fdd9ff0b4787", "CMD_JOIN", "SUBCMD_MIRROR"),
    ("leave mirror 66fac858-a271-49cf-bad0-fdd9ff0b4787", "CMD_LEAVE", "SUBCMD_MIRROR"),
    ("admit user alex@example.com -m 66fac858-a271-49cf-bad0-fdd9ff0b4787", "CMD_ADMIT", "SUBCMD_USER"),
];

#[test]
fn every_form_of_the_table_is_named_in_messages() {
    for (line, verb, subject) in KINDS {
        let command = parse(line).unwrap_or_else(|error| panic!("{line}: {error}"));
        assert_eq!(json!(command.kind()), json!([verb, subject]), "{line}");
    }
    for form in FORMS {
        let subject = form.subject.map(|subject| subject.names[0]);
        let words = [form.verb].into_iter().chain(subject).collect::<Vec<_>>();
        let is_it = |line: &str| line.split(' ').collect::<Vec<_>>().starts_with(&words);
        assert!(KINDS.iter().any(|(line, ..)| is_it(line)), "no kind of '{}' is told here", words.join(" "));
    }
}
