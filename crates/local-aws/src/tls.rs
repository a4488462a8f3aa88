//! The services over TLS, on a second port with a self-signed certificate: the signer of AWS's
//! JavaScript package accepts `wss://` endpoints only.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use rcgen::{CertifiedKey, PublicKeyData as _, generate_simple_self_signed};
use serde::Serialize;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs::default_provider;
use tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer;
use tokio_rustls::server::TlsStream;

/// The hosts that the certificate names.
const HOSTS: [&str; 2] = ["127.0.0.1", "localhost"];
/// How long a client may take for the handshake, in real time.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long to wait after a failure to accept, for example while too many files are open.
const ACCEPT_PAUSE: Duration = Duration::from_secs(1);

/// Where the services are reached over TLS, as `/_local/state` shows it.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TlsEndpoint {
    /// For example `https://127.0.0.1:7879`.
    pub(crate) url: String,
    /// The certificate: DER in Base64.
    certificate: String,
    /// The SHA-256 of the certificate's public key in Base64, by which Chromium trusts it
    /// (`--ignore-certificate-errors-spki-list`).
    key_hash: String,
}

type Connection = (TlsStream<TcpStream>, SocketAddr);

/// Accepts TLS connections. Handshakes run beside each other, so a client that sends nothing delays
/// no other.
pub(crate) struct TlsListener {
    tcp: TcpListener,
    acceptor: TlsAcceptor,
    certificate: String,
    key_hash: String,
    handshakes: JoinSet<Option<Connection>>,
}

impl TlsListener {
    /// Listens on a port of 127.0.0.1 with a certificate that is made now.
    ///
    /// # Errors
    /// The port is in use, or the certificate cannot be made.
    pub(crate) async fn bind(port: u16) -> io::Result<Self> {
        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed(HOSTS.map(str::to_owned)).map_err(io::Error::other)?;
        let key_info = signing_key.subject_public_key_info();
        let key = PrivatePkcs8KeyDer::from(signing_key.serialize_der());
        let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?
            .with_no_client_auth()
            .with_single_cert(vec![cert.der().clone()], key.into())
            .map_err(io::Error::other)?;
        Ok(Self {
            tcp: TcpListener::bind(("127.0.0.1", port)).await?,
            acceptor: TlsAcceptor::from(Arc::new(config)),
            certificate: BASE64.encode(cert.der()),
            key_hash: BASE64.encode(digest::digest(&digest::SHA256, &key_info)),
            handshakes: JoinSet::new(),
        })
    }

    /// Returns where it listens, and its certificate.
    ///
    /// # Errors
    /// The operating system does not return the address.
    pub(crate) fn endpoint(&self) -> io::Result<TlsEndpoint> {
        let (certificate, key_hash) = (self.certificate.clone(), self.key_hash.clone());
        let url = format!("https://{}", self.tcp.local_addr()?);
        Ok(TlsEndpoint { url, certificate, key_hash })
    }

    fn start_handshake(&mut self, stream: TcpStream, address: SocketAddr) {
        let handshake = self.acceptor.accept(stream);
        self.handshakes.spawn(async move {
            let done = timeout(HANDSHAKE_TIMEOUT, handshake).await.ok()?;
            done.ok().map(|stream| (stream, address))
        });
    }
}

impl axum::serve::Listener for TlsListener {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> Connection {
        loop {
            tokio::select! {
                accepted = self.tcp.accept() => match accepted {
                    Ok((stream, address)) => self.start_handshake(stream, address),
                    Err(error) => {
                        tracing::warn!("cannot accept a TLS connection: {error}");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                },
                Some(handshake) = self.handshakes.join_next() => {
                    if let Ok(Some(connection)) = handshake {
                        return connection;
                    }
                }
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.tcp.local_addr()
    }
}
