//! async_singleflight: `Group::work`.

use super::work::{Work, panics};
use crate::{paused, polled};
use async_singleflight::Group;
use futures_util::{
    FutureExt,
    future::{self, BoxFuture},
};
use std::{sync::Arc, time::Duration};
use tokio::time::timeout;

type Flights = Arc<Group<u8, u8, &'static str>>;
type Caller = BoxFuture<'static, Result<u8, Option<&'static str>>>;

fn get(group: &Flights, work: &Work, result: Result<u8, &'static str>) -> Caller {
    let (group, work) = (Arc::clone(group), work.clone());
    async move { group.work(&1, work.run(result)).await }.boxed()
}

fn three(group: &Flights, work: &Work, result: Result<u8, &'static str>) -> [Caller; 3] {
    let mut callers = [(); 3].map(|()| get(group, work, result));
    callers.iter_mut().for_each(|caller| assert!(polled(caller).is_none()));
    callers
}

pub fn runs_once() -> bool {
    let (group, work) = (Flights::default(), Work::new());
    let callers = three(&group, &work, Ok(7));
    work.let_go();
    callers.into_iter().all(|caller| polled(caller) == Some(Ok(7))) && work.starts() == 1
}

pub fn first_may_leave() -> bool {
    let (group, work) = (Flights::default(), Work::new());
    let [first, second, third] = three(&group, &work, Ok(7));
    drop(first);
    work.let_go();
    let told = [second, third].map(polled);
    assert_eq!(told, [Some(Ok(7)); 2], "the others are served all the same");
    work.starts() == 1
}

pub fn panic_reaches_all() -> bool {
    let (group, work) = (Flights::default(), Work::new());
    let mut callers = [(); 3].map(|()| {
        let (group, work) = (Arc::clone(&group), work.clone());
        async move { group.work(&1, work.panic()).await }.boxed()
    });
    callers.iter_mut().for_each(|caller| assert!(polled(caller).is_none()));
    work.let_go();
    let told = callers.iter_mut().filter_map(|caller| panics(caller).then_some(())).count();
    (told, work.starts()) == (3, 1)
}

pub fn failure_reaches_all() -> bool {
    let (group, work) = (Flights::default(), Work::new());
    let callers = three(&group, &work, Err("the reason"));
    work.let_go();
    callers.into_iter().all(|caller| polled(caller) == Some(Err(Some("the reason"))))
}

pub fn failure_is_forgotten() -> bool {
    let (group, work) = (Flights::default(), Work::new());
    work.let_go();
    for _ in 0..2 {
        let told = polled(get(&group, &work, Err("the reason")));
        assert_eq!(told, Some(Err(Some("the reason"))));
    }
    work.starts() == 2
}

pub fn stops_with_the_last() -> bool {
    let (group, work) = (Flights::default(), Work::new());
    let callers = three(&group, &work, Ok(7));
    let was_running = work.stopped() == 0;
    drop(callers);
    was_running && work.stopped() == work.starts()
}

pub fn detached_goes_on() -> bool {
    let (group, work) = (Flights::default(), Work::new());
    let mut caller = get(&group, &work, Ok(7));
    assert!(polled(&mut caller).is_none());
    drop(caller);
    work.stopped() == 0
}

/// It takes 80 s; one waits for a minute, the other for a minute and a half.
pub fn deadline_is_the_latest() -> bool {
    paused().block_on(async {
        let (group, work) = (Flights::default(), Work::new());
        let within = |seconds| {
            let lasts = work.clone().lasts(Duration::from_secs(80), Ok(7));
            timeout(Duration::from_secs(seconds), group.work(&1, lasts))
        };
        let (first, second) = future::join(within(60), within(90)).await;
        assert!(first.is_err(), "it is not done by then");
        second.is_ok()
    })
}

/// Who doubts what is under way can only ask again.
pub fn refresh_waits() -> bool {
    let (group, work) = (Flights::default(), Work::new());
    let mut first = get(&group, &work, Ok(7));
    assert!(polled(&mut first).is_none());
    let mut refreshes = [(); 2].map(|()| get(&group, &work, Ok(8)));
    refreshes.iter_mut().for_each(|refresh| assert!(polled(refresh).is_none()));
    let waits = work.starts() == 1;
    work.let_go();
    assert_eq!(polled(first), Some(Ok(7)));
    let told = refreshes.map(polled);
    waits && told == [Some(Ok(8)); 2] && work.starts() == 2
}
