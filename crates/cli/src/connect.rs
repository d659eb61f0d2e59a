//! The channel to the server: a WebSocket that is opened, written to and read from within bounds of time.
//!
//! A command may take minutes in which the server says nothing, so silence is no error: after [`PATIENCE`] without
//! a frame the server is asked for a sign of life, and after as long again it is given up.

use std::io;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use qbo_api::message::{Code, Request};
use qbo_api::{CHANNEL_PATH, CONNECTION_HEADER};
use serde::Deserialize;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::handshake::client::Response;
use tokio_tungstenite::tungstenite::http::header::{COOKIE, HeaderValue, USER_AGENT};
use tokio_tungstenite::tungstenite::{self, Bytes, Message, Utf8Bytes};
use uuid::Uuid;

use crate::config::Config;
use crate::failure::Failure;

/// For the TCP connection, and again for the upgrade.
const OPENING: Duration = Duration::from_secs(5);
/// Silence after which the server is asked for a sign of life, and again until it is given up.
const PATIENCE: Duration = Duration::from_secs(20);
/// For saying goodbye, which nobody depends on.
const CLOSING: Duration = Duration::from_millis(500);

const AGENT: &str = concat!("qbo/", env!("CARGO_PKG_VERSION"));
/// Where TLS is spoken.
const TLS_PORT: u16 = 443;

/// An open channel.
#[derive(Debug)]
pub(crate) struct Connection<S = TcpStream> {
    socket: WebSocketStream<S>,
    address: String,
    wsi: String,
    /// When silence has lasted long enough for the next question.
    deadline: Instant,
    /// Whether a sign of life was asked for and has not come.
    asked: bool,
}

/// A message, as it came and as far as it must be understood.
#[derive(Debug, Clone)]
pub(crate) struct Received {
    /// The JSON text.
    pub(crate) text: Utf8Bytes,
    /// Which command it belongs to.
    pub(crate) head: Head,
}

/// The part of the envelope that tells whose a message is.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Head {
    /// How far the command is.
    pub(crate) code: Code,
    /// The command.
    pub(crate) command_id: Uuid,
    /// The connection that sent the command.
    pub(crate) wsi: String,
    /// The mirror it is told in.
    #[serde(default)]
    pub(crate) uuid: Uuid,
    /// On rows of what is known.
    #[serde(default)]
    pub(crate) sequence: Option<u64>,
}

/// Why there is no channel, or none any more.
#[derive(Debug)]
pub(crate) enum ConnectError {
    /// Nothing listens there.
    Refused { address: String, sources: String, local: bool },
    /// The network or the host does not let us through.
    Unreachable { address: String, sources: String, reason: String },
    /// Something listens there that is no API server.
    NotOurs { address: String, sources: String, reason: String },
    /// The server does not know us.
    Unauthorised { address: String, status: u16 },
    /// TLS is not spoken yet, and a token does not travel in the clear.
    NeedsTls { address: String },
    /// The channel broke.
    Lost { address: String, reason: String },
}

/// Opens a WebSocket of the server at this path; with it comes the server's answer.
pub(crate) async fn dial(config: &Config, path: &str) -> Result<(WebSocketStream<TcpStream>, Response), ConnectError> {
    let (address, sources) = (config.address(), config.sources());
    if config.port.value == TLS_PORT {
        return Err(ConnectError::NeedsTls { address });
    }
    let unreachable =
        |reason: String| ConnectError::Unreachable { address: address.clone(), sources: sources.clone(), reason };
    let connecting = TcpStream::connect((config.host.value.as_str(), config.port.value));
    let stream = match timeout(OPENING, connecting).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => {
            return Err(ConnectError::Refused { address, sources, local: config.is_local() });
        }
        Ok(Err(error)) => return Err(unreachable(error.to_string())),
        Err(_) => return Err(unreachable(format!("no connection within {} s", OPENING.as_secs()))),
    };
    // One small frame each way: waiting to fill a packet would only delay it.
    stream.set_nodelay(true).map_err(|error| unreachable(error.to_string()))?;
    upgrade(stream, config, path).await
}

async fn upgrade<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    config: &Config,
    path: &str,
) -> Result<(WebSocketStream<S>, Response), ConnectError> {
    let address = config.address();
    let not_ours = |reason: String| not_ours(config, reason);
    let mut request =
        format!("ws://{address}{path}").into_client_request().map_err(|error| not_ours(error.to_string()))?;
    request.headers_mut().insert(USER_AGENT, HeaderValue::from_static(AGENT));
    if let Some(token) = &config.token {
        let mut cookie = HeaderValue::from_str(&token.cookie()).map_err(|error| not_ours(error.to_string()))?;
        cookie.set_sensitive(true);
        request.headers_mut().insert(COOKIE, cookie);
    }
    let upgrading = tokio_tungstenite::client_async(request, stream);
    match timeout(OPENING, upgrading).await {
        Ok(Ok(upgraded)) => Ok(upgraded),
        Ok(Err(tungstenite::Error::Http(response))) => {
            let status = response.status().as_u16();
            Err(match status {
                401 | 403 => ConnectError::Unauthorised { address, status },
                _ => not_ours(format!("it answered the upgrade with HTTP {}", response.status())),
            })
        }
        Ok(Err(error)) => Err(not_ours(error.to_string())),
        Err(_) => Err(not_ours(format!("no answer to the upgrade within {} s", OPENING.as_secs()))),
    }
}

fn not_ours(config: &Config, reason: String) -> ConnectError {
    ConnectError::NotOurs { address: config.address(), sources: config.sources(), reason }
}

impl Connection {
    /// Opens the channel.
    pub(crate) async fn open(config: &Config) -> Result<Self, ConnectError> {
        Self::new(dial(config, CHANNEL_PATH).await?, config)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    fn new((socket, response): (WebSocketStream<S>, Response), config: &Config) -> Result<Self, ConnectError> {
        let wsi = response.headers().get(CONNECTION_HEADER).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let wsi = wsi.ok_or_else(|| not_ours(config, format!("its answer has no header {CONNECTION_HEADER}")))?;
        Ok(Self { socket, address: config.address(), wsi, deadline: Instant::now() + PATIENCE, asked: false })
    }

    /// Sends a command line for a mirror, or for the user's own, with the text of the file that the line names.
    pub(crate) async fn send(
        &mut self,
        line: &str,
        mirror: Option<Uuid>,
        file: Option<&str>,
    ) -> Result<(), ConnectError> {
        let uuid = mirror.map(|mirror| mirror.to_string()).unwrap_or_default();
        let request = Request { cmd: line.into(), uuid, file: file.map(Into::into) };
        let text = serde_json::to_string(&request).map_err(|error| self.lost(&error))?;
        self.write(Message::text(text)).await
    }

    /// The next message, whosever it is. Safe to drop and call again.
    pub(crate) async fn receive(&mut self) -> Result<Received, ConnectError> {
        loop {
            let frame = match timeout_at(self.deadline, self.socket.next()).await {
                Ok(frame) => frame,
                Err(_) if self.asked => {
                    return Err(self.lost(&format!("no sign of life for {} s", 2 * PATIENCE.as_secs())));
                }
                Err(_) => {
                    self.deadline = Instant::now() + PATIENCE;
                    self.asked = true;
                    self.write(Message::Ping(Bytes::new())).await?;
                    continue;
                }
            };
            self.deadline = Instant::now() + PATIENCE;
            self.asked = false;
            match frame {
                Some(Ok(Message::Text(text))) => {
                    let head = serde_json::from_str(&text).map_err(|error| self.lost(&error))?;
                    return Ok(Received { text, head });
                }
                Some(Ok(Message::Close(frame))) => {
                    let reason = frame.map(|frame| frame.reason.to_string()).filter(|reason| !reason.is_empty());
                    return Err(self.lost(&reason.as_deref().unwrap_or("the server closed it")));
                }
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(self.lost(&error)),
                None => return Err(self.lost(&"the server closed it")),
            }
        }
    }

    /// The id the server gave this connection.
    pub(crate) fn wsi(&self) -> &str {
        &self.wsi
    }

    /// The server's address.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Says goodbye.
    pub(crate) async fn close(mut self) {
        // The answer is there already; a server that is gone needs no goodbye.
        let _ = timeout(CLOSING, self.socket.close(None)).await;
    }

    async fn write(&mut self, message: Message) -> Result<(), ConnectError> {
        match timeout(PATIENCE, self.socket.send(message)).await {
            Ok(sent) => sent.map_err(|error| self.lost(&error)),
            Err(_) => Err(self.lost(&format!("nothing could be sent for {} s", PATIENCE.as_secs()))),
        }
    }

    fn lost(&self, reason: &dyn std::fmt::Display) -> ConnectError {
        ConnectError::Lost { address: self.address.clone(), reason: reason.to_string() }
    }
}

impl From<ConnectError> for Failure {
    fn from(error: ConnectError) -> Self {
        let correct = |sources: &str| {
            format!("check the address ({sources}): QBO_HOST and QBO_PORT, or qbo_host and qbo_port in ~/.qbo/cli.json")
        };
        match error {
            ConnectError::Refused { address, local: true, .. } => Self::host(
                format!("no API server answers at {address}"),
                "start it with 'qbo-api', or set up this host with './setup.sh'",
            ),
            ConnectError::Refused { address, sources, local: false } => Self::host(
                format!("no API server answers at {address}"),
                format!("start 'qbo-api' there, or {}", correct(&sources)),
            ),
            ConnectError::Unreachable { address, sources, reason } => {
                Self::host(format!("{address} cannot be reached: {reason}"), correct(&sources))
            }
            ConnectError::NotOurs { address, sources, reason } => {
                Self::host(format!("what answers at {address} is no qbo API server: {reason}"), correct(&sources))
            }
            ConnectError::Unauthorised { address, status } => Self::user(
                format!("the API server at {address} does not accept us (HTTP {status})"),
                "log in again, and put the new qbo_uid and qbo_aux into ~/.qbo/cli.json",
            ),
            ConnectError::NeedsTls { address } => Self::user(
                format!("{address} needs TLS, which this qbo does not speak yet"),
                "use a server on another port, as the local one on 127.0.0.1:9601",
            ),
            ConnectError::Lost { address, reason } => {
                Self::host(format!("the connection to the API server at {address} is lost: {reason}"), "")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{DuplexStream, duplex};
    use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request as Upgrade, Response as Named};

    use super::*;

    /// Both ends of a channel; time stands still while anything can go on.
    async fn channel() -> (Connection<DuplexStream>, WebSocketStream<DuplexStream>) {
        let (ours, theirs) = duplex(4096);
        #[expect(clippy::result_large_err, reason = "the type is the library's")]
        let name = |_: &Upgrade, mut response: Named| -> Result<Named, ErrorResponse> {
            response.headers_mut().insert(CONNECTION_HEADER, HeaderValue::from_static("7"));
            Ok(response)
        };
        let config = Config::local();
        let (ours, theirs) =
            tokio::join!(upgrade(ours, &config, CHANNEL_PATH), tokio_tungstenite::accept_hdr_async(theirs, name));
        (Connection::new(ours.unwrap(), &config).unwrap(), theirs.unwrap())
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_server_is_asked_and_then_given_up() {
        let (mut connection, mut server) = channel().await;
        let begin = Instant::now();
        let (received, question) = tokio::join!(connection.receive(), async {
            // Read but never answered: an answer is sent with the next read.
            server.next().await.unwrap().unwrap()
        });
        assert!(matches!(question, Message::Ping(_)), "{question:?}");
        let failure = Failure::from(received.unwrap_err());
        assert!(failure.problem.ends_with("no sign of life for 40 s"), "{}", failure.problem);
        assert_eq!(begin.elapsed(), 2 * PATIENCE);
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_answers_may_be_silent_for_long() {
        let (mut connection, mut server) = channel().await;
        let text = format!(r#"{{"code":200,"wsi":"7","command_id":"{}"}}"#, Uuid::nil());
        let (received, ()) = tokio::join!(connection.receive(), async {
            for _ in 0..10 {
                assert!(matches!(server.next().await, Some(Ok(Message::Ping(_)))));
            }
            server.send(Message::text(text.clone())).await.unwrap();
        });
        assert_eq!(received.unwrap().text.as_str(), text);
    }
}
