//! Measures what the server's mirror of the world costs: how fast `get` answers, how soon and how fast changes are told, and
//! how much memory it takes.
//!
//! [`cloud`] is what is measured; [`answer`], [`event`], [`fanout`] and [`memory`] measure it, each against a peer where
//! there is one; [`table`] makes tables of it. Peers and subscribers are processes of this same program ([`child`]).

mod answer;
mod child;
mod cloud;
mod echo;
mod event;
mod fanout;
mod frame;
mod memory;
mod socket;
mod subscriber;
mod table;

use std::io::Write as _;
use std::net::SocketAddr;

use clap::{Parser, Subcommand, ValueEnum};
use qbo_bench::document;
use qbo_e2e::programs::{self, Programs};

use cloud::{Cloud, LeftOvers};
use table::Results;

/// Measures how fast the server tells what it knows, and writes the tables into bench/README.md.
#[derive(Debug, Parser)]
#[command(name = "bench/mirror")]
struct Arguments {
    #[command(subcommand)]
    part: Option<Part>,

    /// Measure some of it alone
    #[arg(long, value_delimiter = ',')]
    only: Vec<Measure>,

    /// How often each is repeated; the median counts
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,

    /// The numbers of subscribers
    #[arg(long, value_delimiter = ',', default_values_t = [1_000, 10_000])]
    subscribers: Vec<usize>,

    /// The number of pods on simulated nodes
    #[arg(long, default_value_t = 10_000)]
    pods: usize,

    /// The node image, which Docker must hold
    #[arg(long, default_value = "qbo/node:v1.37.2")]
    image: String,

    /// The profile qbo is built with
    #[arg(long, default_value = "release")]
    profile: String,
}

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Measure {
    /// How fast `get` answers
    Get,
    /// How soon a subscriber is told of an action
    Events,
    /// How fast many subscribers are told
    FanOut,
    /// How much memory many pods take
    Memory,
}

/// What other processes of this program do.
#[derive(Debug, Subcommand)]
enum Part {
    /// Receives messages on many connections
    #[command(hide = true)]
    Subscribe {
        address: SocketAddr,
        count: usize,
        /// There is no handshake
        #[arg(long)]
        raw: bool,
    },
    /// Answers each request with messages of these sizes
    #[command(hide = true)]
    Echo {
        #[arg(value_delimiter = ',')]
        sizes: Vec<usize>,
    },
}

/// Pods of the cluster, beside those of Kubernetes' own.
const PODS: usize = 50;
/// Requests of a round.
const REQUESTS: usize = 400;
/// Actions of a round.
const ACTIONS: usize = 40;
/// Changes at once, each so many times as often as there are rounds: what is over at once is measured more often.
const BURSTS: [(usize, usize); 2] = [(1, 5), (20, 1)];

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    match &arguments.part {
        Some(Part::Subscribe { address, count, raw }) => return subscriber::run(*address, *count, *raw),
        Some(Part::Echo { sizes }) => return echo::run(sizes),
        None => {}
    }
    let installed = rustls::crypto::aws_lc_rs::default_provider().install_default();
    anyhow::ensure!(installed.is_ok(), "another TLS provider is installed already");
    child::raise_file_limit()?;
    let programs = Programs::find(&arguments.profile);
    let mut results = Results::default();
    let before = load()?;
    let _left_overs = LeftOvers;
    let cloud = Cloud::make(&programs, &arguments.image, PODS)?;
    let cloud = measure(&arguments, cloud, &mut results)?;
    cloud.end();
    let machine = format!("Machine: {} cores; its load was {before} before and {} after.", document::cores(), load()?);
    for (part, table) in results.tables() {
        let text = format!("{machine} {table}");
        say(&format!("{part}: {text}"))?;
        document::write(&programs::repository().join("bench/README.md"), &format!("mirror {part}"), &text)?;
    }
    Ok(())
}

fn measure(arguments: &Arguments, mut cloud: Cloud, results: &mut Results) -> anyhow::Result<Cloud> {
    let is_asked = |measure| arguments.only.is_empty() || arguments.only.contains(&measure);
    let rounds = usize::try_from(arguments.rounds)?;
    if is_asked(Measure::Get) {
        for command in ["get nodes", "get pods"] {
            results.answers.push(answer::measure(&cloud, command, REQUESTS, rounds)?);
        }
    }
    if is_asked(Measure::Events) {
        results.events.push(event::kubernetes(&cloud, ACTIONS * rounds)?);
        results.events.push(event::docker(&cloud, ACTIONS / 4 * rounds)?);
    }
    if is_asked(Measure::FanOut) {
        for &subscribers in &arguments.subscribers {
            cloud = cloud.restart(u64::try_from(PODS)?);
            results.fan_outs.extend(fanout::measure(&cloud, subscribers, &BURSTS, rounds)?);
        }
    }
    if is_asked(Measure::Memory) {
        let (measured, memories) = memory::measure(cloud, arguments.pods)?;
        (cloud, results.memories) = (measured, Some(memories));
    }
    Ok(cloud)
}

/// The load of the last minute.
fn load() -> anyhow::Result<String> {
    let load = std::fs::read_to_string("/proc/loadavg")?;
    Ok(load.split(' ').next().unwrap_or_default().to_owned())
}

fn say(text: &str) -> std::io::Result<()> {
    writeln!(std::io::stdout(), "{text}")
}
