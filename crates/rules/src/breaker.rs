//! Decides whether an endpoint may be called.
//!
//! Owns one endpoint's recent record. The words are the electrician's: a *closed* circuit lets
//! calls through, an *open* one refuses them, a *half-open* one lets one trial through at a time.
//!
//! Keeps: a permit is answered at most once; one trial is out at a time; an answer to a permit from
//! before the last transition changes nothing; reading changes nothing; admitting and answering
//! allocate nothing; every transition is returned, once.
//!
//! Does not: retry, choose between endpoints, or judge whose fault a failure is: its caller says
//! that with an [`Answer`]. It does not answer for a permit that is dropped; the holder's guard
//! says [`Answer::Abandoned`].

mod opening; // for how long it opens
mod settings; // when it opens and what closes it
mod transition; // what is told to those who watch
mod window; // the recent calls

pub use settings::*;
pub use transition::{Cause, Circuit, Reading, Transition};
pub use window::Tally;

use crate::{Dice, Instant};
use opening::Openings;
use std::time::Duration;
use window::Ring;

/// The record of one endpoint, and what follows from it.
#[derive(Debug)]
pub struct Breaker {
    settings: Settings,
    mode: Mode,
    state: State,
    /// Counts openings, closings and trials that were given up: what makes older permits stale.
    epoch: Epoch,
    openings: Openings,
    /// Allocated once, and only where rates are judged.
    recent: Option<Ring>,
}

/// What an operator may say about a breaker.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// It judges and refuses.
    #[default]
    Normal,
    /// It refuses every call and judges none.
    ForcedOpen,
    /// It admits every call and judges none.
    Off,
    /// It judges as in [`Mode::Normal`] and refuses nothing: what would have been refused is
    /// admitted, and its answer counts for nothing, since in earnest there would be none.
    WatchOnly,
}

/// The right to make one call. Give it back through [`Breaker::answer`].
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a permit that is never answered holds the place of a trial until its lease is over"]
pub struct Permit {
    epoch: Epoch,
    given_at: Instant,
}

/// A permit, and what giving it meant.
#[derive(Debug, PartialEq, Eq)]
pub struct Admission {
    pub permit: Permit,
    /// The first trial after an open time makes the circuit half-open.
    pub transition: Option<Transition>,
    /// In [`Mode::WatchOnly`]: what would have been said in earnest.
    pub would_refuse: Option<Refusal>,
}

/// Why there is no permit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// How long to wait before asking again.
    pub retry_after: Duration,
    pub reason: RefusalReason,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusalReason {
    /// The circuit is open for `retry_after` more.
    Open,
    /// A trial is out. Its place is free when it ends, at the latest with its lease; `retry_after`
    /// is that, or the first open time where that is shorter.
    TrialIsOut,
    /// An operator opened the circuit. Nobody knows for how long; `retry_after` is the first open
    /// time.
    Forced,
}

/// What became of the call that a permit allowed: of the whole call, from connecting to its
/// deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The endpoint did its job.
    Success,
    /// The endpoint is to blame.
    Failure,
    /// The endpoint says that it has too much to do (429, or 503 with `Retry-After`). Counts in
    /// the failure rate and fails a trial, and neither lengthens nor ends a row of failures.
    Overload {
        /// How long it asks to be left alone.
        retry_after: Option<Duration>,
    },
    /// Says nothing about the endpoint: the caller's cancellation, a bad request, findings.
    Ignored,
    /// The call was given up without an answer. Says nothing either.
    Abandoned,
}

/// What makes a permit stale. [`NEVER`] is no breaker's epoch.
type Epoch = u64;

/// The epoch of permits whose answers count for nothing.
const NEVER: Epoch = 0;

#[derive(Debug)]
enum State {
    Closed {
        failures_in_a_row: u32,
        /// Until when the endpoint asked to be left alone, should the circuit open.
        not_before: Instant,
    },
    Open {
        until: Instant,
    },
    HalfOpen {
        successes_in_a_row: u32,
        trial: Trial,
    },
}

#[derive(Debug)]
enum Trial {
    /// The next call is one.
    Awaited,
    Out {
        lease_ends: Instant,
    },
}

// === impl Breaker ===

impl Breaker {
    /// Starts closed, with an empty record. `dice` are its own, for the jitter of its open times.
    pub fn new(settings: Settings, dice: Dice) -> Self {
        Self {
            settings,
            mode: Mode::Normal,
            state: State::CLOSED,
            epoch: NEVER + 1,
            openings: Openings::new(dice),
            recent: settings.rates.map(|rates| Ring::new(rates.window)),
        }
    }

    /// Asks to make one call now.
    pub fn admit(&mut self, now: Instant) -> Result<Admission, Refusal> {
        match self.mode {
            Mode::Normal => self.admit_by_record(now),
            Mode::WatchOnly => self.admit_by_record(now).or_else(|refusal| {
                Ok(Admission { would_refuse: Some(refusal), ..Admission::unjudged(now) })
            }),
            Mode::Off => Ok(Admission::unjudged(now)),
            Mode::ForcedOpen => {
                let retry_after = self.settings.open_for;
                Err(Refusal { retry_after, reason: RefusalReason::Forced })
            }
        }
    }

    /// Records what became of a permit. One from before the last transition is a straggler: it
    /// says nothing about the endpoint as it is now.
    pub fn answer(&mut self, permit: Permit, answer: Answer, now: Instant) -> Option<Transition> {
        if permit.epoch != self.epoch {
            return None;
        }
        let is_slow = self.is_slow(now.saturating_duration_since(permit.given_at));
        match self.state {
            State::Closed { .. } => self.answer_call(answer, is_slow, now),
            State::HalfOpen { .. } => self.answer_trial(answer, is_slow, now),
            // Opening began the present epoch, and an open circuit gives no permit.
            State::Open { .. } => None,
        }
    }

    /// Sets what an operator wants. From and to `Off` and `ForcedOpen` the record begins anew,
    /// closed and empty, and permits that are out count for nothing; between `Normal` and
    /// `WatchOnly` it goes on.
    pub fn set_mode(&mut self, mode: Mode, now: Instant) -> Option<Transition> {
        let from = self.circuit(now);
        let goes_on = self.mode.judges() && mode.judges();
        if mode != self.mode && !goes_on {
            self.close();
        }
        self.mode = mode;
        let to = self.circuit(now);
        (from != to).then_some(Transition { from, to, cause: Cause::Operator(mode) })
    }

    /// Returns what is known at `now`, and changes nothing. A circuit whose open time is over
    /// reads half-open, though the transition is made, and told, with the first trial.
    pub fn reading(&self, now: Instant) -> Reading {
        let (failures_in_a_row, successes_in_a_row) = match self.state {
            State::Closed { failures_in_a_row, .. } => (failures_in_a_row, 0),
            State::HalfOpen { successes_in_a_row, .. } => (0, successes_in_a_row),
            State::Open { .. } => (0, 0),
        };
        Reading {
            mode: self.mode,
            circuit: self.circuit(now),
            failures_in_a_row,
            successes_in_a_row,
            openings_in_a_row: self.openings.in_a_row(),
            recent: self.recent.as_ref().map(|ring| ring.total(now)).unwrap_or_default(),
        }
    }

    /// Returns what a call would meet at `now`, and changes nothing. In [`Mode::WatchOnly`] what it
    /// would meet in earnest.
    pub fn circuit(&self, now: Instant) -> Circuit {
        match (self.mode, &self.state) {
            (Mode::ForcedOpen, _) => Circuit::Open { until: Instant::MAX },
            (Mode::Off, _) | (_, State::Closed { .. }) => Circuit::Closed,
            (_, State::Open { until }) if now < *until => Circuit::Open { until: *until },
            (_, State::Open { .. } | State::HalfOpen { .. }) => Circuit::HalfOpen,
        }
    }

    fn admit_by_record(&mut self, now: Instant) -> Result<Admission, Refusal> {
        let transition = match self.state {
            State::Closed { .. } => None,
            State::Open { until } if now < until => {
                let retry_after = until.saturating_duration_since(now);
                return Err(Refusal { retry_after, reason: RefusalReason::Open });
            }
            State::Open { until } => {
                // No new epoch: opening began this one, and no permit of it was given yet.
                self.send_trial(0, now);
                let from = Circuit::Open { until };
                Some(Transition { from, to: Circuit::HalfOpen, cause: Cause::OpenTimeIsOver })
            }
            State::HalfOpen { trial: Trial::Out { lease_ends }, .. } if now < lease_ends => {
                let lease = lease_ends.saturating_duration_since(now);
                let retry_after = lease.min(self.settings.open_for);
                return Err(Refusal { retry_after, reason: RefusalReason::TrialIsOut });
            }
            State::HalfOpen { successes_in_a_row, trial: Trial::Out { .. } } => {
                // The trial before was given up: should it answer yet, it is a straggler.
                self.epoch += 1;
                self.send_trial(successes_in_a_row, now);
                None
            }
            State::HalfOpen { successes_in_a_row, trial: Trial::Awaited } => {
                self.send_trial(successes_in_a_row, now);
                None
            }
        };
        let permit = Permit { epoch: self.epoch, given_at: now };
        Ok(Admission { permit, transition, would_refuse: None })
    }

    fn send_trial(&mut self, successes_in_a_row: u32, now: Instant) {
        let trial = Trial::Out { lease_ends: now + self.settings.trial_lease };
        self.state = State::HalfOpen { successes_in_a_row, trial };
    }

    /// Judges a call through a closed circuit.
    fn answer_call(&mut self, answer: Answer, is_slow: bool, now: Instant) -> Option<Transition> {
        let asked = self.asked_until(answer, now);
        let State::Closed { failures_in_a_row, not_before } = &mut self.state else { return None };
        match answer {
            Answer::Ignored | Answer::Abandoned => return None,
            Answer::Success => *failures_in_a_row = 0,
            Answer::Failure => *failures_in_a_row = failures_in_a_row.saturating_add(1),
            Answer::Overload { .. } => *not_before = asked.max(*not_before),
        }
        let (row, not_before) = (*failures_in_a_row, *not_before);
        let call = Tally::of(answer != Answer::Success, is_slow);
        let recent = self.recent.as_mut().map(|ring| ring.record(call, now)).unwrap_or_default();
        if row >= self.settings.failure_threshold.get() {
            return Some(self.open(Cause::FailuresInARow(row), not_before, now));
        }
        let cause = self.passed_rate(recent)?;
        Some(self.open(cause, not_before, now))
    }

    /// Judges a trial through a half-open circuit.
    fn answer_trial(&mut self, answer: Answer, is_slow: bool, now: Instant) -> Option<Transition> {
        let State::HalfOpen { successes_in_a_row, trial } = &mut self.state else { return None };
        *trial = Trial::Awaited;
        match answer {
            Answer::Ignored | Answer::Abandoned => None,
            Answer::Success if !is_slow => {
                *successes_in_a_row += 1;
                let enough = self.settings.successes_to_close.get();
                if *successes_in_a_row < enough {
                    return None;
                }
                self.close();
                let (from, to) = (Circuit::HalfOpen, Circuit::Closed);
                Some(Transition { from, to, cause: Cause::TrialsSucceeded(enough) })
            }
            Answer::Success => Some(self.open(Cause::TrialWasSlow, Instant::START, now)),
            Answer::Failure | Answer::Overload { .. } => {
                Some(self.open(Cause::TrialFailed, self.asked_until(answer, now), now))
            }
        }
    }

    /// Until when an overloaded endpoint asks to be left alone; the start where it does not ask.
    fn asked_until(&self, answer: Answer, now: Instant) -> Instant {
        let Answer::Overload { retry_after: Some(asked) } = answer else { return Instant::START };
        now + asked.min(self.settings.retry_after_max)
    }

    fn open(&mut self, cause: Cause, not_before: Instant, now: Instant) -> Transition {
        let from = match self.state {
            State::HalfOpen { .. } => Circuit::HalfOpen,
            State::Closed { .. } | State::Open { .. } => Circuit::Closed,
        };
        let until = (now + self.openings.next(&self.settings)).max(not_before);
        self.begin_epoch(State::Open { until });
        Transition { from, to: Circuit::Open { until }, cause }
    }

    fn close(&mut self) {
        self.openings.end_row();
        self.begin_epoch(State::CLOSED);
    }

    fn begin_epoch(&mut self, state: State) {
        self.epoch += 1;
        self.state = state;
        if let Some(ring) = &mut self.recent {
            ring.clear();
        }
    }

    fn is_slow(&self, took: Duration) -> bool {
        let slow = self.settings.rates.and_then(|rates| rates.slow);
        slow.is_some_and(|slow| slow.at_least <= took)
    }

    /// The rate over the recent calls that has passed its threshold, if there are enough of them.
    fn passed_rate(&self, recent: Tally) -> Option<Cause> {
        let (rates, ring) = (self.settings.rates?, self.recent.as_ref()?);
        if recent.calls < u64::from(rates.minimum_calls.get()).min(ring.capacity()) {
            return None;
        }
        if rates.failures.is_some_and(|share| share.is_reached(recent.failed, recent.calls)) {
            return Some(Cause::FailureRate(recent));
        }
        let slow = rates.slow.map(|slow| slow.share);
        let is_passed = slow.is_some_and(|share| share.is_reached(recent.slow, recent.calls));
        is_passed.then_some(Cause::SlowRate(recent))
    }
}

// === impl Mode ===

impl Mode {
    fn judges(self) -> bool {
        match self {
            Self::Normal | Self::WatchOnly => true,
            Self::ForcedOpen | Self::Off => false,
        }
    }
}

// === impl Admission ===

impl Admission {
    /// A permit whose answer counts for nothing.
    fn unjudged(now: Instant) -> Self {
        let permit = Permit { epoch: NEVER, given_at: now };
        Self { permit, transition: None, would_refuse: None }
    }
}

// === impl State ===

impl State {
    const CLOSED: Self = Self::Closed { failures_in_a_row: 0, not_before: Instant::START };
}
