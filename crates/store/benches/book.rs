//! Question: what does it cost to have accepted work on disk before anybody hears so?
//! Expected: one caller waits for the disk each time, as with any database; many callers share a
//! sync, so that their number and not the disk sets the pace.
//!
//! Beside it plain SQLite with the same settings, one transaction for each task, and the bare sync of
//! the disk. `cargo bench -p assay-store --bench book [FOLDER]`; the folder, by default the current
//! one's `target`, decides which disk is measured. Each figure is the median of five rounds.
#![allow(clippy::unwrap_used, reason = "a bench that cannot go on stops")]
#![allow(clippy::disallowed_methods, reason = "real time is what is measured")]

use assay_model::TaskId;
use assay_store::{Book, BookTerms, EndState, NewTask, StoredEvent, TaskEnd, TaskQuery};
use bytes::Bytes;
use jiff::Timestamp;
use std::{
    env,
    fmt::Write as _,
    fs::File,
    io::Write,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};
use tokio::task::JoinSet;

const ROUNDS: usize = 5;

fn main() {
    let asked = env::args().nth(1).filter(|argument| !argument.starts_with("--"));
    let place = PathBuf::from(asked.unwrap_or_else(|| env!("CARGO_TARGET_TMPDIR").to_owned()));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    println!("{:<44} {:>12} {:>14}", "", "each", "a second");
    line("fdatasync of 4 KiB, appended", 50, || bare_syncs(&place, 50));
    line("plain SQLite, a transaction for each task", 100, || plain(&place, 100));
    for (callers, tasks) in [(1, 100), (16, 800), (64, 3200), (256, 6400)] {
        let name = format!("accept, {callers} at once");
        line(&name, callers * tasks / callers, || {
            runtime.block_on(accepts(&place, callers, tasks))
        });
    }
    line("append 10 events, 64 at once", 3200, || runtime.block_on(appends(&place, 64, 3200)));
    line("end with 10 KB, 64 at once", 1600, || runtime.block_on(ends(&place, 64, 1600)));
    line("end with 100 MB", 1, || runtime.block_on(large_end(&place)));
    reading(&runtime, &place);
}

/// Measures `count` of something five times and tells the median.
fn line(name: &str, count: u32, mut measure: impl FnMut() -> Duration) {
    let mut rounds: Vec<Duration> = (0..ROUNDS).map(|_| measure()).collect();
    rounds.sort_unstable();
    let each = rounds[ROUNDS / 2] / count;
    println!("{name:<44} {:>9.1} us {:>14.0}", each.as_secs_f64() * 1e6, 1.0 / each.as_secs_f64());
}

fn timed(work: impl FnOnce()) -> Duration {
    let begun = Instant::now();
    work();
    begun.elapsed()
}

fn bare_syncs(place: &Path, count: u32) -> Duration {
    let folder = tempfile::tempdir_in(place).unwrap();
    let mut file = File::create(folder.path().join("x")).unwrap();
    timed(|| {
        for _ in 0..count {
            file.write_all(&[7; 4096]).unwrap();
            file.sync_data().unwrap();
        }
    })
}

fn plain(place: &Path, count: u32) -> Duration {
    let folder = tempfile::tempdir_in(place).unwrap();
    let db = rusqlite::Connection::open(folder.path().join("x")).unwrap();
    db.pragma_update(None, "journal_mode", "WAL").unwrap();
    db.pragma_update(None, "synchronous", "FULL").unwrap();
    db.execute_batch("CREATE TABLE tasks (n INTEGER PRIMARY KEY, id TEXT UNIQUE, request TEXT)")
        .unwrap();
    timed(|| {
        for n in 0..count {
            let NewTask { id, request, .. } = task(n);
            db.prepare_cached("INSERT INTO tasks (id, request) VALUES (?1, ?2)")
                .unwrap()
                .execute((id.as_str(), request))
                .unwrap();
        }
    })
}

// === the book ===

fn id(n: u32) -> TaskId {
    TaskId::new(&format!("20261127-{n:06}-abcdef")).unwrap()
}

/// A task with a request as clients send it.
fn task(n: u32) -> NewTask {
    let model = format!("provider_model-{}", n % 20);
    NewTask {
        id: id(n),
        client: "bench".to_owned(),
        key: format!("{n:064x}"),
        request: format!(
            "{{\"type\":\"analysis_request\",\"id\":\"{n:032x}\",\"data\":{{\"model_slug\":\
             \"{model}\",\"app_number\":{n},\"analysis_type\":\"security_python\",\"options\":{{}}}}}}"
        ),
        model,
        app: n,
        kind: "security_python".to_owned(),
        service: "static-analyzer".to_owned(),
        priority: 1,
        deadline_at: Timestamp::UNIX_EPOCH,
        detach: false,
        batch: None,
        accepted_at: Timestamp::UNIX_EPOCH,
        traceparent: None,
    }
}

fn open(place: &Path) -> (tempfile::TempDir, Book) {
    let folder = tempfile::tempdir_in(place).unwrap();
    let book = Book::open(folder.path(), BookTerms::default()).unwrap().0;
    (folder, book)
}

/// Does `work` for each number, `callers` at a time.
async fn at_once<F>(callers: u32, count: u32, work: impl Fn(u32) -> F + Clone + Send + 'static)
where
    F: Future<Output = ()> + Send,
{
    let next = std::sync::Arc::new(AtomicU32::new(0));
    let mut all = JoinSet::new();
    for _ in 0..callers {
        let (next, work) = (next.clone(), work.clone());
        all.spawn(async move {
            loop {
                let n = next.fetch_add(1, Ordering::Relaxed);
                if n >= count {
                    return;
                }
                work(n).await;
            }
        });
    }
    all.join_all().await;
}

async fn accepts(place: &Path, callers: u32, count: u32) -> Duration {
    let (_folder, book) = open(place);
    let begun = Instant::now();
    at_once(callers, count, move |n| {
        let book = book.clone();
        async move { book.accept(task(n)).await.unwrap() }
    })
    .await;
    begun.elapsed()
}

async fn appends(place: &Path, callers: u32, count: u32) -> Duration {
    let (_folder, book) = open(place);
    for n in 0..64 {
        book.accept(task(n)).await.unwrap();
    }
    let begun = Instant::now();
    at_once(callers, count, move |n| {
        let book = book.clone();
        let event = |seq| StoredEvent { seq, json: format!("{{\"seq\":{seq},\"at_ms\":12345,\"kind\":{{\"event\":\"tool_phase\",\"tool\":\"bandit\",\"phase\":\"running\"}}}}") };
        async move { book.append(&id(n % 64), (n * 10..n * 10 + 10).map(event).collect()).await.unwrap() }
    })
    .await;
    begun.elapsed()
}

async fn ends(place: &Path, callers: u32, count: u32) -> Duration {
    let (_folder, book) = open(place);
    at_once(256, count, {
        let book = book.clone();
        move |n| {
            let book = book.clone();
            async move { book.accept(task(n)).await.unwrap() }
        }
    })
    .await;
    let begun = Instant::now();
    at_once(callers, count, move |n| {
        let (book, result) = (book.clone(), text(n, 10_000));
        async move { assert!(book.end(&id(n), end(result)).await.unwrap()) }
    })
    .await;
    begun.elapsed()
}

async fn large_end(place: &Path) -> Duration {
    let (_folder, book) = open(place);
    book.accept(task(0)).await.unwrap();
    let result = text(0, 100_000_000);
    let begun = Instant::now();
    assert!(book.end(&id(0), end(result)).await.unwrap());
    begun.elapsed()
}

fn end(result: Bytes) -> TaskEnd {
    TaskEnd {
        at: Timestamp::UNIX_EPOCH,
        state: EndState::Finished,
        status: "success".to_owned(),
        code: None,
        message: None,
        result: Some(result),
    }
}

/// JSON like that of findings.
fn text(n: u32, length: usize) -> Bytes {
    let mut text = String::with_capacity(length + 200);
    let mut line = n;
    while text.len() < length {
        line = line.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        write!(
            text,
            "{{\"ruleId\":\"B{}\",\"level\":\"warning\",\"message\":\"possible injection of {line:x}\",\
             \"path\":\"src/app/{}.py\",\"line\":{}}},",
            line % 700,
            line % 97,
            line % 3000
        )
        .unwrap();
    }
    Bytes::from(text)
}

// === reading ===

fn reading(runtime: &tokio::runtime::Runtime, place: &Path) {
    const TASKS: u32 = 100_000;
    let (folder, book) = open(place);
    let writing = book.clone();
    runtime.block_on(at_once(512, TASKS, move |n| {
        let book = writing.clone();
        async move { book.accept(task(n)).await.unwrap() }
    }));
    line("task by id, of 100,000", 1000, || {
        timed(|| {
            for n in 0..1000 {
                runtime.block_on(book.task(&id(n * 97))).unwrap().unwrap();
            }
        })
    });
    line("the newest 100 of one model, of 100,000", 100, || {
        timed(|| {
            for _ in 0..100 {
                let model = Some("provider_model-7".to_owned());
                let query = TaskQuery { model, ..TaskQuery::default() };
                assert_eq!(runtime.block_on(book.tasks(query)).unwrap().len(), 100);
            }
        })
    });
    line("all open tasks, 100,000", 1, || {
        timed(|| assert_eq!(runtime.block_on(book.open_tasks()).unwrap().len(), TASKS as usize))
    });
    runtime.block_on(book.close()).unwrap();
    let bytes = folder.path().join("book.sqlite3").metadata().unwrap().len();
    println!("a book of 100,000 tasks takes {bytes} bytes");
    for (name, check_max) in [("open, looked over whole", u64::MAX), ("open, what is open", 0)] {
        line(name, 1, || {
            let terms = BookTerms { check_max, ..BookTerms::default() };
            let begun = Instant::now();
            let book = Book::open(folder.path(), terms).unwrap().0;
            let taken = begun.elapsed();
            runtime.block_on(book.close()).unwrap();
            taken
        });
    }
}
