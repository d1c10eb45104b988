//! What is left of a tool when Assay itself is killed. Alone in its file: it is no subreaper, and
//! what others leave behind must not become its own.

#![allow(clippy::unwrap_used, reason = "its helpers are tests too")]

mod common;

use assay_exec::run;
use common::{Bench, LONG, SURVIVORS, cages, kill};
use std::{
    env, fs,
    os::unix::process::CommandExt,
    path::Path,
    process::{Command, Stdio},
};
use testkit::{children_of, marked, wait_until};
use tokio_util::sync::CancellationToken;

/// Set for a process that is to run a job until it is killed: `bare` or `best`.
const VICTIM: &str = "ASSAY_TEST_VICTIM";

#[test]
fn no_one_survives_the_killing_of_assay() {
    for which in ["bare", "best"] {
        if env::var(VICTIM).is_ok_and(|wanted| wanted == which) {
            be_the_victim(which);
        }
    }
    if env::var_os(VICTIM).is_some() {
        return;
    }
    for which in ["bare", "best"] {
        for together in [false, true] {
            kill_a_victim(which, together);
        }
    }
}

/// Runs a tool with all four survivors, until somebody kills this process.
fn be_the_victim(which: &str) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let [bare, best] = cages().await;
        let bench = Bench::new(if which == "bare" { &bare } else { &best });
        let mut job = bench.job(&format!("{} hang", SURVIVORS.join(" ")));
        let mark = env::var("ASSAY_TEST_VICTIM_MARK").unwrap();
        job.env.insert("ASSAY_TEST_VICTIM_MARK".into(), mark.into());
        run(&bench.cage, job, CancellationToken::new()).await;
    });
}

/// `together`: keepers are killed in the same moment, as `pkill -9 assay` does.
fn kill_a_victim(which: &str, together: bool) {
    let mark = format!("{}-{which}-{together}", std::process::id());
    let mut victim = Command::new(env::current_exe().unwrap())
        .args(["no_one_survives_the_killing_of_assay", "--exact"])
        .env(VICTIM, which)
        .env("ASSAY_TEST_VICTIM_MARK", &mark)
        .stdout(Stdio::null())
        .process_group(0)
        .spawn()
        .unwrap();
    let mark = format!("ASSAY_TEST_VICTIM_MARK={mark}");
    // Itself, the tool and the four.
    assert!(wait_until(LONG, || marked(&mark).len() == 6), "{:?}", marked(&mark));
    let keeper = *children_of(victim.id()).first().unwrap();
    let init = *children_of(keeper).first().unwrap();
    if together {
        kill(&[keeper]);
    }
    victim.kill().unwrap();
    victim.wait().unwrap();
    assert!(wait_until(LONG, || marked(&mark).is_empty()), "{which}: {:?}", marked(&mark));
    for pid in [keeper, init] {
        let is_ours = || fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        assert!(
            wait_until(LONG, || !Path::new(&format!("/proc/{pid}")).exists()
                || is_ours().is_empty()),
            "{which}: {pid} is left: {}",
            is_ours()
        );
    }
}
