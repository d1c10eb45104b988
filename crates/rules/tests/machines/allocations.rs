//! What is on the way of every call allocates nothing, also when the circuit opens and closes.

use allocation_counter::measure;
use assay_rules::{
    Dice, Instant, Percent,
    breaker::{self, Breaker, Mode, Rates, Slow, Window},
    concurrency::{self, Limiter},
    rate_limit::{RateLimit, Settings},
    retry::{Backoff, Budget, BudgetSettings},
};
use std::{num::NonZeroU32, time::Duration};

const MILLI: Duration = Duration::from_millis(1);

#[test]
fn a_breaker_allocates_only_when_it_is_made() {
    let calls = Window::Calls(NonZeroU32::new(50).expect("not 0"));
    for window in [calls, Window::Time(Duration::from_secs(1))] {
        let slow = Some(Slow { at_least: MILLI, share: Percent::new(60) });
        let rates = Rates { failures: Some(Percent::new(60)), slow, ..Rates::over(window) };
        let settings = breaker::Settings { rates: Some(rates), ..Default::default() };
        let made = measure(|| drop(Breaker::new(settings, Dice::seeded(1))));
        assert!(made.count_total > 0, "the counter counts");

        let mut breaker = Breaker::new(settings, Dice::seeded(1));
        let (mut dice, mut now, mut transitions) = (Dice::seeded(2), Instant::START, 0);
        let used = measure(|| {
            for number in 0..10_000_u32 {
                now += MILLI * u32::try_from(dice.below(2_000)).expect("small");
                let answer = match dice.below(3) {
                    0 => breaker::Answer::Failure,
                    1 => breaker::Answer::Overload { retry_after: Some(MILLI) },
                    _ => breaker::Answer::Success,
                };
                if let Ok(admission) = breaker.admit(now) {
                    transitions += u32::from(admission.transition.is_some());
                    transitions +=
                        u32::from(breaker.answer(admission.permit, answer, now).is_some());
                }
                let mode = if number % 100 == 0 { Mode::Off } else { Mode::Normal };
                breaker.set_mode(mode, now);
                breaker.reading(now);
            }
        });
        assert!(transitions > 20, "{transitions}: it has been through all states");
        assert_eq!(used.count_total, 0);
    }
}

#[test]
fn a_known_client_allocates_nothing() {
    let mut limit = RateLimit::<String>::new(Settings::default());
    limit.admit("a client with a long name that lies on the heap", Instant::START).expect("new");
    let (mut now, mut refused) = (Instant::START, 0);
    let used = measure(|| {
        for _ in 0..10_000 {
            now += MILLI;
            let said = limit.admit("a client with a long name that lies on the heap", now);
            refused += u32::from(said.is_err());
        }
    });
    assert!(refused > 1_000, "{refused}: both answers were given");
    assert_eq!(used.count_total, 0);
}

#[test]
fn limiter_budget_and_back_off_allocate_nothing() {
    let used = measure(|| {
        let mut limiter = Limiter::new(concurrency::Settings::default());
        let mut budget = Budget::new(BudgetSettings::default());
        let (mut dice, mut now) = (Dice::seeded(1), Instant::START);
        for _ in 0..10_000 {
            let call = budget.call_began();
            let slot = limiter.admit(now).expect("one at a time");
            now += Backoff::default().pause(3, None, &mut dice);
            limiter.answer(slot, concurrency::Answer::Success, now);
            if let Ok(retry) = budget.retry() {
                budget.retry_ended(retry);
            }
            budget.call_ended(call);
        }
    });
    assert_eq!(used.count_total, 0);
}
