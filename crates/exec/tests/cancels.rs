//! Many cancels at random moments. Alone in its file: it counts what the whole process holds.

#![allow(clippy::unwrap_used, reason = "its helpers are tests too")]

mod common;

use assay_exec::run;
use assay_model::ToolEnd;
use common::{Bench, LONG};
use std::{fs, time::Duration};
use testkit::{children_of, open_descriptors, wait_until};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

const CANCELS: u32 = 200;
const AT_ONCE: u32 = 4;

/// The same moments every time: a failure can be seen again.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963);
        (self.0 >> 33) % bound
    }
}

/// One run that is stopped after `moment`, by the token or by dropping it.
async fn stop_one(moment: Duration, by_token: bool) -> Duration {
    let bench = Bench::new();
    let cancel = CancellationToken::new();
    let steps = "lines=50 stderr-mib=1 spawn-child deaf-child stdout-mib=2 ignore-term hang";
    let running = tokio::spawn(run(bench.job(steps), cancel.clone()));
    sleep(moment).await;
    let begun = Instant::now();
    if by_token {
        cancel.cancel();
        assert_eq!(running.await.unwrap().end, ToolEnd::Cancelled);
    } else {
        running.abort();
        assert!(running.await.unwrap_err().is_cancelled());
    }
    let took = begun.elapsed();
    let folder = bench.dir.path().to_owned();
    let gone = tokio::task::spawn_blocking(move || wait_until(LONG, || started_in(&folder) == 0));
    assert!(gone.await.unwrap(), "a process lives");
    took
}

/// Counts the living processes whose working folder it is: also one that had no time to note itself.
fn started_in(folder: &std::path::Path) -> usize {
    let Ok(entries) = fs::read_dir("/proc") else { return 0 };
    entries
        .filter_map(Result::ok)
        .filter(|entry| fs::read_link(entry.path().join("cwd")).is_ok_and(|cwd| cwd == folder))
        .count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_cancels_at_random_moments_leave_nothing() {
    let mut dice = Dice(7);
    stop_one(Duration::ZERO, true).await;
    let before = open_descriptors();
    let mut took = Vec::new();
    for _ in 0..CANCELS / AT_ONCE {
        let some: Vec<_> = (0..AT_ONCE)
            .map(|_| {
                let moment = Duration::from_micros(dice.below(40_000));
                tokio::spawn(stop_one(moment, dice.below(4) > 0))
            })
            .collect();
        for one in some {
            took.push(one.await.unwrap());
        }
    }
    took.sort();
    eprintln!("cancel to empty group: p50 {:?}, max {:?}", took[took.len() / 2], took.last());
    let own = std::process::id();
    assert!(wait_until(LONG, || children_of(own).is_empty()), "{:?}", children_of(own));
    assert!(wait_until(LONG, || open_descriptors() <= before), "{} > {before}", open_descriptors());
}
