//! Simulations by seed.
//!
//! Keeps: a seed that fails is printed with the words that replay it, alone. `ASSAY_SEEDS` makes
//! all simulations longer or shorter, as `PROPTEST_CASES` does for proptest.

use assay_rules::Dice;
use std::env;

/// Names the seed to replay; all others are left out.
const REPLAY: &str = "ASSAY_SEED";

/// How many seeds to run instead of those that a simulation asks for.
const MANY: &str = "ASSAY_SEEDS";

/// Says which seed it was when a simulation panics.
struct Named {
    seed: u64,
    simulation: &'static str,
}

/// Runs `simulate` with the seeds from 1 to `seeds`, or with the one of `ASSAY_SEED`.
pub(crate) fn each(simulation: &'static str, seeds: u64, mut simulate: impl FnMut(&mut Dice)) {
    let number = |name| env::var(name).ok().map(|said| said.parse().expect("a number"));
    let all = 1..=number(MANY).unwrap_or(seeds);
    for seed in number(REPLAY).map_or(all, |seed| seed..=seed) {
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
