//! What is kept for how long, copied, and looked over.

use crate::kit::{all, at, end, event, id, new_folder, noise, task};
use assay_store::{
    BatchEnd, Book, BookReader, BookTerms, NewBatch, Removed, Retention, StateFilter, StoreError,
    TaskQuery,
};
use std::{fs, path::Path, time::Duration};
use tempfile::TempDir;

const BIG: usize = 5000;

/// A book of 40 tasks. The first ten are open; of the others each fifth has a file. Task `n` ended
/// at second `n`.
async fn filled() -> (TempDir, Book) {
    let folder = new_folder();
    let terms = BookTerms { big_result: BIG - 1, ..BookTerms::default() };
    let (book, _) = Book::open(folder.path(), terms).unwrap();
    let batch = NewBatch {
        id: "batch-1".to_owned(),
        client: "client".to_owned(),
        request: "[]".to_owned(),
        accepted_at: at(0),
    };
    book.accept_batch(batch, (0..40).map(task).collect()).await.unwrap();
    let fill = |n| {
        let book = book.clone();
        async move {
            book.append(&id(n), (0..20).map(event).collect()).await.unwrap();
            if n >= 10 {
                book.end(&id(n), end(n, Some(&result(n)))).await.unwrap();
            }
        }
    };
    all((0..40).map(fill)).await;
    (folder, book)
}

fn result(n: u32) -> Vec<u8> {
    noise(n, if n.is_multiple_of(5) { BIG } else { 100 })
}

fn files(folder: &Path) -> usize {
    fs::read_dir(folder.join("results")).map_or(0, Iterator::count)
}

async fn ended(book: &BookReader) -> Vec<u32> {
    let query = TaskQuery { state: Some(StateFilter::Ended), ..TaskQuery::default() };
    let tasks = book.tasks(query).await.unwrap();
    let number = |id: &str| id.trim_start_matches("task-").parse().unwrap();
    tasks.iter().map(|found| number(found.task.id.as_str())).rev().collect()
}

#[tokio::test]
async fn nothing_leaves_unless_a_limit_is_given() {
    let (_folder, book) = filled().await;
    let removed = book.prune(Retention::default(), at(1_000_000)).await.unwrap();
    assert_eq!(removed, Removed::default());
    assert_eq!(ended(&book).await, (10..40).collect::<Vec<_>>());
}

#[tokio::test]
async fn what_is_too_old_or_too_much_leaves_oldest_first_with_all_that_belongs_to_it() {
    let (folder, book) = filled().await;
    let (all, before) = (Retention::default(), files(folder.path()));
    assert_eq!(before, 6);
    let old = Retention { keep_for: Some(Duration::from_secs(100)), ..all };
    let removed = book.prune(old, at(115)).await.unwrap();
    assert_eq!((removed.tasks, removed.files, removed.batches), (5, 1, 0));
    assert_eq!(ended(&book).await, (15..40).collect::<Vec<_>>());
    assert!(book.events(&id(12), 0, 10).await.unwrap().is_empty());
    assert_eq!(book.result(&id(12)).await.unwrap(), None);

    let many = Retention { keep_max: Some(12), ..all };
    assert_eq!(book.prune(many, at(115)).await.unwrap().tasks, 13);
    assert_eq!(ended(&book).await, (28..40).collect::<Vec<_>>());

    // Tasks 36 to 39 take some 350 bytes each; 35 has a file of five thousand and no room for it,
    // and what is older than 35 does not outlive it.
    let large = Retention { keep_bytes: Some(5000), ..all };
    let removed = book.prune(large, at(115)).await.unwrap();
    assert_eq!(ended(&book).await, (36..40).collect::<Vec<_>>());
    assert!(removed.bytes > BIG as u64, "{removed:?}");
    assert_eq!(files(folder.path()), 0);
    assert_eq!(book.open_tasks().await.unwrap().len(), 10);
    assert!(book.check().await.unwrap().problems.is_empty());
}

#[tokio::test]
async fn a_batch_leaves_with_its_last_task_and_not_before_its_end() {
    let (_folder, book) = filled().await;
    let nothing = Retention { keep_max: Some(0), ..Retention::default() };
    book.prune(nothing, at(100)).await.unwrap();
    assert!(book.batch("batch-1").await.unwrap().is_some(), "it is open, and so are tasks of it");
    for n in 0..10 {
        book.end(&id(n), end(50, None)).await.unwrap();
    }
    book.prune(nothing, at(100)).await.unwrap();
    assert!(book.batch("batch-1").await.unwrap().is_some(), "it has not ended");
    book.end_batch("batch-1", BatchEnd { at: at(60), status: "success".into() }).await.unwrap();
    let old = Retention { keep_for: Some(Duration::from_secs(1)), ..Retention::default() };
    assert_eq!(book.prune(old, at(100)).await.unwrap().batches, 1);
    assert_eq!(book.batch("batch-1").await.unwrap(), None);
}

#[tokio::test]
async fn space_of_what_left_goes_back_to_the_disk() {
    let folder = new_folder();
    let (book, _) = Book::open(folder.path(), BookTerms::default()).unwrap();
    let fill = |n| {
        let book = book.clone();
        async move {
            book.accept(task(n)).await.unwrap();
            book.end(&id(n), end(n, Some(&noise(n, 20_000)))).await.unwrap();
        }
    };
    all((0..300).map(fill)).await;
    book.close().await.unwrap();
    let length = || fs::metadata(folder.path().join("book.sqlite3")).unwrap().len();
    let before = length();
    let (book, _) = Book::open(folder.path(), BookTerms::default()).unwrap();
    let few = Retention { keep_max: Some(10), ..Retention::default() };
    let removed = book.prune(few, at(1000)).await.unwrap();
    book.close().await.unwrap();
    assert!(length() < before / 10, "{before} bytes became {}", length());
    assert!(removed.bytes > before / 2, "{removed:?}");
}

#[tokio::test]
async fn litter_goes_and_what_an_open_task_may_name_stays() {
    let (folder, book) = filled().await;
    let results = folder.path().join("results");
    for name in ["task-1.1-1.z", "task-12.1-1.z", "unknown.1-1.z", ".tmp-1-1", "x"] {
        fs::write(results.join(name), "litter").unwrap();
    }
    let writing = format!(".tmp-{}-7", std::process::id());
    fs::write(results.join(&writing), "just now").unwrap();
    let removed = book.prune(Retention::default(), at(0)).await.unwrap();
    assert_eq!((removed.files, removed.bytes), (4, 24));
    assert!(results.join("task-1.1-1.z").exists(), "its end is about to come");
    assert!(results.join(writing).exists());
    assert_eq!(book.result(&id(15)).await.unwrap().unwrap(), result(15));
}

#[tokio::test]
async fn a_backup_is_a_book_of_one_moment_with_all_results() {
    let (folder, book) = filled().await;
    let away = new_folder();
    let to = away.path().join("deep/copy");
    // From beside the writer, as another process would.
    let reader = BookReader::open(folder.path()).unwrap();
    let backed_up = reader.backup(&to).await.unwrap();
    assert_eq!(backed_up.files, 6);
    assert!(backed_up.bytes > 6 * BIG as u64);
    let nothing = Retention { keep_max: Some(0), ..Retention::default() };
    book.prune(nothing, at(100)).await.unwrap();

    assert!(matches!(reader.backup(&to).await, Err(StoreError::Exists { .. })));
    let (copy, opened) = Book::open(&to, BookTerms::default()).unwrap();
    assert_eq!(opened, assay_store::Opened::Here);
    assert_eq!(ended(&copy).await, (10..40).collect::<Vec<_>>());
    for n in 10..40 {
        assert_eq!(copy.result(&id(n)).await.unwrap().unwrap(), result(n));
    }
    assert_eq!(copy.open_tasks().await.unwrap().len(), 10);
    assert!(copy.check().await.unwrap().problems.is_empty());
    let left = fs::read_dir(away.path().join("deep")).unwrap().count();
    assert_eq!(left, 1, "nothing half made");
}

#[tokio::test]
async fn files_stay_while_a_backup_copies_them() {
    let (folder, book) = filled().await;
    let lock = fs::File::create(folder.path().join(".results-lock")).unwrap();
    lock.lock_shared().unwrap();
    let nothing = Retention { keep_max: Some(0), ..Retention::default() };
    let removed = book.prune(nothing, at(100)).await.unwrap();
    assert_eq!((removed.tasks, removed.files, files(folder.path())), (30, 0, 6));
    drop(lock);
    assert_eq!(book.prune(nothing, at(100)).await.unwrap().files, 6);
}

#[tokio::test]
async fn a_backup_that_cannot_be_written_leaves_nothing() {
    let (folder, book) = filled().await;
    let results = folder.path().join("results");
    let one = fs::read_dir(&results).unwrap().next().unwrap().unwrap().path();
    fs::remove_file(one).unwrap();
    let away = new_folder();
    let error = book.backup(&away.path().join("copy")).await.unwrap_err();
    assert!(matches!(error, StoreError::Unreadable { .. }), "{error:?}");
    assert_eq!(fs::read_dir(away.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn a_check_finds_what_nobody_asked_for_yet() {
    let (folder, book) = filled().await;
    let checked = book.check().await.unwrap();
    assert_eq!((checked.tasks, checked.results), (40, 30));
    assert_eq!(checked.problems, Vec::<String>::new());
    let results = folder.path().join("results");
    let mut files = fs::read_dir(&results).unwrap().map(|file| file.unwrap().path());
    let (lost, cut) = (files.next().unwrap(), files.next().unwrap());
    fs::remove_file(&lost).unwrap();
    fs::write(&cut, &fs::read(&cut).unwrap()[..BIG / 2]).unwrap();
    let problems = book.check().await.unwrap().problems;
    assert_eq!(problems.len(), 2, "{problems:?}");
    for path in [lost, cut] {
        let name = path.file_name().unwrap().to_str().unwrap();
        assert!(problems.iter().any(|problem| problem.contains(name)), "{problems:?}");
    }
}

#[tokio::test]
async fn what_a_book_takes_of_its_disk_is_told() {
    let (folder, book) = filled().await;
    let usage = book.usage().await.unwrap();
    assert!((6 * BIG as u64..8 * BIG as u64).contains(&usage.results), "{usage:?}");
    assert!(usage.log > 0 && usage.free > 0 && usage.free < usage.disk, "{usage:?}");
    book.close().await.unwrap();
    let usage = BookReader::open(folder.path()).unwrap().usage().await.unwrap();
    let database = fs::metadata(folder.path().join("book.sqlite3")).unwrap().len();
    assert_eq!((usage.database, usage.log), (database, 0));
}
