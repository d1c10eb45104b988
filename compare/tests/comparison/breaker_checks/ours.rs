//! Ours, on paper time.

use assay_rules::{
    Dice, Instant, Percent,
    breaker::{
        Admission, Answer, Breaker, Circuit, Permit, Rates, RefusalReason, Settings, Slow, Window,
    },
};
use std::{num::NonZeroU32, time::Duration};

const TEN: NonZeroU32 = NonZeroU32::new(10).unwrap();
const NEVER: NonZeroU32 = NonZeroU32::MAX;
const MINUTE: Duration = Duration::from_mins(1);

fn at(s: u64) -> Instant {
    Instant::after_start(Duration::from_secs(s))
}

fn breaker(settings: Settings) -> Breaker {
    Breaker::new(settings, Dice::seeded(1))
}

fn by_rates(window: Window) -> Rates {
    Rates { minimum_calls: TEN, ..Rates::over(window) }
}

fn permit(breaker: &mut Breaker, now: Instant) -> Option<Permit> {
    let Admission { permit, .. } = breaker.admit(now).ok()?;
    Some(permit)
}

fn call(breaker: &mut Breaker, answer: Answer, now: Instant) {
    if let Some(permit) = permit(breaker, now) {
        breaker.answer(permit, answer, now);
    }
}

fn is_open(breaker: &Breaker, now: Instant) -> bool {
    matches!(breaker.circuit(now), Circuit::Open { .. })
}

/// An open one, and an instant at which its open time is over.
fn tripped() -> (Breaker, Instant) {
    let mut breaker = breaker(Settings::default());
    (0..5).for_each(|_| call(&mut breaker, Answer::Failure, at(0)));
    let Circuit::Open { until } = breaker.circuit(at(0)) else { panic!("five failures open it") };
    (breaker, until)
}

pub fn window_of_calls_slides() -> bool {
    let rates = Rates { failures: Some(Percent::new(100)), ..by_rates(Window::Calls(TEN)) };
    let settings = Settings { failure_threshold: NEVER, rates: Some(rates), ..Settings::default() };
    let mut breaker = breaker(settings);
    (0..1_000).for_each(|_| call(&mut breaker, Answer::Success, at(0)));
    (0..10).for_each(|_| call(&mut breaker, Answer::Failure, at(0)));
    is_open(&breaker, at(0))
}

pub fn window_of_time_slides() -> bool {
    let rates = Rates { failures: Some(Percent::new(20)), ..by_rates(Window::Time(MINUTE)) };
    let settings = Settings { failure_threshold: NEVER, rates: Some(rates), ..Settings::default() };
    let opens_at = |later: u64| {
        let mut breaker = breaker(settings);
        (0..9).for_each(|_| call(&mut breaker, Answer::Failure, at(0)));
        (0..9).for_each(|_| call(&mut breaker, Answer::Success, at(later)));
        call(&mut breaker, Answer::Failure, at(later));
        is_open(&breaker, at(later))
    };
    opens_at(1) && !opens_at(61)
}

pub fn slow_calls_open() -> bool {
    let slow = Slow { at_least: Duration::from_secs(1), share: Percent::new(50) };
    let rates = Rates { slow: Some(slow), ..by_rates(Window::Calls(TEN)) };
    let mut breaker = breaker(Settings { rates: Some(rates), ..Settings::default() });
    for nth in 0..10 {
        let Some(permit) = permit(&mut breaker, at(nth)) else { return false };
        breaker.answer(permit, Answer::Success, at(nth + 1));
    }
    is_open(&breaker, at(10))
}

pub fn ignored_counts_for_nothing() -> bool {
    let mut breaker = breaker(Settings::default());
    (0..4).for_each(|_| call(&mut breaker, Answer::Failure, at(0)));
    call(&mut breaker, Answer::Ignored, at(0));
    let was_closed = !is_open(&breaker, at(0));
    call(&mut breaker, Answer::Failure, at(0));
    was_closed && is_open(&breaker, at(0))
}

pub fn straggler_changes_nothing() -> bool {
    [Answer::Success, Answer::Failure].into_iter().all(|late| {
        let mut breaker =
            breaker(Settings { successes_to_close: NonZeroU32::MIN, ..Settings::default() });
        let Some(slow) = permit(&mut breaker, at(0)) else { return false };
        (0..5).for_each(|_| call(&mut breaker, Answer::Failure, at(0)));
        let trial = permit(&mut breaker, at(120));
        let before = breaker.reading(at(121));
        breaker.answer(slow, late, at(121));
        trial.is_some() && breaker.reading(at(121)) == before
    })
}

pub fn one_trial_at_a_time() -> bool {
    let (mut breaker, now) = tripped();
    let first = permit(&mut breaker, now);
    let second = breaker.admit(now).map_err(|refusal| refusal.reason);
    first.is_some() && second == Err(RefusalReason::TrialIsOut)
}

pub fn three_trials_one_after_the_other() -> bool {
    let (mut breaker, now) = tripped();
    for _ in 0..3 {
        let Some(trial) = permit(&mut breaker, now) else { return false };
        if permit(&mut breaker, now).is_some() {
            return false;
        }
        breaker.answer(trial, Answer::Success, now);
    }
    breaker.circuit(now) == Circuit::Closed
}

pub fn dropped_trial_gives_back() -> bool {
    let (mut breaker, now) = tripped();
    let Some(trial) = permit(&mut breaker, now) else { return false };
    breaker.answer(trial, Answer::Abandoned, now);
    permit(&mut breaker, now).is_some()
}

pub fn lost_trial_gives_back() -> bool {
    let (mut breaker, now) = tripped();
    let lost = permit(&mut breaker, now);
    let lease_ends = now + Settings::default().trial_lease;
    lost.is_some() && permit(&mut breaker, lease_ends).is_some()
}

pub fn open_time_grows() -> bool {
    let (mut breaker, mut now) = tripped();
    let mut longest = Duration::ZERO;
    for _ in 0..20 {
        call(&mut breaker, Answer::Failure, now);
        let Circuit::Open { until } = breaker.circuit(now) else { return false };
        longest = longest.max(until - now);
        now = until;
    }
    let Settings { open_for, open_for_max, .. } = Settings::default();
    open_for * 2 < longest && longest <= open_for_max
}

pub fn refusal_says_when() -> bool {
    let (mut breaker, until) = tripped();
    let Err(refusal) = breaker.admit(at(1)) else { return false };
    at(1) + refusal.retry_after == until && breaker.admit(until).is_ok()
}

pub fn retry_after_is_heard() -> bool {
    let mut breaker = breaker(Settings::default());
    let retry_after = Some(Duration::from_mins(20));
    call(&mut breaker, Answer::Overload { retry_after }, at(0));
    (0..5).for_each(|_| call(&mut breaker, Answer::Failure, at(0)));
    is_open(&breaker, at(20 * 60 - 1)) && !is_open(&breaker, at(20 * 60))
}

pub fn reading_changes_nothing() -> bool {
    let (mut breaker, now) = tripped();
    let read = (0..10).all(|_| breaker.circuit(now) == Circuit::HalfOpen);
    let admission = breaker.admit(now);
    read && admission.is_ok_and(|first| first.transition.is_some())
}

pub fn time_can_be_turned() -> bool {
    let (mut breaker, until) = tripped();
    breaker.admit(at(0)).is_err() && breaker.admit(until).is_ok()
}
