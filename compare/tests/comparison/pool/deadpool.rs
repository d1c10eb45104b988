//! deadpool.

use super::{CALLERS, CROWD, Connection, Count, HOLDS, Noted, PERMITS};
use crate::{paused, polled};
use deadpool::managed::{Manager, Metrics, Pool, RecycleResult};
use futures_util::{FutureExt, future};
use std::convert::Infallible;

impl Manager for Count {
    type Type = Connection;
    type Error = Infallible;

    async fn create(&self) -> Result<Connection, Infallible> {
        Ok(self.connect().await)
    }

    async fn recycle(&self, _: &mut Connection, _: &Metrics) -> RecycleResult<Infallible> {
        Ok(())
    }
}

fn pool(size: usize, count: Count) -> Pool<Count> {
    Pool::builder(count).max_size(size).build().expect("it needs no runtime")
}

pub fn cap_counts_connecting() -> bool {
    paused().block_on(async {
        let count = Count::default();
        let pool = pool(PERMITS, count.clone());
        let hold = || async {
            let held = pool.get().await.expect("nothing can fail");
            tokio::time::sleep(HOLDS).await;
            drop(held);
        };
        future::join_all((0..CALLERS).map(|_| hold())).await;
        count.most() == PERMITS
    })
}

pub fn waiters_come_first() -> bool {
    paused().block_on(async {
        let pool = pool(1, Count::default());
        let held = pool.get().await.expect("there is one");
        let mut waits = pool.get().boxed();
        assert!(polled(&mut waits).is_none());
        drop(held);
        let comes_later = polled(pool.get().boxed());
        comes_later.is_none() && polled(&mut waits).is_some()
    })
}

pub fn is_fair() -> bool {
    paused().block_on(async {
        let pool = pool(PERMITS, Count::default());
        super::is_fair(move |noted: Noted| {
            let pool = pool.clone();
            async move {
                let held = pool.get().await;
                noted.got();
                tokio::time::sleep(HOLDS).await;
                drop(held);
            }
        })
        .await
    })
}

pub fn dropped_waiter_leaves_no_trace() -> bool {
    paused().block_on(async {
        let pool = pool(1, Count::default());
        let held = pool.get().await.expect("there is one");
        let mut waiters = [pool.get().boxed(), pool.get().boxed()];
        waiters.iter_mut().for_each(|waiter| assert!(polled(waiter).is_none()));
        let [first, second] = waiters;
        drop(held);
        drop(first);
        polled(second).is_some_and(|got| got.is_ok())
    })
}

pub fn queue_is_bounded() -> bool {
    paused().block_on(async {
        let pool = pool(1, Count::default());
        let _held = pool.get().await.expect("there is one");
        let mut crowd: Vec<_> = (0..CROWD).map(|_| pool.get().boxed()).collect();
        crowd.iter_mut().any(|waiter| polled(waiter).is_some())
    })
}
