//! Measures how long clusters take: qbo and its peer `kind` in turn, on the same host and the same node image.
//!
//! The way of a round: [`contender`] says which command makes the cluster, [`observe`] looks at what comes of it with
//! the same eyes for both, [`report`] makes medians, ratios and a table of them.

mod cluster;
mod contender;
mod observe;
mod report;

use std::io::Write as _;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use bollard::Docker;
use clap::{Parser, ValueEnum as _};
use qbo_bench::document;
use qbo_e2e::programs::{self, Programs};
use qbo_e2e::server::{Options, Server};

use contender::{Contender, Tools};
use observe::{Observer, Times};
use report::{Report, Steps};

/// The longest that making or deleting a cluster may take.
const LIMIT: Duration = Duration::from_mins(10);

/// Measures how long qbo and kind take to make clusters, and writes the table into a Markdown file.
#[derive(Debug, Parser)]
#[command(name = "bench/create")]
struct Arguments {
    /// How often each cluster is made by each of them
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,

    /// The sizes of the clusters
    #[arg(long, value_delimiter = ',', default_values_t = [1, 3])]
    nodes: Vec<usize>,

    /// The node image, which Docker must hold
    #[arg(long, default_value = "qbo/node:v1.37.2")]
    image: String,

    /// Measure one of them alone; nothing is written then
    #[arg(long)]
    only: Option<Contender>,

    /// The profile qbo is built with
    #[arg(long, default_value = "release")]
    profile: String,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let installed = rustls::crypto::aws_lc_rs::default_provider().install_default();
    anyhow::ensure!(installed.is_ok(), "another TLS provider is installed already");
    let docker = Docker::connect_with_defaults()?.negotiate_version().await.context("Docker does not answer")?;
    docker
        .inspect_image(&arguments.image)
        .await
        .with_context(|| format!("Docker does not hold {}", arguments.image))?;
    let programs = Programs::find(&arguments.profile);
    let observer = Observer { docker, probe: std::fs::read(programs::probe())? };
    let server = Server::start(&programs, &Options::default());
    let tools = Tools::new(&server, programs::kind(), arguments.image.clone())?;

    let measured = Box::pin(measure_all(&arguments, &tools, &observer)).await;
    tools.clean_up(&observer.docker).await?;
    let tables = measured?.markdown(&arguments.nodes);
    say(&tables)?;
    if arguments.only.is_none() {
        document::write(&programs::repository().join("bench/README.md"), "create", &tables)?;
    }
    Ok(())
}

async fn measure_all(arguments: &Arguments, tools: &Tools<'_>, observer: &Observer) -> anyhow::Result<Report> {
    let contenders = arguments.only.map_or_else(|| Contender::value_variants().to_vec(), |only| vec![only]);
    let mut report = Report::default();
    for round in 1..=arguments.rounds {
        for &nodes in &arguments.nodes {
            for &contender in &contenders {
                let (times, steps) = Box::pin(measure(tools, observer, contender, nodes)).await?;
                say(&format!("round {round}, {contender}, nodes {nodes}: {times}"))?;
                report.add(contender, nodes, times, steps);
            }
        }
    }
    Ok(report)
}

/// Makes a cluster, watches it come up, and removes it.
async fn measure(
    tools: &Tools<'_>,
    observer: &Observer,
    contender: Contender,
    nodes: usize,
) -> anyhow::Result<(Times, Steps)> {
    let began = Instant::now();
    let watched = async {
        let create = contender::run(tools.create(contender, nodes)?, began);
        tokio::try_join!(create, observer.observe(contender, nodes, began))
    };
    let watched = tokio::time::timeout(LIMIT, Box::pin(watched)).await;
    let joined = match tools.join(contender) {
        Some(command) => Some(tokio::time::timeout(LIMIT, contender::run(command, Instant::now())).await),
        None => None,
    };
    let began = Instant::now();
    let removed = tokio::time::timeout(LIMIT, contender::run(tools.delete(contender), began)).await;
    let what = || format!("{contender} with {nodes} nodes");
    let (created, seen) = watched.with_context(what)?.with_context(what)?;
    let joined = joined.transpose().context("joining")?.transpose()?;
    let removed = removed.context("deleting")??;
    let times = Times {
        returned: created.elapsed,
        ready: seen.ready,
        answered: seen.answered,
        probe_started: seen.probe_started,
        joined: joined.map(|ran| ran.elapsed),
        deleted: removed.elapsed,
    };
    Ok((times, Steps::of_messages(&created.output)))
}

fn say(text: &str) -> std::io::Result<()> {
    writeln!(std::io::stdout(), "{text}")
}
