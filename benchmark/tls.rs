//! A TLS terminator in front of DynamoDB Local. The benchmark needs it because the handshake is most of a real cold
//! start; tests/api tests the functions' TLS with it.

use std::{
    env,
    error::Error,
    fs, io,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use local::Result;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, PKCS_RSA_SHA256,
    RsaKeySize,
};
use rustls::{
    HandshakeKind, ServerConfig, SupportedProtocolVersion,
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer},
};
use tokio::{
    io::{AsyncWriteExt, copy, split},
    net::{TcpListener, TcpStream},
    runtime::{Builder, Runtime},
};
use tokio_rustls::TlsAcceptor;

/// The environment variables with a file and a directory of trusted certificate authorities, as OpenSSL defines them.
pub(crate) const AUTHORITY: &str = "SSL_CERT_FILE";
pub(crate) const AUTHORITIES: &str = "SSL_CERT_DIR";

/// Where systems store the certificate authorities that they trust.
const SYSTEM_AUTHORITIES: [&str; 3] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
];

/// A running terminator. It stops when it is dropped.
pub(crate) struct Terminator {
    pub(crate) url: String,
    /// The directory with the terminator's certificate authority.
    pub(crate) authorities: PathBuf,
    /// The file with the terminator's certificate authority.
    pub(crate) authority: PathBuf,
    connections: Arc<Connections>,
    _runtime: Runtime,
}

/// The numbers of connections.
#[derive(Default)]
struct Connections {
    /// Those that began with a full handshake.
    full: AtomicUsize,
    /// Those that resumed a session.
    resumed: AtomicUsize,
    closed: AtomicUsize,
}

impl Terminator {
    /// Starts a terminator with this version of TLS in front of the DynamoDB at `url`.
    pub(crate) fn start(url: &str, version: &'static SupportedProtocolVersion) -> Result<Self> {
        Self::try_start(url, version).map_err(|error| format!("cannot serve TLS: {error}"))
    }

    /// Adds the system's certificate authorities to the directory, so that the SDK's own HTTP client reads as many as on
    /// Lambda.
    pub(crate) fn add_system_authorities(&self) -> Result<()> {
        let mut files = SYSTEM_AUTHORITIES.iter();
        let system = files
            .find_map(|path| fs::read(path).ok())
            .ok_or("this machine has no file of certificate authorities")?;
        fs::write(self.authorities.join("system.pem"), system).map_err(|error| error.to_string())
    }

    /// Returns the numbers of finished handshakes: full ones, and ones that resumed a session.
    pub(crate) fn handshakes(&self) -> (usize, usize) {
        let Connections { full, resumed, .. } = &*self.connections;
        (full.load(Ordering::SeqCst), resumed.load(Ordering::SeqCst))
    }

    /// Returns the number of connections that have been closed.
    pub(crate) fn closed(&self) -> usize {
        self.connections.closed.load(Ordering::SeqCst)
    }

    fn try_start(
        url: &str,
        version: &'static SupportedProtocolVersion,
    ) -> Result<Self, Box<dyn Error>> {
        let Certificates { chain, key, root } = create_certificates()?;
        let config = ServerConfig::builder_with_protocol_versions(&[version])
            .with_no_client_auth()
            .with_single_cert(chain, key)?;
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let upstream = url.trim_start_matches("http://").to_owned();
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .enable_io()
            .build()?;
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0"))?;
        let port = listener.local_addr()?.port();
        let connections = Arc::new(Connections::default());
        let counters = connections.clone();
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let relayed = relay(stream, acceptor.clone(), upstream.clone(), counters.clone());
                tokio::spawn(relayed);
            }
        });

        let authorities = env::temp_dir().join(format!("groups-tls-{port}"));
        let terminator = Self {
            url: format!("https://localhost:{port}"),
            authority: authorities.join("terminator.pem"),
            authorities,
            connections,
            _runtime: runtime,
        };
        fs::create_dir_all(&terminator.authorities)?;
        fs::write(&terminator.authority, root)?;
        Ok(terminator)
    }
}

impl Drop for Terminator {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.authorities);
    }
}

/// A certificate for `localhost`.
struct Certificates {
    /// The certificate, and that of the intermediate authority.
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    /// The root authority, as PEM.
    root: String,
}

/// Creates a root authority, an intermediate one and a certificate with RSA keys of 2,048 bits, as DynamoDB has them.
fn create_certificates() -> Result<Certificates, rcgen::Error> {
    let create_key = || KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048);
    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority
        .distinguished_name
        .push(DnType::CommonName, "root");
    let root = CertifiedIssuer::self_signed(authority.clone(), create_key()?)?;
    authority
        .distinguished_name
        .push(DnType::CommonName, "intermediate");
    let intermediate = CertifiedIssuer::signed_by(authority, create_key()?, &root)?;
    let key = create_key()?;
    let names = CertificateParams::new(["localhost".to_owned()])?;
    let certificate = names.signed_by(&key, &intermediate)?;
    Ok(Certificates {
        chain: vec![certificate.der().clone(), intermediate.der().clone()],
        key: PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
        root: root.pem(),
    })
}

/// Copies bytes in both directions until either end closes.
async fn relay(
    client: TcpStream,
    acceptor: TlsAcceptor,
    upstream: String,
    connections: Arc<Connections>,
) -> io::Result<()> {
    let server = TcpStream::connect(upstream).await?;
    server.set_nodelay(true)?;
    client.set_nodelay(true)?;
    let plaintext = acceptor.accept(client).await?;
    let counter = match plaintext.get_ref().1.handshake_kind() {
        Some(HandshakeKind::Resumed) => &connections.resumed,
        _ => &connections.full,
    };
    counter.fetch_add(1, Ordering::SeqCst);
    let (mut from_client, mut to_client) = split(plaintext);
    let (mut from_server, mut to_server) = server.into_split();
    tokio::select! {
        _ = copy(&mut from_client, &mut to_server) => {}
        _ = copy(&mut from_server, &mut to_client) => {}
    }
    to_client.shutdown().await?;
    drop((from_client, to_client));
    connections.closed.fetch_add(1, Ordering::SeqCst);
    Ok(())
}
