//! qbo-balancer: the only process of the container in front of a cluster's API servers.

use std::convert::Infallible;
use std::io::{Write as _, stderr, stdout};
use std::path::PathBuf;
use std::process::ExitCode;

use tokio::signal::unix::{SignalKind, signal};

/// Where API servers listen, and so what kubeconfigs name.
const PORT: u16 = 6443;
/// Where whoever makes the container puts the list of servers.
const LIST: &str = "/etc/qbo/balancer";
/// Connections at a time: each takes some 16 KiB.
const LIMIT: usize = 4096;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [port, list] = match arguments.as_slice() {
        [] => [PORT.to_string(), LIST.to_owned()],
        [port, list] => [port.clone(), list.clone()],
        _ => return fail("usage: qbo-balancer [PORT LIST]"),
    };
    let Ok(port) = port.parse() else { return fail(&format!("'{port}' is no port")) };
    // The first process of a container gets no signal that it does not ask for.
    let (terminate, interrupt) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()));
    let (Ok(mut terminate), Ok(mut interrupt)) = (terminate, interrupt) else {
        return fail("cannot listen for signals");
    };
    tokio::select! {
        ended = balance(port, list.into()) => match ended {
            Ok(never) => match never {},
            Err(message) => fail(&message),
        },
        _ = terminate.recv() => ExitCode::SUCCESS,
        _ = interrupt.recv() => ExitCode::SUCCESS,
    }
}

async fn balance(port: u16, list: PathBuf) -> Result<Infallible, String> {
    qbo_balancer::raise_file_limit().map_err(|error| format!("cannot raise the limit of open files: {error}"))?;
    let listeners = qbo_balancer::listen(port).map_err(|error| format!("cannot listen on port {port}: {error}"))?;
    for address in listeners.iter().filter_map(|listener| listener.local_addr().ok()) {
        let _ = writeln!(stdout(), "listening on {address}");
    }
    qbo_balancer::run(listeners, &list, LIMIT).await.map_err(|error| error.to_string())
}

fn fail(message: &str) -> ExitCode {
    let _ = writeln!(stderr(), "qbo-balancer: {message}");
    ExitCode::FAILURE
}
