//! Which ticket is due when.
//!
//! A heap whose entries are never searched for: a ticket that is put off or answered leaves its
//! old entry behind. Entries are numbered, and a ticket's place holds the number of the one that
//! counts, so that an old one is known without a look at its run.
//!
//! Keeps: old entries are never more than the live tickets and [`SLACK`] together.

use super::msg::Ticket;
use crate::Instant;
use std::{cmp::Reverse, collections::BinaryHeap};

/// Entries that are kept whatever the number of tickets: below it sweeping costs more than it frees.
const SLACK: usize = 64;

/// The number of no entry.
const NONE: u64 = 0;

#[derive(Debug, Default)]
pub(super) struct Timers {
    heap: BinaryHeap<Reverse<Entry>>,
    /// The number of the entry that counts, by place.
    counts: Vec<u64>,
    free: Vec<TimerId>,
    last_number: u64,
}

/// A ticket's place among the timers. Given by `came`, and to another one after `left`.
#[derive(Clone, Copy, Debug)]
pub(super) struct TimerId(u32);

/// The soonest first; of those, by ticket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    due: Instant,
    ticket: Ticket,
    number: u64,
    place: u32,
}

// === impl Timers ===

impl Timers {
    /// Gives a new ticket its place.
    pub(super) fn came(&mut self) -> TimerId {
        self.free.pop().unwrap_or_else(|| {
            let place = u32::try_from(self.counts.len()).expect("memory ends before 2³² tickets");
            self.counts.push(NONE);
            TimerId(place)
        })
    }

    /// A ticket is void.
    pub(super) fn left(&mut self, timer: TimerId) {
        self.counts[timer.0 as usize] = NONE;
        self.free.push(timer);
    }

    /// Has `ticket` popped at `due`, and no longer when it was to be.
    pub(super) fn watch(&mut self, timer: TimerId, ticket: Ticket, due: Instant) {
        self.last_number += 1;
        let (place, number) = (timer.0, self.last_number);
        self.counts[place as usize] = number;
        if due == Instant::MAX {
            return; // it is never due
        }
        let tickets = self.counts.len() - self.free.len();
        if self.heap.len() > 2 * tickets + SLACK {
            let counts = &self.counts;
            self.heap.retain(|Reverse(entry)| entry.is_current(counts));
        }
        self.heap.push(Reverse(Entry { due, ticket, number, place }));
    }

    /// Takes out the next one that is due at `now`.
    pub(super) fn pop_due(&mut self, now: Instant) -> Option<Ticket> {
        if self.next()? > now {
            return None;
        }
        self.heap.pop().map(|Reverse(entry)| entry.ticket)
    }

    /// Returns when the next one is due, and drops old entries before it.
    pub(super) fn next(&mut self) -> Option<Instant> {
        while let Some(Reverse(entry)) = self.heap.peek() {
            if entry.is_current(&self.counts) {
                return Some(entry.due);
            }
            self.heap.pop();
        }
        None
    }
}

// === impl Entry ===

impl Entry {
    fn is_current(&self, counts: &[u64]) -> bool {
        counts[self.place as usize] == self.number
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::RunId;
    use std::time::Duration;

    const TICKET: Ticket = Ticket { run: RunId(0), seat: 0 };

    fn at(ms: u64) -> Instant {
        Instant::after_start(Duration::from_millis(ms))
    }

    #[test]
    fn old_entries_are_swept_before_they_are_many() {
        let mut timers = Timers::default();
        let gone: Vec<TimerId> = (0..9).map(|_| timers.came()).collect();
        let [timer, _, _] = [(); 3].map(|()| timers.came());
        for timer in gone {
            timers.left(timer);
        }
        let mut most = 0;
        for ms in 0..10_000 {
            timers.watch(timer, TICKET, at(ms));
            most = most.max(timers.heap.len());
        }
        assert_eq!(most, 2 * 3 + SLACK + 1, "of three tickets");
        assert_eq!(timers.next(), Some(at(9_999)));
        assert_eq!(timers.pop_due(at(9_998)), None);
        assert_eq!(timers.pop_due(at(9_999)), Some(TICKET));
        assert_eq!(timers.pop_due(at(9_999)), None, "it is popped once");
    }

    #[test]
    fn what_is_due_at_the_end_of_time_is_never_due() {
        let mut timers = Timers::default();
        let timer = timers.came();
        timers.watch(timer, TICKET, at(1));
        timers.watch(timer, TICKET, Instant::MAX);
        assert_eq!(timers.next(), None, "what it was due at before counts no more");
    }

    #[test]
    fn the_heir_of_a_place_is_not_due_with_the_one_before_it() {
        let mut timers = Timers::default();
        let timer = timers.came();
        timers.watch(timer, TICKET, at(1));
        timers.left(timer);
        assert_eq!(timers.next(), None);
        let heir = timers.came();
        assert_eq!(timers.counts.len(), 1, "a place is given again");
        timers.watch(heir, Ticket { seat: 1, ..TICKET }, at(2));
        assert_eq!(timers.pop_due(at(1)), None);
        assert_eq!(timers.pop_due(at(2)), Some(Ticket { seat: 1, ..TICKET }));
    }
}
