//! A call to one of many replicas with nothing to do: picked, begun and answered at once.

use super::{Repeat, Step, repeat};
use assay_rules::{
    Dice, Instant,
    balance::{Answered, BalanceTerms, Balancer, Pick, ReplicaTerms, Zone},
};
use futures_util::{
    FutureExt,
    future::{self, Ready},
};
use std::{convert::Infallible, time::Duration};
use tower::{
    Service,
    balance::p2c::Balance,
    discover::ServiceList,
    load::{CompleteOnResponse, PendingRequests},
};

const FEW: &str = "pick, begin and answer among 3";
const SOME: &str = "pick, begin and answer among 50";
const MANY: &str = "pick, begin and answer among 1,000";

pub(super) const STEPS: &[Step] = &[
    Step { what: FEW, of: "ours", make: ours::<3> },
    Step { what: FEW, of: "tower", make: tower::<3> },
    Step { what: SOME, of: "ours", make: ours::<50> },
    Step { what: SOME, of: "tower", make: tower::<50> },
    Step { what: MANY, of: "ours", make: ours::<1_000> },
    Step { what: MANY, of: "tower", make: tower::<1_000> },
];

fn ours<const REPLICAS: usize>() -> Repeat {
    let mut balancer = Balancer::new(BalanceTerms::default());
    for _ in 0..REPLICAS {
        balancer.add(ReplicaTerms { zone: Zone(0), slots: 8, weight: 1 }, Instant::START);
    }
    // All are warm by then.
    let (now, mut dice) = (Instant::after_start(Duration::from_mins(1)), Dice::seeded(1));
    repeat(move || {
        let Pick::Replica(id) = balancer.pick(now, &mut dice, None) else {
            panic!("there is room")
        };
        balancer.began(id);
        balancer.answered(id, Answered::Served, now);
    })
}

fn tower<const REPLICAS: usize>() -> Repeat {
    type Done = Ready<Result<(), Infallible>>;
    let run: fn(()) -> Done = |()| future::ready(Ok(()));
    let replica = || PendingRequests::new(tower::service_fn(run), CompleteOnResponse::default());
    let replicas: Vec<_> = (0..REPLICAS).map(|_| replica()).collect();
    let mut balance = Balance::new(ServiceList::new::<()>(replicas));
    repeat(move || {
        let ready = future::poll_fn(|cx| balance.poll_ready(cx)).now_or_never();
        assert!(ready.is_some_and(|ready| ready.is_ok()));
        assert!(balance.call(()).now_or_never().is_some_and(|done| done.is_ok()));
    })
}
