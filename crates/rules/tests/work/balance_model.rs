//! The balancer against a twin that scans: the same weights, drawn from the same dice by adding
//! up, must give the same picks.

use crate::seeds::ms;
use assay_rules::{
    Dice, Instant,
    balance::{Answered, BalanceTerms, Balancer, Gate, Pick, ReplicaId, ReplicaTerms, Zone},
};
use proptest::prelude::*;
use proptest_state_machine::{ReferenceStateMachine, StateMachineTest, prop_state_machine};
use std::{collections::BTreeMap, time::Duration};

const SLOW_START: Duration = Duration::from_millis(300);
const HALF_LIFE: Duration = Duration::from_millis(100);
const TERMS: BalanceTerms =
    BalanceTerms { overprovisioning: 140, slow_start: SLOW_START, penalty_half_life: HALF_LIFE };

#[derive(Clone, Copy, Debug)]
struct One {
    nth: usize,
    terms: ReplicaTerms,
    draining: bool,
    shut: Option<Instant>,
    out: u32,
    since: Instant,
    penalty: u64,
    penalty_at: Instant,
}

impl One {
    fn capacity(&self) -> u64 {
        u64::from(self.terms.slots * self.terms.weight)
    }

    fn healthy(&self) -> bool {
        !self.draining && self.shut.is_none()
    }

    fn penalty(&self, now: Instant) -> u64 {
        let (mut left, mut age) = (self.penalty, now - self.penalty_at);
        while age >= HALF_LIFE {
            left /= 2;
            age -= HALF_LIFE;
        }
        left - u64::try_from(u128::from(left) * age.as_nanos() / HALF_LIFE.as_nanos() / 2)
            .expect("less")
    }

    /// Load and capacity: compared crosswise.
    fn load(&self, now: Instant) -> (u128, u128) {
        let calls = (u64::from(self.out) + 1) * 65_536;
        (u128::from(calls + self.penalty(now)), u128::from(self.capacity()))
    }

    fn share(&self, now: Instant) -> u64 {
        let age = (now - self.since).as_nanos();
        let whole = SLOW_START.as_nanos();
        u64::try_from(100 + 900 * age.min(whole) / whole).expect("1,000 at most")
    }
}

#[derive(Clone, Debug)]
enum Said {
    Add(ReplicaTerms),
    /// The nth replica that was ever added, here and below.
    Remove(usize),
    Drain(usize),
    Resume(usize),
    Shut(usize, Duration),
    Admit(usize),
    /// With this seed, not to this one.
    Pick(u64, Option<usize>),
    Answer(usize, Answered),
}

#[derive(Clone, Debug)]
struct Step {
    pass: Duration,
    said: Said,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Picked {
    One(usize),
    Full,
    AllShut(Instant),
    NoReplica,
}

/// The twin. Members stand in the order in which the balancer has them: the last one takes the
/// place of one that goes.
#[derive(Clone, Debug)]
struct Twin {
    now: Instant,
    zones: BTreeMap<u8, Vec<One>>,
    added: usize,
    picked: Option<Picked>,
}

impl Twin {
    fn all(&mut self) -> impl Iterator<Item = &mut One> {
        self.zones.values_mut().flatten()
    }

    fn with(&mut self, nth: usize, change: impl FnOnce(&mut One)) {
        if let Some(one) = self.all().find(|one| one.nth == nth) {
            change(one);
        }
    }

    fn admit(one: &mut One, now: Instant) {
        if one.shut.take().is_some() {
            one.since = now;
        }
    }

    fn pick(&mut self, seed: u64, except: Option<usize>) -> Picked {
        let now = self.now;
        for one in self.all().filter(|one| !one.draining) {
            if one.shut.is_some_and(|until| until <= now) {
                Self::admit(one, now);
            }
        }
        let mut dice = Dice::seeded(seed);
        let mut left = 100;
        let mut shares = Vec::new();
        for (zone, ones) in &self.zones {
            let healthy: u64 = ones.iter().filter(|one| one.healthy()).map(One::capacity).sum();
            let total: u64 = ones.iter().map(One::capacity).sum();
            if healthy > 0 {
                let share = (healthy * 140 / total).clamp(1, 100).min(left);
                left -= share;
                shares.push((*zone, share));
            }
        }
        let mut at = dice.below(shares.iter().map(|(_, share)| share).sum());
        let room =
            |one: &&One| one.healthy() && one.out < one.terms.slots && Some(one.nth) != except;
        let open: Vec<u8> = self
            .zones
            .iter()
            .filter(|(_, ones)| ones.iter().any(|one| room(&one)))
            .map(|(zone, _)| *zone)
            .collect();
        let Some(mut zone) = open.first().copied() else {
            let all = || self.zones.values().flatten();
            if all().any(One::healthy) {
                return Picked::Full;
            }
            let shut = all().filter(|one| !one.draining).filter_map(|one| one.shut).min();
            return shut.map_or(Picked::NoReplica, Picked::AllShut);
        };
        for (drawn, share) in shares {
            if at < share {
                zone = if open.contains(&drawn) { drawn } else { zone };
                break;
            }
            at -= share;
        }
        let ones: Vec<&One> = self.zones[&zone].iter().filter(room).collect();
        let first = Self::draw(&ones, now, &mut dice);
        let others: Vec<&One> = ones.iter().copied().filter(|one| one.nth != first.nth).collect();
        if others.is_empty() {
            // The balancer draws once more, and it changes nothing.
            return Picked::One(first.nth);
        }
        let second = Self::draw(&others, now, &mut dice);
        let (a, b) = (first.load(now), second.load(now));
        Picked::One(if a.0 * b.1 > b.0 * a.1 { second.nth } else { first.nth })
    }

    fn draw<'a>(ones: &[&'a One], now: Instant, dice: &mut Dice) -> &'a One {
        let mut redraws = 0;
        loop {
            let mut at = dice.below(ones.iter().map(|one| one.capacity()).sum());
            let hit = ones.iter().find(|one| {
                let here = at < one.capacity();
                at = at.saturating_sub(one.capacity());
                here
            });
            let one = hit.expect("somebody has room");
            let share = one.share(now);
            if redraws == 8 || share == 1_000 || dice.below(1_000) < share {
                return one;
            }
            redraws += 1;
        }
    }
}

impl ReferenceStateMachine for Twin {
    type State = Self;
    type Transition = Step;

    fn init_state() -> BoxedStrategy<Self> {
        Just(Self { now: Instant::START, zones: BTreeMap::new(), added: 0, picked: None }).boxed()
    }

    fn transitions(state: &Self) -> BoxedStrategy<Step> {
        let nth = 0..state.added + 1;
        let terms = (0..3_u8, 1..4_u32, 1..4_u32).prop_map(|(zone, slots, weight)| {
            Said::Add(ReplicaTerms { zone: Zone(zone), slots, weight })
        });
        let answered =
            prop_oneof![Just(Answered::Served), Just(Answered::Failed), Just(Answered::Unjudged)];
        let said = prop_oneof![
            12 => terms,
            2 => nth.clone().prop_map(Said::Remove),
            2 => nth.clone().prop_map(Said::Drain),
            2 => nth.clone().prop_map(Said::Resume),
            8 => (nth.clone(), 0..300_u64).prop_map(|(nth, until)| Said::Shut(nth, ms(until))),
            3 => nth.clone().prop_map(Said::Admit),
            60 => (any::<u64>(), proptest::option::of(nth.clone()))
                .prop_map(|(seed, except)| Said::Pick(seed, except)),
            30 => (nth, answered).prop_map(|(nth, answered)| Said::Answer(nth, answered)),
        ];
        let pass = prop_oneof![2 => Just(0), 1 => 0..150_u64].prop_map(ms);
        (pass, said).prop_map(|(pass, said)| Step { pass, said }).boxed()
    }

    fn apply(mut state: Self, step: &Step) -> Self {
        state.now += step.pass;
        state.picked = None;
        let now = state.now;
        match step.said {
            Said::Add(terms) => {
                let nth = state.added;
                state.added += 1;
                state.zones.entry(terms.zone.0).or_default().push(One {
                    nth,
                    terms,
                    draining: false,
                    shut: None,
                    out: 0,
                    since: now,
                    penalty: 0,
                    penalty_at: now,
                });
            }
            Said::Remove(nth) => {
                for ones in state.zones.values_mut() {
                    if let Some(at) = ones.iter().position(|one| one.nth == nth) {
                        ones.swap_remove(at);
                    }
                }
            }
            Said::Drain(nth) => state.with(nth, |one| one.draining = true),
            Said::Resume(nth) => state.with(nth, |one| {
                if std::mem::take(&mut one.draining) {
                    one.since = now;
                }
            }),
            Said::Shut(nth, time) => state.with(nth, |one| one.shut = Some(now + time)),
            Said::Admit(nth) => state.with(nth, |one| Twin::admit(one, now)),
            Said::Pick(seed, except) => {
                let picked = state.pick(seed, except);
                state.picked = Some(picked);
                if let Picked::One(nth) = picked {
                    state.with(nth, |one| one.out += 1);
                }
            }
            Said::Answer(nth, answered) => state.with(nth, |one| {
                one.out = one.out.saturating_sub(1);
                if answered == Answered::Failed {
                    one.penalty = (one.penalty(now) + 65_536).min(1_000 * 65_536);
                    one.penalty_at = now;
                }
            }),
        }
        state
    }
}

struct Real {
    balancer: Balancer,
    added: Vec<ReplicaId>,
}

impl StateMachineTest for Real {
    type SystemUnderTest = Self;
    type Reference = Twin;

    fn init_test(_: &Twin) -> Self {
        Self { balancer: Balancer::new(TERMS), added: Vec::new() }
    }

    fn apply(mut real: Self, twin: &Twin, step: Step) -> Self {
        let (now, balancer) = (twin.now, &mut real.balancer);
        let id = |nth: usize| real.added.get(nth).copied();
        // What is said of one that was never added is said of nobody.
        let named = match step.said {
            Said::Remove(nth)
            | Said::Drain(nth)
            | Said::Resume(nth)
            | Said::Shut(nth, _)
            | Said::Admit(nth)
            | Said::Answer(nth, _) => id(nth),
            Said::Add(_) | Said::Pick(..) => None,
        };
        match (step.said, named) {
            (Said::Add(terms), _) => {
                let id = balancer.add(terms, now);
                assert!(!real.added.contains(&id), "an id was given again");
                real.added.push(id);
            }
            (Said::Remove(_), Some(id)) => balancer.remove(id),
            (Said::Drain(_), Some(id)) => balancer.drain(id),
            (Said::Resume(_), Some(id)) => balancer.resume(id, now),
            (Said::Shut(_, time), Some(id)) => {
                balancer.set_gate(id, Gate::Shut { until: now + time }, now);
            }
            (Said::Admit(_), Some(id)) => balancer.set_gate(id, Gate::Admits, now),
            (Said::Answer(_, answered), Some(id)) => balancer.answered(id, answered, now),
            (Said::Pick(seed, except), _) => {
                let except = except.and_then(id);
                let picked = match balancer.pick(now, &mut Dice::seeded(seed), except) {
                    Pick::Replica(picked) => {
                        balancer.began(picked);
                        let nth = real.added.iter().position(|id| *id == picked);
                        Picked::One(nth.expect("it was added"))
                    }
                    Pick::Full => Picked::Full,
                    Pick::AllShut { earliest } => Picked::AllShut(earliest),
                    Pick::NoReplica => Picked::NoReplica,
                };
                assert_eq!(Some(picked), twin.picked);
            }
            _ => {}
        }
        for (nth, id) in real.added.iter().enumerate() {
            let twin = twin.zones.values().flatten().find(|one| one.nth == nth);
            assert_eq!(real.balancer.outstanding(*id), twin.map(|one| one.out));
        }
        real
    }
}

prop_state_machine! {
    #[test]
    fn the_balancer_picks_what_its_naive_twin_picks(sequential 1..150 => Real);
}
