//! One connection: bytes both ways, until either end.

use std::time::Duration;

use rustix::net::sockopt;
use tokio::io::{AsyncWriteExt as _, copy};
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};

use crate::pool::Pool;

/// A peer that vanished, a node that was killed, says nothing: looked for after as long a silence, this often, as many times.
const SILENCE: Duration = Duration::from_secs(10);
const PROBE_INTERVAL: Duration = Duration::from_secs(5);
const PROBES: u32 = 3;

/// How long data may stay without an answer of the peer's kernel, in milliseconds.
const UNANSWERED: u32 = 25_000;

/// How long one direction may last once the other has ended.
const HALF_CLOSED: Duration = Duration::from_mins(1);

/// Connects the client to a server that answers, and passes bytes on until one of them ends or the server is removed. A client
/// that no server answers for is closed.
pub(crate) async fn serve(pool: &Pool, mut client: TcpStream) {
    let Some((mut server, mut lease)) = pool.connect().await else { return };
    if prepare(&client).and_then(|()| prepare(&server)).is_err() {
        return;
    }
    tokio::select! {
        () = pass_on(&mut client, &mut server) => {}
        () = lease.revoked() => {}
    }
}

fn prepare(stream: &TcpStream) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    sockopt::set_socket_keepalive(stream, true)?;
    sockopt::set_tcp_keepidle(stream, SILENCE)?;
    sockopt::set_tcp_keepintvl(stream, PROBE_INTERVAL)?;
    sockopt::set_tcp_keepcnt(stream, PROBES)?;
    Ok(sockopt::set_tcp_user_timeout(stream, UNANSWERED)?)
}

async fn pass_on(client: &mut TcpStream, server: &mut TcpStream) {
    let (mut from_client, mut to_client) = client.split();
    let (mut from_server, mut to_server) = server.split();
    let mut up = std::pin::pin!(one_way(&mut from_client, &mut to_server));
    let mut down = std::pin::pin!(one_way(&mut from_server, &mut to_client));
    // One that broke takes the other along; one that ended leaves it time to end.
    tokio::select! {
        ended = &mut up => if ended.is_ok() { let _ = tokio::time::timeout(HALF_CLOSED, down).await; },
        ended = &mut down => if ended.is_ok() { let _ = tokio::time::timeout(HALF_CLOSED, up).await; },
    }
}

async fn one_way(from: &mut ReadHalf<'_>, to: &mut WriteHalf<'_>) -> std::io::Result<()> {
    copy(from, to).await?;
    to.shutdown().await
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::io::AsyncReadExt as _;
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn one_direction_does_not_outlast_the_other_by_much() {
        let (outside, inside) = (TcpListener::bind("127.0.0.1:0").await, TcpListener::bind("127.0.0.1:0").await);
        let (outside, inside) = (outside.unwrap(), inside.unwrap());
        let pool = Arc::new(Pool::default());
        pool.replace(&[inside.local_addr().unwrap()]);
        let mut client = TcpStream::connect(outside.local_addr().unwrap()).await.unwrap();
        let (accepted, _) = outside.accept().await.unwrap();
        let serving = tokio::spawn(async move { serve(&pool, accepted).await });
        let (mut server, _) = inside.accept().await.unwrap();
        let begun = tokio::time::Instant::now();
        client.shutdown().await.unwrap();
        // The server learns that the client has ended, but says nothing itself.
        assert_eq!(server.read(&mut [0]).await.unwrap(), 0);
        serving.await.unwrap();
        assert!(begun.elapsed() >= HALF_CLOSED / 2);
        assert_eq!(client.read(&mut [0]).await.unwrap(), 0);
    }

    #[tokio::test]
    async fn peers_that_vanish_are_looked_for() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        prepare(&stream).unwrap();
        assert!(sockopt::socket_keepalive(&stream).unwrap());
        let found = sockopt::tcp_keepidle(&stream).unwrap()
            + sockopt::tcp_keepintvl(&stream).unwrap() * sockopt::tcp_keepcnt(&stream).unwrap();
        assert_eq!(found.as_millis(), UNANSWERED.into());
        assert_eq!(sockopt::tcp_user_timeout(&stream).unwrap(), UNANSWERED);
    }
}
