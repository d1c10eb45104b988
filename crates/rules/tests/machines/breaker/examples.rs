//! Opening, trials and modes, one promise a test. The first five are those of the system that this
//! one replaces, with the same meaning.

use assay_rules::{
    Dice, Instant,
    breaker::{
        Admission, Answer, Breaker, Cause, Circuit, Mode, Permit, Refusal, RefusalReason, Settings,
        Transition,
    },
};
use std::{num::NonZeroU32, time::Duration};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_mins(1);
const START: Instant = Instant::START;

#[test]
fn the_first_state_is_closed() {
    assert_eq!(new().circuit(START), Circuit::Closed);
    assert!(new().admit(START).is_ok());
}

#[test]
fn it_opens_after_failures_in_a_row() {
    let mut breaker = new();
    for _ in 0..4 {
        assert_eq!(fail(&mut breaker, START), None);
    }
    let opened = fail(&mut breaker, START).expect("the fifth in a row");
    assert_eq!(opened.to, Circuit::Open { until: START + MINUTE });
    assert_eq!((opened.from, opened.cause), (Circuit::Closed, Cause::FailuresInARow(5)));
    let refusal = breaker.admit(START + SECOND).expect_err("open");
    assert_eq!(refusal, Refusal { retry_after: SECOND * 59, reason: RefusalReason::Open });
}

#[test]
fn it_is_half_open_after_the_timeout() {
    let mut breaker = opened();
    let just_before = START + MINUTE.saturating_sub(Duration::from_nanos(1));
    assert_eq!(breaker.circuit(just_before), Circuit::Open { until: START + MINUTE });
    assert!(breaker.admit(just_before).is_err());
    assert_eq!(breaker.circuit(START + MINUTE), Circuit::HalfOpen);
    let trial = breaker.admit(START + MINUTE).expect("the first trial");
    let (from, to) = (Circuit::Open { until: START + MINUTE }, Circuit::HalfOpen);
    assert_eq!(trial.transition, Some(Transition { from, to, cause: Cause::OpenTimeIsOver }));
}

#[test]
fn it_recovers_after_successes() {
    let (mut breaker, now) = (opened(), START + MINUTE);
    assert_eq!(succeed(&mut breaker, now), None);
    assert_eq!(succeed(&mut breaker, now), None);
    let closed = succeed(&mut breaker, now).expect("the third in a row");
    assert_eq!((closed.to, closed.cause), (Circuit::Closed, Cause::TrialsSucceeded(3)));
    assert_eq!(breaker.reading(now), new().reading(now), "and nothing of before is left");
}

#[test]
fn it_opens_again_on_the_first_failure_in_half_open() {
    let (mut breaker, now) = (opened(), START + MINUTE);
    assert_eq!(succeed(&mut breaker, now), None);
    let reopened = fail(&mut breaker, now).expect("one is enough");
    assert_eq!((reopened.from, reopened.cause), (Circuit::HalfOpen, Cause::TrialFailed));
    assert!(breaker.admit(now).is_err());
}

#[test]
fn a_success_ends_a_row_and_an_overload_or_an_ignored_call_does_not() {
    let mut breaker = new();
    for answer in [Answer::Success, Answer::Failure, Answer::Failure] {
        call(&mut breaker, answer, START);
    }
    let overload = Answer::Overload { retry_after: None };
    for answer in [overload, Answer::Ignored, Answer::Abandoned, overload, overload, overload] {
        assert_eq!(call(&mut breaker, answer, START), None);
        assert_eq!(breaker.reading(START).failures_in_a_row, 2);
    }
    call(&mut breaker, Answer::Success, START);
    assert_eq!(breaker.reading(START).failures_in_a_row, 0);
}

#[test]
fn a_straggler_does_not_close_or_reopen() {
    for late_answer in [Answer::Success, Answer::Failure, Answer::Abandoned] {
        let settings = Settings { successes_to_close: NonZeroU32::MIN, ..Settings::default() };
        let mut breaker = Breaker::new(settings, Dice::seeded(1));
        let slow = permit(&mut breaker, START);
        fail_in_a_row(&mut breaker, 5, START);
        let now = START + MINUTE;
        let _trial = permit(&mut breaker, now);
        let before = breaker.reading(now);
        assert_eq!(breaker.answer(slow, late_answer, now), None);
        assert_eq!(breaker.reading(now), before);
        assert!(breaker.admit(now).is_err(), "the trial is still out");
    }
}

#[test]
fn one_trial_is_out_at_a_time_and_an_abandoned_one_gives_its_place_back() {
    for answer in [Answer::Abandoned, Answer::Ignored] {
        let (mut breaker, now) = (opened(), START + MINUTE);
        let trial = permit(&mut breaker, now);
        let refusal = breaker.admit(now).expect_err("one is out");
        assert_eq!(refusal, Refusal { retry_after: MINUTE, reason: RefusalReason::TrialIsOut });
        assert_eq!(breaker.answer(trial, answer, now), None);
        assert!(breaker.admit(now).is_ok());
    }
}

#[test]
fn a_trial_that_never_answers_is_given_up_after_its_lease() {
    let (mut breaker, now) = (opened(), START + MINUTE);
    assert_eq!(succeed(&mut breaker, now), None);
    let lost = permit(&mut breaker, now);
    let lease = Settings::default().trial_lease;
    let refusal =
        breaker.admit(now + lease.saturating_sub(SECOND)).expect_err("the lease is running");
    assert_eq!(refusal.retry_after, SECOND);
    let next = permit(&mut breaker, now + lease);
    // The lost one turns up, and is a straggler.
    assert_eq!(breaker.answer(lost, Answer::Failure, now + lease), None);
    assert_eq!(breaker.reading(now + lease).successes_in_a_row, 1);
    assert_eq!(breaker.answer(next, Answer::Success, now + lease), None);
    assert_eq!(breaker.reading(now + lease).successes_in_a_row, 2);
}

#[test]
fn open_times_grow_with_jitter_up_to_a_cap_and_begin_anew_after_closing() {
    let mut distinct = 0;
    for seed in 0..200 {
        let mut breaker = Breaker::new(Settings::default(), Dice::seeded(seed));
        fail_in_a_row(&mut breaker, 5, START);
        let mut now = START + MINUTE;
        for (at_least, at_most) in [(60, 120), (120, 240), (240, 480), (300, 600), (300, 600)] {
            let until = open_until(fail(&mut breaker, now));
            let span = until - now;
            assert!(SECOND * at_least <= span && span <= SECOND * at_most, "{span:?}");
            distinct += u32::from(span != SECOND * at_least && span != SECOND * at_most);
            now = until;
        }
        assert_eq!(breaker.reading(now).openings_in_a_row, 6);
        for _ in 0..3 {
            succeed(&mut breaker, now);
        }
        assert_eq!(breaker.circuit(now), Circuit::Closed);
        let reopened = fail_in_a_row(&mut breaker, 5, now);
        assert_eq!(open_until(reopened) - now, MINUTE);
    }
    assert_eq!(distinct, 1_000, "no open time is one of the ends");
}

#[test]
fn an_endpoint_that_is_away_for_long_is_tried_at_the_cap_for_ever() {
    let (mut breaker, mut now) = (opened(), START + MINUTE);
    for opening in 1..200 {
        let until = open_until(fail(&mut breaker, now));
        assert!(opening < 5 || MINUTE * 5 <= until - now, "opening {opening}");
        assert!(until - now <= MINUTE * 10, "opening {opening}");
        now = until;
    }
}

#[test]
fn a_longer_retry_after_wins_and_a_shorter_one_does_not() {
    let reopen = |asked| {
        let (mut breaker, now) = (opened(), START + MINUTE);
        let overload = Answer::Overload { retry_after: Some(asked) };
        open_until(call(&mut breaker, overload, now)) - now
    };
    assert_eq!(reopen(MINUTE * 5), MINUTE * 5);
    assert!(reopen(SECOND) >= MINUTE);
    assert_eq!(reopen(MINUTE * 6_000), Duration::from_hours(1), "cut");
}

#[test]
fn what_the_endpoint_asked_for_holds_when_the_circuit_opens_for_another_reason() {
    let mut breaker = new();
    for seconds in [200, 10] {
        let retry_after = Some(SECOND * seconds);
        call(&mut breaker, Answer::Overload { retry_after }, START);
    }
    let opened = fail_in_a_row(&mut breaker, 5, START + SECOND);
    assert_eq!(open_until(opened), START + SECOND * 200);
}

#[test]
fn forced_open_refuses_all_and_off_admits_all_and_neither_judges() {
    let mut breaker = new();
    let before = permit(&mut breaker, START);
    let forced = breaker.set_mode(Mode::ForcedOpen, START).expect("a transition");
    let until = Instant::MAX;
    let cause = Cause::Operator(Mode::ForcedOpen);
    assert_eq!(forced, Transition { from: Circuit::Closed, to: Circuit::Open { until }, cause });
    let refusal = breaker.admit(START).expect_err("forced open");
    assert_eq!(refusal, Refusal { retry_after: MINUTE, reason: RefusalReason::Forced });

    assert_eq!(breaker.set_mode(Mode::Off, START).expect("it lets in again").to, Circuit::Closed);
    for _ in 0..20 {
        assert_eq!(fail(&mut breaker, START), None);
    }
    let during = permit(&mut breaker, START);
    assert_eq!(breaker.set_mode(Mode::Normal, START), None);
    assert_eq!(breaker.answer(before, Answer::Failure, START), None);
    assert_eq!(breaker.answer(during, Answer::Failure, START), None);
    assert_eq!(breaker.reading(START), new().reading(START), "it begins anew");
}

#[test]
fn watch_only_judges_and_says_what_it_would_have_refused_and_refuses_nothing() {
    let mut breaker = new();
    fail(&mut breaker, START);
    assert_eq!(breaker.set_mode(Mode::WatchOnly, START), None);
    let opened = fail_in_a_row(&mut breaker, 4, START);
    assert!(opened.is_some(), "the row goes on over the change of mode");
    let Admission { permit, would_refuse, .. } = breaker.admit(START).expect("never refuses");
    let reason = RefusalReason::Open;
    assert_eq!(would_refuse, Some(Refusal { retry_after: MINUTE, reason }));
    assert_eq!(breaker.answer(permit, Answer::Failure, START), None);
    let trial = breaker.admit(START + MINUTE).expect("never refuses");
    assert_eq!(trial.would_refuse, None);
    let beside = breaker.admit(START + MINUTE).expect("never refuses");
    assert!(beside.would_refuse.is_some());
    breaker.answer(beside.permit, Answer::Failure, START + MINUTE);
    assert_eq!(breaker.circuit(START + MINUTE), Circuit::HalfOpen, "that was no trial");
    assert!(breaker.answer(trial.permit, Answer::Failure, START + MINUTE).is_some());
}

#[test]
fn setting_the_same_mode_again_changes_nothing() {
    let mut breaker = opened();
    let before = breaker.reading(START);
    assert_eq!(breaker.set_mode(Mode::Normal, START), None);
    assert_eq!(breaker.reading(START), before);
}

#[test]
fn the_ends_of_the_clock_are_ordinary_times() {
    let mut breaker = new();
    let opened = fail_in_a_row(&mut breaker, 5, Instant::MAX);
    assert_eq!(open_until(opened), Instant::MAX);
    assert_eq!(breaker.admit(START).expect_err("open").retry_after, Instant::MAX - START);
    for _ in 0..100 {
        let _ = fail(&mut breaker, Instant::MAX);
    }
    assert_eq!(breaker.reading(Instant::MAX).openings_in_a_row, 101);
}

fn new() -> Breaker {
    Breaker::new(Settings::default(), Dice::seeded(1))
}

/// Opened at the start, for a minute.
fn opened() -> Breaker {
    let mut breaker = new();
    fail_in_a_row(&mut breaker, 5, START);
    breaker
}

#[track_caller]
fn permit(breaker: &mut Breaker, now: Instant) -> Permit {
    breaker.admit(now).expect("admitted").permit
}

#[track_caller]
fn call(breaker: &mut Breaker, answer: Answer, now: Instant) -> Option<Transition> {
    let permit = permit(breaker, now);
    breaker.answer(permit, answer, now)
}

#[track_caller]
fn fail(breaker: &mut Breaker, now: Instant) -> Option<Transition> {
    call(breaker, Answer::Failure, now)
}

/// Returns what the last of them changed.
#[track_caller]
fn fail_in_a_row(breaker: &mut Breaker, times: u32, now: Instant) -> Option<Transition> {
    (0..times).fold(None, |_, _| fail(breaker, now))
}

#[track_caller]
fn succeed(breaker: &mut Breaker, now: Instant) -> Option<Transition> {
    call(breaker, Answer::Success, now)
}

#[track_caller]
fn open_until(transition: Option<Transition>) -> Instant {
    match transition.expect("it opened").to {
        Circuit::Open { until } => until,
        other => panic!("opened, and is {other:?}"),
    }
}
