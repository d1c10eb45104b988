//! One connection for all ends: TCP, TLS, or two halves in one process.
//!
//! Owns the framing of RFC 6455 after the handshake. Keeps: limits hold before anything is decoded;
//! a peer that is gone is noticed; every write has a deadline; an idle connection holds no buffer.
//!
//! Does not: know what a message means, connect, or accept.

mod decoder; // bytes to messages
mod outbox; // messages to bytes
mod parting; // how a connection ends well
mod reader; // the half that reads
mod shared; // what both halves share
mod writer; // the half that writes

pub use parting::part;
pub use reader::Reader;
pub use shared::Stream;
pub use writer::Writer;

use crate::{
    Limits,
    close::{CloseCode, Closed},
    error::WireError,
};
use decoder::{Decoder, Masks};
use outbox::Outbox;
use shared::Shared;
use tungstenite::Utf8Bytes;

/// Which end of a connection is ours. It decides which direction is masked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Client,
    Server,
    /// Both ends are in this process: nothing is masked.
    Local,
}

/// A WebSocket after its handshake: messages are whole texts.
#[derive(Debug)]
pub struct Connection {
    reader: Reader,
    writer: Writer,
    is_lasting: bool,
}

/// Bytes that one end of a pair may be ahead of the other.
const PAIR_BUFFER: usize = 64 << 10;

/// Makes two connected ends in this process. Both are lasting.
pub fn pair(limits: Limits) -> (Connection, Connection) {
    let (one, other) = tokio::io::duplex(PAIR_BUFFER);
    let end = |stream| Connection::new(Box::new(stream), Side::Local, limits).lasting();
    (end(one), end(other))
}

// === impl Connection ===

impl Connection {
    /// Takes a stream after its handshake. Must be called within a tokio runtime.
    pub fn new(stream: Box<dyn Stream>, side: Side, limits: Limits) -> Self {
        Self::with_head_start(stream, side, limits, &[])
    }

    /// As [`new`](Self::new), where bytes after the handshake were already read.
    pub fn with_head_start(
        stream: Box<dyn Stream>,
        side: Side,
        limits: Limits,
        read: &[u8],
    ) -> Self {
        let (ours, theirs) = match side {
            Side::Client => (Masks::Always, Masks::Never),
            Side::Server => (Masks::Never, Masks::Always),
            Side::Local => (Masks::Never, Masks::Never),
        };
        let shared = Shared::new(stream, Outbox::new(ours), limits);
        let mut decoder = Decoder::new(theirs, &limits);
        decoder.put(read);
        let reader = Reader::new(shared.clone(), decoder);
        Self { reader, writer: Writer { shared }, is_lasting: false }
    }

    /// Marks that the peer asked for a lasting connection, by the subprotocol `assay.v1`.
    pub fn lasting(mut self) -> Self {
        self.is_lasting = true;
        self
    }

    /// Whether the peer wants the connection to stay open after the reply to an analysis. An old
    /// client does not: it reads until the connection closes.
    pub fn is_lasting(&self) -> bool {
        self.is_lasting
    }

    /// Splits into halves that two tasks may use at once.
    pub fn split(self) -> (Reader, Writer) {
        (self.reader, self.writer)
    }

    /// Returns both halves where they are.
    pub fn halves(&mut self) -> (&mut Reader, &mut Writer) {
        (&mut self.reader, &mut self.writer)
    }

    /// As [`Reader::next`].
    ///
    /// # Errors
    ///
    /// As [`Reader::next`].
    pub async fn next(&mut self) -> Result<Option<Utf8Bytes>, WireError> {
        self.reader.next().await
    }

    /// As [`Writer::send`].
    ///
    /// # Errors
    ///
    /// As [`Writer::send`].
    pub async fn send(&mut self, text: Utf8Bytes) -> Result<(), WireError> {
        self.writer.send(text).await
    }

    /// As [`Writer::close`].
    ///
    /// # Errors
    ///
    /// As [`Writer::close`].
    pub async fn close(&mut self, code: CloseCode, reason: &str) -> Result<(), WireError> {
        self.writer.close(code, reason).await
    }

    /// As [`Reader::closed`].
    pub fn closed(&self) -> Option<&Closed> {
        self.reader.closed()
    }
}
