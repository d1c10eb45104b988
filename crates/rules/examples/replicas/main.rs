//! One million requests over 100 replicas, on paper time: our choice beside round robin and least
//! connections. Prints a table and draws load, latency and wasted calls.
//!
//! ```sh
//! cargo run --release -p assay-rules --example replicas   # writes docs/img/replicas-*.svg
//! ```
//!
//! The fleet: 60 replicas in our zone, 40 in another one that is 12 ms further away; 10 slots each;
//! a call takes 80 ms on average, three times as long on every tenth replica. Between the 50th and the
//! 100th second five replicas of our zone fail every call in 2 ms. No policy has a breaker or
//! retries: what is shown is the choice alone. A call beyond the slots of its replica queues there.

mod plot; // lines and dots as SVG

use assay_rules::{
    Dice, Instant,
    balance::{Answered, BalanceTerms, Balancer, Pick, ReplicaId, ReplicaTerms, Zone},
};
use plot::{Mark, Plot, Scale};
use std::{cmp::Reverse, collections::BinaryHeap, fs, io, time::Duration};

const REQUESTS: u32 = 1_000_000;
const REPLICAS: usize = 100;
const LOCAL: usize = 60;
const SLOTS: u32 = 10;
const GAP: Duration = Duration::from_micros(160);
const FAILING: std::ops::Range<u64> = 50..100;
const FAR: Duration = Duration::from_millis(12);
const QUICK_FAILURE: Duration = Duration::from_millis(2);

/// Who chooses.
enum Policy {
    Ours(Box<Balancer>, Vec<ReplicaId>),
    RoundRobin(usize),
    LeastConnections,
}

/// What one policy made of the million.
struct Outcome {
    name: &'static str,
    calls: Vec<f64>,
    /// Milliseconds of the calls that were served, by second of arrival.
    latencies: Vec<Vec<f64>>,
    wasted: Vec<f64>,
    far: u32,
}

struct Fleet {
    /// When each slot of each replica is free.
    slots: Vec<BinaryHeap<Reverse<Instant>>>,
    outstanding: Vec<u32>,
    ends: BinaryHeap<Reverse<(Instant, usize, bool)>>,
}

// === impl Policy ===

impl Policy {
    fn ours() -> Self {
        let mut balancer = Balancer::new(BalanceTerms::default());
        let zone = |nth| Zone(u8::from(nth >= LOCAL));
        let ids = (0..REPLICAS).map(|nth| {
            balancer.add(ReplicaTerms { zone: zone(nth), slots: SLOTS, weight: 1 }, Instant::START)
        });
        let ids = ids.collect();
        Self::Ours(Box::new(balancer), ids)
    }

    fn pick(&mut self, fleet: &Fleet, now: Instant, dice: &mut Dice) -> usize {
        match self {
            Self::Ours(balancer, ids) => match balancer.pick(now, dice, None) {
                Pick::Replica(id) => {
                    balancer.began(id);
                    ids.iter().position(|known| *known == id).expect("it is one of ours")
                }
                other => panic!("{other:?}: the load is chosen so that there is room"),
            },
            Self::RoundRobin(next) => {
                *next = (*next + 1) % REPLICAS;
                *next
            }
            Self::LeastConnections => {
                let least = fleet.outstanding.iter().min().expect("a fleet");
                let best: Vec<usize> =
                    (0..REPLICAS).filter(|nth| fleet.outstanding[*nth] == *least).collect();
                best[index(dice.below(best.len() as u64))]
            }
        }
    }

    fn answered(&mut self, nth: usize, failed: bool, now: Instant) {
        if let Self::Ours(balancer, ids) = self {
            let answered = if failed { Answered::Failed } else { Answered::Served };
            balancer.answered(ids[nth], answered, now);
        }
    }
}

// === the simulation ===

fn simulate(name: &'static str, mut policy: Policy) -> Outcome {
    let mut dice = Dice::seeded(1);
    let slot = || (0..SLOTS).map(|_| Reverse(Instant::START)).collect();
    let mut fleet = Fleet {
        slots: (0..REPLICAS).map(|_| slot()).collect(),
        outstanding: vec![0; REPLICAS],
        ends: BinaryHeap::new(),
    };
    // The last call of all comes as the last second ends, and is counted in it.
    let last_second = (GAP * REQUESTS).as_secs() - 1;
    let seconds = index(last_second) + 1;
    let mut outcome = Outcome {
        name,
        calls: vec![0.0; REPLICAS],
        latencies: vec![Vec::new(); seconds],
        wasted: vec![0.0; seconds],
        far: 0,
    };
    let mut now = Instant::START;
    for _ in 0..REQUESTS {
        now += GAP;
        while let Some(&Reverse((end, nth, failed))) =
            fleet.ends.peek().filter(|end| end.0.0 <= now)
        {
            fleet.ends.pop();
            fleet.outstanding[nth] -= 1;
            policy.answered(nth, failed, end);
        }
        let second = (now - Instant::START).as_secs().min(last_second);
        let nth = policy.pick(&fleet, now, &mut dice);
        let failed = nth % 12 == 5 && nth < LOCAL && FAILING.contains(&second);
        let Reverse(free) = fleet.slots[nth].pop().expect("ten slots");
        let end = free.max(now) + if failed { QUICK_FAILURE } else { service(nth, &mut dice) };
        fleet.slots[nth].push(Reverse(end));
        fleet.outstanding[nth] += 1;
        fleet.ends.push(Reverse((end, nth, failed)));
        outcome.calls[nth] += 1.0;
        if failed {
            outcome.wasted[index(second)] += 1.0;
        } else {
            outcome.latencies[index(second)].push((end - now).as_secs_f64() * 1e3);
        }
        outcome.far += u32::from(nth >= LOCAL);
    }
    outcome
}

/// Exponential, of 80 ms; three times that on slow replicas.
fn service(nth: usize, dice: &mut Dice) -> Duration {
    let mean = if nth % 10 == 9 { 0.24 } else { 0.08 };
    let time = Duration::from_secs_f64(-mean * (1.0 - dice.unit()).ln());
    time + if nth < LOCAL { Duration::ZERO } else { FAR }
}

fn index(number: u64) -> usize {
    usize::try_from(number).expect("small")
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a share of at most a million"
)]
fn percentile(sorted: &[f64], share: f64) -> f64 {
    let at = (sorted.len() as f64 * share) as usize;
    sorted.get(at.min(sorted.len().saturating_sub(1))).copied().unwrap_or(0.0)
}

fn sorted(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values
}

fn main() -> io::Result<()> {
    let outcomes = [
        simulate("ours", Policy::ours()),
        simulate("round robin", Policy::RoundRobin(0)),
        simulate("least connections", Policy::LeastConnections),
    ];
    println!("| policy | p50 ms | p99 ms | max ms | wasted calls | calls to the far zone |");
    println!("|---|---|---|---|---|---|");
    for outcome in &outcomes {
        let all = sorted(outcome.latencies.iter().flatten().copied());
        println!(
            "| {} | {:.0} | {:.0} | {:.0} | {:.0} | {} |",
            outcome.name,
            percentile(&all, 0.5),
            percentile(&all, 0.99),
            percentile(&all, 1.0),
            outcome.wasted.iter().sum::<f64>(),
            outcome.far
        );
    }
    let series = |of: &dyn Fn(&Outcome) -> Vec<f64>| -> Vec<(&str, Vec<f64>)> {
        outcomes.iter().map(|outcome| (outcome.name, of(outcome))).collect()
    };
    let failing = (50.0..100.0, "five replicas fail");
    let load = Plot {
        title: "Calls to each replica; every tenth is slow, five near ones fail for 50 s",
        x_axis: "replica",
        scale: Scale::Linear,
        mark: Mark::Dots,
        shaded: (60.0..100.0, "the far zone"),
        series: series(&|outcome| outcome.calls.clone()),
    };
    let latency = Plot {
        title: "99th percentile of latency, in ms",
        x_axis: "second of arrival",
        scale: Scale::Log(100.0),
        mark: Mark::Line,
        shaded: failing.clone(),
        series: series(&|outcome| {
            let p99 = |second: &Vec<f64>| percentile(&sorted(second.iter().copied()), 0.99);
            outcome.latencies.iter().map(p99).collect()
        }),
    };
    let wasted = Plot {
        title: "Wasted calls in each second",
        x_axis: "second of arrival",
        scale: Scale::Linear,
        mark: Mark::Line,
        shaded: failing,
        series: series(&|outcome| outcome.wasted.clone()),
    };
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/img");
    for (name, plot) in [("load", load), ("latency", latency), ("wasted", wasted)] {
        fs::write(format!("{folder}/replicas-{name}.svg"), plot.draw())?;
    }
    Ok(())
}
