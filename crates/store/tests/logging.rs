//! The log of a server on a disk that is full: told once, and nothing else is lost.
#![allow(clippy::unwrap_used, reason = "a failed `unwrap` is a failed test")]

#[path = "common/roles.rs"]
mod roles; // this program again, with a small disk

use assay_store::{LogTerms, LogTrouble, RotatingLog};
use std::{
    fs,
    path::Path,
    sync::{Arc, Mutex},
};
use tempfile::tempdir;

type Told = Arc<Mutex<Vec<String>>>;

/// A log, and what it tells beside itself.
fn open(path: &Path, terms: LogTerms) -> (RotatingLog, Told) {
    let told = Told::default();
    let hear = Arc::clone(&told);
    let tell = move |trouble: LogTrouble<'_>| {
        let word = match trouble {
            LogTrouble::Began { error, .. } => format!("began: {:?}", error.kind()),
            LogTrouble::Ended { lost, .. } => format!("ended: {lost}"),
        };
        hear.lock().unwrap().push(word);
    };
    (RotatingLog::open(path, terms, tell).unwrap(), told)
}

/// Says so many lines to a log, as a server does.
fn say(log: &RotatingLog, lines: u32) {
    let log = log.clone();
    let subscriber = tracing_subscriber::fmt().json().with_writer(move || log.clone()).finish();
    tracing::subscriber::with_default(subscriber, || {
        for line in 0..lines {
            tracing::info!(line, filler = "x".repeat(100), "an analysis was accepted");
        }
    });
}

/// All lines of all files, each of which is JSON.
fn lines(folder: &Path) -> Vec<serde_json::Value> {
    let mut lines = Vec::new();
    for file in fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()) {
        let text = fs::read_to_string(&file).unwrap();
        assert!(text.is_empty() || text.ends_with('\n'), "{} ends amid a line", file.display());
        lines.extend(
            text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()),
        );
    }
    lines
}

#[test]
fn events_are_written_as_whole_lines_and_files_stay_small() {
    let folder = tempdir().unwrap();
    let terms = LogTerms { bytes_max: 10_000, files_max: 100 };
    let (log, told) = open(&folder.path().join("assay.log"), terms);
    say(&log, 300);
    assert_eq!(lines(folder.path()).len(), 300);
    for file in fs::read_dir(folder.path()).unwrap() {
        assert!(file.unwrap().metadata().unwrap().len() <= 10_000);
    }
    assert!(told.lock().unwrap().is_empty());
}

#[test]
fn role_fills_the_disk() {
    let Some(here) = roles::here() else { return };
    let folder = here.join("logs");
    fs::create_dir(&folder).unwrap();
    let (log, told) =
        open(&folder.join("assay.log"), LogTerms { bytes_max: 10 << 20, files_max: 3 });
    // Somebody else takes nearly all of it.
    let ballast = here.join("ballast");
    fs::write(&ballast, vec![0; 900 << 10]).unwrap();
    say(&log, 2000);
    let before = lines(&folder).len();
    assert!(before > 100, "{before}");
    assert_eq!(*told.lock().unwrap(), ["began: StorageFull"], "told once");
    assert_eq!(log.lost(), 2000 - before as u64);
    fs::remove_file(&ballast).unwrap();
    say(&log, 10);
    let ended = format!("ended: {}", 2000 - before);
    assert_eq!(*told.lock().unwrap(), ["began: StorageFull", &ended]);
    assert_eq!(lines(&folder).len(), before + 10, "what was there is there, whole");
}

#[test]
fn a_full_disk_is_told_once_and_the_log_goes_on_when_there_is_room() {
    let folder = tempdir().unwrap();
    roles::on_a_small_disk("role_fills_the_disk", "1m", folder.path());
}
