//! That what is answered is on disk: a trace of the system calls shows a sync before each answer. (A
//! process that is killed leaves the system's cache behind, so killing one cannot show it.)

use crate::{
    kit::{end, id, noise, task},
    roles,
};
use assay_store::{Book, BookTerms};
use std::{
    env, fs,
    io::Write,
    path::Path,
    process::{Command, Stdio},
};
use tempfile::tempdir;

const TASKS: u32 = 10;
const BIG: usize = 50_000;

/// One word in one system call.
fn say(word: &str) {
    let mut out = std::io::stdout().lock();
    out.write_all(format!("{word}\n").as_bytes()).and_then(|()| out.flush()).unwrap();
}

#[tokio::test]
async fn role_says_what_is_on_disk() {
    let Some(here) = roles::here() else { return };
    let terms = BookTerms { big_result: BIG - 1, ..BookTerms::default() };
    let (book, _) = Book::open(&here, terms).unwrap();
    say("began");
    for n in 0..TASKS {
        book.accept(task(n)).await.unwrap();
        say("told");
    }
    for n in 0..TASKS {
        assert!(book.end(&id(n), end(n, Some(&noise(n, BIG)))).await.unwrap());
        say("told");
    }
}

/// What a line of the trace is to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Call {
    SyncedLog,
    SyncedResult,
    Named,
    SyncedFolder,
    Told,
}

fn calls(trace: &str) -> Vec<Call> {
    let lines = trace.lines().skip_while(|line| !line.contains("\"began\\n\""));
    lines
        .filter_map(|line| {
            let is_sync = line.contains("fsync(") || line.contains("fdatasync(");
            if is_sync && line.contains("book.sqlite3-wal>") {
                Some(Call::SyncedLog)
            } else if is_sync && line.contains("/results/.tmp-") {
                Some(Call::SyncedResult)
            } else if line.contains("rename") && line.contains("/results/.tmp-") {
                Some(Call::Named)
            } else if is_sync && line.contains("/results>") {
                Some(Call::SyncedFolder)
            } else {
                line.contains("\"told\\n\"").then_some(Call::Told)
            }
        })
        .collect()
}

#[test]
fn an_answer_follows_the_sync_of_what_it_answers() {
    let folder = tempdir().unwrap();
    let trace = folder.path().join("trace");
    let mut strace = Command::new("strace");
    // A call of one thread is not cut in two by those of another.
    strace.args([
        "--seccomp-bpf",
        "-f",
        "-y",
        "-e",
        "trace=fsync,fdatasync,rename,renameat,renameat2,write",
    ]);
    strace.arg("-o").arg(&trace).arg(env::current_exe().unwrap());
    let mut run = roles::command(strace, "synced::role_says_what_is_on_disk", folder.path());
    let is_traced = run.stderr(Stdio::null()).output().is_ok_and(|output| output.status.success());
    if !is_traced {
        let strict = env::var_os("ASSAY_TEST_REQUIRE_ALL").is_some();
        assert!(!strict, "`strace` is not here, or may not trace");
        eprintln!("skipped: `strace` is not here, or may not trace");
        return;
    }
    check(&trace);
}

fn check(trace: &Path) {
    let calls = calls(&fs::read_to_string(trace).unwrap());
    let answers: Vec<&[Call]> = calls.split(|call| *call == Call::Told).collect();
    assert_eq!(answers.len(), 2 * TASKS as usize + 1, "{calls:?}");
    for (n, before) in answers.iter().enumerate().take(2 * TASKS as usize) {
        assert!(before.contains(&Call::SyncedLog), "answer {n} came without a sync: {calls:?}");
        if n >= TASKS as usize {
            // The result is whole on disk, and has its name there, before a row tells of it.
            let ours = [Call::SyncedResult, Call::Named, Call::SyncedFolder, Call::SyncedLog];
            assert_eq!(*before, ours, "answer {n}");
        }
    }
}
