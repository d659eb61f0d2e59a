//! TCP from the gateways of clusters' networks to registries on this host's loopback. It is listened only while the registry
//! answers there: one that is away may come back on all addresses, for which its port must be free everywhere.

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

/// Between two looks whether a registry is still there. It tells nobody when it goes.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// The shortest and the longest time between two looks for one that is away, or that nodes reach without us.
const BACKOFF: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(10));

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
    let listen_and_look = async {
        let (mut pause, mut told) = (BACKOFF.0, None);
        loop {
            match open(&forward).await {
                Ok(listener) => {
                    tokio::select! {
                        () = serve(listener, &forward, &stop) => {}
                        () = absence(&forward.target) => {}
                    }
                    (pause, told) = (BACKOFF.0, None);
                }
                // It is told once, and not at every look.
                Err(error) if told != Some(error.kind()) => {
                    tracing::info!(%error, listen = %forward.listen, "the host's registry is not passed on here");
                    told = Some(error.kind());
                }
                Err(_) => {}
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(BACKOFF.1);
        }
    };
    stop.run_until_cancelled(listen_and_look).await;
}

/// Listens for a registry that answers. One that listens on all addresses itself has this one taken: nodes reach it without
/// us.
async fn open(forward: &Forward) -> io::Result<TcpListener> {
    connect(&forward.target).await?;
    listen(forward.listen)
}

/// Waits until a registry does not answer any more.
async fn absence(target: &(String, u16)) {
    loop {
        tokio::time::sleep(LOOK_INTERVAL).await;
        if connect(target).await.is_err() {
            return;
        }
    }
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

async fn connect((host, port): &(String, u16)) -> io::Result<TcpStream> {
    let connecting = TcpStream::connect((host.as_str(), *port));
    timeout(CONNECT_LIMIT, connecting).await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
}

async fn pass(mut stream: TcpStream, target: (String, u16)) -> io::Result<()> {
    let mut registry = connect(&target).await?;
    copy_bidirectional(&mut stream, &mut registry).await.map(drop)
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::task::JoinHandle;

    use super::*;

    /// A registry that says what it hears, until its task is aborted.
    struct Registry(JoinHandle<()>);

    impl Registry {
        fn serve(listener: TcpListener) -> Self {
            Self(tokio::spawn(async move {
                while let Ok((mut stream, _)) = listener.accept().await {
                    tokio::spawn(async move {
                        let (mut reader, mut writer) = stream.split();
                        let _ = tokio::io::copy(&mut reader, &mut writer).await;
                    });
                }
            }))
        }

        /// Comes back here, once nobody else listens in its way.
        async fn return_to(address: SocketAddr) -> Self {
            let listener = until(async || TcpListener::bind(address).await.ok()).await;
            Self::serve(listener)
        }

        async fn end(self) {
            self.0.abort();
            let _ = self.0.await;
        }
    }

    /// Ways to a registry on loopback from a network that loopback is part of.
    async fn forwards(subnet: &str) -> (Forwards, Forward, Registry) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let listen = SocketAddr::from(([127, 0, 77, 1], port));
        let forward = Forward { listen, subnet: subnet.parse().unwrap(), target: ("localhost".into(), port) };
        let mut forwards = Forwards::default();
        forwards.be(vec![forward.clone()]);
        (forwards, forward, Registry::serve(listener))
    }

    async fn ask(address: SocketAddr) -> io::Result<String> {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(b"hello").await?;
        stream.shutdown().await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        Ok(answer)
    }

    async fn until<T>(mut has_come: impl AsyncFnMut() -> Option<T>) -> T {
        let wait = async {
            loop {
                if let Some(come) = has_come().await {
                    return come;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(Duration::from_mins(5), wait).await.expect("it does not come")
    }

    /// Waits until nodes reach the registry.
    async fn answers(address: SocketAddr) {
        until(async || ask(address).await.ok().filter(|answer| answer == "hello")).await;
    }

    /// Waits until nobody listens.
    async fn is_free(address: SocketAddr) {
        until(async || TcpStream::connect(address).await.err()).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_network_is_passed_on_until_it_is_wished_no_more() {
        let (mut forwards, forward, _registry) = forwards("127.0.0.0/8").await;
        answers(forward.listen).await;
        forwards.be(vec![forward.clone()]);
        assert_eq!(ask(forward.listen).await.unwrap(), "hello");
        forwards.be(Vec::new());
        is_free(forward.listen).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_registry_that_comes_back_on_all_addresses_finds_its_port_free_and_may_go_back_to_loopback() {
        let (mut forwards, forward, registry) = forwards("127.0.0.0/8").await;
        let port = forward.target.1;
        answers(forward.listen).await;
        registry.end().await;
        let registry = Registry::return_to(([0, 0, 0, 0], port).into()).await;
        // It is reached without us, however long that lasts.
        tokio::time::sleep(Duration::from_mins(5)).await;
        assert_eq!(ask(forward.listen).await.unwrap(), "hello");
        registry.end().await;
        let registry = Registry::return_to(([127, 0, 0, 1], port).into()).await;
        answers(forward.listen).await;
        // One that is wished no more while it is away does not come back.
        registry.end().await;
        is_free(forward.listen).await;
        forwards.be(Vec::new());
        let _registry = Registry::return_to(([127, 0, 0, 1], port).into()).await;
        tokio::time::sleep(Duration::from_mins(5)).await;
        assert!(ask(forward.listen).await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn others_are_not_let_through() {
        let (_forwards, forward, _registry) = forwards("10.201.3.0/24").await;
        until(async || TcpStream::connect(forward.listen).await.ok()).await;
        assert_ne!(ask(forward.listen).await.unwrap_or_default(), "hello");
    }

    #[tokio::test]
    async fn an_address_may_come_later() {
        assert!(listen("198.51.100.1:5000".parse().unwrap()).is_ok());
    }
}
