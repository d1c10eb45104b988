//! A call through a closed breaker that succeeds: judged by failures in a row, as failsafe does, and by
//! a window of 100 calls as well, as the others do.

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

const ROW: &str = "breaker: admit and answer, failures in a row";
const RATE: &str = "breaker: admit and answer, window of 100 calls";

pub(super) const STEPS: &[Step] = &[
    Step { what: ROW, of: "ours", make: ours_by_row },
    Step { what: ROW, of: "ours, mutex and clock", make: || ours_shared(Settings::default()) },
    Step { what: ROW, of: "failsafe", make: failsafe },
    Step { what: RATE, of: "ours", make: ours_by_rate },
    Step { what: RATE, of: "ours, mutex and clock", make: || ours_shared(by_rate()) },
    Step { what: RATE, of: "recloser", make: recloser },
    Step { what: RATE, of: "tower-resilience", make: tower_resilience },
];

const WINDOW: NonZeroU32 = NonZeroU32::new(100).expect("not 0");

fn by_rate() -> Settings {
    let rates = Rates { failures: Some(Percent::new(50)), ..Rates::over(Window::Calls(WINDOW)) };
    Settings { rates: Some(rates), ..Settings::default() }
}

fn ours_by_row() -> Repeat {
    ours(Settings::default())
}

fn ours_by_rate() -> Repeat {
    ours(by_rate())
}

fn ours(settings: Settings) -> Repeat {
    let (mut breaker, mut now) = (Breaker::new(settings, Dice::seeded(1)), Instant::START);
    repeat(move || {
        now += Duration::from_nanos(100);
        let admission = breaker.admit(now).expect("it is closed");
        black_box(breaker.answer(admission.permit, Answer::Success, now));
    })
}

fn ours_shared(settings: Settings) -> Repeat {
    let breaker = Mutex::new(Breaker::new(settings, Dice::seeded(1)));
    let clock = Clock::start();
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
