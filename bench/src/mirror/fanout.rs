//! How fast changes reach many subscribers of one mirror, against a program that writes the same bytes to as many sockets
//! and does nothing else.
//!
//! The changes are real ones, of a pod. While Kubernetes makes them the server is held (SIGSTOP); what is measured is from
//! the moment it is let go to the moment the last subscriber has the last message. So Kubernetes takes no part in it.

use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use qbo_bench::statistics::median;
use rustix::process::{Pid, Signal, kill_process};

use crate::child::{self, Helper};
use crate::cloud::Cloud;
use crate::frame;
use crate::say;
use crate::socket::Socket;

/// For connecting, and for a burst to reach everybody.
const LIMIT: Duration = Duration::from_mins(2);

/// What was measured with as many subscribers and as many changes at once.
pub(crate) struct FanOut {
    pub(crate) subscribers: usize,
    pub(crate) changes: usize,
    /// Bytes that one subscriber receives.
    pub(crate) bytes: usize,
    /// Medians in seconds: of the server, of a writer that writes every message by itself, of one that writes
    /// to each socket all that there is.
    pub(crate) server: f64,
    pub(crate) raw: f64,
    pub(crate) raw_joined: f64,
    /// What the server's resident memory grew by for each connection, in bytes.
    pub(crate) connection: u64,
}

/// The peer.
struct Raw {
    sockets: Vec<TcpStream>,
    helper: Helper,
}

/// Measures with this many subscribers.
pub(crate) fn measure(
    cloud: &Cloud,
    subscribers: usize,
    bursts: &[(usize, usize)],
    rounds: usize,
) -> anyhow::Result<Vec<FanOut>> {
    let server = &cloud.server;
    let before = cloud.memory()?.resident;
    let address = format!("127.0.0.1:{}", server.port());
    let count = subscribers.to_string();
    let mut helper = Helper::start(&["subscribe", &address, &count])?;
    helper.hear("connected", LIMIT)?;
    let connection = cloud.memory()?.resident.saturating_sub(before) / u64::try_from(subscribers)?;
    let mut raw = Raw::start(subscribers)?;
    let mut witness = Socket::open(server.port())?;
    let pid = Pid::from_raw(i32::try_from(server.pid())?).ok_or_else(|| anyhow::anyhow!("a process has an id"))?;

    let mut results = Vec::new();
    for &(changes, often) in bursts {
        let (mut servers, mut raws, mut joineds, mut bytes) = (Vec::new(), Vec::new(), Vec::new(), 0);
        for round in 1..=rounds * often {
            helper.tell(&format!("expect {changes}"))?;
            helper.hear("ready", LIMIT)?;
            kill_process(pid, Signal::STOP)?;
            let marks = cloud.change_held(changes);
            let began = child::now();
            kill_process(pid, Signal::CONT)?;
            let marks = marks?;
            servers.push(seconds(began, &helper.hear("done", LIMIT)?)?);
            let frames: Vec<Vec<u8>> =
                marks.iter().map(|mark| Ok(frame::text(&witness.await_text(mark)?))).collect::<anyhow::Result<_>>()?;
            bytes = frames.iter().map(Vec::len).sum();
            raws.push(raw.write(changes, &frames)?);
            joineds.push(raw.write(changes, &[frames.concat()])?);
            let last = |times: &[f64]| times.last().copied().unwrap_or_default() * 1e3;
            say(&format!(
                "fan-out to {subscribers}, {changes} changes, round {round}: {:.1} ms, raw {:.1} ms, raw joined {:.1} ms",
                last(&servers),
                last(&raws),
                last(&joineds),
            ))?;
        }
        let median = |times: Vec<f64>| median(times.into_iter()).unwrap_or_default();
        let (server, raw, raw_joined) = (median(servers), median(raws), median(joineds));
        results.push(FanOut { subscribers, changes, bytes, server, raw, raw_joined, connection });
    }
    Ok(results)
}

impl Raw {
    fn start(count: usize) -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let words = ["subscribe", &listener.local_addr()?.to_string(), &count.to_string(), "--raw"];
        let helper = Helper::start(&words)?;
        let mut sockets = Vec::with_capacity(count);
        for _ in 0..count {
            let (socket, _) = listener.accept()?;
            socket.set_nodelay(true)?;
            sockets.push(socket);
        }
        helper.hear("connected", LIMIT)?;
        Ok(Self { sockets, helper })
    }

    /// Writes all of it to all sockets; the seconds until all of it was read.
    fn write(&mut self, changes: usize, parts: &[Vec<u8>]) -> anyhow::Result<f64> {
        self.helper.tell(&format!("expect {changes}"))?;
        self.helper.hear("ready", LIMIT)?;
        let began = child::now();
        for part in parts {
            for socket in &mut self.sockets {
                socket.write_all(part)?;
            }
        }
        seconds(began, &self.helper.hear("done", LIMIT)?)
    }
}

fn seconds(began: i64, ended: &str) -> anyhow::Result<f64> {
    Ok(Duration::from_nanos(u64::try_from(ended.parse::<i64>()? - began)?).as_secs_f64())
}
