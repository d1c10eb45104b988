//! A seat at a run, and what is seen from it.
//!
//! Keeps: whoever follows gets one end: that of the run, or that of its own seat.

use crate::{
    desk::Seat,
    log::{Cursor, End, Seen},
};
use assay_model::{Event, TaskId};
use assay_rules::ledger::Released;
use assay_wire::{AnalysisStatus, ErrorCode, Fault};
use std::sync::Arc;

/// Follows one run.
#[derive(Debug)]
pub(crate) struct Following {
    seat: Seat,
    cursor: Cursor,
    /// Until the run ends, the seat may be given back while others stay.
    may_be_released: bool,
}

/// What is seen next.
#[derive(Debug)]
pub(crate) enum Step {
    Events(Vec<Arc<Event>>),
    /// Nothing follows.
    End(Arc<End>),
    /// The run goes on without this seat. Nothing follows.
    Released(Released),
}

/// What one is told whose seat was given back while the run goes on.
pub(crate) fn end_of_seat(why: Released) -> (AnalysisStatus, Fault) {
    match why {
        Released::Cancelled => {
            (AnalysisStatus::Cancelled, Fault::new(ErrorCode::Cancelled, "it was cancelled"))
        }
        Released::DeadlinePassed => {
            (AnalysisStatus::Timeout, Fault::new(ErrorCode::Timeout, "its time is over"))
        }
    }
}

// === impl Following ===

impl Following {
    pub(crate) fn new(seat: Seat) -> Self {
        let cursor = Cursor::new(&seat.log, 0);
        Self { seat, cursor, may_be_released: true }
    }

    /// The name of the run.
    pub(crate) fn task(&self) -> &TaskId {
        &self.seat.task
    }

    /// Waits until the run is accepted for good. Returns whether it is: else it has ended.
    ///
    /// # Cancel safety
    ///
    /// Safe: nothing is consumed.
    pub(crate) async fn opened(&mut self) -> bool {
        self.cursor.opened().await.is_ok()
    }

    /// Waits for what comes next.
    ///
    /// # Cancel safety
    ///
    /// Safe: what was not returned is seen the next time.
    pub(crate) async fn next(&mut self) -> Step {
        loop {
            let seen = tokio::select! {
                biased;
                released = &mut self.seat.released, if self.may_be_released => {
                    if let Ok(why) = released {
                        return Step::Released(why);
                    }
                    // It has ended: the log says how.
                    self.may_be_released = false;
                    continue;
                }
                seen = self.cursor.next() => seen,
            };
            return match seen {
                Seen::Events { events, .. } => Step::Events(events),
                Seen::End(end) => Step::End(end),
            };
        }
    }
}
