//! Real processes that do as told, and what is said of them afterwards.

#![allow(clippy::unwrap_used, reason = "its helpers are tests too")]

mod common;

use assay_exec::{Cage, Limits, run};
use assay_model::{Limit, ToolEnd};
use common::{Bench, LONG, cages, shim};
use std::{fs, os::unix::fs::PermissionsExt, time::Duration};
use testkit::{children_of, is_zombie, wait_until};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// The leader and the child that it left in its group, deaf to TERM.
const DEAF_FAMILY: &str = "deaf-child ignore-term hang";

#[tokio::test]
async fn code_lines_and_cost_are_reported() {
    for bench in Bench::both().await {
        let ended = bench.run("lines=3 complain=oh grow-mib=64 burn-ms=150 exit=1").await;
        assert_eq!(ended.end, ToolEnd::Exited { code: 1 });
        assert_eq!(bench.stdout(), "line 1\nline 2\nline 3\n");
        assert_eq!((ended.stdout_bytes, ended.stderr_bytes), (21, 3));
        assert_eq!(ended.stderr_tail, "oh");
        assert!(ended.drained);
        assert!(ended.usage.user_ms + ended.usage.system_ms >= 100, "{:?}", ended.usage);
        assert!(ended.usage.wall_ms >= 150, "{:?}", ended.usage);
        assert!(ended.usage.peak_kib >= 64 << 10, "{:?}", ended.usage);
    }
}

#[tokio::test]
async fn a_signal_is_reported_by_its_number() {
    for bench in Bench::both().await {
        assert_eq!(bench.run("signal=6").await.end, ToolEnd::Signalled { signal: 6 });
    }
}

#[tokio::test]
async fn a_flood_on_standard_error_does_not_hang_and_keeps_both_ends() {
    for bench in Bench::both().await {
        let mut job = bench.job("complain=first stderr-mib=5 complain=last say=done");
        job.limits.stderr_bytes_max = 1 << 20;
        let ended = run(&bench.cage, job, CancellationToken::new()).await;
        assert_eq!(ended.end, ToolEnd::Exited { code: 0 });
        assert_eq!(bench.stdout(), "done\n");
        let text = bench.stderr();
        assert!(text.starts_with("first\n") && text.ends_with("\nlast\n"));
        assert!(text.len() < (1 << 20) + 100);
        assert_eq!(ended.stderr_bytes, (5 << 20) + 6 + 5);
        assert!(ended.stderr_omitted > 3 << 20);
        assert!(ended.stderr_tail.ends_with("last"));
    }
}

#[tokio::test]
async fn lines_of_a_mebibyte_without_an_end_arrive_whole() {
    for bench in Bench::both().await {
        let ended = bench.run("long-lines=40").await;
        assert_eq!((ended.end, ended.stdout_bytes), (ToolEnd::Exited { code: 0 }, 40 << 20));
        assert_eq!(fs::metadata(bench.path("stdout")).unwrap().len(), 40 << 20);
    }
}

#[tokio::test]
async fn a_tool_that_closes_its_output_and_hangs_is_timed_out() {
    for bench in Bench::both().await {
        let mut job = bench.job("say=x close-stdout hang");
        job.deadline = Instant::now() + Duration::from_millis(300);
        let ended = run(&bench.cage, job, CancellationToken::new()).await;
        assert_eq!(ended.end, ToolEnd::TimedOut);
        assert_eq!(bench.stdout(), "x\n");
        bench.all_are_gone();
    }
}

#[tokio::test]
async fn a_tool_that_asks_gets_no_answer_instead_of_waiting() {
    for bench in Bench::both().await {
        assert_eq!(bench.run("read-stdin").await.end, ToolEnd::Exited { code: 0 });
        assert_eq!(bench.stdout(), "stdin 0 bytes\n");
    }
}

#[tokio::test]
async fn a_tool_sees_the_given_environment_and_nothing_else() {
    for bench in Bench::both().await {
        bench.run("print-env print-cwd").await;
        let text = bench.stdout();
        let names: Vec<&str> =
            text.lines().filter_map(|line| Some(line.split_once('=')?.0)).collect();
        let given = ["ASSAY_TEST_MARK", "HOME", "LANG", "LC_ALL", "PATH", "TMPDIR", "TZ"];
        assert_eq!(names, [&given[..], &["ASSAY_RUN"]].concat());
        assert_eq!(text.lines().last().unwrap(), bench.dir.path().to_str().unwrap());
    }
}

#[tokio::test]
async fn more_output_than_allowed_ends_the_tool() {
    for bench in Bench::both().await {
        let mut job = bench.job("stdout-mib=64 hang");
        job.limits = Limits { stdout_bytes_max: 3 << 20, ..Limits::default() };
        let ended = run(&bench.cage, job, CancellationToken::new()).await;
        assert_eq!(ended.end, ToolEnd::LimitReached { limit: Limit::Output, most: 3 << 20 });
        assert_eq!(fs::metadata(bench.path("stdout")).unwrap().len(), 3 << 20);
        bench.all_are_gone();
    }
}

#[tokio::test]
async fn a_file_larger_than_allowed_is_not_written() {
    for bench in Bench::both().await {
        let mut job = bench.job("fill-file=big:8");
        job.limits.file_bytes_max = 2 << 20;
        let ended = run(&bench.cage, job, CancellationToken::new()).await;
        assert_eq!(ended.end, ToolEnd::LimitReached { limit: Limit::FileSize, most: 2 << 20 });
        assert_eq!(fs::metadata(bench.path("big")).unwrap().len(), 2 << 20);
    }
}

#[tokio::test]
async fn what_a_child_writes_just_after_the_exit_is_kept() {
    for bench in Bench::both().await {
        let ended = bench.run("late-child=50 exit=3").await;
        assert_eq!(ended.end, ToolEnd::Exited { code: 3 });
        assert_eq!(bench.stdout(), "late\n");
        assert!(ended.drained);
    }
}

#[tokio::test]
async fn every_line_written_before_the_exit_is_kept() {
    for bench in Bench::both().await {
        for _ in 0..50 {
            bench.run("lines=2000").await;
            assert_eq!(bench.stdout().lines().count(), 2000);
        }
    }
}

#[tokio::test]
async fn a_child_that_holds_the_pipe_does_not_hold_us_and_is_killed() {
    for bench in Bench::both().await {
        let begun = Instant::now();
        let ended = bench.run("spawn-child say=x exit=0").await;
        assert_eq!(ended.end, ToolEnd::Exited { code: 0 });
        assert!(ended.drained, "the pipe closes with its last holder");
        assert!(begun.elapsed() < LONG / 2);
        assert_eq!(bench.stdout(), "x\n");
        bench.all_are_soon_gone();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deaf_family_is_gone_after_the_deadline() {
    for bench in Bench::both().await {
        let mut job = bench.job(DEAF_FAMILY);
        job.deadline = Instant::now() + Duration::from_secs(1);
        job.grace = Duration::from_millis(50);
        let ended = run(&bench.cage, job, CancellationToken::new()).await;
        assert_eq!(ended.end, ToolEnd::TimedOut);
        bench.all_are_gone();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deaf_family_is_gone_when_cancelled_is_said() {
    for bench in Bench::both().await {
        let cancel = CancellationToken::new();
        let running = bench.start(bench.job(DEAF_FAMILY), &cancel);
        bench.until_there_are(2).await;
        cancel.cancel();
        assert_eq!(running.await.unwrap().end, ToolEnd::Cancelled);
        bench.all_are_gone();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_polite_tool_is_asked_before_it_is_forced() {
    for bench in Bench::both().await {
        let cancel = CancellationToken::new();
        let mut job = bench.job("hang");
        job.grace = LONG;
        let running = bench.start(job, &cancel);
        bench.until_there_are(1).await;
        let begun = Instant::now();
        cancel.cancel();
        assert_eq!(running.await.unwrap().end, ToolEnd::Cancelled);
        assert!(begun.elapsed() < LONG / 2, "it ended when asked, so nobody waits for the grace");
    }
}

#[tokio::test]
async fn what_is_cancelled_beforehand_never_starts() {
    for bench in Bench::both().await {
        let cancel = CancellationToken::new();
        cancel.cancel();
        assert_eq!(run(&bench.cage, bench.job("hang"), cancel).await.end, ToolEnd::Cancelled);
        assert_eq!(bench.living(), [0; 0]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn dropping_the_future_stops_the_family_and_leaves_no_zombie() {
    for bench in Bench::both().await {
        let running = bench.start(bench.job(DEAF_FAMILY), &CancellationToken::new());
        bench.until_there_are(2).await;
        running.abort();
        assert!(running.await.unwrap_err().is_cancelled());
        bench.all_are_soon_gone();
        no_zombie_is_left();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_beside_the_run_stops_the_family_and_leaves_no_zombie() {
    for bench in Bench::both().await {
        let bench = std::sync::Arc::new(bench);
        let job = bench.job(DEAF_FAMILY);
        let seen = std::sync::Arc::clone(&bench);
        let running = tokio::spawn(async move {
            tokio::join!(run(&seen.cage, job, CancellationToken::new()), async {
                seen.until_there_are(2).await;
                panic!("on purpose");
            })
        });
        assert!(running.await.unwrap_err().is_panic());
        bench.all_are_soon_gone();
        no_zombie_is_left();
    }
}

#[test]
fn a_runtime_that_goes_down_takes_its_tools_with_it() {
    let bench = Bench::new(&Cage::bare(shim()));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let cage = bench.cage.clone();
    let job = bench.job(DEAF_FAMILY);
    runtime.spawn(async move { run(&cage, job, CancellationToken::new()).await });
    runtime.block_on(bench.until_there_are(2));
    drop(runtime);
    bench.all_are_soon_gone();
}

#[tokio::test]
async fn what_cannot_be_started_is_said_in_words() {
    for cage in cages().await {
        check_all_words(&Bench::new(&cage)).await;
    }
}

async fn check_all_words(bench: &Bench) {
    let text = bench.path("text");
    fs::write(&text, "#!/bin/sh\n").unwrap();
    check_words(bench, &text, "is not executable").await;
    fs::write(&text, "exit 0 # a damaged program").unwrap();
    fs::set_permissions(&text, fs::Permissions::from_mode(0o755)).unwrap();
    check_words(bench, &text, "exec format error").await;
    let script = bench.path("script");
    fs::write(&script, "#!/no/such/interpreter\n").unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    check_words(bench, &script, "first line does not exist").await;
    check_words(bench, &bench.path("missing"), "missing` does not exist").await;
    check_words(bench, "no-such-tool".as_ref(), "`no-such-tool` does not exist").await;
}

async fn check_words(bench: &Bench, program: &std::path::Path, words: &str) {
    let mut job = bench.job("");
    job.program = program.to_owned();
    let ended = run(&bench.cage, job, CancellationToken::new()).await;
    let ToolEnd::NotStarted { why } = ended.end else { panic!("{:?}", ended.end) };
    assert!(why.contains(words), "{why}");
}

#[tokio::test]
async fn a_missing_folder_is_not_called_a_missing_program() {
    let bench = Bench::new(&Cage::best(shim()).await);
    let mut job = bench.job("");
    job.cwd = bench.path("nowhere");
    let ended = run(&bench.cage, job, CancellationToken::new()).await;
    let ToolEnd::NotStarted { why } = ended.end else { panic!("{:?}", ended.end) };
    assert!(why.contains("nowhere` to start it in does not exist"), "{why}");
}

#[tokio::test]
async fn a_full_disk_is_not_the_end_of_a_good_run() {
    for bench in Bench::both().await {
        let mut job = bench.job("lines=3");
        job.stdout = "/dev/full".into();
        let ended = run(&bench.cage, job, CancellationToken::new()).await;
        let ToolEnd::Lost { why } = ended.end else { panic!("{:?}", ended.end) };
        assert!(why.contains("could not be written"), "{why}");
    }
}

/// Set for a process that is started with `SIGCHLD` ignored, as some parents leave it to us.
const DEAF_TO_CHILDREN: &str = "ASSAY_TEST_DEAF_TO_CHILDREN";

#[tokio::test]
async fn a_parent_that_ignores_its_children_does_not_make_us_lose_ours() {
    if std::env::var_os(DEAF_TO_CHILDREN).is_some() {
        for bench in Bench::both().await {
            assert_eq!(bench.run("exit=7").await.end, ToolEnd::Exited { code: 7 });
        }
        return;
    }
    let script = "import os, signal, sys; signal.signal(signal.SIGCHLD, signal.SIG_IGN); \
                  os.execv(sys.argv[1], sys.argv[1:])";
    let output = std::process::Command::new("python3")
        .args(["-c", script])
        .arg(std::env::current_exe().unwrap())
        .args(["a_parent_that_ignores_its_children_does_not_make_us_lose_ours", "--exact"])
        .env(DEAF_TO_CHILDREN, "1")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

#[track_caller]
fn no_zombie_is_left() {
    let zombies = || children_of(std::process::id()).into_iter().filter(|pid| is_zombie(*pid));
    assert!(wait_until(LONG, || zombies().next().is_none()), "{:?}", zombies().collect::<Vec<_>>());
}

#[test]
fn everything_holds_for_an_ordinary_user_too() {
    common::again_as_an_ordinary_user("everything_holds_for_an_ordinary_user_too");
}
