//! What is left of a writer that is killed or that may not write on.
#![allow(clippy::unwrap_used, reason = "a failed `unwrap` is a failed test")]

mod common;

use assay_model::AnalysisOutcome;
use assay_store::{Entry, ResultsRoot, StoreError, TaskState, find, list};
use common::{info, path_app, report, tree, warned, write_report};
use std::{
    env, fs,
    io::{self, BufRead, BufReader, Read},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};
use tempfile::tempdir;

const HERE: &str = "ASSAY_STORE_TEST_HERE";

/// Runs this test program again, as the writer named `role`, under a shell that says `before`.
fn writer(role: &str, before: &str, here: &Path) -> Child {
    Command::new("sh")
        .args(["-c", &format!("{before} exec \"$0\" --exact --nocapture {role}")])
        .arg(env::current_exe().unwrap())
        .env(HERE, here)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// The folder that `writer` names. Absent where a role is run as a test of its own, which it is not.
fn here() -> Option<PathBuf> {
    env::var_os(HERE).map(PathBuf::from)
}

fn wait_for(child: &mut Child, word: &str) -> String {
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let heard: Vec<String> = lines.map(Result::unwrap).take_while(|line| line != word).collect();
    heard.join("\n")
}

#[test]
fn role_dies_while_writing() {
    let Some(here) = here() else { return };
    let (folder, mut log) =
        ResultsRoot::new(&here, None).create(&info(1, path_app()), None).unwrap();
    log.append(&warned(0)).unwrap();
    folder.write("logs/ruff.stdout", |out| out.write_all(b"whole")).unwrap();
    folder
        .write("report.json", |out| {
            out.write_all(&vec![b'x'; 1 << 20])?;
            out.flush()?;
            println!("\nhalf");
            io::stdin().read_exact(&mut [0])
        })
        .unwrap();
}

#[test]
fn a_killed_writer_leaves_a_lost_task_without_half_a_file() {
    let work = tempdir().unwrap();
    let mut child = writer("role_dies_while_writing", "", work.path());
    wait_for(&mut child, "half");
    let roots = ResultsRoot::new(work.path(), None).roots();
    let running = find(&roots, "20261123").unwrap();
    assert_eq!(running.state, TaskState::Running);
    assert_eq!(running.files().unwrap().len(), 3, "{:?}", running.files());
    assert!(matches!(find(&roots, "latest"), Err(StoreError::NoTasks)));

    child.kill().unwrap();
    child.wait().unwrap();
    let lost = find(&roots, "latest").unwrap();
    assert_eq!(lost.state, TaskState::Lost);
    assert_eq!(lost.load_events().unwrap().events, [warned(0)]);
    assert_eq!(fs::read(lost.path.join("logs/ruff.stdout")).unwrap(), b"whole");
    assert!(!lost.path.join("report.json").exists());
    let error = lost.load_report().unwrap_err();
    assert!(matches!(error, StoreError::NoReport { state: TaskState::Lost, .. }), "{error:?}");
}

#[test]
fn role_dies_in_a_named_folder() {
    let Some(here) = here() else { return };
    let (folder, _log) =
        ResultsRoot::new(&here, None).create(&info(1, path_app()), Some(Path::new("out"))).unwrap();
    folder.write("logs/old.stdout", |out| out.write_all(b"old")).unwrap();
    println!("\nwritten");
    io::stdin().read_exact(&mut [0]).unwrap();
}

#[test]
fn a_named_folder_can_be_used_again_after_its_writer_was_killed() {
    let work = tempdir().unwrap();
    let mut child = writer("role_dies_in_a_named_folder", "", work.path());
    wait_for(&mut child, "written");
    let root = ResultsRoot::new(work.path(), None);
    let again = || root.create(&info(2, path_app()), Some(Path::new("out")));
    assert!(matches!(again(), Err(StoreError::InUse { .. })));
    child.kill().unwrap();
    child.wait().unwrap();
    let (folder, log) = again().unwrap();
    assert!(!folder.dir().join("logs/old.stdout").exists());
    folder.finish(log, &report(&info(2, path_app()))).unwrap();
}

#[test]
fn role_may_not_write_much() {
    let Some(here) = here() else { return };
    let (folder, mut log) =
        ResultsRoot::new(&here, None).create(&info(1, path_app()), None).unwrap();
    let error = folder.write("report.json", |out| out.write_all(&vec![b'x'; 1 << 20])).unwrap_err();
    println!("\n{error}");
    println!("{}", error.hint().unwrap());
    let mut seq = 0;
    let error = loop {
        if let Err(error) = log.append(&warned(seq)) {
            break error;
        }
        seq += 1;
    };
    println!("{error}");
    write_report(&folder, &report(folder.info()));
}

#[test]
fn a_writer_that_meets_a_limit_says_so_and_shows_nothing_half() {
    let work = tempdir().unwrap();
    // 16 blocks of 512 bytes in dash, of 1024 in bash.
    let mut child = writer("role_may_not_write_much", "trap '' XFSZ; ulimit -f 16;", work.path());
    let said = io::read_to_string(child.stdout.take().unwrap()).unwrap();
    assert!(child.wait().unwrap().success(), "{said}");
    assert!(said.contains("report.json` grew beyond the largest file"), "{said}");
    assert!(said.contains("ulimit -f"), "{said}");
    assert!(said.contains("events.ndjson` grew beyond the largest file"), "{said}");
    let lost = find(&ResultsRoot::new(work.path(), None).roots(), "latest").unwrap();
    assert_eq!(lost.state, TaskState::Lost);
    // The line that did not fit was taken back, so all others are whole.
    let replay = lost.load_events().unwrap();
    assert!(replay.events.len() > 10 && !replay.cut && replay.broken.is_empty());
    let names = tree(&lost.path);
    assert!(names.iter().all(|name| !name.contains(".tmp-")), "{names:?}");
    serde_json::from_slice::<serde_json::Value>(&fs::read(lost.path.join("report.json")).unwrap())
        .unwrap();
}

#[test]
fn a_writer_that_is_dropped_leaves_a_lost_task_that_says_so_in_its_log() {
    let work = tempdir().unwrap();
    let root = ResultsRoot::new(work.path(), None);
    let (folder, mut log) = root.create(&info(1, path_app()), None).unwrap();
    log.append(&warned(0)).unwrap();
    let dir = folder.dir().to_owned();
    assert_eq!(Entry::open(&dir).unwrap().state, TaskState::Running);
    drop((folder, log));
    let entry = list(&root.roots()).entries.remove(0);
    assert_eq!(entry.state, TaskState::Lost);
    let last = entry.load_events().unwrap().events.pop().unwrap();
    let kind = assay_model::EventKind::Ended { outcome: AnalysisOutcome::Lost };
    assert_eq!((last.seq, last.kind), (1, kind));
}
