//! Many cancels at random moments. Alone in its file: it counts what the whole process holds.

#![allow(clippy::unwrap_used, reason = "its helpers are tests too")]

mod common;

use assay_exec::Cage;
use assay_model::ToolEnd;
use common::{Bench, LONG, cages};
use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};
use testkit::{children_of, open_descriptors, wait_until};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

const CANCELS: u32 = 1000;
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
async fn stop_one(cage: Cage, moment: Duration, by_token: bool) -> Option<Duration> {
    let bench = Bench::new(&cage);
    let cancel = CancellationToken::new();
    let steps = "lines=50 spawn-child setsid-child daemon stdout-mib=1 deaf-child ignore-term hang";
    let running = bench.start(bench.job(steps), &cancel);
    sleep(moment).await;
    let mut took = None;
    if by_token {
        cancel.cancel();
        let ended = running.await.unwrap();
        assert_eq!(ended.end, ToolEnd::Cancelled);
        bench.all_are_gone();
        took = ended.stopping;
    } else {
        running.abort();
        assert!(running.await.unwrap_err().is_cancelled());
    }
    let gone = tokio::task::spawn_blocking(move || {
        bench.all_are_soon_gone();
        drop(bench);
    });
    gone.await.unwrap();
    took
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_cancels_at_random_moments_leave_nothing() {
    let mut dice = Dice(7);
    let mut took = Vec::new();
    for cage in cages().await {
        stop_one(cage.clone(), Duration::ZERO, true).await;
        let before = (open_descriptors(), resident_kib());
        for _ in 0..CANCELS / 2 / AT_ONCE {
            let some: Vec<_> = (0..AT_ONCE)
                .map(|_| {
                    let moment = Duration::from_micros(dice.below(60_000));
                    tokio::spawn(stop_one(cage.clone(), moment, dice.below(4) > 0))
                })
                .collect();
            for one in some {
                took.extend(one.await.unwrap());
            }
        }
        let own = std::process::id();
        assert!(wait_until(LONG, || children_of(own).is_empty()), "{:?}", children_of(own));
        assert!(wait_until(LONG, || open_descriptors() <= before.0), "{}", open_descriptors());
        let grown = resident_kib().saturating_sub(before.1);
        assert!(grown < 32 << 10, "the process has grown by {grown} KiB");
    }
    took.sort();
    let at = |part: usize| took[(took.len() - 1) * part / 100];
    eprintln!("cancel to empty tree: p50 {:?}, p99 {:?}, max {:?}", at(50), at(99), at(100));
    let left = own_groups(Path::new("/sys/fs/cgroup"));
    assert!(left.is_empty(), "groups are left: {left:?}");
}

/// Control groups of this process, at any depth.
fn own_groups(dir: &Path) -> Vec<PathBuf> {
    let own = format!(".{}.", std::process::id());
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let dirs = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    dirs.flat_map(|entry| {
        let mut found = own_groups(&entry.path());
        let name = entry.file_name().into_string().unwrap_or_default();
        let is_own = name.starts_with("assay.") && name.contains(&own);
        found.extend(is_own.then(|| entry.path()));
        found
    })
    .collect()
}

fn resident_kib() -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}
