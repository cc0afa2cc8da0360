//! A proxy between a function and DynamoDB: it checks permissions, counts costs, and plays the faults
//! that DynamoDB Local never has.

use std::{
    fmt, io,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures_util::{StreamExt, stream};
use http_body_util::{BodyExt, Full, StreamBody, combinators::BoxBody};
use hyper::{
    Response,
    body::{Bytes, Frame, Incoming},
    server::conn::http1,
};
use serde_json::{Value, json};
use tokio::{
    net::TcpListener,
    task::{JoinHandle, spawn_blocking},
    time::sleep,
};

use crate::{ANY_PORT, DynamoDb, Result, block_on, listen, lock, runtime, server};

/// What the proxy does with a request.
#[derive(Clone, Debug)]
pub enum Reply {
    /// Passes it on to DynamoDB, and the response back.
    Pass,
    /// Closes the connection without a response, and does not pass it on.
    Close,
    /// Responds with this status code and body.
    Respond(u16, String),
    /// Closes the connection in the middle of a response.
    TruncatedResponse,
    /// Never responds.
    NoResponse,
}

impl Reply {
    /// An error of DynamoDB's, for example 400 and `ThrottlingException`.
    pub fn error(status: u16, name: &str, message: &str) -> Self {
        let name = format!("com.amazonaws.dynamodb.v20120810#{name}");
        Self::Respond(
            status,
            json!({ "__type": name, "message": message }).to_string(),
        )
    }
}

/// A request to DynamoDB.
#[derive(Debug)]
pub struct Request {
    /// The operation, for example `GetItem`.
    pub operation: String,
    /// The input of the operation.
    pub input: Value,
    /// The `X-Amz-Target` header: the operation with its service.
    pub target: String,
}

impl Request {
    /// Whether this request looks up a token.
    pub fn is_for_token(&self) -> bool {
        self.input["TableName"] == "TokensTable"
    }
}

type Script = dyn Fn(&Request) -> Reply + Send + Sync;

/// A running proxy. It stops when it is dropped.
pub struct DynamoDbProxy {
    url: String,
    address: SocketAddr,
    shared: Arc<Shared>,
    server: Mutex<JoinHandle<()>>,
}

struct Shared {
    upstream: DynamoDb,
    script: Box<Script>,
    intercepted: AtomicUsize,
}

impl fmt::Debug for DynamoDbProxy {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "DynamoDbProxy({})", self.url)
    }
}

impl DynamoDbProxy {
    /// Starts a proxy in front of `upstream` that does with each request what `script` returns.
    ///
    /// # Errors
    /// Returns an error if no port is free.
    pub fn start(
        upstream: &DynamoDb,
        script: impl Fn(&Request) -> Reply + Send + Sync + 'static,
    ) -> Result<Self> {
        let (listener, address) = listen(ANY_PORT)?;
        let shared = Arc::new(Shared {
            upstream: upstream.clone(),
            script: Box::new(script),
            intercepted: AtomicUsize::new(0),
        });
        let server = Mutex::new(shared.clone().serve(listener));
        Ok(Self {
            url: format!("http://{address}"),
            address,
            shared,
            server,
        })
    }

    /// The URL of the proxy.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// How many requests it did not simply pass on.
    pub fn intercepted(&self) -> usize {
        self.shared.intercepted.load(Ordering::SeqCst)
    }

    /// Closes its connections and refuses new ones.
    pub fn stop(&self) {
        let mut server = lock(&self.server);
        server.abort();
        // The error says that it was aborted.
        let _ = block_on(&mut *server);
    }

    /// Listens on the same port again.
    ///
    /// # Errors
    /// Returns an error if another program has taken the port.
    pub fn resume(&self) -> Result<()> {
        let (listener, _) = listen(self.address)?;
        *lock(&self.server) = self.shared.clone().serve(listener);
        Ok(())
    }
}

impl Drop for DynamoDbProxy {
    fn drop(&mut self) {
        lock(&self.server).abort();
    }
}

impl Shared {
    fn serve(self: Arc<Self>, listener: TcpListener) -> JoinHandle<()> {
        let respond = move |request, _| self.clone().respond(request);
        runtime().spawn(server::serve(listener, http1::Builder::new(), respond))
    }

    /// Responds to a request. An error closes the connection without a response.
    async fn respond(
        self: Arc<Self>,
        request: hyper::Request<Incoming>,
    ) -> io::Result<Response<BoxBody<Bytes, io::Error>>> {
        let closed = || io::Error::from(io::ErrorKind::ConnectionReset);
        let target = request
            .headers()
            .get("x-amz-target")
            .and_then(|target| target.to_str().ok());
        let target = target.unwrap_or_default().to_owned();
        let body = request
            .into_body()
            .collect()
            .await
            .map_err(io::Error::other)?
            .to_bytes();
        let operation = target
            .split_once('.')
            .map_or("", |(_, operation)| operation)
            .to_owned();
        let input = serde_json::from_slice(&body).unwrap_or_default();
        let parsed = Request {
            operation,
            input,
            target: target.clone(),
        };
        // Scripts may block: they write files and call DynamoDB.
        let shared = self.clone();
        let reply = spawn_blocking(move || (shared.script)(&parsed))
            .await
            .map_err(io::Error::other)?;
        if !matches!(reply, Reply::Pass) {
            self.intercepted.fetch_add(1, Ordering::SeqCst);
        }
        let (status, body) = match reply {
            Reply::Pass => self
                .upstream
                .forward(&target, body)
                .await
                .map_err(|_| closed())?,
            Reply::Close => return Err(closed()),
            Reply::Respond(status, body) => (status, body.into()),
            Reply::TruncatedResponse => {
                // The pause lets the start be sent before the connection is closed.
                let start = stream::once(async { Ok(Frame::data(Bytes::from_static(b"{"))) });
                let end = stream::once(async {
                    sleep(Duration::from_millis(10)).await;
                    Err(io::ErrorKind::ConnectionReset.into())
                });
                let body = BodyExt::boxed(StreamBody::new(start.chain(end)));
                let response = Response::builder().header("content-length", "1000");
                return response.body(body).map_err(io::Error::other);
            }
            Reply::NoResponse => std::future::pending().await,
        };
        let body = Full::new(body).map_err(|never| match never {}).boxed();
        let response = Response::builder()
            .status(status)
            .header("content-type", "application/x-amz-json-1.0");
        response.body(body).map_err(io::Error::other)
    }
}
