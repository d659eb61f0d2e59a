//! Mirrors: who is in one hears what is said there, and nobody else does.

use std::time::Duration;

use qbo_e2e::socket::Socket;
use serde_json::{Value, json};

use crate::scene::Scene;

const MIRROR: &str = "66fac858-a271-49cf-bad0-fdd9ff0b4787";
/// For a change to be told, on a busy machine.
const SOON: Duration = Duration::from_mins(5);
/// Commands of which half is more than is kept for a connection: some 20 MiB in the server and both sockets, or a few times that
/// where the kernel lets a socket grow.
const FLOOD: usize = 5000;
/// Commands after which it is seen whether they were enough.
const ROUND: usize = 50;
/// Names in one line, which a server says again in every message of the command.
const NAMES: usize = 240;

#[test]
fn a_mirror_is_heard_by_those_in_it_alone() {
    let scene = Scene::new();
    let open = || Socket::open(scene.server().port());
    let (mut first, mut second, mut outsider) = (open(), open(), open());
    for member in [&mut first, &mut second] {
        done(&member.ask(&format!("join mirror {MIRROR}")));
    }
    let said = first.ask_in(MIRROR, "version");
    done(&said);
    assert!(said.iter().all(|message| message["uuid"] == MIRROR), "{said:?}");
    assert_eq!(second.hear(|message| message["uuid"] == MIRROR), said);

    done(&second.ask(&format!("admit user sam@example.com -m {MIRROR}")));
    let refused = |messages: Vec<Value>| messages.last().map(|message| message["code"].clone());
    let nobodys = "00000000-0000-4000-8000-000000000000";
    assert_eq!(refused(second.ask(&format!("admit user sam@example.com -m {nobodys}"))), Some(json!(404)));
    assert_eq!(refused(outsider.ask(&format!("leave mirror {MIRROR}"))), Some(json!(404)), "it is not in it");

    let listed = outsider.ask("get clients -w");
    let members: Vec<&Value> = listed.iter().filter_map(|message| message["clients"].as_array()).flatten().collect();
    let inside = |wsi: &str| members.iter().any(|row| row["wsi"] == wsi && row["mirror"] == MIRROR);
    assert_eq!([&first, &second, &outsider].map(|socket| inside(socket.wsi())), [true, true, false], "{members:?}");

    done(&second.ask(&format!("leave mirror {MIRROR}")));
    let wsi = second.wsi().to_owned();
    let left = |message: &Value| message["change"] == "delete" && message["clients"][0]["wsi"] == wsi;
    let change = outsider.await_change("a connection that leaves a mirror", SOON, left);
    assert_eq!(change["clients"].as_array().map(Vec::len), Some(1), "{change}");
    assert_eq!(change["clients"][0]["mirror"], MIRROR);
    second.overheard();
    done(&first.ask_in(MIRROR, "version"));
    for other in [&mut second, &mut outsider] {
        // What this connection asks now is answered after all that was said before.
        done(&other.ask("get clients"));
        let heard = other.overheard();
        assert!(heard.iter().all(|message| message["uuid"] != MIRROR), "{heard:?}");
    }

    drop(second);
    let change = outsider.await_change("a connection that ends", SOON, left);
    assert_ne!(change["clients"][0]["mirror"], MIRROR, "it had left that");
    scene.assert_clean();
    scene.end();
}

#[test]
fn a_connection_that_did_not_keep_up_goes_on_from_a_snapshot() {
    let scene = Scene::new();
    let (mut slow, mut loud) = (Socket::open(scene.server().port()), Socket::open(scene.server().port()));
    done(&slow.ask("get clients -w"));
    let names: Vec<String> = (0..NAMES).map(|number| format!("{number:0>64}")).collect();
    let line = format!("get cluster {}", names.join(" "));
    let mut commands = 0;
    while !scene.server().http("/metrics").1.contains("\nqbo_snapshots_total 1\n") {
        assert!(commands < FLOOD, "it was told all of {commands} commands");
        for _ in 0..ROUND {
            assert_eq!(loud.ask(&line).last().map(|message| message["code"].clone()), Some(json!(404)));
            // Of two messages it reads one: who reads nothing for a while, as long as a flood takes on a busy machine, is dropped.
            slow.hear_one();
        }
        commands += ROUND;
    }

    let snapshot = slow
        .await_change("all there is", SOON, |message| message["change"] == "snapshot" && message["clients"].is_array());
    let rows = snapshot["clients"].as_array().expect("rows");
    let connected = |socket: &Socket| rows.iter().any(|row| row["wsi"] == socket.wsi());
    assert!(connected(&slow) && connected(&loud), "{rows:?}");
    let wsi = loud.wsi().to_owned();
    drop(loud);
    slow.await_change("what happens after that", SOON, |message| {
        message["change"] == "delete" && message["clients"][0]["wsi"] == wsi
    });
    let heard = slow.overheard();
    assert!(heard.len() < 2 * commands, "it heard all: {}", heard.len());
    assert_eq!(heard.last().map(|message| message["code"].clone()), Some(json!(404)), "the end of the last command");
    scene.end();
}

#[track_caller]
fn done(messages: &[Value]) {
    assert_eq!(messages.last().map(|message| message["code"].clone()), Some(json!(200)), "{messages:?}");
}
