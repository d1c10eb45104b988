//! recloser. It asks the system's clock, so an open time of nothing stands for one that is over.

use crate::{paused, polled};
use futures_util::{
    FutureExt,
    future::{self, BoxFuture},
};
use recloser::{AsyncRecloser, Error, Recloser};
use std::time::Duration;
use tokio::sync::oneshot;

const HOUR: Duration = Duration::from_hours(1);

type Calling = BoxFuture<'static, Result<(), Error<Fault>>>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    Endpoint,
    /// The endpoint says how long to stay away.
    Busy {
        retry_after: Duration,
    },
    Caller,
}

fn call(breaker: &Recloser, result: Result<(), Fault>) -> Result<(), Error<Fault>> {
    let is_failure = |fault: &Fault| *fault != Fault::Caller;
    breaker.call_with(is_failure, || result)
}

fn is_refused(breaker: &Recloser) -> bool {
    matches!(call(breaker, Ok(())), Err(Error::Rejected))
}

/// Begins a call that answers when it is told; none if it is refused.
fn slow(breaker: &AsyncRecloser) -> Option<(oneshot::Sender<Result<(), Fault>>, Calling)> {
    let (answer, told) = oneshot::channel();
    let mut calling = breaker.call(told.map(|told| told.unwrap_or(Ok(())))).boxed();
    polled(&mut calling).is_none().then_some((answer, calling))
}

/// Begins a trial. The open time is over as soon as the clock has moved.
fn trial(breaker: &AsyncRecloser) -> (oneshot::Sender<Result<(), Fault>>, Calling) {
    loop {
        if let Some(trial) = slow(breaker) {
            return trial;
        }
    }
}

fn fail(breaker: &AsyncRecloser) {
    let failed = breaker.call(future::ready(Err::<(), _>(Fault::Endpoint))).now_or_never();
    assert!(failed.is_some());
}

/// An open one whose open time is over.
fn tripped() -> AsyncRecloser {
    let breaker = Recloser::custom().closed_len(1).half_open_len(3).open_wait(Duration::ZERO);
    let breaker = AsyncRecloser::from(breaker.build());
    (0..2).for_each(|_| fail(&breaker));
    breaker
}

pub fn window_of_calls_slides() -> bool {
    let breaker = Recloser::custom().closed_len(10).error_rate(1.0).open_wait(HOUR).build();
    (0..1_000).for_each(|_| drop(call(&breaker, Ok(()))));
    (0..10).for_each(|_| drop(call(&breaker, Err(Fault::Endpoint))));
    is_refused(&breaker)
}

/// Three failures fill its window; what is asked is whether two and a caller's error do not empty it.
pub fn ignored_counts_for_nothing() -> bool {
    let opens = |fourth| {
        let breaker = Recloser::custom().closed_len(3).error_rate(0.9).open_wait(HOUR).build();
        (0..3).for_each(|_| drop(call(&breaker, Err(Fault::Endpoint))));
        drop(call(&breaker, Err(fourth)));
        drop(call(&breaker, Err(Fault::Endpoint)));
        is_refused(&breaker)
    };
    assert!(opens(Fault::Endpoint), "it opens when all fail");
    opens(Fault::Caller)
}

/// The second open time is an hour: who is refused then was shut out by stragglers.
pub fn straggler_changes_nothing() -> bool {
    let breaker = Recloser::custom().closed_len(1).half_open_len(1).open_wait(Duration::ZERO);
    let breaker = breaker.open_wait_strategy(|_, _| HOUR).build();
    let breaker = AsyncRecloser::from(breaker);
    let stragglers = [slow(&breaker), slow(&breaker)].map(|slow| slow.expect("it is closed"));
    (0..2).for_each(|_| fail(&breaker));
    let _trial = trial(&breaker);
    for (answer, mut straggler) in stragglers {
        answer.send(Err(Fault::Endpoint)).expect("the straggler listens");
        assert!(polled(&mut straggler).is_some());
    }
    slow(&breaker).is_some()
}

pub fn one_trial_at_a_time() -> bool {
    let breaker = tripped();
    let _trial = trial(&breaker);
    let others: Vec<_> = (0..100).map_while(|_| slow(&breaker)).collect();
    others.is_empty()
}

pub fn dropped_trial_gives_back() -> bool {
    let breaker = tripped();
    drop(trial(&breaker));
    slow(&breaker).is_some()
}

/// The n-th open time in a row is what the function says: here nothing, nothing, an hour.
pub fn open_time_grows() -> bool {
    let breaker = Recloser::custom().closed_len(1).half_open_len(1).open_wait(Duration::ZERO);
    let grows = |nth: u32, first: Duration| if nth < 2 { first } else { HOUR };
    let breaker = AsyncRecloser::from(breaker.open_wait_strategy(grows).build());
    (0..2).for_each(|_| fail(&breaker));
    for _ in 0..2 {
        let trials = [trial(&breaker), trial(&breaker)];
        for (answer, mut trial) in trials {
            answer.send(Err(Fault::Endpoint)).expect("the trial listens");
            assert!(polled(&mut trial).is_some());
        }
    }
    slow(&breaker).is_none()
}

pub fn refusal_says_when() -> bool {
    let breaker = Recloser::custom().closed_len(1).open_wait(HOUR).build();
    (0..2).for_each(|_| drop(call(&breaker, Err(Fault::Endpoint))));
    match call(&breaker, Ok(())) {
        // No longer compiles when the variant says more.
        Err(Error::Rejected) => false,
        Ok(()) | Err(Error::Inner(_)) => panic!("it is open"),
    }
}

/// A method of the crate goes before one of a trait: when there is one of this name, this no longer
/// compiles.
pub fn state_is_hidden() -> bool {
    struct Hidden;
    trait Hides {
        fn state(&self) -> Hidden {
            Hidden
        }
    }
    impl Hides for Recloser {}
    let Hidden = Recloser::custom().build().state();
    false
}

pub fn time_can_be_turned() -> bool {
    paused().block_on(async {
        let breaker = Recloser::custom().closed_len(1).open_wait(HOUR).build();
        (0..2).for_each(|_| drop(call(&breaker, Err(Fault::Endpoint))));
        tokio::time::advance(2 * HOUR).await;
        !is_refused(&breaker)
    })
}

/// All that it can be told, as it writes itself.
fn settings() -> Vec<String> {
    let written = format!("{:#?}", Recloser::custom().build());
    let fields = written.lines().filter_map(|line| line.strip_prefix("    "));
    let named = fields.filter(|field| field.starts_with(|c: char| c.is_ascii_lowercase()));
    named.filter_map(|field| Some(field.split_once(':')?.0.to_owned())).collect()
}

/// Whether it can be told something that it could not be told before.
fn has_a_new_setting() -> bool {
    let known = ["threshold_closed", "threshold_half_open", "closed_len", "half_open_len"];
    settings() != [&known[..], &["open_wait", "open_wait_strategy", "state"]].concat()
}

/// It counts so many calls, and no setting says how old they may be.
pub fn window_of_time_slides() -> bool {
    has_a_new_setting()
}

/// No setting says what is slow.
pub fn slow_calls_open() -> bool {
    has_a_new_setting()
}

/// Each failure says an hour; the open time, which is nothing, is over as soon as the clock has moved.
pub fn retry_after_is_heard() -> bool {
    let opened = |open_wait| {
        let breaker = Recloser::custom().closed_len(1).open_wait(open_wait).build();
        let busy = Err(Fault::Busy { retry_after: HOUR });
        (0..2).for_each(|_| drop(call(&breaker, busy)));
        breaker
    };
    assert!(is_refused(&opened(HOUR)), "it is a failure");
    let breaker = opened(Duration::ZERO);
    (0..1_000).all(|_| is_refused(&breaker))
}
