//! A book of every version that ever was is read by this Assay.

use crate::kit::{at, end, event, id, new_folder, noise, open, task};
use assay_store::{
    BOOK_VERSION, BatchEnd, Book, BookTerms, EndState, NewBatch, NewTask, Opened, TaskEnd,
    WorkState,
};
use std::{
    env, fs,
    path::{Path, PathBuf},
};
use tempfile::TempDir;

/// Written once, by the Assay that made the version, with `UPDATE_FIXTURES=1`; never again.
fn fixture(version: u32) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/books/v{version}.sqlite3"))
}

/// A book in the version of that fixture, in a folder of its own.
fn copied(version: u32) -> TempDir {
    let folder = new_folder();
    let path = fixture(version);
    fs::copy(&path, folder.path().join("book.sqlite3"))
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    folder
}

fn ended(n: u32) -> TaskEnd {
    let result = (n == 3).then(|| noise(3, 200));
    let state = EndState::ALL[n as usize % EndState::ALL.len()];
    let message = (n == 4).then(|| "it broke".to_owned());
    TaskEnd { state, message, ..end(n, result.as_deref()) }
}

/// What stands in the fixtures: tasks 0 to 9 of a batch, one running, two queued, the others ended.
async fn write(folder: &Path) {
    let book = open(folder);
    let batch = NewBatch {
        id: "batch-1".to_owned(),
        client: "client".to_owned(),
        request: "[]".to_owned(),
        accepted_at: at(0),
    };
    let tasks: Vec<NewTask> = (0..10).map(task).collect();
    book.accept_batch(batch, tasks).await.unwrap();
    for n in 2..10 {
        book.started(&id(n), 2, at(n + 1)).await.unwrap();
        book.append(&id(n), (0..n).map(event).collect()).await.unwrap();
    }
    for n in 3..10 {
        assert!(book.end(&id(n), ended(n)).await.unwrap());
    }
    book.end_batch("batch-1", BatchEnd { at: at(20), status: "partial".into() }).await.unwrap();
    book.close().await.unwrap();
}

async fn check(book: &Book, version: u32) {
    for n in 0..10 {
        let record = book.task(&id(n)).await.unwrap().unwrap();
        assert_eq!(record.task, task(n), "v{version}");
        let (state, attempt) = match n {
            0 | 1 => (WorkState::Queued, 0),
            2 => (WorkState::Running, 2),
            _ => (WorkState::Ended(ended(n).state), 2),
        };
        assert_eq!((record.state, record.attempt), (state, attempt), "v{version}");
        assert_eq!(record.started_at, (n > 1).then(|| at(n + 1)), "v{version}");
        if let Some(end) = record.end {
            assert_eq!(
                (end.at, end.status, end.message),
                (at(n), "success".into(), ended(n).message)
            );
        }
        assert_eq!(book.result(&id(n)).await.unwrap(), ended(n).result, "v{version}");
        let events = book.events(&id(n), 0, 20).await.unwrap();
        assert_eq!(events.len(), if n < 2 { 0 } else { n as usize }, "v{version}");
    }
    let batch = book.batch("batch-1").await.unwrap().unwrap();
    assert_eq!((batch.open, batch.end.unwrap().status), (1, "partial".to_owned()), "v{version}");
    assert_eq!(book.check().await.unwrap().problems, Vec::<String>::new(), "v{version}");
}

#[tokio::test]
async fn a_book_of_every_version_is_read_and_written_on() {
    if env::var_os("UPDATE_FIXTURES").is_some() && !fixture(BOOK_VERSION).exists() {
        let folder = new_folder();
        write(folder.path()).await;
        fs::copy(folder.path().join("book.sqlite3"), fixture(BOOK_VERSION)).unwrap();
    }
    for version in 1..=BOOK_VERSION {
        let folder = copied(version);
        let (book, opened) = Book::open(folder.path(), BookTerms::default()).unwrap();
        let is_as_expected = match opened {
            Opened::Here => version == BOOK_VERSION,
            Opened::Migrated { from, .. } => from == version && version < BOOK_VERSION,
            _ => false,
        };
        assert!(is_as_expected, "v{version}: {opened:?}");
        check(&book, version).await;
        book.accept(task(10)).await.unwrap();
        assert!(book.end(&id(2), end(30, None)).await.unwrap());
    }
}

/// A step that was released is not edited: books that took it would differ from new ones.
#[tokio::test]
async fn a_new_book_has_the_shape_of_one_that_came_all_the_way() {
    let shape = |folder: &Path| {
        let db = rusqlite::Connection::open(folder.join("book.sqlite3")).unwrap();
        let sql = "SELECT coalesce(sql, name) FROM sqlite_schema ORDER BY name";
        let mut all = db.prepare(sql).unwrap();
        all.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect::<Vec<String>>()
    };
    let new = new_folder();
    open(new.path()).close().await.unwrap();
    for version in 1..=BOOK_VERSION {
        let old = copied(version);
        open(old.path()).close().await.unwrap();
        assert_eq!(shape(old.path()), shape(new.path()), "v{version}");
    }
}
