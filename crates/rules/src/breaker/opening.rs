//! For how long a circuit opens.
//!
//! Keeps: the first time exactly as configured; each time in a row after that between one and two
//! halves of a span that doubles, so that the breakers of many gateways do not all try at once;
//! never more than the cap, never less than the first time.

use super::Settings;
use crate::{Dice, clock::whole_nanos};
use std::time::Duration;

/// How often the circuit opened without closing in between.
#[derive(Debug)]
pub(super) struct Openings {
    in_a_row: u32,
    dice: Dice,
}

// === impl Openings ===

impl Openings {
    pub(super) fn new(dice: Dice) -> Self {
        Self { in_a_row: 0, dice }
    }

    pub(super) fn in_a_row(&self) -> u32 {
        self.in_a_row
    }

    /// Counts an opening and returns how long it lasts.
    pub(super) fn next(&mut self, settings: &Settings) -> Duration {
        let doublings = self.in_a_row;
        self.in_a_row = doublings.saturating_add(1);
        let first = whole_nanos(settings.open_for);
        let cap = whole_nanos(settings.open_for_max).max(first);
        let factor = 1_u64.checked_shl(doublings).unwrap_or(u64::MAX);
        let longest = first.saturating_mul(factor).min(cap);
        let shortest = (longest / 2).max(first);
        let jitter = self.dice.below((longest - shortest).saturating_add(1));
        Duration::from_nanos(shortest + jitter)
    }

    /// The circuit closed: the next opening is a first one again.
    pub(super) fn end_row(&mut self) {
        self.in_a_row = 0;
    }
}
