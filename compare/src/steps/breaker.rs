//! A call through a closed breaker that succeeds, with a window of 100 calls judged by failures.
//! (failsafe has no such window: it counts failures in a row.)

use super::{Clock, Repeat, Step, repeat};
use assay_rules::{
    Dice, Instant, Percent,
    breaker::{Answer, Breaker, Rates, Settings, Window},
};
use futures_util::{
    FutureExt,
    future::{self, Ready},
};
use std::{hint::black_box, num::NonZeroU32, sync::Mutex, time::Duration};
use tower::Service;

const WHAT: &str = "breaker: admit and answer";

pub(super) const STEPS: &[Step] = &[
    Step { what: WHAT, of: "ours", make: ours },
    Step { what: WHAT, of: "ours, mutex and clock", make: ours_shared },
    Step { what: WHAT, of: "recloser", make: recloser },
    Step { what: WHAT, of: "failsafe", make: failsafe },
    Step { what: WHAT, of: "tower-resilience", make: tower_resilience },
];

const WINDOW: NonZeroU32 = NonZeroU32::new(100).expect("not 0");

fn breaker() -> Breaker {
    let rates = Rates { failures: Some(Percent::new(50)), ..Rates::over(Window::Calls(WINDOW)) };
    Breaker::new(Settings { rates: Some(rates), ..Settings::default() }, Dice::seeded(1))
}

fn ours() -> Repeat {
    let (mut breaker, mut now) = (breaker(), Instant::START);
    repeat(move || {
        now += Duration::from_nanos(100);
        let admission = breaker.admit(now).expect("it is closed");
        black_box(breaker.answer(admission.permit, Answer::Success, now));
    })
}

fn ours_shared() -> Repeat {
    let (breaker, clock) = (Mutex::new(breaker()), Clock::start());
    repeat(move || {
        let admitted = breaker.lock().expect("nobody panicked").admit(clock.now());
        let permit = admitted.expect("it is closed").permit;
        let mut breaker = breaker.lock().expect("nobody panicked");
        black_box(breaker.answer(permit, Answer::Success, clock.now()));
    })
}

fn recloser() -> Repeat {
    let breaker = recloser::Recloser::custom().closed_len(100).build();
    repeat(move || assert!(breaker.call(|| black_box(Ok::<_, ()>(()))).is_ok()))
}

fn failsafe() -> Repeat {
    use failsafe::{CircuitBreaker, Config, backoff, failure_policy};
    let policy =
        failure_policy::consecutive_failures(5, backoff::constant(Duration::from_secs(60)));
    let breaker = Config::new().failure_policy(policy).build();
    repeat(move || assert!(breaker.call(|| black_box(Ok::<_, ()>(()))).is_ok()))
}

fn tower_resilience() -> Repeat {
    type Done = Ready<Result<(), ()>>;
    let run: fn(()) -> Done = |()| future::ready(black_box(Ok(())));
    let layer = tower_resilience_circuitbreaker::CircuitBreakerLayer::builder().build();
    let layer = layer.expect("the settings are its own");
    let mut breaker = layer.layer_fn(tower::service_fn(run));
    repeat(move || {
        let ready = future::poll_fn(|cx| breaker.poll_ready(cx)).now_or_never();
        assert!(ready.is_some_and(|ready| ready.is_ok()));
        assert!(breaker.call(()).now_or_never().is_some_and(|done| done.is_ok()));
    })
}
