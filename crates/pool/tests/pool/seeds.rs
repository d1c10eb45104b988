//! Simulations by seed.
//!
//! Keeps: a seed that fails is printed with the words that replay it, alone.

use assay_rules::Dice;
use std::{env, ops::RangeInclusive};

/// Names the seed to replay; all others are left out.
const REPLAY: &str = "ASSAY_SEED";

/// Says which seed it was when a simulation panics.
struct Named {
    seed: u64,
    simulation: &'static str,
}

/// Runs `simulate` with every seed, or with the one of `ASSAY_SEED`.
pub(crate) fn each(
    simulation: &'static str,
    seeds: RangeInclusive<u64>,
    mut simulate: impl FnMut(&mut Dice),
) {
    let only = env::var(REPLAY).ok().map(|seed| seed.parse().expect("a seed is a number"));
    for seed in only.map_or(seeds, |seed| seed..=seed) {
        let _named = Named { seed, simulation };
        simulate(&mut Dice::seeded(seed));
    }
}

/// Throws one of them.
pub(crate) fn one_of<T: Copy>(dice: &mut Dice, choices: &[T]) -> T {
    choices[at(dice, choices.len())]
}

/// Throws an index below `length`.
pub(crate) fn at(dice: &mut Dice, length: usize) -> usize {
    usize::try_from(dice.below(length as u64)).expect("below a usize")
}

impl Drop for Named {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let Self { seed, simulation } = self;
            eprintln!(
                "seed {seed} fails; replay it: {REPLAY}={seed} cargo test -p assay-pool {simulation}"
            );
        }
    }
}
