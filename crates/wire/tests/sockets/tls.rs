//! TLS: certificates and whom they convince.

use crate::house::{House, patiently};
use assay_wire::{ConnectTerms, Limits, ListenTerms, TlsClient, TlsServer, WireError, connect};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use std::{fs, path::PathBuf};
use tempfile::TempDir;

/// A certificate for `localhost`, as PEM files.
struct Files {
    folder: TempDir,
}

// === impl Files ===

impl Files {
    fn make() -> Self {
        let files = Self { folder: TempDir::new().unwrap() };
        files.renew();
        files
    }

    /// Puts another certificate in the place of the one that is there.
    fn renew(&self) {
        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        fs::write(self.certificate(), cert.pem()).unwrap();
        fs::write(self.key(), signing_key.serialize_pem()).unwrap();
    }

    fn certificate(&self) -> PathBuf {
        self.folder.path().join("cert.pem")
    }

    fn key(&self) -> PathBuf {
        self.folder.path().join("key.pem")
    }

    fn server(&self) -> TlsServer {
        TlsServer::from_pem(&self.certificate(), &self.key()).unwrap()
    }

    fn client(&self) -> TlsClient {
        TlsClient::from_pem(&self.certificate()).unwrap()
    }
}

async fn open(server: TlsServer) -> (House, String) {
    let terms = ListenTerms { tls: Some(server), ..ListenTerms::default() };
    let house = House::with(Limits::trusted(), terms).await;
    let url = format!("wss://localhost:{}/", house.address.port());
    (house, url)
}

async fn reach(url: &str, tls: TlsClient) -> Result<(), WireError> {
    let terms = ConnectTerms { tls: Some(tls), ..ConnectTerms::default() };
    let mut connection = patiently(connect(url, &terms)).await?;
    let large = assay_wire::Utf8Bytes::from("x".repeat(1 << 20));
    let (mut reader, mut writer) = {
        connection.send("hello".into()).await?;
        assert_eq!(connection.next().await?.as_deref(), Some("hello"));
        connection.split()
    };
    let (sent, arrived) = tokio::join!(writer.send(large.clone()), reader.next());
    sent?;
    assert_eq!(arrived?, Some(large));
    Ok(())
}

#[tokio::test]
async fn a_client_that_trusts_the_certificate_gets_in() {
    let files = Files::make();
    let (house, url) = open(files.server()).await;
    reach(&url, files.client()).await.unwrap();
    drop(house);
}

#[tokio::test]
async fn a_client_that_does_not_trust_it_says_so() {
    let (files, others) = (Files::make(), Files::make());
    let (house, url) = open(files.server()).await;
    let error = reach(&url, others.client()).await.unwrap_err();
    assert!(matches!(error, WireError::Unreachable { .. }), "{error:?}");
    assert_eq!(
        error.hint().unwrap(),
        "the certificate is not trusted, or the port does not speak TLS"
    );
    house.noted("TlsFailed").await;
    reach(&url, files.client()).await.unwrap();
}

#[tokio::test]
async fn who_speaks_no_tls_is_left() {
    let files = Files::make();
    let (house, url) = open(files.server()).await;
    let mut raw = house.bare().await;
    raw.say(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await;
    raw.rest().await;
    house.noted("TlsFailed").await;
    reach(&url, files.client()).await.unwrap();
}

#[tokio::test]
async fn a_new_certificate_is_shown_after_a_reload_and_a_bad_one_never() {
    let files = Files::make();
    let (server, old) = (files.server(), files.client());
    let (_house, url) = open(server.clone()).await;
    files.renew();
    let new = files.client();
    assert!(reach(&url, new.clone()).await.is_err(), "nobody reloaded yet");
    server.reload().unwrap();
    reach(&url, new.clone()).await.unwrap();
    assert!(reach(&url, old).await.is_err());
    fs::write(files.key(), "no key").unwrap();
    let error = server.reload().unwrap_err();
    assert!(error.to_string().contains("key.pem"), "{error}");
    reach(&url, new).await.unwrap();
}

#[test]
fn a_file_that_is_no_certificate_is_named() {
    let files = Files::make();
    fs::write(files.certificate(), "hello").unwrap();
    let error = TlsServer::from_pem(&files.certificate(), &files.key()).unwrap_err();
    assert!(error.to_string().ends_with("there is no certificate in it"), "{error}");
    assert!(TlsClient::from_pem(&files.folder.path().join("absent")).is_err());
}
