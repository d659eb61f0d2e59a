//! TCP from the gateways of clusters' networks to registries on this host's loopback.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use ipnet::Ipv4Net;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_util::sync::{CancellationToken, DropGuard};

/// Connections that are passed on at once, of one network to one registry.
const CONNECTIONS: usize = 256;

/// How long a registry may take to let a connection in.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);

/// How many connections may wait to be taken.
const BACKLOG: u32 = 128;

/// A way from a network to a registry.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Forward {
    /// Where the nodes come to.
    pub(super) listen: SocketAddr,
    /// Where they come from; nobody else is let through.
    pub(super) subnet: Ipv4Net,
    /// What they are passed on to.
    pub(super) target: (String, u16),
}

/// The ways that are open; each closes with its value.
#[derive(Debug, Default)]
pub(super) struct Forwards {
    open: HashMap<SocketAddr, (Forward, DropGuard)>,
}

impl Forwards {
    /// From now on these are open, and no others.
    pub(super) fn be(&mut self, wished: Vec<Forward>) {
        let wished: HashMap<SocketAddr, Forward> =
            wished.into_iter().map(|forward| (forward.listen, forward)).collect();
        self.open.retain(|listen, (forward, _)| wished.get(listen) == Some(forward));
        for (listen, forward) in wished {
            self.open.entry(listen).or_insert_with(|| {
                let stop = CancellationToken::new();
                tokio::spawn(run(forward.clone(), stop.clone()));
                (forward, stop.drop_guard())
            });
        }
    }
}

async fn run(forward: Forward, stop: CancellationToken) {
    let listener = match listen(forward.listen) {
        Ok(listener) => listener,
        // It listens on all addresses itself, so that nodes reach it without us.
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            tracing::info!(listen = %forward.listen, "something listens here already; nodes reach that");
            return;
        }
        Err(error) => {
            tracing::warn!(%error, listen = %forward.listen, "nodes do not reach the host's registry");
            return;
        }
    };
    stop.run_until_cancelled(serve(listener, &forward, &stop)).await;
}

/// Listens on an address that may come only later, as that of a network which is about to be made.
fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    rustix::net::sockopt::set_ip_freebind(&socket, true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

async fn serve(listener: TcpListener, forward: &Forward, stop: &CancellationToken) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        // It is never closed.
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let (stream, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::debug!(%error, "a connection is not taken");
                // Without a file descriptor the next would fail at once as well.
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        if !matches!(peer.ip(), IpAddr::V4(address) if forward.subnet.contains(&address)) {
            tracing::debug!(%peer, "not of the cluster's network");
            continue;
        }
        let (target, stop) = (forward.target.clone(), stop.clone());
        tokio::spawn(async move {
            if let Some(Err(error)) = stop.run_until_cancelled(pass(stream, target)).await {
                tracing::debug!(%error, "a connection to the host's registry ended");
            }
            drop(place);
        });
    }
}

async fn pass(mut stream: TcpStream, (host, port): (String, u16)) -> io::Result<()> {
    let connecting = TcpStream::connect((host.as_str(), port));
    let mut registry =
        timeout(CONNECT_LIMIT, connecting).await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
    copy_bidirectional(&mut stream, &mut registry).await.map(drop)
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    /// A registry on loopback that says what it hears, and ways to it from a network that loopback is part of.
    async fn forwards(subnet: &str) -> (Forwards, Forward) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let (mut reader, mut writer) = stream.split();
                    let _ = tokio::io::copy(&mut reader, &mut writer).await;
                });
            }
        });
        let listen = SocketAddr::from(([127, 0, 77, 1], port));
        let forward = Forward { listen, subnet: subnet.parse().unwrap(), target: ("localhost".into(), port) };
        let mut forwards = Forwards::default();
        forwards.be(vec![forward.clone()]);
        // Once it runs, its task has gone as far as it can.
        tokio::task::yield_now().await;
        (forwards, forward)
    }

    async fn ask(address: SocketAddr) -> io::Result<String> {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(b"hello").await?;
        stream.shutdown().await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        Ok(answer)
    }

    #[tokio::test]
    async fn a_network_is_passed_on_until_it_is_wished_no_more() {
        let (mut forwards, forward) = forwards("127.0.0.0/8").await;
        assert_eq!(ask(forward.listen).await.unwrap(), "hello");
        forwards.be(vec![forward.clone()]);
        assert_eq!(ask(forward.listen).await.unwrap(), "hello");
        forwards.be(Vec::new());
        tokio::task::yield_now().await;
        assert!(ask(forward.listen).await.is_err());
    }

    #[tokio::test]
    async fn others_are_not_let_through() {
        let (_forwards, forward) = forwards("10.201.3.0/24").await;
        assert_ne!(ask(forward.listen).await.unwrap_or_default(), "hello");
    }

    #[tokio::test]
    async fn an_address_may_come_later() {
        assert!(listen("198.51.100.1:5000".parse().unwrap()).is_ok());
    }
}
