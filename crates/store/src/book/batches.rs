//! Batches: many tasks that somebody asked for together.
//!
//! Keeps: a batch is taken on with all its tasks or not at all, and has one end.

use super::{
    Book, BookReader,
    fault::Fault,
    rows::{insert_task, time},
    task::NewTask,
    writer::Need,
};
use crate::StoreError;
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row};

/// A request for many tasks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewBatch {
    pub id: String,
    /// Who asked: the name of a token, else an address.
    pub client: String,
    /// The request as it came, JSON.
    pub request: String,
    pub accepted_at: Timestamp,
}

/// A batch as the book has it. Its tasks are asked for with
/// [`TaskQuery::batch`](super::TaskQuery).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BatchRecord {
    pub batch: NewBatch,
    /// Tasks of it whose end is to come.
    pub open: u32,
    /// All tasks of it that are remembered.
    pub tasks: u32,
    pub end: Option<BatchEnd>,
}

/// The end of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BatchEnd {
    pub at: Timestamp,
    /// The status on the wire.
    pub status: String,
}

// === impl Book ===

impl Book {
    /// Takes a batch on, with all of `tasks`: all is on disk when this returns, or nothing is. More
    /// tasks may follow with [`accept`](Book::accept).
    pub async fn accept_batch(
        &self,
        batch: NewBatch,
        tasks: Vec<NewTask>,
    ) -> Result<(), StoreError> {
        let accept = move |db: &Connection| {
            insert(db, &batch)?;
            tasks.iter().try_for_each(|task| insert_task(db, task))
        };
        self.writer.write(Need::Room, accept).await
    }

    /// Ends a batch. Returns `false` if it had an end already; then nothing changes.
    pub async fn end_batch(&self, id: &str, end: BatchEnd) -> Result<bool, StoreError> {
        let id = id.to_owned();
        self.writer.write(Need::Reserve, move |db| end_one(db, &id, &end)).await
    }
}

// === impl BookReader ===

impl BookReader {
    pub async fn batch(&self, id: &str) -> Result<Option<BatchRecord>, StoreError> {
        let id = id.to_owned();
        let look = move |db: &Connection| {
            let sql = format!("{SELECT} WHERE b.id = ?1");
            Ok(db.prepare_cached(&sql)?.query_row([&id], record_of).optional()?)
        };
        self.read(look).await
    }

    /// Returns the batches whose end is to come, in the order in which they were accepted.
    pub async fn open_batches(&self) -> Result<Vec<BatchRecord>, StoreError> {
        let look = |db: &Connection| {
            let sql = format!("{SELECT} WHERE b.ended_at IS NULL ORDER BY b.n");
            let mut statement = db.prepare_cached(&sql)?;
            let rows = statement.query_map([], record_of)?;
            Ok(rows.collect::<Result<_, _>>()?)
        };
        self.read(look).await
    }
}

// === rows ===

const SELECT: &str = "SELECT b.id, b.client, b.request, b.accepted_at, b.ended_at, b.status, \
     (SELECT count(*) FROM tasks t WHERE t.batch = b.id AND t.state IN ('queued', 'running')), \
     (SELECT count(*) FROM tasks t WHERE t.batch = b.id) FROM batches b";

/// Whether the batch can be read as one.
pub(super) fn is_readable(db: &Connection, n: i64) -> bool {
    let sql = format!("{SELECT} WHERE b.n = ?1");
    db.query_row(&sql, [n], record_of).is_ok()
}

fn insert(db: &Connection, batch: &NewBatch) -> Result<(), Fault> {
    let sql = "INSERT INTO batches (id, client, request, accepted_at) VALUES (?1, ?2, ?3, ?4) \
               ON CONFLICT (id) DO NOTHING";
    let at = batch.accepted_at.as_microsecond();
    let row = (&batch.id, &batch.client, &batch.request, at);
    if db.prepare_cached(sql)?.execute(row)? == 0 {
        return Err(StoreError::BatchTaken { batch: batch.id.clone() }.into());
    }
    Ok(())
}

fn end_one(db: &Connection, id: &str, end: &BatchEnd) -> Result<bool, Fault> {
    let sql = "UPDATE batches SET ended_at = ?2, status = ?3 WHERE id = ?1 AND ended_at IS NULL";
    let at = end.at.as_microsecond();
    if db.prepare_cached(sql)?.execute((id, at, &end.status))? > 0 {
        return Ok(true);
    }
    let known = db.prepare_cached("SELECT 1 FROM batches WHERE id = ?1")?.exists([id])?;
    if known { Ok(false) } else { Err(StoreError::BatchUnknown { batch: id.to_owned() }.into()) }
}

fn record_of(row: &Row<'_>) -> rusqlite::Result<BatchRecord> {
    let end = match row.get::<_, Option<i64>>(4)? {
        None => None,
        Some(_) => Some(BatchEnd { at: time(row, 4)?, status: row.get(5)? }),
    };
    let batch = NewBatch {
        id: row.get(0)?,
        client: row.get(1)?,
        request: row.get(2)?,
        accepted_at: time(row, 3)?,
    };
    Ok(BatchRecord { batch, end, open: row.get(6)?, tasks: row.get(7)? })
}
