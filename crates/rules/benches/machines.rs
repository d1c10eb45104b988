//! Question: what does a call pay for being judged: a breaker's permit and its answer, a client's
//! token, a slot of an adaptive limit?
//! Expected: tens of nanoseconds each, whatever is configured, and no more for a full table or a
//! long window; a look-up by name costs what the standard hash map costs.
//!
//! `cargo bench -p assay-rules --bench machines`. Time is an argument, so that no clock is measured.

#![allow(clippy::disallowed_methods, reason = "a bench measures real time")]

use assay_rules::{
    Dice, Instant, Percent,
    breaker::{self, Breaker, Rates, Slow, Window},
    concurrency::{self, Limiter},
    rate_limit::{self, RateLimit},
    retry::{Budget, BudgetSettings},
};
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use std::{hint::black_box, num::NonZeroU32, time::Duration};

const MICRO: Duration = Duration::from_micros(1);

fn breakers(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("breaker");
    let minute = Window::Time(Duration::from_mins(1));
    for (name, window) in [
        ("row only", None),
        ("last 100 calls", Some(last(100))),
        ("last 65,536 calls", Some(last(65_536))),
        ("last minute", Some(minute)),
    ] {
        let settings = breaker::Settings { rates: window.map(rates), ..Default::default() };
        let mut breaker = Breaker::new(settings, Dice::seeded(1));
        let mut now = Instant::START;
        group.bench_function(format!("admit and answer, {name}"), |bencher| {
            bencher.iter(|| {
                now += MICRO;
                let admission = breaker.admit(now).expect("closed");
                black_box(breaker.answer(admission.permit, breaker::Answer::Success, now))
            });
        });
    }
    let mut open = Breaker::new(breaker::Settings::default(), Dice::seeded(1));
    for _ in 0..5 {
        let permit = open.admit(Instant::START).expect("closed").permit;
        open.answer(permit, breaker::Answer::Failure, Instant::START);
    }
    group.bench_function("refuse", |bencher| {
        bencher.iter(|| black_box(open.admit(black_box(Instant::START))));
    });
    group.bench_function("read", |bencher| {
        bencher.iter(|| black_box(open.reading(black_box(Instant::START))));
    });
}

fn rate_limits(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("rate limit");
    for clients in [1, 16_384] {
        let mut limit = RateLimit::<u64>::new(rate_limit::Settings::default());
        let (mut now, mut dice) = (Instant::START, Dice::seeded(1));
        for client in 0..clients {
            limit.admit(&client, now).expect("a new client");
        }
        group.bench_function(format!("one of {clients} known clients"), |bencher| {
            bencher.iter(|| {
                now += MICRO;
                black_box(limit.admit(&dice.below(clients), now))
            });
        });
    }
    let mut limit = RateLimit::<u64>::new(rate_limit::Settings::default());
    let (mut now, mut client) = (Instant::START, 0);
    group.bench_function("a newcomer for whom another is forgotten", |bencher| {
        bencher.iter(|| {
            now += MICRO * 20;
            client += 1;
            black_box(limit.admit(&client, now))
        });
    });
    let frozen = Instant::START;
    let debtors = || {
        let mut limit = RateLimit::<u64>::new(rate_limit::Settings::default());
        for client in (0..16_384).chain(0..16_384) {
            limit.admit(&client, frozen).expect("below the burst");
        }
        limit
    };
    group.bench_function("the worst newcomer: 16,384 notes are out of date", |bencher| {
        let ask = |mut limit: RateLimit<u64>| black_box(limit.admit(&u64::MAX, frozen)).is_err();
        bencher.iter_batched(debtors, ask, BatchSize::LargeInput);
    });
}

fn limiters(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("concurrency");
    let mut limiter = Limiter::new(concurrency::Settings::default());
    let mut now = Instant::START;
    group.bench_function("admit and answer, every answer ends a round", |bencher| {
        bencher.iter(|| {
            let slot = limiter.admit(now).expect("free");
            now += MICRO;
            black_box(limiter.answer(slot, concurrency::Answer::Success, now))
        });
    });
    let mut limiter = Limiter::new(concurrency::Settings::default());
    let slot = limiter.admit(Instant::START).expect("free");
    now = Instant::START + Duration::from_secs(1_000_000);
    limiter.answer(slot, concurrency::Answer::Success, now);
    group.bench_function("admit and answer within a round", |bencher| {
        bencher.iter(|| {
            let slot = limiter.admit(now).expect("free");
            black_box(limiter.answer(slot, concurrency::Answer::Success, now))
        });
    });
}

fn budgets(criterion: &mut Criterion) {
    let mut budget = Budget::new(BudgetSettings::default());
    criterion.bench_function("retry budget: a call with a retry", |bencher| {
        bencher.iter(|| {
            let call = budget.call_began();
            if let Ok(retry) = black_box(budget.retry()) {
                budget.retry_ended(retry);
            }
            budget.call_ended(call);
        });
    });
}

fn last(calls: u32) -> Window {
    Window::Calls(NonZeroU32::new(calls).expect("not 0"))
}

fn rates(window: Window) -> Rates {
    let slow = Some(Slow { at_least: Duration::from_secs(1), share: Percent::new(50) });
    Rates { failures: Some(Percent::new(50)), slow, ..Rates::over(window) }
}

criterion_group!(benches, breakers, rate_limits, limiters, budgets);
criterion_main!(benches);
