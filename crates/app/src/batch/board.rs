//! What is shown while a batch runs.

use crate::painter::Painter;
use assay_model::{CancelReason, Event};
use assay_term::{BatchProgress, Landed};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Takes news of all apps from anywhere.
#[derive(Debug)]
pub(crate) struct Board {
    painter: Painter<News>,
    warnings: Mutex<Vec<String>>,
}

#[derive(Debug)]
enum News {
    Begun(usize, String),
    Heard(usize, Box<Event>),
    Landed(usize, Landed),
    Warned(String),
    Stopping(CancelReason),
}

// === impl Board ===

impl Board {
    pub(crate) fn new(mut progress: BatchProgress) -> Self {
        let painter = Painter::begin("board", move |at_ms, news| match news {
            Some(News::Begun(number, name)) => progress.begun(at_ms, number, &name),
            Some(News::Heard(number, event)) => progress.heard(at_ms, number, &event),
            Some(News::Landed(number, landed)) => progress.landed(at_ms, number, &landed),
            Some(News::Warned(what)) => progress.warned(at_ms, &what),
            Some(News::Stopping(reason)) => progress.stopping(at_ms, reason),
            None => progress.tick(at_ms),
        });
        Self { painter, warnings: Mutex::default() }
    }

    pub(crate) fn begun(&self, number: usize, name: String) {
        self.painter.tell(News::Begun(number, name));
    }

    pub(crate) fn heard(&self, number: usize, event: &Event) {
        self.painter.tell(News::Heard(number, Box::new(event.clone())));
    }

    pub(crate) fn landed(&self, number: usize, landed: Landed) {
        self.painter.tell(News::Landed(number, landed));
    }

    pub(crate) fn stopping(&self, reason: CancelReason) {
        self.painter.tell(News::Stopping(reason));
    }

    /// Warns of what is about the whole batch.
    pub(crate) fn warn(&self, what: &str) {
        tracing::warn!("{what}");
        self.warned().push(what.to_owned());
        self.painter.tell(News::Warned(what.to_owned()));
    }

    /// Returns all warnings about the batch so far.
    pub(crate) fn warnings(&self) -> Vec<String> {
        self.warned().clone()
    }

    /// Returns how long the batch has been running.
    pub(crate) fn elapsed_ms(&self) -> u64 {
        self.painter.elapsed_ms()
    }

    /// Shows what is still to be shown and leaves a clean terminal.
    pub(crate) fn finish(&self) {
        self.painter.finish();
    }

    fn warned(&self) -> MutexGuard<'_, Vec<String>> {
        self.warnings.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
