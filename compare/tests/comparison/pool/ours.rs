//! Ours.

use super::{CALLERS, Connection, Count, HOLDS, LASTS, Noted, PERMITS};
use crate::{paused, polled};
use assay_pool::{Connect, EndpointTerms, Lease, LeaseError, Pool, PoolTerms, Wish};
use assay_rules::{Dice, breaker::Answer};
use futures_util::{FutureExt, future};
use std::{convert::Infallible, num::NonZeroU32, sync::Arc};
use tokio::time::Instant;

impl Connect for Count {
    type Connection = Connection;
    type Error = Infallible;

    async fn connect(&self, _: &str) -> Result<Connection, Infallible> {
        Ok(Count::connect(self).await)
    }

    async fn is_alive(&self, _: &mut Connection) -> bool {
        true
    }

    async fn close(&self, connection: Connection) {
        drop(connection);
    }
}

/// A pool with one service.
struct One {
    pool: Pool<Count>,
    wish: Wish,
}

impl One {
    fn start(permits: usize, queue_max: usize, count: Count) -> Self {
        let permits = u32::try_from(permits).expect("a small number");
        let max_connections = NonZeroU32::new(permits).expect("not 0");
        let terms = PoolTerms { max_connections, queue_max, ..PoolTerms::default() };
        let pool = Pool::start(count, terms, Dice::seeded(1));
        let service = pool.service("one");
        pool.add(service, EndpointTerms::local("one", permits));
        Self { pool, wish: Wish { service, deadline: Instant::now() + 10 * LASTS, avoid: None } }
    }

    async fn get(&self) -> Result<Lease<Connection>, LeaseError<Infallible>> {
        self.pool.lease(self.wish).await
    }
}

pub fn cap_counts_connecting() -> bool {
    paused().block_on(async {
        let count = Count::default();
        let one = One::start(PERMITS, CALLERS, count.clone());
        let hold = || async {
            let held = one.get().await.expect("nothing can fail");
            tokio::time::sleep(HOLDS).await;
            held.finish(Answer::Success);
        };
        future::join_all((0..CALLERS).map(|_| hold())).await;
        count.most() == PERMITS
    })
}

pub fn waiters_come_first() -> bool {
    paused().block_on(async {
        let one = One::start(1, CALLERS, Count::default());
        let held = one.get().await.expect("there is one");
        let mut waits = one.get().boxed();
        assert!(polled(&mut waits).is_none());
        held.finish(Answer::Success);
        let comes_later = polled(one.get().boxed());
        comes_later.is_none() && polled(&mut waits).is_some()
    })
}

pub fn is_fair() -> bool {
    paused().block_on(async {
        let one = Arc::new(One::start(PERMITS, CALLERS, Count::default()));
        super::is_fair(move |noted: Noted| {
            let one = Arc::clone(&one);
            async move {
                let held = one.get().await.expect("nothing can fail");
                noted.got();
                tokio::time::sleep(HOLDS).await;
                held.finish(Answer::Success);
            }
        })
        .await
    })
}

pub fn dropped_waiter_leaves_no_trace() -> bool {
    paused().block_on(async {
        let one = One::start(1, CALLERS, Count::default());
        let held = one.get().await.expect("there is one");
        let mut waiters = [one.get().boxed(), one.get().boxed()];
        waiters.iter_mut().for_each(|waiter| assert!(polled(waiter).is_none()));
        let [first, second] = waiters;
        held.finish(Answer::Success);
        drop(first);
        polled(second).is_some_and(|got| got.is_ok())
    })
}

pub fn queue_is_bounded() -> bool {
    paused().block_on(async {
        let one = One::start(1, 1, Count::default());
        let _held = one.get().await.expect("there is one");
        let mut waits = one.get().boxed();
        assert!(polled(&mut waits).is_none());
        polled(one.get().boxed()).is_some_and(|told| told.is_err())
    })
}
