//! A connection taken and given back: when nobody else wants it, and when 1,000 wait for it. Then a
//! step is one who comes, one who gives back, and the one whose turn has come.
//!
//! Connections cost nothing. deadpool knows no deadline unless it is told to; it stands here without
//! and with one.

use super::{Repeat, Step};
use assay_pool::{Connect, EndpointTerms, Lease, Pool, PoolTerms, Wish};
use assay_rules::{Dice, balance::BalanceTerms, breaker::Answer};
use deadpool::{Runtime as DeadpoolRuntime, managed};
use futures_util::{FutureExt, future::BoxFuture};
use std::{collections::VecDeque, convert::Infallible, num::NonZeroU32, sync::Arc, time::Duration};
use tokio::{
    runtime::{Builder, Runtime},
    time::Instant,
};

const FREE: &str = "pool: take and give back, nobody waits";
const QUEUE: &str = "pool: come, give back and be served, 1,000 wait";

pub(super) const STEPS: &[Step] = &[
    Step { what: FREE, of: "ours", make: || free(ours) },
    Step { what: FREE, of: "bb8", make: || free(bb8) },
    Step { what: FREE, of: "deadpool, no deadline", make: || free(deadpool) },
    Step { what: FREE, of: "deadpool", make: || free(deadpool_in_time) },
    Step { what: QUEUE, of: "ours", make: || queue(ours) },
    Step { what: QUEUE, of: "bb8", make: || queue(bb8) },
    Step { what: QUEUE, of: "deadpool, no deadline", make: || queue(deadpool) },
    Step { what: QUEUE, of: "deadpool", make: || queue(deadpool_in_time) },
];

const WAITING: usize = 1_000;
const PATIENCE: Duration = Duration::from_secs(30);

/// A pool of one connection, as one who wants it sees it.
struct One<T> {
    ask: Box<dyn Fn() -> BoxFuture<'static, T>>,
    give_back: fn(T),
}

fn free<T: 'static>(make: fn(&Runtime) -> One<T>) -> Repeat {
    let runtime = runtime();
    let one = make(&runtime);
    repeat_in(runtime, move || {
        let held = (one.ask)().now_or_never().expect("nobody waits");
        (one.give_back)(held);
    })
}

fn queue<T: 'static>(make: fn(&Runtime) -> One<T>) -> Repeat {
    let runtime = runtime();
    let one = make(&runtime);
    let entered = runtime.enter();
    let mut held = (one.ask)().now_or_never();
    let comes = move |ask: &dyn Fn() -> BoxFuture<'static, T>| {
        let mut waits = ask();
        assert!((&mut waits).now_or_never().is_none(), "the connection is held");
        waits
    };
    let mut waiting: VecDeque<_> = (0..WAITING).map(|_| comes(&one.ask)).collect();
    drop(entered);
    repeat_in(runtime, move || {
        waiting.push_back(comes(&one.ask));
        (one.give_back)(held.take().expect("it is always held"));
        held = waiting.pop_front().and_then(FutureExt::now_or_never);
        assert!(held.is_some(), "his turn has come");
    })
}

/// Timers are made in it; it is never driven, since nobody waits for it.
fn runtime() -> Runtime {
    Builder::new_current_thread().enable_time().build().expect("a runtime can be made")
}

fn repeat_in(runtime: Runtime, mut step: impl FnMut() + 'static) -> Repeat {
    Box::new(move |times| {
        let _entered = runtime.enter();
        (0..times).for_each(|_| step());
    })
}

struct Nothing;

impl Connect for Nothing {
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

fn ours(runtime: &Runtime) -> One<Lease<()>> {
    let _entered = runtime.enter();
    let (max_connections, queue_max) = (NonZeroU32::MIN, WAITING + 1);
    // All replicas are warm, as they are but for their first half minute.
    let balance = BalanceTerms { slow_start: Duration::ZERO, ..BalanceTerms::default() };
    let terms = PoolTerms { max_connections, queue_max, balance, ..PoolTerms::default() };
    let pool = Arc::new(Pool::start(Nothing, terms, Dice::seeded(1)));
    let service = pool.service("one");
    pool.add(service, EndpointTerms::local("one", 1));
    let ask = move || {
        let pool = Arc::clone(&pool);
        async move {
            let deadline = Instant::now() + PATIENCE;
            let lease = pool.lease(Wish { service, deadline, avoid: None }).await;
            lease.expect("nothing refuses")
        }
        .boxed()
    };
    One { ask: Box::new(ask), give_back: |lease| lease.finish(Answer::Success) }
}

impl bb8::ManageConnection for Nothing {
    type Connection = ();
    type Error = Infallible;

    async fn connect(&self) -> Result<(), Infallible> {
        Ok(())
    }

    async fn is_valid(&self, (): &mut ()) -> Result<(), Infallible> {
        Ok(())
    }

    fn has_broken(&self, (): &mut ()) -> bool {
        false
    }
}

fn bb8(runtime: &Runtime) -> One<bb8::PooledConnection<'static, Nothing>> {
    let pool = bb8::Pool::builder().max_size(1).min_idle(1).connection_timeout(PATIENCE);
    let pool = runtime.block_on(pool.build(Nothing)).expect("nothing can fail");
    let ask = move || {
        let pool = pool.clone();
        async move { pool.get_owned().await.expect("nothing refuses") }.boxed()
    };
    One { ask: Box::new(ask), give_back: drop }
}

impl managed::Manager for Nothing {
    type Type = ();
    type Error = Infallible;

    async fn create(&self) -> Result<(), Infallible> {
        Ok(())
    }

    async fn recycle(
        &self,
        (): &mut (),
        _: &managed::Metrics,
    ) -> managed::RecycleResult<Infallible> {
        Ok(())
    }
}

fn deadpool(_: &Runtime) -> One<managed::Object<Nothing>> {
    deadpool_one(None)
}

fn deadpool_in_time(_: &Runtime) -> One<managed::Object<Nothing>> {
    deadpool_one(Some(PATIENCE))
}

fn deadpool_one(patience: Option<Duration>) -> One<managed::Object<Nothing>> {
    let pool = managed::Pool::builder(Nothing).max_size(1).runtime(DeadpoolRuntime::Tokio1);
    let pool: managed::Pool<Nothing> = pool.wait_timeout(patience).build().expect("it has one");
    let ask = move || {
        let pool = pool.clone();
        async move { pool.get().await.expect("nothing refuses") }.boxed()
    };
    One { ask: Box::new(ask), give_back: drop }
}
