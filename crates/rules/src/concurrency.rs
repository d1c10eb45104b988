//! How many calls at once a service can bear.
//!
//! Owns the limit of one service and what was measured to find it: additive increase,
//! multiplicative decrease (Chiu and Jain, 1989), steered by the round-trip time and by what the
//! service says, as in Vector's adaptive request concurrency. Time is cut into rounds of about one
//! round trip. At the end of a round the mean of its times is compared with the past: their
//! exponentially weighted mean and variance (Finch, "Incremental calculation of weighted mean and
//! variance", 2009).
//!
//! Keeps: the limit is from 1 to the cap; nothing is admitted while as many as the limit are in
//! flight; the limit moves at most once a round, up by one or down by a share; it grows only when
//! it was reached, since else nothing shows that more can be borne. Nothing is allocated.
//!
//! Does not: queue. A slot that is dropped stays in flight; the holder's guard answers
//! [`Answer::Ignored`].

use crate::{Instant, Percent, clock::whole_nanos};
use std::{num::NonZeroU32, time::Duration};

/// A service of which nothing is known is asked one thing at a time.
pub const INITIAL: NonZeroU32 = NonZeroU32::MIN;

/// Sockets and memory are ours too.
pub const MAX: NonZeroU32 = NonZeroU32::new(200).expect("200 is not 0");

/// How much a new round moves the past: after five rounds less than a tenth of the old is left.
pub const NEW_ROUND_WEIGHS: Percent = Percent::new(40);

/// Standard deviations above the past mean that are still noise. Of normal noise 0.6 % is beyond.
pub const DEVIATIONS: f64 = 2.5;

/// What is left of the limit after a decrease. Gentler than TCP's half: a service that says 429
/// loses nothing but that one call.
pub const DECREASE_TO: Percent = Percent::new(90);

/// How a limit moves. [`Settings::default`] is what the documents promise.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// The limit before anything is known; more than `max` counts as that.
    pub initial: NonZeroU32,
    /// The highest limit.
    pub max: NonZeroU32,
    /// How much a new round moves the past.
    pub new_round_weighs: Percent,
    /// Standard deviations above the past mean that count as noise. What is no positive number
    /// counts as 0.
    pub deviations: f64,
    /// What a decrease leaves of the limit, rounded down, at least 1; always at least one less.
    pub decrease_to: Percent,
}

/// The limit of one service.
#[derive(Debug)]
pub struct Limiter {
    settings: Settings,
    limit: u32,
    in_flight: u32,
    past: Option<Past>,
    round: Round,
}

/// The right to make one call. Give it back through [`Limiter::answer`].
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a slot that is never answered is taken for ever"]
pub struct Slot {
    given_at: Instant,
}

/// As many calls are in flight as the service is believed to bear.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full {
    pub limit: u32,
}

/// What became of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The service did what was asked; how long that took counts.
    Success,
    /// The service has too much to do: 429, 503, or a timeout. How long that took says nothing.
    BackPressure,
    /// Any other end. Says nothing about how much the service can bear.
    Ignored,
}

/// A change of the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    pub from: u32,
    pub to: u32,
    pub cause: Cause,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The limit was reached, and the calls took no longer than in the past.
    Steady,
    /// The calls took longer than noise explains.
    Slower,
    /// The service said that it has too much to do.
    BackPressure,
}

/// What is known of a service at one time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    pub limit: u32,
    pub in_flight: u32,
    /// The weighted mean of past rounds, once there is one.
    pub round_trip: Option<Duration>,
    /// Their standard deviation.
    pub deviation: Option<Duration>,
}

/// Round trips of past rounds, in nanoseconds.
#[derive(Clone, Copy, Debug)]
struct Past {
    mean: f64,
    variance: f64,
}

/// What happened since the last look at the limit.
#[derive(Debug, Default)]
struct Round {
    began: Instant,
    /// Zero before anything is known: the first answer ends the first round.
    lasts: Duration,
    times: u64,
    total_nanos: u128,
    limit_was_reached: bool,
    had_back_pressure: bool,
}

/// What two means of whole nanoseconds may differ by and be the same.
const SAME_NANOS: f64 = 1.0;

// === impl Settings ===

impl Default for Settings {
    fn default() -> Self {
        Self {
            initial: INITIAL,
            max: MAX,
            new_round_weighs: NEW_ROUND_WEIGHS,
            deviations: DEVIATIONS,
            decrease_to: DECREASE_TO,
        }
    }
}

// === impl Limiter ===

impl Limiter {
    /// Starts with nothing in flight and nothing measured.
    pub fn new(settings: Settings) -> Self {
        let limit = settings.initial.min(settings.max).get();
        Self { settings, limit, in_flight: 0, past: None, round: Round::default() }
    }

    /// Asks to make one call now.
    pub fn admit(&mut self, now: Instant) -> Result<Slot, Full> {
        if self.limit <= self.in_flight {
            self.round.limit_was_reached = true;
            return Err(Full { limit: self.limit });
        }
        self.in_flight += 1;
        self.round.limit_was_reached |= self.in_flight == self.limit;
        Ok(Slot { given_at: now })
    }

    /// Records what became of a call, and at the end of a round moves the limit.
    pub fn answer(&mut self, slot: Slot, answer: Answer, now: Instant) -> Option<Change> {
        self.in_flight = self.in_flight.saturating_sub(1);
        match answer {
            Answer::Success => self.round.measure(&slot, now),
            Answer::BackPressure => self.round.had_back_pressure = true,
            Answer::Ignored => {}
        }
        if !self.round.is_over(now) {
            return None;
        }
        let took = now.saturating_duration_since(slot.given_at);
        self.end_round(took, now)
    }

    /// Returns what is known, and changes nothing.
    pub fn reading(&self) -> Reading {
        let past = self.past;
        Reading {
            limit: self.limit,
            in_flight: self.in_flight,
            round_trip: past.map(|past| from_nanos(past.mean)),
            deviation: past.map(|past| from_nanos(past.variance.sqrt())),
        }
    }

    /// `took` is the last call's time: the length of the next round where no other is known.
    fn end_round(&mut self, took: Duration, now: Instant) -> Option<Change> {
        let mean = self.round.mean();
        let change = self.moved(mean);
        if let Some(change) = change {
            self.limit = change.to;
        }
        if let Some(mean) = mean {
            let weight = f64::from(self.settings.new_round_weighs.get()) / 100.0;
            self.past = Some(self.past.map_or(Past::first(mean), |past| past.with(mean, weight)));
        }
        let lasts = self.past.map_or(took, |past| from_nanos(past.mean));
        // A service that answers within the clock's resolution has rounds too.
        let lasts = lasts.max(Duration::from_nanos(1));
        self.round = Round { began: now, lasts, ..Round::default() };
        change
    }

    /// How the limit moves after a round with this mean, if it does.
    fn moved(&self, mean: Option<f64>) -> Option<Change> {
        let from = self.limit;
        let down = |cause| {
            let kept = u64::from(from) * u64::from(self.settings.decrease_to.get()) / 100;
            let to = u32::try_from(kept).unwrap_or(from).min(from - 1).max(1);
            (to < from).then_some(Change { from, to, cause })
        };
        if self.round.had_back_pressure {
            return down(Cause::BackPressure);
        }
        let (mean, past) = (mean?, self.past?);
        let noise = past.variance.sqrt() * self.settings.deviations.max(0.0);
        if past.mean + noise + SAME_NANOS < mean {
            return down(Cause::Slower);
        }
        let is_steady = mean <= past.mean + SAME_NANOS;
        let may_grow = self.round.limit_was_reached && from < self.settings.max.get();
        let to = from + 1;
        (is_steady && may_grow).then_some(Change { from, to, cause: Cause::Steady })
    }
}

// === impl Round ===

impl Round {
    fn measure(&mut self, slot: &Slot, now: Instant) {
        // A clock that stepped back between question and answer measured nothing.
        if slot.given_at <= now {
            self.times += 1;
            self.total_nanos += u128::from(whole_nanos(now - slot.given_at));
        }
    }

    /// Whether its time is over, or the clock stepped back before it: nobody would live to see
    /// the end of such a round.
    fn is_over(&self, now: Instant) -> bool {
        now < self.began || self.lasts <= now.saturating_duration_since(self.began)
    }

    #[expect(clippy::cast_precision_loss, reason = "a nanosecond in 104 days does not matter")]
    fn mean(&self) -> Option<f64> {
        (self.times > 0).then(|| self.total_nanos as f64 / self.times as f64)
    }
}

// === impl Past ===

impl Past {
    /// One round says nothing about noise: half its time is taken for the deviation, as TCP does
    /// (RFC 6298, 2.2). Without that the second round would nearly always be slow, or not be.
    fn first(mean: f64) -> Self {
        Self { mean, variance: (mean / 2.0).powi(2) }
    }

    fn with(self, mean: f64, weight: f64) -> Self {
        let off = mean - self.mean;
        let moved = weight * off;
        let variance = (1.0 - weight) * (self.variance + off * moved);
        Self { mean: self.mean + moved, variance }
    }
}

/// Rounds to whole nanoseconds; what is beyond the clock counts as its end.
#[expect(clippy::cast_possible_truncation, reason = "saturates, as the clock does")]
#[expect(clippy::cast_sign_loss, reason = "means of times, and roots, are not negative")]
fn from_nanos(nanos: f64) -> Duration {
    Duration::from_nanos(nanos.round() as u64)
}
