//! A book that was damaged: it is told, kept as it is, and what can be read is saved.

use crate::kit::{all, at, end, event, id, new_folder, noise, open, task};
use assay_store::{
    Book, BookReader, BookTerms, EndState, Opened, Saved, StoreError, TaskQuery, WorkState,
};
use std::{
    fs,
    path::{Path, PathBuf},
};
use tempfile::TempDir;

/// Results above 1,000 bytes become files, so that both kinds are cheap to make.
const TERMS: BookTerms = BookTerms { big_result: 1000, waiting_max: 5000, check_max: 64 << 20 };
const TASKS: u32 = 120;
/// Of them, those whose result is a file.
const FILES: usize = 4;
const PAGE: usize = 4096;

fn database(folder: &Path) -> PathBuf {
    folder.join("book.sqlite3")
}

fn result(n: u32) -> Vec<u8> {
    noise(n, if n % 30 == 1 { 2000 } else { 300 })
}

fn is_open(n: u32) -> bool {
    n.is_multiple_of(3)
}

/// A book in which every third task is open.
async fn filled(folder: &Path) -> Book {
    let (book, _) = Book::open(folder, TERMS).unwrap();
    let fill = |n| {
        let book = book.clone();
        async move {
            book.accept(task(n)).await.unwrap();
            book.started(&id(n), 1, at(n)).await.unwrap();
            book.append(&id(n), (0..4).map(event).collect()).await.unwrap();
            if !is_open(n) {
                assert!(book.end(&id(n), end(n, Some(&result(n)))).await.unwrap());
            }
        }
    };
    all((0..TASKS).map(fill)).await;
    book
}

/// A book that was filled and closed, so that all of it is in the main file.
async fn closed() -> TempDir {
    let folder = new_folder();
    filled(folder.path()).await.close().await.unwrap();
    folder
}

/// What is there of a book is as it was written, and no task is open that had ended.
async fn check_what_is_there(book: &Book, context: &str) -> Saved {
    let tasks = book.tasks(TaskQuery { limit: 10_000, ..TaskQuery::default() }).await.unwrap();
    let mut there = Saved { open: 0, tasks: 0, results: 0 };
    for record in tasks {
        let n: u32 = record.task.id.as_str().trim_start_matches("task-").parse().unwrap();
        assert_eq!(record.task, task(n), "{context}");
        there.tasks += 1;
        match record.state {
            WorkState::Running => {
                assert!(is_open(n), "{context}: task {n} had ended");
                there.open += 1;
            }
            WorkState::Ended(EndState::Finished) => assert!(!is_open(n), "{context}: {n}"),
            state => panic!("{context}: {n} is {state:?}"),
        }
        if let Some(found) = book.result(&record.task.id).await.unwrap() {
            assert_eq!(found, result(n), "{context}");
            there.results += 1;
        }
        let events = book.events(&record.task.id, 0, 10).await.unwrap();
        assert!(events.iter().all(|found| *found == event(found.seq)), "{context}: {events:?}");
    }
    there
}

#[tokio::test]
async fn pages_of_garbage_are_told_and_what_the_others_hold_is_saved() {
    let template = closed().await;
    let whole = fs::read(database(template.path())).unwrap();
    let pages = whole.len() / PAGE;
    let mut damaged = 0;
    // All but the first, which says what the file is, a few at a time.
    for (page, seed) in (1..pages).zip(0..) {
        let folder = new_folder();
        copy_folder(template.path(), folder.path());
        let mut bytes = whole.clone();
        bytes[page * PAGE..(page + 1) * PAGE].copy_from_slice(&noise(seed, PAGE));
        fs::write(database(folder.path()), &bytes).unwrap();
        let context = format!("page {page} of {pages}");
        let (book, opened) = Book::open(folder.path(), TERMS).unwrap();
        let there = check_what_is_there(&book, &context).await;
        match opened {
            Opened::Damaged { aside, why, saved } => {
                damaged += 1;
                assert_eq!(fs::read(database(&aside)).unwrap(), bytes, "{context}: kept as it is");
                assert!(!why.is_empty());
                assert_eq!(saved, there, "{context}");
                // Every page of a table holds a part of its rows only.
                assert!(
                    saved.tasks > TASKS * 3 / 4 || is_root(&whole, page),
                    "{context}: {saved:?}"
                );
            }
            // A page that nothing uses.
            Opened::Here => assert_eq!(there.tasks, TASKS, "{context}"),
            other => panic!("{context}: {other:?}"),
        }
        book.accept(task(TASKS)).await.unwrap();
        book.close().await.unwrap();
        let (_, opened) = Book::open(folder.path(), TERMS).unwrap();
        assert_eq!(opened, Opened::Here, "{context}: the new book is whole");
    }
    assert!(damaged > pages / 2, "{damaged} of {pages}");
}

/// Whether the page is the root of a table with more than one level, through which all rows go.
fn is_root(whole: &[u8], page: usize) -> bool {
    const INTERIOR_TABLE: u8 = 5;
    whole[page * PAGE] == INTERIOR_TABLE
}

/// Bytes flipped anywhere, stretches overwritten, ends cut off: whatever it is, a server starts, or
/// says why not; and what it saved is a whole book.
#[tokio::test]
async fn any_damage_is_survived_or_refused_in_words() {
    let template = closed().await;
    let whole = fs::read(database(template.path())).unwrap();
    let (mut saved, mut refused) = (0, 0);
    for seed in 0..damages() {
        let folder = new_folder();
        copy_folder(template.path(), folder.path());
        let mut bytes = whole.clone();
        let mut dice = noise(seed, 400).into_iter();
        let mut below = |limit: usize| {
            let bytes: Vec<u8> = dice.by_ref().take(4).collect();
            bytes.iter().fold(0, |all, byte| all << 8 | usize::from(*byte)) % limit
        };
        for _ in 0..below(20) {
            let at = below(bytes.len());
            match below(3) {
                0 => bytes[at] ^= 1 << below(8),
                1 => bytes[at..].iter_mut().take(below(5000)).for_each(|byte| *byte = 0),
                _ => bytes[at..].iter_mut().take(below(100)).for_each(|byte| *byte ^= 0xa5),
            }
        }
        if below(4) == 0 {
            bytes.truncate(below(bytes.len()));
        }
        fs::write(database(folder.path()), &bytes).unwrap();
        match Book::open(folder.path(), TERMS) {
            Ok((book, Opened::Damaged { aside, .. })) => {
                saved += 1;
                assert_eq!(fs::read(database(&aside)).unwrap(), bytes, "seed {seed}");
                assert_eq!(book.check().await.unwrap().problems, Vec::<String>::new(), "{seed}");
                book.accept(task(TASKS)).await.unwrap();
            }
            // A flipped bit in a text is nobody's to find.
            Ok((book, _)) => {
                book.open_tasks().await.unwrap();
            }
            Err(error) => {
                refused += 1;
                let is_header =
                    matches!(error, StoreError::NotABook { .. } | StoreError::BookVersion { .. });
                assert!(is_header, "seed {seed}: {error:?}");
                assert_eq!(fs::read(database(folder.path())).unwrap(), bytes, "seed {seed}");
            }
        }
    }
    assert!(saved > damages() / 2, "{saved} saved, {refused} refused, of {}", damages());
}

/// How many damages are tried.
fn damages() -> u32 {
    std::env::var("ASSAY_BOOK_DAMAGES").map_or(40, |count| count.parse().unwrap())
}

#[tokio::test]
async fn a_file_that_was_cut_is_told_and_its_beginning_saved() {
    let template = closed().await;
    let whole = fs::read(database(template.path())).unwrap();
    for (kept, left) in
        [(0, "nothing"), (50, "half a header"), (PAGE, "a page"), (whole.len() / 2, "half")]
    {
        let folder = new_folder();
        copy_folder(template.path(), folder.path());
        fs::write(database(folder.path()), &whole[..kept]).unwrap();
        let (book, opened) = Book::open(folder.path(), TERMS).unwrap();
        let Opened::Damaged { aside, saved, .. } = opened else { panic!("{left}: {opened:?}") };
        assert_eq!(check_what_is_there(&book, left).await, saved);
        assert_eq!(fs::read(database(&aside)).unwrap().len(), kept);
        // Results without a row are kept beside the damaged file.
        let files = |folder: &Path| fs::read_dir(folder.join("results")).map_or(0, Iterator::count);
        assert_eq!(files(&aside) + files(folder.path()), FILES, "{left}");
        if left == "half" {
            assert!(saved.tasks > TASKS / 8, "{saved:?}");
        }
    }
}

#[tokio::test]
async fn a_database_that_was_removed_is_not_taken_for_a_first_start() {
    let folder = closed().await;
    fs::remove_file(database(folder.path())).unwrap();
    let (_, opened) = Book::open(folder.path(), TERMS).unwrap();
    let Opened::Damaged { aside, why, saved } = opened else { panic!("{opened:?}") };
    assert!(why.contains("results of it are there"), "{why}");
    assert_eq!(saved, Saved::default());
    assert_eq!(fs::read_dir(aside.join("results")).unwrap().count(), FILES);
}

#[tokio::test]
async fn a_log_that_was_cut_or_scribbled_on_loses_only_what_follows() {
    let template = new_folder();
    filled(template.path()).await.close().await.unwrap();
    // A process that dies here leaves this folder: ten more tasks are in the log alone.
    let book = open(template.path());
    for n in 0..10 {
        book.accept(task(TASKS + n)).await.unwrap();
    }
    let log = fs::read(template.path().join("book.sqlite3-wal")).unwrap();
    for at in (0..log.len()).step_by(PAGE / 2).chain([1, 33, log.len() - 1]) {
        for scribble in [false, true] {
            let folder = new_folder();
            copy_folder(template.path(), folder.path());
            let mut bytes = log.clone();
            if scribble {
                bytes[at] ^= 0x55;
            } else {
                bytes.truncate(at);
            }
            fs::write(folder.path().join("book.sqlite3-wal"), bytes).unwrap();
            fs::remove_file(folder.path().join("book.sqlite3-shm")).unwrap();
            let (book, opened) = Book::open(folder.path(), TERMS).unwrap();
            assert_eq!(opened, Opened::Here, "at {at}");
            let there = book.open_tasks().await.unwrap();
            let before = there.iter().filter(|open| open.running).count();
            assert_eq!(before, TASKS as usize / 3, "at {at}: what was in the main file is there");
            let after = u32::try_from(there.len() - before).unwrap();
            let expected: Vec<_> = (TASKS..TASKS + after).map(id).collect();
            let found: Vec<_> = there[before..].iter().map(|open| open.task.id.clone()).collect();
            assert_eq!(found, expected, "at {at}: a beginning of what was in the log");
            book.accept(task(TASKS + 20)).await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_process_that_died_while_it_saved_is_followed_by_one_that_finishes() {
    let folder = closed().await;
    let whole = fs::read(database(folder.path())).unwrap();
    // It died after the damaged file had gone, and before the saved one had come.
    fs::rename(database(folder.path()), folder.path().join("book.saved.sqlite3")).unwrap();
    let (book, opened) = Book::open(folder.path(), TERMS).unwrap();
    assert_eq!(opened, Opened::Here);
    assert_eq!(check_what_is_there(&book, "after").await.tasks, TASKS);
    book.close().await.unwrap();
    // It died before: what it had saved is made again.
    fs::write(folder.path().join("book.saved.sqlite3"), &whole[..PAGE]).unwrap();
    fs::write(database(folder.path()), &whole[..whole.len() / 2]).unwrap();
    let (_, opened) = Book::open(folder.path(), TERMS).unwrap();
    let Opened::Damaged { saved, .. } = opened else { panic!("{opened:?}") };
    assert!(saved.tasks > 0);
    assert!(!folder.path().join("book.saved.sqlite3").exists());
}

#[tokio::test]
async fn what_is_not_ours_or_newer_is_refused_and_not_touched() {
    let folder = closed().await;
    let path = database(folder.path());
    let whole = fs::read(&path).unwrap();
    // The big-endian `user_version` and `application_id` of SQLite's header.
    let with = |at: usize, value: u32| {
        let mut bytes = whole.clone();
        bytes[at..at + 4].copy_from_slice(&value.to_be_bytes());
        bytes
    };
    let newer = with(60, 1000);
    let foreign = with(68, 0x0b0e_0001);
    for (bytes, word, hint) in
        [(newer, "version 1000", "newer"), (foreign, "something else", "move")]
    {
        fs::write(&path, &bytes).unwrap();
        let refused = [
            Book::open(folder.path(), TERMS).unwrap_err(),
            BookReader::open(folder.path()).unwrap_err(),
        ];
        for error in refused {
            assert!(error.to_string().contains(word), "{error}");
            assert!(error.hint().unwrap().contains(hint), "{error:?}");
        }
        assert_eq!(fs::read(&path).unwrap(), bytes);
    }
}

#[tokio::test]
async fn damage_that_shows_later_is_told_with_the_way_out() {
    let folder = closed().await;
    let blind = BookTerms { check_max: 0, ..TERMS };
    let (book, _) = Book::open(folder.path(), blind).unwrap();
    let mut bytes = fs::read(database(folder.path())).unwrap();
    let length = bytes.len();
    bytes[2 * PAGE..].copy_from_slice(&noise(1, length - 2 * PAGE));
    book.close().await.unwrap();
    fs::write(database(folder.path()), &bytes).unwrap();
    // Also where the open tasks cannot be read, it is found at once.
    let (_, opened) = Book::open(folder.path(), blind).unwrap();
    assert!(matches!(opened, Opened::Damaged { .. }), "{opened:?}");

    let folder = closed().await;
    let (book, _) = Book::open(folder.path(), blind).unwrap();
    fs::write(database(folder.path()), &bytes).unwrap();
    let error = book.tasks(TaskQuery { limit: 10_000, ..TaskQuery::default() }).await.unwrap_err();
    assert!(matches!(error, StoreError::BookBroken { .. }), "{error:?}");
    assert!(error.hint().unwrap().contains("assay serve"));
}

/// A large book is looked over whole once somebody has met damage in it.
#[tokio::test]
async fn damage_that_somebody_met_is_mended_at_the_next_start() {
    let folder = closed().await;
    let blind = BookTerms { check_max: 0, ..TERMS };
    let mut bytes = fs::read(database(folder.path())).unwrap();
    // The request of a task that has ended, and no text any more; also where a row once was.
    let text = br#""n":5}"#;
    while let Some(at) = bytes.windows(text.len()).position(|found| found == text) {
        bytes[at] = 0xff;
    }
    fs::write(database(folder.path()), &bytes).unwrap();
    let (book, opened) = Book::open(folder.path(), blind).unwrap();
    assert_eq!(opened, Opened::Here, "nobody looked there");
    let error = book.task(&id(5)).await.unwrap_err();
    assert!(matches!(error, StoreError::BookBroken { .. }), "{error:?}");
    book.close().await.unwrap();
    let (book, opened) = Book::open(folder.path(), blind).unwrap();
    let Opened::Damaged { saved, .. } = opened else { panic!("{opened:?}") };
    assert_eq!(saved.tasks, TASKS - 1);
    assert_eq!(check_what_is_there(&book, "after").await, saved);
    book.close().await.unwrap();
    assert_eq!(Book::open(folder.path(), blind).unwrap().1, Opened::Here);
}

fn copy_folder(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            fs::create_dir(&target).unwrap();
            copy_folder(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}
