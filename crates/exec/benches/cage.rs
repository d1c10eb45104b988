//! Question: what does the cage cost each start of a tool, over a bare spawn, and how long is it
//! from the wish that a tool stop to the last of its processes being gone?
//! Expected: under 15 ms a start, as root and as an ordinary user; a cancel under 50 ms for 99 of
//! 100.
//!
//! `cargo bench -p assay-exec --bench cage`; as an ordinary user: run the program that it names
//! through `setpriv`. `ASSAY_BENCH_SHIM=path/to/assay` takes the real binary as the shim, which is
//! larger, so that its own start counts.

#![allow(clippy::unwrap_used, reason = "a bench")]
#![allow(clippy::disallowed_methods, reason = "it measures real time")]

use assay_exec::{
    Access, Cage, Job, Limits, Network, Room, SHIM_WORD, Shim, Shown, clean_environment, run,
};
use std::{
    env, fs,
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};
use tokio_util::sync::CancellationToken;

const STARTS: usize = 200;
const CANCELS: usize = 1000;

fn shim() -> Shim {
    match env::var_os("ASSAY_BENCH_SHIM") {
        Some(assay) => Shim::at(assay).with(SHIM_WORD),
        None => Shim::at(env!("CARGO_BIN_EXE_assay-shim")),
    }
}

fn main() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let dir = tempfile::tempdir().unwrap();
        let (bare, best) = (Cage::bare(shim()), Cage::best(shim()).await);
        println!("in force:\n  {}", best.describe().join("\n  "));
        println!("starting `true`, {STARTS} times each, alternating; milliseconds");
        let mut rows: [Vec<Duration>; 3] = Default::default();
        for _ in 0..STARTS {
            rows[0].push(spawned());
            rows[1].push(started(&bare, dir.path()).await);
            rows[2].push(started(&best, dir.path()).await);
        }
        let base = middle(&mut rows[0].clone());
        for (name, row) in ["bare spawn", "kept, no fence", "whole cage"].iter().zip(&mut rows) {
            tell(name, row);
            let over = middle(row).saturating_sub(base);
            println!("    over a bare spawn: {:.2}", millis(over));
        }
        println!("from cancel to the last process gone, {CANCELS} times; milliseconds");
        for (name, cage) in [("kept, no fence", &bare), ("whole cage", &best)] {
            let mut row = Vec::new();
            for _ in 0..CANCELS {
                row.push(cancelled(cage, dir.path()).await);
            }
            tell(name, &mut row);
        }
    });
}

fn spawned() -> Duration {
    let begun = Instant::now();
    let output = Command::new("/bin/true").stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success());
    begun.elapsed()
}

async fn started(cage: &Cage, dir: &Path) -> Duration {
    let begun = Instant::now();
    let ended = run(cage, job(dir, "exit 0"), CancellationToken::new()).await;
    let took = begun.elapsed();
    assert_eq!(ended.end, assay_model::ToolEnd::Exited { code: 0 });
    took
}

/// A tool with a child, a session of its own and a daemon.
async fn cancelled(cage: &Cage, dir: &Path) -> Duration {
    let ready = dir.join("ready");
    fs::remove_file(&ready).ok();
    let script = "sleep 1000 & setsid sleep 1000 & (setsid sleep 1000 &) ; echo > ready; wait";
    let cancel = CancellationToken::new();
    let running = tokio::spawn({
        let (cage, job, cancel) = (cage.clone(), job(dir, script), cancel.clone());
        async move { run(&cage, job, cancel).await }
    });
    while !ready.exists() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    cancel.cancel();
    running.await.unwrap().stopping.unwrap()
}

fn job(dir: &Path, script: &str) -> Job {
    let is_true = script == "exit 0";
    Job {
        program: if is_true { "/bin/true" } else { "/bin/sh" }.into(),
        args: if is_true { Vec::new() } else { vec!["-c".into(), script.into()] },
        cwd: dir.to_owned(),
        env: clean_environment(&["/usr/bin".into(), "/bin".into()], dir, dir, Network::None),
        stdout: dir.join("stdout"),
        stderr: dir.join("stderr"),
        room: Room {
            readable: Vec::new(),
            shown: vec![Shown { from: dir.into(), to: dir.into(), access: Access::Write }],
        },
        network: Network::None,
        limits: Limits::default(),
        deadline: tokio::time::Instant::now() + Duration::from_mins(1),
        grace: Duration::ZERO,
    }
}

fn tell(name: &str, row: &mut [Duration]) {
    row.sort();
    let at = |part: usize| millis(row[(row.len() - 1) * part / 100]);
    println!("  {name:<16} p50 {:6.2}  p99 {:6.2}  max {:6.2}", at(50), at(99), at(100));
}

fn middle(row: &mut [Duration]) -> Duration {
    row.sort();
    row[row.len() / 2]
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
