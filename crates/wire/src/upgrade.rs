//! From an HTTP request to a connection: the server's side of the handshake (RFC 6455, section 4.2).
//!
//! Keeps: a page in a browser gets in only from an origin that was allowed, since a browser lets any
//! page connect to any address, loopback included.
//!
//! Does not: look at tokens or rates; whoever is asked decides that before he upgrades.

use crate::{
    Connection, Limits, SUBPROTOCOL, Side,
    answer::{Request, Response, text, with},
    error::WireError,
    listen::Accepted,
};
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Version,
    header::{
        CONNECTION, ORIGIN, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL,
        SEC_WEBSOCKET_VERSION, UPGRADE,
    },
};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use std::time::Duration;
use tokio::time::timeout;
use tungstenite::handshake::derive_accept_key;

/// Origins from which pages may connect. None is allowed unless it is named; programs that are no
/// browsers send no origin and are not concerned.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origins(Vec<String>);

/// A connection that stands once the answer has been sent.
#[derive(Debug)]
pub struct Upgrading {
    upgrade: OnUpgrade,
    limits: Limits,
    is_lasting: bool,
}

/// How long the answer to a handshake may take to leave.
const UPGRADE_WITHIN: Duration = Duration::from_secs(10);

// === impl Origins ===

impl Origins {
    /// Allows these: `https://assay.example`, `http://localhost:8765`.
    pub fn allow<T: AsRef<str>>(origins: &[T]) -> Self {
        let plain = |origin: &T| origin.as_ref().trim_end_matches('/').to_ascii_lowercase();
        Self(origins.iter().map(plain).collect())
    }

    /// Refuses a request that comes from a page of another origin.
    ///
    /// # Errors
    ///
    /// The answer to send: 403, in words.
    pub fn check(&self, headers: &HeaderMap) -> Result<(), Box<Response>> {
        for origin in headers.get_all(ORIGIN) {
            let origin = origin.to_str().unwrap_or("one that is no text").to_ascii_lowercase();
            if !self.0.contains(&origin) {
                let shown: String = origin.chars().take(200).collect();
                let words = format!(
                    "pages of the origin `{shown}` may not connect; allow it in the configuration\n"
                );
                return Err(Box::new(text(StatusCode::FORBIDDEN, words)));
            }
        }
        Ok(())
    }
}

/// Whether a request asks for a WebSocket.
pub fn is_upgrade(headers: &HeaderMap) -> bool {
    has_word(headers, &UPGRADE, "websocket")
}

/// Takes a request for a WebSocket: returns the answer to send, and the connection to be.
///
/// # Errors
///
/// The answer to send where the request is none that can be taken, in words.
pub fn upgrade(
    request: &mut Request,
    limits: Limits,
    origins: &Origins,
) -> Result<(Response, Upgrading), Box<Response>> {
    let headers = request.headers();
    origins.check(headers)?;
    let refuse = |words: &'static str| Err(Box::new(text(StatusCode::BAD_REQUEST, words)));
    if request.method() != Method::GET || request.version() < Version::HTTP_11 {
        return refuse("a WebSocket begins with `GET` of HTTP/1.1\n");
    }
    if !is_upgrade(headers) || !has_word(headers, &CONNECTION, "upgrade") {
        return refuse("a WebSocket is asked for by `Connection: upgrade`, `Upgrade: websocket`\n");
    }
    if headers.get(SEC_WEBSOCKET_VERSION).is_none_or(|version| version != "13") {
        let answer = text(StatusCode::UPGRADE_REQUIRED, "the version of WebSockets must be 13\n");
        return Err(Box::new(with(answer, SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"))));
    }
    // 16 bytes in Base64: 24 characters.
    let Some(key) = headers.get(SEC_WEBSOCKET_KEY).filter(|key| key.len() == 24) else {
        return refuse("the header `Sec-WebSocket-Key` is missing, or is not 16 bytes in Base64\n");
    };
    let accept = derive_accept_key(key.as_bytes());
    let accept = HeaderValue::try_from(accept).expect("Base64 may stand in a header");
    let is_lasting = has_word(headers, &SEC_WEBSOCKET_PROTOCOL, SUBPROTOCOL);
    let mut response = switching(accept);
    if is_lasting {
        let protocol = HeaderValue::from_static(SUBPROTOCOL);
        response = with(response, SEC_WEBSOCKET_PROTOCOL, protocol);
    }
    let upgrade = hyper::upgrade::on(request);
    Ok((response, Upgrading { upgrade, limits, is_lasting }))
}

fn switching(accept: HeaderValue) -> Response {
    let mut response = Response::default();
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let response = with(response, CONNECTION, HeaderValue::from_static("upgrade"));
    let response = with(response, UPGRADE, HeaderValue::from_static("websocket"));
    with(response, SEC_WEBSOCKET_ACCEPT, accept)
}

/// Whether a header is a list that names a word. Case counts for nothing.
pub(crate) fn has_word(headers: &HeaderMap, name: &HeaderName, word: &str) -> bool {
    let values = headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|each| each.trim().eq_ignore_ascii_case(word))
}

// === impl Upgrading ===

impl Upgrading {
    /// Waits until the answer has left, and returns the connection.
    ///
    /// # Errors
    ///
    /// `Late` or `Handshake` where the client went away meanwhile.
    ///
    /// # Cancel safety
    ///
    /// Not safe: dropping it drops the connection.
    pub async fn connection(self) -> Result<Connection, WireError> {
        let Self { upgrade, limits, is_lasting } = self;
        let late = |_| WireError::Late { doing: "upgrading", within: UPGRADE_WITHIN };
        let upgraded = timeout(UPGRADE_WITHIN, upgrade).await.map_err(late)?;
        let upgraded = upgraded.map_err(WireError::handshake)?;
        let connection = of_upgraded::<Accepted>(upgraded, Side::Server, limits);
        Ok(if is_lasting { connection.lasting() } else { connection })
    }
}

/// Takes the stream out of hyper's hands, with what it read too much. `S` is what hyper was given:
/// without hyper's own wrapping a read is one call less deep.
pub(crate) fn of_upgraded<S>(upgraded: Upgraded, side: Side, limits: Limits) -> Connection
where
    S: crate::Stream + 'static,
{
    match upgraded.downcast::<TokioIo<S>>() {
        Ok(parts) => {
            let stream = Box::new(parts.io.into_inner());
            Connection::with_head_start(stream, side, limits, &parts.read_buf)
        }
        Err(upgraded) => Connection::new(Box::new(TokioIo::new(upgraded)), side, limits),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(origins: &[&str]) -> HeaderMap {
        origins.iter().map(|origin| (ORIGIN, origin.parse().unwrap())).collect()
    }

    #[test]
    fn a_page_gets_in_only_from_an_allowed_origin() {
        let allowed = Origins::allow(&["http://localhost:8765/"]);
        assert!(allowed.check(&headers(&[])).is_ok());
        assert!(allowed.check(&headers(&["HTTP://localhost:8765"])).is_ok());
        for bad in ["http://localhost", "https://localhost:8765", "null", "http://evil.example", ""]
        {
            let refused = allowed.check(&headers(&[bad])).unwrap_err();
            assert_eq!(refused.status(), StatusCode::FORBIDDEN, "{bad}");
        }
        let both = headers(&["http://localhost:8765", "http://evil.example"]);
        assert!(allowed.check(&both).is_err());
        assert!(Origins::default().check(&headers(&["http://localhost:8765"])).is_err());
    }

    #[test]
    fn a_word_is_found_in_a_list() {
        let map = [(CONNECTION, "keep-alive, Upgrade".parse().unwrap())].into_iter().collect();
        assert!(has_word(&map, &CONNECTION, "upgrade"));
        assert!(!has_word(&map, &CONNECTION, "keep"));
    }
}
