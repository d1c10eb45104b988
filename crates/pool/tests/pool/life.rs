//! The shell's task and what it is told of replicas: slow probes, a drain, the end of the pool.

use crate::fake::{Does, Fake, pool_of, within};
use assay_pool::{EndpointTerms, PoolTerms};
use assay_rules::breaker::Answer;
use std::time::Duration;
use tokio::time::sleep;

const MINUTE: Duration = Duration::from_mins(1);

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_answers_its_probe_within_a_second_is_used_again() {
    let fake = Fake::new();
    let (pool, service) = pool_of(&fake, PoolTerms::default());
    for (answers_after, number) in [(999, 0), (1_001, 1)] {
        pool.lease(within(service, MINUTE)).await.expect("a lease").finish(Answer::Success);
        sleep(ms(501)).await;
        fake.lives(Does::ConnectsAfter(ms(answers_after)));
        let lease = pool.lease(within(service, MINUTE)).await.expect("a lease");
        assert_eq!(lease.number, number, "after {answers_after} ms");
        lease.finish(Answer::Success);
    }
}

#[tokio::test(start_paused = true)]
async fn a_drained_replica_loses_its_idle_connections_and_gets_no_leases() {
    let fake = Fake::new();
    let (pool, service) = pool_of(&fake, PoolTerms::default());
    let lease = pool.lease(within(service, MINUTE)).await.expect("a lease");
    let drained = lease.endpoint();
    lease.finish(Answer::Success);
    pool.drain(drained);
    sleep(ms(1)).await;
    assert_eq!((fake.open(), pool.stats().open()), (0, 0));
    let error = pool.lease(within(service, MINUTE)).await.expect_err("it has no other");
    assert_eq!(error.code(), "unavailable");
    let other = pool.add(service, EndpointTerms::local("b", 1));
    let lease = pool.lease(within(service, MINUTE)).await.expect("a lease");
    assert_eq!(lease.endpoint(), other);
}

#[tokio::test(start_paused = true)]
async fn a_pool_that_is_dropped_leaves_no_task_and_its_leases_stay_good() {
    let fake = Fake::new();
    let (pool, service) = pool_of(&fake, PoolTerms::default());
    let lease = pool.lease(within(service, MINUTE)).await.expect("a lease");
    sleep(ms(1)).await;
    drop(pool);
    sleep(ms(1)).await;
    assert_eq!((fake.connectors(), fake.open()), (0, 1));
    lease.finish(Answer::Success);
    assert_eq!(fake.open(), 0, "nobody can use it again");
}

#[tokio::test(start_paused = true)]
async fn what_is_printed_of_a_lease_names_its_endpoint() {
    let (pool, service) = pool_of(&Fake::new(), PoolTerms::default());
    let lease = pool.lease(within(service, MINUTE)).await.expect("a lease");
    assert_eq!(format!("{lease:?}"), "Lease { endpoint: EndpointId(0), .. }");
    assert!(format!("{pool:?}").starts_with("Pool { stats: Stats { cap: 50, "), "{pool:?}");
}
