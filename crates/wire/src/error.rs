//! What goes wrong on a connection, with its facts; the advice stands apart.

use crate::close::CloseCode;
use std::{io, net::SocketAddr, path::PathBuf, time::Duration};

/// Why a connection could not be made, or is of no more use.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    #[error("`{url}` cannot be connected to: {why}")]
    Url { url: String, why: &'static str },
    #[error("`{address}` cannot be listened on")]
    Bind { address: SocketAddr, source: io::Error },
    #[error("`{address}` cannot be reached")]
    Unreachable { address: String, source: io::Error },
    #[error("{doing} took more than {:.1} s", within.as_secs_f64())]
    Late { doing: &'static str, within: Duration },
    #[error("the certificate `{}` cannot be used: {why}", path.display())]
    Certificate { path: PathBuf, why: String },
    #[error("the server refused with status {status}: {said}")]
    Refused { status: u16, said: String },
    #[error("`{address}` answers, but is no WebSocket")]
    NoWebSocket { address: String },
    #[error("the handshake failed")]
    Handshake { source: hyper::Error },
    #[error("the peer sent a message of {size} bytes, the limit is {max}")]
    TooLarge { size: u64, max: usize },
    #[error("the peer sent a binary frame; frames are JSON text")]
    Binary,
    #[error("the peer sent a text frame that is not UTF-8")]
    NotUtf8,
    #[error("the peer breaks the WebSocket protocol: {what}")]
    Protocol { what: &'static str },
    #[error("the peer has been silent for {} s", after.as_secs())]
    Silent { after: Duration },
    #[error("the peer did not take {bytes} bytes within {} s", within.as_secs())]
    Stalled { bytes: usize, within: Duration },
    #[error("the connection was lost")]
    Lost { source: io::Error },
    #[error("the connection is closed")]
    Closed,
}

// === impl WireError ===

impl WireError {
    pub(crate) fn handshake(source: hyper::Error) -> Self {
        Self::Handshake { source }
    }

    /// Returns the code by which the connection is closed because of this, where there is still
    /// somebody to tell.
    pub fn close_code(&self) -> Option<CloseCode> {
        match self {
            Self::TooLarge { .. } => Some(CloseCode::TOO_LARGE),
            Self::Binary => Some(CloseCode::UNSUPPORTED),
            Self::NotUtf8 => Some(CloseCode::NOT_UTF8),
            Self::Protocol { .. } => Some(CloseCode::PROTOCOL),
            Self::Url { .. }
            | Self::Bind { .. }
            | Self::Unreachable { .. }
            | Self::Late { .. }
            | Self::Certificate { .. }
            | Self::Refused { .. }
            | Self::NoWebSocket { .. }
            | Self::Handshake { .. }
            | Self::Silent { .. }
            | Self::Stalled { .. }
            | Self::Lost { .. }
            | Self::Closed => None,
        }
    }

    /// Returns what to do about it, where that is known.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::TooLarge { max, .. } => Some(format!(
                "send at most {max} bytes in one message; a peer with a token may send 100 MiB"
            )),
            Self::Binary => Some("send JSON as a text frame".to_owned()),
            Self::Url { .. } => {
                Some("write it as `ws://host:port` or `wss://host:port`".to_owned())
            }
            Self::Bind { source, .. } => match source.kind() {
                io::ErrorKind::AddrInUse => {
                    Some("stop who has it, or choose another port".to_owned())
                }
                io::ErrorKind::AddrNotAvailable => {
                    Some("it is no address of this machine".to_owned())
                }
                io::ErrorKind::PermissionDenied => Some("choose a port above 1023".to_owned()),
                _ => None,
            },
            Self::Unreachable { source, .. } => match source.kind() {
                io::ErrorKind::ConnectionRefused => {
                    Some("nobody listens there: start the server with `assay serve`".to_owned())
                }
                io::ErrorKind::InvalidData => Some(
                    "the certificate is not trusted, or the port does not speak TLS".to_owned(),
                ),
                _ => None,
            },
            Self::Refused { status: 401, .. } => {
                Some("give a token that the server knows".to_owned())
            }
            Self::Refused { status: 403, .. } => {
                Some("the token or the origin may not do this".to_owned())
            }
            Self::Refused { status: 429 | 503, .. } => {
                Some("try again in a few seconds".to_owned())
            }
            Self::NoWebSocket { .. } => Some("check host and port".to_owned()),
            Self::Late { .. }
            | Self::Certificate { .. }
            | Self::Refused { .. }
            | Self::Handshake { .. }
            | Self::NotUtf8
            | Self::Protocol { .. }
            | Self::Silent { .. }
            | Self::Stalled { .. }
            | Self::Lost { .. }
            | Self::Closed => None,
        }
    }
}
