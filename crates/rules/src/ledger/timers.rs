//! Which ticket is due when.
//!
//! A heap whose entries are never searched for: a ticket that is put off or answered leaves its
//! old entry behind, and whoever pops it compares.
//!
//! Keeps: old entries are never more than the live tickets and [`SLACK`] together.

use super::msg::Ticket;
use crate::Instant;
use std::{cmp::Reverse, collections::BinaryHeap};

/// Entries that are kept whatever the number of tickets: below it sweeping costs more than it frees.
const SLACK: usize = 64;

#[derive(Debug, Default)]
pub(super) struct Timers {
    heap: BinaryHeap<Reverse<(Instant, Ticket)>>,
    tickets: usize,
}

// === impl Timers ===

impl Timers {
    /// A ticket was given.
    pub(super) fn came(&mut self) {
        self.tickets += 1;
    }

    /// A ticket is void.
    pub(super) fn left(&mut self) {
        self.tickets = self.tickets.saturating_sub(1);
    }

    /// Has `ticket` popped at `due`. `due_of` tells what still holds of the others.
    pub(super) fn watch(
        &mut self,
        ticket: Ticket,
        due: Instant,
        due_of: impl Fn(Ticket) -> Option<Instant>,
    ) {
        if due == Instant::MAX {
            return; // it is never due
        }
        if self.heap.len() > 2 * self.tickets + SLACK {
            self.heap.retain(|Reverse((at, ticket))| due_of(*ticket) == Some(*at));
        }
        self.heap.push(Reverse((due, ticket)));
    }

    /// Returns the next one that is due at `now`, or was once to be.
    pub(super) fn pop_due(&mut self, now: Instant) -> Option<(Instant, Ticket)> {
        let Reverse((at, _)) = self.heap.peek()?;
        if *at > now {
            return None;
        }
        self.heap.pop().map(|Reverse(entry)| entry)
    }

    /// Returns when the next one is due, and drops old entries before it.
    pub(super) fn next(&mut self, due_of: impl Fn(Ticket) -> Option<Instant>) -> Option<Instant> {
        while let Some(Reverse((at, ticket))) = self.heap.peek() {
            if due_of(*ticket) == Some(*at) {
                return Some(*at);
            }
            self.heap.pop();
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::RunId;
    use std::time::Duration;

    #[test]
    fn old_entries_are_swept_before_they_are_many() {
        let mut timers = Timers::default();
        timers.came();
        let ticket = Ticket { run: RunId(0), seat: 0 };
        let at = |ms| Instant::after_start(Duration::from_millis(ms));
        for ms in 0..10_000 {
            timers.watch(ticket, at(ms), |_| Some(at(ms - 1)));
            assert!(timers.heap.len() <= 2 + SLACK + 1, "{}", timers.heap.len());
        }
        assert_eq!(timers.next(|_| Some(at(9_999))), Some(at(9_999)));
        timers.left();
        timers.watch(ticket, Instant::MAX, |_| None);
        assert_eq!(timers.next(|_| None), None, "what is due at the end of time is never due");
    }
}
