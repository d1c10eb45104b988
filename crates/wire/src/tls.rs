//! TLS: which certificate we show, and whom we trust.
//!
//! Keeps: a certificate that cannot be read never replaces one that works.

use crate::error::WireError;
use rustls::{
    ClientConfig, ConfigBuilder, RootCertStore, ServerConfig, WantsVerifier,
    crypto::{CryptoProvider, ring},
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject};
use std::{
    fmt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, TlsConnector, client, server};

/// The certificate that a server shows. Clones share it, so that one of them can
/// [`reload`](Self::reload) it for all.
#[derive(Clone)]
pub struct TlsServer(Arc<Shown>);

struct Shown {
    certificate: PathBuf,
    key: PathBuf,
    config: Mutex<Arc<ServerConfig>>,
}

/// Whom a client trusts.
#[derive(Clone)]
pub struct TlsClient(Arc<ClientConfig>);

// === impl TlsServer ===

impl TlsServer {
    /// Reads a certificate with its chain, and its key, from PEM files.
    ///
    /// # Errors
    ///
    /// `Certificate` with the file that cannot be used.
    pub fn from_pem(certificate: &Path, key: &Path) -> Result<Self, WireError> {
        let config = Mutex::new(server_config(certificate, key)?);
        let (certificate, key) = (certificate.to_owned(), key.to_owned());
        Ok(Self(Arc::new(Shown { certificate, key, config })))
    }

    /// Reads the files anew. Connections that stand keep what they have.
    ///
    /// # Errors
    ///
    /// As [`from_pem`](Self::from_pem); the certificate of before then stays in use.
    pub fn reload(&self) -> Result<(), WireError> {
        let config = server_config(&self.0.certificate, &self.0.key)?;
        *self.0.config.lock().expect("nothing panics under this lock") = config;
        Ok(())
    }

    pub(crate) async fn accept(
        &self,
        stream: TcpStream,
    ) -> std::io::Result<server::TlsStream<TcpStream>> {
        let config = Arc::clone(&self.0.config.lock().expect("nothing panics under this lock"));
        TlsAcceptor::from(config).accept(stream).await
    }
}

impl fmt::Debug for TlsServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsServer")
            .field("certificate", &self.0.certificate)
            .field("key", &self.0.key)
            .finish_non_exhaustive()
    }
}

fn server_config(certificate: &Path, key: &Path) -> Result<Arc<ServerConfig>, WireError> {
    let chain = certificates(certificate)?;
    let private = PrivateKeyDer::from_pem_file(key).map_err(|why| unusable(key, why))?;
    let mut config = builder(ServerConfig::builder_with_provider)?
        .with_no_client_auth()
        .with_single_cert(chain, private)
        .map_err(|why| unusable(certificate, why))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

// === impl TlsClient ===

impl TlsClient {
    /// Trusts what the system trusts (`SSL_CERT_FILE` and `SSL_CERT_DIR` are honoured). Reads many
    /// files: make one and clone it.
    ///
    /// # Errors
    ///
    /// `Certificate` where the system has no certificates.
    pub fn system() -> Result<Self, WireError> {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if roots.is_empty() {
            let why = "the system has no certificates of authorities".to_owned();
            return Err(WireError::Certificate { path: PathBuf::new(), why });
        }
        Self::trusting(roots)
    }

    /// Trusts the certificates of a PEM file, and no others.
    ///
    /// # Errors
    ///
    /// `Certificate` where the file cannot be used.
    pub fn from_pem(path: &Path) -> Result<Self, WireError> {
        let mut roots = RootCertStore::empty();
        for certificate in certificates(path)? {
            roots.add(certificate).map_err(|why| unusable(path, why))?;
        }
        Self::trusting(roots)
    }

    fn trusting(roots: RootCertStore) -> Result<Self, WireError> {
        let mut config = builder(ClientConfig::builder_with_provider)?
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self(Arc::new(config)))
    }

    pub(crate) async fn connect(
        &self,
        name: ServerName<'static>,
        stream: TcpStream,
    ) -> std::io::Result<client::TlsStream<TcpStream>> {
        TlsConnector::from(Arc::clone(&self.0)).connect(name, stream).await
    }
}

impl fmt::Debug for TlsClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsClient").finish_non_exhaustive()
    }
}

/// A builder of either side with the versions that are safe.
fn builder<S: rustls::ConfigSide>(
    begin: impl FnOnce(Arc<CryptoProvider>) -> ConfigBuilder<S, rustls::WantsVersions>,
) -> Result<ConfigBuilder<S, WantsVerifier>, WireError> {
    begin(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|why| unusable(Path::new(""), why))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, WireError> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_file_iter(path).and_then(Iterator::collect);
    let found = found.map_err(|why| unusable(path, why))?;
    if found.is_empty() {
        return Err(unusable(path, "there is no certificate in it"));
    }
    Ok(found)
}

fn unusable(path: &Path, why: impl fmt::Display) -> WireError {
    WireError::Certificate { path: path.to_owned(), why: why.to_string() }
}
