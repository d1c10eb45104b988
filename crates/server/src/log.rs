//! The events of one run, and its one end. The run appends; whoever follows it pulls.
//!
//! Keeps: an end is said once and nothing follows it; a slow reader delays nobody; who is behind
//! may miss only what a newer event replaces, and is told how much.
//!
//! Does not: write to disk. Whoever appends has done that before.

use assay_model::{Event, EventKind, ToolId};
use assay_wire::{AnalysisStatus, Fault, Payload};
use std::{
    collections::HashSet,
    sync::{Arc, Mutex, MutexGuard},
};
use tokio::sync::watch;

/// Events that one run keeps. Beyond it mere progress is dropped: what else there is, is bounded by
/// the number of tools.
const EVENTS_MAX: usize = 10_000;

/// How a run ended.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct End {
    pub(crate) status: AnalysisStatus,
    /// What the client is sent as the result.
    pub(crate) body: Payload,
    /// Why, where it is not in the body.
    pub(crate) fault: Option<Fault>,
}

/// What has happened to one run so far.
#[derive(Debug, Default)]
pub(crate) struct Log {
    state: Mutex<State>,
    /// Grows with every change of `state`.
    changes: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct State {
    /// It is on disk, so that it may be spoken of.
    is_open: bool,
    events: Vec<Arc<Event>>,
    end: Option<Arc<End>>,
}

/// A reader's place in a log.
#[derive(Debug)]
pub(crate) struct Cursor {
    log: Arc<Log>,
    next: usize,
    changes: watch::Receiver<u64>,
}

/// What a reader finds.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Seen {
    Events {
        events: Vec<Arc<Event>>,
        /// Progress that a newer event replaces.
        skipped: usize,
    },
    /// Nothing comes after it.
    End(Arc<End>),
}

// === impl Log ===

impl Log {
    /// Says that the run is accepted for good.
    pub(crate) fn open(&self) {
        self.change(|state| state.is_open = true);
    }

    /// Whether the run is accepted for good.
    pub(crate) fn is_open(&self) -> bool {
        self.lock().is_open
    }

    /// Appends what happened. After the end nothing is taken.
    pub(crate) fn append(&self, events: impl IntoIterator<Item = Event>) {
        self.change(|state| {
            if state.end.is_some() {
                return;
            }
            for event in events {
                let is_progress = matches!(event.kind, EventKind::ToolProgress { .. });
                if !is_progress || state.events.len() < EVENTS_MAX {
                    state.events.push(Arc::new(event));
                }
            }
        });
    }

    /// Ends it. Only the first end counts.
    pub(crate) fn end(&self, end: End) {
        self.change(|state| {
            state.end.get_or_insert_with(|| Arc::new(end));
        });
    }

    pub(crate) fn ended(&self) -> Option<Arc<End>> {
        self.lock().end.clone()
    }

    /// Waits for the end.
    ///
    /// # Cancel safety
    ///
    /// Safe: nothing is consumed.
    pub(crate) async fn wait_for_end(&self) -> Arc<End> {
        let mut changes = self.changes.subscribe();
        loop {
            changes.mark_unchanged();
            if let Some(end) = self.ended() {
                return end;
            }
            // The sender lives in `self`, so this cannot fail.
            changes.changed().await.ok();
        }
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.lock());
        self.changes.send_modify(|changes| *changes += 1);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nothing panics while it holds the state")
    }
}

// === impl Cursor ===

impl Cursor {
    /// Reads a log from its event number `from` on.
    pub(crate) fn new(log: &Arc<Log>, from: u64) -> Self {
        let next = usize::try_from(from).unwrap_or(usize::MAX);
        Self { log: Arc::clone(log), next, changes: log.changes.subscribe() }
    }

    /// Waits until the run is accepted for good, or has ended without.
    ///
    /// # Cancel safety
    ///
    /// Safe: nothing is consumed.
    pub(crate) async fn opened(&mut self) -> Result<(), Arc<End>> {
        loop {
            self.changes.mark_unchanged();
            {
                let state = self.log.lock();
                match (state.is_open, &state.end) {
                    (true, _) => return Ok(()),
                    (false, Some(end)) => return Err(Arc::clone(end)),
                    (false, None) => {}
                }
            }
            self.changes.changed().await.ok();
        }
    }

    /// Waits for what comes next: all events that were not read, else the end.
    ///
    /// # Cancel safety
    ///
    /// Safe: the place moves only when something is returned.
    pub(crate) async fn next(&mut self) -> Seen {
        loop {
            self.changes.mark_unchanged();
            if let Some(seen) = self.now() {
                return seen;
            }
            self.changes.changed().await.ok();
        }
    }

    fn now(&mut self) -> Option<Seen> {
        let state = self.log.lock();
        let unread = state.events.get(self.next..).unwrap_or_default();
        if unread.is_empty() {
            return state.end.as_ref().map(|end| Seen::End(Arc::clone(end)));
        }
        let events = newest(unread);
        let skipped = unread.len() - events.len();
        self.next = state.events.len();
        drop(state);
        Some(Seen::Events { events, skipped })
    }
}

/// Leaves out what a newer event of the same tool replaces.
fn newest(unread: &[Arc<Event>]) -> Vec<Arc<Event>> {
    let mut told: HashSet<&ToolId> = HashSet::new();
    let mut kept: Vec<Arc<Event>> = Vec::with_capacity(unread.len());
    for event in unread.iter().rev() {
        if let EventKind::ToolProgress { tool, .. } = &event.kind
            && !told.insert(tool)
        {
            continue;
        }
        kept.push(Arc::clone(event));
    }
    kept.reverse();
    kept
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test ends where its premise does")]
mod tests {
    use super::*;

    fn progress(seq: u32, tool: &str, observations: u64) -> Event {
        let tool = ToolId::new(tool).unwrap();
        Event { seq, at_ms: 0, kind: EventKind::ToolProgress { tool, observations } }
    }

    fn warned(seq: u32) -> Event {
        Event { seq, at_ms: 0, kind: EventKind::Warned { message: "x".to_owned() } }
    }

    fn end() -> End {
        End { status: AnalysisStatus::Success, body: Payload::null(), fault: None }
    }

    fn seqs(seen: &Seen) -> Vec<u32> {
        match seen {
            Seen::Events { events, .. } => events.iter().map(|event| event.seq).collect(),
            Seen::End(_) => Vec::new(),
        }
    }

    #[tokio::test]
    async fn who_is_behind_misses_only_what_is_replaced() {
        let log = Arc::new(Log::default());
        let mut cursor = Cursor::new(&log, 0);
        log.append([progress(0, "a", 1), warned(1), progress(2, "a", 2), progress(3, "b", 1)]);
        let seen = cursor.next().await;
        assert_eq!(seqs(&seen), [1, 2, 3]);
        assert!(matches!(seen, Seen::Events { skipped: 1, .. }));
    }

    #[tokio::test]
    async fn nothing_follows_the_end_and_a_late_reader_hears_all() {
        let log = Arc::new(Log::default());
        log.append([warned(0)]);
        log.end(end());
        log.append([warned(1)]);
        log.end(End { status: AnalysisStatus::Error, ..end() });
        let mut late = Cursor::new(&log, 0);
        assert_eq!(seqs(&late.next().await), [0]);
        assert_eq!(late.next().await, Seen::End(Arc::new(end())));
        assert_eq!(late.next().await, Seen::End(Arc::new(end())));
    }

    #[tokio::test]
    async fn a_run_that_ends_before_it_is_accepted_is_told_as_ended() {
        let log = Arc::new(Log::default());
        let mut cursor = Cursor::new(&log, 0);
        log.end(end());
        assert!(cursor.opened().await.is_err());
    }
}
