//! What runs inside pods to see a cluster from there: it answers over HTTP, resolves names and keeps a file.
//!
//! One static file without dependencies: it is put into nodes as it is and mounted into pods, so that it runs in any
//! image, also in one that holds nothing else.

mod datagram;
mod dns;
mod http;

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::net::{IpAddr, SocketAddr};
use std::process::ExitCode;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use dns::Resolver;

const USAGE: &str = "Usage: probe serve PORT TEXT       answers every HTTP request and every datagram with the text
       probe gather NAME PORT COUNT fetches from an address, or a name that DNS knows, until so many different answers came
       probe resolve NAME           prints the addresses of a name, those of IPv4 first
       probe first-answer NAME      asks until DNS answers; writes start and answer (Unix time) to /dev/termination-log
       probe write FILE TEXT        writes a file
       probe read FILE              prints a file";

/// Between two questions.
const PACE: Duration = Duration::from_millis(50);
/// The longest that is asked.
const PATIENCE: Duration = Duration::from_mins(3);

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match run(&words) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nobody is left to tell if that is closed.
            let _ = writeln!(io::stderr(), "probe: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(words: &[&str]) -> io::Result<()> {
    match words {
        ["serve", port, text] => {
            datagram::serve_beside(number(port)?, text)?;
            http::serve(number(port)?, text)
        }
        ["gather", name, port, count] => gather(name, number(port)?, usize::from(number(count)?)),
        ["resolve", name] => resolve(name)?.iter().try_for_each(|address| print(&address.to_string())),
        ["first-answer", name] => first_answer(name),
        ["write", file, text] => std::fs::write(file, text),
        ["read", file] => print(&std::fs::read_to_string(file)?),
        _ => Err(io::Error::other(USAGE)),
    }
}

/// What a node's proxy has not heard of yet answers later: only the last error counts.
fn gather(name: &str, port: u16, count: usize) -> io::Result<()> {
    let (mut answers, deadline) = (BTreeSet::new(), Instant::now() + PATIENCE);
    while answers.len() < count {
        match resolve(name).and_then(|addresses| http::fetch(SocketAddr::new(addresses[0], port), name)) {
            Ok(answer) => {
                answers.insert(answer);
            }
            Err(error) if Instant::now() > deadline => return Err(error),
            Err(_) => {}
        }
        if Instant::now() > deadline {
            return Err(io::Error::other(format!("only {answers:?} answered")));
        }
        std::thread::sleep(PACE);
    }
    answers.iter().try_for_each(|answer| print(answer))
}

/// At least one; an address is its own answer.
fn resolve(name: &str) -> io::Result<Vec<IpAddr>> {
    if let Ok(address) = name.parse() {
        return Ok(vec![address]);
    }
    Resolver::of_pod()?.resolve(name)
}

/// Asks the same from the first moment on, and says when it began and when it was answered.
fn first_answer(name: &str) -> io::Result<()> {
    let (began, deadline) = (unix_time(), Instant::now() + PATIENCE);
    let resolver = Resolver::of_pod()?;
    let mut question = Instant::now();
    while let Err(error) = resolver.ask_once(name, PACE) {
        if Instant::now() > deadline {
            return Err(error);
        }
        // A refusal comes at once; the pace is the same as without an answer.
        question += PACE;
        std::thread::sleep(question.saturating_duration_since(Instant::now()));
    }
    std::fs::write("/dev/termination-log", format!("{began:.3} {:.3}", unix_time()))
}

fn unix_time() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}

fn print(line: &str) -> io::Result<()> {
    writeln!(io::stdout(), "{line}")
}

fn number(word: &str) -> io::Result<u16> {
    word.parse().map_err(|_| io::Error::other(format!("'{word}' is no number of 16 bits")))
}
