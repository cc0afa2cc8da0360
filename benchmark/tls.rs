//! TLS 1.3 before DynamoDB Local, because the handshake is most of a real cold start.

use std::{
    env, fs,
    io::{self, BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    path::PathBuf,
    sync::Arc,
    thread,
};

use local::{DynamoDb, Result};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::{
    ServerConfig, ServerConnection, StreamOwned,
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
    version::TLS13,
};

/// The variable that names the certificate authorities to trust, as OpenSSL has it.
pub(crate) const AUTHORITIES: &str = "SSL_CERT_FILE";

/// Where systems keep the authorities that they trust.
const SYSTEMS: [&str; 3] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
];

/// A terminator that lives as long as this process.
pub(crate) struct Terminator {
    pub(crate) url: String,
    /// The file of the system's authorities and its own, so that a function has as many to read as
    /// on Lambda.
    pub(crate) authorities: PathBuf,
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
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").map_err(|error| fault(&error))?;
    let port = listener.local_addr().map_err(|error| fault(&error))?.port();
    let behind = dynamodb.endpoint().trim_start_matches("http://").to_owned();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let (config, behind) = (config.clone(), behind.clone());
            thread::spawn(move || {
                stream.set_nodelay(true)?;
                let connection = ServerConnection::new(config).map_err(io::Error::other)?;
                relay(StreamOwned::new(connection, stream), &behind)
            });
        }
    });
    Ok(Terminator {
        url: format!("https://localhost:{port}"),
        authorities,
    })
}

/// Passes requests on and answers back, until one of the two ends closes its connection.
fn relay(stream: impl Read + Write, behind: &str) -> io::Result<()> {
    let upstream = TcpStream::connect(behind)?;
    upstream.set_nodelay(true)?;
    let (mut near, mut far) = (BufReader::new(stream), BufReader::new(upstream));
    loop {
        let request = message(&mut near)?;
        far.get_mut().write_all(&request)?;
        let answer = message(&mut far)?;
        near.get_mut().write_all(&answer)?;
        near.get_mut().flush()?;
    }
}

/// The bytes of the next HTTP message, whose body has the length that its header says: so it is
/// with the SDK's requests and DynamoDB Local's answers.
fn message(stream: &mut impl BufRead) -> io::Result<Vec<u8>> {
    let (mut message, mut length) = (Vec::new(), 0);
    loop {
        let start = message.len();
        if stream.read_until(b'\n', &mut message)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let line = String::from_utf8_lossy(&message[start..]).to_ascii_lowercase();
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().map_err(io::Error::other)?;
        }
        if line.trim_end().is_empty() {
            break;
        }
    }
    stream.take(length).read_to_end(&mut message)?;
    Ok(message)
}

impl Drop for Terminator {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.authorities);
    }
}
