//! Three priorities take turns, the urgent ones more often.
//!
//! Stride scheduling (Waldspurger and Weihl, "Stride Scheduling", MIT 1995): each priority has a
//! pass; the smallest is served and moves on by its stride, which is the shorter the more urgent
//! it is. One that had nothing to do begins where the others are: it neither catches up nor loses.
//!
//! Keeps: the head of a priority that waits sees at most [`PASSED_OVER_MAX`] others go first,
//! whatever comes.

use super::{
    lane::{Entry, Lane, Place},
    verdict::{Priority, WaiterId},
};
use crate::ledger::ClientId;

/// Strides of priorities 1, 2 and 3: shares of 1, 4 and 16 in 21 while all wait.
const STRIDES: [u64; 3] = [16, 4, 1];

/// While a Low waits for one stride, High goes 16 times and Middle four times; each may go once
/// more, since where passes are equal the more urgent goes first.
#[cfg(test)]
const PASSED_OVER_MAX: usize = 22;

#[derive(Debug)]
pub(super) struct Priorities {
    lanes: [Lane; 3],
    passes: [u64; 3],
    /// The pass of who was served last.
    now: u64,
}

// === impl Priorities ===

impl Priorities {
    pub(super) fn new(quantum: u32) -> Self {
        let lanes = std::array::from_fn(|_| Lane::new(quantum));
        Self { lanes, passes: [0; 3], now: 0 }
    }

    pub(super) fn push(&mut self, priority: Priority, client: ClientId, entry: Entry) -> Place {
        let nth = priority as usize;
        if self.lanes[nth].is_empty() {
            self.passes[nth] = self.passes[nth].max(self.now);
        }
        self.lanes[nth].push(client, entry)
    }

    /// Takes out who goes next.
    pub(super) fn pop(&mut self) -> Option<WaiterId> {
        let waits = |nth: &usize| !self.lanes[*nth].is_empty();
        let nth = (0..3).rev().filter(waits).min_by_key(|nth| self.passes[*nth])?;
        self.now = self.passes[nth];
        self.passes[nth] += STRIDES[nth];
        self.lanes[nth].pop()
    }

    pub(super) fn remove(&mut self, priority: Priority, place: Place) {
        self.lanes[priority as usize].remove(place);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Dice;

    fn entry(number: u64) -> Entry {
        Entry { waiter: WaiterId(number), cost: 1 }
    }

    #[test]
    fn while_all_wait_each_priority_gets_its_share() {
        let mut priorities = Priorities::new(1);
        let mut served = [0_u32; 3];
        for (nth, priority) in [Priority::Low, Priority::Middle, Priority::High].iter().enumerate()
        {
            for _ in 0..3_000 {
                priorities.push(*priority, ClientId(1), entry(nth as u64));
            }
        }
        for _ in 0..2_100 {
            let WaiterId(nth) = priorities.pop().unwrap();
            served[usize::try_from(nth).unwrap()] += 1;
        }
        assert_eq!(served, [100, 400, 1_600]);
    }

    #[test]
    fn nobody_is_passed_over_for_long_whatever_comes() {
        let all = [Priority::Low, Priority::Middle, Priority::High];
        for seed in 0..500 {
            let mut dice = Dice::seeded(seed);
            let mut priorities = Priorities::new(1);
            let (mut held, mut overtaken) = ([0_u64; 3], [0; 3]);
            for _ in 0..300 {
                let nth = usize::try_from(dice.below(3)).unwrap();
                if dice.below(5) < 3 {
                    let client = ClientId(dice.below(3));
                    priorities.push(all[nth], client, entry(nth as u64));
                    held[nth] += 1;
                } else if let Some(WaiterId(served)) = priorities.pop() {
                    let served = usize::try_from(served).unwrap();
                    held[served] -= 1;
                    for other in 0..3 {
                        overtaken[other] += 1;
                        if other == served || held[other] == 0 {
                            overtaken[other] = 0;
                        }
                        assert!(overtaken[other] <= PASSED_OVER_MAX, "seed {seed}: {overtaken:?}");
                    }
                }
            }
        }
    }
}
