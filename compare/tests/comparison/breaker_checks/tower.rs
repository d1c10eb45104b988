//! tower-resilience. It asks the system's clock, so an open time of nothing stands for one that is
//! over, and an hour for one that is not.

use crate::{paused, polled};
use futures_util::{
    FutureExt,
    future::{self, BoxFuture},
};
use std::time::Duration;
use tokio::sync::oneshot;
use tower::{Service, util::ServiceFn};
use tower_resilience_circuitbreaker::{
    CircuitBreaker, CircuitBreakerConfigBuilder, CircuitBreakerError, CircuitBreakerLayer,
    CircuitState, DefaultClassifier, FailureClassifier, SlidingWindowType,
};

/// What a call is to do, as the request.
type Work = BoxFuture<'static, Result<(), Fault>>;

type Guarded<C = DefaultClassifier> = CircuitBreaker<ServiceFn<fn(Work) -> Work>, C>;

type Calling = BoxFuture<'static, Result<(), CircuitBreakerError<Fault>>>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    Endpoint,
    /// The endpoint says how long to stay away.
    Busy {
        retry_after: Duration,
    },
    Caller,
}

const HOUR: Duration = Duration::from_hours(1);

fn builder() -> CircuitBreakerConfigBuilder {
    CircuitBreakerLayer::builder().wait_duration_in_open(HOUR)
}

fn guarded<C: Clone>(builder: CircuitBreakerConfigBuilder<C>) -> Guarded<C> {
    let run: fn(Work) -> Work = |work| work;
    builder.build().expect("the settings are in range").layer_fn(tower::service_fn(run))
}

/// Begins a call; it is admitted with its first poll.
fn begin<C>(breaker: &mut Guarded<C>, work: Work) -> Calling
where
    C: FailureClassifier<(), Fault> + Send + Sync + 'static,
{
    let ready = future::poll_fn(|cx| breaker.poll_ready(cx)).now_or_never();
    ready.expect("it refuses and never waits").expect("the service is ready");
    breaker.call(work)
}

fn call<C>(
    breaker: &mut Guarded<C>,
    result: Result<(), Fault>,
) -> Result<(), CircuitBreakerError<Fault>>
where
    C: FailureClassifier<(), Fault> + Send + Sync + 'static,
{
    polled(begin(breaker, future::ready(result).boxed())).expect("the work is done")
}

/// Begins a call that answers when it is told.
fn slow(breaker: &mut Guarded) -> (oneshot::Sender<Result<(), Fault>>, Calling) {
    let (answer, told) = oneshot::channel();
    let mut calling = begin(breaker, told.map(|told| told.unwrap_or(Ok(()))).boxed());
    assert!(polled(&mut calling).is_none(), "it was admitted and waits for its answer");
    (answer, calling)
}

/// An open one whose open time is over.
fn tripped(permitted: usize) -> Guarded {
    let settings = builder().consecutive_failures(3).permitted_calls_in_half_open(permitted);
    let mut breaker = guarded(settings.wait_duration_in_open(Duration::ZERO));
    (0..3).for_each(|_| drop(call(&mut breaker, Err(Fault::Endpoint))));
    assert_eq!(breaker.state_sync(), CircuitState::Open);
    breaker
}

fn is_refused(breaker: &mut Guarded) -> bool {
    call(breaker, Ok(())).is_err_and(|why| why.is_circuit_open())
}

pub fn window_of_calls_slides() -> bool {
    let settings = builder().sliding_window_size(10).failure_rate_threshold(1.0);
    let mut breaker = guarded(settings);
    (0..1_000).for_each(|_| drop(call(&mut breaker, Ok(()))));
    (0..10).for_each(|_| drop(call(&mut breaker, Err(Fault::Endpoint))));
    breaker.is_open()
}

pub fn window_of_time_slides() -> bool {
    let opens_within = |window| {
        let settings = builder().sliding_window_type(SlidingWindowType::TimeBased);
        let settings = settings.sliding_window_duration(window).minimum_number_of_calls(10);
        let mut breaker = guarded(settings);
        (0..20).for_each(|_| drop(call(&mut breaker, Err(Fault::Endpoint))));
        breaker.is_open()
    };
    // Ten calls do not fit into a nanosecond.
    opens_within(HOUR) && !opens_within(Duration::from_nanos(1))
}

pub fn slow_calls_open() -> bool {
    let settings = builder().slow_call_duration_threshold(Duration::ZERO);
    let settings = settings.slow_call_rate_threshold(0.5).sliding_window_size(10);
    let mut breaker = guarded(settings);
    (0..10).for_each(|_| drop(call(&mut breaker, Ok(()))));
    breaker.is_open()
}

pub fn ignored_counts_for_nothing() -> bool {
    let settings = builder().consecutive_failures(3);
    let is_failure = |result: &Result<(), Fault>| *result == Err(Fault::Endpoint);
    let mut breaker = guarded(settings.failure_classifier(is_failure));
    for fault in [Fault::Endpoint, Fault::Endpoint, Fault::Caller, Fault::Endpoint] {
        drop(call(&mut breaker, Err(fault)));
    }
    breaker.is_open()
}

pub fn straggler_changes_nothing() -> bool {
    let settings = builder().consecutive_failures(3).wait_duration_in_open(Duration::ZERO);
    let mut breaker = guarded(settings);
    let (answer, mut straggler) = slow(&mut breaker);
    (0..3).for_each(|_| drop(call(&mut breaker, Err(Fault::Endpoint))));
    let _trial = slow(&mut breaker);
    assert_eq!(breaker.state_sync(), CircuitState::HalfOpen);
    answer.send(Ok(())).expect("the straggler listens");
    assert!(polled(&mut straggler).is_some());
    breaker.state_sync() == CircuitState::HalfOpen
}

pub fn one_trial_at_a_time() -> bool {
    let mut breaker = tripped(1);
    let _trial = slow(&mut breaker);
    is_refused(&mut breaker)
}

pub fn three_trials_one_after_the_other() -> bool {
    let mut breaker = tripped(3);
    let _trial = slow(&mut breaker);
    is_refused(&mut breaker)
}

pub fn dropped_trial_gives_back() -> bool {
    let mut breaker = tripped(1);
    drop(slow(&mut breaker));
    !is_refused(&mut breaker)
}

/// Its open time is over at once, and still the trial keeps its place.
pub fn lost_trial_gives_back() -> bool {
    let mut breaker = tripped(1);
    let _lost = slow(&mut breaker);
    (0..1_000).any(|_| !is_refused(&mut breaker))
}

pub fn refusal_says_when() -> bool {
    let mut breaker = guarded(builder().consecutive_failures(1));
    drop(call(&mut breaker, Err(Fault::Endpoint)));
    match call(&mut breaker, Ok(())) {
        // No longer compiles when the variant says more.
        Err(CircuitBreakerError::OpenCircuit) => false,
        Ok(()) | Err(CircuitBreakerError::Inner(_)) => panic!("it is open"),
    }
}

pub fn reading_changes_nothing() -> bool {
    let mut breaker = tripped(1);
    let read = (0..10).all(|_| breaker.state_sync() == CircuitState::Open);
    let _trial = slow(&mut breaker);
    read && breaker.state_sync() == CircuitState::HalfOpen
}

pub fn time_can_be_turned() -> bool {
    paused().block_on(async {
        let mut breaker = guarded(builder().consecutive_failures(1));
        drop(call(&mut breaker, Err(Fault::Endpoint)));
        tokio::time::advance(2 * HOUR).await;
        !is_refused(&mut breaker)
    })
}

/// From a nanosecond, growing by half with each of fifty failed trials, it would be half a second.
pub fn open_time_grows() -> bool {
    let settings = builder().consecutive_failures(1);
    let mut breaker = guarded(settings.wait_duration_in_open(Duration::from_nanos(1)));
    (0..50).any(|_| {
        let mut fails = || call(&mut breaker, Err(Fault::Endpoint));
        let is_refused = |why: CircuitBreakerError<Fault>| why.is_circuit_open();
        (0..1_000).all(|_| fails().is_err_and(is_refused))
    })
}

/// Each failure says an hour; the open time, which is nothing, is over as soon as the clock has moved.
pub fn retry_after_is_heard() -> bool {
    let settings = builder().consecutive_failures(3).wait_duration_in_open(Duration::ZERO);
    let mut breaker = guarded(settings);
    let busy = Err(Fault::Busy { retry_after: HOUR });
    (0..3).for_each(|_| drop(call(&mut breaker, busy)));
    assert_eq!(breaker.state_sync(), CircuitState::Open);
    (0..1_000).all(|_| is_refused(&mut breaker))
}
