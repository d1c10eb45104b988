//! Time as an argument.
//!
//! Owns the one type by which all machines of this crate are told what time it is. It is ours and
//! not the standard library's, because that one panics when it overflows, cannot be made for a test
//! without asking a clock, and has no greatest value to test with.
//!
//! Keeps: arithmetic saturates and never panics; an instant that lies before another one is zero
//! time after it, so that a clock that steps back stalls a machine and never breaks it.
//!
//! Does not: ask a clock, or know the date. Whoever drives a machine notes one start of its own,
//! and says `Instant::after_start(start.elapsed())` from then on.

use std::{
    ops::{Add, AddAssign, Sub},
    time::Duration,
};

/// A point in time, in whole nanoseconds since the start that the driver chose: 584 years of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant {
    nanos: u64,
}

// === impl Instant ===

impl Instant {
    /// When the driver's clock began.
    pub const START: Self = Self { nanos: 0 };

    /// The last there is, where all sums end that would go beyond.
    pub const MAX: Self = Self { nanos: u64::MAX };

    /// Returns the instant so long after the start.
    pub fn after_start(elapsed: Duration) -> Self {
        Self { nanos: whole_nanos(elapsed) }
    }

    /// Returns the time since `earlier`; zero when that lies later.
    pub fn saturating_duration_since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.nanos.saturating_sub(earlier.nanos))
    }

    /// Returns the nanoseconds since the start.
    pub fn as_nanos(self) -> u64 {
        self.nanos
    }
}

/// Ends at [`Instant::MAX`] and never panics.
impl Add<Duration> for Instant {
    type Output = Self;

    fn add(self, later_by: Duration) -> Self {
        Self { nanos: self.nanos.saturating_add(whole_nanos(later_by)) }
    }
}

impl AddAssign<Duration> for Instant {
    fn add_assign(&mut self, later_by: Duration) {
        *self = *self + later_by;
    }
}

/// The same as [`Instant::saturating_duration_since`].
impl Sub for Instant {
    type Output = Duration;

    fn sub(self, earlier: Self) -> Duration {
        self.saturating_duration_since(earlier)
    }
}

/// Nanoseconds of a span; what is beyond 584 years counts as that.
pub(crate) fn whole_nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_ends_at_the_extremes() {
        let second = Duration::from_secs(1);
        assert_eq!(Instant::MAX + second, Instant::MAX);
        assert_eq!(Instant::START + Duration::MAX, Instant::MAX);
        assert_eq!(Instant::after_start(Duration::MAX), Instant::MAX);
        assert_eq!(Instant::START - Instant::MAX, Duration::ZERO);
        assert_eq!((Instant::START + second) - Instant::START, second);
        let mut now = Instant::START;
        now += second;
        assert_eq!(now.as_nanos(), 1_000_000_000);
    }
}
