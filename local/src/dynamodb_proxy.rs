//! A proxy between a function and DynamoDB. It checks permissions, counts costs, and injects faults that
//! DynamoDB Local does not produce.

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
    /// Forwards the request to DynamoDB, and returns the response.
    Pass,
    /// Closes the connection without a response, and does not forward the request.
    Close,
    /// Responds with this status code and body.
    Respond(u16, String),
    /// Closes the connection in the middle of a response.
    TruncatedResponse,
    /// Never responds.
    NoResponse,
}

impl Reply {
    /// Returns an error response of DynamoDB, for example 400 and `ThrottlingException`.
    pub fn error(status: u16, name: &str, message: &str) -> Self {
        let error_type = format!("com.amazonaws.dynamodb.v20120810#{name}");
        Self::Respond(
            status,
            json!({ "__type": error_type, "message": message }).to_string(),
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

type ProxyResponse = Response<BoxBody<Bytes, io::Error>>;

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
    /// Starts a proxy in front of `upstream`. For each request, `script` decides what the proxy does.
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

    /// The number of requests for which the script returned something other than [`Reply::Pass`].
    pub fn intercepted(&self) -> usize {
        self.shared.intercepted.load(Ordering::SeqCst)
    }

    /// Closes all connections and refuses new ones.
    pub fn stop(&self) {
        let mut server = lock(&self.server);
        server.abort();
        // Ignore the error, which is that the task was aborted.
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
    ) -> io::Result<ProxyResponse> {
        let closed = || io::Error::from(io::ErrorKind::ConnectionReset);
        let (head, body) = request.into_parts();
        let header = head.headers.get("x-amz-target");
        let text = header.and_then(|target| target.to_str().ok());
        let target = text.unwrap_or_default().to_owned();
        let collected = body.collect().await.map_err(io::Error::other)?;
        let input = collected.to_bytes();
        let parsed = Request {
            operation: target.split('.').nth(1).unwrap_or_default().to_owned(),
            input: serde_json::from_slice(&input).unwrap_or_default(),
            target: target.clone(),
        };
        // Scripts may block, because they write files and call DynamoDB.
        let shared = self.clone();
        let reply = spawn_blocking(move || (shared.script)(&parsed))
            .await
            .map_err(io::Error::other)?;
        if !matches!(reply, Reply::Pass) {
            self.intercepted.fetch_add(1, Ordering::SeqCst);
        }
        let (status, output) = match reply {
            Reply::Pass => self
                .upstream
                .forward(&target, input)
                .await
                .map_err(|_| closed())?,
            Reply::Close => return Err(closed()),
            Reply::Respond(status, output) => (status, output.into()),
            Reply::TruncatedResponse => return truncated_response(),
            Reply::NoResponse => std::future::pending().await,
        };
        Response::builder()
            .status(status)
            .header("content-type", "application/x-amz-json-1.0")
            .body(Full::new(output).map_err(|never| match never {}).boxed())
            .map_err(io::Error::other)
    }
}

fn truncated_response() -> io::Result<ProxyResponse> {
    let start = stream::once(async { Ok(Frame::data(Bytes::from_static(b"{"))) });
    let end = stream::once(async {
        // Wait until the start has been sent.
        sleep(Duration::from_millis(10)).await;
        Err(io::ErrorKind::ConnectionReset.into())
    });
    Response::builder()
        .header("content-length", "1000")
        .body(BodyExt::boxed(StreamBody::new(start.chain(end))))
        .map_err(io::Error::other)
}
