//! Simulations by seed.
//!
//! Keeps: a seed that fails is printed with the words that replay it, alone. `ASSAY_SEEDS` makes
//! all simulations longer or shorter, as `PROPTEST_CASES` does for proptest.

use std::env;

/// Names the seed to replay; all others are left out.
const REPLAY: &str = "ASSAY_SEED";

/// How many seeds to run instead of those that a simulation asks for.
const MANY: &str = "ASSAY_SEEDS";

/// Says which seed it was when a simulation panics.
struct Named<'a> {
    seed: u64,
    words: &'a str,
}

/// Runs `simulate` with the seeds from 1 to `seeds`, or with the one of `ASSAY_SEED`. `words` are those
/// of `cargo test` that run this simulation: `-p assay-rules breaker`.
///
/// # Panics
///
/// When a variable holds no number, and with whatever panic a simulation has.
pub fn each_seed(words: &str, seeds: u64, mut simulate: impl FnMut(u64)) {
    let number = |name| env::var(name).ok().map(|said| said.parse().expect("a number"));
    let all = 1..=number(MANY).unwrap_or(seeds);
    for seed in number(REPLAY).map_or(all, |seed| seed..=seed) {
        let _named = Named { seed, words };
        simulate(seed);
    }
}

/// Whether one seed alone is run: then not everything that may happen has to.
pub fn replays_a_seed() -> bool {
    env::var_os(REPLAY).is_some()
}

impl Drop for Named<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let Self { seed, words } = self;
            eprintln!("seed {seed} fails; replay it: {REPLAY}={seed} cargo test {words}");
        }
    }
}
