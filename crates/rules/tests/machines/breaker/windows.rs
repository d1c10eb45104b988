//! Rates over windows that slide.

use assay_rules::{
    Dice, Instant, Percent,
    breaker::{Answer, Breaker, Cause, Circuit, Rates, Settings, Slow, Tally, Transition, Window},
};
use std::{num::NonZeroU32, time::Duration};

const SECOND: Duration = Duration::from_secs(1);
const START: Instant = Instant::START;

#[test]
fn a_failure_rate_opens_at_its_threshold_and_not_before_there_are_enough_calls() {
    let mut breaker = half_may_fail(last(10), 4);
    assert_eq!(call(&mut breaker, Answer::Failure, START), None);
    assert_eq!(call(&mut breaker, Answer::Success, START), None);
    assert_eq!(call(&mut breaker, Answer::Failure, START), None, "too few to judge");
    // The success makes the number full: two of four have failed.
    let opened = call(&mut breaker, Answer::Success, START).expect("half of them failed");
    assert_eq!(opened.cause, Cause::FailureRate(Tally { calls: 4, failed: 2, slow: 0 }));
}

#[test]
fn overloads_count_in_the_rate_and_ignored_calls_do_not() {
    let mut breaker = half_may_fail(last(10), 4);
    for answer in [Answer::Ignored, Answer::Abandoned, Answer::Success, Answer::Success] {
        assert_eq!(call(&mut breaker, answer, START), None);
    }
    assert_eq!(breaker.reading(START).recent.calls, 2);
    let overload = Answer::Overload { retry_after: Some(SECOND * 90) };
    assert_eq!(call(&mut breaker, overload, START), None);
    let opened = call(&mut breaker, overload, START).expect("two of four");
    assert_eq!(opened.to, Circuit::Open { until: START + SECOND * 90 });
}

#[test]
fn a_window_of_calls_forgets_the_oldest_with_every_call() {
    let mut breaker = half_may_fail(last(4), 4);
    for answer in [Answer::Failure, Answer::Success, Answer::Success, Answer::Success] {
        assert_eq!(call(&mut breaker, answer, START), None);
    }
    // Each failure pushes an old call out: F S S S, S S S F, S S F S, S F S F.
    assert_eq!(call(&mut breaker, Answer::Failure, START), None);
    assert_eq!(breaker.reading(START).recent, Tally { calls: 4, failed: 1, slow: 0 });
    assert_eq!(call(&mut breaker, Answer::Success, START), None);
    assert!(call(&mut breaker, Answer::Failure, START).is_some());
}

#[test]
fn a_window_of_time_forgets_step_by_step() {
    let mut breaker = half_may_fail(Window::Time(SECOND * 64), 100);
    for second in 0..64 {
        call(&mut breaker, Answer::Success, START + SECOND * second);
    }
    let calls_at = |second| breaker.reading(START + SECOND * second).recent.calls;
    let seen = [63, 64, 65, 100, 126, 127, 10_000_000].map(calls_at);
    assert_eq!(seen, [64, 63, 62, 27, 1, 0, 0]);
    // Reading did not move it: the next call does.
    call(&mut breaker, Answer::Success, START + SECOND * 70);
    assert_eq!(breaker.reading(START + SECOND * 70).recent.calls, 58);
    call(&mut breaker, Answer::Success, START + SECOND * 10_000_000);
    assert_eq!(breaker.reading(START + SECOND * 10_000_000).recent.calls, 1);
}

#[test]
fn a_clock_that_steps_back_adds_to_the_newest_calls() {
    let mut breaker = half_may_fail(Window::Time(SECOND * 64), 100);
    call(&mut breaker, Answer::Success, START + SECOND * 100);
    call(&mut breaker, Answer::Failure, START + SECOND);
    assert_eq!(breaker.reading(START).recent, Tally { calls: 2, failed: 1, slow: 0 });
    assert_eq!(breaker.reading(START + SECOND * 163).recent.calls, 2);
    assert_eq!(breaker.reading(START + SECOND * 164).recent.calls, 0);
}

#[test]
fn windows_live_through_the_ends_of_the_clock() {
    for window in [Window::Time(Duration::ZERO), Window::Time(Duration::MAX), last(u32::MAX)] {
        let mut breaker = half_may_fail(window, 3);
        for now in [Instant::MAX, START, Instant::MAX] {
            call(&mut breaker, Answer::Success, now);
        }
        assert_eq!(breaker.reading(Instant::MAX).recent.calls, 3, "{window:?}");
    }
}

#[test]
fn slow_calls_open_whether_they_succeed_or_fail() {
    let mut breaker = half_may_be_slow();
    for (answer, took, opens) in [
        (Answer::Success, SECOND, false),
        (Answer::Success, SECOND.saturating_sub(Duration::from_nanos(1)), false),
        (Answer::Success, Duration::ZERO, false),
        (Answer::Failure, SECOND * 5, true),
    ] {
        let permit = breaker.admit(START).expect("closed").permit;
        let opened = breaker.answer(permit, answer, START + took);
        assert_eq!(opened.is_some(), opens, "{answer:?} after {took:?}");
        if let Some(opened) = opened {
            let tally = Tally { calls: 4, failed: 1, slow: 2 };
            assert_eq!(opened.cause, Cause::SlowRate(tally));
        }
    }
}

#[test]
fn a_call_leaves_the_window_as_what_it_came() {
    let slow = Some(Slow { at_least: SECOND, share: Percent::new(100) });
    for (answer, took) in [
        (Answer::Success, SECOND),
        (Answer::Failure, SECOND),
        (Answer::Failure, Duration::ZERO),
        (Answer::Success, Duration::ZERO),
    ] {
        let minimum_calls = NonZeroU32::new(3).expect("not 0");
        let mut breaker = judging(Rates { minimum_calls, slow, ..Rates::over(last(3)) });
        let permit = breaker.admit(START).expect("closed").permit;
        breaker.answer(permit, answer, START + took);
        let failed = u64::from(answer == Answer::Failure);
        let came = Tally { calls: 1, failed, slow: u64::from(took == SECOND) };
        assert_eq!(breaker.reading(START).recent, came);
        for _ in 0..3 {
            call(&mut breaker, Answer::Success, START);
        }
        let rest = Tally { calls: 3, failed: 0, slow: 0 };
        assert_eq!(breaker.reading(START).recent, rest, "{answer:?} after {took:?}");
    }
}

#[test]
fn a_trial_that_is_slow_fails_where_slow_calls_are_judged() {
    for (mut breaker, slow_fails) in
        [(half_may_be_slow(), true), (half_may_fail(last(9), 9), false)]
    {
        for _ in 0..5 {
            call(&mut breaker, Answer::Failure, START);
        }
        let now = START + SECOND * 60;
        let trial = breaker.admit(now).expect("half-open").permit;
        let cause = breaker.answer(trial, Answer::Success, now + SECOND * 2).map(|t| t.cause);
        assert_eq!(cause, slow_fails.then_some(Cause::TrialWasSlow));
    }
}

#[test]
fn more_calls_than_the_window_holds_are_never_waited_for() {
    let mut breaker = half_may_fail(last(3), 50);
    call(&mut breaker, Answer::Success, START);
    call(&mut breaker, Answer::Failure, START);
    assert!(call(&mut breaker, Answer::Failure, START).is_some());
}

#[test]
fn after_closing_the_window_is_empty() {
    let mut breaker = half_may_fail(last(4), 2);
    call(&mut breaker, Answer::Failure, START);
    call(&mut breaker, Answer::Failure, START).expect("opened");
    let now = START + SECOND * 60;
    for _ in 0..3 {
        call(&mut breaker, Answer::Success, now);
    }
    assert_eq!(breaker.circuit(now), Circuit::Closed);
    assert_eq!(breaker.reading(now).recent, Tally::default());
    assert_eq!(call(&mut breaker, Answer::Failure, now), None, "one call is not enough");
}

fn last(calls: u32) -> Window {
    Window::Calls(NonZeroU32::new(calls).expect("not 0"))
}

fn half_may_fail(window: Window, minimum_calls: u32) -> Breaker {
    let minimum_calls = NonZeroU32::new(minimum_calls).expect("not 0");
    let failures = Some(Percent::new(50));
    judging(Rates { minimum_calls, failures, ..Rates::over(window) })
}

fn half_may_be_slow() -> Breaker {
    let slow = Some(Slow { at_least: SECOND, share: Percent::new(50) });
    let minimum_calls = NonZeroU32::new(4).expect("not 0");
    judging(Rates { minimum_calls, slow, ..Rates::over(last(10)) })
}

fn judging(rates: Rates) -> Breaker {
    Breaker::new(Settings { rates: Some(rates), ..Settings::default() }, Dice::seeded(1))
}

#[track_caller]
fn call(breaker: &mut Breaker, answer: Answer, now: Instant) -> Option<Transition> {
    let permit = breaker.admit(now).expect("admitted").permit;
    breaker.answer(permit, answer, now)
}
