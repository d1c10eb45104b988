//! Any bytes as what a client sends after the handshake, cut as the first byte says: no panic, no
//! message above the limit, and the same messages and the same end as of the bytes in one piece.
#![no_main]

use assay_wire::{Connection, Limits, Side};
use libfuzzer_sys::fuzz_target;
use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    runtime::{Builder, Runtime},
};

const MAX: usize = 1000;

thread_local! {
    static RUNTIME: Runtime =
        Builder::new_current_thread().enable_time().build().expect("a runtime of one thread");
}

/// Gives bytes in pieces of one size, and swallows what is written.
struct Pieces {
    rest: Vec<u8>,
    size: usize,
}

impl AsyncRead for Pieces {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let size = self.size.min(self.rest.len()).min(buffer.remaining());
        let rest = self.rest.split_off(size);
        buffer.put_slice(&self.rest);
        self.rest = rest;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Pieces {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

async fn read(bytes: &[u8], size: usize) -> (Vec<String>, String) {
    let limits = Limits { message_max: MAX, ..Limits::new() };
    let stream = Box::new(Pieces { rest: bytes.to_vec(), size });
    let mut connection = Connection::new(stream, Side::Server, limits);
    let mut texts = Vec::new();
    loop {
        match connection.next().await {
            Ok(Some(text)) => {
                assert!(text.len() <= MAX);
                texts.push(text.to_string());
            }
            Ok(None) => return (texts, format!("{:?}", connection.closed())),
            Err(error) => return (texts, error.to_string()),
        }
    }
}

fuzz_target!(|input: &[u8]| {
    let Some((size, bytes)) = input.split_first() else { return };
    RUNTIME.with(|runtime| {
        runtime.block_on(async {
            let size = usize::from(*size).max(1);
            assert_eq!(read(bytes, size).await, read(bytes, usize::MAX).await);
        });
    });
});
