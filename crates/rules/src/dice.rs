//! Randomness as an argument.
//!
//! Owns a stream of numbers that a seed fixes: SplitMix64 (Steele, Lea, Flood: "Fast Splittable
//! Pseudorandom Number Generators", 2014; the constants are theirs). 2⁶⁴ numbers before it repeats.
//!
//! Keeps: equal seeds give equal streams, on every machine and in every build.
//!
//! Does not: guard secrets. Whoever has seen one number knows all that follow.

/// A source of chance that replays. Who decides by chance is given one, so that a test decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dice {
    state: u64,
}

// === impl Dice ===

impl Dice {
    /// Starts the stream of this seed. All seeds are good ones, 0 too.
    pub fn seeded(seed: u64) -> Self {
        Self { state: seed }
    }

    /// Throws all of `u64`, each number equally likely.
    pub fn next_u64(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// Throws `0..n`; 0 when `n` is 0. A number is off its share by less than `n` / 2⁶⁴.
    pub fn below(&mut self, n: u64) -> u64 {
        let scaled = u128::from(self.next_u64()) * u128::from(n);
        u64::try_from(scaled >> 64).expect("the upper half of a product of two u64 is a u64")
    }

    /// Throws `0.0..1.0`, in steps of 2⁻⁵³: never 1.0.
    #[expect(clippy::cast_precision_loss, reason = "53 bits are what an f64 holds exactly")]
    pub fn unit(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 * (1.0 / (1_u64 << 53) as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stream_is_that_of_the_published_generator() {
        // The first numbers of seed 1234567 in the reference code of its authors.
        let mut dice = Dice::seeded(1_234_567);
        let expected = [6_457_827_717_110_365_317, 3_203_168_211_198_807_973];
        assert_eq!([dice.next_u64(), dice.next_u64()], expected);
    }

    #[test]
    fn below_stays_below_and_reaches_all() {
        let mut dice = Dice::seeded(0);
        let mut seen = [0_u32; 6];
        for _ in 0..6_000 {
            let side = usize::try_from(dice.below(6)).expect("below six");
            seen[side] += 1;
        }
        assert!(seen.iter().all(|times| (850..1_150).contains(times)), "{seen:?}");
        assert_eq!((dice.below(0), dice.below(1)), (0, 0));
        assert!((0..64).any(|_| dice.below(u64::MAX) > u64::MAX / 2));
    }

    #[test]
    fn unit_fills_its_range_and_never_reaches_one() {
        let mut dice = Dice::seeded(1);
        let thrown: Vec<f64> = (0..10_000).map(|_| dice.unit()).collect();
        assert!(thrown.iter().all(|part| (0.0..1.0).contains(part)));
        let mean = thrown.iter().sum::<f64>() / 10_000.0;
        assert!((0.48..0.52).contains(&mean), "{mean}");
        assert!(thrown.iter().any(|part| *part > 0.999));
    }
}
