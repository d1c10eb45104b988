//! Runs a check with many seeds. The one that fails is named; `ASSAY_SEED=N` runs that one alone.
//! `ASSAY_SEEDS=N` makes all simulations longer or shorter, as `PROPTEST_CASES` does for proptest.

use assay_rules::{Dice, Instant};
use std::time::Duration;

pub(crate) fn for_each_seed(seeds: u64, check: impl Fn(&mut Dice)) {
    testkit::each_seed("-p assay-rules --test work", seeds, |seed| check(&mut Dice::seeded(seed)));
}

pub(crate) fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

pub(crate) fn at(millis: u64) -> Instant {
    Instant::after_start(ms(millis))
}

/// Throws an index into so many.
pub(crate) fn nth(dice: &mut Dice, of: usize) -> usize {
    usize::try_from(dice.below(of as u64)).expect("below a usize")
}
