//! Tasks to remember.

use assay_model::TaskId;
use assay_store::{Book, BookTerms, EndState, NewTask, StoredEvent, TaskEnd};
use bytes::Bytes;
use jiff::Timestamp;
use std::path::Path;
use tempfile::TempDir;

/// A folder in memory, where there is one: what is tested is what a book says, and not how long a
/// disk takes to sync.
pub(crate) fn new_folder() -> TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

pub(crate) fn id(n: u32) -> TaskId {
    TaskId::new(&format!("task-{n}")).unwrap()
}

/// A time, `n` seconds after the first.
pub(crate) fn at(n: u32) -> Timestamp {
    Timestamp::from_second(1_795_000_000 + i64::from(n)).unwrap()
}

pub(crate) fn task(n: u32) -> NewTask {
    NewTask {
        id: id(n),
        client: format!("client-{}", n % 3),
        key: format!("{n:064x}"),
        model: format!("model-{}", n % 2),
        app: n % 5,
        kind: "static".to_owned(),
        service: "static-analyzer".to_owned(),
        request: format!("{{\"type\":\"analysis_request\",\"n\":{n}}}"),
        priority: 1 + u8::try_from(n % 3).unwrap(),
        deadline_at: at(n + 300),
        detach: n.is_multiple_of(2),
        batch: n.is_multiple_of(4).then(|| "batch-1".to_owned()),
        accepted_at: at(n),
        traceparent: None,
    }
}

pub(crate) fn event(seq: u32) -> StoredEvent {
    StoredEvent { seq, json: format!("{{\"seq\":{seq}}}") }
}

pub(crate) fn end(n: u32, result: Option<&[u8]>) -> TaskEnd {
    TaskEnd {
        at: at(n),
        state: EndState::Finished,
        status: "success".to_owned(),
        code: None,
        message: None,
        result: result.map(Bytes::copy_from_slice),
    }
}

/// Bytes that do not compress to nothing, different for each seed.
pub(crate) fn noise(seed: u32, length: usize) -> Vec<u8> {
    let mut state = u64::from(seed) + 1;
    let mut next = || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state.to_be_bytes()[0]
    };
    (0..length).map(|_| next()).collect()
}

pub(crate) fn open(folder: &Path) -> Book {
    Book::open(folder, BookTerms::default()).unwrap().0
}

/// Asks all at once and waits for the answers, so that they share transactions: a test of
/// thousands does not wait for the disk thousands of times.
pub(crate) async fn all<T: Send + 'static>(
    asked: impl IntoIterator<Item = impl Future<Output = T> + Send + 'static>,
) -> Vec<T> {
    let asked: Vec<_> = asked.into_iter().map(tokio::spawn).collect();
    let mut answers = Vec::with_capacity(asked.len());
    for one in asked {
        answers.push(one.await.unwrap());
    }
    answers
}
