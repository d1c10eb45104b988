//! How a client gets in: from a URL to a connection.
//!
//! Keeps: one deadline over name, TCP, TLS and handshake; no token in what is shown or logged.

use crate::{
    Connection, Limits, SUBPROTOCOL, Side, Stream,
    error::WireError,
    tls::TlsClient,
    token::Token,
    upgrade::{has_word, of_upgraded},
};
use bytes::Bytes;
use http::{
    HeaderValue, Request, Response, StatusCode, Uri,
    header::{
        AUTHORIZATION, CONNECTION, HOST, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY,
        SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE, USER_AGENT,
    },
};
use http_body_util::{BodyExt, Collected, Empty, Limited};
use hyper::{body::Incoming, client::conn::http1};
use hyper_util::rt::TokioIo;
use rustix::net::sockopt::set_tcp_user_timeout;
use rustls_pki_types::ServerName;
use std::{net::SocketAddr, time::Duration};
use tokio::{net::TcpStream, time::timeout};
use tungstenite::handshake::{client::generate_key, derive_accept_key};

/// How a connection is asked for.
#[derive(Clone, Debug)]
pub struct ConnectTerms {
    pub token: Option<Token>,
    /// For all steps together.
    pub within: Duration,
    /// Whether the connection shall stay open after the reply to an analysis (`assay.v1`).
    pub lasting: bool,
    /// Whom to trust with `wss://`; `None` for what the system trusts, read anew each time.
    pub tls: Option<TlsClient>,
    pub limits: Limits,
}

/// A URL that was checked.
struct Target {
    uri: Uri,
    /// As it is written in the URL, without brackets.
    host: String,
    port: u16,
    is_encrypted: bool,
    /// Where the host is; `None`: by its name.
    at: Option<SocketAddr>,
}

/// How long the other machine may leave unsaid that it has what we sent (TCP's user timeout, RFC 5482). One that
/// is cut off is noticed by that, long before its silence is; one that is busy is not, since its kernel answers.
/// As long as a write may take.
const UNHEARD_MAX: Duration = Duration::from_secs(10);

/// Bytes of a refusal that are read, to be shown.
const REFUSAL_MAX: usize = 4 << 10;

impl Default for ConnectTerms {
    /// Ten seconds, lasting, with the limits of a configured service.
    fn default() -> Self {
        Self {
            token: None,
            within: Duration::from_secs(10),
            lasting: true,
            tls: None,
            limits: Limits::trusted(),
        }
    }
}

/// Connects to `ws://` or `wss://`.
///
/// # Errors
///
/// `Url`, `Unreachable`, `Late`, `Certificate`, `Refused`, `NoWebSocket`, `Handshake`: each names what was
/// tried, and has a hint where one is known.
///
/// # Cancel safety
///
/// Safe: dropping it closes what was opened.
pub async fn connect(url: &str, terms: &ConnectTerms) -> Result<Connection, WireError> {
    Target::parse(url)?.within(terms).await
}

/// As [`connect`], to this address of the URL's host: one of several that its name has. The server is
/// still asked, and shows its certificate, by the name.
///
/// # Errors
///
/// As [`connect`].
///
/// # Cancel safety
///
/// Safe: dropping it closes what was opened.
pub async fn connect_at(
    url: &str,
    address: SocketAddr,
    terms: &ConnectTerms,
) -> Result<Connection, WireError> {
    Target { at: Some(address), ..Target::parse(url)? }.within(terms).await
}

/// Returns a URL without its query, which may hold a token: what is shown and logged.
pub fn without_query(url: &str) -> &str {
    url.split('?').next().unwrap_or_default()
}

/// Returns the host and the port that a URL names; an address of IPv6 without its brackets.
///
/// # Errors
///
/// `Url`, where it is none that [`connect`] would take.
pub fn host_of(url: &str) -> Result<(String, u16), WireError> {
    let Target { host, port, .. } = Target::parse(url)?;
    Ok((host, port))
}

// === impl Target ===

impl Target {
    fn parse(url: &str) -> Result<Self, WireError> {
        let shown = || without_query(url).to_owned();
        let bad = |why| WireError::Url { url: shown(), why };
        let uri: Uri = url.parse().map_err(|_| bad("it is no URL"))?;
        let is_encrypted = match uri.scheme_str() {
            Some("ws") => false,
            Some("wss") => true,
            _ => return Err(bad("it must begin with `ws://` or `wss://`")),
        };
        let authority = uri.authority().ok_or_else(|| bad("it names no host"))?;
        if authority.as_str().contains('@') {
            return Err(bad("it may not hold a name or a password"));
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        if host.is_empty() {
            return Err(bad("it names no host"));
        }
        let port = authority.port_u16().unwrap_or(if is_encrypted { 443 } else { 80 });
        Ok(Self { uri, host, port, is_encrypted, at: None })
    }

    fn address(&self) -> String {
        let host = &self.host;
        if host.contains(':') {
            format!("[{host}]:{}", self.port)
        } else {
            format!("{host}:{}", self.port)
        }
    }

    async fn within(&self, terms: &ConnectTerms) -> Result<Connection, WireError> {
        let within = terms.within;
        match timeout(within, self.connect(terms)).await {
            Ok(end) => end,
            Err(_) => Err(WireError::Late { doing: "connecting", within }),
        }
    }

    async fn connect(&self, terms: &ConnectTerms) -> Result<Connection, WireError> {
        let address = || self.at.map_or_else(|| self.address(), |at| at.to_string());
        let unreachable = |source| WireError::Unreachable { address: address(), source };
        let tcp = match self.at {
            Some(at) => TcpStream::connect(at).await,
            None => TcpStream::connect((self.host.as_str(), self.port)).await,
        };
        let tcp = tcp.map_err(unreachable)?;
        tcp.set_nodelay(true).map_err(unreachable)?;
        let unheard = u32::try_from(UNHEARD_MAX.as_millis()).unwrap_or(u32::MAX);
        set_tcp_user_timeout(&tcp, unheard).map_err(|error| unreachable(error.into()))?;
        if !self.is_encrypted {
            return self.shake_hands(tcp, terms).await;
        }
        let tls = match &terms.tls {
            Some(tls) => tls.clone(),
            None => TlsClient::system()?,
        };
        let name = ServerName::try_from(self.host.clone())
            .map_err(|_| WireError::Url { url: self.address(), why: "the host is no name" })?;
        let stream = tls.connect(name, tcp).await.map_err(unreachable)?;
        self.shake_hands(stream, terms).await
    }

    /// The client's side of the handshake (RFC 6455, section 4.1).
    async fn shake_hands<S>(&self, stream: S, terms: &ConnectTerms) -> Result<Connection, WireError>
    where
        S: Stream + 'static,
    {
        let key = generate_key();
        let request = self.request(&key, terms)?;
        let io = TokioIo::new(stream);
        let (mut sender, connection) = http1::handshake(io).await.map_err(WireError::handshake)?;
        let answered = async {
            let response = sender.send_request(request).await.map_err(WireError::handshake)?;
            self.judge::<S>(response, &key, terms).await
        };
        // Polled beside each other: hyper reads and writes in one, the answer comes out of the other.
        let mut connection = std::pin::pin!(connection.with_upgrades());
        let mut answered = std::pin::pin!(answered);
        tokio::select! {
            biased;
            end = &mut answered => return end,
            _ = &mut connection => {}
        }
        answered.await
    }

    fn request(&self, key: &str, terms: &ConnectTerms) -> Result<Request<Empty<Bytes>>, WireError> {
        let path = self.uri.path_and_query().map_or("/", |path| path.as_str());
        let mut request = Request::get(path)
            .header(HOST, self.address())
            .header(CONNECTION, "Upgrade")
            .header(UPGRADE, "websocket")
            .header(SEC_WEBSOCKET_VERSION, "13")
            .header(SEC_WEBSOCKET_KEY, key)
            .header(USER_AGENT, concat!("assay/", env!("CARGO_PKG_VERSION")));
        if terms.lasting {
            request = request.header(SEC_WEBSOCKET_PROTOCOL, SUBPROTOCOL);
        }
        if let Some(token) = &terms.token {
            let mut value = HeaderValue::try_from(format!("Bearer {}", token.secret()))
                .expect("`Token::new` lets nothing through that cannot stand in a header");
            value.set_sensitive(true);
            request = request.header(AUTHORIZATION, value);
        }
        let bad = |_| WireError::Url { url: self.address(), why: "its path cannot be requested" };
        request.body(Empty::new()).map_err(bad)
    }

    async fn judge<S>(
        &self,
        response: Response<Incoming>,
        key: &str,
        terms: &ConnectTerms,
    ) -> Result<Connection, WireError>
    where
        S: Stream + 'static,
    {
        if response.status() != StatusCode::SWITCHING_PROTOCOLS {
            return Err(refused(response).await);
        }
        let headers = response.headers();
        let expected = derive_accept_key(key.as_bytes());
        if headers.get(SEC_WEBSOCKET_ACCEPT).is_none_or(|accept| *accept != *expected) {
            return Err(WireError::NoWebSocket { address: self.address() });
        }
        let is_lasting = has_word(headers, &SEC_WEBSOCKET_PROTOCOL, SUBPROTOCOL);
        let upgraded = hyper::upgrade::on(response).await.map_err(WireError::handshake)?;
        let connection = of_upgraded::<S>(upgraded, Side::Client, terms.limits);
        Ok(if is_lasting { connection.lasting() } else { connection })
    }
}

/// Reads what a server says that does not let us in.
async fn refused(response: Response<Incoming>) -> WireError {
    let status = response.status().as_u16();
    let body = Limited::new(response.into_body(), REFUSAL_MAX).collect().await;
    let said = body.map(Collected::to_bytes).unwrap_or_default();
    let said = String::from_utf8_lossy(&said);
    let said = said.trim().chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    WireError::Refused { status, said }
}
