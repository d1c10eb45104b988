//! The recent calls.
//!
//! Owns a ring of fixed size and the totals of what is in it.
//!
//! Keeps: the totals are those of the calls in the window; recording allocates nothing. A clock
//! that steps back adds to the newest step, and nothing is counted twice.
//!
//! Does not: judge.

use super::settings::{WINDOW_CALLS_MAX, Window};
use crate::{Instant, clock::whole_nanos};
use std::{ops::AddAssign, ops::SubAssign, time::Duration};

/// Steps in which a window of time slides.
const STEPS: usize = 64;

/// How many calls a window holds, and of what kind. A call may be failed and slow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub calls: u64,
    /// Failures and overloads.
    pub failed: u64,
    pub slow: u64,
}

/// A ring of the recent calls.
#[derive(Debug)]
pub(super) enum Ring {
    Calls(CallRing),
    Time(TimeRing),
}

/// One byte a call.
#[derive(Debug)]
pub(super) struct CallRing {
    calls: Box<[u8]>,
    /// Where the next call goes, which is where the oldest is once the ring is full.
    next: usize,
    total: Tally,
}

/// One tally a step of time.
#[derive(Debug)]
pub(super) struct TimeRing {
    steps: Box<[Tally]>,
    step_nanos: u64,
    /// The number of the newest step, counted from the start of the clock.
    newest: u64,
    total: Tally,
}

const FAILED: u8 = 1;
const SLOW: u8 = 2;

// === impl Tally ===

impl Tally {
    pub(super) fn of(failed: bool, slow: bool) -> Self {
        Self { calls: 1, failed: u64::from(failed), slow: u64::from(slow) }
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.calls += other.calls;
        self.failed += other.failed;
        self.slow += other.slow;
    }
}

impl SubAssign for Tally {
    fn sub_assign(&mut self, other: Self) {
        self.calls -= other.calls;
        self.failed -= other.failed;
        self.slow -= other.slow;
    }
}

// === impl Ring ===

impl Ring {
    pub(super) fn new(window: Window) -> Self {
        match window {
            Window::Calls(calls) => Self::Calls(CallRing::new(calls.get())),
            Window::Time(span) => Self::Time(TimeRing::new(span)),
        }
    }

    /// Takes in one call and returns the totals with it.
    pub(super) fn record(&mut self, call: Tally, now: Instant) -> Tally {
        match self {
            Self::Calls(ring) => ring.record(call),
            Self::Time(ring) => ring.record(call, now),
        }
    }

    /// Returns the totals at `now`, and changes nothing.
    pub(super) fn total(&self, now: Instant) -> Tally {
        match self {
            Self::Calls(ring) => ring.total,
            Self::Time(ring) => ring.total_at(now),
        }
    }

    pub(super) fn clear(&mut self) {
        match self {
            Self::Calls(ring) => ring.clear(),
            Self::Time(ring) => ring.clear(),
        }
    }

    /// Returns how many calls it can hold.
    pub(super) fn capacity(&self) -> u64 {
        match self {
            Self::Calls(ring) => ring.calls.len() as u64,
            Self::Time(_) => u64::MAX,
        }
    }
}

// === impl CallRing ===

impl CallRing {
    fn new(calls: u32) -> Self {
        let calls = vec![0; calls.min(WINDOW_CALLS_MAX) as usize].into_boxed_slice();
        Self { calls, next: 0, total: Tally::default() }
    }

    fn record(&mut self, call: Tally) -> Tally {
        if self.total.calls == self.calls.len() as u64 {
            let oldest = self.calls[self.next];
            self.total -= Tally::of(oldest & FAILED != 0, oldest & SLOW != 0);
        }
        let failed = if call.failed > 0 { FAILED } else { 0 };
        let slow = if call.slow > 0 { SLOW } else { 0 };
        self.calls[self.next] = failed | slow;
        self.next = if self.next + 1 == self.calls.len() { 0 } else { self.next + 1 };
        self.total += call;
        self.total
    }

    fn clear(&mut self) {
        self.next = 0;
        self.total = Tally::default();
    }
}

// === impl TimeRing ===

impl TimeRing {
    fn new(span: Duration) -> Self {
        let steps = vec![Tally::default(); STEPS].into_boxed_slice();
        let step_nanos = (whole_nanos(span) / STEPS as u64).max(1);
        Self { steps, step_nanos, newest: 0, total: Tally::default() }
    }

    fn record(&mut self, call: Tally, now: Instant) -> Tally {
        self.advance(now);
        let slot = slot(self.newest);
        self.steps[slot] += call;
        self.total += call;
        self.total
    }

    /// Slides to `now`: drops the steps that are too old by then.
    fn advance(&mut self, now: Instant) {
        let step = self.step(now);
        // After a long pause every slot is emptied once, not once for each step of the pause.
        for before in (self.newest..step).take(STEPS) {
            let slot = slot(before + 1);
            self.total -= self.steps[slot];
            self.steps[slot] = Tally::default();
        }
        self.newest = step;
    }

    fn total_at(&self, now: Instant) -> Tally {
        let step = self.step(now);
        let mut total = self.total;
        for before in (self.newest..step).take(STEPS) {
            total -= self.steps[slot(before + 1)];
        }
        total
    }

    /// The number of the step that `now` falls into; the newest one for a clock that stepped back.
    fn step(&self, now: Instant) -> u64 {
        (now.as_nanos() / self.step_nanos).max(self.newest)
    }

    fn clear(&mut self) {
        self.steps.fill(Tally::default());
        self.newest = 0;
        self.total = Tally::default();
    }
}

/// Where the tally of a step is.
fn slot(step: u64) -> usize {
    usize::try_from(step % STEPS as u64).expect("less than `STEPS`, which is a usize")
}
