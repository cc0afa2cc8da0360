//! The HTTP server of the gateway, the Runtime API and the proxies.

use std::{io, net::SocketAddr, time::Duration};

use hyper::{
    Request, Response,
    body::{Body, Bytes, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpListener, task::JoinSet, time::sleep};

/// Serves HTTP/1.1 until the task is aborted, which closes all connections. If `respond` returns an
/// error, the connection is closed without a response.
pub(crate) async fn serve<F, B>(
    listener: TcpListener,
    server: http1::Builder,
    respond: impl Fn(Request<Incoming>, SocketAddr) -> F + Clone + Send + 'static,
) where
    F: Future<Output = io::Result<Response<B>>> + Send + 'static,
    B: Body<Data = Bytes, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Send + 'static,
{
    let mut connections = JoinSet::new();
    loop {
        let Ok((stream, client)) = listener.accept().await else {
            // There are no file descriptors left, so wait until connections are closed.
            sleep(Duration::from_millis(50)).await;
            continue;
        };
        let _ = stream.set_nodelay(true);
        let respond = respond.clone();
        let service = service_fn(move |request| respond(request, client));
        connections.spawn(server.serve_connection(TokioIo::new(stream), service));
        while connections.try_join_next().is_some() {}
    }
}
