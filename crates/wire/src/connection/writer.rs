//! The half that writes.

use super::shared::{Half, Patience, Shared};
use crate::{close::CloseCode, error::WireError};
use std::{
    future::poll_fn,
    task::{Context, Poll},
};
use tokio::time::timeout_at;
use tungstenite::Utf8Bytes;

/// The half of a connection that writes. Dropping it does not close the connection while the
/// [`Reader`](crate::Reader) lives.
#[derive(Debug)]
pub struct Writer {
    pub(super) shared: Shared,
}

// === impl Writer ===

impl Writer {
    /// Lets a message wait to be written, after there is room for it: many messages that are fed
    /// leave together with the next [`flush`](Self::flush).
    ///
    /// # Errors
    ///
    /// `Stalled` if the peer does not make room in time, `Lost` and `Closed` if it is gone. The
    /// message was then not taken.
    ///
    /// # Cancel safety
    ///
    /// Safe: a message is taken whole, as the last step.
    pub async fn feed(&mut self, text: Utf8Bytes) -> Result<(), WireError> {
        let most = self.shared.limits().queued_max;
        if !self.take_in(text.clone(), most)? {
            self.down_to(most).await?;
            self.take_in(text, usize::MAX)?;
        }
        Ok(())
    }

    /// As [`feed`](Self::feed) without waiting: `false` where there is no room, and the message was
    /// not taken.
    ///
    /// # Errors
    ///
    /// `Closed` if the connection is.
    pub fn try_feed(&mut self, text: Utf8Bytes) -> Result<bool, WireError> {
        self.take_in(text, self.shared.limits().queued_max)
    }

    /// Writes all that waits.
    ///
    /// # Errors
    ///
    /// `Stalled` if the peer does not take it in time (see [`Limits`](crate::Limits)), `Lost` and
    /// `Closed` if it is gone.
    ///
    /// # Cancel safety
    ///
    /// Safe: what was not written still waits.
    pub async fn flush(&mut self) -> Result<(), WireError> {
        self.down_to(0).await
    }

    /// Feeds one message and flushes.
    ///
    /// # Errors
    ///
    /// As [`feed`](Self::feed) and [`flush`](Self::flush).
    ///
    /// # Cancel safety
    ///
    /// Safe for the connection: a message leaves whole or not at all, and is not sent in parts.
    pub async fn send(&mut self, text: Utf8Bytes) -> Result<(), WireError> {
        self.feed(text).await?;
        self.flush().await
    }

    /// Sends the close frame after all that waits. Nothing can be fed afterwards; the reader still
    /// reads until the peer closes too.
    ///
    /// # Errors
    ///
    /// As [`flush`](Self::flush).
    ///
    /// # Cancel safety
    ///
    /// Safe: the close frame then waits as other frames do.
    pub async fn close(&mut self, code: CloseCode, reason: &str) -> Result<(), WireError> {
        self.shared.lock().push_close(Some(code), reason);
        self.flush().await
    }

    /// Returns how many bytes wait to be written.
    pub fn waiting(&self) -> usize {
        self.shared.lock().outbox.waiting()
    }

    /// Takes a message in if no more than `most` bytes wait.
    fn take_in(&self, text: Utf8Bytes, most: usize) -> Result<bool, WireError> {
        let mut wire = self.shared.lock();
        if wire.close_sent.is_some() || wire.is_lost {
            return Err(WireError::Closed);
        }
        let has_room = wire.outbox.waiting() <= most;
        if has_room {
            wire.outbox.push_text(text);
        }
        Ok(has_room)
    }

    async fn down_to(&mut self, most: usize) -> Result<(), WireError> {
        // Most writes are taken at once; only one that waits needs a clock.
        if let Poll::Ready(end) = poll_fn(|cx| Poll::Ready(self.poll_down_to(most, cx))).await {
            return end;
        }
        loop {
            let Some(patience) = self.patience() else { return self.closed() };
            let work = poll_fn(|cx| self.poll_down_to(most, cx));
            if let Ok(end) = timeout_at(patience.until, work).await {
                return end;
            }
            // Bytes that waited then may be taken, and others wait.
            if self.patience().is_some_and(|now| now.until <= patience.until) {
                self.shared.lock().give_up();
                let Patience { bytes, within, .. } = patience;
                return Err(WireError::Stalled { bytes, within });
            }
        }
    }

    fn poll_down_to(&self, most: usize, cx: &Context<'_>) -> Poll<Result<(), WireError>> {
        self.shared.lock_as(Half::Writer, cx).poll_down_to(most, self.shared.limits())
    }

    fn patience(&self) -> Option<Patience> {
        self.shared.lock().patience
    }

    /// All was written meanwhile by the other half, or it lost the connection.
    fn closed(&self) -> Result<(), WireError> {
        if self.shared.lock().is_lost { Err(WireError::Closed) } else { Ok(()) }
    }
}
