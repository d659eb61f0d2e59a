//! How the server is, what it counted and what it did: for probes, Prometheus and whoever reads its log.

use std::time::Duration;

use qbo_e2e::docker::Docker;
use qbo_e2e::server::Options;
use qbo_e2e::socket::Socket;
use qbo_e2e::wait;
use serde_json::Value;

use crate::scene::Scene;

/// For the server to find Docker.
const FOUND: Duration = Duration::from_mins(1);
/// A mirror that somebody names.
const MIRROR: &str = "7c1d6f0e-3a55-4b1e-8f0c-6d2b9a4e1f03";
const UNKNOWN: &str = "get cluster qbo-e2e-none";
const MISTAKEN: &str = "frobnicate qbo-e2e-none";

#[test]
fn probes_metrics_and_logs_tell_of_every_command() {
    let scene = Scene::new();
    let server = scene.server();
    assert!(matches!(server.http("/healthz"), (200, said) if said.starts_with("ok\n")));
    let ready = || match server.http("/readyz") {
        (200, _) => Ok(()),
        answer => Err(format!("{answer:?}")),
    };
    wait::until_ok("the server to be ready", FOUND, ready);

    server.done("get clusters -A");
    server.refuses(UNKNOWN, 1, 404, "there is no cluster");
    let mut socket = Socket::open(server.port());
    for (line, code) in [
        (format!("join mirror {MIRROR}"), 200),
        (format!("leave mirror {MIRROR}"), 200),
        (format!("leave mirror {MIRROR}"), 404),
        (MISTAKEN.to_owned(), 400),
        ("cancel command 00000000-0000-4000-8000-000000000000".to_owned(), 404),
    ] {
        assert_eq!(socket.ask(&line).last().expect("an answer")["code"], code, "{line}");
    }

    // The CLI's commands and connections are over for the server somewhat after they are for the CLI.
    let metrics = wait::until_ok("one connection, and no command under way", FOUND, || match server.http("/metrics") {
        (200, metrics)
            if metrics.contains("\nqbo_connections 1\n") && metrics.contains("\nqbo_commands_running 0\n") =>
        {
            Ok(metrics)
        }
        answer => Err(format!("{answer:?}")),
    });
    for (command, object, code, count) in [
        ("GET", "CLUSTER", 200, 1),
        ("GET", "CLUSTER", 404, 1),
        ("JOIN", "MIRROR", 200, 1),
        ("LEAVE", "MIRROR", 200, 1),
        ("LEAVE", "MIRROR", 404, 1),
        ("NONE", "NONE", 400, 1),
    ] {
        let labels = format!("command=\"CMD_{command}\",object=\"SUBCMD_{object}\"");
        let line = format!("\nqbo_commands_total{{{labels},code=\"{code}\"}} {count}\n");
        assert!(metrics.contains(&line), "{line} in {metrics}");
        let bucket = format!("\nqbo_command_duration_seconds_bucket{{{labels},le=\"120\"}} ");
        assert!(metrics.contains(&bucket), "{bucket} in {metrics}");
    }

    let logs = server.done("logs -n 200");
    let lines: Vec<&str> = logs.rows("output").into_iter().filter_map(|row| row["message"].as_str()).collect();
    let user = logs.last()["user"].as_str().expect("a message has a user");
    for (line, end) in [
        ("get cluster -A", "done"),
        (UNKNOWN, "failed: there is no cluster"),
        (&format!("join mirror {MIRROR}"), "done"),
        (&format!("leave mirror {MIRROR}"), "failed: this connection is not in mirror"),
        (MISTAKEN, "failed: unknown command"),
    ] {
        let span = format!("user={user:?} command=\"qbo {line}\")");
        let is_it =
            |logged: &&&str| logged.contains(end) && logged.contains(" (command id=") && logged.ends_with(&span);
        assert!(lines.iter().any(|logged| is_it(&logged)), "{line}: {end} in {lines:#?}");
    }
    scene.assert_clean();
    scene.end();
}

#[test]
fn a_log_in_json_says_which_command_each_line_is_of() {
    let arguments = ["--log-format", "json"].map(str::to_owned).to_vec();
    let scene = Scene::with(Docker::default(), Options { arguments, ..Options::default() });
    scene.server().refuses(UNKNOWN, 1, 404, "there is no cluster");
    let parsed = |line: &str| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    let of_command = |line: &Value| line["span"]["command"] == format!("qbo {UNKNOWN}");
    // What the server logs is written down beside the test.
    let lines = wait::until_ok("the command's end to be logged", FOUND, || {
        let log = scene.server().log();
        // The last one may not be complete yet.
        let (complete, _) = log.rsplit_once('\n').unwrap_or_default();
        let lines: Vec<Value> = complete.lines().map(parsed).filter(of_command).collect();
        if lines.last().is_some_and(|line| line["level"] == "WARN") { Ok(lines) } else { Err(log) }
    });
    let [first, .., last] = lines.as_slice() else { panic!("{lines:#?}") };
    assert_eq!(first["fields"]["message"], "started");
    assert_eq!((&last["level"], &last["fields"]["code"]), (&"WARN".into(), &404.into()));
    let span = &last["span"];
    assert!(span["name"] == "command" && span["id"].is_string() && span["user"].is_string(), "{span}");
    scene.assert_clean();
    scene.end();
}
