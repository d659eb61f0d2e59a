//! The least that can answer: a WebSocket that sends texts of given sizes for each one it receives.

use axum::Router;
use axum::extract::WebSocketUpgrade;
use axum::extract::ws::{Message, Utf8Bytes, WebSocket};
use axum::routing::get;
use axum::serve::ListenerExt as _;
use futures_util::SinkExt as _;
use tokio::net::TcpListener;

use crate::say;

/// What only the last message of an answer has in it.
pub(crate) const LAST: &str = "APICMD_DONE";

/// Serves until nobody needs it any more, which whoever started it sees to.
#[tokio::main]
pub(crate) async fn run(sizes: &[usize]) -> anyhow::Result<()> {
    let texts: Vec<Utf8Bytes> = (1..=sizes.len())
        .zip(sizes)
        .map(|(index, size)| {
            let last = if index == sizes.len() { LAST } else { "" };
            format!("{last}{}", "x".repeat(size.saturating_sub(last.len()))).into()
        })
        .collect();
    let answer =
        get(async move |upgrade: WebSocketUpgrade| upgrade.on_upgrade(async move |socket| serve(socket, &texts).await));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    say(&format!("listening {}", listener.local_addr()?.port()))?;
    let listener = listener.tap_io(|socket| {
        // Without it the peer is only slower.
        let _ = socket.set_nodelay(true);
    });
    Ok(axum::serve(listener, Router::new().route("/qbo", answer)).await?)
}

async fn serve(mut socket: WebSocket, texts: &[Utf8Bytes]) {
    while let Some(Ok(Message::Text(_))) = socket.recv().await {
        for text in texts {
            if socket.feed(Message::Text(text.clone())).await.is_err() {
                return;
            }
        }
        if socket.flush().await.is_err() {
            return;
        }
    }
}
