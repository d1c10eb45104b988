//! One replica as the balancer sees it: what it has to do, how it failed, how long it is there.

use super::{Answered, Gate, ReplicaTerms};
use crate::{Instant, clock::whole_nanos};
use std::time::Duration;

/// One outstanding call in the unit of loads: a fixed point, so that equal seeds give equal
/// picks on every machine.
pub(super) const ONE_CALL: u64 = 1 << 16;

/// Penalties end here: 1,000 failures at once are as bad as any more.
const PENALTY_MAX: u64 = 1_000 * ONE_CALL;

/// More slots or weight count as so many: then sums over a million replicas fit.
const PART_MAX: u32 = 1 << 16;

/// Full share, in parts.
pub(super) const WHOLE: u64 = 1_000;

/// The share of a newcomer, in parts of [`WHOLE`].
const SHARE_AT_FIRST: u64 = WHOLE / 10;

#[derive(Clone, Copy, Debug)]
pub(super) struct Replica {
    pub(super) terms: ReplicaTerms,
    pub(super) gate: Gate,
    pub(super) is_draining: bool,
    pub(super) outstanding: u32,
    /// Since when it takes calls; full share comes after the time of the slow start.
    pub(super) since: Instant,
    penalty: u64,
    penalty_at: Instant,
}

// === impl Replica ===

impl Replica {
    pub(super) fn new(terms: ReplicaTerms, now: Instant) -> Self {
        let (slots, weight) = (terms.slots.clamp(1, PART_MAX), terms.weight.clamp(1, PART_MAX));
        let terms = ReplicaTerms { slots, weight, ..terms };
        Self {
            terms,
            gate: Gate::Admits,
            is_draining: false,
            outstanding: 0,
            since: now,
            penalty: 0,
            penalty_at: now,
        }
    }

    /// What it can do, compared with others.
    pub(super) fn capacity(&self) -> u64 {
        u64::from(self.terms.slots) * u64::from(self.terms.weight)
    }

    /// Whether it is to get calls at all, now or when a slot is free.
    pub(super) fn is_healthy(&self) -> bool {
        !self.is_draining && self.gate == Gate::Admits
    }

    pub(super) fn has_room(&self) -> bool {
        self.is_healthy() && self.outstanding < self.terms.slots
    }

    /// Whether this one would be worse off than the other one with one call more: by outstanding
    /// work for each slot, where a failure counts as a call that is still out.
    pub(super) fn is_busier_than(&self, other: &Self, now: Instant, fades: Duration) -> bool {
        let load = |replica: &Self| {
            let calls = (u64::from(replica.outstanding) + 1) * ONE_CALL;
            u128::from(calls + replica.penalty(now, fades))
        };
        load(self) * u128::from(other.capacity()) > load(other) * u128::from(self.capacity())
    }

    pub(super) fn answered(&mut self, answered: Answered, now: Instant, fades: Duration) {
        self.outstanding = self.outstanding.saturating_sub(1);
        if answered == Answered::Failed {
            self.penalty = (self.penalty(now, fades) + ONE_CALL).min(PENALTY_MAX);
            self.penalty_at = now;
        }
    }

    /// What is left of its failures: half after every half-life, straight lines between.
    fn penalty(&self, now: Instant, half_life: Duration) -> u64 {
        if self.penalty == 0 {
            return 0;
        }
        let age = whole_nanos(now - self.penalty_at);
        let half_life = whole_nanos(half_life).max(1);
        let halvings = u32::try_from(age / half_life).unwrap_or(u32::MAX);
        let left = self.penalty.checked_shr(halvings).unwrap_or(0);
        let part = u128::from(left) * u128::from(age % half_life) / u128::from(half_life) / 2;
        left - u64::try_from(part).expect("it is half of `left` at most")
    }

    /// Its share of what it would get once it is warm, in parts of [`WHOLE`].
    pub(super) fn share(&self, now: Instant, slow_start: Duration) -> u64 {
        let age = now - self.since;
        if age >= slow_start {
            return WHOLE;
        }
        let grown = u128::from(whole_nanos(age)) * u128::from(WHOLE - SHARE_AT_FIRST)
            / u128::from(whole_nanos(slow_start));
        SHARE_AT_FIRST + u64::try_from(grown).expect("less than `WHOLE`, since the age is less")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::balance::Zone;

    const HALF_LIFE: Duration = Duration::from_secs(10);

    fn at(s: u64) -> Instant {
        Instant::after_start(Duration::from_secs(s))
    }

    fn replica(slots: u32, weight: u32) -> Replica {
        Replica::new(ReplicaTerms { zone: Zone(0), slots, weight }, at(0))
    }

    #[test]
    fn a_failure_counts_as_a_call_that_fades() {
        let mut one = replica(1, 1);
        one.answered(Answered::Failed, at(0), HALF_LIFE);
        let left = |s| one.penalty(at(s), HALF_LIFE) * 16 / ONE_CALL;
        assert_eq!([0, 5, 10, 15, 20, 30, 40, 50].map(left), [16, 12, 8, 6, 4, 2, 1, 0]);
        assert_eq!(left(10_000_000), 0);
        assert_eq!(one.penalty(Instant::MAX, Duration::ZERO), 0);
    }

    #[test]
    fn failures_add_up_to_a_bound_and_other_answers_do_not() {
        let mut one = replica(1, 1);
        for answered in [Answered::Served, Answered::Unjudged] {
            one.answered(answered, at(0), HALF_LIFE);
            assert_eq!(one.penalty(at(0), HALF_LIFE), 0);
        }
        one.answered(Answered::Failed, at(0), HALF_LIFE);
        one.answered(Answered::Failed, at(10), HALF_LIFE);
        assert_eq!(one.penalty(at(10), HALF_LIFE), ONE_CALL * 3 / 2);
        for _ in 0..2_000 {
            one.answered(Answered::Failed, at(10), HALF_LIFE);
        }
        assert_eq!(one.penalty(at(10), HALF_LIFE), PENALTY_MAX);
    }

    #[test]
    fn load_is_measured_by_slot_and_weight() {
        let busier = |a: &Replica, b: &Replica| a.is_busier_than(b, at(0), HALF_LIFE);
        let (mut small, mut big) = (replica(2, 1), replica(4, 1));
        assert!(busier(&small, &big) && !busier(&big, &small));
        big.outstanding = 1;
        assert!(!busier(&small, &big) && !busier(&big, &small), "one of two, two of four");
        small.outstanding = 1;
        assert!(busier(&small, &big));
        assert!(busier(&replica(2, 1), &replica(2, 3)));
    }

    #[test]
    fn a_newcomer_grows_from_a_tenth_to_the_whole() {
        let one = replica(1, 1);
        let share = |s| one.share(at(s), Duration::from_secs(30));
        assert_eq!([0, 10, 20, 29, 30, 99].map(share), [100, 400, 700, 970, 1_000, 1_000]);
        assert_eq!(one.share(at(0), Duration::ZERO), WHOLE);
    }
}
