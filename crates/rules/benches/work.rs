//! Question: what does one step of the ledger and one pick of a replica cost, when there is much of
//! both? Expected: well under ten microseconds with 100,000 live keys, and a pick among 1,000 little
//! dearer than one among 3.

use assay_rules::{
    Dice, Instant,
    balance::{Answered, BalanceTerms, Balancer, Pick, ReplicaTerms, Zone},
    ledger::{Age, Ask, ClientId, Follow, Ledger, LedgerTerms, Msg, Order, RunEnd},
};
use criterion::{Criterion, criterion_group, criterion_main};
use std::{hint::black_box, time::Duration};

const LIVE: u64 = 100_000;

fn ask(key: u64) -> Msg<u64> {
    let deadline = Instant::after_start(Duration::from_secs(3_600 + key % 600));
    let (follow, age) = (Follow::Wait, Age::Any);
    Msg::Submit(Ask { client: ClientId(key), key, deadline, follow, age, seen: None })
}

fn ledger(criterion: &mut Criterion) {
    let mut ledger = Ledger::new(LedgerTerms::default());
    let (now, mut orders) = (Instant::START, Vec::new());
    for key in 0..LIVE {
        ledger.on(ask(key), now, &mut orders);
    }
    let mut key = LIVE;
    criterion.bench_function("ledger/submit and end, 100,000 live", |bench| {
        bench.iter(|| {
            key += 1;
            orders.clear();
            ledger.on(ask(key), now, &mut orders);
            let Some(Order::Accept { ticket, .. }) = orders.first() else { panic!("refused") };
            let run = ticket.run;
            ledger.on(Msg::Ended { run, end: RunEnd::Done }, now, &mut orders);
            black_box(orders.len())
        });
    });
    criterion.bench_function("ledger/join and leave, 100,000 live", |bench| {
        bench.iter(|| {
            key = key % LIVE + 1;
            orders.clear();
            ledger.on(ask(key - 1), now, &mut orders);
            let Some(&Order::Accept { ticket, .. }) = orders.first() else { panic!("refused") };
            ledger.on(Msg::Leave { ticket }, now, &mut orders);
            black_box(orders.len())
        });
    });
    assert_eq!(ledger.live(), 100_000);
}

fn pick(criterion: &mut Criterion) {
    for replicas in [3, 50, 1_000] {
        let mut balancer = Balancer::new(BalanceTerms::default());
        for _ in 0..replicas {
            let terms = ReplicaTerms { zone: Zone(0), slots: 8, weight: 1 };
            balancer.add(terms, Instant::START);
        }
        // All are warm by then.
        let now = Instant::after_start(Duration::from_mins(1));
        let mut dice = Dice::seeded(1);
        criterion.bench_function(&format!("pick, begin and answer among {replicas}"), |bench| {
            bench.iter(|| {
                let Pick::Replica(id) = balancer.pick(now, &mut dice, None) else { panic!("room") };
                balancer.began(id);
                balancer.answered(id, Answered::Served, now);
                black_box(id)
            });
        });
    }
}

criterion_group!(benches, ledger, pick);
criterion_main!(benches);
