//! The scheduler against a twin that looks for the best piece of work by comparing each with each,
//! and in a world where estimates are wrong.

use crate::seeds::{at, for_each_seed, ms, nth};
use assay_rules::{Capacity, Instant, Scheduler, Work};
use proptest::prelude::*;
use proptest_state_machine::{ReferenceStateMachine, StateMachineTest, prop_state_machine};
use std::time::Duration;

const CAPACITY: Capacity = Capacity { slots: 3, memory_mib: 100 };
const PASSED_OVER_MAX: u32 = 4;

#[derive(Clone, Debug)]
struct Waits {
    work: Work,
    came: usize,
    passed_over: u32,
}

#[derive(Clone, Debug)]
struct Twin {
    now: Instant,
    deadline: Option<Instant>,
    waiting: Vec<Waits>,
    running: Vec<(Work, Instant)>,
    added: usize,
    started: usize,
    start: Option<usize>,
}

#[derive(Clone, Debug)]
enum Said {
    Add(Duration, u32, u64),
    Start,
    Finish(usize),
}

#[derive(Clone, Debug)]
struct Step {
    pass: Duration,
    said: Said,
}

fn slots(work: &Work) -> u32 {
    work.width.clamp(1, CAPACITY.slots)
}

fn mib(work: &Work) -> u64 {
    work.memory_mib.min(CAPACITY.memory_mib)
}

impl Twin {
    fn new(deadline: Option<Instant>) -> Self {
        let (now, waiting, running) = (Instant::START, Vec::new(), Vec::new());
        Self { now, deadline, waiting, running, added: 0, started: 0, start: None }
    }

    fn fits(&self, work: &Work) -> bool {
        let used: u32 = self.running.iter().map(|(work, _)| slots(work)).sum();
        let used_mib: u64 = self.running.iter().map(|(work, _)| mib(work)).sum();
        used + slots(work) <= CAPACITY.slots && used_mib + mib(work) <= CAPACITY.memory_mib
    }

    fn all_can_be_done(&self) -> bool {
        let Some(deadline) = self.deadline else { return true };
        let left = deadline - self.now;
        let waiting = self.waiting.iter().map(|waits| (waits.work, waits.work.expected));
        let running = self
            .running
            .iter()
            .map(|(work, since)| (*work, work.expected.saturating_sub(self.now - *since)));
        let sum: Duration =
            waiting.chain(running).map(|(work, time)| time.min(left) * slots(&work)).sum();
        sum <= left * CAPACITY.slots
    }

    /// Whether `one` is to be started before `other`, if both fit. `longest`: all can be done.
    fn is_before(one: &Waits, other: &Waits, longest: bool) -> bool {
        let due = |waits: &Waits| waits.passed_over >= PASSED_OVER_MAX;
        match (due(one), due(other)) {
            (true, true) => one.work.id < other.work.id,
            (true, false) => true,
            (false, true) => false,
            (false, false) => {
                let (a, b) = (one.work.expected, other.work.expected);
                if a == b { one.work.id < other.work.id } else { (a > b) == longest }
            }
        }
    }

    fn start(&mut self) -> Option<usize> {
        if self.deadline.is_some_and(|deadline| deadline <= self.now) {
            return None;
        }
        let longest = self.all_can_be_done();
        let fitting: Vec<Waits> =
            self.waiting.iter().filter(|waits| self.fits(&waits.work)).cloned().collect();
        let best = fitting
            .iter()
            .find(|one| fitting.iter().all(|other| !Self::is_before(other, one, longest)))?
            .clone();
        let others = self.waiting.clone();
        for other in others.iter().filter(|other| other.work.id != best.work.id) {
            let overtaken = Self::is_before(other, &best, longest);
            if overtaken && other.passed_over >= PASSED_OVER_MAX {
                return None; // all is kept for it
            }
        }
        let before: Vec<bool> =
            others.iter().map(|other| Self::is_before(other, &best, longest)).collect();
        for (waits, before) in self.waiting.iter_mut().zip(before) {
            waits.passed_over += u32::from(before || waits.came < best.came);
            assert!(
                waits.work.id == best.work.id || waits.passed_over <= PASSED_OVER_MAX,
                "{waits:?} is passed over for ever"
            );
        }
        self.waiting.retain(|waits| waits.work.id != best.work.id);
        self.running.push((best.work, self.now));
        self.started += 1;
        Some(best.work.id)
    }

    fn add(&mut self, expected: Duration, width: u32, memory_mib: u64) {
        let work = Work { id: self.added, expected, width, memory_mib };
        self.waiting.push(Waits { work, came: self.started, passed_over: 0 });
        self.added += 1;
    }
}

impl ReferenceStateMachine for Twin {
    type State = Self;
    type Transition = Step;

    fn init_state() -> BoxedStrategy<Self> {
        proptest::option::of(1..400_u64).prop_map(|deadline| Self::new(deadline.map(at))).boxed()
    }

    fn transitions(state: &Self) -> BoxedStrategy<Step> {
        let running = state.running.len().max(1);
        let said = prop_oneof![
            3 => (0..30_u64, 0..5_u32, 0..120_u64)
                .prop_map(|(time, width, mib)| Said::Add(ms(time), width, mib)),
            4 => Just(Said::Start),
            2 => (0..running).prop_map(Said::Finish),
        ];
        let pass = prop_oneof![2 => Just(0), 1 => 0..10_u64].prop_map(ms);
        (pass, said).prop_map(|(pass, said)| Step { pass, said }).boxed()
    }

    fn apply(mut state: Self, step: &Step) -> Self {
        state.now += step.pass;
        state.start = None;
        match step.said {
            Said::Add(expected, width, memory_mib) => state.add(expected, width, memory_mib),
            Said::Start => state.start = state.start(),
            Said::Finish(nth) if nth < state.running.len() => drop(state.running.remove(nth)),
            Said::Finish(_) => {}
        }
        state
    }
}

struct Real {
    scheduler: Scheduler,
    running: Vec<Work>,
    added: usize,
}

impl StateMachineTest for Real {
    type SystemUnderTest = Self;
    type Reference = Twin;

    fn init_test(twin: &Twin) -> Self {
        let scheduler = Scheduler::new(CAPACITY, twin.deadline);
        Self { scheduler, running: Vec::new(), added: 0 }
    }

    fn apply(mut real: Self, twin: &Twin, step: Step) -> Self {
        match step.said {
            Said::Add(expected, width, memory_mib) => {
                real.scheduler.add(Work { id: real.added, expected, width, memory_mib });
                real.added += 1;
            }
            Said::Start => {
                let started = real.scheduler.start_next(twin.now);
                assert_eq!(started.map(|work| work.id), twin.start);
                real.running.extend(started);
            }
            Said::Finish(nth) if nth < real.running.len() => {
                real.scheduler.finished(&real.running.remove(nth));
            }
            Said::Finish(_) => {}
        }
        assert_eq!(real.scheduler.has_waiting(), !twin.waiting.is_empty());
        real
    }
}

prop_state_machine! {
    #[test]
    fn the_scheduler_starts_what_its_naive_twin_starts(sequential 1..120 => Real);
}

#[test]
fn an_analysis_with_wrong_estimates_starts_all_in_time_or_none_after_it() {
    for_each_seed(2_000, |dice| {
        let deadline = (dice.below(2) == 0).then(|| at(20 + dice.below(400)));
        let mut scheduler = Scheduler::new(CAPACITY, deadline);
        let count = nth(dice, 25);
        let mut ends: Vec<(Instant, Work)> = Vec::new();
        for id in 0..count {
            let (width, memory_mib) = ([0, 1, 1, 2, 9][nth(dice, 5)], dice.below(130));
            scheduler.add(Work { id, expected: ms(dice.below(50)), width, memory_mib });
        }
        let (mut now, mut started) = (at(0), vec![false; count]);
        loop {
            while let Some(work) = scheduler.start_next(now) {
                assert!(deadline.is_none_or(|deadline| now < deadline), "started too late");
                assert!(!std::mem::replace(&mut started[work.id], true), "started twice");
                ends.push((now + ms(1 + dice.below(80)), work));
            }
            let used: u32 = ends.iter().map(|(_, work)| slots(work)).sum();
            let used_mib: u64 = ends.iter().map(|(_, work)| mib(work)).sum();
            assert!(used <= CAPACITY.slots && used_mib <= CAPACITY.memory_mib);
            let Some(next) = (0..ends.len()).min_by_key(|at| ends[*at].0) else { break };
            let (end, work) = ends.swap_remove(next);
            now = end;
            scheduler.finished(&work);
        }
        let over = deadline.is_some_and(|deadline| deadline <= now);
        let given_up = scheduler.give_up();
        assert!(over || given_up.is_empty(), "{given_up:?} never ran");
        let run = started.iter().filter(|started| **started).count();
        assert_eq!(run + given_up.len(), count, "each is run or given up");
        assert!(!scheduler.has_waiting());
    });
}
