//! A thread that takes news in order, for what must not be waited for: a terminal that stands still,
//! a disk that is slow.
//!
//! Keeps: whoever tells something never waits.

use assay_trace::here;
use std::{
    sync::{
        Mutex, MutexGuard,
        mpsc::{RecvTimeoutError, Sender, channel},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

/// How often spinners move.
const TICK: Duration = Duration::from_millis(100);

/// Takes news from anywhere. Dropping it waits until all is written.
#[derive(Debug)]
pub(crate) struct Painter<N> {
    // Unbounded, but news are few by construction: a handful for each tool, and progress only every
    // thousand observations. A bound would let a stopped terminal stop the tools.
    sender: Mutex<Option<Sender<N>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    begun: Instant,
}

// === impl Painter ===

impl<N: Send + 'static> Painter<N> {
    /// Begins. `paint` is given all news, each with the milliseconds since the beginning; and `None`
    /// ten times a second while there is none, so that what turns can turn.
    pub(crate) fn begin(
        name: &str,
        mut paint: impl FnMut(u64, Option<N>) + Send + 'static,
    ) -> Self {
        let (sender, receiver) = channel();
        let begun = now();
        let at_ms = move || millis(now().duration_since(begun));
        let painting = move || {
            loop {
                match receiver.recv_timeout(TICK) {
                    Ok(news) => paint(at_ms(), Some(news)),
                    Err(RecvTimeoutError::Timeout) => paint(at_ms(), None),
                    Err(RecvTimeoutError::Disconnected) => return,
                }
            }
        };
        let thread = std::thread::Builder::new()
            .name(name.to_owned())
            .spawn(here(painting))
            .expect("a thread can be started at the beginning of an analysis");
        Self { sender: Mutex::new(Some(sender)), thread: Mutex::new(Some(thread)), begun }
    }
}

impl<N> Painter<N> {
    pub(crate) fn tell(&self, news: N) {
        if let Some(sender) = &*lock(&self.sender) {
            // The thread is only gone if it panicked; `finish` then says so.
            sender.send(news).ok();
        }
    }

    /// Returns how long it has been running.
    pub(crate) fn elapsed_ms(&self) -> u64 {
        millis(now().duration_since(self.begun))
    }

    /// Waits until all that was told is taken. What is told from now on is not.
    pub(crate) fn finish(&self) {
        lock(&self.sender).take();
        if let Some(thread) = lock(&self.thread).take()
            && thread.join().is_err()
        {
            tracing::error!("what happens is not told any more: a bug in Assay");
        }
    }
}

impl<N> Drop for Painter<N> {
    fn drop(&mut self) {
        self.finish();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("nothing panics while it holds a part of the painter")
}

#[expect(clippy::disallowed_methods, reason = "the thread is beside the runtime's clock")]
fn now() -> Instant {
    Instant::now()
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn everything_is_taken_in_order_before_it_is_finished() {
        let taken: Arc<Mutex<Vec<u32>>> = Arc::default();
        let taking = Arc::clone(&taken);
        let painter = Painter::begin("test", move |_, news: Option<u32>| {
            lock(&taking).extend(news);
        });
        (0..1_000).for_each(|number| painter.tell(number));
        painter.finish();
        painter.tell(1_000);
        assert_eq!(*lock(&taken), (0..1_000).collect::<Vec<_>>());
    }
}
