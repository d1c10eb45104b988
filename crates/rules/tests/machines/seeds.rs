//! Simulations by seed: `ASSAY_SEED=N` replays one, `ASSAY_SEEDS=N` runs so many.

use assay_rules::Dice;

/// Runs `simulate` with the dice of each seed.
pub(crate) fn each(simulation: &str, seeds: u64, mut simulate: impl FnMut(&mut Dice)) {
    testkit::each_seed(&format!("-p assay-rules {simulation}"), seeds, |seed| {
        simulate(&mut Dice::seeded(seed));
    });
}

/// Throws one of them.
pub(crate) fn one_of<T: Copy>(dice: &mut Dice, choices: &[T]) -> T {
    choices[at(dice, choices.len())]
}

/// Throws an index below `length`.
pub(crate) fn at(dice: &mut Dice, length: usize) -> usize {
    usize::try_from(dice.below(length as u64)).expect("below a usize")
}
