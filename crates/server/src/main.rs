//! `qbo-api`: configuration, drivers, listener, run.

use std::fmt::Display;
use std::io::{ErrorKind, Write as _};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::anyhow;
use clap::Parser;
use qbo_server::config::{Arguments, Config, LogFormat};
use qbo_server::execute::{Drivers, Services};
use qbo_server::instance::Instance;
use qbo_server::journal::Journal;
use qbo_server::live::{self, Live};
use qbo_server::mirror::Mirrors;
use qbo_server::operations::Operations;
use qbo_server::terminal::{self, Sessions};
use qbo_server::{files, metrics, recovery, registries, session, usage};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::Layer as _;
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
    let journal = Journal::default();
    let log = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let log = match arguments.log_format {
        LogFormat::Text => log.boxed(),
        LogFormat::Json => log.json().boxed(),
    };
    tracing_subscriber::registry().with(log).with(journal.clone()).with(arguments.log.clone()).init();
    let config = match Config::load(arguments) {
        Ok(config) => config,
        Err(error) => return fail(USER_ERROR, error),
    };
    match serve(&config, journal) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(OUR_FAILURE, format_args!("{error:#}")),
    }
}

#[tokio::main]
async fn serve(config: &Config, journal: Journal) -> anyhow::Result<()> {
    let installed = rustls::crypto::aws_lc_rs::default_provider().install_default();
    anyhow::ensure!(installed.is_ok(), "another TLS provider is installed already");
    for key in &config.unknown_keys {
        tracing::warn!("'{key}' in api.json means nothing to this version and is ignored");
    }
    files::provide(config.connections)?;
    let listener = listen(config.listen).await?;
    let _instance = Instance::claim(&config.state_directory)?;
    let stopping = asked_to_stop()?;

    let operations = Arc::<Operations>::default();
    let live = Live::new(Arc::<Mirrors>::default(), Arc::clone(&operations), session::host_name());
    let (services, sockets) =
        Services::new(config, Drivers::connect(config)?, Arc::clone(&operations), Arc::clone(&live), journal);
    let services = Arc::new(services);
    let sessions = Sessions::new(terminal::Limits::default(), Arc::new(services.opener()));
    let terminals = session::Terminals { sessions, sockets };
    let metrics = metrics::install()?;
    let stop = CancellationToken::new();
    let following = tokio::spawn({
        let (services, stop) = (Arc::clone(&services), stop.clone());
        async move { live::run(&services, &stop).await }
    });
    // What the first cluster would otherwise wait for; nothing depends on it.
    let warming = tokio::spawn({
        let (services, stop) = (Arc::clone(&services), stop.clone());
        async move { services.warm_up(&stop).await }
    });
    let forwarding = tokio::spawn({
        let (services, stop) = (Arc::clone(&services), stop.clone());
        async move { registries::run(&services, &stop).await }
    });
    let metering = tokio::spawn({
        let (services, stop) = (Arc::clone(&services), stop.clone());
        async move { usage::run(&services, &stop).await }
    });
    let counting = tokio::spawn({
        let (metrics, stop) = (metrics.clone(), stop.clone());
        async move { metrics::keep_up(&metrics, &stop).await }
    });
    let sweeper = tokio::spawn(recovery::run(Arc::clone(&services), stop.clone()));

    tracing::info!("listening on {}", listener.local_addr()?);
    let limits = session::Limits { connections: config.connections, ..session::Limits::default() };
    let inside = session::Inside { executor: services, live, operations, terminals, metrics: Some(metrics) };
    session::run(limits, inside, listener, stopping).await?;
    stop.cancel();
    warming.await?;
    following.await?;
    forwarding.await?;
    metering.await?;
    counting.await?;
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
