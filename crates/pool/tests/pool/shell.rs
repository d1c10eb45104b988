//! The shell under paused time: deadlines, cancellation, panics, idling, shutdown, fairness.
//!
//! The first list has the tests of the system before us, each with the same meaning.

use crate::fake::{Does, Fake, pool_of, within};
use assay_pool::{EndpointTerms, LeaseError, PoolTerms};
use assay_rules::breaker::{Answer, Circuit, Mode};
use std::{num::NonZeroU32, sync::Arc, time::Duration};
use tokio::{
    task::{JoinSet, yield_now},
    time::{Instant, sleep, timeout},
};

const MINUTE: Duration = Duration::from_mins(1);

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn cap(max: u32) -> PoolTerms {
    let max_connections = NonZeroU32::new(max).expect("at least 1");
    PoolTerms { max_connections, ..PoolTerms::default() }
}

// === the list of the system before us ===

#[tokio::test(start_paused = true)]
async fn seed_pool_limit_is_kept() {
    let fake = Fake::new();
    let (pool, service) = pool_of(&fake, cap(2));
    let (_one, _two) = (
        pool.lease(within(service, MINUTE)).await.expect("the first"),
        pool.lease(within(service, MINUTE)).await.expect("the second"),
    );
    let third = pool.lease(within(service, ms(100))).await;
    assert_eq!(third.expect_err("there is no third").code(), "timeout");
    assert_eq!((fake.open(), fake.most()), (2, 2));
}

#[tokio::test(start_paused = true)]
async fn seed_exhaustion_is_prevented() {
    let fake = Fake::new();
    let (pool, service) = pool_of(&fake, cap(5));
    let mut callers = JoinSet::new();
    for _ in 0..20 {
        let pool = Arc::clone(&pool);
        callers.spawn(async move {
            let lease = pool.lease(within(service, MINUTE)).await.expect("all are served");
            sleep(ms(100)).await;
            lease.finish(Answer::Success);
        });
    }
    while let Some(caller) = callers.join_next().await {
        caller.expect("no caller panics");
    }
    assert_eq!((fake.most(), fake.attempts()), (5, 5), "opened once and used again");
}

#[tokio::test(start_paused = true)]
async fn seed_breaker_in_the_pool_opens_and_recovers() {
    let fake = Fake::new();
    let (pool, service) = pool_of(&fake, cap(5));
    fake.connects(Does::Fails);
    for _ in 0..5 {
        let failed = pool.lease(within(service, MINUTE)).await.expect_err("it refuses");
        assert_eq!(failed.code(), "unavailable");
    }
    assert_eq!(pool.stats().seed().circuit_breakers.open_or_half_open, 1);
    let began = Instant::now();
    let refused = pool.lease(within(service, MINUTE)).await.expect_err("the circuit is open");
    assert_eq!((refused.code(), began.elapsed()), ("circuit_open", Duration::ZERO));
    let pause = refused.retry_after().expect("it says when");
    sleep(pause).await;
    fake.connects(Does::Connects);
    for _ in 0..3 {
        let trial = pool.lease(within(service, MINUTE)).await.expect("a trial");
        let beside = pool.lease(within(service, MINUTE)).await.expect_err("one at a time");
        assert_eq!(beside.code(), "circuit_open");
        trial.finish(Answer::Success);
    }
    assert_eq!(pool.stats().breakers[0].reading.circuit, Circuit::Closed);
    let numbers = |from| pool.transitions(from).iter().map(|told| told.number).collect::<Vec<_>>();
    assert_eq!(numbers(0), [0, 1, 2], "opened, on trial, closed: {:?}", pool.transitions(0));
    assert_eq!(numbers(2), [2]);
}

#[tokio::test(start_paused = true)]
async fn seed_a_lease_is_registered_and_its_end_cleans_up() {
    let fake = Fake::new();
    let (pool, service) = pool_of(&fake, cap(5));
    let lease = pool.lease(within(service, MINUTE)).await.expect("a lease");
    assert_eq!((pool.stats().active, pool.stats().seed().active_tasks), (1, 1));
    lease.finish(Answer::Success);
    let stats = pool.stats();
    assert_eq!((stats.active, stats.idle, stats.opened, stats.closed), (0, 1, 1, 0));
    assert_eq!(pool.shut_down(Instant::now() + MINUTE).await, 0);
    assert_eq!((fake.open(), pool.stats().open()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn seed_cancellation_is_propagated() {
    let fake = Fake::new();
    let (pool, service) = pool_of(&fake, cap(1));
    fake.connects(Does::Hangs);
    let connecting = spawn_lease(&pool, service, MINUTE);
    let waiting = spawn_lease(&pool, service, MINUTE);
    sleep(ms(10)).await;
    assert_eq!((fake.open(), pool.stats().connecting, pool.stats().waiting), (1, 1, 1));
    waiting.abort();
    connecting.abort();
    assert!(waiting.await.is_err() && connecting.await.is_err());
    let stats = pool.stats();
    assert_eq!((fake.open(), stats.open(), stats.waiting, stats.gave_up), (0, 0, 0, 1));
    assert_eq!(stats.breakers[0].reading.failures_in_a_row, 0, "a cancel is nobody's fault");
}

#[tokio::test(start_paused = true)]
async fn seed_one_deadline_covers_waiting_and_connecting() {
    let fake = Fake::new();
    let (pool, service) = pool_of(&fake, cap(1));
    let lease = pool.lease(within(service, MINUTE)).await.expect("a lease");
    let began = Instant::now();
    let late = spawn_lease(&pool, service, Duration::from_secs(3));
    sleep(Duration::from_secs(2)).await;
    fake.connects(Does::Hangs);
    lease.close(Answer::Success);
    let error = late.await.expect("no panic").expect_err("a second is left, and it hangs");
    assert!(matches!(error, LeaseError::ConnectTimeout { .. }), "{error}");
    assert_eq!(began.elapsed(), Duration::from_secs(3));
}

#[tokio::test(start_paused = true)]
async fn seed_statistics_have_their_old_names() {
    let fake = Fake::new();
    let (pool, service) = pool_of(&fake, cap(50));
    pool.deduplicated(2);
    let _lease = pool.lease(within(service, MINUTE)).await.expect("a lease");
    fake.connects(Does::Hangs);
    let _connecting = spawn_lease(&pool, service, MINUTE);
    yield_now().await;
    let told = serde_json::to_value(pool.stats().seed()).expect("plain data");
    let expected = serde_json::json!({
        "max_concurrent_connections": 50, "active_connections": 1, "pooled_connections": 0,
        "active_tasks": 2, "pending_requests": 2,
        "circuit_breakers": { "total": 1, "open_or_half_open": 0 },
    });
    assert_eq!(told, expected);
}

// === what it did not test ===

type Spawned = tokio::task::JoinHandle<
    Result<assay_pool::Lease<crate::fake::Wire>, LeaseError<std::io::Error>>,
>;

fn spawn_lease(
    pool: &Arc<assay_pool::Pool<Fake>>,
    service: assay_pool::ServiceId,
    time: Duration,
) -> Spawned {
    let pool = Arc::clone(pool);
    tokio::spawn(async move { pool.lease(within(service, time)).await })
}

#[tokio::test(start_paused = true)]
async fn a_grant_that_nobody_took_goes_to_the_next_one() {
    let fake = Fake::new();
    let (pool, service) = pool_of(&fake, cap(1));
    let lease = pool.lease(within(service, MINUTE)).await.expect("a lease");
    let leaving = pool.lease(within(service, MINUTE));
    let mut leaving = Box::pin(leaving);
    assert!(timeout(Duration::ZERO, &mut leaving).await.is_err(), "it waits");
    let staying = spawn_lease(&pool, service, MINUTE);
    yield_now().await;
    lease.finish(Answer::Success);
    assert_eq!((pool.stats().active, pool.stats().waiting), (1, 1), "granted, and not taken yet");
    drop(leaving);
    let lease = staying.await.expect("no panic").expect("it is passed on");
    assert_eq!((lease.number, fake.open()), (0, 1), "the same connection, unused");
}

#[tokio::test(start_paused = true)]
async fn a_right_to_open_that_nobody_took_goes_to_the_next_one() {
    let fake = Fake::new();
    let (pool, service) = pool_of(&fake, cap(1));
    let lease = pool.lease(within(service, MINUTE)).await.expect("a lease");
    let mut leaving = Box::pin(pool.lease(within(service, MINUTE)));
    assert!(timeout(Duration::ZERO, &mut leaving).await.is_err(), "it waits");
    drop(lease);
    assert_eq!((pool.stats().connecting, fake.open()), (1, 0), "granted, and not taken yet");
    drop(leaving);
    assert_eq!(pool.stats().open(), 0);
}

#[tokio::test(start_paused = true)]
async fn what_an_operator_opened_is_refused_with_a_time_that_somebody_can_wait() {
    let (pool, _) = pool_of(&Fake::new(), cap(1));
    let other = pool.service("dynamic");
    let endpoint = pool.add(other, EndpointTerms::local("c", 1));
    pool.set_mode(endpoint, Mode::ForcedOpen);
    let error = pool.lease(within(other, MINUTE)).await.expect_err("it is open");
    assert_eq!((error.code(), error.retry_after()), ("circuit_open", Some(MINUTE)));
    pool.set_mode(endpoint, Mode::Off);
    assert!(pool.lease(within(other, MINUTE)).await.is_ok());
    let nowhere = pool.service("performance");
    let error = pool.lease(within(nowhere, MINUTE)).await.expect_err("it has no replica");
    assert_eq!((error.code(), error.retry_after()), ("unavailable", None));
}

#[tokio::test(start_paused = true)]
async fn a_panic_gives_everything_back() {
    let fake = Fake::new();
    let (pool, service) = pool_of(&fake, cap(1));
    fake.connects(Does::Panics);
    assert!(spawn_lease(&pool, service, MINUTE).await.is_err(), "the connector panics");
    fake.connects(Does::Connects);
    let lease = pool.lease(within(service, MINUTE)).await.expect("its permit is back");
    let holder = tokio::spawn(async move {
        let _lease = lease;
        panic!("as told");
    });
    assert!(holder.await.is_err());
    assert_eq!((fake.open(), pool.stats().open()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn the_last_used_is_used_first_and_tried_when_it_idled_long() {
    let fake = Fake::new();
    let (pool, service) = pool_of(&fake, cap(5));
    let first = pool.lease(within(service, MINUTE)).await.expect("a lease");
    let second = pool.lease(within(service, MINUTE)).await.expect("a lease");
    first.finish(Answer::Success);
    second.finish(Answer::Success);
    fake.lives(Does::Fails);
    sleep(ms(500)).await;
    let lease = pool.lease(within(service, MINUTE)).await.expect("a lease");
    assert_eq!(lease.number, 1, "500 ms are not over 500 ms");
    lease.finish(Answer::Success);
    sleep(ms(501)).await;
    let lease = pool.lease(within(service, MINUTE)).await.expect("a lease");
    assert_eq!((lease.number, fake.open()), (2, 2), "a dead one is replaced on its permit");
    assert_eq!((pool.stats().opened, pool.stats().closed), (3, 1), "and counted as closed");
    fake.lives(Does::Hangs);
    lease.finish(Answer::Success);
    sleep(ms(501)).await;
    let lease = pool.lease(within(service, MINUTE)).await.expect("a lease");
    assert_eq!((lease.number, fake.open()), (3, 2), "a mute one too");
}

#[tokio::test(start_paused = true)]
async fn idle_ones_are_reaped_and_old_ones_retired() {
    let fake = Fake::new();
    let terms = PoolTerms { max_lifetime: Duration::from_mins(20), ..cap(5) };
    let (pool, service) = pool_of(&fake, terms);
    sleep(ms(1)).await; // the keeper has gone to sleep, for ever
    pool.lease(within(service, MINUTE)).await.expect("a lease").finish(Answer::Success);
    sleep(Duration::from_secs(299)).await;
    assert_eq!((fake.open(), pool.stats().idle), (1, 1));
    sleep(Duration::from_secs(2)).await;
    assert_eq!((fake.open(), pool.stats().open()), (0, 0), "reaped");
    let lease = pool.lease(within(service, MINUTE)).await.expect("a lease");
    sleep(Duration::from_mins(20)).await;
    lease.finish(Answer::Success);
    sleep(ms(1)).await;
    assert_eq!((fake.open(), pool.stats().open()), (0, 0), "retired");
}

#[tokio::test(start_paused = true)]
async fn a_waiter_gets_the_permit_of_another_endpoints_oldest_idle_one() {
    let fake = Fake::new();
    let (pool, service) = pool_of(&fake, cap(2));
    let other = pool.service("dynamic");
    pool.add(other, EndpointTerms::local("b", 10));
    let old = pool.lease(within(service, MINUTE)).await.expect("a lease");
    let busy = pool.lease(within(service, MINUTE)).await.expect("a lease");
    old.finish(Answer::Success);
    fake.closes(Does::Hangs);
    let began = Instant::now();
    let lease = pool.lease(within(other, MINUTE)).await.expect("in its place");
    assert_eq!(began.elapsed(), Duration::from_secs(1), "a goodbye is cut off");
    let stats = pool.stats();
    assert_eq!((fake.open(), fake.most(), stats.active, stats.evicted), (2, 2, 2, 1));
    drop((busy, lease));
    assert_eq!(fake.open(), 0, "dropping closes");
}

#[tokio::test(start_paused = true)]
async fn beyond_the_queue_the_answer_is_overloaded_at_once() {
    let fake = Fake::new();
    let (pool, service) = pool_of(&fake, PoolTerms { queue_max: 3, ..cap(1) });
    let _lease = pool.lease(within(service, MINUTE)).await.expect("a lease");
    let waiting: Vec<_> = (0..3).map(|_| spawn_lease(&pool, service, MINUTE)).collect();
    yield_now().await;
    let began = Instant::now();
    let error = pool.lease(within(service, MINUTE)).await.expect_err("the queue is full");
    assert_eq!((error.code(), began.elapsed()), ("overloaded", Duration::ZERO));
    assert!(error.retry_after().is_some_and(|pause| pause >= ms(100)), "{error}");
    assert_eq!(pool.stats().waiting, 3);
    drop(waiting);
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_closes_idle_ones_and_waits_for_busy_ones() {
    let fake = Fake::new();
    let (pool, service) = pool_of(&fake, cap(3));
    let leases: Vec<_> = [
        pool.lease(within(service, MINUTE)).await,
        pool.lease(within(service, MINUTE)).await,
        pool.lease(within(service, MINUTE)).await,
    ]
    .into_iter()
    .map(|lease| lease.expect("a lease"))
    .collect();
    let waiter = spawn_lease(&pool, service, MINUTE);
    yield_now().await;
    let mut leases = leases.into_iter();
    let still_out = pool.shut_down(Instant::now() + ms(100)).await;
    assert_eq!(still_out, 3, "they are out yet");
    let refused = waiter.await.expect("no panic").expect_err("nobody is served any more");
    assert_eq!(refused.code(), "draining");
    let (first, second, third) = (leases.next(), leases.next(), leases.next());
    first.expect("three").finish(Answer::Success);
    let rest = tokio::spawn(async move {
        sleep(ms(50)).await;
        drop((second, third));
    });
    let began = Instant::now();
    assert_eq!(pool.shut_down(began + MINUTE).await, 0);
    assert_eq!((began.elapsed(), fake.open()), (ms(50), 0));
    rest.await.expect("no panic");
}

#[tokio::test(start_paused = true)]
async fn a_hanging_endpoint_is_to_blame_and_a_short_deadline_is_not() {
    let fake = Fake::new();
    let (pool, service) = pool_of(&fake, cap(3));
    fake.connects(Does::Hangs);
    let row = || pool.stats().breakers[0].reading.failures_in_a_row;
    pool.lease(within(service, ms(200))).await.expect_err("it hangs");
    assert_eq!(row(), 0);
    pool.lease(within(service, Duration::from_secs(1))).await.expect_err("it hangs");
    assert_eq!(row(), 1);
    let began = Instant::now();
    pool.lease(within(service, MINUTE)).await.expect_err("it hangs");
    assert_eq!((row(), began.elapsed()), (2, Duration::from_secs(10)));
}

#[tokio::test(start_paused = true)]
async fn fifty_callers_on_five_permits_wait_about_as_long_as_each_other() {
    let fake = Fake::new();
    let (pool, service) = pool_of(&fake, cap(5));
    let end = Instant::now() + Duration::from_secs(4);
    let mut callers = JoinSet::new();
    for _ in 0..50 {
        let pool = Arc::clone(&pool);
        callers.spawn(async move {
            let mut waits = Vec::new();
            while Instant::now() < end {
                let asked = Instant::now();
                let lease = pool.lease(within(service, MINUTE)).await.expect("all are served");
                waits.push(asked.elapsed());
                sleep(ms(10)).await;
                lease.finish(Answer::Success);
            }
            waits
        });
    }
    let waits: Vec<Duration> = callers.join_all().await.into_iter().flatten().collect();
    let served = u32::try_from(waits.len()).expect("few");
    let mean = waits.iter().sum::<Duration>() / served;
    let longest = waits.iter().max().copied().expect("some");
    assert!(served >= 1_500, "{served} served");
    assert!(longest <= 3 * mean, "longest {longest:?}, mean {mean:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn statistics_are_of_one_moment() {
    let (pool, service) = pool_of(&Fake::new(), cap(3));
    let mut callers = JoinSet::new();
    for _ in 0..6 {
        let pool = Arc::clone(&pool);
        callers.spawn(async move {
            for _ in 0..2_000 {
                let lease = pool.lease(within(service, MINUTE)).await.expect("all are served");
                lease.finish(Answer::Success);
                yield_now().await;
            }
        });
    }
    let mut looks = 0;
    while !callers.is_empty() && looks < 1_000_000 {
        let stats = pool.stats();
        assert_eq!(stats.opened - stats.closed, stats.open() as u64, "{stats:?}");
        let ended = stats.granted + stats.refused + stats.gave_up;
        assert_eq!(stats.asked, ended + stats.waiting as u64, "{stats:?}");
        while callers.try_join_next().is_some_and(|caller| caller.is_ok()) {}
        looks += 1;
    }
    assert!(looks > 10, "{looks}");
}
