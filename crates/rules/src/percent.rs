//! A share in whole percent.
//!
//! Keeps: 1 to 100, so that a threshold is neither always passed nor never; compared in integers,
//! so that no fraction is cut off.

use std::fmt;

/// A share from 1 % to 100 %.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Percent(u8);

// === impl Percent ===

impl Percent {
    /// Takes `percent`; 0 counts as 1, more than 100 as 100.
    pub const fn new(percent: u8) -> Self {
        match percent {
            0 => Self(1),
            1..=100 => Self(percent),
            _ => Self(100),
        }
    }

    /// Returns the whole number of percent.
    pub const fn get(self) -> u8 {
        self.0
    }

    /// Whether `part` is at least this share of `whole`. Nothing is no share of nothing.
    pub(crate) fn is_reached(self, part: u64, whole: u64) -> bool {
        0 < part && u128::from(whole) * u128::from(self.0) <= u128::from(part) * 100
    }

    /// Whether `part` is at most this share of `whole`.
    pub(crate) fn covers(self, part: u64, whole: u64) -> bool {
        u128::from(part) * 100 <= u128::from(whole) * u128::from(self.0)
    }
}

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} %", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_compared_without_a_fraction() {
        let third = Percent::new(33);
        assert!(third.is_reached(33, 100) && !third.is_reached(32, 100));
        assert!(third.is_reached(1, 3), "33.3 % are 33 %");
        assert!(!third.covers(1, 3) && third.covers(33, 100) && !third.covers(34, 100));
        assert!(Percent::new(100).covers(u64::MAX, u64::MAX));
        assert!(Percent::new(100).is_reached(u64::MAX, u64::MAX));
        assert!(!Percent::new(100).is_reached(u64::MAX - 1, u64::MAX));
    }

    #[test]
    fn nothing_reaches_no_share_and_is_covered_by_all() {
        assert!(!Percent::new(1).is_reached(0, 0));
        assert!(Percent::new(1).covers(0, 0));
    }

    #[test]
    fn a_share_is_between_one_and_a_hundred() {
        let taken = [0, 1, 50, 100, 101, 255].map(|n| Percent::new(n).get());
        assert_eq!(taken, [1, 1, 50, 100, 100, 100]);
        assert_eq!(Percent::new(20).to_string(), "20 %");
    }
}
