//! Admission under load: what a caller counts on, and crowds of callers on paper time.

use crate::seeds::{at, for_each_seed, ms, nth};
use assay_rules::{
    Dice, Instant,
    admission::{
        Admission, AdmissionLimits, Draining, Permit, Priority, Shut, Verdict, WaiterId, Wish,
    },
    ledger::ClientId,
};
use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap},
    time::Duration,
};

const LIMITS: AdmissionLimits = AdmissionLimits {
    permits: 1,
    queue_max: 1_000,
    client_max: 1_000,
    bytes_max: u64::MAX,
    reserve: 1,
    reserve_queue_max: 2,
    quantum: 1,
};

fn work(client: u64) -> Wish {
    Wish::work(ClientId(client), Priority::Low, 1)
}

#[track_caller]
fn queued(door: &mut Admission, wish: Wish) -> WaiterId {
    match door.ask(wish, at(0)) {
        Verdict::Queued(waiter) => waiter,
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn admitted(door: &mut Admission, wish: Wish) -> Permit {
    match door.ask(wish, at(0)) {
        Verdict::Admitted(permit) => permit,
        other => panic!("{other:?}"),
    }
}

/// Serves all who wait, one after the other, and returns their names in that order.
fn serve<T>(door: &mut Admission, permit: Permit, names: &mut BTreeMap<WaiterId, T>) -> Vec<T> {
    let (mut out, mut order) = (permit, Vec::new());
    loop {
        door.finished(out, at(0));
        let Some((waiter, permit)) = door.admit_next() else { return order };
        order.push(names.remove(&waiter).expect("served once"));
        out = permit;
    }
}

#[test]
fn health_and_cancel_pass_a_full_house_and_work_passes_theirs() {
    let mut door = Admission::new(AdmissionLimits { queue_max: 0, ..LIMITS });
    let _work = admitted(&mut door, work(1));
    assert!(matches!(door.ask(work(1), at(0)), Verdict::Refused(Shut::Overloaded { .. })));
    let health = admitted(&mut door, Wish::vital(ClientId(1)));
    let cancel = queued(&mut door, Wish::vital(ClientId(1)));
    assert_eq!(door.admit_next(), None);
    door.finished(health, at(0));
    assert_eq!(door.admit_next().map(|(waiter, _)| waiter), Some(cancel));

    let mut door = Admission::new(LIMITS);
    let _health = admitted(&mut door, Wish::vital(ClientId(1)));
    queued(&mut door, Wish::vital(ClientId(1)));
    let _work = admitted(&mut door, work(1));
}

#[test]
fn clients_take_turns_however_much_one_of_them_asks() {
    let mut door = Admission::new(LIMITS);
    let permit = admitted(&mut door, work(0));
    let mut names = BTreeMap::new();
    for client in [1, 1, 1, 1, 2, 3, 3] {
        names.insert(queued(&mut door, work(client)), client);
    }
    assert_eq!(serve(&mut door, permit, &mut names), [1, 2, 3, 1, 3, 1, 1]);
}

#[test]
fn dear_work_saves_up_for_its_turn_and_gets_no_more_than_its_share() {
    let mut door = Admission::new(AdmissionLimits { quantum: 2, ..LIMITS });
    let permit = admitted(&mut door, work(0));
    let mut names = BTreeMap::new();
    for _ in 0..3 {
        names.insert(queued(&mut door, work(1).costing(5)), 'D');
    }
    for _ in 0..16 {
        names.insert(queued(&mut door, work(2)), 'c');
    }
    let order: String = serve(&mut door, permit, &mut names).into_iter().collect();
    // Deficits of D: 2, 4, 6 → 1, 3, 5 → 0, 2, 4, 6.
    assert_eq!(order, "ccccDccccDccccccDcc");
}

#[test]
fn who_saves_up_and_goes_begins_anew() {
    let mut door = Admission::new(AdmissionLimits { quantum: 2, ..LIMITS });
    let first = admitted(&mut door, work(0));
    let dear = queued(&mut door, work(1).costing(5));
    for _ in 0..6 {
        queued(&mut door, work(2));
    }
    door.finished(first, at(0));
    let (_, permit) = door.admit_next().expect("the cheap one, while the dear one saves up");
    door.give_up(dear);
    let mut names = BTreeMap::from([(queued(&mut door, work(1).costing(5)), 'D')]);
    let mut order = String::new();
    let mut out = permit;
    loop {
        door.finished(out, at(0));
        let Some((waiter, permit)) = door.admit_next() else { break };
        order.push(names.remove(&waiter).unwrap_or('c'));
        out = permit;
    }
    assert_eq!(order, "cccccD", "one client less would have come after three of them");
}

#[test]
fn who_gives_up_leaves_no_trace() {
    for_each_seed(500, |dice| {
        let limits = AdmissionLimits { queue_max: 50, client_max: 9, bytes_max: 500, ..LIMITS };
        let mut door = Admission::new(limits);
        let permit = admitted(&mut door, work(0));
        let mut waiting = Vec::new();
        for _ in 0..dice.below(80) {
            let cost = 1 + u32::try_from(dice.below(9)).expect("small");
            let priority = [Priority::Low, Priority::High][nth(dice, 2)];
            let wish = Wish::work(ClientId(dice.below(6)), priority, dice.below(20)).costing(cost);
            if let Verdict::Queued(waiter) = door.ask(wish, at(0)) {
                waiting.push(waiter);
            }
        }
        while !waiting.is_empty() {
            let waiter = waiting.swap_remove(nth(dice, waiting.len()));
            assert!(door.give_up(waiter).is_some());
            assert_eq!(door.give_up(waiter), None);
        }
        assert_eq!((door.waiting(), door.bytes()), (0, 1));
        door.finished(permit, at(0));
        assert_eq!(door.admit_next(), None);
        assert_eq!((door.in_use(), door.bytes()), (0, 0));
        // All places are there again, for one client as for all.
        let _permit = admitted(&mut door, work(3));
        for _ in 0..9 {
            queued(&mut door, work(3));
        }
    });
}

#[test]
fn one_client_cannot_fill_the_queue_for_all() {
    let mut door = Admission::new(AdmissionLimits { queue_max: 10, client_max: 3, ..LIMITS });
    let _permit = admitted(&mut door, work(1));
    for _ in 0..3 {
        queued(&mut door, work(1));
    }
    assert!(matches!(door.ask(work(1), at(0)), Verdict::Refused(Shut::Overloaded { .. })));
    queued(&mut door, work(2));
}

#[test]
fn a_drain_serves_who_waits_or_hands_it_back() {
    for draining in [Draining::Finish, Draining::HandBack] {
        let mut door = Admission::new(LIMITS);
        let permit = admitted(&mut door, work(1));
        let waiters = [queued(&mut door, work(1)), queued(&mut door, work(2))];
        let back: Vec<WaiterId> = door.drain(draining).into_iter().map(|(id, _)| id).collect();
        assert_eq!(door.ask(work(3), at(0)), Verdict::Refused(Shut::Draining));
        let _health = admitted(&mut door, Wish::vital(ClientId(3)));
        let mut names = BTreeMap::from(waiters.map(|waiter| (waiter, waiter)));
        assert!(!door.is_drained());
        let served = serve(&mut door, permit, &mut names);
        match draining {
            Draining::Finish => assert_eq!((back, served), (vec![], waiters.to_vec())),
            Draining::HandBack => assert_eq!((back, served), (waiters.to_vec(), vec![])),
        }
        assert!(door.is_drained());
    }
}

#[test]
fn priorities_are_the_numbers_of_the_requests() {
    let numbers = [0, 1, 2, 3, 4].map(Priority::from_number);
    let known = [Some(Priority::Low), Some(Priority::Middle), Some(Priority::High)];
    assert_eq!((numbers[0], numbers[4], &numbers[1..4]), (None, None, &known[..]));
    assert_eq!(Priority::default(), Priority::Low);
    assert!(Priority::Low < Priority::Middle && Priority::Middle < Priority::High);
}

#[test]
fn the_time_to_come_back_is_when_the_queue_will_be_gone() {
    for_each_seed(50, |dice| {
        let permits = 1 + u32::try_from(dice.below(8)).expect("small");
        let mut crowd = Crowd::new(AdmissionLimits { permits, queue_max: 40, ..LIMITS });
        let hold = 20 + dice.below(200);
        for client in 0..u64::from(permits) + 40 {
            crowd.arrive(client, Priority::Low);
        }
        let mut told = None;
        while !crowd.is_done() {
            crowd.step(|_| ms(hold));
            if told.is_none() && crowd.served == 40 {
                let start = crowd.served;
                for client in 0..40 {
                    crowd.arrive(client, Priority::Low);
                }
                let verdict = crowd.door.ask(work(99), crowd.now);
                let Verdict::Refused(Shut::Overloaded { retry_after }) = verdict else {
                    panic!("{verdict:?} after {start}")
                };
                told = Some((crowd.now, retry_after));
            }
        }
        let (asked, retry_after) = told.expect("the queue was full");
        // All that waited then have begun one hold before the end.
        let truth = (crowd.now - asked).saturating_sub(ms(hold));
        let ratio = retry_after.as_secs_f64() / truth.as_secs_f64();
        assert!((0.6..1.7).contains(&ratio), "told {retry_after:?}, it took {truth:?}");
    });
}

/// Callers on paper time.
struct Crowd {
    door: Admission,
    now: Instant,
    ends: BinaryHeap<Reverse<(Instant, usize)>>,
    running: Vec<Option<(u64, Permit)>>,
    waiting: BTreeMap<WaiterId, (u64, Instant)>,
    served: usize,
    waits: Vec<(u64, Duration)>,
    hold: Duration,
}

impl Crowd {
    fn new(limits: AdmissionLimits) -> Self {
        Self {
            door: Admission::new(limits),
            now: at(0),
            ends: BinaryHeap::new(),
            running: Vec::new(),
            waiting: BTreeMap::new(),
            served: 0,
            waits: Vec::new(),
            hold: ms(20),
        }
    }

    fn arrive(&mut self, client: u64, priority: Priority) {
        match self.door.ask(Wish::work(ClientId(client), priority, 1), self.now) {
            Verdict::Admitted(permit) => self.begin(client, permit, self.now),
            Verdict::Queued(waiter) => drop(self.waiting.insert(waiter, (client, self.now))),
            Verdict::Refused(_) => {}
        }
        assert!(self.door.in_use() <= 8 && self.door.waiting() == self.waiting.len());
    }

    fn begin(&mut self, client: u64, permit: Permit, since: Instant) {
        self.waits.push((client, self.now - since));
        self.ends.push(Reverse((self.now + self.hold, self.running.len())));
        self.running.push(Some((client, permit)));
    }

    /// Lets the next piece of work end, and whoever is next begin. Returns whose it was.
    fn step(&mut self, mut hold: impl FnMut(u64) -> Duration) -> u64 {
        let Reverse((end, nth)) = self.ends.pop().expect("something runs");
        self.now = end;
        let (client, permit) = self.running[nth].take().expect("it ends once");
        self.door.finished(permit, self.now);
        self.served += 1;
        while let Some((waiter, permit)) = self.door.admit_next() {
            let (next, since) = self.waiting.remove(&waiter).expect("it waits, and is served once");
            self.hold = hold(next);
            self.begin(next, permit, since);
        }
        assert!(self.ends.len() == self.door.in_use() as usize);
        client
    }

    fn is_done(&self) -> bool {
        self.ends.is_empty()
    }
}

fn mean_and_max(waits: &[(u64, Duration)]) -> (Duration, Duration) {
    let sum: Duration = waits.iter().map(|(_, wait)| *wait).sum();
    let count = u32::try_from(waits.len()).expect("fewer than four milliards");
    (sum / count, waits.iter().map(|(_, wait)| *wait).max().expect("some wait"))
}

#[test]
fn fifty_callers_on_five_permits_wait_alike() {
    for_each_seed(60, |dice| {
        let mut crowd = Crowd::new(AdmissionLimits { permits: 5, ..LIMITS });
        let mut any = Dice::seeded(dice.next_u64());
        for client in 0..50 {
            crowd.arrive(client, Priority::Low);
        }
        while crowd.now < at(4_000) {
            let client = crowd.step(|_| ms(1 + any.below(20)));
            crowd.arrive(client, Priority::Low); // whoever is served asks again at once
        }
        let (mean, max) = mean_and_max(&crowd.waits);
        assert!(max <= mean * 3, "the longest wait is {max:?}, the mean {mean:?}");
        let mut served = [0_u32; 50];
        for (client, _) in &crowd.waits {
            served[usize::try_from(*client).expect("small")] += 1;
        }
        let (least, most) = (served.iter().min(), served.iter().max());
        assert!(most.zip(least).is_some_and(|(most, least)| most - least <= 4), "{served:?}");
    });
}

#[test]
fn no_priority_starves_however_many_urgent_ones_come() {
    for_each_seed(200, |dice| {
        let mut crowd = Crowd::new(AdmissionLimits { permits: 2, ..LIMITS });
        for client in 0..20 {
            crowd.arrive(client, Priority::High);
        }
        for client in 20..30 {
            crowd.arrive(client, Priority::Low);
        }
        let mut low = 0;
        for _ in 0..600 {
            let hold = ms(1 + dice.below(10));
            let client = crowd.step(|_| hold);
            low += u32::from(client >= 20);
            crowd.arrive(client, if client < 20 { Priority::High } else { Priority::Low });
        }
        assert!((30..=38).contains(&low), "{low} of 600 were low, a share of 1 in 17");
    });
}
