//! The little HTTP/1.0 that two probes need to talk.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(5);

/// Answers every request with the text.
pub(crate) fn serve(port: u16, text: &str) -> io::Result<()> {
    // Of both families, but for kernels that have one.
    let listener = TcpListener::bind((Ipv6Addr::UNSPECIFIED, port))
        .or_else(|_| TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)))?;
    for connection in listener.incoming() {
        // One that breaks is its client's business.
        let _ = answer(connection?, text);
    }
    Ok(())
}

/// The body of the answer.
pub(crate) fn fetch(address: SocketAddr, host: &str) -> io::Result<String> {
    let mut connection = TcpStream::connect_timeout(&address, PATIENCE)?;
    bound(&connection)?;
    write!(connection, "GET / HTTP/1.0\r\nHost: {host}\r\n\r\n")?;
    let mut answer = String::new();
    connection.read_to_string(&mut answer)?;
    match answer.split_once("\r\n\r\n") {
        Some((head, body)) if head.starts_with("HTTP/1.0 200 ") => Ok(body.to_owned()),
        _ => Err(io::Error::other(format!("{address} answers with: {answer}"))),
    }
}

fn answer(mut connection: TcpStream, text: &str) -> io::Result<()> {
    bound(&connection)?;
    let mut lines = BufReader::new(&connection).take(8192).lines();
    while lines.next().transpose()?.is_some_and(|line| !line.is_empty()) {}
    write!(connection, "HTTP/1.0 200 OK\r\nContent-Length: {}\r\n\r\n{text}", text.len())
}

fn bound(connection: &TcpStream) -> io::Result<()> {
    connection.set_read_timeout(Some(PATIENCE))?;
    connection.set_write_timeout(Some(PATIENCE))
}
