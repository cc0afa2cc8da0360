//! TLS 1.3 before DynamoDB Local, because the handshake is most of a real cold start.

use std::{env, fs, io, path::PathBuf, sync::Arc};

use local::{DynamoDb, Result};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::{
    ServerConfig,
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
    version::TLS13,
};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    runtime::{Builder, Runtime},
};
use tokio_rustls::TlsAcceptor;

/// The variable that names the certificate authorities to trust, as OpenSSL has it.
pub(crate) const AUTHORITIES: &str = "SSL_CERT_FILE";

/// Where systems keep the authorities that they trust.
const SYSTEMS: [&str; 3] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
];

/// A running terminator.
pub(crate) struct Terminator {
    pub(crate) url: String,
    /// The file of the system's authorities and its own, so that a function has as many to read as
    /// on Lambda.
    pub(crate) authorities: PathBuf,
    _runtime: Runtime,
}

/// Starts a terminator before a DynamoDB.
pub(crate) fn terminate(dynamodb: &DynamoDb) -> Result<Terminator> {
    let fault = |error: &dyn std::fmt::Display| format!("no TLS: {error}");
    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().map_err(|error| fault(&error))?;
    let authority = CertifiedIssuer::self_signed(authority, key).map_err(|error| fault(&error))?;
    let key = KeyPair::generate().map_err(|error| fault(&error))?;
    let server = CertificateParams::new(["localhost".to_owned()]).map_err(|error| fault(&error))?;
    let server = server
        .signed_by(&key, &authority)
        .map_err(|error| fault(&error))?;

    let system = env::var(AUTHORITIES)
        .ok()
        .into_iter()
        .chain(SYSTEMS.map(str::to_owned));
    let system = system
        .into_iter()
        .find_map(|path| fs::read_to_string(path).ok());
    let bundle =
        system.ok_or("this machine has no file of certificate authorities")? + &authority.pem();
    let authorities = env::temp_dir().join(format!("groups-bench-{}.pem", std::process::id()));
    fs::write(&authorities, bundle).map_err(|error| fault(&error))?;

    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = ServerConfig::builder_with_protocol_versions(&[&TLS13])
        .with_no_client_auth()
        .with_single_cert(vec![server.der().clone(), authority.der().clone()], key)
        .map_err(|error| fault(&error))?;
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let upstream = dynamodb.endpoint().trim_start_matches("http://").to_owned();
    let runtime = Builder::new_multi_thread()
        .worker_threads(1)
        .enable_io()
        .build();
    let runtime = runtime.map_err(|error| fault(&error))?;
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0"));
    let listener = listener.map_err(|error| fault(&error))?;
    let port = listener.local_addr().map_err(|error| fault(&error))?.port();
    runtime.spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(relay(stream, acceptor.clone(), upstream.clone()));
        }
    });
    Ok(Terminator {
        url: format!("https://localhost:{port}"),
        authorities,
        _runtime: runtime,
    })
}

/// Copies bytes in both directions until both ends have closed.
async fn relay(stream: TcpStream, acceptor: TlsAcceptor, upstream: String) -> io::Result<()> {
    let mut upstream = TcpStream::connect(upstream).await?;
    upstream.set_nodelay(true)?;
    stream.set_nodelay(true)?;
    let mut stream = acceptor.accept(stream).await?;
    copy_bidirectional(&mut stream, &mut upstream).await?;
    Ok(())
}

impl Drop for Terminator {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.authorities);
    }
}
