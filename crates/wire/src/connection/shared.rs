//! What the two halves of a connection share: the stream, what waits to be written, and who is to
//! be woken.
//!
//! Keeps: a half that waits is woken whichever half caused the stream to wait. A stream knows one
//! task for reading and one for writing; a reader that writes a pong, or TLS that reads in order to
//! write, would take the other's place.

use super::outbox::Outbox;
use crate::{Limits, close::CloseCode, error::WireError};
use futures_util::task::AtomicWaker;
use std::{
    fmt, io,
    sync::{Arc, Mutex, MutexGuard},
    task::{Context, Poll, Wake, Waker},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::Instant,
};

/// A stream of bytes to a peer: TCP, TLS, or memory of the same process.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// Which half of a connection waits.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Half {
    Reader,
    Writer,
}

/// Both halves hold one; the stream is closed when the last is dropped.
#[derive(Clone)]
pub(crate) struct Shared(Arc<Both>);

struct Both {
    wire: Mutex<Wire>,
    sleepers: Arc<Sleepers>,
    pub(crate) limits: Limits,
}

/// The stream and what waits for it.
pub(crate) struct Wire {
    pub(crate) stream: Box<dyn Stream>,
    pub(crate) outbox: Outbox,
    /// When our close frame came into the outbox: nothing may follow it.
    pub(crate) close_sent: Option<Instant>,
    /// Set once the stream failed.
    pub(crate) is_lost: bool,
    /// Present while the peer keeps bytes waiting.
    pub(crate) patience: Option<Patience>,
    /// What the stream is given in place of the waker of either half.
    waker: Waker,
}

/// By when the peer must have taken the bytes that waited at some moment. It outlives the call that
/// waits: whoever flushes again and again does not begin anew.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    /// The count of written bytes at which they are all taken.
    taken_at: u64,
    pub(crate) until: Instant,
    pub(crate) bytes: usize,
    pub(crate) within: Duration,
}

#[derive(Default)]
struct Sleepers {
    reader: AtomicWaker,
    writer: AtomicWaker,
}

impl Wake for Sleepers {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.reader.wake();
        self.writer.wake();
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("limits", &self.0.limits).finish_non_exhaustive()
    }
}

// === impl Shared ===

impl Shared {
    pub(crate) fn new(stream: Box<dyn Stream>, outbox: Outbox, limits: Limits) -> Self {
        let sleepers = Arc::new(Sleepers::default());
        let waker = Waker::from(Arc::clone(&sleepers));
        let wire = Wire { stream, outbox, close_sent: None, is_lost: false, patience: None, waker };
        Self(Arc::new(Both { wire: Mutex::new(wire), sleepers, limits }))
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.0.limits
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Wire> {
        self.0.wire.lock().expect("no half panics while it polls the stream")
    }

    /// Notes that a half is about to wait, and locks.
    pub(crate) fn lock_as(&self, half: Half, cx: &Context<'_>) -> MutexGuard<'_, Wire> {
        match half {
            Half::Reader => self.0.sleepers.reader.register(cx.waker()),
            Half::Writer => self.0.sleepers.writer.register(cx.waker()),
        }
        self.lock()
    }
}

// === impl Wire ===

impl Wire {
    /// Writes until no more than `most` bytes wait.
    pub(crate) fn poll_down_to(
        &mut self,
        most: usize,
        limits: &Limits,
    ) -> Poll<Result<(), WireError>> {
        if self.is_lost {
            return Poll::Ready(Err(WireError::Closed));
        }
        let waker = self.waker.clone();
        let cx = &mut Context::from_waker(&waker);
        let polled = self.outbox.poll_down_to(most, &mut self.stream, cx);
        self.be_patient(limits);
        polled.map_err(|source| self.lose(source))
    }

    /// Gives the bytes that now wait their time, once those that waited before are taken.
    fn be_patient(&mut self, limits: &Limits) {
        let (bytes, total) = (self.outbox.waiting(), self.outbox.total());
        if self.outbox.is_flushed() {
            self.patience = None;
        } else if self.patience.is_none_or(|patience| patience.taken_at <= total) {
            let within = limits.write_time(bytes);
            let (taken_at, until) = (total + bytes as u64, Instant::now() + within);
            self.patience = Some(Patience { taken_at, until, bytes, within });
        }
    }

    /// Calls `read` with the stream and the context in which it must be polled.
    pub(crate) fn poll_with<T>(
        &mut self,
        read: impl FnOnce(&mut dyn Stream, &mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> Poll<Result<T, WireError>> {
        let waker = self.waker.clone();
        let cx = &mut Context::from_waker(&waker);
        read(&mut *self.stream, cx).map_err(|source| self.lose(source))
    }

    /// Puts the close frame into the outbox, once.
    pub(crate) fn push_close(&mut self, code: Option<CloseCode>, reason: &str) {
        if self.close_sent.is_none() {
            self.close_sent = Some(Instant::now());
            self.outbox.push_close(code, reason);
            // The reader waits for its own alarm, which now is nearer.
            self.waker.wake_by_ref();
        }
    }

    /// Gives the peer up, and lets the other half see that.
    pub(crate) fn give_up(&mut self) {
        self.is_lost = true;
        self.waker.wake_by_ref();
    }

    fn lose(&mut self, source: io::Error) -> WireError {
        self.give_up();
        WireError::Lost { source }
    }
}
