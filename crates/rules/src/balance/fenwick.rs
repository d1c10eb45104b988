//! Drawing by weight, and changing a weight, both in O(log n).
//!
//! A binary indexed tree (Fenwick, "A New Data Structure for Cumulative Frequency Tables", 1994).

/// Weights by index, with their running sums.
#[derive(Clone, Debug, Default)]
pub(super) struct Fenwick {
    weights: Vec<u64>,
    /// One-based: `sums[n]` is the sum of the last `n & -n` weights up to the nth.
    sums: Vec<u64>,
    total: u64,
}

/// What was drawn: an index, and the sum of all weights before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Drawn {
    pub(super) index: usize,
    pub(super) before: u64,
}

// === impl Fenwick ===

impl Fenwick {
    pub(super) fn total(&self) -> u64 {
        self.total
    }

    pub(super) fn weight(&self, index: usize) -> u64 {
        self.weights[index]
    }

    pub(super) fn push(&mut self, weight: u64) {
        if self.sums.is_empty() {
            self.sums.push(0);
        }
        self.weights.push(weight);
        let nth = self.sums.len();
        let covered = nth & nth.wrapping_neg();
        let sum = self.weights[nth - covered..nth].iter().sum();
        self.sums.push(sum);
        self.total += weight;
    }

    pub(super) fn set(&mut self, index: usize, weight: u64) {
        let old = std::mem::replace(&mut self.weights[index], weight);
        self.total = self.total - old + weight;
        let mut nth = index + 1;
        while nth < self.sums.len() {
            self.sums[nth] = self.sums[nth] - old + weight;
            nth += nth & nth.wrapping_neg();
        }
    }

    /// Returns the index in whose share the `at`th unit of weight lies; `at` is below the total.
    pub(super) fn find(&self, at: u64) -> Drawn {
        let (mut index, mut before) = (0, 0);
        let mut step = (self.sums.len().max(1)).next_power_of_two();
        while step > 0 {
            let next = index + step;
            if next < self.sums.len() && before + self.sums[next] <= at {
                index = next;
                before += self.sums[next];
            }
            step /= 2;
        }
        Drawn { index, before }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Dice;

    #[test]
    fn what_is_drawn_is_what_a_scan_would_find() {
        let mut dice = Dice::seeded(3);
        for size in 0..40 {
            let mut tree = Fenwick::default();
            let mut plain: Vec<u64> = (0..size).map(|_| dice.below(4)).collect();
            for weight in &plain {
                tree.push(*weight);
            }
            for _ in 0..size {
                let index = usize::try_from(dice.below(size)).unwrap();
                plain[index] = dice.below(5);
                tree.set(index, plain[index]);
                assert_eq!(tree.weight(index), plain[index]);
                assert_eq!(tree.total(), plain.iter().sum::<u64>());
                for at in 0..tree.total() {
                    let mut before = 0;
                    let holds = |weight: &u64| {
                        let here = at < before + weight;
                        before += if here { 0 } else { *weight };
                        here
                    };
                    let index = plain.iter().position(holds).unwrap();
                    assert_eq!(tree.find(at), Drawn { index, before });
                }
            }
        }
    }
}
