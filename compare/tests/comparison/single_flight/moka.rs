//! moka: `get_with` and `try_get_with`.

use super::work::{Work, panics};
use crate::polled;
use futures_util::{FutureExt, future::BoxFuture};
use moka::future::Cache;
use std::sync::Arc;

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
