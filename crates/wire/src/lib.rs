//! How rooms talk: every frame typed, and one connection for all ends.
//!
//! Owns the words on the wire and the bytes that carry them. Keeps: tolerant in what it takes, exact
//! in what it sends; a size is refused before it is decoded; a peer that is gone is noticed.
//!
//! Does not: decide what may happen, keep a connection for later, or know what an analysis is.

pub mod answer; // HTTP around the WebSocket: answers in words
pub mod gateway; // the gateway's dialect
pub mod routes; // who does what: names, ports, types of analysis
pub mod service; // a service's dialect
pub mod stamp; // the id and the time that every frame carries

mod analysis; // the request for an analysis, of both dialects
mod close; // how a connection is closed
mod connect; // from a URL to a connection
mod connection; // messages over a stream of bytes
mod encode; // how a frame is written
mod error; // what goes wrong on a connection
mod fault; // what is answered where a request cannot be
mod fields; // fields of a request, read tolerantly
mod head; // the fields that any request may have
mod limits; // what a connection may take
mod listen; // accepts clients, and hands over what they ask
mod loose; // schemas of fields that are read in several spellings
mod payload; // JSON that is only passed on
mod task; // what is said about one task
mod tls; // which certificate we show, and whom we trust
mod token; // the secret by which a client is known
mod upgrade; // from a request to a connection
mod words; // closed lists of words

pub use analysis::{APP_NUMBER_MAX, AnalysisRequest, TIMEOUT_S_MAX};
pub use close::{CloseCode, Closed};
pub use connect::{ConnectTerms, connect, connect_at, host_of, without_query};
pub use connection::{Connection, Reader, Side, Stream, Writer, pair, part};
pub use error::WireError;
pub use fault::{ErrorCode, Fault, Unreadable};
pub use limits::{KeepAlive, Limits, MESSAGE_MAX, MESSAGE_MAX_TRUSTED, WRITE_BYTES_PER_S};
pub use listen::{Accepted, Handler, ListenNote, ListenTerms, Listener, Peer};
pub use payload::Payload;
pub use routes::{AnalysisType, Analyzer, Route, ServiceName};
pub use service::AnalysisReply;
pub use task::{AnalysisStatus, Progress, TaskState, TaskStatus, ToolWord};
pub use tls::{TlsClient, TlsServer};
pub use token::{TOKEN_MAX, Token};
pub use tungstenite::Utf8Bytes;
pub use upgrade::{Origins, Upgrading, is_upgrade, upgrade};

/// The subprotocol by which a client asks for a connection that stays open after the reply to an
/// analysis.
pub const SUBPROTOCOL: &str = "assay.v1";
