//! A disk that is full: it is told, nothing that was there is lost, and when there is room again
//! the same book goes on.

use crate::{
    kit::{all, at, end, id, noise, task},
    roles,
};
use assay_store::{Book, BookTerms, NewTask, Opened, Retention, StoreError};
use std::{fs, path::Path};
use tempfile::tempdir;

const TERMS: BookTerms = BookTerms { big_result: 10_000, waiting_max: 100, check_max: 1 << 30 };

/// A task with a request that takes room.
fn heavy(n: u32, bytes: usize) -> NewTask {
    let request = noise(n, bytes).iter().map(|byte| char::from(b'a' + byte % 16)).collect();
    NewTask { request, ..task(n) }
}

/// Takes tasks on until the disk is full. Returns how many it took.
async fn fill(book: &Book, from: u32) -> u32 {
    for n in from.. {
        let Err(error) = book.accept(heavy(n, 20_000)).await else { continue };
        assert!(matches!(error, StoreError::BookFull { .. }), "{error:?}");
        assert!(error.to_string().starts_with("no space is left for the book"), "{error}");
        assert!(error.hint().unwrap().contains("what was kept is kept"));
        return n - from;
    }
    unreachable!("a disk of a few megabytes holds no 4,000,000,000 tasks");
}

async fn check_open(book: &Book, expected: u32) {
    let open = book.open_tasks().await.unwrap();
    for (n, found) in (0..).zip(&open) {
        assert_eq!(found.task, heavy(n, 20_000));
    }
    assert_eq!(open.len(), expected as usize);
}

#[tokio::test]
async fn role_fills_the_disk() {
    let Some(here) = roles::here() else { return };
    let ballast = here.join("ballast");
    // As much as the log holds before it is brought into the main file: so much it takes to go on.
    fs::write(&ballast, vec![0; 4 << 20]).unwrap();
    let folder = here.join("book");
    let (book, _) = Book::open(&folder, TERMS).unwrap();
    let first = fill(&book, 0).await;
    assert!(first > 20, "{first}");
    check_open(&book, first).await;
    // It goes on being told, and readers go on reading.
    assert!(book.accept(heavy(first, 20_000)).await.is_err());
    check_open(&book, first).await;

    fs::remove_file(ballast).unwrap();
    let second = fill(&book, first).await;
    assert!(second > 10, "the same book goes on: {second}");
    check_open(&book, first + second).await;
    // A server that is started again here comes up: there is a reserve for that.
    book.close().await.unwrap();
    let (book, opened) = Book::open(&folder, TERMS).unwrap();
    assert_eq!(opened, Opened::Here);
    check_open(&book, first + second).await;
    assert!(book.end(&id(0), end(0, Some(b"what runs can end"))).await.unwrap());
    assert_eq!(book.check().await.unwrap().problems, Vec::<String>::new());
}

#[test]
fn a_full_disk_is_told_and_when_there_is_room_the_same_book_goes_on() {
    let folder = tempdir().unwrap();
    roles::on_a_small_disk("full::role_fills_the_disk", "10m", folder.path());
}

#[tokio::test]
async fn role_ends_without_room() {
    let Some(here) = roles::here() else { return };
    let folder = here.join("book");
    let (book, _) = Book::open(&folder, TERMS).unwrap();
    let taken = fill(&book, 0).await;
    assert!(folder.join("reserve").exists());
    // More than the page that may be left, and less than what would be a file.
    let result = noise(0, 9_000);
    let outcomes = all((0..taken.min(30)).map(|n| {
        let (book, end) = (book.clone(), end(n, Some(&result)));
        async move { book.end(&id(n), end).await }
    }))
    .await;
    assert!(outcomes.iter().all(|outcome| matches!(outcome, Ok(true))), "{outcomes:?}");
    assert!(!folder.join("reserve").exists());
    assert_eq!(book.result(&id(0)).await.unwrap().unwrap(), result);
}

#[test]
fn what_runs_can_end_on_a_full_disk_when_nothing_new_is_taken_on() {
    let folder = tempdir().unwrap();
    roles::on_a_small_disk("full::role_ends_without_room", "6m", folder.path());
}

#[tokio::test]
async fn role_has_no_room_for_results() {
    let Some(here) = roles::here() else { return };
    let folder = here.join("book");
    let (book, _) = Book::open(&folder, TERMS).unwrap();
    for n in 0..4 {
        book.accept(task(n)).await.unwrap();
    }
    assert!(book.end(&id(0), end(0, Some(&noise(0, 1 << 20)))).await.unwrap());
    let large = noise(1, 8 << 20);
    let error = book.end(&id(1), end(1, Some(&large))).await.unwrap_err();
    assert!(matches!(error, StoreError::DiskFull { .. }), "{error:?}");
    let files = |folder: &Path| fs::read_dir(folder.join("results")).unwrap().count();
    assert_eq!(files(&folder), 1, "nothing half written stays");
    assert_eq!(book.open_tasks().await.unwrap().len(), 3, "it has not ended");
    assert!(book.end(&id(1), end(1, Some(b"there was no room for more"))).await.unwrap());
    // What is old makes room, also when there is none.
    let mut n = 4;
    while book.accept(heavy(n, 20_000)).await.is_ok() {
        n += 1;
    }
    let nothing = Retention { keep_max: Some(0), ..Retention::default() };
    let removed = book.prune(nothing, at(100)).await.unwrap();
    assert_eq!((removed.tasks, removed.files), (2, 1));
    book.accept(heavy(n, 20_000)).await.unwrap();
}

#[test]
fn a_result_without_room_leaves_its_task_open_and_pruning_makes_room() {
    let folder = tempdir().unwrap();
    roles::on_a_small_disk("full::role_has_no_room_for_results", "6m", folder.path());
}

#[tokio::test]
async fn role_has_room_for_all_but_one() {
    let Some(here) = roles::here() else { return };
    let (book, _) = Book::open(&here.join("book"), TERMS).unwrap();
    let ask = |n| {
        let book = book.clone();
        let bytes = if n == 20 { 6 << 20 } else { 100 };
        async move { book.accept(heavy(n, bytes)).await }
    };
    let outcomes = all((0..40).map(ask)).await;
    for (n, outcome) in outcomes.iter().enumerate() {
        assert_eq!(outcome.is_ok(), n != 20, "{n}: {outcome:?}");
    }
    assert_eq!(book.open_tasks().await.unwrap().len(), 39);
}

#[test]
fn what_does_not_fit_takes_nothing_along_that_does() {
    let folder = tempdir().unwrap();
    roles::on_a_small_disk("full::role_has_room_for_all_but_one", "4m", folder.path());
}

#[test]
fn role_begins_without_room() {
    let Some(here) = roles::here() else { return };
    let ballast = here.join("ballast");
    fs::write(&ballast, vec![0; 2 << 20]).unwrap_err();
    let error = Book::open(&here.join("book"), TERMS).unwrap_err();
    let full = matches!(error, StoreError::BookFull { .. } | StoreError::DiskFull { .. });
    assert!(full, "{error:?}");
    fs::remove_file(ballast).unwrap();
    let (_, opened) = Book::open(&here.join("book"), TERMS).unwrap();
    assert_eq!(opened, Opened::New);
}

#[test]
fn a_book_that_cannot_be_begun_says_why_and_can_be_later() {
    let folder = tempdir().unwrap();
    roles::on_a_small_disk("full::role_begins_without_room", "1m", folder.path());
}
