//! Which tool runs next.
//!
//! Owns the processors' slots and the memory of one analysis. Longest expected first (Graham 1969:
//! never worse than 4/3 of the best order on equal machines), as long as what waits can be done
//! before the deadline. When it cannot, shortest first: then the most tools still end in time
//! (exactly so on one slot: Moore 1968). What cannot end in time by itself is started all the same,
//! as the last: its estimate may be wrong, and what it finds until it is stopped is kept. Nothing
//! is started at the deadline or after it.
//!
//! Keeps:
//! - the slots and the memory in use never exceed what there is, except that work which needs more
//!   than all of it runs alone;
//! - every piece of work is started at most once, and no slot idles while work that fits waits,
//!   unless it is kept for work that was passed over too often;
//! - nothing is passed over more than [`PASSED_OVER_MAX`] times: neither wide work by narrow work
//!   that fits, nor short work by longer work that came later.
//!
//! Does not: know what the work is, or stop any: when it has to end is its driver's concern.

use crate::{Instant, clock::whole_nanos};
use std::{cmp::Reverse, time::Duration};

/// Times that work may be passed over. After that everything is kept free for it: a long row of
/// light tools must not starve a heavy one.
const PASSED_OVER_MAX: u32 = 4;

/// What an analysis may take of the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capacity {
    /// What `--jobs` says. At least 1.
    pub slots: u32,
    pub memory_mib: u64,
}

/// Decides what runs when within a capacity.
#[derive(Debug)]
pub struct Scheduler {
    capacity: Capacity,
    deadline: Option<Instant>,
    used_slots: u32,
    used_mib: u64,
    /// In the order in which they came.
    waiting: Vec<Waiting>,
    running: Vec<Running>,
    started: u64,
}

/// Something to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Work {
    /// The caller's own number for it; no other work has it until this one has ended.
    pub id: usize,
    pub expected: Duration,
    /// Slots that it takes while it runs; 0 counts as 1.
    pub width: u32,
    /// Memory that it is expected to need at its peak.
    pub memory_mib: u64,
}

#[derive(Debug)]
struct Waiting {
    work: Work,
    /// How many had been started when it came.
    came: u64,
    passed_over: u32,
}

#[derive(Debug)]
struct Running {
    work: Work,
    since: Instant,
}

/// Which of those that wait is best.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum First {
    Longest,
    Shortest,
}

// === impl Scheduler ===

impl Scheduler {
    /// `deadline` is when the whole is stopped, if it is.
    pub fn new(capacity: Capacity, deadline: Option<Instant>) -> Self {
        Self {
            capacity: Capacity { slots: capacity.slots.max(1), ..capacity },
            deadline,
            used_slots: 0,
            used_mib: 0,
            waiting: Vec::new(),
            running: Vec::new(),
            started: 0,
        }
    }

    /// Takes in work that is ready to run.
    pub fn add(&mut self, work: Work) {
        self.waiting.push(Waiting { work, came: self.started, passed_over: 0 });
    }

    /// Returns the work to start now, or `None` until some work has ended, or for good once the
    /// deadline has passed. What it takes is given back by [`finished`](Self::finished).
    pub fn start_next(&mut self, now: Instant) -> Option<Work> {
        if self.deadline.is_some_and(|deadline| deadline <= now) {
            return None;
        }
        let order = self.order(self.first(now));
        let nth = order.iter().position(|at| self.fits(&self.waiting[*at].work))?;
        let is_due = |at: &usize| self.waiting[*at].passed_over >= PASSED_OVER_MAX;
        if order[..nth].iter().any(is_due) {
            return None;
        }
        for at in &order[..nth] {
            self.waiting[*at].passed_over += 1;
        }
        let Waiting { work, came, .. } = self.waiting[order[nth]];
        for at in &order[nth..] {
            // It was there first.
            self.waiting[*at].passed_over += u32::from(self.waiting[*at].came < came);
        }
        self.waiting.remove(order[nth]);
        self.started += 1;
        self.used_slots += self.slots_of(&work);
        self.used_mib += self.mib_of(&work);
        self.running.push(Running { work, since: now });
        Some(work)
    }

    /// Gives back what work took that has ended.
    pub fn finished(&mut self, work: &Work) {
        let Some(at) = self.running.iter().position(|running| running.work.id == work.id) else {
            return;
        };
        let Running { work, .. } = self.running.swap_remove(at);
        self.used_slots -= self.slots_of(&work);
        self.used_mib -= self.mib_of(&work);
    }

    /// Gives up everything that has not started, longest first.
    pub fn give_up(&mut self) -> Vec<Work> {
        let mut works: Vec<Work> = self.waiting.drain(..).map(|waiting| waiting.work).collect();
        works.sort_by_key(|work| Reverse(work.expected));
        works
    }

    /// Whether work waits to be started.
    pub fn has_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Longest first as long as all of it fits before the deadline: slots times time left. Work
    /// that would not end in time by itself is counted for the time left.
    fn first(&self, now: Instant) -> First {
        let Some(deadline) = self.deadline else { return First::Longest };
        let left = deadline - now;
        let area = |work: &Work, time: Duration| {
            u128::from(whole_nanos(time.min(left))) * u128::from(self.slots_of(work))
        };
        let waiting: u128 =
            self.waiting.iter().map(|waiting| area(&waiting.work, waiting.work.expected)).sum();
        let rest = |running: &Running| running.work.expected.saturating_sub(now - running.since);
        let running: u128 =
            self.running.iter().map(|running| area(&running.work, rest(running))).sum();
        let room = u128::from(whole_nanos(left)) * u128::from(self.capacity.slots);
        if waiting + running <= room { First::Longest } else { First::Shortest }
    }

    /// The places of all that wait, best first: those that were passed over too often, in the
    /// order in which they came; then by expectation, equals in the order in which they came.
    fn order(&self, first: First) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.waiting.len()).collect();
        order.sort_by_key(|at| {
            let waiting = &self.waiting[*at];
            let time = waiting.work.expected;
            if waiting.passed_over >= PASSED_OVER_MAX {
                (0, Duration::ZERO)
            } else {
                match first {
                    First::Longest => (1, Duration::MAX.saturating_sub(time)),
                    First::Shortest => (1, time),
                }
            }
        });
        order
    }

    fn fits(&self, work: &Work) -> bool {
        self.used_slots + self.slots_of(work) <= self.capacity.slots
            && self.used_mib + self.mib_of(work) <= self.capacity.memory_mib
    }

    /// What is wider than the machine takes all of it, and so runs alone.
    fn slots_of(&self, work: &Work) -> u32 {
        work.width.clamp(1, self.capacity.slots)
    }

    fn mib_of(&self, work: &Work) -> u64 {
        work.memory_mib.min(self.capacity.memory_mib)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn work(id: usize, seconds: u64, width: u32) -> Work {
        Work { id, expected: Duration::from_secs(seconds), width, memory_mib: 0 }
    }

    fn at(seconds: u64) -> Instant {
        Instant::after_start(Duration::from_secs(seconds))
    }

    fn slots(slots: u32) -> Scheduler {
        Scheduler::new(Capacity { slots, memory_mib: 0 }, None)
    }

    fn until(slots: u32, deadline: u64) -> Scheduler {
        Scheduler::new(Capacity { slots, memory_mib: 0 }, Some(at(deadline)))
    }

    fn ids(scheduler: &mut Scheduler, now: u64) -> Vec<usize> {
        std::iter::from_fn(|| scheduler.start_next(at(now))).map(|work| work.id).collect()
    }

    #[test]
    fn the_longest_runs_first() {
        let mut scheduler = slots(2);
        for (id, seconds) in [(0, 1), (1, 9), (2, 5)] {
            scheduler.add(work(id, seconds, 1));
        }
        assert_eq!(ids(&mut scheduler, 0), [1, 2]);
        assert!(scheduler.has_waiting());
        scheduler.finished(&work(1, 9, 1));
        assert_eq!(ids(&mut scheduler, 9), [0]);
        assert!(!scheduler.has_waiting());
    }

    #[test]
    fn light_work_fills_the_slots_that_heavy_work_cannot_use() {
        let mut scheduler = slots(2);
        for (id, seconds, width) in [(0, 9, 1), (1, 8, 2), (2, 1, 1)] {
            scheduler.add(work(id, seconds, width));
        }
        assert_eq!(ids(&mut scheduler, 0), [0, 2]);
        assert_eq!(scheduler.give_up(), [work(1, 8, 2)]);
    }

    #[test]
    fn heavy_work_is_not_starved_by_a_row_of_light_work() {
        let mut scheduler = slots(2);
        scheduler.add(work(0, 100, 1));
        scheduler.add(work(1, 50, 2));
        for id in 2..40 {
            scheduler.add(work(id, 1, 1));
        }
        let mut running = ids(&mut scheduler, 0);
        let mut started_before_heavy = running.len();
        loop {
            scheduler.finished(&work(running.pop().expect("all wait for heavy work"), 1, 1));
            let next = ids(&mut scheduler, 0);
            if next.contains(&1) {
                break;
            }
            started_before_heavy += next.len();
            running.extend(next);
            assert!(started_before_heavy < 10, "the heavy work starves");
        }
        assert!(running.is_empty(), "heavy work runs alone on two slots");
        assert_eq!(started_before_heavy, 1 + PASSED_OVER_MAX as usize);
    }

    #[test]
    fn short_work_is_not_starved_by_longer_work_that_keeps_coming() {
        let mut scheduler = slots(1);
        scheduler.add(work(0, 1, 1));
        let mut last = work(1, 50, 1);
        scheduler.add(last);
        for id in 2..40 {
            let started = scheduler.start_next(at(0)).expect("one slot is free");
            if started.id == 0 {
                assert_eq!(id, 2 + 1 + PASSED_OVER_MAX as usize);
                return;
            }
            last = started;
            scheduler.add(work(id, 50, 1));
            scheduler.finished(&last);
        }
        panic!("the short work starves; {last:?} was last");
    }

    #[test]
    fn work_wider_than_the_machine_runs_alone() {
        for (width, memory_mib) in [(4, 0), (1, 9_000)] {
            let big = Work { width, memory_mib, ..work(0, 2, 1) };
            let mut scheduler = Scheduler::new(Capacity { slots: 2, memory_mib: 1_000 }, None);
            scheduler.add(big);
            scheduler.add(Work { memory_mib: 1, ..work(1, 1, 1) });
            assert_eq!(ids(&mut scheduler, 0), [0]);
            scheduler.finished(&big);
            assert_eq!(ids(&mut scheduler, 0), [1]);
        }
    }

    #[test]
    fn memory_is_a_slot_like_any() {
        let mut scheduler = Scheduler::new(Capacity { slots: 9, memory_mib: 1_000 }, None);
        for (id, seconds, memory_mib) in [(0, 9, 600), (1, 8, 500), (2, 7, 400), (3, 6, 1)] {
            scheduler.add(Work { memory_mib, ..work(id, seconds, 1) });
        }
        assert_eq!(ids(&mut scheduler, 0), [0, 2]);
        scheduler.finished(&work(0, 0, 1));
        assert_eq!(ids(&mut scheduler, 0), [1, 3]);
    }

    #[test]
    fn an_end_that_is_told_twice_frees_nothing() {
        let mut scheduler = slots(1);
        scheduler.add(work(0, 1, 1));
        scheduler.add(work(1, 1, 1));
        scheduler.add(work(2, 1, 1));
        assert_eq!(ids(&mut scheduler, 0), [0]);
        scheduler.finished(&work(0, 1, 1));
        assert_eq!(ids(&mut scheduler, 0), [1]);
        scheduler.finished(&work(0, 1, 1));
        assert_eq!(scheduler.start_next(at(0)), None);
    }

    #[test]
    fn the_shortest_runs_first_once_not_all_can_be_done() {
        for (deadline, expected) in [(15, [1, 2, 0]), (14, [0, 2, 1])] {
            let mut scheduler = until(1, deadline);
            for (id, seconds) in [(0, 1), (1, 9), (2, 5)] {
                scheduler.add(work(id, seconds, 1));
            }
            let (mut order, mut now) = (Vec::new(), 0);
            while let Some(started) = scheduler.start_next(at(now)) {
                order.push(started.id);
                now += started.expected.as_secs();
                scheduler.finished(&started);
            }
            assert_eq!(order, expected, "until {deadline} s");
        }
    }

    #[test]
    fn what_runs_is_counted_for_the_rest_of_its_time() {
        let mut scheduler = until(2, 10);
        scheduler.add(work(0, 10, 1));
        assert_eq!(ids(&mut scheduler, 0), [0]);
        scheduler.add(work(1, 1, 1));
        scheduler.add(work(2, 4, 1));
        // At 5 s there are 5 s on two slots: 5 for what runs, and 5 for the two.
        assert_eq!(ids(&mut scheduler, 5), [2]);

        let mut scheduler = until(2, 10);
        scheduler.add(work(0, 10, 1));
        assert_eq!(ids(&mut scheduler, 0), [0]);
        scheduler.add(work(1, 1, 1));
        scheduler.add(work(2, 5, 1));
        assert_eq!(ids(&mut scheduler, 5), [1], "6 s of work, 5 s of room");
    }

    #[test]
    fn what_cannot_end_in_time_is_started_and_nothing_is_at_the_deadline() {
        let mut scheduler = until(2, 10);
        scheduler.add(work(0, 100, 1));
        scheduler.add(work(1, 3, 1));
        assert_eq!(ids(&mut scheduler, 0), [0, 1], "there is room for both");
        scheduler.add(work(2, 100, 1));
        scheduler.finished(&work(1, 3, 1));
        assert_eq!(scheduler.start_next(at(10)), None);
        assert_eq!(scheduler.start_next(Instant::MAX), None);
        assert_eq!(ids(&mut scheduler, 9), [2]);
    }

    /// How many of the times, run one after the other in this order, end by `deadline`.
    fn in_time(times: &[u64], deadline: u64) -> usize {
        let ends = times.iter().scan(0, |end, time| {
            *end += time;
            Some(*end)
        });
        ends.filter(|end| *end <= deadline).count()
    }

    fn best(times: &mut Vec<u64>, from: usize, deadline: u64) -> usize {
        if from == times.len() {
            return in_time(times, deadline);
        }
        let mut most = 0;
        for at in from..times.len() {
            times.swap(from, at);
            most = most.max(best(times, from + 1, deadline));
            times.swap(from, at);
        }
        most
    }

    proptest! {
        #[test]
        fn on_one_slot_no_order_ends_more_in_time(
            mut times in proptest::collection::vec(1u64..20, 0..7),
            deadline in 1u64..60,
        ) {
            let mut scheduler = until(1, deadline);
            for (id, seconds) in times.iter().enumerate() {
                scheduler.add(work(id, *seconds, 1));
            }
            let (mut now, mut ended) = (0, 0);
            while let Some(started) = scheduler.start_next(at(now)) {
                now += started.expected.as_secs();
                ended += usize::from(now <= deadline);
                scheduler.finished(&started);
            }
            prop_assert_eq!(ended, best(&mut times, 0, deadline));
        }

        #[test]
        fn everything_runs_once_within_the_capacity(
            slots in 1u32..6,
            memory_mib in 0u64..50,
            works in proptest::collection::vec((0u64..50, 0u32..8, 0u64..60), 0..40),
            picks in proptest::collection::vec(any::<prop::sample::Index>(), 0..40),
        ) {
            let mut scheduler = Scheduler::new(Capacity { slots, memory_mib }, None);
            for (id, (seconds, width, memory_mib)) in works.iter().enumerate() {
                scheduler.add(Work { memory_mib: *memory_mib, ..work(id, *seconds, *width) });
            }
            let mut picks = picks.into_iter();
            let (mut running, mut done) = (Vec::<Work>::new(), vec![false; works.len()]);
            loop {
                while let Some(next) = scheduler.start_next(at(0)) {
                    prop_assert!(!std::mem::replace(&mut done[next.id], true), "started twice");
                    running.push(next);
                }
                let used: u32 = running.iter().map(|work| work.width.clamp(1, slots)).sum();
                let mib: u64 = running.iter().map(|work| work.memory_mib.min(memory_mib)).sum();
                prop_assert!(used <= slots && mib <= memory_mib);
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
