//! Where connections come in.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Resource, getrlimit, setrlimit};
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::Semaphore;

use crate::connection;
use crate::log;
use crate::pool::Pool;

/// Connections the kernel keeps until they are accepted.
const BACKLOG: u32 = 1024;

/// Until the next attempt where none can be accepted, for want of file descriptors or memory: nothing tells when there are some.
const PAUSE: Duration = Duration::from_millis(100);

/// Listens on a port of all addresses, of both families where the host has both.
pub fn listen(port: u16) -> std::io::Result<Vec<TcpListener>> {
    let mut listeners = vec![bind(TcpSocket::new_v4()?, (Ipv4Addr::UNSPECIFIED, port).into())?];
    // Without IPv6 in the kernel there is no such socket, and with it turned off no such address.
    if let Ok(socket) = TcpSocket::new_v6() {
        rustix::net::sockopt::set_ipv6_v6only(&socket, true)?;
        match bind(socket, (Ipv6Addr::UNSPECIFIED, port).into()) {
            Err(error) if error.kind() == ErrorKind::AddrNotAvailable => {}
            listener => listeners.push(listener?),
        }
    }
    Ok(listeners)
}

fn bind(socket: TcpSocket, address: SocketAddr) -> std::io::Result<TcpListener> {
    // After a restart, connections of the former process may still end.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Lets the process have as many open files as it may: each connection takes two.
pub fn raise_file_limit() -> std::io::Result<()> {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    Ok(setrlimit(Resource::Nofile, limit)?)
}

/// Passes on each connection for as long as the process lives.
pub(crate) async fn accept(listener: TcpListener, pool: Arc<Pool>, permits: Arc<Semaphore>) {
    loop {
        let permit = Arc::clone(&permits).acquire_owned().await.expect("the semaphore is never closed");
        match listener.accept().await {
            Ok((client, _)) => {
                let pool = Arc::clone(&pool);
                tokio::spawn(async move {
                    connection::serve(&pool, client).await;
                    drop(permit);
                });
            }
            Err(error) => {
                log::line(format_args!("cannot accept a connection: {error}"));
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}
