//! What is shown while a batch runs: a thread that owns the terminal.
//!
//! Keeps: whoever tells something never waits for a terminal.

use assay_model::{AppRef, BatchApp, CancelReason, Event};
use assay_term::BatchProgress;
use std::{
    sync::{
        Mutex, MutexGuard,
        mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

/// How often spinners move.
const TICK: Duration = Duration::from_millis(100);

/// Takes news of all apps from anywhere.
#[derive(Debug)]
pub(crate) struct Board {
    // Unbounded, but news are few by construction, as events of a journal are: a bound would let a
    // stopped terminal stop the tools.
    sender: Mutex<Option<Sender<News>>>,
    painter: Mutex<Option<JoinHandle<()>>>,
    warnings: Mutex<Vec<String>>,
    begun: Instant,
}

enum News {
    Begun(usize, AppRef),
    Heard(usize, Box<Event>),
    Landed(usize, Box<BatchApp>),
    Warned(String),
    Stopping(CancelReason),
}

// === impl Board ===

impl Board {
    pub(crate) fn new(progress: BatchProgress) -> Self {
        let (sender, receiver) = channel();
        let begun = now();
        let painter = std::thread::Builder::new()
            .name("board".to_owned())
            .spawn(move || paint(&receiver, progress, begun))
            .expect("a thread for the board can be started at the beginning");
        Self {
            sender: Mutex::new(Some(sender)),
            painter: Mutex::new(Some(painter)),
            warnings: Mutex::default(),
            begun,
        }
    }

    pub(crate) fn begun(&self, number: usize, app: &AppRef) {
        self.tell(News::Begun(number, app.clone()));
    }

    pub(crate) fn heard(&self, number: usize, event: &Event) {
        self.tell(News::Heard(number, Box::new(event.clone())));
    }

    pub(crate) fn landed(&self, number: usize, app: &BatchApp) {
        self.tell(News::Landed(number, Box::new(app.clone())));
    }

    pub(crate) fn stopping(&self, reason: CancelReason) {
        self.tell(News::Stopping(reason));
    }

    /// Warns of what is about the whole batch.
    pub(crate) fn warn(&self, what: &str) {
        tracing::warn!("{what}");
        lock(&self.warnings).push(what.to_owned());
        self.tell(News::Warned(what.to_owned()));
    }

    /// Returns all warnings about the batch so far.
    pub(crate) fn warnings(&self) -> Vec<String> {
        lock(&self.warnings).clone()
    }

    /// Returns how long the batch has been running.
    pub(crate) fn elapsed_ms(&self) -> u64 {
        millis(now().duration_since(self.begun))
    }

    /// Shows what is still to be shown and leaves a clean terminal.
    pub(crate) fn finish(&self) {
        lock(&self.sender).take();
        if let Some(painter) = lock(&self.painter).take()
            && painter.join().is_err()
        {
            tracing::error!("the progress broke off: a bug in Assay");
        }
    }

    fn tell(&self, news: News) {
        if let Some(sender) = &*lock(&self.sender) {
            // The painter is only gone if it panicked; `finish` then says so.
            sender.send(news).ok();
        }
    }
}

impl Drop for Board {
    fn drop(&mut self) {
        self.finish();
    }
}

fn paint(receiver: &Receiver<News>, mut progress: BatchProgress, begun: Instant) {
    loop {
        let news = receiver.recv_timeout(TICK);
        let at_ms = millis(now().duration_since(begun));
        match news {
            Ok(News::Begun(number, app)) => progress.begun(at_ms, number, &app),
            Ok(News::Heard(number, event)) => progress.heard(at_ms, number, &event),
            Ok(News::Landed(number, app)) => progress.landed(at_ms, number, &app),
            Ok(News::Warned(what)) => progress.warned(at_ms, &what),
            Ok(News::Stopping(reason)) => progress.stopping(at_ms, reason),
            Err(RecvTimeoutError::Timeout) => progress.tick(at_ms),
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("nothing panics while it holds a part of the board")
}

#[expect(clippy::disallowed_methods, reason = "the board is a thread beside the runtime's clock")]
fn now() -> Instant {
    Instant::now()
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
