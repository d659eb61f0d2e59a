//! A TCP balancer in front of the API servers of one cluster.
//!
//! The way of a connection: [`listen`] accepts it → [`pool`] connects it to the next server that answers → [`connection`]
//! passes bytes both ways until either end, or the server's removal. Which servers there are stands in a file ([`list`]) that is
//! replaced while the balancer runs; the kernel tells of it. A server that refuses a connection is left out until it answers again.

mod connection;
pub mod list;
mod listen;
mod log;
mod pool;

use std::convert::Infallible;
use std::path::Path;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::sync::Semaphore;

pub use listen::{listen, raise_file_limit};

use list::{List, ListError};
use pool::Pool;

/// Passes on what the listeners accept to the servers of this list, at most `limit` connections at a time; further ones wait to be
/// accepted. Ends only where the list cannot be watched.
pub async fn run(listeners: Vec<TcpListener>, list: &Path, limit: usize) -> Result<Infallible, ListError> {
    let mut list = List::watch(list)?;
    let pool = Arc::new(Pool::default());
    take_over(&pool, &list);
    let permits = Arc::new(Semaphore::new(limit));
    for listener in listeners {
        tokio::spawn(listen::accept(listener, Arc::clone(&pool), Arc::clone(&permits)));
    }
    loop {
        list.changed().await?;
        take_over(&pool, &list);
    }
}

/// Has the pool follow the list. One that is missing or wrong changes nothing.
fn take_over(pool: &Arc<Pool>, list: &List) {
    match list.read() {
        Ok(addresses) => pool.replace(&addresses),
        Err(error) => log::line(format_args!("{error}")),
    }
}
