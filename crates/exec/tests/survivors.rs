//! Those who survive what others do to stop a tool, each and in pairs, under every way to end.

#![allow(clippy::unwrap_used, reason = "its helpers are tests too")]

mod common;

use assay_exec::{Cage, run};
use assay_model::ToolEnd;
use common::{Bench, LONG, SURVIVORS, cages, kill};
use std::{sync::Arc, time::Duration};
use testkit::{children_of, is_zombie, lives, wait_until};
use tokio::{task::JoinSet, time::Instant};
use tokio_util::sync::CancellationToken;

/// Every way to end that leaves this process alive.
#[derive(Clone, Copy, Debug)]
enum Way {
    Timeout,
    Cancel,
    Drop,
    Panic,
    KillKeeper,
    KillInit,
    KillBoth,
    /// The tool itself ends, and what it started goes on.
    Exit,
}

const WAYS: [Way; 8] = [
    Way::Timeout,
    Way::Cancel,
    Way::Drop,
    Way::Panic,
    Way::KillKeeper,
    Way::KillInit,
    Way::KillBoth,
    Way::Exit,
];

/// What leaves each alone, and each pair.
fn families() -> Vec<Vec<&'static str>> {
    let mut all: Vec<Vec<&str>> = SURVIVORS.iter().map(|one| vec![*one]).collect();
    for (at, first) in SURVIVORS.iter().enumerate() {
        all.extend(SURVIVORS[at + 1..].iter().map(|second| vec![*first, *second]));
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn no_one_survives_any_way_to_end() {
    for cage in cages().await {
        for way in WAYS {
            let mut all = JoinSet::new();
            for family in families() {
                all.spawn(check(cage.clone(), family, way));
            }
            while let Some(one) = all.join_next().await {
                one.unwrap();
            }
            no_zombie_is_left(way).await;
        }
    }
}

async fn check(cage: Cage, family: Vec<&str>, way: Way) {
    let bench = Arc::new(Bench::new(&cage));
    let last = if matches!(way, Way::Exit) { "exit=0" } else { "hang" };
    let mut job = bench.job(&format!("{} {last}", family.join(" ")));
    let cancel = CancellationToken::new();
    if matches!(way, Way::Timeout) {
        job.deadline = Instant::now() + Duration::from_millis(400);
    }
    let seen = Arc::clone(&bench);
    let count = family.len() + 1;
    let running = tokio::spawn({
        let (cage, cancel) = (cage.clone(), cancel.clone());
        async move {
            let panics = async {
                if matches!(way, Way::Panic) {
                    seen.until_there_are(count).await;
                    panic!("on purpose");
                }
            };
            tokio::join!(run(&cage, job, cancel), panics).0
        }
    });
    let context = format!("{family:?}, {way:?}, {:?}", cage.has_own_paths());
    match way {
        Way::Timeout => assert_eq!(running.await.unwrap().end, ToolEnd::TimedOut, "{context}"),
        Way::Exit => {
            assert_eq!(running.await.unwrap().end, ToolEnd::Exited { code: 0 }, "{context}");
        }
        Way::Cancel => {
            bench.until_there_are(count).await;
            cancel.cancel();
            assert_eq!(running.await.unwrap().end, ToolEnd::Cancelled, "{context}");
        }
        Way::Drop => {
            bench.until_there_are(count).await;
            running.abort();
            assert!(running.await.unwrap_err().is_cancelled());
            bench.all_are_soon_gone();
        }
        Way::Panic => {
            assert!(running.await.unwrap_err().is_panic());
            bench.all_are_soon_gone();
        }
        Way::KillKeeper | Way::KillInit | Way::KillBoth => {
            bench.until_there_are(count).await;
            let [keeper, init] = bench.guards();
            match way {
                Way::KillInit => kill(&[init]),
                Way::KillKeeper => kill(&[keeper]),
                _ => kill(&[keeper, init]),
            }
            let end = running.await.unwrap().end;
            assert!(matches!(end, ToolEnd::Lost { .. }), "{context}: {end:?}");
        }
    }
    assert_eq!(bench.living(), [0; 0], "{context}");
}

/// Where there is no fence a tool can kill its own guards, and its daemon can take off everything by
/// which it might be known.
#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_without_an_environment_does_not_survive_its_guards() {
    let bench = Bench::new(&Cage::bare(common::shim()));
    let script = "daemon() { (env -i /usr/bin/setsid /bin/sh -c 'echo $$ > daemon; exec sleep 1000' &) }; \
                  daemon </dev/null >/dev/null 2>&1; until [ -s daemon ]; do :; done; \
                  read -r _ _ _ keeper _ < /proc/$PPID/stat; kill -9 $keeper $PPID; wait; sleep 1000";
    let ended = run(&bench.cage, bench.script(script), CancellationToken::new()).await;
    assert!(matches!(ended.end, ToolEnd::Lost { .. }), "{:?}: {}", ended.end, bench.stderr());
    let daemon = std::fs::read_to_string(bench.path("daemon")).unwrap().trim().parse().unwrap();
    assert!(!lives(daemon), "{daemon} lives");
    bench.all_are_gone();
}

async fn no_zombie_is_left(way: Way) {
    let zombies = || {
        let own = children_of(std::process::id()).into_iter();
        own.filter(|pid| is_zombie(*pid)).collect::<Vec<_>>()
    };
    let none = tokio::task::spawn_blocking(move || wait_until(LONG, || zombies().is_empty()));
    assert!(none.await.unwrap(), "{way:?}: {:?}", zombies());
}

#[test]
fn no_one_survives_an_ordinary_user_either() {
    common::again_as_an_ordinary_user("no_one_survives_an_ordinary_user_either");
}
