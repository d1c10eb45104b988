//! A request of one of 1,000 clients that are known, admitted.

use super::{Clock, Repeat, Step, repeat};
use assay_rules::{
    Instant,
    rate_limit::{RateLimit, Settings},
};
use governor::{
    Quota, RateLimiter,
    clock::{DefaultClock, FakeRelativeClock},
};
use std::{num::NonZeroU32, sync::Mutex, time::Duration};

const GIVEN: &str = "rate limit: a known client, time given";
const CLOCK: &str = "rate limit: a known client, shared, clock read";

pub(super) const STEPS: &[Step] = &[
    Step { what: GIVEN, of: "ours", make: ours },
    Step { what: GIVEN, of: "governor, hash map", make: governor_given },
    Step { what: CLOCK, of: "ours, mutex and clock", make: ours_shared },
    Step { what: CLOCK, of: "governor, hash map", make: governor_map },
    Step { what: CLOCK, of: "governor, dash map", make: governor_dash },
];

const CLIENTS: u64 = 1_000;

/// So much that nobody is ever refused.
const PER_SECOND: NonZeroU32 = NonZeroU32::new(1_000_000_000).expect("not 0");
const BURST: NonZeroU32 = NonZeroU32::MAX;

fn quota() -> Quota {
    Quota::per_second(PER_SECOND).allow_burst(BURST)
}

fn limit() -> RateLimit<u64> {
    RateLimit::new(Settings { per_second: PER_SECOND, burst: BURST, ..Settings::default() })
}

/// The clients, one after the other.
fn clients() -> impl FnMut() -> u64 {
    let mut client = 0;
    move || {
        client = (client + 1) % CLIENTS;
        client
    }
}

fn ours() -> Repeat {
    let (mut limit, mut client, mut now) = (limit(), clients(), Instant::START);
    repeat(move || {
        now += Duration::from_nanos(100);
        assert!(limit.admit(&client(), now).is_ok());
    })
}

fn ours_shared() -> Repeat {
    let (limit, mut client, clock) = (Mutex::new(limit()), clients(), Clock::start());
    repeat(move || {
        let admitted = limit.lock().expect("nobody panicked").admit(&client(), clock.now());
        assert!(admitted.is_ok());
    })
}

fn governor_given() -> Repeat {
    let clock = FakeRelativeClock::default();
    let limit = RateLimiter::hashmap_with_clock(quota(), clock.clone());
    let mut client = clients();
    repeat(move || {
        clock.advance(Duration::from_nanos(100));
        assert!(limit.check_key(&client()).is_ok());
    })
}

fn governor_map() -> Repeat {
    let limit = RateLimiter::hashmap_with_clock(quota(), DefaultClock::default());
    let mut client = clients();
    repeat(move || assert!(limit.check_key(&client()).is_ok()))
}

fn governor_dash() -> Repeat {
    let limit = RateLimiter::dashmap_with_clock(quota(), DefaultClock::default());
    let mut client = clients();
    repeat(move || assert!(limit.check_key(&client()).is_ok()))
}
