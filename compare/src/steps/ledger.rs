//! Single flight while 100,000 other keys are under way. The others' work is a future that is
//! polled once: they drive it, and ours only says that it shall begin.

use super::{Repeat, Step, repeat};
use assay_rules::{
    Instant,
    ledger::{Age, Ask, ClientId, Follow, Ledger, LedgerTerms, Msg, Order, RunEnd, Ticket},
};
use async_singleflight::Group;
use futures_util::{
    FutureExt,
    future::{self, BoxFuture},
};
use moka::future::Cache;
use std::{hint::black_box, sync::Arc, time::Duration};

const NEW: &str = "single flight: a new key from begin to end, 100,000 live";
const JOIN: &str = "single flight: join and leave, 100,000 live";

pub(super) const STEPS: &[Step] = &[
    Step { what: NEW, of: "ours", make: ours_new },
    Step { what: NEW, of: "async_singleflight", make: group_new },
    Step { what: NEW, of: "moka, then invalidate", make: moka_new },
    Step { what: JOIN, of: "ours", make: ours_join },
    Step { what: JOIN, of: "async_singleflight", make: group_join },
    Step { what: JOIN, of: "moka", make: moka_join },
];

const LIVE: u64 = 100_000;

struct Desk {
    ledger: Ledger<u64>,
    orders: Vec<Order<u64>>,
}

impl Desk {
    fn busy() -> Self {
        let ledger = Ledger::new(LedgerTerms::default());
        let mut desk = Self { ledger, orders: Vec::new() };
        (0..LIVE).for_each(|key| _ = desk.submit(key));
        desk
    }

    fn say(&mut self, msg: Msg<u64>) {
        self.ledger.on(msg, Instant::START, &mut self.orders);
    }

    fn submit(&mut self, key: u64) -> Ticket {
        self.orders.clear();
        let deadline = Instant::after_start(Duration::from_secs(3_600 + key % 600));
        let (follow, age) = (Follow::Wait, Age::Any);
        let client = ClientId(key);
        self.say(Msg::Submit(Ask { client, key, deadline, follow, age, seen: None }));
        let Some(&Order::Accept { ticket, .. }) = self.orders.first() else { panic!("refused") };
        ticket
    }
}

fn ours_new() -> Repeat {
    let (mut desk, mut key) = (Desk::busy(), LIVE);
    repeat(move || {
        key += 1;
        let run = desk.submit(key).run;
        desk.say(Msg::Ended { run, end: RunEnd::Done });
        black_box(desk.orders.len());
    })
}

fn ours_join() -> Repeat {
    let (mut desk, mut key) = (Desk::busy(), 0);
    repeat(move || {
        key = (key + 1) % LIVE;
        let ticket = desk.submit(key);
        desk.say(Msg::Leave { ticket });
        black_box(desk.orders.len());
    })
}

/// What is under way, and who keeps it so.
type Held = Vec<BoxFuture<'static, ()>>;

fn held(begin: impl Fn(u64) -> BoxFuture<'static, ()>) -> Held {
    let mut all: Held = (0..LIVE).map(begin).collect();
    all.iter_mut().for_each(|one| assert!(one.now_or_never().is_none()));
    all
}

type Flights = Arc<Group<u64, u64, ()>>;

fn group() -> (Flights, Held) {
    let flights = Flights::default();
    let held = held(|key| {
        let flights = Arc::clone(&flights);
        async move { _ = flights.work(&key, future::pending()).await }.boxed()
    });
    (flights, held)
}

fn group_new() -> Repeat {
    let ((flights, held), mut key) = (group(), LIVE);
    repeat(move || {
        key += 1;
        let done = flights.work(&key, future::ready(Ok(key))).now_or_never();
        assert!(done == Some(Ok(key)) && !held.is_empty());
    })
}

fn group_join() -> Repeat {
    let ((flights, held), mut key) = (group(), 0);
    repeat(move || {
        key = (key + 1) % LIVE;
        let joined = flights.work(&key, future::pending()).now_or_never();
        assert!(joined.is_none() && !held.is_empty());
    })
}

fn moka() -> (Cache<u64, u64>, Held) {
    let cache = Cache::new(2 * LIVE);
    let held = held(|key| {
        let cache = cache.clone();
        async move { _ = cache.get_with(key, future::pending()).await }.boxed()
    });
    (cache, held)
}

fn moka_new() -> Repeat {
    let ((cache, held), mut key) = (moka(), LIVE);
    repeat(move || {
        key += 1;
        let done = cache.get_with(key, future::ready(key)).now_or_never();
        assert!(done == Some(key) && !held.is_empty());
        assert!(cache.invalidate(&key).now_or_never().is_some());
    })
}

fn moka_join() -> Repeat {
    let ((cache, held), mut key) = (moka(), 0);
    repeat(move || {
        key = (key + 1) % LIVE;
        let joined = cache.get_with(key, future::pending()).now_or_never();
        assert!(joined.is_none() && !held.is_empty());
    })
}
