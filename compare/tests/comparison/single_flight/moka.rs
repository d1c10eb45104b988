//! moka: `get_with` and `try_get_with`.

use super::work::{Work, panics};
use crate::{paused, polled};
use futures_util::{
    FutureExt,
    future::{self, BoxFuture},
};
use moka::future::Cache;
use std::{sync::Arc, time::Duration};
use tokio::time::timeout;

fn get(cache: &Cache<u8, u8>, work: &Work) -> BoxFuture<'static, u8> {
    let (cache, work) = (cache.clone(), work.clone());
    async move { cache.get_with(1, work.run(7)).await }.boxed()
}

type Fallible = BoxFuture<'static, Result<u8, Arc<&'static str>>>;

fn try_get(cache: &Cache<u8, u8>, work: &Work) -> Fallible {
    let (cache, work) = (cache.clone(), work.clone());
    async move { cache.try_get_with(1, work.run(Err("the reason"))).await }.boxed()
}

fn three(cache: &Cache<u8, u8>, work: &Work) -> [BoxFuture<'static, u8>; 3] {
    let mut callers = [(); 3].map(|()| get(cache, work));
    callers.iter_mut().for_each(|caller| assert!(polled(caller).is_none()));
    callers
}

pub fn runs_once() -> bool {
    let (cache, work) = (Cache::new(10), Work::new());
    let callers = three(&cache, &work);
    work.let_go();
    callers.into_iter().all(|caller| polled(caller) == Some(7)) && work.starts() == 1
}

pub fn first_may_leave() -> bool {
    let (cache, work) = (Cache::new(10), Work::new());
    let [first, second, third] = three(&cache, &work);
    drop(first);
    work.let_go();
    let told = [second, third].map(polled);
    assert_eq!(told, [Some(7); 2], "the others are served all the same");
    work.starts() == 1
}

pub fn panic_reaches_all() -> bool {
    let (cache, work) = (Cache::<u8, u8>::new(10), Work::new());
    let mut callers = [(); 3].map(|()| {
        let (cache, work) = (cache.clone(), work.clone());
        async move { cache.get_with(1, work.panic()).await }.boxed()
    });
    callers.iter_mut().for_each(|caller| assert!(polled(caller).is_none()));
    work.let_go();
    let told = callers.iter_mut().filter_map(|caller| panics(caller).then_some(())).count();
    (told, work.starts()) == (3, 1)
}

pub fn failure_reaches_all() -> bool {
    let (cache, work) = (Cache::new(10), Work::new());
    let mut callers = [(); 3].map(|()| try_get(&cache, &work));
    callers.iter_mut().for_each(|caller| assert!(polled(caller).is_none()));
    work.let_go();
    let all = callers.into_iter().all(|caller| polled(caller) == Some(Err(Arc::new("the reason"))));
    all && work.starts() == 1
}

pub fn failure_is_forgotten() -> bool {
    let (cache, work) = (Cache::new(10), Work::new());
    work.let_go();
    for _ in 0..2 {
        assert!(polled(try_get(&cache, &work)).is_some_and(|told| told.is_err()));
    }
    work.starts() == 2
}

pub fn stops_with_the_last() -> bool {
    let (cache, work) = (Cache::new(10), Work::new());
    let callers = three(&cache, &work);
    let was_running = work.stopped() == 0;
    drop(callers);
    was_running && work.stopped() == work.starts()
}

pub fn detached_goes_on() -> bool {
    let (cache, work) = (Cache::<u8, u8>::new(10), Work::new());
    let mut caller = get(&cache, &work);
    assert!(polled(&mut caller).is_none());
    drop(caller);
    work.stopped() == 0
}

/// It takes 80 s; one waits for a minute, the other for a minute and a half.
pub fn deadline_is_the_latest() -> bool {
    paused().block_on(async {
        let (cache, work) = (Cache::<u8, u8>::new(10), Work::new());
        let within = |seconds| {
            let lasts = work.clone().lasts(Duration::from_secs(80), 7);
            timeout(Duration::from_secs(seconds), cache.get_with(1, lasts))
        };
        let (first, second) = future::join(within(60), within(90)).await;
        assert!(first.is_err(), "it is not done by then");
        second.is_ok()
    })
}

/// Who doubts what is under way invalidates the key before he asks.
pub fn refresh_waits() -> bool {
    let (cache, work) = (Cache::<u8, u8>::new(10), Work::new());
    let mut first = get(&cache, &work);
    assert!(polled(&mut first).is_none());
    let mut refreshes = [(); 2].map(|()| {
        let (cache, work) = (cache.clone(), work.clone());
        let refreshed = async move {
            cache.invalidate(&1).await;
            cache.get_with(1, work.run(8)).await
        };
        refreshed.boxed()
    });
    refreshes.iter_mut().for_each(|refresh| assert!(polled(refresh).is_none()));
    let waits = work.starts() == 1;
    work.let_go();
    assert_eq!(polled(first), Some(7));
    let told = refreshes.map(polled);
    waits && told == [Some(8); 2] && work.starts() == 2
}
