//! A service that works on so many calls at once and lets the others queue: where does the limit
//! settle? On paper time, by seed.

use crate::seeds;
use assay_rules::{
    Dice, Instant,
    concurrency::{Answer, Limiter, Settings, Slot},
};
use std::{cmp::Reverse, collections::BinaryHeap, time::Duration};

const MILLI: Duration = Duration::from_millis(1);

/// Callers that always want more, and a service with workers and a queue.
struct World {
    limiter: Limiter,
    now: Instant,
    /// When each worker is free.
    workers: BinaryHeap<Reverse<Instant>>,
    /// Calls by when they end. A refused one ends in refusal.
    calls: Vec<(Instant, Slot, Answer)>,
    /// What waits for a worker at most; more is answered with 429.
    queue_max: usize,
    /// Callers pause for a tenth of a second after a 429.
    pause_ends: Instant,
}

impl World {
    fn new(workers: usize, queue_max: usize) -> Self {
        Self {
            limiter: Limiter::new(Settings::default()),
            now: Instant::START,
            workers: (0..workers).map(|_| Reverse(Instant::START)).collect(),
            calls: Vec::new(),
            queue_max,
            pause_ends: Instant::START,
        }
    }

    fn call_all(&mut self, dice: &mut Dice) {
        if self.now < self.pause_ends && !self.calls.is_empty() {
            return;
        }
        while let Ok(slot) = self.limiter.admit(self.now) {
            let works_on =
                self.calls.iter().filter(|(.., answer)| *answer == Answer::Success).count();
            if works_on >= self.workers.len() + self.queue_max {
                self.calls.push((self.now + MILLI, slot, Answer::BackPressure));
                continue;
            }
            let Reverse(free_at) = self.workers.pop().expect("a worker");
            let took = MILLI * 90 + Duration::from_nanos(dice.below(20_000_000));
            let ends = free_at.max(self.now) + took;
            self.workers.push(Reverse(ends));
            self.calls.push((ends, slot, Answer::Success));
        }
    }

    fn answer_next(&mut self) -> Answer {
        let next = (0..self.calls.len()).min_by_key(|at| self.calls[*at].0).expect("calls are out");
        let (ends, slot, answer) = self.calls.swap_remove(next);
        self.now = ends;
        self.limiter.answer(slot, answer, ends);
        if answer == Answer::BackPressure {
            self.pause_ends = ends + MILLI * 100;
        }
        answer
    }

    /// Returns the mean limit over the later half of so many calls, and how many were refused.
    fn run(&mut self, dice: &mut Dice, calls: u32) -> (f64, u32) {
        let (mut sum, mut refused) = (0.0, 0);
        for number in 0..calls {
            self.call_all(dice);
            let answer = self.answer_next();
            if number >= calls / 2 {
                sum += f64::from(self.limiter.reading().limit);
                refused += u32::from(answer == Answer::BackPressure);
            }
        }
        (sum / f64::from(calls - calls / 2), refused)
    }
}

#[test]
fn the_limit_settles_near_what_a_service_with_a_queue_bears() {
    seeds::each("the_limit_settles_near_what_a_service_with_a_queue_bears", 20, |dice| {
        let (limit, refused) = World::new(20, usize::MAX - 20).run(dice, 4_000);
        assert!((20.0..40.0).contains(&limit), "{limit} for 20 workers");
        assert_eq!(refused, 0);
    });
}

#[test]
fn the_limit_settles_near_what_a_service_that_refuses_bears() {
    seeds::each("the_limit_settles_near_what_a_service_that_refuses_bears", 20, |dice| {
        let (limit, refused) = World::new(20, 0).run(dice, 4_000);
        assert!((17.0..22.0).contains(&limit), "{limit} for 20 workers");
        assert!(refused < 60, "{refused} of 2,000 calls were wasted");
    });
}
