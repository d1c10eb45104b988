//! Thousands of seeds against the shell, under paused time: callers that leave at random moments,
//! endpoints that fail, hang and die, and every invariant whenever somebody looks.

use crate::{
    fake::{Fake, within},
    seeds::{at, each, one_of},
};
use assay_pool::{EndpointTerms, Pool, PoolTerms, ServiceId};
use assay_rules::{Dice, breaker::Answer};
use std::{num::NonZeroU32, sync::Arc, time::Duration};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep},
};

const CALLERS: usize = 12;

/// One caller's plan, thrown before it begins.
#[derive(Clone, Copy)]
struct Plan {
    service: ServiceId,
    begins: Duration,
    patience: Duration,
    works: Duration,
    answer: Option<Answer>,
    /// When somebody aborts it, wherever it is then.
    aborted: Option<Duration>,
}

fn ms(dice: &mut Dice, below: u64) -> Duration {
    Duration::from_millis(dice.below(below))
}

fn plan(dice: &mut Dice, services: &[ServiceId]) -> Plan {
    let answers = [
        Some(Answer::Success),
        Some(Answer::Success),
        Some(Answer::Failure),
        Some(Answer::Ignored),
        None,
    ];
    Plan {
        service: one_of(dice, services),
        begins: ms(dice, 2_000),
        patience: ms(dice, 12_000),
        works: ms(dice, 1_500),
        answer: one_of(dice, &answers),
        aborted: (dice.below(3) == 0).then(|| ms(dice, 4_000)),
    }
}

async fn call(pool: Arc<Pool<Fake>>, plan: Plan) {
    sleep(plan.begins).await;
    let asked = Instant::now();
    let lease = pool.lease(within(plan.service, plan.patience)).await;
    let late = asked.elapsed().saturating_sub(plan.patience);
    assert!(late <= Duration::from_millis(1), "answered {late:?} after the deadline");
    let Ok(lease) = lease else { return };
    sleep(plan.works).await;
    match plan.answer {
        Some(answer @ Answer::Failure) => lease.close(answer),
        Some(answer) => lease.finish(answer),
        None => drop(lease),
    }
}

fn check(pool: &Pool<Fake>, fake: &Fake, cap: usize) {
    let stats = pool.stats();
    assert_eq!(stats.opened - stats.closed, stats.open() as u64, "{stats:?}");
    assert!(stats.open() <= cap && fake.open() <= stats.open(), "{} real: {stats:?}", fake.open());
    let ended = stats.granted + stats.refused + stats.gave_up;
    assert_eq!(stats.asked, ended + stats.waiting as u64, "{stats:?}");
    assert_eq!(stats.waits.count, stats.granted);
}

async fn simulate(dice: &mut Dice) {
    let cap = 1 + at(dice, 4);
    let max_connections = NonZeroU32::new(cap.try_into().expect("few")).expect("at least 1");
    let terms = PoolTerms {
        max_connections,
        queue_max: one_of(dice, &[2, 100]),
        idle_timeout: Duration::from_secs(one_of(dice, &[1, 300])),
        ..PoolTerms::default()
    };
    let fake = Fake::by_chance(dice.next_u64());
    let pool = Arc::new(Pool::start(fake.clone(), terms, Dice::seeded(dice.next_u64())));
    let services = ["static", "dynamic"].map(|name| pool.service(name));
    for service in services {
        pool.add(service, EndpointTerms::local("a", one_of(dice, &[1, 3])));
        pool.add(service, EndpointTerms::local("b", 3));
    }
    let mut callers = JoinSet::new();
    for _ in 0..CALLERS {
        let plan = plan(dice, &services);
        let caller = callers.spawn(call(Arc::clone(&pool), plan));
        if let Some(at) = plan.aborted {
            tokio::spawn(async move {
                sleep(at).await;
                caller.abort();
            });
        }
    }
    while let Some(caller) = callers.join_next().await {
        assert!(caller.is_ok() || caller.is_err_and(|error| error.is_cancelled()), "a panic");
        check(&pool, &fake, cap);
    }
    let stats = pool.stats();
    assert_eq!((stats.waiting, stats.active, stats.connecting), (0, 0, 0), "{stats:?}");
    assert_eq!(pool.shut_down(Instant::now() + Duration::from_secs(10)).await, 0);
    assert_eq!((fake.open(), pool.stats().open()), (0, 0), "something is left");
    assert!(fake.most() <= cap, "{} open at once under a cap of {cap}", fake.most());
}

#[test]
fn callers_that_leave_at_any_moment_leave_nothing() {
    each("callers_that_leave", 1_000, |dice| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .expect("a runtime");
        runtime.block_on(simulate(dice));
    });
}
