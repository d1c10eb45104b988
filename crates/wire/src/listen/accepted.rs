//! A connection of a client: plain or encrypted, and counted while it is open.

use super::counts::Counted;
use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};
use tokio_rustls::server::TlsStream;

/// A stream to a client that was accepted. It counts against the limits until it is dropped.
#[derive(Debug)]
pub struct Accepted {
    stream: Kind,
    _counted: Counted,
}

#[derive(Debug)]
enum Kind {
    Plain(TcpStream),
    Encrypted(Box<TlsStream<TcpStream>>),
}

// === impl Accepted ===

impl Accepted {
    pub(super) fn plain(stream: TcpStream, counted: Counted) -> Self {
        Self { stream: Kind::Plain(stream), _counted: counted }
    }

    pub(super) fn encrypted(stream: TlsStream<TcpStream>, counted: Counted) -> Self {
        Self { stream: Kind::Encrypted(Box::new(stream)), _counted: counted }
    }
}

/// Calls the same method of whichever stream there is.
macro_rules! either {
    ($self:ident, $stream:ident => $call:expr) => {
        match &mut $self.get_mut().stream {
            Kind::Plain($stream) => {
                let $stream = Pin::new($stream);
                $call
            }
            Kind::Encrypted($stream) => {
                let $stream = Pin::new(&mut **$stream);
                $call
            }
        }
    };
}

impl AsyncRead for Accepted {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        either!(self, stream => stream.poll_read(cx, buffer))
    }
}

impl AsyncWrite for Accepted {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        either!(self, stream => stream.poll_write(cx, bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        either!(self, stream => stream.poll_write_vectored(cx, slices))
    }

    fn is_write_vectored(&self) -> bool {
        match &self.stream {
            Kind::Plain(stream) => stream.is_write_vectored(),
            Kind::Encrypted(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self, stream => stream.poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self, stream => stream.poll_shutdown(cx))
    }
}
