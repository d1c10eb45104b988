//! Events, in order: first to the log on disk, then to the screen.
//!
//! Owns the order and the clock of one analysis. Keeps: what was shown is on disk; whoever tells
//! an event never waits for a terminal.

use assay_model::{Event, EventKind};
use assay_term::Progress;
use std::{
    sync::{
        Mutex,
        mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

/// How often spinners move.
const TICK: Duration = Duration::from_millis(100);

/// Takes events of one analysis from anywhere.
#[derive(Debug)]
pub(crate) struct Journal {
    // Unbounded, but events are few by construction: a handful for each tool, and progress only
    // every thousand observations. A bound would let a stopped terminal stop the tools.
    sender: Mutex<Option<Sender<EventKind>>>,
    writer: Mutex<Option<JoinHandle<()>>>,
    warnings: Mutex<Vec<String>>,
    begun: Instant,
}

/// Where events go: to disk.
pub(crate) type Append = Box<dyn FnMut(&Event) + Send>;

// === impl Journal ===

impl Journal {
    /// Begins an analysis. `append` puts an event on disk; `progress` shows it.
    pub(crate) fn new(append: Append, progress: Progress) -> Self {
        let (sender, receiver) = channel();
        let begun = now();
        let writer = std::thread::Builder::new()
            .name("journal".to_owned())
            .spawn(move || write(&receiver, append, progress, begun))
            .expect("a thread for the journal can be started at the beginning");
        Self {
            sender: Mutex::new(Some(sender)),
            writer: Mutex::new(Some(writer)),
            warnings: Mutex::default(),
            begun,
        }
    }

    /// A journal that nobody reads.
    pub(crate) fn silent() -> Self {
        let style = assay_term::Style::default();
        let progress =
            Progress::new(assay_term::ProgressMode::Quiet, style, Box::new(std::io::sink()));
        Self::new(Box::new(|_| {}), progress)
    }

    /// Adds an event.
    pub(crate) fn tell(&self, kind: EventKind) {
        if let EventKind::Warned { message } = &kind {
            tracing::warn!("{message}");
            lock(&self.warnings).push(message.clone());
        }
        if let Some(sender) = &*lock(&self.sender) {
            // The writer is only gone if it panicked; `finish` then says so.
            sender.send(kind).ok();
        }
    }

    /// Adds a warning.
    pub(crate) fn warn(&self, message: impl Into<String>) {
        self.tell(EventKind::Warned { message: message.into() });
    }

    /// Returns all warnings so far.
    pub(crate) fn warnings(&self) -> Vec<String> {
        lock(&self.warnings).clone()
    }

    /// Returns how long the analysis has been running.
    pub(crate) fn elapsed_ms(&self) -> u64 {
        millis(now().duration_since(self.begun))
    }

    /// Writes what is still to be written and leaves a clean terminal.
    pub(crate) fn finish(&self) {
        lock(&self.sender).take();
        if let Some(writer) = lock(&self.writer).take()
            && writer.join().is_err()
        {
            tracing::error!("the journal of events broke off: a bug in Assay");
        }
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        self.finish();
    }
}

fn write(
    receiver: &Receiver<EventKind>,
    mut append: Append,
    mut progress: Progress,
    begun: Instant,
) {
    let at_ms = || millis(now().duration_since(begun));
    let mut seq = 0;
    loop {
        match receiver.recv_timeout(TICK) {
            Ok(kind) => {
                let event = Event { seq, at_ms: at_ms(), kind };
                append(&event);
                progress.event(&event);
                seq += 1;
            }
            Err(RecvTimeoutError::Timeout) => progress.tick(at_ms()),
            Err(RecvTimeoutError::Disconnected) => return progress.finish(),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().expect("nothing panics while it holds a part of the journal")
}

#[expect(clippy::disallowed_methods, reason = "the journal is a thread beside the runtime's clock")]
fn now() -> Instant {
    Instant::now()
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
