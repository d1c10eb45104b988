//! Question: what does a lease cost beside the work that it is for, when nobody waits and when 1,000
//! wait? Expected: a few microseconds each, the second little dearer than the first, since only the
//! first of each queue is looked at.
//!
//! `machine` is the decision alone; `pool` adds the lock, the future and the deadline.

use assay_pool::{
    Connect, EndpointTerms, Pool, PoolTerms, Wish,
    machine::{After, ConnectionId, Machine, Order, ServiceId},
};
use assay_rules::{Dice, Instant, breaker::Answer};
use criterion::{Criterion, criterion_group, criterion_main};
use std::{convert::Infallible, hint::black_box, time::Duration};

const WAITING: usize = 1_000;

fn machine(queue_max: usize) -> (Machine, ServiceId) {
    let mut machine =
        Machine::new(PoolTerms { queue_max, ..PoolTerms::default() }, Dice::seeded(1));
    let service = machine.service("static");
    for nth in 0..3 {
        machine.add(service, EndpointTerms::local(&nth.to_string(), 100), Instant::START);
    }
    (machine, service)
}

/// Takes the next grant, as a driver would.
fn granted(machine: &mut Machine) -> ConnectionId {
    let Some(Order::Grant { connection, .. }) = machine.next_order() else { panic!("no grant") };
    machine.connected(connection);
    connection
}

fn decisions(criterion: &mut Criterion) {
    let now = Instant::after_start(Duration::from_mins(1));
    let (mut free, service) = machine(WAITING);
    criterion.bench_function("machine/ask and end, nobody waits", |bench| {
        bench.iter(|| {
            free.ask(service, None, now);
            let connection = granted(&mut free);
            black_box(free.end(connection, Answer::Success, After::Keep, now))
        });
    });
    let (mut full, service) = machine(WAITING + 1);
    let cap = PoolTerms::default().max_connections.get();
    let mut leases: Vec<_> = (0..cap)
        .map(|_| {
            full.ask(service, None, now);
            granted(&mut full)
        })
        .collect();
    for _ in 0..WAITING {
        full.ask(service, None, now);
    }
    criterion.bench_function("machine/ask and end, 1,000 wait", |bench| {
        bench.iter(|| {
            full.ask(service, None, now);
            let connection = leases.pop().expect("all permits are out");
            black_box(full.end(connection, Answer::Success, After::Keep, now));
            leases.push(granted(&mut full));
        });
    });
    assert_eq!(full.stats(now).waiting, WAITING);
}

/// Connections that cost nothing.
struct Free;

impl Connect for Free {
    type Connection = ();
    type Error = Infallible;

    async fn connect(&self, _: &str) -> Result<(), Infallible> {
        Ok(())
    }

    async fn is_alive(&self, (): &mut ()) -> bool {
        true
    }

    async fn close(&self, (): ()) {}
}

fn leases(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    let runtime = runtime.expect("a runtime");
    let pool = runtime.block_on(async { Pool::start(Free, PoolTerms::default(), Dice::seeded(1)) });
    let service = pool.service("static");
    pool.add(service, EndpointTerms::local("a", 100));
    criterion.bench_function("pool/lease and finish, nobody waits", |bench| {
        bench.iter(|| {
            runtime.block_on(async {
                let deadline = tokio::time::Instant::now() + Duration::from_mins(1);
                let wish = Wish { service, deadline, avoid: None };
                let lease = pool.lease(wish).await.expect("nothing is in the way");
                lease.finish(Answer::Success);
            });
        });
    });
}

criterion_group!(benches, decisions, leases);
criterion_main!(benches);
