//! How a connection ends well: what was said last arrives.
//!
//! A socket that is closed while bytes of the peer lie unread is reset, and the reset overtakes what
//! we sent last. So we read on for a moment.

use super::{
    reader::Reader,
    shared::{Half, Shared},
    writer::Writer,
};
use crate::{close::CloseCode, error::WireError};
use std::{
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll, ready},
};
use tokio::{io::ReadBuf, time::timeout};

/// Closes with a code: sends all that waits and the close frame, and drops what the peer still
/// sends, until he has closed too or [`Limits::close_within`](crate::Limits) has passed.
///
/// Also right after an error of [`Reader::next`], with its [`close_code`](WireError::close_code).
///
/// # Cancel safety
///
/// Safe: dropping it drops the connection at once.
pub async fn part(mut reader: Reader, mut writer: Writer, code: CloseCode, reason: &str) {
    if writer.close(code, reason).await.is_err() {
        return;
    }
    if !reader.is_broken {
        while let Ok(Some(_)) = reader.next().await {}
        let _ = shutdown(&reader).await;
        return;
    }
    let within = reader.shared.limits().close_within;
    let drain = async {
        shutdown(&reader).await?;
        poll_fn(|cx| poll_drain(&reader.shared, cx)).await
    };
    // Whatever comes of it, the connection is over.
    let _ = timeout(within, drain).await;
}

/// Tells the peer that nothing follows: TCP by its FIN, TLS by its closing alert.
async fn shutdown(reader: &Reader) -> Result<(), WireError> {
    let within = reader.shared.limits().close_within;
    let shutdown = poll_fn(|cx| {
        let mut wire = reader.shared.lock_as(Half::Reader, cx);
        wire.poll_with(|stream, cx| Pin::new(stream).poll_shutdown(cx))
    });
    timeout(within, shutdown).await.unwrap_or(Err(WireError::Closed))
}

/// Reads and forgets until the end.
fn poll_drain(shared: &Shared, cx: &Context<'_>) -> Poll<Result<(), WireError>> {
    let mut space = [0_u8; 16 << 10];
    loop {
        let mut buffer = ReadBuf::new(&mut space);
        let mut wire = shared.lock_as(Half::Reader, cx);
        ready!(wire.poll_with(|stream, cx| Pin::new(stream).poll_read(cx, &mut buffer)))?;
        if buffer.filled().is_empty() {
            return Poll::Ready(Ok(()));
        }
    }
}
