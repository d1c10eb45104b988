//! Whether a call may be made again, and when.
//!
//! Owns a budget, which keeps retries a small part of the calls, so that they do not bring down
//! what is already failing; and a back-off, which spreads them.
//!
//! Keeps: retries in flight are at most a share of the calls in flight, or a small fixed number
//! where that is more; all retries ever are at most that share of all calls ever, and what was
//! saved up at the start. Shares are counted in hundredths of a retry: none is cut off.
//!
//! Does not: know whether a call may be repeated at all (only work that never started, or is
//! idempotent), or on which endpoint. A call or retry that is dropped stays in flight; the holder's
//! guard ends it.

use crate::{Dice, Percent, clock::whole_nanos};
use std::time::Duration;

/// A fifth more load is what a service that is only just keeping up can still bear.
pub const SHARE: Percent = Percent::new(20);

/// With few calls in flight a share of them is less than one retry. So many are always allowed.
pub const AT_ONCE: u32 = 3;

/// Retries that may be saved up in good times: a burst of failures after a quiet hour is met with
/// these, and not with the fifth of an hour's calls.
pub const SAVED_MAX: u32 = 10;

/// The first pause is up to this long.
pub const BASE: Duration = Duration::from_millis(100);

/// No pause of ours is longer.
pub const CAP: Duration = Duration::from_secs(10);

/// How much may be retried. [`BudgetSettings::default`] is what the documents promise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BudgetSettings {
    /// Retries, as a share of calls.
    pub share: Percent,
    /// Retries in flight that are allowed however few calls there are.
    pub at_once: u32,
    /// Retries that may be saved up; so many are there at the start.
    pub saved_max: u32,
}

/// Counts calls and retries to one service, over all its endpoints.
#[derive(Debug)]
pub struct Budget {
    settings: BudgetSettings,
    /// Hundredths of a retry.
    saved: u64,
    calls: u64,
    retries: u64,
}

/// A call in flight, from its first attempt to its last answer, pauses included. Give it back
/// through [`Budget::call_ended`].
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a call that never ends allows retries for ever"]
pub struct Call(());

/// A retry in flight. Give it back through [`Budget::retry_ended`].
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a retry that never ends takes the place of another one for ever"]
pub struct Retry(());

/// Why a call is not made again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exhausted {
    /// Too many retries are in flight beside so few calls.
    InFlight,
    /// The calls have not yet earned another retry.
    Saved,
}

/// What is known of a budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BudgetReading {
    pub calls_in_flight: u64,
    pub retries_in_flight: u64,
    /// Hundredths of a retry.
    pub saved_hundredths: u64,
}

/// How long to wait before a retry: full jitter (Brooker, "Exponential Backoff And Jitter", 2015),
/// anything from nothing to a span that doubles with every attempt, up to a cap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// The span of the first retry.
    pub base: Duration,
    /// The longest span.
    pub cap: Duration,
}

/// What one retry costs, in hundredths; a call earns as many as its share has percent.
const RETRY: u64 = 100;

// === impl BudgetSettings ===

impl Default for BudgetSettings {
    fn default() -> Self {
        Self { share: SHARE, at_once: AT_ONCE, saved_max: SAVED_MAX }
    }
}

// === impl Budget ===

impl Budget {
    /// Starts with nothing in flight and all saved that may be.
    pub fn new(settings: BudgetSettings) -> Self {
        let saved = u64::from(settings.saved_max) * RETRY;
        Self { settings, saved, calls: 0, retries: 0 }
    }

    /// Counts a call, which earns its share of a retry.
    pub fn call_began(&mut self) -> Call {
        let most = u64::from(self.settings.saved_max) * RETRY;
        self.saved = (self.saved + u64::from(self.settings.share.get())).min(most);
        self.calls += 1;
        Call(())
    }

    /// Takes a call back. End its retries first.
    pub fn call_ended(&mut self, call: Call) {
        let Call(()) = call;
        self.calls = self.calls.saturating_sub(1);
    }

    /// Asks to make a call again.
    pub fn retry(&mut self) -> Result<Retry, Exhausted> {
        let then = self.retries + 1;
        let is_few = then <= u64::from(self.settings.at_once);
        if !is_few && !self.settings.share.covers(then, self.calls) {
            return Err(Exhausted::InFlight);
        }
        self.saved = self.saved.checked_sub(RETRY).ok_or(Exhausted::Saved)?;
        self.retries = then;
        Ok(Retry(()))
    }

    /// Takes a retry back, however it ended. What it cost is spent.
    pub fn retry_ended(&mut self, retry: Retry) {
        let Retry(()) = retry;
        self.retries = self.retries.saturating_sub(1);
    }

    /// Returns what is in flight and saved.
    pub fn reading(&self) -> BudgetReading {
        BudgetReading {
            calls_in_flight: self.calls,
            retries_in_flight: self.retries,
            saved_hundredths: self.saved,
        }
    }
}

// === impl Backoff ===

impl Default for Backoff {
    fn default() -> Self {
        Self { base: BASE, cap: CAP }
    }
}

impl Backoff {
    /// Returns the pause before the retry that `retries_before` others of the same call preceded.
    ///
    /// A server's `Retry-After` wins: the pause is never shorter, and longer by at most one base,
    /// so that all who were told the same do not come back at the same moment. It is not cut; a
    /// pause beyond the call's deadline means that there is no retry.
    pub fn pause(
        &self,
        retries_before: u32,
        retry_after: Option<Duration>,
        dice: &mut Dice,
    ) -> Duration {
        let base = whole_nanos(self.base);
        if let Some(asked) = retry_after {
            let spread = Duration::from_nanos(dice.below(base.saturating_add(1)));
            return asked.saturating_add(spread);
        }
        let factor = 1_u64.checked_shl(retries_before).unwrap_or(u64::MAX);
        let span = base.saturating_mul(factor).min(whole_nanos(self.cap));
        Duration::from_nanos(dice.below(span.saturating_add(1)))
    }
}
