//! A process that is killed at any moment: what it was told is on disk is there.

use crate::{
    kit::{at, end, event, id, noise, task},
    roles,
};
use assay_store::{Book, BookTerms, EndState, Opened, StateFilter, TaskQuery, WorkState};
use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Write},
};
use tempfile::tempdir;

const TERMS: BookTerms = BookTerms { big_result: 3000, waiting_max: 100, check_max: 1 << 30 };

/// How many tasks one process would take on. No parent lets it come so far.
const TASKS: u32 = 1_000_000;

/// How often it is killed.
const KILLS: u32 = 12;

fn result(n: u32) -> Vec<u8> {
    noise(n, if n.is_multiple_of(3) { 4000 } else { 200 })
}

/// Says what it was told is on disk: `accepted 7`, `appended 7`, `ended 7`.
fn say(what: &str, n: u32) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{what} {n}").and_then(|()| out.flush()).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn role_works_until_it_is_killed() {
    let Some(here) = roles::here() else { return };
    let (book, opened) = Book::open(&here, TERMS).unwrap();
    assert!(matches!(opened, Opened::New | Opened::Here), "{opened:?}");
    let known = book.tasks(TaskQuery { limit: TASKS, ..TaskQuery::default() }).await.unwrap();
    let number = |id: &str| id.trim_start_matches("task-").parse::<u32>().unwrap();
    let first = known.iter().map(|known| number(known.task.id.as_str()) + 1).max().unwrap_or(0);
    // Eight at once, so that groups form.
    for lane in 0..8 {
        let book = book.clone();
        tokio::spawn(async move {
            for n in (first + lane..TASKS).step_by(8) {
                book.accept(task(n)).await.unwrap();
                say("accepted", n);
                book.started(&id(n), 1, at(n)).await.unwrap();
                book.append(&id(n), (0..3).map(event).collect()).await.unwrap();
                say("appended", n);
                if n % 4 != 0 {
                    let end = end(n, Some(&result(n)));
                    assert!(book.end_with(&id(n), vec![event(3)], end).await.unwrap());
                    say("ended", n);
                }
            }
        });
    }
    std::future::pending::<()>().await;
}

#[tokio::test]
async fn what_a_killed_process_was_told_is_on_disk_is_there() {
    let folder = tempdir().unwrap();
    // What is said of each task last, over all its lives.
    let mut told: BTreeMap<u32, String> = BTreeMap::new();
    for kill in 0..KILLS {
        let mut child = roles::start("dying::role_works_until_it_is_killed", folder.path());
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        let mut hear = |line: String| {
            if let Some((what @ ("accepted" | "appended" | "ended"), n)) = line.split_once(' ') {
                told.insert(n.parse().unwrap(), what.to_owned());
                return true;
            }
            false
        };
        let mut heard = 0;
        // A moment that differs each time, in the midst of all kinds of orders.
        while heard < 20 + 37 * kill {
            heard += u32::from(hear(lines.next().expect("it works until it is killed")));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        // What it had said and nobody had read yet. A word that was cut was not said.
        for line in lines {
            hear(line);
        }
    }
    assert!(told.len() > 300, "{}", told.len());
    let (book, opened) = Book::open(folder.path(), TERMS).unwrap();
    assert_eq!(opened, Opened::Here);
    for (n, what) in &told {
        let record = book.task(&id(*n)).await.unwrap();
        let record = record.unwrap_or_else(|| panic!("task {n} was {what} and is gone"));
        assert_eq!(record.task, task(*n));
        let events = book.events(&id(*n), 0, 10).await.unwrap();
        if what != "accepted" {
            assert_eq!(events[..3], [event(0), event(1), event(2)], "{n}");
        }
        if what == "ended" {
            assert_eq!(record.state, WorkState::Ended(EndState::Finished), "{n}");
        }
    }
    // What nobody was told of may be there, but whole: an end with its last event and its result.
    let ended = TaskQuery { state: Some(StateFilter::Ended), limit: TASKS, ..TaskQuery::default() };
    for record in book.tasks(ended).await.unwrap() {
        let id = record.task.id;
        let n: u32 = id.as_str().trim_start_matches("task-").parse().unwrap();
        assert_eq!(book.events(&id, 3, 10).await.unwrap(), [event(3)]);
        assert_eq!(book.result(&id).await.unwrap().unwrap(), result(n));
    }
    assert_eq!(book.check().await.unwrap().problems, Vec::<String>::new());
}
