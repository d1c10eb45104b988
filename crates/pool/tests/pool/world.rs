//! The machine by itself: any messages in any order, all invariants after every step.

use crate::seeds::{at, each, one_of};
use assay_pool::{
    EndpointId, EndpointTerms, PoolTerms, ServiceId, Stats,
    machine::{After, ConnectionId, Fate, Grant, Machine, Order, Refusal, WaiterId},
};
use assay_rules::{
    Dice, Instant,
    balance::Zone,
    breaker::{Answer, Mode, Settings},
};
use std::{
    collections::{BTreeMap, HashMap, HashSet},
    num::NonZeroU32,
    time::Duration,
};

const STEPS: usize = 80;

/// What the world holds that the machine has given out.
struct World {
    machine: Machine,
    now: Instant,
    cap: usize,
    queue_max: usize,
    services: Vec<ServiceId>,
    /// Replicas with their service and slots, and whether they were drained.
    endpoints: Vec<(EndpointId, ServiceId, u32)>,
    drained: HashSet<EndpointId>,
    waiting: BTreeMap<WaiterId, ServiceId>,
    /// Leases: whose, and whether they stand.
    leases: HashMap<ConnectionId, (EndpointId, bool)>,
    idle: HashMap<ConnectionId, EndpointId>,
    closing: HashSet<ConnectionId>,
    answers: u64,
    grants: u64,
    is_shut_down: bool,
}

impl World {
    fn new(dice: &mut Dice) -> Self {
        let (cap, queue_max) = (1 + at(dice, 5), at(dice, 8));
        let breaker = Settings {
            failure_threshold: one_of(dice, &[1, 3].map(|n| NonZeroU32::new(n).expect("not 0"))),
            trial_lease: Duration::from_secs(one_of(dice, &[5, 600])),
            ..Settings::default()
        };
        let terms = PoolTerms {
            max_connections: NonZeroU32::new(cap.try_into().expect("few")).expect("at least 1"),
            queue_max,
            max_lifetime: Duration::from_secs(one_of(dice, &[20, 3_600])),
            breaker,
            ..PoolTerms::default()
        };
        let mut machine = Machine::new(terms, Dice::seeded(dice.next_u64()));
        let services: Vec<_> = ["static", "dynamic"].map(|name| machine.service(name)).into();
        let mut endpoints = Vec::new();
        for nth in 0..=at(dice, 4) {
            let service = one_of(dice, &services);
            let slots = one_of(dice, &[1, 2, 100]);
            let zone = Zone(one_of(dice, &[0, 1]));
            let terms = EndpointTerms { address: nth.to_string().into(), zone, slots, weight: 1 };
            endpoints.push((machine.add(service, terms, Instant::START), service, slots));
        }
        Self {
            machine,
            now: Instant::START,
            cap,
            queue_max,
            services,
            endpoints,
            drained: HashSet::new(),
            waiting: BTreeMap::new(),
            leases: HashMap::new(),
            idle: HashMap::new(),
            closing: HashSet::new(),
            answers: 0,
            grants: 0,
            is_shut_down: false,
        }
    }

    fn any_message(&mut self, dice: &mut Dice) {
        match dice.below(20) {
            0..=6 => self.ask(dice),
            7..=11 => self.end(dice),
            12 | 13 => self.give_up(dice),
            14 | 15 => self.close(dice),
            16 => self.reconnect(dice),
            17 => self.pass(dice),
            _ => self.rare(dice),
        }
        self.obey();
        self.check();
    }

    fn ask(&mut self, dice: &mut Dice) {
        let service = one_of(dice, &self.services);
        let avoid = (dice.below(4) == 0).then(|| one_of(dice, &self.endpoints).0);
        let avoid = avoid.filter(|id| self.service_of(*id) == service);
        let waiter = self.machine.ask(service, avoid, self.now);
        self.waiting.insert(waiter, service);
    }

    fn end(&mut self, dice: &mut Dice) {
        let Some(id) = any(dice, self.leases.keys()) else { return };
        let (endpoint, stands) = self.leases[&id];
        if !stands && dice.below(3) > 0 {
            self.machine.connected(id);
            self.leases.insert(id, (endpoint, true));
            return;
        }
        let overload = Answer::Overload { retry_after: Some(Duration::from_secs(7)) };
        let answers = [
            Answer::Success,
            Answer::Success,
            Answer::Failure,
            overload,
            Answer::Ignored,
            Answer::Abandoned,
        ];
        let after = if stands { one_of(dice, &[After::Keep, After::Close]) } else { After::Close };
        self.leases.remove(&id);
        self.answers += 1;
        // The order that follows may close it, or hand it out again.
        match self.machine.end(id, one_of(dice, &answers), after, self.now) {
            Fate::Held => drop(self.idle.insert(id, endpoint)),
            Fate::Gone => assert_eq!(after, After::Close),
        }
    }

    fn give_up(&mut self, dice: &mut Dice) {
        let Some(waiter) = any(dice, self.waiting.keys()) else { return };
        assert!(self.machine.give_up(waiter), "who waits can leave");
        assert!(!self.machine.give_up(waiter), "and is gone then");
        self.waiting.remove(&waiter);
    }

    fn close(&mut self, dice: &mut Dice) {
        let Some(id) = any(dice, self.closing.iter()) else { return };
        self.closing.remove(&id);
        self.machine.closed(id, self.now);
    }

    fn reconnect(&mut self, dice: &mut Dice) {
        let Some(id) = any(dice, self.leases.keys()) else { return };
        let (endpoint, _) = self.leases.remove(&id).expect("thrown from it");
        let fresh = self.machine.reconnect(id, self.now).expect("it is leased");
        self.leases.insert(fresh, (endpoint, false));
    }

    fn pass(&mut self, dice: &mut Dice) {
        self.now += Duration::from_millis(one_of(dice, &[0, 1, 400, 600, 9_000, 61_000, 301_000]));
        if self.machine.wake_at() <= self.now {
            self.machine.sweep(self.now);
            assert!(self.now < self.machine.wake_at(), "a sweep asks for the next one at once");
        }
    }

    fn rare(&mut self, dice: &mut Dice) {
        let endpoint = one_of(dice, &self.endpoints).0;
        match dice.below(24) {
            0 => {
                self.machine.drain(endpoint, self.now);
                self.drained.insert(endpoint);
            }
            23 => {
                self.machine.resume(endpoint, self.now);
                self.drained.remove(&endpoint);
            }
            1 => {
                self.machine.shut_down();
                self.is_shut_down = true;
            }
            2..=5 => {
                let modes = [Mode::Normal, Mode::ForcedOpen, Mode::Off, Mode::WatchOnly];
                self.machine.set_mode(endpoint, one_of(dice, &modes), self.now);
            }
            6 => self.machine.deduplicated(1),
            // Nobody holds these any more: nothing may change.
            _ => {
                let before = self.machine.stats(self.now);
                for id in self.idle.keys().chain(&self.closing) {
                    self.machine.connected(*id);
                    self.machine.end(*id, Answer::Failure, After::Close, self.now);
                    assert_eq!(self.machine.reconnect(*id, self.now), None);
                }
                assert_eq!(self.machine.stats(self.now), before);
            }
        }
    }

    fn obey(&mut self) {
        let mut granted_before: HashMap<ServiceId, WaiterId> = HashMap::new();
        while let Some(order) = self.machine.next_order() {
            match order {
                Order::Grant { waiter, connection, endpoint, how } => {
                    let service = self.waiting.remove(&waiter).expect("served once, while waiting");
                    assert_eq!(self.service_of(endpoint), service);
                    assert!(!self.drained.contains(&endpoint), "a drained one is called");
                    let before = granted_before.insert(service, waiter);
                    assert!(before.is_none_or(|before| before < waiter), "out of order");
                    let older = self.waiting.iter().find(|(_, other)| **other == service);
                    assert!(older.is_none_or(|(older, _)| waiter < *older), "{older:?} was first");
                    self.granted(connection, endpoint, how);
                }
                Order::Refuse { waiter, refusal } => {
                    let service =
                        self.waiting.remove(&waiter).expect("refused once, while waiting");
                    if let Refusal::Overloaded { waiting, .. } = refusal {
                        assert_eq!(waiting, self.queue_max);
                    }
                    let has_one = |(id, of, _): &(EndpointId, ServiceId, u32)| {
                        *of == service && !self.drained.contains(id)
                    };
                    let is_there = self.endpoints.iter().any(has_one);
                    assert_eq!(refusal == Refusal::NoEndpoint, !is_there && !self.is_shut_down);
                }
                Order::Close { connection } => {
                    self.idle.remove(&connection).expect("only an idle one is closed");
                    self.closing.insert(connection);
                }
            }
        }
    }

    fn granted(&mut self, id: ConnectionId, endpoint: EndpointId, how: Grant) {
        self.grants += 1;
        let stands = match how {
            Grant::Reuse { .. } => {
                assert_eq!(self.idle.remove(&id), Some(endpoint), "another one's connection");
                true
            }
            Grant::Connect { evicted } => {
                if let Some(old) = evicted {
                    self.idle.remove(&old).expect("only an idle one is evicted");
                }
                false
            }
        };
        assert_eq!(self.leases.insert(id, (endpoint, stands)), None, "held by two");
    }

    fn check(&self) {
        let stats = self.machine.stats(self.now);
        let standing = self.leases.values().filter(|(_, stands)| *stands).count();
        assert_eq!((stats.active, stats.connecting), (standing, self.leases.len() - standing));
        assert_eq!((stats.idle, stats.closing), (self.idle.len(), self.closing.len()));
        assert_eq!(stats.waiting, self.waiting.len());
        assert_eq!(stats.opened - stats.closed, stats.open() as u64);
        assert!(stats.open() <= self.cap, "{} of {} open", stats.open(), self.cap);
        let ended = stats.granted + stats.refused + stats.gave_up;
        assert_eq!(stats.asked, ended + stats.waiting as u64);
        assert_eq!(stats.granted, self.answers + self.leases.len() as u64, "answered once each");
        assert_eq!((stats.granted, stats.waits.count), (self.grants, self.grants));
        assert!(stats.waiting <= self.queue_max);
        for (id, _, slots) in &self.endpoints {
            assert!(self.out_at(*id) <= *slots as usize, "more leases than slots");
        }
        for service in self.waiting.values() {
            self.check_stuck(*service, &stats);
        }
    }

    /// No lost wake-up: who waits waits for a permit, or for a slot.
    fn check_stuck(&self, service: ServiceId, stats: &Stats) {
        let has_permit = self.leases.len() + self.closing.len() < self.cap;
        let is_full = |id: EndpointId, slots: u32| self.out_at(id) >= slots as usize;
        let admits = |nth: usize| {
            let reading = stats.breakers[nth].reading;
            reading.circuit == assay_rules::breaker::Circuit::Closed
        };
        let room = self.endpoints.iter().enumerate().any(|(nth, (id, of, slots))| {
            *of == service && !self.drained.contains(id) && admits(nth) && !is_full(*id, *slots)
        });
        assert!(!(has_permit && room), "somebody waits though he could be served");
    }

    fn out_at(&self, id: EndpointId) -> usize {
        self.leases.values().filter(|(of, _)| *of == id).count()
    }

    fn service_of(&self, id: EndpointId) -> ServiceId {
        self.endpoints.iter().find(|(other, ..)| *other == id).expect("it was added").1
    }

    /// All who hold something let go; then nothing is left.
    fn finish(&mut self) {
        self.machine.shut_down();
        self.is_shut_down = true;
        self.obey();
        while let Some(id) = self.leases.keys().next().copied() {
            self.leases.remove(&id);
            self.answers += 1;
            self.machine.end(id, Answer::Abandoned, After::Close, self.now);
        }
        for id in std::mem::take(&mut self.closing) {
            self.machine.closed(id, self.now);
        }
        self.obey();
        self.check();
        assert_eq!(self.machine.open_connections(), 0);
    }
}

fn any<T: Copy + Ord>(
    dice: &mut Dice,
    from: impl Iterator<Item = impl std::borrow::Borrow<T>>,
) -> Option<T> {
    let mut all: Vec<T> = from.map(|one| *one.borrow()).collect();
    all.sort_unstable();
    (!all.is_empty()).then(|| one_of(dice, &all))
}

#[test]
fn any_messages_in_any_order_keep_every_invariant() {
    each("any_messages_in_any_order", 2_000, |dice| {
        let mut world = World::new(dice);
        for _ in 0..STEPS {
            world.any_message(dice);
        }
        world.finish();
    });
}
