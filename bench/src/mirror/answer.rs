//! How long a `get` takes over loopback, on one connection that is warm, from sending the command to its final message;
//! against a bare WebSocket server (axum, as the server has it) that answers each request with as many bytes in as many
//! messages.

use std::time::{Duration, Instant};

use qbo_bench::statistics::percentile;
use serde_json::json;

use crate::child::Helper;
use crate::cloud::Cloud;
use crate::say;
use crate::socket::Socket;

/// Requests that are not counted.
const WARM_UP: usize = 200;
/// For the peer to listen.
const LIMIT: Duration = Duration::from_secs(10);

/// What was measured of one command.
pub(crate) struct Answer {
    pub(crate) command: String,
    pub(crate) rows: usize,
    pub(crate) bytes: usize,
    /// Seconds.
    pub(crate) server: Vec<f64>,
    pub(crate) peer: Vec<f64>,
}

impl Answer {
    pub(crate) fn percentiles(times: &[f64]) -> (f64, f64) {
        let percent = |percent| percentile(times.iter().copied(), percent).unwrap_or_default();
        (percent(50), percent(99))
    }
}

/// Asks a server and its peer in turn, `requests` in each of `rounds`.
pub(crate) fn measure(cloud: &Cloud, command: &str, requests: usize, rounds: usize) -> anyhow::Result<Answer> {
    let request = json!({"cmd": command, "uuid": ""}).to_string();
    let mut server = Socket::open(cloud.server.port())?;
    let (_, answer) = ask(&mut server, &request)?;
    let sizes: Vec<usize> = answer.iter().map(|text| text.len()).collect();
    let rows = answer.iter().map(|text| text.matches("\"cluster_id\":").count()).sum();
    let words = sizes.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
    let helper = Helper::start(&["echo", &words])?;
    let mut peer = Socket::open(helper.hear("listening", LIMIT)?.parse()?)?;
    for _ in 0..WARM_UP {
        ask(&mut server, &request)?;
        ask(&mut peer, &request)?;
    }
    let (mut servers, mut peers) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        for (socket, times) in [(&mut server, &mut servers), (&mut peer, &mut peers)] {
            for _ in 0..requests {
                times.push(ask(socket, &request)?.0.as_secs_f64());
            }
        }
    }
    let answer = Answer { command: command.into(), rows, bytes: sizes.iter().sum(), server: servers, peer: peers };
    let ((p50, p99), (peer50, peer99)) = (Answer::percentiles(&answer.server), Answer::percentiles(&answer.peer));
    let micro = 1e6;
    say(&format!(
        "{command}, {rows} rows: p50 {:.0} µs, p99 {:.0} µs; peer {:.0} µs, {:.0} µs",
        p50 * micro,
        p99 * micro,
        peer50 * micro,
        peer99 * micro
    ))?;
    Ok(answer)
}

/// One request and all of its answer.
fn ask(socket: &mut Socket, request: &str) -> anyhow::Result<(Duration, Vec<tungstenite::Utf8Bytes>)> {
    let began = Instant::now();
    socket.send(request)?;
    let mut messages = Vec::new();
    loop {
        let (at, text) = socket.next()?;
        let is_last = text.contains(super::echo::LAST);
        messages.push(text);
        if is_last {
            return Ok((at - began, messages));
        }
    }
}
