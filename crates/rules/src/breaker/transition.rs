//! What a breaker tells to those who watch it: an event, a metric and a log line are made of these.

use super::{Mode, Tally};
use crate::Instant;

/// What a call meets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Circuit {
    /// It is let through.
    Closed,
    /// It is refused.
    Open { until: Instant },
    /// It is a trial, or refused while another one is out.
    HalfOpen,
}

/// One change of the circuit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transition {
    pub from: Circuit,
    pub to: Circuit,
    pub cause: Cause,
}

/// What made the circuit change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// So many calls in a row failed.
    FailuresInARow(u32),
    /// Too many of the recent calls failed.
    FailureRate(Tally),
    /// Too many of the recent calls were slow.
    SlowRate(Tally),
    /// A trial failed, or was answered with overload.
    TrialFailed,
    /// A trial succeeded and was slow, where slow calls are judged.
    TrialWasSlow,
    /// So many trials in a row succeeded.
    TrialsSucceeded(u32),
    /// The circuit has been open for long enough: the first trial is out.
    OpenTimeIsOver,
    /// An operator set this mode.
    Operator(Mode),
}

/// What is known of an endpoint at one time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    pub mode: Mode,
    pub circuit: Circuit,
    /// While closed; else 0.
    pub failures_in_a_row: u32,
    /// Of trials, while half-open; else 0.
    pub successes_in_a_row: u32,
    /// Openings since the circuit was last closed.
    pub openings_in_a_row: u32,
    /// The recent calls, where rates are judged; else nothing.
    pub recent: Tally,
}
