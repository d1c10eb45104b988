//! The half that reads, answers pings, and notices that the peer is gone.

use super::{
    decoder::{Decoder, Incoming},
    shared::{Half, Shared, Stream},
};
use crate::{KeepAlive, close::Closed, error::WireError};
use std::{
    future::{Future, poll_fn},
    io,
    mem::MaybeUninit,
    pin::{Pin, pin},
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, ReadBuf},
    time::{Instant, Sleep, sleep_until},
};
use tungstenite::Utf8Bytes;

/// The half of a connection that reads. Keep-alive happens while it is polled: whoever stops
/// reading also stops answering pings.
#[derive(Debug)]
pub struct Reader {
    pub(super) shared: Shared,
    pub(super) decoder: Decoder,
    /// When the peer was last heard.
    heard: Instant,
    /// When we last pinged.
    pinged: Instant,
    /// Fires when the peer has been silent for too long, one way or the other.
    alarm: Option<Pin<Box<Sleep>>>,
    pub(super) end: Option<Closed>,
    /// Set once the peer broke the protocol: where the next frame begins is not known.
    pub(super) is_broken: bool,
}

/// Why the alarm is set.
#[derive(Clone, Copy, Debug)]
enum Due {
    Ping,
    Gone(Duration),
    /// We sent a close frame, and the peer sends none.
    NotClosed,
}

/// Bytes that are read at once while no large message is awaited. They lie on the stack, so that a
/// connection that waits needs no buffer.
const READ_AT_ONCE: usize = 16 << 10;

// === impl Reader ===

impl Reader {
    pub(super) fn new(shared: Shared, decoder: Decoder) -> Self {
        let now = Instant::now();
        Self { shared, decoder, heard: now, pinged: now, alarm: None, end: None, is_broken: false }
    }

    /// Reads the next message; `None` once the peer has closed.
    ///
    /// # Errors
    ///
    /// `TooLarge`, `Binary`, `NotUtf8` and `Protocol` where the peer sends what it may not: nothing
    /// can be read afterwards, but it can still be told ([`WireError::close_code`]). `Silent` and
    /// `Lost` where it is gone, also by an end of the stream without a close frame.
    ///
    /// # Cancel safety
    ///
    /// Safe: the bytes of a half-read message stay here.
    pub async fn next(&mut self) -> Result<Option<Utf8Bytes>, WireError> {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    /// Returns a message that has already arrived, without waiting or looking at the stream.
    ///
    /// With it the answers to all requests that came together leave together: after
    /// [`next`](Self::next) take these until there is none, then flush.
    ///
    /// # Errors
    ///
    /// As [`next`](Self::next).
    pub fn next_arrived(&mut self) -> Result<Option<Utf8Bytes>, WireError> {
        while self.end.is_none() {
            if self.is_broken {
                return Err(WireError::Closed);
            }
            match self.decoder.take() {
                Ok(None) => break,
                Ok(Some(Incoming::Text(text))) => return Ok(Some(text)),
                Ok(Some(other)) => self.answer(other),
                Err(broken) => {
                    self.is_broken = true;
                    return Err(broken);
                }
            }
        }
        Ok(None)
    }

    /// Returns what the close frame of the peer said, once there was one.
    pub fn closed(&self) -> Option<&Closed> {
        self.end.as_ref()
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Utf8Bytes>, WireError>> {
        loop {
            if let Some(text) = self.next_arrived()? {
                return Poll::Ready(Ok(Some(text)));
            }
            self.poll_answers(cx)?;
            if self.end.is_some() {
                return Poll::Ready(Ok(None));
            }
            match self.poll_read(cx)? {
                Poll::Ready(0) => return Poll::Ready(self.ended()),
                Poll::Ready(_) => self.heard = Instant::now(),
                Poll::Pending => ready!(self.poll_alarm(cx))?,
            }
        }
    }

    /// Answers what is no message: a ping by a pong, a close by a close.
    fn answer(&mut self, incoming: Incoming) {
        let mut wire = self.shared.lock();
        match incoming {
            Incoming::Text(_) | Incoming::Pong => {}
            Incoming::Ping(_) if wire.close_sent.is_some() => {}
            // Who pings and does not read would fill our memory with pongs. He may be left without:
            // RFC 6455, section 5.5.3.
            Incoming::Ping(_) if wire.outbox.waiting() > self.shared.limits().queued_max => {}
            Incoming::Ping(payload) => wire.outbox.push_pong(&payload),
            Incoming::Close(closed) => {
                wire.push_close(closed.code, "");
                drop(wire);
                self.end = Some(closed);
            }
        }
    }

    /// Writes pongs and the like. That the peer does not take them is for the alarm to notice.
    fn poll_answers(&mut self, cx: &Context<'_>) -> Result<(), WireError> {
        let mut wire = self.shared.lock_as(Half::Reader, cx);
        if wire.outbox.is_flushed() || wire.is_lost {
            return Ok(());
        }
        match wire.poll_down_to(0, self.shared.limits()) {
            Poll::Ready(Err(_)) if self.end.is_some() => Ok(()),
            Poll::Ready(end) => end,
            Poll::Pending => Ok(()),
        }
    }

    fn poll_read(&mut self, cx: &Context<'_>) -> Result<Poll<usize>, WireError> {
        let mut wire = self.shared.lock_as(Half::Reader, cx);
        if wire.is_lost {
            return Err(WireError::Closed);
        }
        let decoder = &mut self.decoder;
        let read = wire.poll_with(|stream, cx| match decoder.room() {
            Some(room) => pin!(stream.read_buf(room)).poll(cx),
            None => poll_read_small(stream, decoder, cx),
        });
        match read {
            Poll::Pending => Ok(Poll::Pending),
            Poll::Ready(read) => read.map(Poll::Ready),
        }
    }

    /// The stream ended: well only between two messages, and after a close frame.
    fn ended(&self) -> Result<Option<Utf8Bytes>, WireError> {
        let expected = self.shared.lock().close_sent.is_some() && self.decoder.is_between();
        let gone = || WireError::Lost { source: io::ErrorKind::UnexpectedEof.into() };
        if expected { Ok(None) } else { Err(gone()) }
    }

    /// Ready only when it is over.
    fn poll_alarm(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), WireError>> {
        loop {
            let Some((due, why)) = self.due() else { return Poll::Pending };
            let alarm = self.alarm.get_or_insert_with(|| Box::pin(sleep_until(due)));
            // An alarm that is too early costs less than to move it with every message.
            if alarm.deadline() > due {
                alarm.as_mut().reset(due);
            }
            ready!(alarm.as_mut().poll(cx));
            let now = Instant::now();
            if now < due {
                alarm.as_mut().reset(due);
                continue;
            }
            match why {
                Due::Ping => {
                    self.ping(now);
                    self.poll_answers(cx)?;
                }
                Due::Gone(after) => {
                    self.shared.lock().give_up();
                    return Poll::Ready(Err(WireError::Silent { after }));
                }
                Due::NotClosed => {
                    self.shared.lock().give_up();
                    self.end = Some(Closed { code: None, reason: String::new() });
                    return Poll::Ready(Ok(()));
                }
            }
        }
    }

    /// What there is to do next if the peer stays silent, and when.
    fn due(&self) -> Option<(Instant, Due)> {
        let limits = self.shared.limits();
        let closed = self.shared.lock().close_sent;
        let closed = closed.map(|at| (at + limits.close_within, Due::NotClosed));
        let silence = limits.keep_alive.map(|KeepAlive { ping_every, gone_after }| {
            let ping = self.heard.max(self.pinged) + ping_every;
            let gone = self.heard + gone_after;
            if ping < gone { (ping, Due::Ping) } else { (gone, Due::Gone(gone_after)) }
        });
        closed.into_iter().chain(silence).min_by_key(|(at, _)| *at)
    }

    fn ping(&mut self, now: Instant) {
        self.pinged = now;
        let mut wire = self.shared.lock();
        if wire.close_sent.is_none() {
            wire.outbox.push_ping();
        }
    }
}

/// Reads over the stack, and copies what came.
fn poll_read_small(
    stream: &mut dyn Stream,
    decoder: &mut Decoder,
    cx: &mut Context<'_>,
) -> Poll<io::Result<usize>> {
    let mut space = [MaybeUninit::<u8>::uninit(); READ_AT_ONCE];
    let mut buffer = ReadBuf::uninit(&mut space);
    decoder.rest();
    ready!(Pin::new(stream).poll_read(cx, &mut buffer))?;
    decoder.put(buffer.filled());
    Poll::Ready(Ok(buffer.filled().len()))
}
