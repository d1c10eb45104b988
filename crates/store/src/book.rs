//! The book of a server: what it has taken on, what happened, and how it ended.
//!
//! Owns one folder with a SQLite database (a write-ahead log, synced at each commit), a lock, and
//! the results that are too big for the database.
//!
//! Keeps: what a call has returned is on disk; a task has one end; one process writes, and any
//! number reads. All calls are safe to cancel: a caller that leaves has asked nothing, or what it
//! asked is done without it, whole.
//!
//! Does not: decide what is run again after a crash, nor ask a clock: times come from the caller.

mod backup; // a copy that is a book itself
mod batches; // many tasks that were asked for together
mod checking; // whether all is what it should be
mod fault; // what went wrong inside a transaction
mod home; // where a book lies
mod opening; // begun, taken as it is, migrated, or saved
mod pruning; // what ended long ago leaves
mod reader; // who reads
mod reserve; // room for the time when the disk is full
mod results; // compressed, and big ones as files
mod rows; // how things stand in the tables
mod salvage; // what can be read of a damaged one
mod schema; // the shape of the tables, and the way to it
mod task; // what is remembered of a task
mod usage; // what it takes of its disk
mod writer; // who writes: many orders in one transaction

pub use backup::BackedUp;
pub use batches::{BatchEnd, BatchRecord, NewBatch};
pub use checking::Checked;
pub use pruning::{Removed, Retention};
pub use reader::BookReader;
pub use schema::BOOK_VERSION;
pub use task::{
    EndRecord, EndState, NewTask, OpenTask, StateFilter, StoredEvent, TASKS_PER_PAGE, TaskEnd,
    TaskQuery, TaskRecord, WorkState,
};
pub use usage::Usage;

use crate::{StoreError, disk::make_folders, lock::Lock};
use assay_model::TaskId;
use home::Home;
use jiff::Timestamp;
use results::Pending;
use rusqlite::Connection;
use std::{
    fmt,
    ops::Deref,
    path::{Path, PathBuf},
    sync::Arc,
};
use writer::{Need, Writer};

/// How a book is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BookTerms {
    /// A longer result becomes a file. In bytes, before it is compressed.
    pub big_result: usize,
    /// Orders that may wait to be written. Who comes then waits for room, in order.
    pub waiting_max: u32,
    /// Up to so many bytes the whole database is looked over when it is opened; of a larger one
    /// only what is open.
    pub check_max: u64,
}

/// The book of a server. Made by [`Book::open`]; clones share it. [`close`](Self::close) waits for
/// all that was asked; one that is only dropped finishes it on its own.
#[derive(Clone)]
pub struct Book {
    writer: Arc<Writer>,
    reader: BookReader,
    home: Home,
    terms: BookTerms,
}

/// What was found where the book was opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Opened {
    /// There was none.
    New,
    /// It was there and whole.
    Here,
    /// It had an older version; how it was before is in `kept`.
    Migrated { from: u32, kept: PathBuf },
    /// It was damaged. The damaged files lie in `aside`, and a new book holds what could be read.
    Damaged { aside: PathBuf, why: String, saved: Saved },
}

/// What was saved from a damaged book.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Saved {
    /// Tasks whose end is to come.
    pub open: u32,
    /// All tasks, the open ones too.
    pub tasks: u32,
    pub results: u32,
}

// === impl BookTerms ===

impl Default for BookTerms {
    fn default() -> Self {
        Self { big_result: 1 << 20, waiting_max: 4096, check_max: 16 << 20 }
    }
}

// === impl Book ===

impl Book {
    /// Opens the book in `folder`, or begins one, and takes the right to write it. Blocks: for
    /// milliseconds, but for seconds where a large one is migrated or saved.
    pub fn open(folder: &Path, terms: BookTerms) -> Result<(Self, Opened), StoreError> {
        make_folders(folder).map_err(|error| StoreError::io("made", folder, error))?;
        let home = Home::new(folder);
        let lock = Lock::take(folder).map_err(|error| match error {
            StoreError::InUse { path } => StoreError::BookInUse { path },
            other => other,
        })?;
        let opened = match opening::open(&home, &terms) {
            // A server that starts on a full disk can still end and remove what is there.
            Err(error) if error.is_full() && home.spend_reserve() => opening::open(&home, &terms),
            opened => opened,
        };
        let (db, opened) = opened?;
        home.keep_reserve();
        let writer = Writer::new(home.clone(), db, lock, terms.waiting_max);
        let reader = BookReader::new(home.clone());
        Ok((Self { writer, reader, home, terms }, opened))
    }

    /// Takes a task on: it is on disk when this returns. An id that is taken is refused.
    pub async fn accept(&self, task: NewTask) -> Result<(), StoreError> {
        self.writer.write(Need::Room, move |db| rows::insert_task(db, &task)).await
    }

    /// Notes that an attempt, counted from 1, began. A task that has ended is refused.
    pub async fn started(
        &self,
        task: &TaskId,
        attempt: u32,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let task = task.clone();
        self.writer.write(Need::Room, move |db| rows::start(db, &task, attempt, at)).await
    }

    /// Appends events to a task. One whose number is there already changes nothing, so that an
    /// append may be repeated. A task that has ended is refused.
    pub async fn append(&self, task: &TaskId, events: Vec<StoredEvent>) -> Result<(), StoreError> {
        let task = task.clone();
        self.writer.write(Need::Room, move |db| rows::append(db, &task, &events)).await
    }

    /// Ends a task. Returns `true` if this was its end, `false` if it had one already; then
    /// nothing changes.
    pub async fn end(&self, task: &TaskId, end: TaskEnd) -> Result<bool, StoreError> {
        self.end_with(task, Vec::new(), end).await
    }

    /// Appends the last events of a task and ends it: both are there, or neither.
    pub async fn end_with(
        &self,
        task: &TaskId,
        events: Vec<StoredEvent>,
        mut end: TaskEnd,
    ) -> Result<bool, StoreError> {
        let task = task.clone();
        let Some(result) = end.result.take() else {
            let end = move |db: &Connection| rows::end(db, &task, &events, &end, None);
            return self.writer.write(Need::Reserve, end).await;
        };
        let room = self.writer.room().await?;
        let this = self.clone();
        let keep = move || {
            let mut kept = Pending::keep(&this.home, &task, &result, this.terms.big_result)?;
            // Once kept, it is ordered on this thread: a caller that leaves does not come between.
            let told = this.writer.order(room, Need::Reserve, move |db| {
                let counts = rows::end(db, &task, &events, &end, Some(&kept.row))?;
                kept.named = counts;
                Ok(counts)
            });
            Ok(told)
        };
        let told =
            tokio::task::spawn_blocking(keep).await.map_err(|_| self.writer.broke_off())??;
        told.await.unwrap_or_else(|_| Err(self.writer.broke_off()))
    }

    /// Waits until all that was asked is written, and gives the book free for another process.
    /// Later calls of any clone are refused.
    pub async fn close(self) -> Result<(), StoreError> {
        self.reader.close();
        self.writer.close().await
    }
}

/// All that can be read can be read through the book itself.
impl Deref for Book {
    type Target = BookReader;

    fn deref(&self) -> &BookReader {
        &self.reader
    }
}

impl fmt::Debug for Book {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Book").field("folder", &self.home.folder).finish_non_exhaustive()
    }
}
