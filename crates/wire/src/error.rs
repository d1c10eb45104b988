//! What goes wrong on a connection, with its facts; the advice stands apart.

use crate::close::CloseCode;
use std::{io, time::Duration};

/// Why a connection could not be made, or is of no more use.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
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
    /// Returns the code by which the connection is closed because of this, where there is still
    /// somebody to tell.
    pub fn close_code(&self) -> Option<CloseCode> {
        match self {
            Self::TooLarge { .. } => Some(CloseCode::TOO_LARGE),
            Self::Binary => Some(CloseCode::UNSUPPORTED),
            Self::NotUtf8 => Some(CloseCode::NOT_UTF8),
            Self::Protocol { .. } => Some(CloseCode::PROTOCOL),
            Self::Silent { .. } | Self::Stalled { .. } | Self::Lost { .. } | Self::Closed => None,
        }
    }

    /// Returns what to do about it, where that is known.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::TooLarge { max, .. } => Some(format!(
                "send at most {max} bytes in one message; a peer with a token may send 100 MiB"
            )),
            Self::Binary => Some("send JSON as a text frame".to_owned()),
            Self::NotUtf8
            | Self::Protocol { .. }
            | Self::Silent { .. }
            | Self::Stalled { .. }
            | Self::Lost { .. }
            | Self::Closed => None,
        }
    }
}
