//! The choice of replica, by what a fleet sees: shares of traffic, zones, failures, newcomers.

use crate::seeds::{at, for_each_seed, ms, nth};
use assay_rules::{
    Dice, Instant,
    balance::{Answered, BalanceTerms, Balancer, Gate, Pick, ReplicaId, ReplicaTerms, Zone},
};
use std::{cmp::Reverse, collections::BinaryHeap, time::Duration};

const WARM: BalanceTerms = BalanceTerms {
    overprovisioning: 140,
    slow_start: Duration::ZERO,
    penalty_half_life: Duration::from_secs(10),
};

fn slots(zone: u8, slots: u32) -> ReplicaTerms {
    ReplicaTerms { zone: Zone(zone), slots, weight: 1 }
}

fn fleet(terms: BalanceTerms, replicas: &[ReplicaTerms]) -> (Balancer, Vec<ReplicaId>) {
    let mut balancer = Balancer::new(terms);
    let ids = replicas.iter().map(|terms| balancer.add(*terms, at(0))).collect();
    (balancer, ids)
}

/// How often each was picked, of so many times; nothing stays outstanding.
fn counts(balancer: &mut Balancer, ids: &[ReplicaId], now: Instant, times: u32) -> Vec<u32> {
    let mut dice = Dice::seeded(u64::from(times));
    let mut counts = vec![0; ids.len()];
    for _ in 0..times {
        if let Pick::Replica(id) = balancer.pick(now, &mut dice, None) {
            counts[ids.iter().position(|known| *known == id).expect("ours")] += 1;
        }
    }
    counts
}

#[track_caller]
fn near(count: u32, expected: u32) {
    let (least, most) = (expected * 9 / 10, expected * 11 / 10);
    assert!((least..=most).contains(&count), "{count} is not near {expected}");
}

#[test]
fn of_two_the_less_busy_one_is_picked() {
    let (mut balancer, ids) = fleet(WARM, &[slots(0, 10), slots(0, 10)]);
    balancer.began(ids[0]);
    assert_eq!(counts(&mut balancer, &ids, at(0), 100), [0, 100]);
    balancer.answered(ids[0], Answered::Served, at(0));
    let counts = counts(&mut balancer, &ids, at(0), 2_000);
    near(counts[0], 1_000);
}

#[test]
fn slots_and_weights_make_shares() {
    // What is outstanding is level in the long run: each carries what it can.
    let terms = [slots(0, 10), slots(0, 20), ReplicaTerms { weight: 3, ..slots(0, 10) }];
    let (mut balancer, ids) = fleet(WARM, &terms);
    let mut dice = Dice::seeded(1);
    let (mut carried, mut out) = ([0_u32; 3], Vec::new());
    for _ in 0..6_000 {
        let Pick::Replica(id) = balancer.pick(at(0), &mut dice, None) else { panic!("room") };
        balancer.began(id);
        carried[ids.iter().position(|known| *known == id).expect("ours")] += 1;
        out.push(id);
        if out.len() > 14 {
            let ended = out.swap_remove(nth(&mut dice, out.len()));
            balancer.answered(ended, Answered::Served, at(0));
        }
    }
    let quarter = |count: u32| f64::from(count) / 6_000.0;
    assert!(quarter(carried[0]) < quarter(carried[1]), "{carried:?}");
    assert!(quarter(carried[1]) < quarter(carried[2]), "{carried:?}");
}

#[test]
fn a_draining_a_shut_and_a_full_one_are_never_picked() {
    let terms = [slots(0, 1); 4];
    let (mut balancer, ids) = fleet(WARM, &terms);
    balancer.drain(ids[0]);
    balancer.set_gate(ids[1], Gate::Shut { until: at(100) }, at(0));
    balancer.began(ids[2]);
    assert_eq!(counts(&mut balancer, &ids, at(0), 100), [0, 0, 0, 100]);
    let mut dice = Dice::seeded(1);
    assert_eq!(balancer.pick(at(0), &mut dice, Some(ids[3])), Pick::Full);
    balancer.began(ids[3]);
    assert_eq!(balancer.pick(at(0), &mut dice, None), Pick::Full);
    assert_eq!(balancer.pick(at(100), &mut dice, None), Pick::Replica(ids[1]));
}

#[test]
fn when_all_are_open_the_answer_says_when_to_try_again() {
    let (mut balancer, ids) = fleet(WARM, &[slots(0, 1), slots(1, 1), slots(1, 1)]);
    let mut dice = Dice::seeded(1);
    for (id, until) in ids.iter().zip([300, 200, 100]) {
        balancer.set_gate(*id, Gate::Shut { until: at(until) }, at(0));
    }
    balancer.drain(ids[2]);
    let pick = |balancer: &mut Balancer, now| balancer.pick(at(now), &mut Dice::seeded(1), None);
    assert_eq!(pick(&mut balancer, 199), Pick::AllShut { earliest: at(200) });
    assert_eq!(pick(&mut balancer, 200), Pick::Replica(ids[1]));
    balancer.set_gate(ids[1], Gate::Shut { until: Instant::MAX }, at(200));
    balancer.set_gate(ids[0], Gate::Shut { until: Instant::MAX }, at(200));
    let never = Pick::AllShut { earliest: Instant::MAX };
    assert_eq!(balancer.pick(Instant::MAX, &mut dice, None), never);
    ids[..2].iter().for_each(|id| balancer.remove(*id));
    assert_eq!(pick(&mut balancer, 200), Pick::NoReplica);
}

#[test]
fn an_answer_for_one_that_has_gone_changes_nothing() {
    let (mut balancer, ids) = fleet(WARM, &[slots(0, 1)]);
    balancer.began(ids[0]);
    balancer.remove(ids[0]);
    let heir = balancer.add(slots(0, 1), at(0));
    assert_ne!(heir, ids[0]);
    balancer.began(heir);
    balancer.answered(ids[0], Answered::Served, at(0));
    balancer.drain(ids[0]);
    balancer.remove(ids[0]);
    assert_eq!((balancer.outstanding(ids[0]), balancer.outstanding(heir)), (None, Some(1)));
}

#[test]
fn zones_spill_over_when_more_than_the_overprovisioning_is_missing() {
    // Healthy replicas of ten in our zone, and what of 10,000 calls leaves it.
    for (healthy, spilt) in [(10, 0), (8, 0), (7, 200), (5, 3_000), (2, 7_200), (0, 10_000)] {
        let mut terms = vec![slots(0, 100); 10];
        terms.extend([slots(1, 100); 10]);
        let (mut balancer, ids) = fleet(WARM, &terms);
        for id in &ids[healthy..10] {
            balancer.set_gate(*id, Gate::Shut { until: at(1) }, at(0));
        }
        let counts = counts(&mut balancer, &ids, at(0), 10_000);
        let away: u32 = counts[10..].iter().sum();
        assert!(away.abs_diff(spilt) <= 150, "{healthy} of 10 healthy: {away} of 10,000 spilt");
    }
}

#[test]
fn a_zone_with_one_replica_of_a_hundred_keeps_one_percent_and_no_more() {
    let mut terms = vec![slots(0, 100); 100];
    terms.push(slots(1, 100));
    let (mut balancer, ids) = fleet(WARM, &terms);
    for id in &ids[1..100] {
        balancer.set_gate(*id, Gate::Shut { until: at(1) }, at(0));
    }
    let counts = counts(&mut balancer, &ids, at(0), 20_000);
    assert!(counts[0].abs_diff(200) <= 50, "{} of 20,000", counts[0]);
}

#[test]
fn a_zone_that_is_full_spills_over_and_the_nearest_with_room_takes_it() {
    let (mut balancer, ids) = fleet(WARM, &[slots(0, 2), slots(1, 2), slots(2, 2)]);
    let mut dice = Dice::seeded(1);
    for expected in [0, 0, 1, 1, 2, 2] {
        let pick = balancer.pick(at(0), &mut dice, None);
        assert_eq!(pick, Pick::Replica(ids[expected]));
        balancer.began(ids[expected]);
    }
    assert_eq!(balancer.pick(at(0), &mut dice, None), Pick::Full);
}

#[test]
fn zones_that_are_all_ill_share_what_there_is() {
    let mut terms = vec![slots(0, 100); 10];
    terms.extend([slots(1, 100); 10]);
    let (mut balancer, ids) = fleet(WARM, &terms);
    for id in ids[1..10].iter().chain(&ids[13..]) {
        balancer.set_gate(*id, Gate::Shut { until: at(1) }, at(0));
    }
    let counts = counts(&mut balancer, &ids, at(0), 10_000);
    near(counts[0], 2_500); // 14 % and 42 %
    near(counts[10..].iter().sum(), 7_500);
}

#[test]
fn a_newcomers_share_grows_and_does_not_jump() {
    let terms = BalanceTerms { slow_start: ms(1_000), ..WARM };
    let (mut balancer, mut ids) = fleet(terms, &[slots(0, 1_000); 9]);
    ids.push(balancer.add(slots(0, 1_000), at(10_000)));
    let mut last = 0;
    for age in [0, 250, 500, 750, 1_000] {
        let share = counts(&mut balancer, &ids, at(10_000 + age), 100_000)[9];
        // Beside nine whole ones it is drawn as a tenth of one at first, and as a whole in the end.
        let grown = 100 + u32::try_from(age).expect("small") * 9 / 10;
        near(share, 100_000 * grown / (9_000 + grown));
        assert!(share > last && share < last + 3_000, "{last}, then {share} at {age} ms");
        last = share;
    }
}

#[test]
fn one_that_was_shut_comes_back_slowly() {
    let terms = BalanceTerms { slow_start: ms(1_000), ..WARM };
    let (mut balancer, ids) = fleet(terms, &[slots(0, 1_000); 10]);
    balancer.set_gate(ids[3], Gate::Shut { until: at(20_000) }, at(10_000));
    near(counts(&mut balancer, &ids, at(20_000), 100_000)[3], 1_099);
    balancer.set_gate(ids[3], Gate::Admits, at(20_500));
    near(counts(&mut balancer, &ids, at(20_500), 100_000)[3], 5_759);
}

#[test]
fn newcomers_alone_are_served_at_once() {
    let (mut balancer, ids) = fleet(BalanceTerms::default(), &[slots(0, 10); 3]);
    assert_eq!(counts(&mut balancer, &ids, at(0), 300).iter().sum::<u32>(), 300);
}

#[test]
fn a_replica_that_fails_fast_does_not_draw_the_traffic() {
    for_each_seed(30, |dice| {
        let (mut balancer, ids) = fleet(WARM, &[slots(0, 10); 10]);
        let mut ends: BinaryHeap<Reverse<(Instant, usize)>> = BinaryHeap::new();
        let (mut now, mut to_bad, mut all) = (at(0), 0_u32, 0_u32);
        for _ in 0..5_000 {
            now += ms(2);
            while let Some(Reverse((_, nth))) = ends.pop_if_due(now) {
                let answered = if nth == 0 { Answered::Failed } else { Answered::Served };
                balancer.answered(ids[nth], answered, now);
            }
            if let Pick::Replica(id) = balancer.pick(now, dice, None) {
                balancer.began(id);
                let nth = ids.iter().position(|known| *known == id).expect("ours");
                ends.push(Reverse((now + if nth == 0 { ms(1) } else { ms(80) }, nth)));
                to_bad += u32::from(nth == 0);
                all += 1;
            }
        }
        assert!(to_bad * 40 < all, "{to_bad} of {all} calls went to the one that fails");
        assert!(to_bad > 0, "it is tried now and then");
    });
}

trait PopIfDue {
    fn pop_if_due(&mut self, now: Instant) -> Option<Reverse<(Instant, usize)>>;
}

impl PopIfDue for BinaryHeap<Reverse<(Instant, usize)>> {
    fn pop_if_due(&mut self, now: Instant) -> Option<Reverse<(Instant, usize)>> {
        self.peek().is_some_and(|Reverse((at, _))| *at <= now).then(|| self.pop())?
    }
}

#[test]
fn equal_seeds_give_equal_picks() {
    let picks = |seed| -> Vec<Pick> {
        let (mut balancer, _) = fleet(BalanceTerms::default(), &[slots(0, 5); 50]);
        let mut dice = Dice::seeded(seed);
        (0..100).map(|n| balancer.pick(at(n * 500), &mut dice, None)).collect()
    };
    assert_eq!(picks(7), picks(7));
    assert_ne!(picks(7), picks(8));
}

/// A replica as the world sees it.
#[derive(Debug)]
struct Known {
    id: ReplicaId,
    slots: u32,
    out: u32,
    draining: bool,
    shut: Option<Instant>,
}

impl Known {
    fn may_be_called(&self) -> bool {
        self.out < self.slots && !self.draining && self.shut.is_none()
    }
}

#[test]
fn whatever_happens_only_who_may_be_called_is_picked_and_somebody_is_if_anybody_may() {
    for_each_seed(2_000, |dice| {
        let mut balancer = Balancer::new(BalanceTerms { slow_start: ms(200), ..WARM });
        let mut known: Vec<Known> = Vec::new();
        let (mut now, mut out) = (at(0), Vec::new());
        for _ in 0..150 {
            now += ms([0, 1, 30, 2_000][nth(dice, 4)]);
            let some = nth(dice, known.len().max(1));
            match dice.below(12) {
                0 => {
                    let terms = slots([0, 0, 1, 2][nth(dice, 4)], 1 + [0, 1, 4][nth(dice, 3)]);
                    let (id, slots) = (balancer.add(terms, now), terms.slots);
                    known.push(Known { id, slots, out: 0, draining: false, shut: None });
                }
                1 if dice.below(4) == 0 && !known.is_empty() => {
                    balancer.remove(known.swap_remove(some).id);
                }
                2 if dice.below(4) == 0 && !known.is_empty() => {
                    balancer.drain(known[some].id);
                    known[some].draining = true;
                }
                3 if !known.is_empty() => {
                    let until = now + ms(dice.below(500));
                    balancer.set_gate(known[some].id, Gate::Shut { until }, now);
                    known[some].shut = Some(until);
                }
                4..8 if !out.is_empty() => {
                    let id: ReplicaId = out.swap_remove(nth(dice, out.len()));
                    let answers = [Answered::Served, Answered::Failed, Answered::Unjudged];
                    balancer.answered(id, answers[nth(dice, 3)], now);
                    if let Some(one) = known.iter_mut().find(|one| one.id == id) {
                        one.out -= 1;
                    }
                }
                _ => {
                    for one in &mut known {
                        one.shut = one.shut.filter(|until| now < *until);
                    }
                    let any = known.iter().any(Known::may_be_called);
                    match balancer.pick(now, dice, None) {
                        Pick::Replica(id) => {
                            let one = known.iter_mut().find(|one| one.id == id).expect("known");
                            assert!(one.may_be_called(), "{one:?}");
                            one.out += 1;
                            balancer.began(id);
                            out.push(id);
                        }
                        other => assert!(!any, "{other:?} although one may be called"),
                    }
                }
            }
        }
    });
}
