//! `qbo-api`: configuration, drivers, listener, run.

use std::fmt::Display;
use std::io::{ErrorKind, Write as _};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::anyhow;
use clap::Parser;
use qbo_server::config::{Arguments, Config};
use qbo_server::execute::{Drivers, Services};
use qbo_server::instance::Instance;
use qbo_server::operations::Operations;
use qbo_server::{recovery, session};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// Told wrong things by its user.
const USER_ERROR: u8 = 1;

/// Failed, or the host did.
const OUR_FAILURE: u8 = 2;

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        // Also the way of --help and --version. What cannot be printed cannot be told either.
        Err(error) => {
            let _ = error.print();
            return if error.use_stderr() { USER_ERROR.into() } else { ExitCode::SUCCESS };
        }
    };
    let log = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    tracing_subscriber::registry().with(log).with(arguments.log.clone()).init();
    let config = match Config::load(arguments) {
        Ok(config) => config,
        Err(error) => return fail(USER_ERROR, error),
    };
    match serve(&config) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(OUR_FAILURE, format_args!("{error:#}")),
    }
}

#[tokio::main]
async fn serve(config: &Config) -> anyhow::Result<()> {
    let installed = rustls::crypto::aws_lc_rs::default_provider().install_default();
    anyhow::ensure!(installed.is_ok(), "another TLS provider is installed already");
    for key in &config.unknown_keys {
        tracing::warn!("'{key}' in api.json means nothing to this version and is ignored");
    }
    let listener = listen(config.listen).await?;
    let _instance = Instance::claim(&config.state_directory)?;
    let stopping = asked_to_stop()?;

    let operations = Arc::<Operations>::default();
    let services = Arc::new(Services::new(config, Drivers::connect(config)?, Arc::clone(&operations)));
    let stop = CancellationToken::new();
    // What the first cluster would otherwise wait for; nothing depends on it.
    let warming = tokio::spawn({
        let (services, stop) = (Arc::clone(&services), stop.clone());
        async move { services.warm_up(&stop).await }
    });
    let sweeper = tokio::spawn(recovery::run(Arc::clone(&services), stop.clone()));

    tracing::info!("listening on {}", listener.local_addr()?);
    session::run(session::Limits::default(), services, operations, listener, stopping).await?;
    stop.cancel();
    warming.await?;
    Ok(sweeper.await?)
}

async fn listen(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.map_err(|error| match error.kind() {
        ErrorKind::AddrInUse => anyhow!("{address} is in use: another qbo-api? Stop it, or choose another --listen"),
        _ => anyhow!("cannot listen on {address}: {error}"),
    })
}

/// Resolves when somebody asks the server to stop; who asks twice does not wait for commands to be undone.
fn asked_to_stop() -> std::io::Result<impl Future<Output = ()> + Send> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let mut asked = async move || {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    };
    Ok(async move {
        asked().await;
        tracing::info!("stopping: running commands are undone; ask once more to stop at once");
        tokio::spawn(async move {
            asked().await;
            std::process::exit(OUR_FAILURE.into());
        });
    })
}

/// Says why the server does not run, whatever it logs.
fn fail(code: u8, error: impl Display) -> ExitCode {
    let _ = writeln!(std::io::stderr(), "qbo-api: {error}");
    code.into()
}
