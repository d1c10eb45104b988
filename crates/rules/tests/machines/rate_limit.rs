//! The rate limit of clients.

mod against_model; // steps by proptest
mod simulation; // steps by seed

use assay_rules::{
    Instant,
    rate_limit::{Limited, LimitedReason, RateLimit, Settings},
};
use std::{num::NonZeroU32, time::Duration};

const SECOND: Duration = Duration::from_secs(1);
const NANO: Duration = Duration::from_nanos(1);
const START: Instant = Instant::START;

#[test]
fn a_client_has_its_burst_and_then_its_rate() {
    let mut limit = RateLimit::<String>::new(Settings::default());
    let now = START + SECOND;
    assert_eq!(admitted(&mut limit, "a", now, 1_000), 600);
    assert_eq!(limit.admit("a", now), Err(too_fast(Duration::from_millis(20))));
    assert_eq!(admitted(&mut limit, "b", now, 1_000), 600, "another client has its own");
    assert_eq!(admitted(&mut limit, "a", now + SECOND, 1_000), 50);
    assert_eq!(admitted(&mut limit, "a", now + SECOND * 1_000_000, 1_000), 600, "and no more");
}

#[test]
fn who_waits_as_told_is_admitted_and_not_a_nanosecond_earlier() {
    // Three a second: a token is 333,333,333 and a third of a nanosecond.
    let mut limit = RateLimit::<String>::new(of(3, 2, 9));
    let mut now = START;
    assert_eq!(admitted(&mut limit, "a", now, 9), 2);
    for _ in 0..3_000 {
        let wait = limit.admit("a", now).expect_err("just taken").retry_after;
        let early = now + wait.saturating_sub(NANO);
        assert_eq!(limit.admit("a", early), Err(too_fast(NANO)), "at {early:?}");
        now += wait;
        assert_eq!(limit.admit("a", now), Ok(()), "at {now:?}");
    }
    // Each wait is rounded up to a whole nanosecond; the thirds are not lost, so 3,000 tokens take
    // 1,000 seconds and nothing.
    assert_eq!(now, START + SECOND * 1_000);
}

#[test]
fn a_clock_that_steps_back_yields_nothing_twice() {
    let mut limit = RateLimit::<String>::new(of(10, 5, 9));
    let now = START + SECOND * 100;
    assert_eq!(admitted(&mut limit, "a", now, 9), 5);
    for _ in 0..50 {
        let back = limit.admit("a", START + SECOND).expect_err("nothing is yielded in the past");
        assert_eq!(back.retry_after, SECOND * 99 + SECOND / 10);
        assert_eq!(limit.admit("a", now), Err(too_fast(SECOND / 10)));
    }
}

#[test]
fn the_ends_of_the_clock_are_ordinary_times() {
    let most = u32::MAX;
    for (per_second, burst) in [(1, 1), (most, 1), (1, most), (most, most)] {
        let mut limit = RateLimit::<u64>::new(of(per_second, burst, 1));
        assert_eq!(limit.admit(&1, START), Ok(()));
        assert_eq!(limit.admit(&1, Instant::MAX), Ok(()), "{per_second}/s, burst {burst}");
        if burst == 1 {
            let refused = limit.admit(&1, Instant::MAX).expect_err("empty");
            assert!(refused.retry_after > Duration::ZERO);
            let full = limit.admit(&2, Instant::MAX).expect_err("the debtor is not forgotten");
            assert!(full.retry_after > Duration::ZERO);
            assert_eq!(full.reason, LimitedReason::TooManyClients);
        }
    }
}

#[test]
fn a_pause_whose_yield_is_beyond_all_numbers_fills_the_bucket() {
    // Each of these yields a multiple of 2⁶⁴ billionths: with lost carries, nothing.
    for (per_second, elapsed) in [(2, 1 << 63), (4, 1 << 62), (1 << 31, 1 << 33)] {
        let mut limit = RateLimit::<String>::new(of(per_second, 2, 1));
        assert_eq!(admitted(&mut limit, "a", START, 9), 2);
        let now = START + Duration::from_nanos(elapsed);
        assert_eq!(admitted(&mut limit, "a", now, 9), 2, "{per_second}/s after {elapsed} ns");
    }
}

#[test]
fn a_full_table_forgets_who_owes_nothing_and_never_a_debtor() {
    let mut limit = RateLimit::<String>::new(of(1, 3, 2));
    let at = |seconds| START + SECOND * seconds;
    assert_eq!(admitted(&mut limit, "debtor", at(0), 9), 3);
    assert_eq!(limit.admit("light", at(0)), Ok(()));
    // `light` is full at 1 s, `debtor` at 3 s.
    let refused = limit.admit("new", at(0)).expect_err("both owe");
    assert_eq!(refused, Limited { retry_after: SECOND, reason: LimitedReason::TooManyClients });
    assert_eq!(limit.admit("new", at(1)), Ok(()));
    assert_eq!(limit.clients(), 2);
    assert_eq!(admitted(&mut limit, "debtor", at(1), 9), 1, "what it was owed, and no new burst");
    // `light` was forgotten and lost nothing; it has to wait like any newcomer.
    let refused = limit.admit("light", at(1)).expect_err("both owe again");
    assert_eq!(refused.retry_after, SECOND);
    assert_eq!(limit.admit("light", at(2)), Ok(()));
}

#[test]
fn a_flood_of_names_costs_the_known_nothing() {
    let mut limit = RateLimit::<u64>::new(of(1, 10, 100));
    for name in 0..100 {
        assert_eq!(limit.admit(&name, START), Ok(()));
    }
    let refused = (100..10_000).filter(|name| limit.admit(name, START).is_err()).count();
    assert_eq!((refused, limit.clients()), (9_900, 100));
    for name in 0..100 {
        let more = (0..20).filter(|_| limit.admit(&name, START).is_ok()).count();
        assert_eq!(more, 9);
    }
}

fn of(per_second: u32, burst: u32, clients_max: u32) -> Settings {
    let count = |n| NonZeroU32::new(n).expect("not 0");
    let (per_second, burst) = (count(per_second), count(burst));
    Settings { per_second, burst, clients_max: count(clients_max) }
}

fn too_fast(retry_after: Duration) -> Limited {
    Limited { retry_after, reason: LimitedReason::TooFast }
}

/// How many of so many requests at one time are admitted.
fn admitted(limit: &mut RateLimit<String>, client: &str, now: Instant, asked: u32) -> u32 {
    (0..asked).map(|_| u32::from(limit.admit(client, now).is_ok())).sum()
}
