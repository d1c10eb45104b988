//! The retry budget and the back-off.

mod against_model; // steps by proptest, and by seed

use assay_rules::{
    Dice, Percent,
    retry::{Backoff, Budget, BudgetSettings, Call, Exhausted, Retry},
};
use std::time::Duration;

const MILLI: Duration = Duration::from_millis(1);

#[test]
fn fractions_of_a_retry_are_saved_up_and_none_is_cut_off() {
    // A share of 7 %: 14 calls earn 98 hundredths of a retry, the 15th makes it one.
    let share = Percent::new(7);
    let mut budget = Budget::new(BudgetSettings { share, at_once: 9, saved_max: 2 });
    let first = (budget.retry().expect("saved"), budget.retry().expect("saved"));
    let calls: Vec<Call> = (0..14).map(|_| budget.call_began()).collect();
    assert_eq!(budget.reading().saved_hundredths, 98);
    assert_eq!(budget.retry(), Err(Exhausted::Saved));
    let _last = budget.call_began();
    assert!(budget.retry().is_ok());
    assert_eq!(budget.reading().saved_hundredths, 5);
    assert_eq!((calls.len(), budget.reading().retries_in_flight), (14, 3));
    budget.retry_ended(first.0);
    assert_eq!(budget.reading().retries_in_flight, 2);
}

#[test]
fn a_fifth_of_the_calls_in_flight_may_be_retries() {
    let settings = BudgetSettings { at_once: 1, saved_max: 1_000, ..BudgetSettings::default() };
    let mut budget = Budget::new(settings);
    let mut calls: Vec<Call> = (0..24).map(|_| budget.call_began()).collect();
    let mut retries: Vec<Retry> = (0..4).map(|_| budget.retry().expect("of 24")).collect();
    assert_eq!(budget.retry(), Err(Exhausted::InFlight), "five are more than a fifth of 24");
    calls.push(budget.call_began());
    retries.push(budget.retry().expect("and a fifth of 25"));
    budget.retry_ended(retries.pop().expect("five"));
    budget.call_ended(calls.pop().expect("25"));
    assert_eq!(budget.retry(), Err(Exhausted::InFlight));
}

#[test]
fn a_few_are_allowed_however_few_calls_there_are_and_the_documented_share_holds() {
    let mut budget = Budget::new(BudgetSettings::default());
    let _call = budget.call_began();
    let retries: Vec<Retry> = (0..3).map(|_| budget.retry().expect("of the first three")).collect();
    assert_eq!(budget.retry(), Err(Exhausted::InFlight));
    for retry in retries {
        budget.retry_ended(retry);
    }
    let mut granted = 3;
    for _ in 0..10_000 {
        let call = budget.call_began();
        if let Ok(retry) = budget.retry() {
            granted += 1;
            budget.retry_ended(retry);
        }
        budget.call_ended(call);
    }
    // Ten saved at the start, and a fifth of all calls.
    assert_eq!(granted, 10 + 10_000 / 5);
}

#[test]
fn what_is_saved_is_bounded() {
    let mut budget = Budget::new(BudgetSettings { saved_max: 2, ..BudgetSettings::default() });
    for _ in 0..1_000 {
        let call = budget.call_began();
        budget.call_ended(call);
    }
    assert_eq!(budget.reading().saved_hundredths, 200);
    assert_eq!(budget.reading().calls_in_flight, 0);
}

#[test]
fn pauses_fill_a_span_that_doubles_up_to_the_cap() {
    let backoff = Backoff { base: MILLI, cap: MILLI * 10 };
    for (retries_before, millis) in
        [(0, 1), (1, 2), (2, 4), (3, 8), (4, 10), (63, 10), (64, 10), (u32::MAX, 10)]
    {
        let span = MILLI * millis;
        let mut dice = Dice::seeded(u64::from(retries_before));
        let pauses: Vec<Duration> =
            (0..2_000).map(|_| backoff.pause(retries_before, None, &mut dice)).collect();
        let (least, most) = (pauses.iter().min(), pauses.iter().max());
        let (least, most) = (*least.expect("2,000"), *most.expect("2,000"));
        assert!(least < span / 50, "full jitter begins at nothing: {least:?} of {span:?}");
        assert!(most <= span && span * 49 / 50 < most, "and ends at the span: {most:?}");
    }
}

#[test]
fn a_servers_retry_after_wins_and_those_who_were_told_the_same_are_spread() {
    let backoff = Backoff::default();
    let mut dice = Dice::seeded(1);
    for asked in [Duration::ZERO, MILLI, Duration::from_hours(5)] {
        let pauses: Vec<Duration> =
            (0..200).map(|_| backoff.pause(9, Some(asked), &mut dice)).collect();
        assert!(pauses.iter().all(|pause| asked <= *pause && *pause <= asked + backoff.base));
        assert!(pauses.iter().any(|pause| *pause > asked + backoff.base / 2));
    }
    assert_eq!(backoff.pause(0, Some(Duration::MAX), &mut dice), Duration::MAX);
}

#[test]
fn extreme_spans_are_spans() {
    let mut dice = Dice::seeded(1);
    let none = Backoff { base: Duration::ZERO, cap: Duration::MAX };
    assert_eq!(none.pause(70, None, &mut dice), Duration::ZERO);
    let endless = Backoff { base: Duration::MAX, cap: Duration::MAX };
    assert!(endless.pause(3, None, &mut dice) > Duration::from_hours(24));
}
