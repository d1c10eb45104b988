//! The half that writes.

use super::shared::{Half, Shared};
use crate::{close::CloseCode, error::WireError};
use std::{
    future::poll_fn,
    task::{Context, Poll},
    time::Duration,
};
use tokio::time::{Instant, timeout_at};
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
        let bytes = self.waiting();
        let within = self.shared.limits().write_time(bytes);
        let deadline = Instant::now() + within;
        match timeout_at(deadline, poll_fn(|cx| self.poll_down_to(most, cx))).await {
            Ok(end) => end,
            Err(_) => Err(self.give_up(bytes, within)),
        }
    }

    fn poll_down_to(&self, most: usize, cx: &Context<'_>) -> Poll<Result<(), WireError>> {
        self.shared.lock_as(Half::Writer, cx).poll_down_to(most)
    }

    fn give_up(&self, bytes: usize, within: Duration) -> WireError {
        self.shared.lock().give_up();
        WireError::Stalled { bytes, within }
    }
}
