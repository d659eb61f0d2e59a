//! The least HTTP that two questions to a local daemon need.
//!
//! HTTP/1.0 spares chunks and connections that stay open: the answer ends with the connection.

use serde::de::DeserializeOwned;
use std::fmt::{self, Display, Formatter};
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

/// More than any daemon answers; `/info` takes some ten KiB.
const LONGEST: usize = 4 << 20;

#[derive(Debug)]
pub(crate) enum Error {
    Connect(io::Error),
    Exchange(io::Error),
    Status(String),
    Content(serde_json::Error),
}

impl Error {
    /// Why no connection was made, if that is it.
    pub(crate) fn kind(&self) -> Option<io::ErrorKind> {
        match self {
            Self::Connect(error) => Some(error.kind()),
            Self::Exchange(_) | Self::Status(_) | Self::Content(_) => None,
        }
    }
}

impl Display for Error {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect(error) => match error.kind() {
                io::ErrorKind::NotFound => write!(formatter, "there is no such socket"),
                io::ErrorKind::PermissionDenied => write!(formatter, "this user may not use it"),
                io::ErrorKind::ConnectionRefused => write!(formatter, "no daemon listens"),
                _ => write!(formatter, "{error}"),
            },
            Self::Exchange(error) => write!(formatter, "{error}"),
            Self::Status(line) => write!(formatter, "it answers {line:?}"),
            Self::Content(error) => write!(formatter, "its answer is not what Docker answers: {error}"),
        }
    }
}

/// Asks for `path` and decodes the answer, which has to be there within `patience`.
pub(crate) fn get<T: DeserializeOwned>(socket: &Path, path: &str, patience: Duration) -> Result<T, Error> {
    let stream = UnixStream::connect(socket).map_err(Error::Connect)?;
    let answer = exchange(&stream, path, Instant::now() + patience).map_err(Error::Exchange)?;

    let (head, body) = split(&answer).ok_or_else(|| Error::Exchange(io::ErrorKind::UnexpectedEof.into()))?;
    let status = head.lines().next().unwrap_or_default();
    if status.split(' ').nth(1) != Some("200") {
        return Err(Error::Status(status.into()));
    }
    serde_json::from_slice(body).map_err(Error::Content)
}

fn exchange(mut stream: &UnixStream, path: &str, deadline: Instant) -> io::Result<Vec<u8>> {
    stream.set_write_timeout(Some(remaining(deadline)?))?;
    stream.write_all(format!("GET {path} HTTP/1.0\r\nHost: docker\r\n\r\n").as_bytes())?;

    let mut answer = Vec::new();
    let mut part = [0; 16 << 10];
    loop {
        stream.set_read_timeout(Some(remaining(deadline)?))?;
        match stream.read(&mut part) {
            Ok(0) => return Ok(answer),
            Ok(length) if answer.len() + length > LONGEST => return Err(io::ErrorKind::FileTooLarge.into()),
            Ok(length) => answer.extend_from_slice(&part[..length]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // What a socket's timeout is reported as.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Err(io::ErrorKind::TimedOut.into()),
            Err(error) => return Err(error),
        }
    }
}

/// The time left; a timeout of zero would mean none at all.
fn remaining(deadline: Instant) -> io::Result<Duration> {
    deadline
        .checked_duration_since(Instant::now())
        .filter(|left| !left.is_zero())
        .ok_or_else(|| io::ErrorKind::TimedOut.into())
}

fn split(answer: &[u8]) -> Option<(&str, &[u8])> {
    let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n")?;
    Some((str::from_utf8(&answer[..end]).ok()?, &answer[end + 4..]))
}

#[cfg(test)]
mod tests {
    use super::{Error, get};
    use serde_json::Value;
    use std::io::{Read, Write};
    use std::os::unix::net::UnixListener;
    use std::path::Path;
    use std::thread;
    use std::time::Duration;

    const PATIENCE: Duration = Duration::from_secs(5);

    /// Answers one question with `answer`; an empty one keeps the connection open instead.
    fn ask(answer: &'static str, patience: Duration) -> Result<Value, Error> {
        let directory = tempfile::tempdir().unwrap();
        let socket = directory.path().join("docker.sock");
        let listener = UnixListener::bind(&socket).unwrap();
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut question = [0; 256];
            let length = stream.read(&mut question).unwrap();
            assert_eq!(&question[..length], b"GET /version HTTP/1.0\r\nHost: docker\r\n\r\n");
            if answer.is_empty() {
                // Ends when the client gives up.
                let _ = stream.read(&mut question);
            } else {
                stream.write_all(answer.as_bytes()).unwrap();
            }
        });
        let result = get(&socket, "/version", patience);
        server.join().unwrap();
        result
    }

    #[test]
    fn an_answer() {
        let value = ask("HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n{\"Version\":\"x\"}", PATIENCE);
        assert_eq!(value.unwrap()["Version"], "x");
    }

    #[test]
    fn answers_that_are_none() {
        assert!(matches!(ask("HTTP/1.0 500 Oh\r\n\r\n{}", PATIENCE), Err(Error::Status(line)) if line.contains("500")));
        assert!(matches!(ask("HTTP/1.0 200 OK\r\n\r\n<html>", PATIENCE), Err(Error::Content(_))));
        assert!(matches!(ask("SSH-2.0", PATIENCE), Err(Error::Exchange(_))));
    }

    #[test]
    fn a_daemon_that_is_silent_is_not_waited_for() {
        // Long enough for the question to be written.
        let error = ask("", Duration::from_millis(500)).unwrap_err();
        assert!(matches!(&error, Error::Exchange(error) if error.kind() == std::io::ErrorKind::TimedOut));
        assert_eq!(error.to_string(), "timed out");
    }

    #[test]
    fn a_socket_that_is_not_there() {
        let error = get::<Value>(Path::new("/not/there"), "/version", PATIENCE).unwrap_err();
        assert_eq!(error.kind(), Some(std::io::ErrorKind::NotFound));
    }
}
