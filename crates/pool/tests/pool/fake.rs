//! A connector that does as told: it connects, fails, hangs or dies, and counts what is open.

use assay_pool::{Connect, Pool, PoolTerms, ServiceId, Wish};
use assay_rules::Dice;
use std::{
    io,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::time::{Instant, sleep};

/// What the next attempts do.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Does {
    Connects,
    ConnectsAfter(Duration),
    Fails,
    Hangs,
    Panics,
}

#[derive(Clone, Debug)]
pub(crate) struct Fake {
    inside: Arc<Inside>,
}

#[derive(Debug)]
struct Inside {
    script: Mutex<Script>,
    /// Attempts and connections that are alive now, and the most that ever were.
    open: AtomicUsize,
    most: AtomicUsize,
    numbers: AtomicUsize,
}

#[derive(Debug)]
struct Script {
    connect: Does,
    is_alive: Does,
    close: Does,
    dice: Option<Dice>,
}

/// One that counts as open until it is dropped.
#[derive(Debug)]
pub(crate) struct Wire {
    inside: Arc<Inside>,
    pub(crate) number: usize,
}

impl Fake {
    pub(crate) fn new() -> Self {
        let script = Script {
            connect: Does::Connects,
            is_alive: Does::Connects,
            close: Does::Connects,
            dice: None,
        };
        let inside = Inside {
            script: Mutex::new(script),
            open: AtomicUsize::new(0),
            most: AtomicUsize::new(0),
            numbers: AtomicUsize::new(0),
        };
        Self { inside: Arc::new(inside) }
    }

    /// How many others hold this connector, connections aside.
    pub(crate) fn connectors(&self) -> usize {
        Arc::strong_count(&self.inside) - 1 - self.open()
    }

    /// From now on everything is by chance.
    pub(crate) fn by_chance(seed: u64) -> Self {
        let fake = Self::new();
        fake.script(|script| script.dice = Some(Dice::seeded(seed)));
        fake
    }

    pub(crate) fn connects(&self, does: Does) {
        self.script(|script| script.connect = does);
    }

    pub(crate) fn lives(&self, does: Does) {
        self.script(|script| script.is_alive = does);
    }

    pub(crate) fn closes(&self, does: Does) {
        self.script(|script| script.close = does);
    }

    pub(crate) fn open(&self) -> usize {
        self.inside.open.load(Ordering::SeqCst)
    }

    pub(crate) fn most(&self) -> usize {
        self.inside.most.load(Ordering::SeqCst)
    }

    pub(crate) fn attempts(&self) -> usize {
        self.inside.numbers.load(Ordering::SeqCst)
    }

    fn script<R>(&self, change: impl FnOnce(&mut Script) -> R) -> R {
        change(&mut self.inside.script.lock().expect("no test panics under it"))
    }

    fn next(&self, told: impl FnOnce(&Script) -> Does) -> Does {
        self.script(|script| {
            let told = told(script);
            let Some(dice) = &mut script.dice else { return told };
            match dice.below(10) {
                0 => Does::Fails,
                1 => Does::Hangs,
                2..=5 => Does::ConnectsAfter(Duration::from_millis(dice.below(900))),
                _ => Does::Connects,
            }
        })
    }

    async fn act(does: Does) -> bool {
        match does {
            Does::Connects => true,
            Does::ConnectsAfter(time) => {
                sleep(time).await;
                true
            }
            Does::Fails => false,
            Does::Hangs => std::future::pending().await,
            Does::Panics => panic!("as told"),
        }
    }
}

impl Connect for Fake {
    type Connection = Wire;
    type Error = io::Error;

    async fn connect(&self, _: &str) -> io::Result<Wire> {
        // A socket exists from the first moment of connecting.
        let number = self.inside.numbers.fetch_add(1, Ordering::SeqCst);
        let open = self.inside.open.fetch_add(1, Ordering::SeqCst) + 1;
        self.inside.most.fetch_max(open, Ordering::SeqCst);
        let wire = Wire { inside: Arc::clone(&self.inside), number };
        let does = self.next(|script| script.connect);
        if Self::act(does).await { Ok(wire) } else { Err(io::ErrorKind::ConnectionRefused.into()) }
    }

    async fn is_alive(&self, _: &mut Wire) -> bool {
        Self::act(self.next(|script| script.is_alive)).await
    }

    async fn close(&self, wire: Wire) {
        let _wire = wire;
        Self::act(self.next(|script| script.close)).await;
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.inside.open.fetch_sub(1, Ordering::SeqCst);
    }
}

/// A pool with one endpoint of one service.
pub(crate) fn pool_of(fake: &Fake, terms: PoolTerms) -> (Arc<Pool<Fake>>, ServiceId) {
    let pool = Pool::start(fake.clone(), terms, Dice::seeded(1));
    let service = pool.service("static");
    pool.add(service, assay_pool::EndpointTerms::local("a", 1_000));
    (Arc::new(pool), service)
}

pub(crate) fn within(service: ServiceId, time: Duration) -> Wish {
    Wish { service, deadline: Instant::now() + time, avoid: None }
}
