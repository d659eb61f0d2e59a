//! Many connections in a process of their own, which only counts what comes: as little work as can be, for it is done
//! on the same machine.

use std::io::{BufRead as _, ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::Context as _;
use rustix::buffer::spare_capacity;
use rustix::event::{Timespec, epoll};

use crate::frame::Frames;
use crate::{child, say};

/// Events that are taken in at once.
const EVENTS: usize = 1024;
/// What is read at once.
const BUFFER: usize = 256 * 1024;
/// For a handshake.
const LIMIT: Duration = Duration::from_secs(10);
/// The event of the standard input.
const INPUT: u64 = u64::MAX;
/// Answers a ping: a frame that is masked with zeros.
const PONG: [u8; 6] = [0x8a, 0x80, 0, 0, 0, 0];
const UPGRADE: &str = "GET /qbo HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                       Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n";

struct Subscriber {
    stream: TcpStream,
    frames: Frames,
    counted: u32,
}

/// Connects, and then waits for messages as its standard input tells: `expect 7` is answered by `ready`, and, once every
/// connection has received seven, by `done` and the time.
pub(crate) fn run(address: SocketAddr, count: usize, raw: bool) -> anyhow::Result<()> {
    child::raise_file_limit()?;
    let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    let mut subscribers = Vec::with_capacity(count);
    for index in 0..count {
        let stream = connect(address, raw).with_context(|| format!("connection {index} to {address}"))?;
        epoll::add(&epoll, &stream, epoll::EventData::new_u64(index as u64), epoll::EventFlags::IN)?;
        subscribers.push(Subscriber { stream, frames: Frames::default(), counted: 0 });
    }
    let input = std::io::stdin();
    epoll::add(&epoll, &input, epoll::EventData::new_u64(INPUT), epoll::EventFlags::IN)?;
    say("connected")?;

    let (mut expected, mut missing) = (0, 0);
    let mut buffer = vec![0; BUFFER];
    let mut events = Vec::with_capacity(EVENTS);
    loop {
        epoll::wait(&epoll, spare_capacity(&mut events), None::<&Timespec>)?;
        for event in events.drain(..) {
            if event.data.u64() == INPUT {
                let mut line = String::new();
                if input.lock().read_line(&mut line)? == 0 {
                    return Ok(());
                }
                expected = line.trim().strip_prefix("expect ").context("expect and a number")?.parse()?;
                missing = subscribers.len();
                for subscriber in &mut subscribers {
                    subscriber.counted = 0;
                }
                say("ready")?;
                continue;
            }
            let subscriber = &mut subscribers[usize::try_from(event.data.u64())?];
            let before = subscriber.counted;
            subscriber.read(&mut buffer)?;
            if before < expected && subscriber.counted >= expected {
                missing -= 1;
                if missing == 0 {
                    say(&format!("done {}", child::now()))?;
                }
            }
        }
    }
}

fn connect(address: SocketAddr, raw: bool) -> anyhow::Result<TcpStream> {
    let mut stream = TcpStream::connect(address)?;
    if !raw {
        stream.set_read_timeout(Some(LIMIT))?;
        stream.write_all(UPGRADE.as_bytes())?;
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte)?;
            answer.push(byte[0]);
        }
        let answer = String::from_utf8_lossy(&answer);
        anyhow::ensure!(answer.starts_with("HTTP/1.1 101"), "it is refused: {answer}");
    }
    stream.set_nonblocking(true)?;
    Ok(stream)
}

impl Subscriber {
    fn read(&mut self, buffer: &mut [u8]) -> anyhow::Result<()> {
        let read = match self.stream.read(buffer) {
            Ok(0) => anyhow::bail!("a connection was closed"),
            Ok(read) => read,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        let counted = self.frames.count(&buffer[..read]);
        self.counted += counted.texts;
        for _ in 0..counted.pings {
            self.stream.write_all(&PONG)?;
        }
        Ok(())
    }
}
