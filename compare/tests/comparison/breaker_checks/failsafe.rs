//! failsafe, its time frozen by the clock that its own tests use.

use failsafe::{
    CircuitBreaker, Config, Error, FailurePolicy, Instrument, StateMachine,
    backoff::{self, Constant},
    clock,
    failure_policy::{self, ConsecutiveFailures},
};
use std::{cell::Cell, rc::Rc, time::Duration};

const MINUTE: Duration = Duration::from_mins(1);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Closed,
    Open,
    HalfOpen,
}

/// Notes what it is told of.
#[derive(Clone)]
struct Noted(Rc<Cell<State>>);

impl Instrument for Noted {
    fn on_call_rejected(&self) {}

    fn on_open(&self) {
        self.0.set(State::Open);
    }

    fn on_half_open(&self) {
        self.0.set(State::HalfOpen);
    }

    fn on_closed(&self) {
        self.0.set(State::Closed);
    }
}

fn noted<P: FailurePolicy>(policy: P) -> (StateMachine<P, Noted>, Rc<Cell<State>>) {
    let state = Rc::new(Cell::new(State::Closed));
    let breaker = Config::new().failure_policy(policy).instrument(Noted(Rc::clone(&state)));
    (breaker.build(), state)
}

fn three_in_a_row() -> ConsecutiveFailures<Constant> {
    failure_policy::consecutive_failures(3, backoff::constant(MINUTE))
}

fn fail<P: FailurePolicy>(breaker: &StateMachine<P, Noted>, times: usize) {
    (0..times).for_each(|_| drop(breaker.call(|| Err::<(), _>(()))));
}

/// Runs with a breaker whose open time has just ended.
fn tripped(
    check: impl FnOnce(StateMachine<ConsecutiveFailures<Constant>, Noted>, &Cell<State>) -> bool,
) -> bool {
    clock::freeze(|time| {
        let (breaker, state) = noted(three_in_a_row());
        fail(&breaker, 3);
        assert_eq!(state.get(), State::Open);
        time.advance(MINUTE + Duration::from_nanos(1));
        check(breaker, &state)
    })
}

/// At least 80 % of 30 s must succeed, and of the last 30 s 90 % did.
pub fn window_of_time_slides() -> bool {
    clock::freeze(|time| {
        let half = Duration::from_secs(30);
        let policy =
            failure_policy::success_rate_over_time_window(0.8, 1, half, backoff::constant(MINUTE));
        let (breaker, state) = noted(policy);
        // Its average takes the start of its time for an empty one.
        time.advance(Duration::from_secs(1));
        fail(&breaker, 10);
        time.advance(Duration::from_secs(34));
        for _ in 0..9 {
            drop(breaker.call(|| Ok::<_, ()>(())));
            time.advance(Duration::from_secs(1));
        }
        assert_eq!(state.get(), State::Closed);
        fail(&breaker, 1);
        state.get() == State::Closed
    })
}

pub fn ignored_counts_for_nothing() -> bool {
    let (breaker, state) = noted(three_in_a_row());
    fail(&breaker, 2);
    drop(breaker.call_with(|(): &()| false, || Err::<(), _>(())));
    fail(&breaker, 1);
    state.get() == State::Open
}

/// The slow call and the trial are both between permission and answer.
pub fn straggler_changes_nothing() -> bool {
    clock::freeze(|time| {
        let (breaker, state) = noted(three_in_a_row());
        assert!(breaker.is_call_permitted(), "the slow call");
        fail(&breaker, 3);
        time.advance(MINUTE + Duration::from_nanos(1));
        assert!(breaker.is_call_permitted(), "the trial");
        assert_eq!(state.get(), State::HalfOpen);
        breaker.on_success(); // of the slow call
        state.get() == State::HalfOpen
    })
}

pub fn one_trial_at_a_time() -> bool {
    tripped(|breaker, _| {
        assert!(breaker.is_call_permitted(), "the trial");
        !breaker.is_call_permitted()
    })
}

pub fn three_trials_one_after_the_other() -> bool {
    tripped(|breaker, state| {
        assert!(breaker.call(|| Ok::<_, ()>(())).is_ok());
        state.get() == State::HalfOpen
    })
}

/// The trial was permitted, and nobody ever says what became of it.
pub fn dropped_trial_gives_back() -> bool {
    tripped(|breaker, _| breaker.is_call_permitted() && breaker.is_call_permitted())
}

pub fn open_time_grows() -> bool {
    clock::freeze(|time| {
        let growing = backoff::exponential(MINUTE, 10 * MINUTE);
        let (breaker, state) = noted(failure_policy::consecutive_failures(1, growing));
        let mut longest = Duration::ZERO;
        for _ in 0..6 {
            fail(&breaker, 1);
            assert_eq!(state.get(), State::Open);
            let mut open = Duration::ZERO;
            while !breaker.is_call_permitted() {
                time.advance(MINUTE / 2);
                open += MINUTE / 2;
            }
            longest = longest.max(open);
        }
        2 * MINUTE < longest && longest <= 11 * MINUTE
    })
}

pub fn refusal_says_when() -> bool {
    let (breaker, _) = noted(three_in_a_row());
    fail(&breaker, 3);
    match breaker.call(|| Ok::<_, ()>(())) {
        // No longer compiles when the variant says more.
        Err(Error::Rejected) => false,
        Ok(()) | Err(Error::Inner(())) => panic!("it is open"),
    }
}

pub fn reading_changes_nothing() -> bool {
    tripped(|breaker, state| {
        breaker.is_call_permitted();
        state.get() == State::Open
    })
}

pub fn time_can_be_turned() -> bool {
    tripped(|breaker, _| breaker.is_call_permitted())
}

/// Its one policy by rate counts over a time, and all of this happens at one moment.
pub fn window_of_calls_slides() -> bool {
    clock::freeze(|time| {
        let policy = failure_policy::success_rate_over_time_window(
            0.5,
            10,
            MINUTE,
            backoff::constant(MINUTE),
        );
        let (breaker, state) = noted(policy);
        time.advance(Duration::from_secs(1));
        (0..1_000).for_each(|_| drop(breaker.call(|| Ok::<_, ()>(()))));
        fail(&breaker, 10);
        state.get() == State::Open
    })
}

pub fn slow_calls_open() -> bool {
    clock::freeze(|time| {
        let rate = failure_policy::success_rate_over_time_window(
            0.8,
            1,
            MINUTE,
            backoff::constant(MINUTE),
        );
        let (breaker, state) = noted(rate.or_else(three_in_a_row()));
        for _ in 0..100 {
            let slow = breaker.call(|| {
                time.advance(10 * MINUTE);
                Ok::<_, ()>(())
            });
            assert!(slow.is_ok());
        }
        state.get() == State::Open
    })
}

/// Each failure says twenty minutes; no policy is shown it.
pub fn retry_after_is_heard() -> bool {
    clock::freeze(|time| {
        let (breaker, state) = noted(three_in_a_row());
        (0..3).for_each(|_| drop(breaker.call(|| Err::<(), _>(20 * MINUTE))));
        assert_eq!(state.get(), State::Open);
        time.advance(MINUTE + Duration::from_nanos(1));
        !breaker.is_call_permitted()
    })
}
