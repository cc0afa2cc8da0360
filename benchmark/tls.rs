//! A TLS 1.3 terminator in front of DynamoDB Local, because the handshake is most of a real cold start.

use std::{env, error::Error, fs, io, path::PathBuf, sync::Arc};

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

/// The environment variable with the file of trusted certificate authorities, as OpenSSL defines it.
pub(crate) const AUTHORITIES: &str = "SSL_CERT_FILE";

/// Where systems store the certificate authorities that they trust.
const SYSTEM_AUTHORITIES: [&str; 3] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
];

/// A running terminator. It stops when it is dropped.
pub(crate) struct Terminator {
    pub(crate) url: String,
    /// A file with the system's certificate authorities and the terminator's own, so that a function
    /// reads as many as on Lambda.
    pub(crate) authorities: PathBuf,
    _runtime: Runtime,
}

impl Terminator {
    /// Starts a terminator in front of a DynamoDB.
    pub(crate) fn start(dynamodb: &DynamoDb) -> Result<Self> {
        Self::try_start(dynamodb).map_err(|error| format!("cannot serve TLS: {error}"))
    }

    fn try_start(dynamodb: &DynamoDb) -> Result<Self, Box<dyn Error>> {
        let mut parameters = CertificateParams::default();
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(parameters, KeyPair::generate()?)?;
        let key = KeyPair::generate()?;
        let certificate =
            CertificateParams::new(["localhost".to_owned()])?.signed_by(&key, &authority)?;

        let mut files = env::var(AUTHORITIES)
            .into_iter()
            .chain(SYSTEM_AUTHORITIES.map(str::to_owned));
        let system = files
            .find_map(|path| fs::read_to_string(path).ok())
            .ok_or("this machine has no file of certificate authorities")?;
        let authorities = env::temp_dir().join(format!("groups-bench-{}.pem", std::process::id()));
        fs::write(&authorities, system + &authority.pem())?;

        let chain = vec![certificate.der().clone(), authority.der().clone()];
        let private_key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let config = ServerConfig::builder_with_protocol_versions(&[&TLS13])
            .with_no_client_auth()
            .with_single_cert(chain, private_key)?;
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let upstream = dynamodb.endpoint().trim_start_matches("http://").to_owned();
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .enable_io()
            .build()?;
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0"))?;
        let port = listener.local_addr()?.port();
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(relay(stream, acceptor.clone(), upstream.clone()));
            }
        });
        Ok(Self {
            url: format!("https://localhost:{port}"),
            authorities,
            _runtime: runtime,
        })
    }
}

impl Drop for Terminator {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.authorities);
    }
}

/// Copies bytes in both directions until both ends have closed.
async fn relay(client: TcpStream, acceptor: TlsAcceptor, upstream: String) -> io::Result<()> {
    let mut server = TcpStream::connect(upstream).await?;
    server.set_nodelay(true)?;
    client.set_nodelay(true)?;
    let mut plaintext = acceptor.accept(client).await?;
    copy_bidirectional(&mut plaintext, &mut server).await?;
    Ok(())
}
