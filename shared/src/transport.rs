//! The HTTP client under the SDK: HTTP/1.1, one pool of connections, and certificate authorities that are compiled in.
//!
//! The SDK's own client decodes the system's certificate authorities in each cold start, which is most of the work of
//! init. It takes other authorities only as PEM, which it decodes too.

use std::{error::Error as StdError, fmt, fs, io, iter, sync::Arc, time::Duration};

use aws_sdk_dynamodb::config::{
    SharedHttpClient,
    http::{HttpRequest, HttpResponse},
};
use aws_smithy_runtime_api::client::{
    http::{HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn},
    result::ConnectorError,
};
use aws_smithy_types::body::SdkBody;
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::{
    client::legacy::{
        Client, Error,
        connect::{self, Connect, capture_connection},
    },
    rt::{TokioExecutor, TokioTimer},
};
use rustls::{
    ClientConfig, RootCertStore,
    crypto::{CryptoProvider, aws_lc_rs, aws_lc_rs::cipher_suite},
    pki_types::{CertificateDer, pem::PemObject},
};
use tokio::time::{error::Elapsed, timeout};
use tower::util::MapFuture;

use crate::env::{self, InvalidVariable};

/// The environment variable with a PEM file of further certificate authorities. It has the name that OpenSSL gives to a
/// file of all authorities.
const AUTHORITIES: &str = "SSL_CERT_FILE";

/// Returns an HTTP client. A connection that is not established after `connect_timeout`, TLS handshake included, is an
/// error.
///
/// # Errors
/// Returns an error if `SSL_CERT_FILE` is set, but cannot be read or contains no valid certificate.
pub(crate) fn http_client(connect_timeout: Duration) -> Result<SharedHttpClient, InvalidVariable> {
    let mut tcp = connect::HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    let tls = HttpsConnectorBuilder::new()
        .with_tls_config(tls_config()?)
        .https_or_http()
        .enable_http1()
        .wrap_connector(tcp);
    let connector = MapFuture::new(tls, move |connection| {
        Box::pin(async move { timeout(connect_timeout, connection).await? })
    });
    let client = Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .build(connector);
    // The SDK asks for a connector in every operation.
    let connector = SharedHttpConnector::new(Transport(client));
    Ok(http_client_fn(move |_, _| connector.clone()))
}

/// Returns the configuration of TLS: the same protocols and cipher suites as in the SDK's own client.
fn tls_config() -> Result<ClientConfig, InvalidVariable> {
    let provider = CryptoProvider {
        cipher_suites: vec![
            cipher_suite::TLS13_AES_256_GCM_SHA384,
            cipher_suite::TLS13_AES_128_GCM_SHA256,
            cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
            cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
            cipher_suite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
            cipher_suite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
            cipher_suite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
        ],
        ..aws_lc_rs::default_provider()
    };
    Ok(ClientConfig::builder_with_provider(Arc::new(provider))
        .with_safe_default_protocol_versions()
        .expect("there are cipher suites of TLS 1.2 and 1.3")
        .with_root_certificates(authorities()?)
        .with_no_client_auth())
}

/// Returns Mozilla's certificate authorities, and those of `SSL_CERT_FILE`.
fn authorities() -> Result<RootCertStore, InvalidVariable> {
    let mut authorities = RootCertStore {
        roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
    };
    if let Some(path) = env::non_empty(AUTHORITIES) {
        let invalid = |problem| InvalidVariable::new(AUTHORITIES, format!("is {path}, {problem}"));
        let file =
            fs::read(&path).map_err(|error| invalid(format!("which cannot be read: {error}")))?;
        let certificates = CertificateDer::pem_slice_iter(&file).flatten();
        let (valid, _) = authorities.add_parsable_certificates(certificates);
        if valid == 0 {
            let problem =
                "which must be a PEM file with certificates, but contains none that is valid";
            return Err(invalid(problem.to_owned()));
        }
    }
    Ok(authorities)
}

/// The SDK's requests, sent by hyper's client.
struct Transport<C>(Client<C, SdkBody>);

impl<C> fmt::Debug for Transport<C> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Transport")
    }
}

impl<C: Connect + Clone + Send + Sync + 'static> HttpConnector for Transport<C> {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let mut request = match request.try_into_http1x() {
            Ok(request) => request,
            Err(error) => {
                return HttpConnectorFuture::ready(Err(ConnectorError::user(error.into())));
            }
        };
        let connection = capture_connection(&mut request);
        let response = self.0.request(request);
        HttpConnectorFuture::new(async move {
            let response = response.await.map_err(classify)?;
            if response.status().is_server_error()
                && let Some(connection) = &*connection.connection_metadata()
            {
                // The server behind it may be broken, so another attempt must not meet it again.
                connection.poison();
            }
            HttpResponse::try_from(response.map(SdkBody::from_body_1_x))
                .map_err(|error| ConnectorError::other(error.into(), None))
        })
    }
}

/// Tells time-outs, failed connections and other errors apart for the log, nearly as the SDK's own client does.
fn classify(error: Error) -> ConnectorError {
    let first: &(dyn StdError + 'static) = &error;
    let mut chain = iter::successors(Some(first), |&error| error.source());
    if chain.clone().any(|error| error.is::<Elapsed>()) {
        ConnectorError::timeout(error.into())
    } else if error.is_connect() || chain.any(|error| error.is::<io::Error>()) {
        ConnectorError::io(error.into())
    } else {
        ConnectorError::other(error.into(), None)
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn all_roots_that_aws_recommends_are_trusted() {
        // https://www.amazontrust.com/repository/
        for name in [
            "Amazon Root CA 1",
            "Amazon Root CA 2",
            "Amazon Root CA 3",
            "Amazon Root CA 4",
            "Starfield Services Root Certificate Authority - G2",
        ] {
            let is_named = |subject: &[u8]| subject.ends_with(name.as_bytes());
            let mut roots = webpki_roots::TLS_SERVER_ROOTS.iter();
            assert!(roots.any(|root| is_named(&root.subject)), "{name}");
        }
    }
}
