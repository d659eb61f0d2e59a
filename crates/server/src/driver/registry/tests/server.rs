//! A web server that answers as it is told to, and remembers what it was asked.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Request, Response};
use tokio::net::{TcpListener, TcpSocket};
use tokio::task::JoinHandle;

/// What it was asked.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    /// As `GET /v2/?n=1`.
    pub(super) line: String,
    pub(super) authorization: Option<String>,
    pub(super) body: String,
    /// Its own address, as `http://127.0.0.1:5000`.
    pub(super) base: String,
}

pub(super) struct Server {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
    task: Option<JoinHandle<()>>,
    /// Keeps the address of one that has gone from being given to somebody else.
    _nobody: Option<TcpSocket>,
}

impl Server {
    pub(super) async fn start(answer: impl Fn(&Asked) -> Response<Body> + Clone + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::<Mutex<Vec<Asked>>>::default();
        let seen = Arc::clone(&asked);
        let handle = move |request: Request<Body>| async move {
            let (head, body) = request.into_parts();
            let body = String::from_utf8(to_bytes(body, 1 << 20).await.unwrap().to_vec()).unwrap();
            let authorization = head.headers.get("authorization").map(|value| value.to_str().unwrap().to_owned());
            let line = format!("{} {}", head.method, head.uri);
            let asked = Asked { line, authorization, body, base: format!("http://{address}") };
            seen.lock().unwrap().push(asked.clone());
            answer(&asked)
        };
        let task = tokio::spawn(async move { axum::serve(listener, Router::new().fallback(handle)).await.unwrap() });
        Self { address, asked, task: Some(task), _nobody: None }
    }

    /// One that has gone.
    pub(super) fn absent() -> Self {
        let nobody = TcpSocket::new_v4().unwrap();
        nobody.bind(([127, 0, 0, 1], 0).into()).unwrap();
        let address = nobody.local_addr().unwrap();
        Self { address, asked: Arc::default(), task: None, _nobody: Some(nobody) }
    }

    /// With its port.
    pub(super) fn host(&self) -> String {
        self.address.to_string()
    }

    /// Each request, as `GET /v2/`, with its authorization behind.
    pub(super) fn asked(&self) -> Vec<String> {
        let asked = self.asked.lock().unwrap();
        let line = |asked: &Asked| match &asked.authorization {
            Some(authorization) => format!("{} {authorization}", asked.line),
            None => asked.line.clone(),
        };
        asked.iter().map(line).collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

/// An answer.
pub(super) fn answer(status: u16, headers: &[(&str, &str)], body: &str) -> Response<Body> {
    let mut builder = Response::builder().status(status);
    for (name, value) in headers {
        builder = builder.header(*name, *value);
    }
    builder.body(Body::from(body.to_owned())).unwrap()
}
