//! Which tool runs next.
//!
//! Owns the slots of one analysis. Longest expected first (Graham 1969: never worse than 4/3 of
//! the best order on equal machines); heavy work takes more than one slot.
//!
//! Keeps: the slots in use never exceed the slots there are, except that work which is wider than
//! all of them runs alone; every piece of work is started exactly once; nothing is passed over
//! more than [`PASSED_OVER_MAX`] times.
//!
//! Does not: know what the work is, how long it really took, or when to give up on it.

use std::time::Duration;

/// Times that wide work may be passed over by narrower work that fits the free slots. After that
/// the slots are kept free for it: a long row of light tools must not starve a heavy one.
const PASSED_OVER_MAX: u32 = 4;

/// Decides what runs within a number of slots.
#[derive(Debug)]
pub struct Scheduler {
    slots: u32,
    used: u32,
    /// Longest first; equals in the order in which they came.
    waiting: Vec<Waiting>,
}

/// Something to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Work {
    /// The caller's own number for it.
    pub id: usize,
    pub expected: Duration,
    /// Slots that it takes while it runs; 0 counts as 1.
    pub width: u32,
}

#[derive(Debug)]
struct Waiting {
    work: Work,
    passed_over: u32,
}

// === impl Scheduler ===

impl Scheduler {
    /// `slots` is what `--jobs` says; 0 counts as 1.
    pub fn new(slots: u32) -> Self {
        Self { slots: slots.max(1), used: 0, waiting: Vec::new() }
    }

    /// Takes in work that is ready to run.
    pub fn add(&mut self, work: Work) {
        let at = self.waiting.partition_point(|w| w.work.expected >= work.expected);
        self.waiting.insert(at, Waiting { work, passed_over: 0 });
    }

    /// Returns the work to start now, or `None` until some work has ended. Its slots are taken:
    /// give them back by [`finished`](Self::finished).
    pub fn start_next(&mut self) -> Option<Work> {
        let free = self.slots - self.used.min(self.slots);
        let fits = |work: &Work| self.taken_by(work) <= free;
        let at = self.waiting.iter().position(|waiting| fits(&waiting.work))?;
        if self.waiting[..at].iter().any(|waiting| waiting.passed_over >= PASSED_OVER_MAX) {
            return None;
        }
        for waiting in &mut self.waiting[..at] {
            waiting.passed_over += 1;
        }
        let work = self.waiting.remove(at).work;
        self.used += self.taken_by(&work);
        Some(work)
    }

    /// Gives back the slots of work that has ended.
    pub fn finished(&mut self, work: &Work) {
        self.used = self.used.saturating_sub(self.taken_by(work));
    }

    /// Gives up everything that has not started, longest first.
    pub fn give_up(&mut self) -> Vec<Work> {
        self.waiting.drain(..).map(|waiting| waiting.work).collect()
    }

    /// Whether work waits for slots.
    pub fn has_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    fn taken_by(&self, work: &Work) -> u32 {
        work.width.clamp(1, self.slots)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn work(id: usize, seconds: u64, width: u32) -> Work {
        Work { id, expected: Duration::from_secs(seconds), width }
    }

    fn ids(scheduler: &mut Scheduler) -> Vec<usize> {
        std::iter::from_fn(|| scheduler.start_next()).map(|work| work.id).collect()
    }

    #[test]
    fn the_longest_runs_first() {
        let mut scheduler = Scheduler::new(2);
        for (id, seconds) in [(0, 1), (1, 9), (2, 5)] {
            scheduler.add(work(id, seconds, 1));
        }
        assert_eq!(ids(&mut scheduler), [1, 2]);
    }

    #[test]
    fn light_work_fills_the_slots_that_heavy_work_cannot_use() {
        let mut scheduler = Scheduler::new(2);
        for (id, seconds, width) in [(0, 9, 1), (1, 8, 2), (2, 1, 1)] {
            scheduler.add(work(id, seconds, width));
        }
        assert_eq!(ids(&mut scheduler), [0, 2]);
    }

    #[test]
    fn heavy_work_is_not_starved_by_a_row_of_light_work() {
        let mut scheduler = Scheduler::new(2);
        scheduler.add(work(0, 100, 1));
        scheduler.add(work(1, 50, 2));
        for id in 2..40 {
            scheduler.add(work(id, 1, 1));
        }
        let mut running = ids(&mut scheduler).len();
        let mut started_before_heavy = running;
        loop {
            scheduler.finished(&work(0, 1, 1));
            running -= 1;
            let next = ids(&mut scheduler);
            if next.contains(&1) {
                break;
            }
            running += next.len();
            started_before_heavy += next.len();
            assert!(started_before_heavy < 10, "the heavy work starves");
        }
        assert_eq!(running, 0, "heavy work runs alone on two slots");
    }

    #[test]
    fn work_wider_than_the_machine_runs_alone() {
        let mut scheduler = Scheduler::new(1);
        scheduler.add(work(0, 2, 4));
        scheduler.add(work(1, 1, 1));
        assert_eq!(ids(&mut scheduler), [0]);
        scheduler.finished(&work(0, 2, 4));
        assert_eq!(ids(&mut scheduler), [1]);
    }

    proptest! {
        #[test]
        fn everything_runs_once_within_the_slots(
            slots in 1u32..6,
            works in proptest::collection::vec((0u64..50, 0u32..8), 0..40),
            picks in proptest::collection::vec(any::<prop::sample::Index>(), 0..40),
        ) {
            let mut scheduler = Scheduler::new(slots);
            for (id, (seconds, width)) in works.iter().enumerate() {
                scheduler.add(work(id, *seconds, *width));
            }
            let mut picks = picks.into_iter();
            let (mut running, mut done) = (Vec::<Work>::new(), vec![false; works.len()]);
            loop {
                while let Some(next) = scheduler.start_next() {
                    prop_assert!(!std::mem::replace(&mut done[next.id], true), "started twice");
                    running.push(next);
                }
                let used: u32 = running.iter().map(|work| work.width.clamp(1, slots)).sum();
                prop_assert!(used <= slots);
                if running.is_empty() {
                    break;
                }
                let at = picks.next().map_or(0, |pick| pick.index(running.len()));
                scheduler.finished(&running.remove(at));
            }
            prop_assert!(done.iter().all(|done| *done), "something never ran");
        }
    }
}
