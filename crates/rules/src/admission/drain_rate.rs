//! How fast the queue gets shorter, so that who is refused hears an honest time.
//!
//! Owns the gaps between the last ends of work while work waited. Idle time says nothing about the
//! rate and is not in them.
//!
//! Keeps: a stall shows at once, since the gap that is still open counts as soon as it makes the
//! mean longer; nothing is divided by a window that is empty.

use crate::{Instant, clock::whole_nanos};
use std::{collections::VecDeque, time::Duration};

/// Gaps that are looked at: enough to even out work of different length, few enough to follow.
const GAPS_MAX: usize = 32;

/// Nobody is asked to come back sooner: a client that did so would only add to the load.
pub(super) const RETRY_AFTER_MIN: Duration = Duration::from_millis(100);

/// Nobody is asked to come back later: by then the rate is another one.
pub(super) const RETRY_AFTER_MAX: Duration = Duration::from_mins(5);

/// The gaps between ends of work, for whoever keeps a queue.
#[derive(Debug, Default)]
pub struct DrainRate {
    gaps: VecDeque<u64>,
    sum: u64,
    /// Since when the open gap lasts; `None` while nobody waits.
    since: Option<Instant>,
}

// === impl DrainRate ===

impl DrainRate {
    /// Somebody waits, who was the first to.
    pub fn wake(&mut self, now: Instant) {
        self.since = Some(now);
    }

    /// Nobody waits any more.
    pub fn rest(&mut self) {
        self.since = None;
    }

    /// A piece of work ended while others waited. Where nobody waits it says nothing.
    pub fn left(&mut self, now: Instant) {
        let Some(since) = self.since else { return };
        self.since = Some(now);
        // One gap must not outweigh the sum's range, however far a clock leaps.
        let gap = whole_nanos((now - since).min(RETRY_AFTER_MAX));
        self.gaps.push_back(gap);
        self.sum += gap;
        if self.gaps.len() > GAPS_MAX
            && let Some(oldest) = self.gaps.pop_front()
        {
            self.sum -= oldest;
        }
    }

    /// Returns how long it takes until so many have gone: number ÷ rate.
    pub fn time_for(&self, number: usize, now: Instant) -> Duration {
        let count = self.gaps.len() as u64;
        let open = self.since.map_or(0, |since| whole_nanos((now - since).min(RETRY_AFTER_MAX)));
        let with_open = (self.sum + open) / (count + 1);
        let mean = self.sum.checked_div(count).unwrap_or(0).max(with_open);
        let whole = mean.saturating_mul(number as u64);
        Duration::from_nanos(whole).clamp(RETRY_AFTER_MIN, RETRY_AFTER_MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Instant {
        Instant::after_start(Duration::from_millis(ms))
    }

    fn busy(gap_ms: u64, ends: u64) -> (DrainRate, u64) {
        let mut rate = DrainRate::default();
        rate.wake(at(0));
        for end in 1..=ends {
            rate.left(at(end * gap_ms));
        }
        (rate, ends * gap_ms)
    }

    #[test]
    fn the_time_is_the_queue_divided_by_the_rate() {
        let (rate, now) = busy(50, 100);
        assert_eq!(rate.time_for(10, at(now)), Duration::from_millis(500));
        assert_eq!(rate.gaps.len(), GAPS_MAX);
    }

    #[test]
    fn the_window_forgets_how_it_was_long_ago() {
        let (mut rate, now) = busy(1_000, 100);
        for end in 1..=GAPS_MAX as u64 {
            rate.left(at(now + end * 20));
        }
        let now = now + GAPS_MAX as u64 * 20;
        assert_eq!(rate.time_for(10, at(now)), Duration::from_millis(200));
    }

    #[test]
    fn a_stall_shows_and_idle_time_does_not() {
        let (mut rate, now) = busy(50, 9);
        let stalled = rate.time_for(10, at(now + 10_050));
        assert_eq!(stalled, Duration::from_millis(10_500), "(9 × 50 + 10,050) ÷ 10, ten times");
        rate.rest();
        assert_eq!(rate.time_for(10, at(now + 90_000)), Duration::from_millis(500));
        rate.left(at(now + 90_000));
        assert_eq!(rate.time_for(10, at(now + 90_000)), Duration::from_millis(500));
    }

    #[test]
    fn an_empty_window_and_the_end_of_time_give_times_within_the_bounds() {
        let mut rate = DrainRate::default();
        assert_eq!(rate.time_for(10, at(0)), RETRY_AFTER_MIN);
        rate.wake(at(0));
        assert_eq!(rate.time_for(2, at(70)), Duration::from_millis(140));
        assert_eq!(rate.time_for(usize::MAX, Instant::MAX), RETRY_AFTER_MAX);
        for _ in 0..100 {
            rate.wake(at(0));
            rate.left(Instant::MAX);
        }
        assert_eq!(rate.time_for(1, Instant::MAX), RETRY_AFTER_MAX);
    }
}
