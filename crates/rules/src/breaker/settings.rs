//! When a breaker opens, for how long, and what closes it.

use crate::Percent;
use std::{num::NonZeroU32, time::Duration};

/// Five in a row are hardly chance: an endpoint that fails every tenth call does that once in
/// 100,000 calls.
pub const FAILURE_THRESHOLD: NonZeroU32 = NonZeroU32::new(5).expect("5 is not 0");

/// A service that crashed has restarted by then.
pub const OPEN_FOR: Duration = Duration::from_mins(1);

/// An endpoint that comes back is noticed within this time, however long it was away.
pub const OPEN_FOR_MAX: Duration = Duration::from_mins(10);

/// An endpoint may ask for a longer pause than ours, but a mistaken header (`Retry-After: 99999999`)
/// must not shut it out until somebody restarts us.
pub const RETRY_AFTER_MAX: Duration = Duration::from_hours(1);

/// One success may be luck, or an answer from a cache.
pub const SUCCESSES_TO_CLOSE: NonZeroU32 = NonZeroU32::new(3).expect("3 is not 0");

/// A trial is an ordinary call and may take as long as one. Its lease is only for those that are
/// lost, which a guard that answers when it is dropped makes rare.
pub const TRIAL_LEASE: Duration = Duration::from_mins(10);

/// Fewer calls than these say little about a rate.
pub const MINIMUM_CALLS: NonZeroU32 = NonZeroU32::new(20).expect("20 is not 0");

/// Calls that a window of calls may hold; a byte each, allocated when the breaker is made.
pub const WINDOW_CALLS_MAX: u32 = 65_536;

/// How a breaker judges. [`Settings::default`] is what the documents promise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Failures in a row that open the circuit.
    pub failure_threshold: NonZeroU32,
    /// Rates that open it too. `None`: only the row counts.
    pub rates: Option<Rates>,
    /// How long it stays open the first time. Doubles, with jitter, while trials keep failing.
    pub open_for: Duration,
    /// What doubling ends at. Less than `open_for` counts as that.
    pub open_for_max: Duration,
    /// What a longer `Retry-After` is cut to.
    pub retry_after_max: Duration,
    /// Trials in a row that must succeed before it closes.
    pub successes_to_close: NonZeroU32,
    /// After this time without an answer a trial gives its place to the next call. Make it longer
    /// than the longest call.
    pub trial_lease: Duration,
}

/// Thresholds over the recent calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rates {
    /// Which calls are recent.
    pub window: Window,
    /// Nothing is judged before the window holds so many. More than a window of calls can hold
    /// counts as a full window.
    pub minimum_calls: NonZeroU32,
    /// Failures and overloads, as a share of all, that open the circuit. `None`: not judged.
    pub failures: Option<Percent>,
    /// Slow calls that open it. `None`: not judged.
    pub slow: Option<Slow>,
}

/// When calls are too slow, successful or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slow {
    /// A call is slow when it took at least so long, from permit to answer. So is a trial, and a
    /// slow trial fails.
    pub at_least: Duration,
    /// Slow calls, as a share of all, that open the circuit.
    pub share: Percent,
}

/// Which calls are recent. Both kinds slide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Window {
    /// The last so many calls, at most [`WINDOW_CALLS_MAX`].
    Calls(NonZeroU32),
    /// The calls of so much time. It slides in 64 steps: what is older than the span is never
    /// counted, what is younger than 63/64 of it always is.
    Time(Duration),
}

// === impl Settings ===

impl Default for Settings {
    fn default() -> Self {
        Self {
            failure_threshold: FAILURE_THRESHOLD,
            rates: None,
            open_for: OPEN_FOR,
            open_for_max: OPEN_FOR_MAX,
            retry_after_max: RETRY_AFTER_MAX,
            successes_to_close: SUCCESSES_TO_CLOSE,
            trial_lease: TRIAL_LEASE,
        }
    }
}

// === impl Rates ===

impl Rates {
    /// Returns rates over `window` that judge nothing yet: set `failures`, `slow`, or both.
    pub const fn over(window: Window) -> Self {
        Self { window, minimum_calls: MINIMUM_CALLS, failures: None, slow: None }
    }
}
