//! The sockets of users' shells: the same API as over the network, for one user each; and a way to that user's clusters.

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::connect_info::MockConnectInfo;
use axum::extract::{Extension, Request};
use axum::http::{Method, StatusCode};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use hyper_util::rt::TokioIo;
use tokio::io::copy_bidirectional;
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, mpsc};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::access::User;
use crate::live::Live;
use crate::terminal::shell::Socket;
use crate::terminal::tunnel;

/// Connections of one user's shells to clusters at once.
const TUNNELS: usize = 128;

/// How long a node may take to answer a connection.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);

/// Serves sockets as they come, until `closing` is cancelled.
pub(super) async fn serve(
    mut sockets: mpsc::UnboundedReceiver<Socket>,
    router: Router,
    live: Arc<Live>,
    closing: CancellationToken,
) {
    while let Some(Some(socket)) = closing.run_until_cancelled(sockets.recv()).await {
        let Socket { user, listener, closing: ended } = socket;
        // A socket has no address; its user's shells are on this host.
        let nobody = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let tunnels = Arc::new(Semaphore::new(TUNNELS));
        let (live, owner, end) = (Arc::clone(&live), user.clone(), ended.clone());
        let connect = from_fn(move |request, next| {
            connect(Arc::clone(&live), owner.clone(), Arc::clone(&tunnels), end.clone(), request, next)
        });
        let router = router.clone().layer(connect).layer(Extension(user)).layer(MockConnectInfo(nobody));
        let stop = ended.clone();
        let serving = axum::serve(listener, router).with_graceful_shutdown(stop.cancelled_owned());
        tokio::spawn(async move {
            // What still hangs on it goes with its container.
            ended.run_until_cancelled(serving.into_future()).await
        });
    }
}

/// Connects a shell to a cluster, where that is what is asked for.
async fn connect(
    live: Arc<Live>,
    user: User,
    tunnels: Arc<Semaphore>,
    closing: CancellationToken,
    mut request: Request<Body>,
    next: Next,
) -> Result<Response, Infallible> {
    if request.method() != Method::CONNECT {
        return Ok(next.run(request).await);
    }
    let authority = request.uri().authority().map(ToString::to_string).unwrap_or_default();
    let address = match tunnel::permit(&live, &user, &authority) {
        Ok(address) => address,
        Err(failure) => {
            let status = StatusCode::from_u16(failure.code.0).unwrap_or(StatusCode::FORBIDDEN);
            return Ok((status, format!("{}\n", failure.line())).into_response());
        }
    };
    let Ok(place) = tunnels.try_acquire_owned() else {
        let text = format!("{TUNNELS} connections to clusters are open, which is as many as there may be\n");
        return Ok((StatusCode::SERVICE_UNAVAILABLE, text).into_response());
    };
    let mut stream = match timeout(CONNECT_LIMIT, TcpStream::connect(address)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return Ok((StatusCode::BAD_GATEWAY, format!("{address}: {error}\n")).into_response()),
        Err(_) => return Ok((StatusCode::GATEWAY_TIMEOUT, format!("{address} does not answer\n")).into_response()),
    };
    let upgrade = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        let carry = async {
            match upgrade.await {
                Ok(client) => {
                    if let Err(error) = copy_bidirectional(&mut TokioIo::new(client), &mut stream).await {
                        tracing::debug!(%error, "a connection of a shell broke");
                    }
                }
                Err(error) => tracing::debug!(%error, "a shell did not take up its connection"),
            }
        };
        closing.run_until_cancelled(carry).await;
        drop(place);
    });
    Ok(StatusCode::OK.into_response())
}
