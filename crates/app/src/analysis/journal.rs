//! Events, in order: first to the log on disk, then to whoever follows.
//!
//! Owns the order and the clock of one analysis. Keeps: what was told is on disk; whoever tells an
//! event never waits for one.

use crate::painter::Painter;
use assay_model::{Event, EventKind};
use std::sync::{Mutex, PoisonError};

/// Takes events of one analysis from anywhere.
#[derive(Debug)]
pub(crate) struct Journal {
    writer: Painter<EventKind>,
    warnings: Mutex<Vec<String>>,
}

// === impl Journal ===

impl Journal {
    /// Begins an analysis. `append` gets every event in order: it puts it on disk, then shows it.
    pub(crate) fn new(mut append: impl FnMut(&Event) + Send + 'static) -> Self {
        let mut seq = 0;
        let writer = Painter::begin("journal", move |at_ms, kind| {
            if let Some(kind) = kind {
                append(&Event { seq, at_ms, kind });
                seq += 1;
            }
        });
        Self { writer, warnings: Mutex::default() }
    }

    /// A journal that nobody reads.
    pub(crate) fn silent() -> Self {
        Self::new(|_| {})
    }

    /// Adds an event.
    pub(crate) fn tell(&self, kind: EventKind) {
        if let EventKind::Warned { message } = &kind {
            tracing::warn!("{message}");
            self.warned().push(message.clone());
        }
        self.writer.tell(kind);
    }

    /// Adds a warning.
    pub(crate) fn warn(&self, message: impl Into<String>) {
        self.tell(EventKind::Warned { message: message.into() });
    }

    /// Returns all warnings so far.
    pub(crate) fn warnings(&self) -> Vec<String> {
        self.warned().clone()
    }

    /// Returns how long the analysis has been running.
    pub(crate) fn elapsed_ms(&self) -> u64 {
        self.writer.elapsed_ms()
    }

    /// Writes what is still to be written.
    pub(crate) fn finish(&self) {
        self.writer.finish();
    }

    fn warned(&self) -> std::sync::MutexGuard<'_, Vec<String>> {
        self.warnings.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
