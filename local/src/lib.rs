//! API Gateway, Lambda, EventBridge Pipes, SQS and DynamoDB on this machine.
//!
//! `cargo local` and the tests start the same [`Stack`]: DynamoDB Local, the functions' processes,
//! and one gateway that emulates API Gateway, Lambda and SQS. `template.yaml` defines its tables, queues,
//! pipes, routes, limits, environment variables and permissions. [`tools`] fetches the programs that are
//! missing on the machine. [`ProcessReaper`] ends all child processes when this process ends, even after
//! SIGKILL.

pub mod cli;
pub mod dynamodb;
pub mod dynamodb_proxy;
mod event_source_mapping;
mod filter;
mod gateway;
pub mod instance;
mod lambda;
mod logs;
pub mod meter;
pub mod permissions;
mod pipe;
pub mod processes;
mod queue;
pub mod sample;
mod serve;
mod server;
pub mod stack;
pub mod template;
mod terminal;
pub mod tools;

use std::{
    future::Future,
    net::SocketAddr,
    sync::{Mutex, MutexGuard, OnceLock, PoisonError},
};

use rustix::process::{Resource, getrlimit, setrlimit};
use tokio::net::{TcpListener, TcpSocket};

pub use dynamodb::DynamoDb;
pub use dynamodb_proxy::{DynamoDbProxy, Reply};
pub use instance::Instance;
pub use meter::{Cost, Meter};
pub use permissions::Permission;
pub use processes::ProcessReaper;
pub use stack::{Options, Profile, Stack};
pub use template::Template;
pub use terminal::say;

/// The result of an operation of this crate. The error is a message for people: the problem and the
/// remedy.
pub type Result<T, E = String> = std::result::Result<T, E>;

/// The runtime of all servers and clients in this process.
pub(crate) fn runtime() -> &'static tokio::runtime::Runtime {
    static RUNTIME: OnceLock<tokio::runtime::Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| {
        allow_many_connections();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build();
        runtime.unwrap_or_else(|error| panic!("cannot start threads: {error}"))
    })
}

/// Raises the limit on open files to the hard limit.
fn allow_many_connections() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    // Ignore the error: with a lower limit, the gateway accepts fewer connections at a time.
    let _ = setrlimit(Resource::Nofile, limit);
}

/// Runs a future to completion. Must not be called from a task of [`runtime`].
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    runtime().block_on(future)
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Listens on `address`; port 0 means any free port.
pub(crate) fn listen(address: SocketAddr) -> Result<(TcpListener, SocketAddr)> {
    /// How many connections may wait until they are accepted. A burst must fit, because clients do not retry.
    const BACKLOG: u32 = 4_096;
    let bind = || {
        let _context = runtime().enter();
        let socket = if address.is_ipv4() {
            TcpSocket::new_v4()?
        } else {
            TcpSocket::new_v6()?
        };
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        let listener = socket.listen(BACKLOG)?;
        let bound = listener.local_addr()?;
        Ok((listener, bound))
    };
    bind().map_err(|error: std::io::Error| format!("cannot listen on {address}: {error}"))
}

/// Any free port on 127.0.0.1.
pub(crate) const ANY_PORT: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);
