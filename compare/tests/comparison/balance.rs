//! Choice of a replica by two random choices.

use assay_compare::table::{OURS, Table, no, not_offered, row, yes};

const TOWER: &str = "tower";

pub fn table() -> Table {
    let rows = vec![
        row(
            "of two replicas, the less busy one is taken",
            vec![yes(OURS, ours::less_busy_is_taken), yes(TOWER, tower::less_busy_is_taken)],
        ),
        row(
            "a replica that fails at once gets no more than its share of the calls",
            vec![
                yes(OURS, ours::fast_failures_draw_nothing),
                no(TOWER, tower::fast_failures_draw_nothing)
                    .note("by `PendingRequests`: whoever fails at once has nothing to do, and wins every comparison"),
            ],
        ),
        row(
            "none may be called: the answer is at once, and says when to try again",
            vec![
                yes(OURS, ours::none_is_an_answer),
                no(TOWER, tower::none_is_an_answer).note("it waits; a timeout around it ends that"),
            ],
        ),
        row(
            "a replica can be drained",
            vec![yes(OURS, ours::draining), yes(TOWER, tower::draining).note("`Change::Remove`")],
        ),
        row(
            "zones, near ones first, with spill-over",
            vec![
                yes(OURS, ours::zones),
                not_offered(TOWER, tower::zones)
                    .note("by `Constant` loads: of two that are drawn the nearer one, and two far ones are drawn too"),
            ],
        ),
        row(
            "weights: under load, one of two carries three quarters",
            vec![
                yes(OURS, ours::weights),
                not_offered(TOWER, tower::weights)
                    .note("`PendingRequests` gives a half to each, `Constant` all to one"),
            ],
        ),
        row(
            "a newcomer starts slowly",
            vec![yes(OURS, ours::slow_start), not_offered(TOWER, tower::slow_start)],
        ),
        row(
            "equal seeds give equal choices",
            vec![yes(OURS, ours::seed_decides), yes(TOWER, tower::seed_decides)],
        ),
    ];
    Table { title: "Choice of a replica", crates: &[OURS, TOWER], rows }
}

/// Calls of the simulation, and for how many calls a healthy replica is busy with one.
const CALLS: usize = 10_000;
const BUSY_FOR: usize = 20;
const REPLICAS: usize = 10;

/// Calls at once where two replicas carry them: half of what they can.
const OUTSTANDING: usize = 8;

/// To five parts in a hundred.
fn is_three_quarters(calls: usize) -> bool {
    (CALLS * 70 / 100..=CALLS * 80 / 100).contains(&calls)
}

mod ours {
    use super::{BUSY_FOR, CALLS, OUTSTANDING, REPLICAS};
    use assay_rules::{
        Dice, Instant,
        balance::{Answered, BalanceTerms, Balancer, Gate, Pick, ReplicaId, ReplicaTerms, Zone},
    };
    use std::{collections::VecDeque, time::Duration};

    const PLAIN: ReplicaTerms = ReplicaTerms { zone: Zone(0), slots: 8, weight: 1 };

    /// When all have started.
    fn warm() -> Instant {
        Instant::after_start(Duration::from_mins(1))
    }

    fn balancer(replicas: &[ReplicaTerms]) -> (Balancer, Vec<ReplicaId>) {
        let mut balancer = Balancer::new(BalanceTerms::default());
        let ids = replicas.iter().map(|terms| balancer.add(*terms, Instant::START)).collect();
        (balancer, ids)
    }

    fn pick(balancer: &mut Balancer, dice: &mut Dice) -> ReplicaId {
        let Pick::Replica(id) = balancer.pick(warm(), dice, None) else { panic!("there is room") };
        id
    }

    /// How many of 10,000 picks go to this one, with nothing outstanding.
    fn picks_of(balancer: &mut Balancer, id: ReplicaId) -> usize {
        let mut dice = Dice::seeded(1);
        (0..CALLS).filter(|_| pick(balancer, &mut dice) == id).count()
    }

    pub fn less_busy_is_taken() -> bool {
        let (mut balancer, ids) = balancer(&[PLAIN; 2]);
        balancer.began(ids[0]);
        picks_of(&mut balancer, ids[1]) == CALLS
    }

    pub fn fast_failures_draw_nothing() -> bool {
        let (mut balancer, ids) = balancer(&[PLAIN; REPLICAS]);
        let (mut dice, mut busy, mut failed) = (Dice::seeded(1), VecDeque::new(), 0);
        for _ in 0..CALLS {
            let id = pick(&mut balancer, &mut dice);
            balancer.began(id);
            if id == ids[0] {
                failed += 1;
                balancer.answered(id, Answered::Failed, warm());
            } else {
                busy.push_back(id);
            }
            if busy.len() > BUSY_FOR {
                let id = busy.pop_front().expect("there are some");
                balancer.answered(id, Answered::Served, warm());
            }
        }
        failed <= CALLS / REPLICAS
    }

    pub fn none_is_an_answer() -> bool {
        let (mut balancer, ids) = balancer(&[PLAIN; 2]);
        let until = warm() + Duration::from_secs(5);
        balancer.set_gate(ids[0], Gate::Shut { until }, warm());
        balancer.set_gate(ids[1], Gate::Shut { until: until + Duration::from_secs(1) }, warm());
        let pick = balancer.pick(warm(), &mut Dice::seeded(1), None);
        pick == Pick::AllShut { earliest: until }
    }

    pub fn draining() -> bool {
        let (mut balancer, ids) = balancer(&[PLAIN; 2]);
        balancer.began(ids[0]);
        balancer.drain(ids[0]);
        picks_of(&mut balancer, ids[0]) == 0 && balancer.outstanding(ids[0]) == Some(1)
    }

    pub fn zones() -> bool {
        let far = ReplicaTerms { zone: Zone(1), ..PLAIN };
        let (mut balancer, ids) = balancer(&[PLAIN, far]);
        let near_first = picks_of(&mut balancer, ids[0]) == CALLS;
        (0..PLAIN.slots).for_each(|_| balancer.began(ids[0]));
        near_first && picks_of(&mut balancer, ids[1]) == CALLS
    }

    pub fn weights() -> bool {
        let heavy = ReplicaTerms { weight: 3, ..PLAIN };
        let (mut balancer, ids) = balancer(&[heavy, PLAIN]);
        let (mut dice, mut out, mut carried) = (Dice::seeded(1), VecDeque::new(), 0);
        for _ in 0..CALLS {
            let id = pick(&mut balancer, &mut dice);
            balancer.began(id);
            carried += usize::from(id == ids[0]);
            out.push_back(id);
            if out.len() == OUTSTANDING {
                let id = out.pop_front().expect("there are some");
                balancer.answered(id, Answered::Served, warm());
            }
        }
        super::is_three_quarters(carried)
    }

    pub fn slow_start() -> bool {
        let (mut balancer, _) = balancer(&[PLAIN; 2]);
        let newcomer = balancer.add(PLAIN, warm());
        picks_of(&mut balancer, newcomer) < CALLS / 6
    }

    pub fn seed_decides() -> bool {
        let picks = |seed| {
            let ((mut balancer, _), mut dice) = (balancer(&[PLAIN; REPLICAS]), Dice::seeded(seed));
            (0..100).map(|_| pick(&mut balancer, &mut dice)).collect::<Vec<_>>()
        };
        picks(1) == picks(1) && picks(1) != picks(2)
    }
}

mod tower {
    use super::{BUSY_FOR, CALLS, OUTSTANDING, REPLICAS};
    use crate::polled;
    use assay_rules::Dice;
    use futures_util::{
        FutureExt,
        future::{self, Ready},
        stream,
    };
    use std::{
        cell::RefCell,
        collections::{HashMap, VecDeque},
        convert::Infallible,
        rc::Rc,
        task::Poll,
    };
    use tower::{
        Service,
        balance::p2c::Balance,
        discover::{Change, ServiceList},
        load::{Constant, PendingRequests, pending_requests::Handle},
        util::rng::Rng,
    };

    /// Answers with its number.
    #[derive(Clone)]
    struct Replica {
        nth: usize,
        is_ready: bool,
    }

    impl Service<()> for Replica {
        type Response = usize;
        type Error = Infallible;
        type Future = Ready<Result<usize, Infallible>>;

        fn poll_ready(&mut self, _: &mut std::task::Context<'_>) -> Poll<Result<(), Infallible>> {
            if self.is_ready { Poll::Ready(Ok(())) } else { Poll::Pending }
        }

        fn call(&mut self, (): ()) -> Self::Future {
            future::ready(Ok(self.nth))
        }
    }

    /// Hands the handle of a call on: it counts until that is dropped.
    #[derive(Clone)]
    struct UntilDropped;

    impl tower::load::TrackCompletion<Handle, usize> for UntilDropped {
        type Output = (usize, Handle);

        fn track_completion(&self, handle: Handle, nth: usize) -> (usize, Handle) {
            (nth, handle)
        }
    }

    struct Seeded(Dice);

    impl Rng for Seeded {
        fn next_u64(&mut self) -> u64 {
            self.0.next_u64()
        }
    }

    type Counted = PendingRequests<Replica, UntilDropped>;

    fn counted(nth: usize) -> Counted {
        PendingRequests::new(Replica { nth, is_ready: true }, UntilDropped)
    }

    fn balance(replicas: usize, seed: u64) -> Balance<ServiceList<Vec<Counted>>, ()> {
        let list = ServiceList::new::<()>((0..replicas).map(counted).collect::<Vec<_>>());
        Balance::from_rng(list, Seeded(Dice::seeded(seed)))
    }

    fn call<D>(balance: &mut Balance<D, ()>) -> (usize, Handle)
    where
        D: tower::discover::Discover<Key = usize, Service = Counted> + Unpin,
        D::Error: Into<tower::BoxError>,
    {
        let ready = future::poll_fn(|cx| balance.poll_ready(cx)).now_or_never();
        ready.expect("somebody is ready").expect("nothing can fail");
        polled(balance.call(())).expect("it answers at once").expect("nothing can fail")
    }

    pub fn less_busy_is_taken() -> bool {
        let mut balance = balance(2, 1);
        let (busy, _handle) = call(&mut balance);
        (0..CALLS).all(|_| call(&mut balance).0 != busy)
    }

    pub fn fast_failures_draw_nothing() -> bool {
        let (mut balance, mut busy, mut failed) = (balance(REPLICAS, 1), VecDeque::new(), 0);
        for _ in 0..CALLS {
            let (nth, handle) = call(&mut balance);
            if nth == 0 {
                failed += 1;
            } else {
                busy.push_back(handle);
            }
            if busy.len() > BUSY_FOR {
                busy.pop_front();
            }
        }
        failed <= CALLS / REPLICAS
    }

    /// There is one, and it is not ready.
    pub fn none_is_an_answer() -> bool {
        let replica = Replica { nth: 0, is_ready: false };
        let list = ServiceList::new::<()>([PendingRequests::new(replica, UntilDropped)]);
        let mut balance = Balance::new(list);
        future::poll_fn(|cx| balance.poll_ready(cx)).now_or_never().is_some()
    }

    pub fn draining() -> bool {
        let inserted = (0..2).map(|nth| Change::Insert(nth, counted(nth)));
        let changes = inserted.chain([Change::Remove(0)]).map(Ok::<_, Infallible>);
        let mut balance = Balance::from_rng(stream::iter(changes), Seeded(Dice::seeded(1)));
        (0..CALLS).all(|_| call(&mut balance).0 == 1)
    }

    pub fn seed_decides() -> bool {
        let picks = |seed| {
            let mut balance = balance(REPLICAS, seed);
            (0..100).map(|_| call(&mut balance).0).collect::<Vec<_>>()
        };
        let spread: HashMap<usize, ()> = picks(1).into_iter().map(|nth| (nth, ())).collect();
        picks(1) == picks(1) && picks(1) != picks(2) && spread.len() == REPLICAS
    }

    /// The near ones are always idle.
    pub fn zones() -> bool {
        let (near, far) = (0, 1);
        fixed([near, near, far, far]).iter().take(2).sum::<usize>() == CALLS
    }

    pub fn weights() -> bool {
        let (heavy, light) = (1, 3);
        let (mut balance, mut out, mut carried) = (balance(2, 1), VecDeque::new(), 0);
        for _ in 0..CALLS {
            let (nth, handle) = call(&mut balance);
            carried += usize::from(nth == 0);
            out.push_back(handle);
            if out.len() == OUTSTANDING {
                out.pop_front();
            }
        }
        [fixed([heavy, light])[0], carried].into_iter().any(super::is_three_quarters)
    }

    /// Of three, with nothing outstanding, the one that came late.
    pub fn slow_start() -> bool {
        let changes = Rc::new(RefCell::new(VecDeque::new()));
        let come = |nth| changes.borrow_mut().push_back(Change::Insert(nth, counted(nth)));
        (0..2).for_each(come);
        let told = Rc::clone(&changes);
        let coming = stream::poll_fn(move |_| match told.borrow_mut().pop_front() {
            Some(change) => Poll::Ready(Some(Ok::<_, Infallible>(change))),
            None => Poll::Pending,
        });
        let mut balance = Balance::from_rng(coming, Seeded(Dice::seeded(1)));
        assert!((0..CALLS).all(|_| call(&mut balance).0 < 2));
        come(2);
        (0..CALLS).filter(|_| call(&mut balance).0 == 2).count() < CALLS / 6
    }

    /// How many calls go to each, when each has this load whatever it does.
    fn fixed<const N: usize>(loads: [u8; N]) -> [usize; N] {
        let replica = |nth| Replica { nth, is_ready: true };
        let all = loads.into_iter().enumerate();
        let list: Vec<_> = all.map(|(nth, load)| Constant::new(replica(nth), load)).collect();
        let list = ServiceList::new::<()>(list);
        let mut balance = Balance::from_rng(list, Seeded(Dice::seeded(1)));
        let mut calls = [0; N];
        for _ in 0..CALLS {
            let ready = future::poll_fn(|cx| balance.poll_ready(cx)).now_or_never();
            ready.expect("all are ready").expect("nothing can fail");
            calls[polled(balance.call(())).expect("at once").expect("nothing can fail")] += 1;
        }
        calls
    }
}
